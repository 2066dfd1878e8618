r"""Reads LIST, XLIST and STATUS answers, line by line: one folder that can't be read never hides the others. Pure.

RFC 3501 §7.2.2 and §7.2.4, RFC 5258 (extended data after the name), RFC 5819 (STATUS beside LIST), RFC 8474
(MAILBOXID). `data` is what imaplib collected: a line as bytes, or (line, literal) followed by the rest of the line.
"""

# IMAPClient has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imapclient.response_parser import parse_response

from mailcrm.services.mail.imap.answers import MALFORMED, grouped
from mailcrm.services.mail.imap.values import FolderStatus


@dataclass(frozen=True, slots=True)
class ListedFolder:
    """A line of LIST: attributes as the server spells them, the raw name."""

    attributes: tuple[str, ...]
    delimiter: str | None
    raw: bytes


def folders(data: Sequence[Any]) -> tuple[list[ListedFolder], bool]:
    """Return the folders, each once however often it is listed, and whether every line could be read."""
    out: dict[bytes, ListedFolder] = {}
    whole = True
    for line in grouped(data):
        try:
            parsed: Any = parse_response(line)
            attributes, delimiter, name = parsed[:3]
            raw = _octets(name)
            folder = ListedFolder(
                tuple(str(_octets(a), "latin-1") for a in attributes),
                str(_octets(delimiter), "latin-1") if delimiter is not None else None,
                raw,
            )
            out.setdefault(raw, folder)
        except MALFORMED:
            whole = False
    return list(out.values()), whole


def statuses(data: Sequence[Any]) -> dict[bytes, FolderStatus]:
    """Return what STATUS lines say, by raw name; a line that lacks a count or can't be read is left out."""
    out: dict[bytes, FolderStatus] = {}
    for line in grouped(data):
        try:
            parsed: Any = parse_response(line)
            name, items = parsed[:2]
            out[_octets(name)] = status_of({bytes(k).upper(): v for k, v in zip(items[::2], items[1::2], strict=True)})
        except MALFORMED:
            continue
    return out


def status_of(items: dict[bytes, Any]) -> FolderStatus:
    """Return one folder's counts. Raises KeyError, ValueError or TypeError when they make no sense."""
    identity = items.get(b"MAILBOXID")
    named = identity[0] if isinstance(identity, tuple) and identity else identity
    return FolderStatus(
        uidvalidity=_count(items[b"UIDVALIDITY"]),
        uidnext=_count(items.get(b"UIDNEXT", 0)),
        exists=_count(items[b"MESSAGES"]),
        highestmodseq=modseq(items.get(b"HIGHESTMODSEQ")),
        remote_id=remote_id(named),
    )


def modseq(value: Any) -> int | None:
    """Return a mod-sequence; None for a folder without them (0: RFC 7162 §3.1.2.2) and for what no database holds."""
    single: Any = value[0] if isinstance(value, tuple) and value else value
    number = int(single or 0)
    return number if 0 < number < 2**63 else None


def remote_id(value: Any) -> str:
    """Return an object's id (RFC 8474: at most 255 letters, digits, `_`, `-`); "" for anything else."""
    try:
        text = str(_octets(value), "ascii") if value is not None else ""
    except (TypeError, UnicodeDecodeError):
        return ""
    return text if len(text) <= 255 and text.isprintable() else ""


def _count(value: Any) -> int:
    number = int(value)
    if not 0 <= number < 2**32:
        raise ValueError(f"a count of {number}")
    return number


def _octets(value: Any) -> bytes:
    if isinstance(value, int):  # the parser reads digits as a number
        return str(value).encode()
    if value is None:  # and the atom NIL as nothing
        return b"NIL"
    if not isinstance(value, bytes):
        raise TypeError(f"not a string: {value!r:.40}")
    return value
