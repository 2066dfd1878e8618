"""Mailbox synchronisation: `engine.sync_mailbox` does it, `ledger.ledger` counts it."""
