"""What one writes with: templates, signatures, merge fields and their values for a recipient (M06, M07, M08).

Does not send and keeps no drafts (services/mail/outbox).
"""
