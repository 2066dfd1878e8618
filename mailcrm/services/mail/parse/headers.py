"""Header fields: the block, encoded words, parameters, message identifiers, dates.

One code path for both parsers: it reads the raw octets of the block, so that the
declared charsets decide (RFC 2047, RFC 2231), never a parser's own guess. Every
scanner is linear in its input. Does not read addresses (`addresses.py`).
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from urllib.parse import unquote_to_bytes

from mailcrm.services.mail.parse.charsets import decode_bytes, is_wide, one_line, safe_text
from mailcrm.services.mail.parse.values import MAX_HEADER_BYTES, MAX_MESSAGE_ID_OCTETS, UnparsableMessage

Fields = Mapping[str, Sequence[bytes]]  # values by lower-cased name, in order

_END = re.compile(rb"\n\r*\n")
_NAME = re.compile(rb"([!-9;-~]{1,200})[ \t]*:")
_WORD = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]*)\?=")
_QP_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_ID = re.compile(r"<([^<>]*)>")
_MAX_PARAMS = 400  # a filename in RFC 2231 pieces rarely has 10


def trim_start(raw: bytes) -> bytes:
    """Drop what precedes the first field: a byte order mark, empty lines, mbox's `From `."""
    start = 3 if raw.startswith(b"\xef\xbb\xbf") else 0
    head = raw[start : start + 4096]
    stripped = head.lstrip(b"\r\n\t ")
    if stripped.startswith((b"From ", b">From ")):
        end = stripped.find(b"\n")
        rest = stripped[end + 1 :] if end >= 0 else b""
        if _NAME.match(rest):
            return raw[start + len(head) - len(rest) :]
    if len(stripped) != len(head) and _NAME.match(stripped):
        return raw[start + len(head) - len(stripped) :]
    return raw[start:]


