"""Reads what a person types to block: an address, a domain, a domain with its subdomains (M19). Pure.

Domains are compared as A-labels (RFC 5890) in lower case, and beside them as Unicode, because mail is stored with the
spelling that its sender's program chose. Does not ask whether anybody has the address.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from mailcrm.errors import UserError
from mailcrm.services.mail.parse.addresses import normal_address

SCOPES = ("address", "domain", "subdomains")
MOST = 320  # octets of an addr-spec (RFC 5321 4.5.3.1)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_DOTS = re.compile("[\u3002\uff0e\uff61]")  # RFC 3490 3.1: what East Asian keyboards give for a full stop
_UNUSABLE = re.compile(r"[\s\x00-\x1f\x7f\ud800-\udfff%*]")


@dataclass(frozen=True, slots=True)
class Pattern:
    """What to compare addresses with; `spelling` is the same with its domain in Unicode."""

    scope: str
    pattern: str
    spelling: str

    @property
    def shown(self) -> str:
        """As people write it: "name@domain" or "@domain"."""
        return self.spelling if self.scope == "address" else f"@{self.spelling}"


def read_pattern(scope: str, text: str) -> Pattern:
    """Return the pattern; `text` may have a leading "@" or "*@" for domains, "*." for subdomains.

    Raises UserError("block.address" | "block.domain" | "block.wide").
    """
    if scope not in SCOPES:
        raise UserError("input.invalid", value=str(scope)[:40], field="Scope")
    given = text.strip().lower()
    return _address(given) if scope == "address" else _domain(scope, given)


def ascii_form(domain: str) -> str:
    """Return the domain as A-labels, "" when it can't be one. Maps nothing away: ß stays a letter of its own."""
    labels = unicodedata.normalize("NFC", _DOTS.sub(".", domain.lower())).removesuffix(".").split(".")
    made = [_ascii_label(label) for label in labels]
    found = ".".join(made)
    return found if all(made) and len(found) <= 253 else ""


def unicode_form(domain: str) -> str:
    """Return A-labels as Unicode; labels that can't be read stay as they are."""
    return ".".join(_unicode_label(label) for label in domain.split("."))


def _address(given: str) -> Pattern:
    local, _, domain = given.rpartition("@")
    plain = domain if domain.startswith("[") else ascii_form(domain)
    address = f"{local}@{plain}"
    # What normal_address would change is not what mail is stored with.
    if not local or not plain or _UNUSABLE.search(domain) or normal_address(address) != address:
        raise UserError("block.address", value=_tidy(given))
    if len(address.encode()) > MOST:
        raise UserError("block.address", value=_tidy(given))
    return Pattern("address", address, f"{local}@{_spelled(domain, plain)}")


def _domain(scope: str, given: str) -> Pattern:
    bare = given.removeprefix("*").removeprefix("." if scope == "subdomains" else "").removeprefix("@")
    plain = "" if _UNUSABLE.search(bare) else ascii_form(bare)
    if not plain or plain.rpartition(".")[2].isdigit():
        raise UserError("block.domain", value=_tidy(given))
    if scope == "subdomains" and "." not in plain:
        raise UserError("block.wide", value=_tidy(given))
    return Pattern(scope, plain, _spelled(bare, plain))


def _spelled(typed: str, plain: str) -> str:
    """The spelling with letters beyond ASCII: as typed, which is how it was stored when it came from a message."""
    return unicode_form(plain) if typed.isascii() else _DOTS.sub(".", typed).removesuffix(".")


def _ascii_label(label: str) -> str:
    if not label.isascii():
        if not all(unicodedata.category(char)[0] in "LMN" or char in "-·\u200c\u200d" for char in label):
            return ""
        label = "xn--" + label.encode("punycode").decode("ascii")
    return label if _LABEL.fullmatch(label) else ""


def _unicode_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        found = label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, OverflowError):
        return label
    return found if _ascii_label(found) == label else label


def _tidy(text: str) -> str:
    return "".join(char for char in text[:60] if char.isprintable())
