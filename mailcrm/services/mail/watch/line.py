"""Takes the socket of a signed-in connection over, for reading without waiting.

imapclient's own `idle_check` loops on a closed connection and loses step on a split line (sync.md A9 #7, #9), and its
buffers would cost 256 KB for each of thousands of connections: only the socket is kept. Knows no IMAP.
"""

# IMAPClient has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from io import BufferedReader

from mailcrm.services.mail.imap.client import ImapConnection

READ = 16 * 1024  # bytes; one TLS record
READS = 4  # in one turn: a server that never stops talking does not keep the others waiting
_NOT_NOW = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError, InterruptedError)
#: A silent connection is asked for by the kernel: routers keep it in mind, and a dead one is found in four minutes.
_KEEPALIVE = (("TCP_KEEPIDLE", 120), ("TCP_KEEPALIVE", 120), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 4))


class Line:
    """A socket that never waits; `fileno` for a selector."""

    __slots__ = ("_out", "_sock", "rest")

    def __init__(self, sock: socket.socket, rest: bytes = b"") -> None:
        self._sock = sock
        self._out = b""
        self.rest = rest  # what was read before the socket was taken over
        sock.setblocking(False)
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE:
                if hasattr(socket, name):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def fileno(self) -> int:
        """The descriptor, -1 once closed."""
        return self._sock.fileno()

    def read(self) -> tuple[list[bytes], bool]:
        """Return what has come, in pieces (b"" is the end), and whether more waits here that no selector sees."""
        pieces: list[bytes] = []
        for _ in range(READS):
            try:
                data = self._sock.recv(READ)
            except _NOT_NOW:
                return pieces, False
            except (OSError, ValueError):  # reset, a broken TLS record, closed under our feet
                data = b""
            pieces.append(data)
            if not data:
                return pieces, False
        return pieces, isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    def send(self, data: bytes) -> bool:
        """Send, or keep what can't be sent yet; True when something is kept. A broken connection shows in reading."""
        self._out += data
        while self._out:
            try:
                self._out = self._out[self._sock.send(self._out) :]
            except _NOT_NOW:
                return True
            except (OSError, ValueError):
                self._out = b""
        return False

    def close(self) -> None:
        """Close without another word."""
        with suppress(OSError, ValueError):
            self._sock.close()


def take_over(connection: ImapConnection) -> Line:
    """Return the connection's socket; the connection is of no more use."""
    wire = connection._wire
    imap = wire._imap
    sock: socket.socket = imap.sock
    file: BufferedReader = imap.file  # type: ignore[assignment]
    sock.setblocking(False)
    try:
        rest = file.peek(1)  # what its buffer holds already
    except (OSError, ValueError):  # nothing, and TLS says so by raising
        rest = b""
    connection._alive = False
    wire.raw_socket = None
    file.close()  # its 256 KB; the socket stays open
    wire.__dict__.clear()  # it and imaplib's object hold each other
    imap.__dict__.clear()
    return Line(sock, rest)
