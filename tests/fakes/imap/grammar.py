"""Reads IMAP commands into tokens, and writes names, sets and dates as servers do (RFC 3501 §9). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from imapclient.imap_utf7 import decode as decode_utf7
from imapclient.imap_utf7 import encode as encode_utf7

Token = Any  # bytes, or a list of tokens


class Bad(Exception):
    """A command that does not parse: answered with BAD."""


class Literal(bytes):
    """A literal or a quoted string: never a keyword."""


def tokens(line: bytes, literals: list[bytes]) -> list[Token]:
    """Cut a command (literals taken out, each left as `{n}`) into atoms, strings and parenthesised lists."""
    out, rest = _list(line, 0, literals, inner=False)
    if rest != len(line):
        raise Bad("too many )")
    return out


def _list(line: bytes, at: int, literals: list[bytes], *, inner: bool) -> tuple[list[Token], int]:
    out: list[Token] = []
    while at < len(line):
        c = line[at : at + 1]
        if c == b" ":
            at += 1
        elif c == b"(":
            found, at = _list(line, at + 1, literals, inner=True)
            out.append(found)
        elif c == b")":
            if not inner:
                raise Bad("unexpected )")
            return out, at + 1
        elif c == b'"':
            text, at = _quoted(line, at + 1)
            out.append(Literal(text))
        elif c == b"{":
            end = line.index(b"}", at)
            out.append(Literal(literals.pop(0)))
            at = end + 1
        else:
            start, depth = at, 0
            while at < len(line) and (depth or line[at : at + 1] not in (b" ", b"(", b")")):
                depth += (line[at : at + 1] == b"[") - (line[at : at + 1] == b"]")
                at += 1
            out.append(line[start:at])
    if inner:
        raise Bad("missing )")
    return out, at


def _quoted(line: bytes, at: int) -> tuple[bytes, int]:
    out = bytearray()
    while at < len(line):
        c = line[at]
        if c == 0x22:
            return bytes(out), at + 1
        if c == 0x5C:
            at += 1
            c = line[at]
        out.append(c)
        at += 1
    raise Bad('missing "')


def members(text: bytes, last: int) -> list[tuple[int, int]]:
    """Return a sequence set as ascending ranges; `*` is `last`."""
    out: list[tuple[int, int]] = []
    for part in text.split(b","):
        lo, colon, hi = part.partition(b":")
        try:
            a = last if lo == b"*" else int(lo)
            b = (last if hi == b"*" else int(hi)) if colon else a
        except ValueError as exc:
            raise Bad("sequence set") from exc
        out.append((min(a, b), max(a, b)))
    return out


def ranges(uids: Iterable[int]) -> bytes:
    """Write UIDs as a sequence set."""
    runs: list[list[int]] = []
    for uid in sorted(set(uids)):
        if runs and runs[-1][1] == uid - 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in runs).encode()


def name_out(name: str, *, utf8: bool, quoted: bool) -> bytes:
    """Write a folder's name: an atom where it can be one."""
    data = name.encode() if utf8 else encode_utf7(name)
    atom = not quoted and data and not any(c in b' (){%*"\\]' or c < 0x20 or c > 0x7E for c in data)
    return data if atom else b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def name_in(data: bytes, *, utf8: bool) -> str:
    """Read a folder's name; INBOX is INBOX however it is spelled."""
    name = data.decode() if utf8 else decode_utf7(bytes(data))
    return "INBOX" if name.upper() == "INBOX" else name


def date_out(when: datetime) -> bytes:
    """Write an INTERNALDATE."""
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    return f'"{when.day:02d}-{months[when.month - 1]}-{when.year:04d} {when:%H:%M:%S} +0000"'.encode()
