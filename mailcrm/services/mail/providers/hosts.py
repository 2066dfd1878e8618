"""Opens TCP connections to mail servers, only to addresses that were looked at first (SSRF, security.md threat 6).

The name is resolved once, every address is vetted, and the socket goes to the vetted address: a name that answers
differently the second time (DNS rebinding) gains nothing. Loopback is accepted (the demo server and relays on the
same machine live there); other addresses that are not public need `allow_private`.

Does not speak TLS, IMAP or SMTP.
"""

from __future__ import annotations

import ipaddress
import socket
import threading

from mailcrm.errors import PermanentError, TransientError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")  # RFC 8215: what it leads to is the network's own affair

_IP = ipaddress.IPv4Address | ipaddress.IPv6Address


def _unwrapped(address: _IP) -> _IP:
    """Return the IPv4 address that an IPv6 transition address stands for, else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address.sixtofour:
            return address.sixtofour
        if address.teredo:
            return address.teredo[1]
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_loopback(ip: str) -> bool:
    """Tell whether `ip` is this machine itself; a tunnel to some machine's loopback address is not."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_allowed(ip: str, *, allow_private: bool) -> bool:
    """Tell whether a mail server may be at `ip`: public and loopback always, private ones with `allow_private`.

    Link-local (cloud metadata lives there), multicast and unspecified addresses are refused in every case.
    """
    if is_loopback(ip):
        return True
    address = _unwrapped(ipaddress.ip_address(ip.partition("%")[0]))
    if (
        address.is_loopback
        or address.is_multicast
        or address.is_unspecified
        or address.is_link_local
        or address.is_reserved
    ):
        return False
    if isinstance(address, ipaddress.IPv6Address) and (address.is_site_local or address in _NAT64_LOCAL):
        return allow_private  # which Python 3.11 calls global
    return address.is_global or allow_private


def resolve(
    host: str, port: int, *, allow_private: bool, loopback_only: bool, timeout: float, allow_loopback: bool = True
) -> list[str]:
    """Return the vetted IP addresses of `host`, in the resolver's order.

    `allow_loopback` False is for what is no mail server: nobody may make us ask programs of this machine.

    Raises TransientError `server.unknown_host` when nothing answers within `timeout` seconds, PermanentError
    `server.private` or `server.clear_text` when any address is one that mail must not go to.
    """
    answers: list[str] = []
    failure: list[Exception] = []

    def ask() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.extend(dict.fromkeys(str(info[4][0]) for info in infos))
        except (OSError, UnicodeError, ValueError) as exc:  # ValueError: NUL in the name
            failure.append(exc)

    # getaddrinfo knows no time-out; the thread is left behind when the resolver hangs.
    asking = threading.Thread(target=ask, daemon=True, name="resolve")
    asking.start()
    asking.join(timeout)
    if asking.is_alive() or failure or not answers:
        raise TransientError("server.unknown_host", host=host) from (failure[0] if failure else None)
    if not all(is_allowed(ip, allow_private=allow_private) for ip in answers):
        raise PermanentError("server.private", host=host)
    if not allow_loopback and any(is_loopback(ip) for ip in answers):
        raise PermanentError("server.private", host=host)
    if loopback_only and not all(is_loopback(ip) for ip in answers):
        raise PermanentError("server.clear_text", host=host)
    return answers


def open_socket(
    host: str, port: int, *, allow_private: bool, loopback_only: bool, timeout: float, allow_loopback: bool = True
) -> socket.socket:
    """Open a TCP connection to the first vetted address of `host` that answers.

    Raises as `resolve` does, and OSError of the last address tried when none answers.
    """
    last: OSError | None = None
    found = resolve(
        host, port, allow_private=allow_private, loopback_only=loopback_only, timeout=timeout,
        allow_loopback=allow_loopback,
    )  # fmt: skip
    for ip in found:
        try:
            return socket.create_connection((ip, port), timeout=timeout)
        except OSError as exc:
            last = exc
    raise last or OSError("no address")
