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
    """The way to an account. `acts` are (command, what happens just before it); `cut` is (command, bytes of its answer
    that still arrive), -1 for a command that never reaches the server. A command is its number, or a word in it: the
    first one that has it."""

    account: Account
    acts: Sequence[tuple[int | str, Callable[[], None]]] = ()
    cut: tuple[int | str, int] | None = None
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
        due = [item for item in self.acts if _is_it(item[0], number, line)]
        self.acts = [item for item in self.acts if item not in due]
        for _, act in due:
            self.happened.add("acted")
            act()
        if self.cut is not None and _is_it(self.cut[0], number, line):
            self._kept, self.cut = self.cut[1], None

    def cut_now(self) -> int | None:
        """Return how many bytes of the present answer arrive, None when all do."""
        kept, self._kept = self._kept, None
        if kept is not None:
            self.happened.add("cut")
        return kept

    _kept: int | None = None


def _is_it(which: int | str, number: int, line: str) -> bool:
    return which == number or (isinstance(which, str) and which in line)


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
