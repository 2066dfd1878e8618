"""How a Smart Bcc address is spelled, and which of a message's recipients is one. Pure.

    k3jx…@bcc.example.com          the listener's domain, or the domain that leads to the drop mailbox
    crm+k3jx…@gmail.example        a plus-address of the drop mailbox

The part that names the target has 100 random bits and no other meaning.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

LOCAL_BYTES = 13  # 104 bits; security.md 19 asks for 80
LENGTH = 20  # characters of base32 that are kept: 100 bits

_LOCAL = re.compile(rf"[a-z2-7]{{{LENGTH}}}")
_IN_TEXT = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,128}@[^\s@<>,;:\"()\[\]\\]{1,253}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where Smart Bcc addresses are: `before` stands in front of their unguessable part ("crm+", or "")."""

    domain: str
    before: str = ""

    def address(self, local_part: str) -> str:
        """Return the address."""
        return f"{self.before}{local_part}@{self.domain}"

    def local_part(self, address: str) -> str | None:
        """Return the unguessable part of an address that is at this place, None for any other address."""
        local, at, domain = address.strip().lower().rpartition("@")
        if not at or domain.rstrip(".") != self.domain or not local.startswith(self.before):
            return None
        return local[len(self.before) :]


def drop_place(address: str, *, catch_all: bool) -> Place:
    """Return the place of a drop mailbox."""
    local, _, domain = address.lower().rpartition("@")
    return Place(domain, "" if catch_all else f"{local}+")


def new_local_part() -> str:
    """Make an unguessable local part of lower-case letters and digits: no mail program changes it."""
    return base64.b32encode(secrets.token_bytes(LOCAL_BYTES)).decode().lower()[:LENGTH]


def is_local_part(text: str) -> bool:
    """Whether this looks like one of ours."""
    return _LOCAL.fullmatch(text) is not None


def named(texts: Iterable[str], places: Iterable[Place]) -> tuple[str, ...]:
    """Return the unguessable parts that are named in header values, in order, each once."""
    known = tuple(places)
    found: dict[str, None] = {}
    for text in texts:
        for address in _IN_TEXT.findall(text[:100_000]):
            for place in known:
                local = place.local_part(address)
                if local is not None and is_local_part(local):
                    found[local] = None
    return tuple(found)
