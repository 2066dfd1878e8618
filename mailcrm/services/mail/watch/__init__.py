"""Watching mailboxes for new mail: one process, thousands of connections, no work of its own but to wake the sync."""

from datetime import timedelta

ALIVE = timedelta(minutes=5)  # how old the watcher lets a proof of life in a row get
TRUST = timedelta(minutes=12)  # who reads the row believes one this old; then the watcher is taken for dead
