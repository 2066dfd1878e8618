"""A TCP proxy that understands just enough IMAP to break one answer in a chosen way, at a chosen command.

    client ──command n──▶ proxy ──▶ server
    client ◀──broken──── proxy ◀── whole answer

Commands are numbered over all connections from 0, which is the greeting. The proxy reads the server's whole answer
(literals too) before it does anything, so a fault can be put in the middle of any answer. Not for IDLE, whose answer
has no end until the client says so; not for TLS.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from typing import Literal, Self, get_args

Kind = Literal[
    "unsent",  # the connection breaks before the command reaches the server
    "reset",  # RST in the middle of the answer
    "close",  # FIN in the middle of the answer
    "half_close",  # FIN in the middle of the answer, while the proxy still listens to the client
    "stall",  # half of the answer, then nothing more, and the connection stays open
    "silent",  # no answer at all
    "drip",  # the whole answer, a few bytes at a time
    "garble",  # the whole answer with one byte changed
    "bye",  # BYE in place of the answer
    "late_bye",  # the answer without its last line, then BYE
    "truncate",  # the first literal is cut short, the connection closed
    "drop_first",  # the answer without its first line
    "drop_last",  # the answer without its last untagged line
    "twice",  # every untagged line twice
    "refuse",  # NO in place of the answer
    "bad",  # BAD in place of the answer
    "noise",  # untagged lines that nobody asked for, before the answer
]
KINDS: tuple[Kind, ...] = get_args(Kind)

_LITERAL = re.compile(rb"\{(\d+)\+?\}\r\n$")
_NOISE = b"* OK [ALERT] The building closes at eight.\r\n* 3 RECENT\r\n* FLAGS (\\Seen $Odd)\r\n* X-UNKNOWN (a {3}\r\nabc b)\r\n"


@dataclass(frozen=True, slots=True)
class Fault:
    """What to do to the answer of command `at`; `where` is a share of the answer, 0 its beginning and 1 its end."""

    kind: Kind
    at: int
    where: float = 0.5


@dataclass
class FaultProxy:
    """Passes everything on to `target`, but for one fault. A context manager."""

    target: tuple[str, int]
    fault: Fault | None = None
    commands: list[str] = field(default_factory=list[str])
    #: Whether the fault's command came.
    struck: bool = False

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=32)
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        with self._lock:
            left = list(self._open)
        for sock in left:
            _shut(sock)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.target, timeout=30)
        except OSError:
            client.close()
            return
        with self._lock:
            self._open |= {client, server}
        try:
            self._talk(client, server)
        except (OSError, EOFError):
            pass
        finally:
            with self._lock:
                self._open -= {client, server}
            for sock in (client, server):
                _shut(sock)
                sock.close()

    def _talk(self, client: socket.socket, server: socket.socket) -> None:
        asked, answered = client.makefile("rb"), server.makefile("rb")
        fault = self._next("(greeting)")
        self._answer(client, fault, b"*", answered.readline())
        while True:
            line = _command(asked)
            tag, _, text = line.partition(b" ")
            fault = self._next(text.decode("latin-1").strip())
            if fault is not None and fault.kind == "unsent":
                _reset(client)
                return
            server.sendall(line)
            answer = b""
            while True:
                piece = _line(answered)
                if piece.startswith(b"+"):
                    client.sendall(answer + piece)
                    answer = b""
                    rest = asked.read(int(found[1])) if (found := _LITERAL.search(line)) else b""
                    line = rest + _command(asked)
                    server.sendall(line)
                    continue
                answer += piece
                if piece.startswith(tag + b" "):
                    break
            self._answer(client, fault, tag, answer)

    def _next(self, text: str) -> Fault | None:
        with self._lock:
            number = len(self.commands)
            self.commands.append(text)
            struck = self.fault is not None and self.fault.at == number
            self.struck = self.struck or struck
            return self.fault if struck else None

    def _answer(self, client: socket.socket, fault: Fault | None, tag: bytes, answer: bytes) -> None:
        """Send the answer, whole or broken; raises EOFError when the connection is at its end."""
        if fault is None:
            client.sendall(answer)
            return
        half = answer[: int(len(answer) * fault.where)]
        lines = _lines(answer)
        match fault.kind:
            case "unsent" | "reset":
                client.sendall(half)
                _reset(client)
                raise EOFError
            case "close":
                client.sendall(half)
                raise EOFError
            case "half_close":
                client.sendall(half)
                client.shutdown(socket.SHUT_WR)
                _wait_for_end(client)
            case "stall":
                client.sendall(half)
                _wait_for_end(client)
            case "silent":
                _wait_for_end(client)
            case "drip":
                for start in range(0, len(answer), 24):
                    client.sendall(answer[start : start + 24])
                    time.sleep(0.001)
            case "garble":
                changed = bytearray(answer)
                changed[min(int(len(answer) * fault.where), len(answer) - 1)] ^= 1
                client.sendall(bytes(changed))
            case "bye":
                client.sendall(b"* BYE The server goes down.\r\n")
                raise EOFError
            case "late_bye":
                client.sendall(b"".join(lines[:-1]) + b"* BYE The server goes down.\r\n")
                raise EOFError
            case "truncate":
                literal = re.search(rb"\{(\d+)\}\r\n", answer)
                client.sendall(answer[: literal.end() + int(literal[1]) // 2] if literal else half)
                raise EOFError
            case "drop_first":
                client.sendall(b"".join(lines[1:]))
            case "drop_last":
                client.sendall(b"".join([*lines[:-2], lines[-1]]))
            case "twice":
                client.sendall(b"".join(line * 2 for line in lines[:-1]) + lines[-1])
            case "refuse":
                client.sendall(tag + b" NO Not now.\r\n")
            case "bad":
                client.sendall(tag + b" BAD What?\r\n")
            case "noise":
                client.sendall(_NOISE + answer)


def _line(stream: object) -> bytes:
    """Read one line of an answer with the literals in it."""
    out = b""
    while True:
        line: bytes = stream.readline()  # type: ignore[attr-defined]
        if not line:
            raise EOFError
        out += line
        found = _LITERAL.search(line)
        if found is None:
            return out
        out += stream.read(int(found[1]))  # type: ignore[attr-defined]


def _command(stream: object) -> bytes:
    line: bytes = stream.readline()  # type: ignore[attr-defined]
    if not line.endswith(b"\n"):
        raise EOFError
    return line


def _lines(answer: bytes) -> list[bytes]:
    """Cut an answer into lines, each with its literals."""
    out: list[bytes] = []
    rest = answer
    while rest:
        end = 0
        while True:
            end = rest.index(b"\n", end) + 1
            found = _LITERAL.search(rest[:end])
            if found is None:
                break
            end += int(found[1])
        out.append(rest[:end])
        rest = rest[end:]
    return out


def _reset(sock: socket.socket) -> None:
    """Close with RST: what was sent and not read is lost on the way."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def _wait_for_end(client: socket.socket) -> None:
    while client.recv(65536):
        pass
    raise EOFError
