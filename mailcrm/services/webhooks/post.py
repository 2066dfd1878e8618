"""One POST to an address that a user gave: to a vetted address only, no redirects, little time, little read (SSRF).

The name is resolved once and the socket goes to what was vetted (mail/providers/hosts). Without
MAILCRM_ALLOW_PRIVATE_HOSTS only https and public addresses: neither this machine nor its network, so that no user
reaches through us what only we can reach. What was answered is thrown away but for its status. No retries.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from mailcrm import __version__
from mailcrm.errors import MailcrmError, PermanentError, TransientError, UserError
from mailcrm.services.mail.providers import hosts
from mailcrm.services.mail.providers.tls import shared_context

CONNECT_S = 5.0
TOTAL_S = 15.0  # of one delivery, however slowly the other side talks
MOST_URL = 1000  # characters
MOST_ANSWER = 16_384  # bytes read, so that a server may finish; nothing of it is kept


@dataclass(frozen=True)
class Target:
    """A checked URL, in its parts."""

    secure: bool
    host: str
    port: int
    path: str


def target(url: str, *, allow_private: bool) -> Target:
    """Check an address that a user gave. Raises UserError("webhook.url" | "webhook.https" | "webhook.private")."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").encode("idna").decode("ascii") if parts.hostname else ""
    except (ValueError, UnicodeError) as error:
        raise UserError("webhook.url") from error
    plain = url.isascii() and url.isprintable() and not any(char in url for char in ' "<>\\^`{|}')
    if parts.scheme not in ("http", "https") or not host or not plain or len(url) > MOST_URL or port == 0:
        raise UserError("webhook.url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise UserError("webhook.url")
    secure = parts.scheme == "https"
    if not secure and not allow_private:
        raise UserError("webhook.https")
    if _is_address(host) and not _is_public(host, allow_private=allow_private):
        raise UserError("webhook.private")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(secure, host, port or (443 if secure else 80), path)


def post(to: Target, body: bytes, headers: Mapping[str, str], *, allow_private: bool) -> int:
    """Send it and return the status. Raises TransientError or PermanentError when there is none."""
    connection = http.client.HTTPConnection(to.host, to.port, timeout=CONNECT_S)
    clock: threading.Timer | None = None
    try:
        connection.sock = sock = _connect(to, allow_private=allow_private)
        clock = threading.Timer(TOTAL_S, _cut, (sock,))  # a time-out of each read is none of the whole
        clock.daemon = True
        clock.start()
        connection.request("POST", to.path, body, _all_headers(to, body, headers))
        answer = connection.getresponse()
        status = answer.status
        answer.read(MOST_ANSWER)
    except ssl.SSLCertVerificationError as error:
        raise PermanentError("webhook.certificate") from error
    except MailcrmError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise TransientError("webhook.unreachable") from error
    finally:
        if clock is not None:
            clock.cancel()
        connection.close()
    return status


def _connect(to: Target, *, allow_private: bool) -> socket.socket:
    try:
        sock = hosts.open_socket(
            to.host, to.port, allow_private=allow_private, loopback_only=False, timeout=CONNECT_S,
            allow_loopback=allow_private,
        )  # fmt: skip
    except PermanentError as error:  # this machine is no target either: its services trust who reaches them
        raise PermanentError("webhook.private") from error
    try:
        return shared_context().wrap_socket(sock, server_hostname=to.host) if to.secure else sock
    except BaseException:
        sock.close()
        raise


def _all_headers(to: Target, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
    shown = f"[{to.host}]" if ":" in to.host else to.host
    usual = 443 if to.secure else 80
    return {
        "Host": shown if to.port == usual else f"{shown}:{to.port}",
        "User-Agent": f"mailcrm/{__version__}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }


def _cut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it ended by itself


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_public(ip: str, *, allow_private: bool) -> bool:
    """As for mail servers, but this machine is no target either: its services trust who reaches them."""
    return hosts.is_allowed(ip, allow_private=allow_private) and (allow_private or not hosts.is_loopback(ip))
