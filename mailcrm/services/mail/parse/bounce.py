"""Reads a notice that mail was not delivered: which message, which recipients, why (RFC 3464, and what others write).

Pure, and never raises: hostile bytes give None. Known besides RFC 3464: reports whose groups are in text/plain parts
(AOL), notices in plain text with X-Failed-Recipients and the original's header below (Gmail of old, Exim), Exchange's.
A delay ("still being retried") is no bounce: its recipients are in `delayed`. Decides nothing about our messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.utils import parseaddr
from typing import Any

MAX_BYTES = 2_000_000  # of a notice that is looked at; some return the whole message with its files
MAX_PARTS = 100
MAX_IDS = 20
MAX_FAILED = 500
MAX_REASON = 500  # characters

_SENDERS = ("mailer-daemon", "postmaster", "mail-daemon", "maildaemon", "mdaemon")
_ID = re.compile(r"^[ \t>]*Message-ID:\s*<([^<>\s]{3,500})>", re.IGNORECASE | re.MULTILINE)
_ANY_ID = re.compile(r"<([^<>\s]{3,500}@[^<>\s]{1,255})>")
_GROUP = re.compile(r"\n[ \t]*\r?\n")
_FIELD = re.compile(r"^([A-Za-z-]{2,40}):[ \t]*(.*(?:\r?\n[ \t]+.*)*)", re.MULTILINE)
_FAILURE = re.compile(
    r"undeliver|not (?:be )?delivered|delivery (?:has )?fail|failure|returned mail|could ?n.t be delivered|"
    r"配信できません|配信不能|unzustellbar|non remis|no se (?:ha )?pud",
    re.IGNORECASE,
)
_DELAY = re.compile(r"delayed|still being retried|will be retried|warning:|will keep trying", re.IGNORECASE)
_CODE = re.compile(r"\b([45]\d\d)[ -](?:#?[45]\.\d{1,3}\.\d{1,3})?")


@dataclass(frozen=True)
class Bounce:
    """A notice. `original_ids` are the Message-IDs it may be about, the likeliest first; addresses are in lower case.

    `failed` gives (reply code, reason) for each address. `text`: what a notice without a report says, to find addresses
    in; "" where a report names them.
    """

    original_ids: tuple[str, ...]
    failed: dict[str, tuple[int | None, str]]
    delayed: frozenset[str]
    text: str = ""


def may_be_bounce(from_address: str) -> bool:
    """True for the names that mail servers sign with."""
    return from_address.lower().partition("@")[0] in _SENDERS


def parse_bounce(raw: bytes) -> Bounce | None:
    """Return what a notice says; None for anything that is none."""
    try:
        return _parse(message_from_bytes(raw[:MAX_BYTES]))
    except Exception:  # the standard library's parser breaks in many ways on hostile mail
        return None


def _parse(top: Message) -> Bounce | None:
    parts = _parts(top)
    report = top.get_content_type() == "multipart/report"
    reported_as = str(top.get_param("report-type") or "").lower()
    if report and reported_as not in ("", "delivery-status"):
        return None  # read receipts, complaints
    sender = parseaddr(str(top.get("From", "")))[1]
    listed = [one.strip().lower() for one in str(top.get("X-Failed-Recipients", "")).replace("\n", " ").split(",")]
    listed = [one for one in listed if "@" in one][:MAX_FAILED]
    if not (report or listed or may_be_bounce(sender)):
        return None
    failed, delayed = _groups(parts)
    text = "\n".join(body for kind, body in parts if kind == "text/plain")[:100_000]
    subject = str(top.get("Subject", ""))
    late = bool(delayed) or (bool(_DELAY.search(subject)) and not _FAILURE.search(subject))
    if not failed and not late:
        failed = {address: (_code(text), _reason_near(text, address)) for address in listed}
    ids = _original_ids(top, parts)
    names_itself = not failed and not late and not report and bool(_FAILURE.search(subject + "\n" + text))
    if not ids or not (failed or delayed or names_itself):
        return None
    return Bounce(ids, failed, frozenset(delayed - failed.keys()), text if names_itself else "")


def _parts(top: Message) -> list[tuple[str, str]]:
    """Type and text of each leaf, and of the header of each message inside."""
    found: list[tuple[str, str]] = []
    for part in _walk(top):
        kind = part.get_content_type()
        if kind == "message/delivery-status" and part.is_multipart():
            groups = ["".join(f"{name}: {value}\n" for name, value in each.items()) for each in _inner(part)]
            found.append((kind, "\n\n".join(groups)))
        elif part is not top and part.get("Message-ID") and not kind.startswith("multipart/report"):
            found.append(("header", f"Message-ID: {str(part['Message-ID']).strip()}\n"))
        if not part.is_multipart():
            found.append((kind, _text(part)))
    return found


def _walk(top: Message) -> Iterator[Message]:
    waiting, seen = [top], 0
    while waiting and seen < MAX_PARTS:
        part = waiting.pop(0)
        seen += 1
        yield part
        if part.get_content_type() != "message/delivery-status":
            waiting.extend(_inner(part))


def _inner(part: Message) -> list[Message]:
    if not part.is_multipart():
        return []
    inner: list[Any] = part.get_payload()  # pyright: ignore[reportAssignmentType]  a list, of a multipart
    return [each for each in inner if isinstance(each, Message)]


def _text(part: Message) -> str:
    if part.get_content_maintype() not in ("text", "message"):
        return ""
    data = part.get_payload(decode=True)
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else str(part.get_payload() or "")


def _groups(parts: list[tuple[str, str]]) -> tuple[dict[str, tuple[int | None, str]], set[str]]:
    """Read the recipients' fields of a report (RFC 3464 2.3), wherever they stand."""
    failed: dict[str, tuple[int | None, str]] = {}
    delayed: set[str] = set()
    for kind, body in parts:
        if kind != "message/delivery-status" and not (kind == "text/plain" and "Final-Recipient:" in body):
            continue
        for group in _GROUP.split(body.replace("\r\n", "\n")):
            fields = {name.lower(): " ".join(value.split()) for name, value in _FIELD.findall(group)}
            addresses = {
                _address(fields[name]) for name in ("original-recipient", "final-recipient") if name in fields
            } - {""}
            action, status = fields.get("action", "").lower(), fields.get("status", "")
            if not addresses or len(failed) >= MAX_FAILED:
                continue
            if action.startswith("delayed"):
                delayed |= addresses
            elif action.startswith("failed") or (not action and status.startswith("5")):
                said = fields.get("diagnostic-code", "").partition(";")[2].strip() or status
                failed.update(dict.fromkeys(addresses, (_code(said), said[:MAX_REASON])))
    return failed, delayed


