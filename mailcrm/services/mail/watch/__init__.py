"""Watching mailboxes for new mail: one process, thousands of connections, no work of its own but to wake the sync."""
