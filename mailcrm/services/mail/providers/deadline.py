"""Cuts a connection off at its end: a time-out per read sees only silence, and a server that drips is never silent."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def ended_at(sock: socket.socket, ends: float) -> Generator[None]:
    """Shut the socket down at `ends` (monotonic); whoever reads or shakes hands on it then sees it end."""

    def cut() -> None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not SSLSocket's, which takes its TLS away under the reader

    timer = threading.Timer(max(ends - time.monotonic(), 0.0), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
