"""Reads BODYSTRUCTURE (RFC 3501 §7.4.2) into parts with their section numbers. Pure, own, and doubtful.

Gmail, QQ and Yandex send structures that break general parsers (sync.md A2), and a server may send anything: whatever
does not look right gives None, and the caller fetches the whole message. Iterative, bounded in depth and number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

MAX_DEPTH = 30
MAX_PARTS = 200  # real mail stays under 100
_MAX_TOKENS = 20_000
_MAX_BYTES = 1_000_000  # of an answer; 200 parts with their envelopes have some 100 KB

_TOKEN = re.compile(rb'\s*(?:(\()|(\))|"([^"\\]*(?:\\.[^"\\]*)*)"|([^\s()"]+))', re.DOTALL)
_LITERAL = re.compile(rb"\{\d+\+?\}\Z")
_START = re.compile(rb"BODYSTRUCTURE\s*(?=\()", re.IGNORECASE)

Atom = bytes | None | list[Any]


@dataclass(slots=True)
class Section:
    """One part: `size` in octets as they are transferred. `number` is "" for a message that is one multipart."""

    number: str
    content_type: str
    boundary: str
    encoding: str
    size: int
    disposition: str
    children: list[Section] = field(default_factory=list["Section"])

    def leaves(self) -> Iterator[Section]:
        """Yield the parts with content, in the order of the message."""
        stack: list[Section] = [self]
        while stack:
            section = stack.pop()
            if section.children:
                stack.extend(reversed(section.children))
            else:
                yield section


def joined(data: Sequence[Any]) -> bytes:
    """Return an answer as imaplib collected it as one text; literals become quoted strings."""
    out = bytearray()
    for piece in data:
        if isinstance(piece, tuple):
            line, literal = cast("tuple[bytes, bytes]", piece)
            escaped = literal.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            out += _LITERAL.sub(b"", line) + b'"' + escaped + b'" '
        elif isinstance(piece, bytes):
            out += piece
        if len(out) > _MAX_BYTES:
            break  # no structure is so long: `read` refuses it
    return bytes(out)


def read(answer: bytes) -> Section | None:
    """Return the structure in one FETCH answer; None when it makes no sense."""
    start = _START.search(answer) if len(answer) <= _MAX_BYTES else None
    if start is None:
        return None
    tree = _tree(answer, start.end())
    if tree is None:
        return None
    made = [0]
    return _section(tree, "", made, 0)


def _tree(text: bytes, at: int) -> list[Any] | None:
    """Read one parenthesised list into nested lists."""
    root: list[Any] = []
    stack = [root]
    for _ in range(_MAX_TOKENS):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        at = match.end()
        opened, closed, quoted, atom = match.groups()
        if opened:
            if len(stack) > MAX_DEPTH * 2:
                return None
            inner: list[Any] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif closed:
            stack.pop()
            if len(stack) == 1:
                return root[0]
        elif quoted is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted, flags=re.DOTALL))
        else:
            stack[-1].append(None if atom.upper() == b"NIL" else atom)
    return None


def _section(node: list[Any], number: str, made: list[int], depth: int) -> Section | None:
    made[0] += 1
    if made[0] > MAX_PARTS or depth > MAX_DEPTH or not node:
        return None
    if isinstance(node[0], list):
        return _multipart(node, number, made, depth)
    kind, subtype = _word(node, 0), _word(node, 1)
    size = node[6] if len(node) > 6 else None
    if not kind or not subtype or kind == "multipart" or not isinstance(size, bytes) or not size.isdigit():
        return None
    # What follows the size: a text has its lines, a message its envelope, structure and lines; then MD5, disposition.
    extra = 1 if kind == "text" else 3 if f"{kind}/{subtype}" in ("message/rfc822", "message/global") else 0
    disposition: Any = node[8 + extra] if len(node) > 8 + extra else None
    name = _word(disposition, 0) if isinstance(disposition, list) else ""
    return Section(number or "1", f"{kind}/{subtype}", "", _word(node, 5), int(size[:12]), name)


def _multipart(node: list[Any], number: str, made: list[int], depth: int) -> Section | None:
    children: list[Section] = []
    at = 0
    while at < len(node) and isinstance(node[at], list):
        inner = f"{number}.{at + 1}" if number else str(at + 1)
        child = _section(node[at], inner, made, depth + 1)
        if child is None:
            return None
        children.append(child)
        at += 1
    subtype, params = _word(node, at), node[at + 1] if len(node) > at + 1 else None
    if not subtype or not isinstance(params, list):
        return None
    pairs = cast("list[Any]", params)
    boundary = next(
        (_text(pairs[i + 1]) for i in range(0, len(pairs) - 1, 2) if _text(pairs[i]).lower() == "boundary"), ""
    )
    if not boundary:
        return None
    return Section(number, f"multipart/{subtype}", boundary, "", 0, "", children)


def _word(node: Any, at: int) -> str:
    return _text(node[at]).lower() if isinstance(node, list) and at < len(cast("list[Any]", node)) else ""


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) and len(value) < 300 else ""
