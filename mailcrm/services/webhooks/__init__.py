"""Webhooks: what happens to tracked mail, told to users' programs. webhooks (verbs), events, deliver, post, signing."""
