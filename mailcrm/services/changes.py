"""Tells cheaply whether a SQLite file was written to by somebody else: `PRAGMA data_version`, a few microseconds.

So one may ask many times a second without reading any table. Other databases have no such number: there the answer is
always "perhaps". Does not say what changed.
"""

from __future__ import annotations

import sqlite3


class Changes:
    """Looks at one database; used by one thread at a time."""

    def __init__(self, url: str) -> None:
        """`url` as in the settings. A file that does not exist yet is made by others, not here."""
        self._connection: sqlite3.Connection | None = None
        if url.startswith("sqlite:///"):
            path = url.removeprefix("sqlite:///")
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
        self._version = self._look()

    @property
    def are_known(self) -> bool:
        """Whether `any` can say no."""
        return self._connection is not None

    def any(self) -> bool:
        """Whether something may have been committed since the last call."""
        before, self._version = self._version, self._look()
        return self._version != before or self._version < 0

    def _look(self) -> int:
        if self._connection is None:
            return -1
        try:
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.OperationalError:  # locked for now
            return -1
