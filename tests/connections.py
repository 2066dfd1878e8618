"""Watches what a test connects to, at the socket: Python's own audit events, which no patch of a module escapes."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Seen:
    """Connections that were begun, and names that were asked for, by any thread meanwhile."""

    connections: list[tuple[Any, ...]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


_watchers: list[Seen] = []
_lock = threading.Lock()
_installed = False


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _watchers or not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):  # no Unix sockets
        for seen in _watchers:
            seen.connections.append(args[1])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        for seen in _watchers:
            seen.names.append(str(args[0]))


@contextlib.contextmanager
def watching() -> Iterator[Seen]:
    """Collect what is connected to until the end of the block."""
    global _installed
    with _lock:
        if not _installed:
            sys.addaudithook(_hook)  # can't be taken away: it looks at `_watchers` and nothing else
            _installed = True
    seen = Seen()
    _watchers.append(seen)
    try:
        yield seen
    finally:
        _watchers.remove(seen)
