"""Writes FETCH answers and evaluates SEARCH keys for one message (RFC 3501 §6.4.4, §7.4.2; RFC 7162; Gmail). Pure."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.policy import compat32
from typing import Any

from tests.fakes.imap.account import Account, Box, Mail
from tests.fakes.imap.grammar import Bad, Literal, Token, date_out, members, name_out

_SECTION = re.compile(rb"BODY(?:\.PEEK)?\[(.*)\](?:<(\d+)\.(\d+)>)?", re.IGNORECASE | re.DOTALL)


def string(value: bytes | None) -> bytes:
    """Write an nstring as servers do: a literal for what has lines."""
    if value is None:
        return b"NIL"
    if not value:
        return b'""'
    if re.search(rb'[\r\n"\\\x80-\xff\0]', value):
        return b"{%d}\r\n%s" % (len(value), value)
    return b'"' + value + b'"'


def head_and_text(raw: bytes) -> tuple[bytes, bytes]:
    """Cut a message at its first empty line; the header keeps it."""
    end = raw.find(b"\r\n\r\n")
    return (raw, b"") if end < 0 else (raw[: end + 4], raw[end + 4 :])


def fields(raw: bytes, names: list[bytes]) -> bytes:
    """Return the header fields of these names, with the empty line."""
    wanted = {name.lower() for name in names}
    kept, keep = [], False
    for line in head_and_text(raw)[0].split(b"\r\n"):
        if not line:
            break
        if line[:1] not in (b" ", b"\t"):
            keep = line.partition(b":")[0].strip().lower() in wanted
        if keep:
            kept.append(line)
    return b"".join(line + b"\r\n" for line in kept) + b"\r\n"


def flag_list(mail: Mail) -> bytes:
    return b"FLAGS (" + " ".join(sorted(mail.flags)).encode() + b")"


def one(account: Account, box: Box, mail: Mail, sequence: int, wanted: list[Token], *, modseq: bool) -> bytes:
    """Return the untagged FETCH answer for one message; `wanted` holds items in upper case, UID always told."""
    parts: list[bytes] = []
    uid = b"UID %d" % mail.uid
    for item in wanted:
        name = bytes(item).upper() if isinstance(item, bytes) else b""
        if name == b"UID":
            continue
        if name == b"FLAGS":
            parts.append(flag_list(mail))
        elif name == b"INTERNALDATE":
            parts.append(b"INTERNALDATE " + date_out(mail.date))
        elif name == b"RFC822.SIZE":
            parts.append(b"RFC822.SIZE %d" % len(mail.raw))
        elif name == b"MODSEQ":
            if not modseq:
                parts.append(b"MODSEQ (%d)" % mail.modseq)
        elif name == b"EMAILID":
            parts.append(b"EMAILID (M%d)" % mail.key)
        elif name == b"THREADID":
            parts.append(b"THREADID NIL")
        elif name == b"X-GM-MSGID":
            parts.append(b"X-GM-MSGID %d" % (1_700_000_000_000 + mail.key))
        elif name == b"X-GM-THRID":
            parts.append(b"X-GM-THRID %d" % (1_700_000_000_000 + mail.key))
        elif name == b"X-GM-LABELS":
            labels = [
                string(label.encode()) if label.startswith("\\") else name_out(label, utf8=False, quoted=True)
                for label in account.labels(mail, box)
            ]
            parts.append(b"X-GM-LABELS (" + b" ".join(labels) + b")")
        elif name in (b"BODY", b"BODYSTRUCTURE"):
            parts.append(name + b" " + structure(mail.raw))
        elif name.startswith(b"BODY"):
            parts.append(_section(account, mail, bytes(item)))
        else:
            raise Bad(f"unknown FETCH item {name!r}")
    if modseq:
        parts.append(b"MODSEQ (%d)" % mail.modseq)
    parts = [*parts, uid] if account.quirks.uid_last else [uid, *parts]
    return b"* %d FETCH (%s)\r\n" % (sequence, b" ".join(parts))


def _section(account: Account, mail: Mail, item: bytes) -> bytes:
    found = _SECTION.fullmatch(item)
    if found is None:
        raise Bad(f"bad section {item!r}")
    section = found[1].strip()
    kind = section.upper()
    value: bytes | None
    if not kind:
        value = mail.raw or (None if account.quirks.nil_body else b"")
    elif kind == b"HEADER":
        value = head_and_text(mail.raw)[0]
    elif kind == b"TEXT":
        value = head_and_text(mail.raw)[1]
    elif kind.startswith(b"HEADER.FIELDS ("):
        value = fields(mail.raw, section[section.index(b"(") + 1 : -1].split())
    else:
        value = part_of(mail.raw, kind)
    origin = b""
    if found[2] is not None:
        start, length = int(found[2]), int(found[3])
        value, origin = (value or b"")[start : start + length], b"<%d>" % start
    plain = value is None or (kind and not value)
    text = string(value) if plain else b"{%d}\r\n%s" % (len(value or b""), value)
    return b"BODY[" + section + b"]" + origin + b" " + text


def part_of(raw: bytes, section: bytes) -> bytes | None:
    """Return the still encoded content of a part by its number ("2.1"), None where there is none."""
    mime = section.endswith(b".MIME")
    node: Any = message_from_bytes(raw, policy=compat32)
    try:
        for number in section.removesuffix(b".MIME").split(b"."):
            if node.is_multipart():
                node = node.get_payload()[int(number) - 1]
            elif int(number) != 1:
                return None
    except (ValueError, IndexError):
        return None
    if mime:
        return b"".join(f"{k}: {v}\r\n".encode("utf-8", "replace") for k, v in node.items()) + b"\r\n"
    payload = node.get_payload()
    return payload.encode("utf-8", "surrogateescape") if isinstance(payload, str) else b""


def structure(raw: bytes) -> bytes:
    """Return a BODYSTRUCTURE: types, encodings and sizes; names where they have one."""

    def of(message: Any) -> bytes:
        main, sub = message.get_content_maintype(), message.get_content_subtype()
        if message.is_multipart():
            return b"(" + b"".join(of(p) for p in message.get_payload()) + b" " + string(sub.upper().encode()) + b")"
        payload = message.get_payload()
        data = payload.encode("utf-8", "surrogateescape") if isinstance(payload, str) else b""
        name = message.get_filename()
        params = b"NIL" if not name else b'("NAME" ' + string(str(name).encode()) + b")"
        coding = str(message.get("Content-Transfer-Encoding", "7bit")).upper().encode()
        out = [string(main.upper().encode()), string(sub.upper().encode()), params, b"NIL", b"NIL", string(coding)]
        out.append(b"%d" % len(data))
        if main == "text":
            out.append(b"%d" % data.count(b"\n"))
        return b"(" + b" ".join(out) + b")"

    return of(message_from_bytes(raw, policy=compat32))


def matches(mail: Mail, sequence: int, keys: list[Token], last: tuple[int, int]) -> bool:
    """Evaluate SEARCH keys, all of which must hold; `last` is the highest (sequence number, UID)."""
    rest = list(keys)

    def text(value: Token) -> bytes:
        return bytes(value).lower()

    def next_key() -> bool:
        if not rest:
            raise Bad("missing SEARCH key")
        key = rest.pop(0)
        if isinstance(key, list):
            return matches(mail, sequence, key, last)
        name = bytes(key).upper()
        if name == b"ALL":
            return True
        if name == b"UID":
            return any(lo <= mail.uid <= hi for lo, hi in members(bytes(rest.pop(0)), last[1]))
        if name == b"NOT":
            return not next_key()
        if name == b"OR":
            first, second = next_key(), next_key()
            return first or second
        if name == b"HEADER":
            field, value = rest.pop(0), text(rest.pop(0))
            return value in fields(mail.raw, [bytes(field)]).lower()
        if name in (b"FROM", b"TO", b"CC", b"BCC", b"SUBJECT"):
            return text(rest.pop(0)) in fields(mail.raw, [name]).lower()
        if name in (b"BODY", b"TEXT"):
            return text(rest.pop(0)) in mail.raw.lower()
        if name in (b"SEEN", b"DELETED", b"FLAGGED", b"ANSWERED", b"DRAFT"):
            return "\\" + name.decode().capitalize() in mail.flags
        if name.startswith(b"UN") and name != b"UNKEYWORD":
            return "\\" + name[2:].decode().capitalize() not in mail.flags
        if name == b"MODSEQ":
            return mail.modseq >= int(rest.pop(0))
        if name in (b"LARGER", b"SMALLER"):
            size = int(rest.pop(0))
            return len(mail.raw) > size if name == b"LARGER" else len(mail.raw) < size
        if name in (b"SINCE", b"BEFORE", b"ON"):
            day, month, year = bytes(rest.pop(0)).decode().split("-")
            months: tuple[str, ...] = tuple("jan feb mar apr may jun jul aug sep oct nov dec".split())
            asked = (int(year), months.index(month.lower()) + 1, int(day))
            have = (mail.date.year, mail.date.month, mail.date.day)
            return have >= asked if name == b"SINCE" else have < asked if name == b"BEFORE" else have == asked
        if not isinstance(key, Literal) and re.fullmatch(rb"[\d:,*]+", name):
            return any(lo <= sequence <= hi for lo, hi in members(name, last[0]))
        raise Bad(f"unknown SEARCH key {name!r}")

    found = True
    while rest:
        found = next_key() and found
    return found