def _address(value: str) -> str:
    """The address of "rfc822; a@b.test", also in brackets and without its type."""
    text = value.rpartition(";")[2].strip().strip("<>").lower()
    return text if "@" in text and " " not in text and len(text) < 500 else ""


def _original_ids(top: Message, parts: list[tuple[str, str]]) -> tuple[str, ...]:
    """Message-IDs of what came back, then those the notice answers (Exchange sets In-Reply-To and References)."""
    own = str(top.get("Message-ID", "")).strip().strip("<>")
    found: dict[str, None] = {}
    for kind, body in parts:
        if kind in ("header", "message/rfc822", "text/rfc822-headers", "text/plain", "text/rfc822"):
            found.update(dict.fromkeys(_ID.findall(body)))
    for name in ("In-Reply-To", "References"):
        found.update(dict.fromkeys(_ANY_ID.findall(str(top.get(name, "")))))
    return tuple(each for each in found if each != own)[:MAX_IDS]


def _code(text: str) -> int | None:
    found = _CODE.search(text)
    return int(found[1]) if found else None


def _reason_near(text: str, address: str) -> str:
    """The lines of a notice in plain text that follow the address it names."""
    at = text.lower().find(address)
    after = text[at + len(address) :][:1000].lstrip(" >:\r\n\t") if at >= 0 else ""
    return " ".join(after.split("----")[0].split())[:MAX_REASON]
