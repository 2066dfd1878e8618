"""Mail: mailboxes, sync, parsing, threads, the outbox. Knows nothing of what it is used for."""
