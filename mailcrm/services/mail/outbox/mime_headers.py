"""Header fields of outgoing mail, encoded by hand: nothing a person typed, or a stranger sent, can add a line.

Pure. Every value is made one clean line first, then encoded (RFC 2047 for text, RFC 2231 for parameters) and folded;
a text that looks like an encoded word is encoded itself, because Python 3.11.7 writes what it decodes to as raw lines
(CVE-2024-6923, security.md F11). The standard library's generator is not used for headers at all.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote as percent

from mailcrm.services.mail.outbox.addresses import ascii_domain, clean, is_address

FOLD = 76  # characters of a line, RFC 2047 2 and RFC 5322 2.1.1
WORD_OCTETS = 45  # of text in one encoded word: 60 base64 characters and the frame make 72
MAX_NAME = 200  # characters of a display name
#: In every letter of the workspace itself: one that comes back to a Smart Bcc address is known by it (smart_bcc/loops.py).
MARK = "X-Mailcrm"
MAX_ID = 500  # characters of a Message-ID that is repeated; longer ones are attacks

_PLAIN = re.compile(r"[\x20-\x7e]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_ID = re.compile(r"[!-;=?-~]+@[!-;=?-~]+")


class Unencodable(ValueError):
    """A header value that has no safe form."""


def text(value: str, *, used: int) -> str:
    """Encode unstructured text (Subject), folded; `used` characters of the first line are taken."""
    value = clean(value)
    words = value.split(" ")
    if _PLAIN.fullmatch(value) and "=?" not in value and all(len(word) < FOLD - 20 for word in words):
        return _fold(words, used)
    return "\r\n ".join(encoded_words(value, used=used))


def phrase(name: str) -> str:
    """Encode a display name: atoms, a quoted string, or encoded words."""
    name = clean(name)[:MAX_NAME].strip()
    if _PLAIN.fullmatch(name) and "=?" not in name and len(name) < FOLD - 16:
        if _ATOMS.fullmatch(name):
            return name
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "\r\n ".join(encoded_words(name, used=len("From: ")))


def addresses(people: Iterable[tuple[str, str]]) -> str:
    """Encode an address list, one to a line. Raises Unencodable for what is no address."""
    return ",\r\n ".join(_address(name, address) for name, address in people)


def wire_address(address: str) -> str:
    """Return an address as headers carry it: the domain in its ASCII form. Raises Unencodable."""
    if not is_address(address):
        raise Unencodable(f"not an address: {address!r}")
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain if domain.isascii() else ascii_domain(domain)}"


def message_ids(ids: Iterable[str]) -> str:
    """Encode Message-IDs, one to a line; what is no Message-ID (a stranger's junk) is left out."""
    return "\r\n ".join(f"<{each}>" for each in ids if is_message_id(each))


def is_message_id(value: str) -> bool:
    """True for `left@right` of printable ASCII without spaces and angle brackets, of sensible length."""
    return len(value) <= MAX_ID and bool(_ID.fullmatch(value))


def date(at: datetime) -> str:
    """Encode a moment (RFC 5322 3.3), in UTC: the sender's place is nobody's business."""
    return format_datetime(at.astimezone(UTC))


def parameter(name: str, value: str) -> str:
    """Encode a parameter of Content-Type or Content-Disposition, with its leading `;` and fold (RFC 2231)."""
    value = clean(value)
    if _PLAIN.fullmatch(value) and len(value) < FOLD - 20 and "%" not in value and "=?" not in value:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f';\r\n {name}="{escaped}"'
    encoded = percent(value, safe="")
    pieces: list[str] = []
    while encoded:
        cut = min(len(encoded), 55)
        while cut < len(encoded) and "%" in encoded[cut - 2 : cut]:
            cut -= 1  # never inside %XX
        pieces.append(encoded[:cut])
        encoded = encoded[cut:]
    if len(pieces) == 1:
        return f";\r\n {name}*=utf-8''{pieces[0]}"
    first = f";\r\n {name}*0*=utf-8''{pieces[0]}"
    return first + "".join(f";\r\n {name}*{n}*={piece}" for n, piece in enumerate(pieces[1:], 1))


def encoded_words(value: str, *, used: int = 1) -> list[str]:
    """Cut text at characters and encode each piece as UTF-8 in base64; `used` characters of the first line are taken.

    A line that holds an encoded word has 76 characters at most (RFC 2047 2).
    """
    words: list[str] = []
    piece, room = b"", min(WORD_OCTETS, (FOLD - used - 12) // 4 * 3)
    for char in value:
        octets = char.encode("utf-8", "replace")
        if len(piece) + len(octets) > room:
            words.append(_word(piece))
            piece, room = b"", WORD_OCTETS
        piece += octets
    return [*words, _word(piece)]


def _word(octets: bytes) -> str:
    return f"=?utf-8?B?{base64.b64encode(octets).decode()}?="


def _address(name: str, address: str) -> str:
    wire = wire_address(address)
    if not clean(name):
        return wire
    encoded = phrase(name)
    last = encoded.rpartition("\r\n")[2]
    fold = "\r\n " if len("From: ") + len(last) + len(wire) + 4 > FOLD else " "
    return f"{encoded}{fold}<{wire}>"


def _fold(words: list[str], used: int) -> str:
    lines = [""]
    for n, word in enumerate(words):
        if n and used + len(lines[-1]) + 1 + len(word) > FOLD:
            lines.append(word)
            used = 1
        else:
            lines[-1] += (" " if n else "") + word
    return "\r\n ".join(lines)
