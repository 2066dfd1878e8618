"""A socket without a network: what imaplib sends goes to a session, what it reads is the session's answer.

`Network` counts commands over all connections of a pass and does to them what a plan says: lets another program act
between two commands, cuts the connection at a byte of an answer, or refuses to connect.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.fakes.imap.account import Account
from tests.fakes.imap.session import Session


@dataclass
class Network:
    """The way to an account. `acts` are (command number, what happens just before it); `cut` is (command number,
    bytes of its answer that still arrive), -1 for a command that never reaches the server."""

    account: Account
    acts: Sequence[tuple[int, Callable[[], None]]] = ()
    cut: tuple[int, int] | None = None
    refuse: int = 0  # connections to refuse
    commands: list[str] = field(default_factory=list[str])
    happened: set[str] = field(default_factory=set[str])

    def open(self) -> MemorySocket:
        if self.refuse:
            self.refuse -= 1
            self.happened.add("refused")
            raise ConnectionRefusedError("refused")
        return MemorySocket(self, Session(self.account))

    def before(self, line: str) -> None:
        """Let the others act, and take down the command."""
        number = len(self.commands)
        self.commands.append(line)
        for at, act in self.acts:
            if at == number:
                self.happened.add("acted")
                act()

    def cut_now(self) -> int | None:
        """Return how many bytes of the present answer arrive, None when all do."""
        if self.cut is not None and len(self.commands) > self.cut[0]:
            kept, self.cut = self.cut[1], None
            self.happened.add("cut")
            return kept
        return None


class MemorySocket(socket.socket):
    """What imaplib needs of a socket. Never has a file descriptor, so that nothing can wait on it."""

    def __init__(self, network: Network, session: Session) -> None:
        # Not socket.socket's: it would open a real one. Methods called past this class fail with EBADF.
        self._network, self._session = network, session
        self._out = bytearray(session.greeting())
        self._over = False

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
        if self._over:
            raise BrokenPipeError("gone")
        network = self._network
        if network.cut == (len(network.commands), -1):
            network.cut = None
            network.happened.add("cut")
            self._over = True
            raise ConnectionResetError("reset")
        network.account.before_command = network.before
        answer = self._session.feed(bytes(data))
        kept = network.cut_now()
        if kept is not None:
            answer, self._over = answer[: max(kept, 0)], True
        self._out += answer
        self._over = self._over or self._session.closed

    def makefile(self, mode: str = "r", buffering: int | None = None, **_: object) -> io.BufferedReader:  # type: ignore[override]
        return io.BufferedReader(_Reader(self), buffering or 8192)

    def take(self, size: int) -> bytes:
        """Return what has arrived. Nothing will come by itself: waiting for it is a time-out."""
        if not self._out:
            if self._over:
                return b""
            raise TimeoutError("timed out")
        data = bytes(self._out[:size])
        del self._out[:size]
        return data

    def settimeout(self, value: float | None) -> None:
        pass

    def shutdown(self, how: int) -> None:
        self._over = True

    def close(self) -> None:
        self._over = True

    def fileno(self) -> int:
        return -1


class _Reader(io.RawIOBase):
    def __init__(self, sock: MemorySocket) -> None:
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._sock.take(len(buffer))
        buffer[: len(data)] = data
        return len(data)
