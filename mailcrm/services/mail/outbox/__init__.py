"""Outgoing mail: from a draft to one SMTP attempt."""
