"""Addresses as a person types them: text to name and addr-spec, strictly, and back (RFC 5321 4.1.2, RFC 5322 3.4).

Pure. Forgiving about how a list is written, strict about what may be sent to: no control character, no space, no
quoting in the address itself. Does not ask whether the address exists. Received headers are read by parse/addresses.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from mailcrm.services.mail.outbox.views import AddressCheck

MAX_TYPED = 100_000  # characters; a pasted list of a thousand addresses has 40,000
MAX_RECIPIENTS = 500  # Gmail's and Microsoft's ceiling for one message
MAX_READ = 2_000  # of one field: more than may be sent to, so that none is left out without a word
MAX_LOCAL = 64  # octets, RFC 5321 4.5.3.1.1
MAX_DOMAIN = 255  # octets, RFC 5321 4.5.3.1.2

_ATOM = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]+)*"
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SPACES = re.compile(r"\s+")
_SEPARATORS = ",;、，；\n"  # the Japanese comma and full-width forms are what an IME gives


def check_addresses(text: str) -> tuple[AddressCheck, ...]:
    """Read a typed list; never raises. What is no address keeps its text in `address` with `ok` False.

    Of a text beyond MAX_TYPED the last piece is never ok: it may be half of an address.
    """
    found = [_check(piece) for piece in _split(text[:MAX_TYPED])]
    if len(text) > MAX_TYPED:
        found[-1] = replace(found[-1], ok=False)
    return tuple(check for check in found if check.address or check.name)[:MAX_READ]


def format_addresses(addresses: list[tuple[str, str]]) -> str:
    """Return (name, address) pairs as a person would type them; `check_addresses` reads it back the same."""
    return ", ".join(f"{_quoted(name)} <{address}>" if name else address for name, address in addresses)


def is_address(address: str) -> bool:
    """True when mail can be sent to `address`: `local@domain`, an atom and a host name, both of legal length."""
    local, at, domain = address.rpartition("@")
    if not at or len(local.encode("utf-8", "replace")) > MAX_LOCAL or clean(address) != address:
        return False
    return bool(_ATOM.fullmatch(local)) and _is_domain(domain)


def clean(text: str) -> str:
    """Return one line of displayable text: controls, separators of lines, lone surrogates and bidi overrides go."""
    kept = "".join(
        " " if char in "\t\r\n\v\f\x85\u2028\u2029" else char
        for char in text
        if char in "\t\r\n\v\f\x85\u2028\u2029"
        or (
            unicodedata.category(char) not in ("Cc", "Cs")
            and char not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
        )
    )
    return _SPACES.sub(" ", kept).strip()


def ascii_domain(domain: str) -> str:
    """Return the domain as it goes over the wire (IDNA), '' when it has no such form."""
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def _is_domain(domain: str) -> bool:
    ascii_form = domain.lower() if domain.isascii() else ascii_domain(domain)
    if not ascii_form or len(ascii_form) > MAX_DOMAIN:
        return False
    labels = ascii_form.split(".")
    # one label is a host of the local network: localhost, an office's own server
    return all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()


def _split(text: str) -> list[str]:
    """Split at separators outside quotes and angle brackets; one pass."""
    pieces: list[str] = []
    current: list[str] = []
    quoted = angle = escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        elif char == '"' and not angle:
            quoted = True
        elif char == "<":
            angle = True
        elif char == ">":
            angle = False
        elif char in _SEPARATORS and (not angle or char == "\n"):
            pieces.append("".join(current))
            current, angle = [], False
            continue
        current.append(char)
    pieces.append("".join(current))
    return pieces


def _check(piece: str) -> AddressCheck:
    has_control = any(unicodedata.category(char) in ("Cc", "Cs") for char in piece.strip().replace("\t", " "))
    text = clean(piece)
    if text.lower().startswith("mailto:"):
        text = text[7:]
    name, address = "", text
    if text.endswith(">") and "<" in text:
        name, _, address = text[:-1].rpartition("<")
    elif " " in text and "@" in text.rsplit(" ", 1)[1]:
        name, _, address = text.rpartition(" ")  # a name and an address without brackets
    address, name = _lower_domain(address.strip()), name.strip()
    looks_like_field = ":" in name and not name.startswith('"')  # "Bcc: a@b.c", or an RFC 5322 group
    return AddressCheck(address, _unquoted(name), is_address(address) and not has_control and not looks_like_field)


def _lower_domain(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return f"{local}@{domain.lower().rstrip('.')}" if at else address


def _unquoted(name: str) -> str:
    if len(name) > 1 and name[0] == name[-1] == '"':
        return re.sub(r"\\(.)", r"\1", name[1:-1]).strip()
    return name


def _quoted(name: str) -> str:
    name = clean(name)
    if re.search(r'[",;:<>@()\[\]\\、，；]', name):
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return name
