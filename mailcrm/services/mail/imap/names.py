r"""Folder names on the wire and as people read them: one name each way, whatever a server sends. Pure.

RFC 3501 §5.1.3 wants modified UTF-7, RFC 6855 (`ENABLE UTF8=ACCEPT`) plain UTF-8; servers also send UTF-8 without
being asked, and names that are neither. A name that our encoder would not write back byte for byte is kept *raw*: a
word joiner (invisible) in front, its bytes read as UTF-8, and each byte that isn't UTF-8 as a private-use character.
So `encode(decode(raw)) == raw` for every name, on every connection, without a table of what the server once said.
"""

# IMAPClient has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import hashlib

from imapclient.imap_utf7 import decode as decode_utf7
from imapclient.imap_utf7 import encode as encode_utf7

RAW = "\u2060"  # WORD JOINER: nobody sees it
MOST = 1000  # octets of a name; PostgreSQL indexes 2,704, and real servers end at 255
_BYTE = 0xF700  # private use, as many programs keep undecodable bytes


def decode(raw: bytes, *, utf8: bool = False) -> str:
    """Return the name that people read; `utf8` says that the server agreed to UTF8=ACCEPT. Never raises."""
    try:
        text = raw.decode() if utf8 else decode_utf7(raw)
        if not text.startswith(RAW) and encode(text, utf8=utf8) == raw and not _is_unsafe(text):
            return text
    except (ValueError, UnicodeError):
        pass
    return RAW + _keep(raw)


def encode(name: str, *, utf8: bool = False) -> bytes:
    """Return the bytes that a server knows a folder by; the other way round than `decode`."""
    if name.startswith(RAW):
        return b"".join(
            bytes((ord(c) - _BYTE,)) if _BYTE <= ord(c) <= _BYTE + 0xFF else c.encode("utf-8", "replace")
            for c in name[1:]
        )
    return name.encode("utf-8", "replace") if utf8 else bytes(encode_utf7(name))


def bounded(name: str) -> str:
    """Return a name that a database can index; a longer one cut, with its hash, so that it is shown and never opened.

    Opening it fails at the server, and the folder says so: better than mail that is missing without a word.
    """
    octets = name.encode()
    if len(octets) <= MOST:
        return name
    return f"{name[:200]}… {hashlib.sha256(octets).hexdigest()[:16]}"


def label(raw: object) -> str:
    r"""Return a label of Gmail's X-GM-LABELS as people read it; `\Inbox` and its like stay as they are."""
    if isinstance(raw, bytes):
        text = decode(raw).removeprefix(RAW)
        return "".join(c for c in text if c.isprintable())
    return "" if raw is None else str(raw)  # CLO, MK: bogus integers, NIL


def _is_unsafe(text: str) -> bool:
    """Whether half a surrogate pair (no database takes it) or a control character was spelled in base64."""
    return any(ord(c) < 0x20 or 0xD800 <= ord(c) <= 0xDFFF for c in text)


def _keep(raw: bytes) -> str:
    out: list[str] = []
    for c in raw.decode("utf-8", "surrogateescape"):
        code = ord(c)
        if 0xDC80 <= code <= 0xDCFF:
            out.append(chr(_BYTE + code - 0xDC00))
        elif _BYTE <= code <= _BYTE + 0xFF or code == 0:
            out += [chr(_BYTE + byte) for byte in c.encode()]
        else:
            out.append(c)
    return "".join(out)
