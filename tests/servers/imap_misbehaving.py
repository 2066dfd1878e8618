"""A small IMAP server that does as a script says: hang, BYE, garbage, bombs, injected answers.

Only for the cases that a good server can't be made to show. A script is a function that gets a `Peer` after the
connection was made; when it returns, the connection is closed.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

CAPABILITY = "IMAP4rev1 SASL-IR LITERAL+ UIDPLUS"


class Peer:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, received: list[str]) -> None:
        self.sock = sock
        self.received = received
        self._rest = b""

    def send(self, text: str | bytes) -> None:
        """Send a line (text gets CRLF) or raw bytes."""
        self.sock.sendall(text if isinstance(text, bytes) else text.encode() + b"\r\n")

    def line(self) -> tuple[str, str]:
        """Read a command; return its tag and the rest. Raises EOFError when the client is gone."""
        while b"\r\n" not in self._rest:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\r\n")
        text = line.decode("latin-1")
        self.received.append(text)
        tag, _, rest = text.partition(" ")
        return tag, rest

    def tls(self, context: ssl.SSLContext) -> None:
        """Do the server's half of the handshake."""
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self._rest = b""

    def serve(self, answers: dict[str, str | bytes | Callable[[Peer, str, str], None]]) -> None:
        """Answer commands until the client leaves: the first key (a pattern) that matches decides.

        In text answers `{tag}` stands for the tag. CAPABILITY, LOGIN, LOGOUT and NOOP have sensible defaults.
        """
        defaults: dict[str, str | bytes | Callable[[Peer, str, str], None]] = {
            "CAPABILITY": f"* CAPABILITY {CAPABILITY}\r\n{{tag}} OK done\r\n",
            "LOGIN": "{tag} OK in\r\n",
            "LOGOUT": "* BYE\r\n{tag} OK out\r\n",
            "NOOP": "{tag} OK done\r\n",
            "EXAMINE": "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 4] ok\r\n{tag} OK [READ-ONLY] done\r\n",
        }
        while True:
            tag, rest = self.line()
            for pattern, answer in {**answers, **{k: v for k, v in defaults.items() if k not in answers}}.items():
                if re.match(pattern, rest, re.IGNORECASE):
                    if callable(answer):
                        answer(self, tag, rest)
                    else:
                        data = answer if isinstance(answer, bytes) else answer.encode("latin-1")
                        self.sock.sendall(data.replace(b"{tag}", tag.encode()))
                    break
            else:
                self.send(f"{tag} BAD what")


class MisbehavingImap:
    """Listens on a loopback port and plays `script` to every connection."""

    def __init__(self, script: Callable[[Peer], None], *, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.received: list[str] = []
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for sock in self._sockets:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(sock)
            threading.Thread(target=self._play, args=(sock,), daemon=True).start()

    def _play(self, sock: socket.socket) -> None:
        peer = Peer(sock, self.received)
        try:
            if self._tls:
                peer.tls(self._tls)
            self._script(peer)
        except (OSError, EOFError):
            pass
        finally:
            try:
                peer.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            peer.sock.close()
