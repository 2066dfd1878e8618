"""Reads the FETCH answers that sync lives on, many times faster than a general parser, and VANISHED. Pure.

`bodies` and `metas` know the common, well-formed shape; for anything else they return None and the caller takes the
slow way, which a test holds the fast one against. `metas_slowly` and `states` read answer by answer: one that can't
be read is left out, so that it never takes the others with it (its message stays pending). `data` is what imaplib
collected: a line as bytes, or (line, literal) followed by the rest of the line.
"""

# IMAPClient has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from imapclient.exceptions import ProtocolError
from imapclient.response_parser import parse_fetch_response

_BODY = re.compile(rb"\d+ \(UID (\d+)(?: FLAGS \([^()\r\n]*\))? BODY\[\] ~?\{(\d+)\}")
_AFTER = re.compile(rb"(?: FLAGS \([^()\r\n]*\))?(?: MODSEQ \(\d+\))?\)")
_META = re.compile(
    rb'\d+ \(UID (\d+) FLAGS \(([^()"\r\n]*)\) INTERNALDATE "([ \d]\d)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) '
    rb'([+-])(\d\d)(\d\d)" RFC822\.SIZE (\d+)(?: EMAILID \(([\w-]{1,255})\))?(?: MODSEQ \(\d+\))?\)'
)
_STATE = re.compile(rb'\d+ \(UID (\d+) FLAGS \(([^()"\r\n]*)\)(?: MODSEQ \((\d{1,18})\))?\)')
_VANISHED = re.compile(rb"(\(EARLIER\) )?([\d:,]+)", re.IGNORECASE)
_RANGE = re.compile(rb"(\d{1,10})(?::(\d{1,10}))?")
_MONTHS = {name: n for n, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_MAX_RANGES = 200_000  # of vanished UIDs; a longer answer is taken for none, and the folder is compared instead

#: What reading a malformed answer raises. It was received to its end: the connection is still in step.
MALFORMED = (
    ProtocolError,
    RecursionError,
    IndexError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
)

#: (flags, INTERNALDATE, size, EMAILID or None)
Meta = tuple[tuple[bytes, ...], datetime, int, str | None]


def grouped(data: Sequence[Any]) -> Iterator[list[Any]]:
    """Group what imaplib took apart at literals into one answer each."""
    line: list[Any] = []
    for piece in data:
        if piece is None or (not line and piece == b""):
            continue
        line.append(piece)
        if not isinstance(piece, tuple):
            yield line
            line = []
    if line:
        yield line


def bodies(data: Sequence[Any]) -> dict[int, bytes] | None:
    """Return BODY[] by UID, None when the answer has another shape anywhere."""
    if len(data) % 2:
        return None
    out: dict[int, bytes] = {}
    for n in range(0, len(data), 2):
        item, after = data[n], data[n + 1]
        if not isinstance(item, tuple) or not isinstance(after, bytes) or not _AFTER.fullmatch(after):
            return None
        head = _BODY.fullmatch(item[0])
        if head is None or int(head[2]) != len(item[1]):
            return None
        out[int(head[1])] = item[1]
    return out


def metas(data: Sequence[Any]) -> dict[int, Meta] | None:
    """Return facts by UID, None when the answer has another shape anywhere."""
    out: dict[int, Meta] = {}
    for line in data:
        found = _META.fullmatch(line) if isinstance(line, bytes) else None
        if found is None or found[4] not in _MONTHS:
            return None
        uid, flags, day, month, year, hour, minute, second, sign, zone_h, zone_m, size, emailid = found.groups()
        offset = timedelta(hours=int(zone_h), minutes=int(zone_m))
        try:
            when = datetime(
                int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second),
                tzinfo=timezone(-offset if sign == b"-" else offset),
            ).astimezone(UTC)  # fmt: skip
        except (ValueError, OverflowError):
            return None
        out[int(uid)] = tuple(flags.split()), when, int(size), emailid.decode() if emailid else None
    return out


def items(data: Sequence[Any]) -> dict[int, dict[bytes, Any]]:
    """Return every item by UID, answer by answer; what can't be read is left out.

    So is what names no UID: a server may tell of a flag unasked, by sequence number alone.
    """
    out: dict[int, dict[bytes, Any]] = {}
    for line in grouped(data):
        try:
            parsed: Any = parse_fetch_response(line, False, False)
            for found in parsed.values():
                if b"UID" in found:
                    out.setdefault(int(found[b"UID"]), {}).update(found)
        except MALFORMED:
            continue
    return out


def header_fields(item: Mapping[bytes, Any]) -> bytes | None:
    """Return the header fields that a message's item brings, however the server spells the section (Courier quotes)."""
    for key, value in item.items():
        if key.upper().startswith(b"BODY[HEADER.FIELDS") and isinstance(value, bytes):
            return value
    return None


def states(data: Sequence[Any]) -> dict[int, tuple[tuple[bytes, ...], int | None, Any]]:
    """Return (flags, MODSEQ, X-GM-LABELS) by UID; answers without flags, or that can't be read, are left out."""
    out: dict[int, tuple[tuple[bytes, ...], int | None, Any]] = {}
    rest: list[Any] = []
    for piece in data:
        found = _STATE.fullmatch(piece) if isinstance(piece, bytes) else None
        if found:
            out[int(found[1])] = tuple(found[2].split()), int(found[3]) if found[3] else None, None
        else:
            rest.append(piece)
    for uid, item in items(rest).items():
        flags, modseq = item.get(b"FLAGS"), item.get(b"MODSEQ")
        if isinstance(flags, tuple):
            number = modseq[0] if isinstance(modseq, tuple) and modseq and isinstance(modseq[0], int) else None
            out[uid] = flags, number if number is not None and number < 2**63 else None, item.get(b"X-GM-LABELS")
    return out


def identity(item: Mapping[bytes, Any]) -> str | None:
    """Return the server's own name for a message's content: "gm:…" (X-GM-MSGID) or "emailid:…" (RFC 8474)."""
    gmail, email = item.get(b"X-GM-MSGID"), item.get(b"EMAILID")
    if isinstance(gmail, int) and 0 < gmail < 2**64:
        return f"gm:{gmail}"
    if isinstance(email, tuple) and email:
        email = str(email[0]).encode() if isinstance(email[0], int) else email[0]
    if isinstance(email, bytes) and re.fullmatch(rb"[\w-]{1,255}", email, re.ASCII):
        return f"emailid:{email.decode()}"
    return None


def size_of(value: Any) -> int | None:
    """Return RFC822.SIZE; None when it is no number (MK: Mail.ru sends some as decimals)."""
    try:
        number = int(float(value)) if isinstance(value, bytes) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number < 2**63 else None


def vanished(data: Sequence[Any], *, earlier: bool) -> tuple[tuple[int, int], ...] | None:
    """Return the ranges of VANISHED (EARLIER), or of the plain ones, ascending; None when the answer makes no sense."""
    out: list[tuple[int, int]] = []
    for line in data:
        said = _VANISHED.fullmatch(line) if isinstance(line, bytes) else None
        if said is None:
            return None
        if (said[1] is not None) != earlier:
            continue
        for part in said[2].split(b","):
            found = _RANGE.fullmatch(part)
            if found is None or len(out) >= _MAX_RANGES:
                return None
            first, last = int(found[1]), int(found[2] or found[1])
            out.append((min(first, last), max(first, last)))
    return tuple(sorted(out))
