"""Fetches one image from the network for somebody who reads mail: as nobody in particular, and only an image.

The way out is the guard of all outgoing connections (providers/hosts.py): the name is resolved once, each address is
vetted and the socket goes to it, for every hop anew; nothing private and nothing on this machine, whatever the settings
say. No cookie, no referrer, nothing of the reader's browser. What comes must be a PNG, JPEG, GIF or WebP by its bytes;
SVG is a program. Whatever goes wrong is one error: who asks learns nothing of what is there.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urljoin, urlsplit

from mailcrm.errors import MailcrmError, TransientError
from mailcrm.services.mail.parse.links import web_url
from mailcrm.services.mail.providers import hosts
from mailcrm.services.mail.providers.deadline import ended_at
from mailcrm.services.mail.providers.tls import shared_context
from mailcrm.services.writing.images import MAX_PIXELS, MAX_SIDE, kind_of

MOST_BYTES = 10 * 1024 * 1024
TOTAL_S = 10.0  # of all hops together
CONNECT_S = 5.0
MOST_HOPS = 5  # connections: four redirects
MOST_AT_ONCE = 8  # of this process: a message with hundreds of images is no reason to flood its sender
PORTS = (80, 443)
AGENT = "Mozilla/5.0 (compatible; mailcrm image proxy)"  # the same for everybody
_REDIRECTS = (301, 302, 303, 307, 308)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}]")
_SLOTS = threading.BoundedSemaphore(MOST_AT_ONCE)


class NotFetched(TransientError):
    """There is no such image, for whatever reason: every reason looks the same from outside."""

    def __init__(self) -> None:
        super().__init__("images.not_fetched")


@dataclass(frozen=True, slots=True)
class Fetched:
    """An image as it came, and what it is by its bytes."""

    content_type: str
    content: bytes


def _open(host: str, port: int, timeout: float) -> socket.socket:
    return hosts.open_socket(
        host, port, allow_private=False, loopback_only=False, timeout=timeout, allow_loopback=False
    )


@dataclass(frozen=True)
class Way:
    """The way out. Tests bring their own sockets, ports and issuer; `open` must vet the address it goes to."""

    open: Callable[[str, int, float], socket.socket] = _open
    context: Callable[[], ssl.SSLContext] = field(default=shared_context)
    ports: tuple[int, ...] = PORTS
    total_s: float = TOTAL_S
    most_bytes: int = MOST_BYTES

    def fetch(self, url: str) -> Fetched:
        """Return the image at an http or https URL. Raises NotFetched."""
        ends = time.monotonic() + self.total_s
        with _slot(ends):
            for _ in range(MOST_HOPS):
                try:
                    found = self._hop(url, ends)
                except (OSError, http.client.HTTPException, MailcrmError, ValueError) as error:
                    raise NotFetched from error
                if isinstance(found, Fetched):
                    return found
                url = found
        raise NotFetched

    def _hop(self, url: str, ends: float) -> Fetched | str:
        """Ask one server: an image, or where it says the image is."""
        target = web_url(url)
        parts = urlsplit(target or "")
        secure, host = parts.scheme.lower() == "https", parts.hostname or ""
        port = parts.port or (443 if secure else 80)
        if target is None or parts.username is not None or parts.password is not None or port not in self.ports:
            raise NotFetched
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        path = quote(path, safe="/?:@!$&'()*+,;=%~-._[]#")
        if _UNSAFE.search(path) or _UNSAFE.search(host):
            raise NotFetched
        left = ends - time.monotonic()
        if left <= 0:
            raise NotFetched
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(self.open(host, port, min(CONNECT_S, left)))
            stack.enter_context(ended_at(sock, ends))
            if secure:
                sock = stack.enter_context(self._secured(sock, host))
                stack.enter_context(ended_at(sock, ends))  # the plain one gave its connection away
            sock.settimeout(max(ends - time.monotonic(), 0.1))
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            sock.sendall(_request(host, port, path, secure=secure))
            answer = http.client.HTTPResponse(sock, method="GET")
            answer.begin()
            if answer.status in _REDIRECTS:
                return urljoin(target, answer.headers.get("location") or "data:")
            if answer.status != 200 or answer.headers.get("content-encoding", "identity").lower() != "identity":
                raise NotFetched  # what is packed is not unpacked: it could be a bomb
            return _judged(self._read(answer, sock, ends))

    def _secured(self, sock: socket.socket, host: str) -> ssl.SSLSocket:
        return self.context().wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)

    def _read(self, answer: http.client.HTTPResponse, sock: socket.socket, ends: float) -> bytes:
        declared = answer.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self.most_bytes:
            raise NotFetched
        raw = bytearray()
        while True:
            left = ends - time.monotonic()
            if left <= 0:
                raise NotFetched
            sock.settimeout(left)
            piece = answer.read1(65536)
            if not piece:
                if answer.length:
                    raise NotFetched  # cut off in the middle
                return bytes(raw)
            raw += piece
            if len(raw) > self.most_bytes or (len(raw) >= 16 and not _begins_as_image(raw)):
                raise NotFetched


def _begins_as_image(raw: bytearray) -> bool:
    return raw.startswith((b"\x89PNG", b"GIF8", b"RIFF", b"\xff\xd8\xff"))


def _judged(raw: bytes) -> Fetched:
    """Take it for what its bytes are, whatever the server says. Raises NotFetched for what is no image to show."""
    kind = kind_of(raw)
    if kind is None or kind.width * kind.height > MAX_PIXELS or max(kind.width, kind.height) > MAX_SIDE:
        raise NotFetched
    return Fetched(kind.content_type, raw)


def _request(host: str, port: int, path: str, *, secure: bool) -> bytes:
    shown = f"[{host}]" if ":" in host else host
    named = shown if port == (443 if secure else 80) else f"{shown}:{port}"
    return (
        f"GET {path} HTTP/1.1\r\nHost: {named}\r\nUser-Agent: {AGENT}\r\n"
        "Accept: image/png,image/jpeg,image/gif,image/webp\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


@contextlib.contextmanager
def _slot(ends: float):
    """Hold one of the few fetches that run at once. Raises NotFetched when none is free in time."""
    if not _SLOTS.acquire(timeout=max(ends - time.monotonic(), 0)):
        raise NotFetched
    try:
        yield
    finally:
        _SLOTS.release()


WAY = Way()
