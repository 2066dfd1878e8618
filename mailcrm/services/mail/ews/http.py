"""HTTP to an Exchange server, under exchangelib: vetted addresses, verified TLS, bounded answers, no redirects.

Every connection resolves and vets the server's name anew (providers/hosts.py), so that a name that answers differently
later gains nothing. Proxies and credentials of the environment are not used. Knows no SOAP.
"""

# requests and urllib3 type their adapters loosely; what leaves this module is annotated.
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportPrivateUsage=false, reportAssignmentType=false

from __future__ import annotations

import contextlib
import socket
import ssl
import time
import weakref
from collections.abc import Generator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import iter_slices
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from mailcrm.services.mail.imap import watchdog
from mailcrm.services.mail.providers import hosts
from mailcrm.services.mail.providers.tls import shared_context

MOST_ANSWER = 20_000_000  # bytes: five hundred items with all that is asked of each are one
MOST_MAIL = 150_000_000  # of an answer with whole messages: one of 100 MB in base64, and its envelope
PIECE = 256 * 1024
BUSY_MOST_S = 600.0  # of one request, however diligently the server drips


class AnswerTooLarge(OSError):
    """The server sends more than anything that was asked for can be."""


class NotSoap(OSError):
    """The answer has a document type, or is not in UTF-8: SOAP has neither, and bombs are made of them."""


class Way:
    """The way to one server: opens its sockets, remembers them, and can close them all."""

    def __init__(self, host: str, port: int, *, plain: bool, allow_private: bool, timeout: float) -> None:
        self.host, self.port, self.plain, self.allow_private = host, port, plain, allow_private
        self.timeout = timeout
        self.busy_since: float | None = None
        self.busy_most = BUSY_MOST_S
        self.most = MOST_ANSWER
        self.certificate: bytes | None = None  # of the connection that was opened last, DER
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        watchdog.watch(self)

    def open(self) -> socket.socket:
        """Open a socket to a vetted address. Raises as `hosts.open_socket` does."""
        sock = hosts.open_socket(
            self.host, self.port, allow_private=self.allow_private, loopback_only=self.plain, timeout=self.timeout
        )
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def note(self, sock: Any) -> None:
        """Remember a socket that is in use."""
        if sock is not None:
            self._sockets.add(sock)
            self.certificate = sock.getpeercert(True) if isinstance(sock, ssl.SSLSocket) else None

    @contextlib.contextmanager
    def large(self) -> Generator[None]:
        """Let the answers of the block be as large as whole messages are."""
        self.most = MOST_MAIL
        try:
            yield
        finally:
            self.most = MOST_ANSWER

    def hang_up(self) -> None:
        """Close what is open; who reads from it gets an error at once."""
        for sock in list(self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def session(self) -> requests.Session:
        """Return a session whose requests go this way, and nowhere else."""
        made = requests.Session()
        made.trust_env = False  # no proxy, and no ~/.netrc, decides where a password goes
        made.max_redirects = 0
        made.adapters.clear()
        prefix = "http" if self.plain else "https"
        made.mount(f"{prefix}://{self.host}:{self.port}/", _Adapter(self))
        return made


class _Adapter(HTTPAdapter):
    """One connection at a time over a `Way`."""

    def __init__(self, way: Way) -> None:
        self._way = way
        super().__init__(pool_connections=1, pool_maxsize=1, pool_block=True, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
        super().init_poolmanager(*args, ssl_context=shared_context(), **kwargs)
        way = self._way

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return way.open()

            def connect(self) -> None:
                super().connect()
                way.note(self.sock)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return way.open()

            def connect(self) -> None:
                super().connect()
                way.note(self.sock)  # TLS made another socket of it

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave the trust to our context: requests would add its own bundle to it."""

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["stream"] = True
        kwargs["timeout"] = self._way.timeout
        self._way.busy_since = time.monotonic()
        try:
            answer = super().send(request, *args, **kwargs)
            content = bytearray()
            for piece in answer.iter_content(PIECE):
                content += piece
                if len(content) > self._way.most:
                    answer.close()
                    raise AnswerTooLarge
            if b"<!DOCTYPE" in content[:PIECE] or b"\0" in content[:4]:
                raise NotSoap
        finally:
            self._way.busy_since = None
        answer._content = whole = bytes(content)
        answer._content_consumed = True
        answer.certificate = self._way.certificate  # pyright: ignore[reportAttributeAccessIssue] the response forgot its socket: NTLM is bound to what it showed
        # exchangelib reads byte by byte otherwise: ten seconds for ten megabytes.
        answer.iter_content = lambda *_, **__: iter_slices(whole, 32_768)  # type: ignore[method-assign]
        return answer
