"""One watcher for one database, however many are started: the others stand by and take over when it dies.

A lock that the system gives back with the process: on SQLite the kernel's on a file beside the database (all processes
are on one machine), on PostgreSQL an advisory lock that lives with its connection. Nothing has to run out.
"""

from __future__ import annotations

import fcntl
from typing import IO

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from mailcrm.config import config
from mailcrm.services.db import engine

_KEY = 0x6D61696C63726D  # "mailcrm": advisory locks are numbers, one space for each database


class Sole:
    """The right to be the watcher."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        """Try to get it; False while another process has it."""
        url = config().database_url
        if url.startswith("sqlite:///"):
            self._file = self._file or open(url.removeprefix("sqlite:///") + ".watcher", "ab")  # noqa: PTH123, SIM115
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True
        if self._connection is None:
            self._connection = engine().connect().execution_options(isolation_level="AUTOCOMMIT")
        return bool(self._connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}).scalar())

    def is_held(self) -> bool:
        """Whether it still is ours: a lost connection to PostgreSQL has given it away."""
        if self._connection is None:
            return self._file is not None
        try:
            return bool(self._connection.execute(text("SELECT 1")).scalar())
        except SQLAlchemyError:
            return False

    def release(self) -> None:
        """Give it back."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._connection is not None:
            self._connection.invalidate()  # closes it, so that the server forgets the lock
            self._connection.close()
            self._connection = None
