"""The name servers that SPF and DKIM are asked of: the system's, or the one of MAILCRM_BCC_RESOLVER.

A name server that does not answer raises `NoAnswer`, which is another thing than a name that does not exist.
Only A, AAAA, MX, PTR and TXT.
"""

from __future__ import annotations

import functools
from typing import Any

import dns.exception
import dns.resolver

from mailcrm.config import config

LOOKUP_S = 5.0  # of one question, with all its tries


class NoAnswer(Exception):
    """No name server answered in time, or it failed."""


def lookup(name: str, kind: str, seconds: float = LOOKUP_S) -> list[Any]:
    """Return the records of a name, as dnspython's values; none where there are none. Raises NoAnswer."""
    try:
        return list(_resolver(config().bcc.resolver).resolve(name, kind, lifetime=min(seconds, LOOKUP_S), search=False))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.YXDOMAIN):
        return []
    except (dns.exception.DNSException, OSError, UnicodeError) as error:
        if isinstance(error, (dns.exception.SyntaxError, UnicodeError)) or "label" in type(error).__name__.lower():
            return []  # a name that can't be: an empty label, a too long one
        raise NoAnswer(str(error)) from error


def text(name: str, seconds: float = LOOKUP_S) -> list[bytes]:
    """Return the TXT records of a name, each with its strings joined."""
    return [b"".join(record.strings) for record in lookup(name, "TXT", seconds)]


@functools.lru_cache(maxsize=4)
def _resolver(server: str) -> dns.resolver.Resolver:
    if not server:
        return dns.resolver.Resolver()
    host, _, port = server.rpartition(":")
    made = dns.resolver.Resolver(configure=False)
    made.nameservers = [host.strip("[]")]
    made.port = int(port)
    return made
