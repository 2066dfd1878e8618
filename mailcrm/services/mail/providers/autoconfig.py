"""Reads what a domain says of its own mail servers: Thunderbird's configuration file, version 1.1. Pure.

    https://autoconfig.example.org/mail/config-v1.1.xml
    https://example.org/.well-known/autoconfig/mail/config-v1.1.xml

Strangers write these files: documents with a DOCTYPE are refused (entities), servers without TLS are passed over, names
that are no host names too. Fetches nothing (lookups.py) and vets no address (hosts.py does, when a connection is made).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from mailcrm.services.mail.providers.values import Security, ServerSpec

MOST_BYTES = 64 * 1024
MOST_SERVERS = 20  # looked at in one file

#: A name with at least one dot; no IP address.
HOST = re.compile(
    r"(?=.{1,253}\Z)(?!.*\.\d+\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+"
)
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_DOCTYPE = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_SECURITY: dict[str, Security] = {"SSL": "ssl", "STARTTLS": "starttls"}


@dataclass(frozen=True, slots=True)
class Found:
    """The servers that a domain names for one of its addresses; `by_oauth`: only signing in at the provider works."""

    imap: ServerSpec
    smtp: ServerSpec
    name: str = ""
    by_oauth: bool = False


def read(raw: bytes, address: str) -> Found | None:
    """Return the first servers with TLS that the file names, None when it names none or is no such file. Never raises."""
    if len(raw) > MOST_BYTES or _DOCTYPE.search(raw) or b"\0" in raw:  # UTF-16 would hide a DOCTYPE
        return None
    try:
        root = ET.fromstring(raw)  # noqa: S314  (no DOCTYPE, so no entities)
    except (ET.ParseError, ValueError, LookupError):
        return None
    provider = root.find("emailProvider")
    if root.tag != "clientConfig" or provider is None:
        return None
    imap = _first(provider, "incomingServer", "imap", address)
    smtp = _first(provider, "outgoingServer", "smtp", address)
    if imap is None or smtp is None:
        return None
    name = (provider.findtext("displayShortName") or provider.findtext("displayName") or "").strip()
    return Found(imap[0], smtp[0], "".join(c for c in name if c.isprintable())[:60], imap[1])


def _first(provider: ET.Element, tag: str, kind: str, address: str) -> tuple[ServerSpec, bool] | None:
    for server in provider.findall(tag)[:MOST_SERVERS]:
        if (server.get("type") or "").lower() != kind:
            continue
        security = _SECURITY.get((server.findtext("socketType") or "").strip().upper())
        port = (server.findtext("port") or "").strip()
        host = _filled(server.findtext("hostname") or "", address).lower().rstrip(".")
        if security is None or not _PORT.fullmatch(port) or int(port) > 65535 or not HOST.fullmatch(host):
            continue
        username = _filled(server.findtext("username") or "%EMAILADDRESS%", address)
        if not username or len(username) > 320 or not username.isprintable():
            continue
        ways = [(each.text or "").strip().lower() for each in server.findall("authentication")]
        return ServerSpec(host, int(port), security, username), ways == ["oauth2"]
    return None


def _filled(text: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    text = text.strip().replace("%EMAILADDRESS%", address)
    return text.replace("%EMAILLOCALPART%", local).replace("%EMAILDOMAIN%", domain)
