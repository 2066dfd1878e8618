"""Asks the network about a mail domain: MX and SRV records, and its autoconfig file. Answers, or nothing; never raises.

Everything goes out over TLS to vetted public addresses (hosts.py): no redirect is followed, nothing private or on this
machine is asked, an answer has a size and a time. The whole address is never sent, only its domain: people mistype.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import dns.exception
import dns.resolver

from mailcrm.errors import MailcrmError
from mailcrm.services.mail.providers import autoconfig, hosts
from mailcrm.services.mail.providers.deadline import ended_at
from mailcrm.services.mail.providers.tls import shared_context

PATIENCE_S = 4.0  # a person waits in front of the form
HTTPS = 443
_WHERE = (
    ("autoconfig.{domain}", "/mail/config-v1.1.xml"),
    ("{domain}", "/.well-known/autoconfig/mail/config-v1.1.xml"),
)


def _open(host: str, port: int, timeout: float) -> socket.socket:
    return hosts.open_socket(
        host, port, allow_private=False, loopback_only=False, timeout=timeout, allow_loopback=False
    )  # fmt: skip


@dataclass(frozen=True)
class Network:
    """The way out. Tests bring their own resolver, sockets and issuer; `open` must vet the address it goes to."""

    resolver: Callable[[], dns.resolver.Resolver] = dns.resolver.Resolver
    open: Callable[[str, int, float], socket.socket] = _open
    context: Callable[[], ssl.SSLContext] = field(default=shared_context)
    patience_s: float = PATIENCE_S

    def mx(self, domain: str) -> list[str]:
        """Return the names of the servers that receive a domain's mail, the preferred one first."""
        found = [(rr.preference, _name(rr.exchange)) for rr in self._ask(domain, "MX")]
        return [name for _, name in sorted(found) if name]

    def srv(self, service: str, domain: str) -> tuple[str, int] | None:
        """Return the server of a service (RFC 6186: "_imaps._tcp"), None when there is none or it is "not available"."""
        found = [(rr.priority, -rr.weight, _name(rr.target), rr.port) for rr in self._ask(f"{service}.{domain}", "SRV")]
        for _, _, name, port in sorted(found):
            if autoconfig.HOST.fullmatch(name) and 0 < port < 65536:
                return name, port
        return None

    def exists(self, name: str) -> bool:
        """Whether a name has an address."""
        return bool(self._ask(name, "A") or self._ask(name, "AAAA"))

    def autoconfig(self, address: str) -> autoconfig.Found | None:
        """Return what the domain's own file says of the address's servers."""
        domain = address.rpartition("@")[2]
        ends = time.monotonic() + self.patience_s
        for host, path in _WHERE:
            raw = self._get(host.format(domain=domain), path, ends)
            found = autoconfig.read(raw, address) if raw else None
            if found is not None:
                return found
        return None

    def _ask(self, name: str, kind: str) -> list[Any]:
        try:
            return list(self.resolver().resolve(name, kind, lifetime=self.patience_s, search=False))
        except (dns.exception.DNSException, OSError, ValueError):
            return []

    def _get(self, host: str, path: str, ends: float) -> bytes | None:
        """Fetch a document over https; None for anything but a plain 200 within size and time."""
        try:
            left = ends - time.monotonic()
            if left <= 0:
                return None
            with (
                self.open(host, HTTPS, left) as plain,
                self.context().wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False) as sock,
                ended_at(sock, ends),
            ):
                sock.settimeout(max(ends - time.monotonic(), 0.1))
                sock.do_handshake()
                asked = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/xml\r\nConnection: close\r\n\r\n"
                sock.sendall(asked.encode("ascii"))
                answer = http.client.HTTPResponse(sock, method="GET")
                answer.begin()
                if answer.status != 200:
                    return None
                return self._read(answer, sock, ends)
        except (OSError, http.client.HTTPException, MailcrmError, ValueError):
            return None

    def _read(self, answer: http.client.HTTPResponse, sock: socket.socket, ends: float) -> bytes | None:
        raw = b""
        while len(raw) <= autoconfig.MOST_BYTES:
            left = ends - time.monotonic()
            if left <= 0:  # a server that drips
                return None
            sock.settimeout(left)
            piece = answer.read1(8192)
            if not piece:
                return raw
            raw += piece
        return None


def _name(name: object) -> str:
    return str(name).rstrip(".").lower()
