"""Looks into S/MIME's wrapping (CMS, RFC 5652) far enough to show what was only signed.

`signed_content` takes the message out of an opaque signature (application/pkcs7-mime; smime-type=signed-data).
Nothing is verified: no signature, no certificate. Nothing is decrypted. Pure; never raises; BER's indefinite lengths
and split strings are read (OpenSSL's streams), nesting is bounded.
"""

from __future__ import annotations

_SIGNED = bytes.fromhex("2a864886f70d010702")  # 1.2.840.113549.1.7.2
_SEQUENCE, _OCTETS, _OCTETS_SPLIT, _OID, _FIRST = 0x30, 0x04, 0x24, 0x06, 0xA0
_MAX_DEPTH = 10
_MAX_ITEMS = 100_000  # pieces of one split string; OpenSSL writes 1,000 octets in each


class _Broken(Exception):
    """Not BER, or deeper than any real message."""


def signed_content(data: bytes) -> bytes | None:
    """Return the octets that an opaque signature covers; None when it is no such thing (encrypted, broken)."""
    try:
        items = _children(data, *_whole(data, 0, _SEQUENCE))
        if len(items) < 2 or _value(data, items[0], _OID) != _SIGNED or items[1][0] != _FIRST:
            return None
        (signed, *_) = _children(data, items[1][1], items[1][2])
        encapsulated = next(item for item in _children(data, signed[1], signed[2]) if item[0] == _SEQUENCE)
        inner = _children(data, encapsulated[1], encapsulated[2])
        (content, *_) = _children(data, inner[1][1], inner[1][2])
        return _octets(data, content, 0)
    except (_Broken, IndexError, ValueError, StopIteration):
        return None


def _whole(data: bytes, at: int, tag: int) -> tuple[int, int]:
    found, start, end, _ = _item(data, at, len(data), 0)
    if found != tag:
        raise _Broken
    return start, end


def _item(data: bytes, at: int, end: int, depth: int) -> tuple[int, int, int, int]:
    """Return (tag, start, end, next) of the item at `at`; `end` of the content excludes the end mark."""
    if depth > _MAX_DEPTH or at + 2 > end:
        raise _Broken
    tag, length = data[at], data[at + 1]
    at += 2
    if tag & 0x1F == 0x1F:
        raise _Broken  # no tag of CMS is that long
    if length < 0x80:
        start = at
    elif length == 0x80:
        return _indefinite(data, tag, at, end, depth)
    else:
        start = at + (length & 0x7F)
        if (length & 0x7F) > 8 or start > end:
            raise _Broken
        length = int.from_bytes(data[at:start], "big")
    if length > end - start:
        raise _Broken
    return tag, start, start + length, start + length


def _indefinite(data: bytes, tag: int, start: int, end: int, depth: int) -> tuple[int, int, int, int]:
    at = start
    for _ in range(_MAX_ITEMS):
        if data[at : at + 2] == b"\0\0":
            return tag, start, at, at + 2
        at = _item(data, at, end, depth + 1)[3]
    raise _Broken


def _children(data: bytes, start: int, end: int) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    at = start
    while at < end and len(found) < _MAX_ITEMS:
        tag, inner, stop, at = _item(data, at, end, 0)
        found.append((tag, inner, stop))
    return found


def _value(data: bytes, item: tuple[int, int, int], tag: int) -> bytes:
    if item[0] != tag:
        raise _Broken
    return data[item[1] : item[2]]


def _octets(data: bytes, item: tuple[int, int, int], depth: int) -> bytes:
    tag, start, end = item
    if tag == _OCTETS:
        return data[start:end]
    if tag != _OCTETS_SPLIT or depth > _MAX_DEPTH:
        raise _Broken
    return b"".join(_octets(data, piece, depth + 1) for piece in _children(data, start, end))