def header_fields(raw: bytes) -> tuple[Fields, bool]:
    """Return the fields of the top header block, unfolded.

    The block ends at an empty line or at a line that is no field; the second value says
    whether it ended well. Where not, the parsers disagree on what is body.
    Raises UnparsableMessage when it is longer than MAX_HEADER_BYTES.
    """
    end = _END.search(raw, 0, MAX_HEADER_BYTES)
    lines = raw[: end.start() if end else MAX_HEADER_BYTES].split(b"\n")
    too_long = end is None and len(raw) > MAX_HEADER_BYTES
    if too_long:
        lines.pop()  # cut off
    fields: dict[str, list[list[bytes]]] = {}
    last: list[bytes] = []
    clean = True
    for line in lines:
        line = line.rstrip(b"\r")
        if not line:
            break
        if line[:1] in (b" ", b"\t"):
            last.append(line)
            continue
        match = _NAME.match(line)
        if match is None or match[0][-2:] in (b" :", b"\t:"):
            clean = False
        if match is None:
            break
        last = [line[match.end() :]]
        fields.setdefault(match[1].decode("ascii").lower(), []).append(last)
    else:
        if too_long:
            raise UnparsableMessage("quarantine.header", most=MAX_HEADER_BYTES // 1024)
    return {name: [b"".join(pieces).strip() for pieces in values] for name, values in fields.items()}, clean


def first(fields: Fields, name: str) -> bytes | None:
    """Return the first value of that name, None when absent."""
    values = fields.get(name)
    return values[0] if values else None


def header_text(value: bytes | None, charset: str | None = None) -> str:
    """Decode one unstructured value to a single line of safe text."""
    return one_line(decode_words(header_charset_text(value, charset))) if value else ""


def header_charset_text(value: bytes, charset: str | None) -> str:
    """Decode raw octets of a value: UTF-8 (RFC 6532), else the body's charset, else a guess."""
    if charset and (is_wide(charset) or value.isascii()):
        charset = None
    try:
        return value.decode("utf-8") if not value.isascii() else decode_bytes(value, charset)
    except UnicodeDecodeError:
        return decode_bytes(value, charset)


def decode_words(text: str) -> str:
    """Replace RFC 2047 encoded words; adjacent ones of a charset are decoded together.

    Together, because mailers cut multi-octet characters between two words.
    """
    if "=?" not in text:
        return text
    out: list[str] = []
    pending: list[bytes] = []
    charset, position = "", 0

    def flush() -> None:
        if pending:
            out.append(decode_bytes(b"".join(pending), charset))
            pending.clear()

    for match in _WORD.finditer(text):
        between = text[position : match.start()]
        if between.strip() or not position:  # white space between two words is not text
            flush()
            out.append(between)
        label = match[1].partition("*")[0].casefold()
        if label != charset:
            flush()
        charset = label
        pending.append(_word_bytes(match[2], match[3]))
        position = match.end()
    flush()
    out.append(text[position:])
    return "".join(out)


def _word_bytes(encoding: str, payload: str) -> bytes:
    data = payload.encode("utf-8", "replace")
    if encoding in "qQ":
        return _QP_HEX.sub(lambda m: bytes((int(m[1], 16),)), data.replace(b"_", b" "))
    return loose_base64(data)


def loose_base64(data: bytes) -> bytes:
    """Decode base64 as far as it goes: foreign octets are skipped, padding is repaired."""
    clean = data.translate(None, _NOT_BASE64)
    if b"=" in clean.rstrip(b"="):
        # Two encodings pasted together: decode each by itself.
        return b"".join(loose_base64(piece) for piece in clean.split(b"=") if piece)
    clean = clean.rstrip(b"=")
    clean = clean[: len(clean) - 1] if len(clean) % 4 == 1 else clean
    try:
        return base64.b64decode(clean + b"=" * (-len(clean) % 4))
    except (binascii.Error, ValueError):
        return b""


_SHORT = 60  # characters of a value that is worth remembering: those with a boundary are longer, and unique
_NOT_BASE64 = bytes(
    b for b in range(256) if b not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
)


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """Split `text/plain; charset=utf-8` into its lower-cased token and its parameters.

    Parameter values are decoded: RFC 2231 pieces and charsets, and the encoded words
    that mailers wrongly put there. The first of two equal names wins.
    """
    if len(value) > _SHORT:
        return _parameters(value)
    token, found = _remembered(value)
    return token, dict(found)


@functools.lru_cache(500)
def _remembered(value: str) -> tuple[str, dict[str, str]]:
    """Nearly every part says one of a dozen things."""
    return _parameters(value)


def _parameters(value: str) -> tuple[str, dict[str, str]]:
    pieces = _split(value)
    token = pieces[0].strip().strip('"').lower() if pieces else ""
    plain: dict[str, str] = {}
    sections: dict[str, list[tuple[int, bool, str]]] = {}
    for piece in pieces[1 : _MAX_PARAMS + 1]:
        name, equals, text = piece.partition("=")
        if not equals:
            continue
        name, text = name.strip().lower(), _unquote(text.strip())
        base, star, rest = name.partition("*")
        if not star:
            plain.setdefault(base, text)
            continue
        number = rest.rstrip("*")
        if number and not (number.isascii() and number.isdigit() and len(number) < 5):
            continue
        sections.setdefault(base, []).append((int(number or 0), name.endswith("*"), text))
    out = {name: safe_text(decode_words(text)) for name, text in plain.items()}
    for name, parts in sections.items():
        out[name] = _rfc2231(sorted(parts, key=lambda part: part[0]))
    return token, out


def _rfc2231(parts: list[tuple[int, bool, str]]) -> str:
    charset, data = "", bytearray()
    for index, (_, encoded, text) in enumerate(parts):
        if index == 0 and encoded and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        data += unquote_to_bytes(text) if encoded else text.encode("utf-8", "replace")
    if not charset and not any(encoded for _, encoded, _ in parts):
        return safe_text(decode_words(data.decode("utf-8", "replace")))
    return safe_text(decode_bytes(bytes(data), charset or "utf-8"))


def _split(value: str) -> list[str]:
    """Split at semicolons outside quotes, in one pass; stray comments stay in the piece."""
    if '"' not in value:
        return value.split(";", _MAX_PARAMS + 1)
    pieces: list[str] = []
    start, i, quoted = 0, 0, False
    while i < len(value) and len(pieces) <= _MAX_PARAMS:
        c = value[i]
        if quoted and c == "\\":
            i += 1
        elif c == '"':
            quoted = not quoted
        elif c == ";" and not quoted:
            pieces.append(value[start:i])
            start = i + 1
        i += 1
    pieces.append(value[start:])
    return pieces


def _unquote(text: str) -> str:
    if not text.startswith('"'):
        return text.split(" (", 1)[0].strip()
    out: list[str] = []
    i = 1
    while i < len(text) and text[i] != '"':
        if text[i] == "\\" and i + 1 < len(text):
            # Windows mailers write paths unescaped: keep a backslash before a letter.
            if text[i + 1] not in '"\\':
                out.append("\\")
            i += 1
        out.append(text[i])
        i += 1
    return "".join(out)


def message_ids(value: bytes | None) -> tuple[str, ...]:
    """Return the message identifiers of a value in order, without brackets or repeats.

    Falls back to words holding an @ where a mailer left the brackets out (RFC 5322 3.6.4).
    """
    if not value:
        return ()
    text = safe_text(decode_bytes(value, None))
    found = _ID.findall(text) or [word.strip("<>,;\"'") for word in text.split() if "@" in word]
    clean = ("".join(each.split()) for each in found)
    return tuple(dict.fromkeys(_cut_octets(each) for each in clean if each))


def message_id(value: bytes | None) -> str | None:
    """Return the one identifier of Message-ID, None when it holds none.

    Anything not empty counts: servers made identifiers without an @ for decades.
    """
    found = message_ids(value)
    if found:
        return found[0]
    text = "".join(safe_text(decode_bytes(value, None)).split()).strip("<>") if value else ""
    return _cut_octets(text) or None


def content_id(value: str) -> str:
    """Return a Content-ID without brackets and white space."""
    return _cut_octets("".join(safe_text(value).split()).strip("<>"))


def _cut_octets(text: str) -> str:
    return text.encode("utf-8", "replace")[:MAX_MESSAGE_ID_OCTETS].decode("utf-8", "ignore")


def header_date(value: bytes | None) -> datetime | None:
    """Read a Date value as aware UTC; None when it is no date. `-0000` counts as UTC."""
    if not value:
        return None
    text = _without_comments(one_line(decode_bytes(value[:1000], None)))
    text = text.rpartition(";")[2].strip()[:100]  # a Received value ends with its date
    text = _NUMERIC_MONTH.sub(lambda m: f"{m[1]} {_MONTHS[(int(m[2]) - 1) % 12]} {m[3]}", text)
    text = _DOUBLE_ZONE.sub(r" \1", text)
    try:
        parsed = parsedate_tz(text)
        if parsed is None:
            return None
        year, month, day, hour, minute, second = parsed[:6]
        offset = parsed[9] or 0
        if abs(offset) >= 24 * 3600:
            offset = 0
        zone = timezone(timedelta(seconds=offset))
        leap = 1 if second == 60 else 0
        at = datetime(year, month, day, hour, minute, second - leap, tzinfo=zone) + timedelta(seconds=leap)
        return at.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMERIC_MONTH = re.compile(r"^(\d{1,2}) (0?[1-9]|1[0-2]) (\d{2}|\d{4})(?= \d{1,2}:)")
_DOUBLE_ZONE = re.compile(r" ([ECMP]ST)\d[ECMP]DT$")


def _without_comments(text: str) -> str:
    """Drop RFC 5322 comments, nested ones too, in one pass; an open one leaves nothing."""
    if "(" not in text:
        return text
    out: list[str] = []
    depth = 0
    for c in text:
        if c == "(":
            depth += 1
        elif c == ")" and depth:
            depth -= 1
            out.append(" ")
        elif not depth:
            out.append(c)
    return "" if depth else " ".join("".join(out).split())
