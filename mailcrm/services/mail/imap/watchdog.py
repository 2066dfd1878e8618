"""Ends connections whose server takes too long over one command, however diligently it drips.

A time-out per read sees only silence: a byte every minute kept a pass, its thread and its lease for ever. One thread
for the process looks at all connections; who waits in the socket finds it closed. Knows no IMAP.
"""

from __future__ import annotations

import threading
import time
import weakref
from typing import Protocol

import structlog

LOOK_S = 5.0  # between two looks

log = structlog.get_logger()


class Watched(Protocol):
    """A connection: since when its command runs (monotonic, None when none does), and how long one may."""

    @property
    def busy_since(self) -> float | None: ...

    @property
    def busy_most(self) -> float: ...

    def hang_up(self) -> None: ...


_watched: weakref.WeakSet[Watched] = weakref.WeakSet()
_lock = threading.Lock()
_thread: threading.Thread | None = None


def watch(connection: Watched) -> None:
    """Look after a connection for as long as somebody refers to it."""
    global _thread
    with _lock:
        _watched.add(connection)
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_look, name="imap-watchdog", daemon=True)
            _thread.start()


def _look() -> None:
    while True:
        time.sleep(LOOK_S)
        with _lock:
            connections = list(_watched)
        now = time.monotonic()
        for connection in connections:
            since = connection.busy_since
            if since is not None and now - since > connection.busy_most:
                log.warning("a server took too long over one command", seconds=round(now - since))
                connection.hang_up()
        del connections
