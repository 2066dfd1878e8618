"""Bytes of one RFC 5322 message to values: the front door of the parser.

Pure. Raises only UnparsableMessage, and only at a cap or when both parsers fail, on
any bytes whatever (a property test holds that). Does not store, thread or clean HTML.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailcrm.services.mail.parse.addresses import parse_addresses
from mailcrm.services.mail.parse.attachments import list_attachments
from mailcrm.services.mail.parse.body import Body, choose_body, part_text
from mailcrm.services.mail.parse.calendar import read_event
from mailcrm.services.mail.parse.headers import (
    Fields,
    first,
    header_date,
    header_fields,
    header_text,
    message_id,
    message_ids,
    parameters,
    trim_start,
)
from mailcrm.services.mail.parse.quoting import split_quoted
from mailcrm.services.mail.parse.text import snippet_of
from mailcrm.services.mail.parse.tree import Part, parse_tree
from mailcrm.services.mail.parse.values import (
    MAX_ADDRESSES,
    MAX_CALENDAR_BYTES,
    MAX_HEADER_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_REFERENCES,
    Address,
    NoSuchPart,
    ParsedAttachment,
    ParsedEvent,
    ParsedMessage,
    UnparsableMessage,
)
from mailcrm.services.mail.parse.wrapped import CALENDARS, unwrap

_MAX_SUBJECT = 2000  # characters; longer ones are attacks, and columns have ends
_MAX_TEXT_MESSAGE = 2 * 1024 * 1024  # bytes of a message without parts that are read: longer than any letter
_MAX_QUOTE_SCAN = 200_000  # characters, security.md F15


@dataclass(slots=True)
class _Read:
    """A message taken apart."""

    fields: Fields
    root: Part
    body: Body
    files: list[tuple[ParsedAttachment, Part]]


def parse_message(raw: bytes) -> ParsedMessage:
    """Parse one message. Raises UnparsableMessage."""
    try:
        return _build(_read(raw))
    except UnparsableMessage:
        raise
    except RecursionError as error:
        raise UnparsableMessage("quarantine.nested") from error


def parse_for_list(raw: bytes) -> ParsedMessage:
    """Parse one message; one that passes a cap keeps its header fields and has no text. Raises nothing of its own.

    Its `html` is left out where the text does not come from it: lists, threads and the search index need none. So that it is stored, listed and threaded, and can be downloaded: quarantine is for what can't be fetched.
    """
    try:
        return _build(_read(raw, text_only=True))
    except (UnparsableMessage, RecursionError):
        fields, _ = header_fields(trim_start(raw[:MAX_HEADER_BYTES]))
        root = Part("text/plain", {}, "", {}, "", "", b"")
        return _build(_Read(fields, root, Body(), []))


def readable(raw: bytes) -> bytes:
    """Return what is worth parsing for the text of a message: the beginning of one that is a single huge text."""
    if len(raw) <= _MAX_TEXT_MESSAGE:
        return raw
    end = raw.find(b"\n\r\n", 0, MAX_HEADER_BYTES)
    return raw if b"multipart/" in raw[: max(end, 0)].lower() else raw[:_MAX_TEXT_MESSAGE]


def attachment_bytes(raw: bytes, n: int) -> bytes:
    """Return the decoded bytes of attachment `n`. Raises NoSuchPart, UnparsableMessage."""
    return attachment_content(raw, n)[1]


def attachment_content(raw: bytes, n: int) -> tuple[ParsedAttachment, bytes]:
    """Return attachment `n` and its decoded bytes. Raises NoSuchPart, UnparsableMessage."""
    for attachment, content in attachment_contents(raw):
        if attachment.n == n:
            return attachment, content
    raise NoSuchPart(f"The message has no attachment {n}.")


def attachment_contents(raw: bytes) -> Iterator[tuple[ParsedAttachment, bytes]]:
    """Yield each attachment with its decoded bytes. Raises UnparsableMessage."""
    for attachment, part in _read(raw).files:
        yield attachment, part.content


def inline_parts(raw: bytes) -> dict[str, ParsedAttachment]:
    """Return attachments by Content-ID, for `cid:` links; the first of equal ids wins."""
    found: dict[str, ParsedAttachment] = {}
    for attachment, _part in _read(raw).files:
        if attachment.content_id:
            found.setdefault(attachment.content_id, attachment)
    return found


def _read(raw: bytes, *, text_only: bool = False) -> _Read:
    if len(raw) > MAX_MESSAGE_BYTES:
        raise UnparsableMessage("quarantine.too_large", most=MAX_MESSAGE_BYTES // 1024**2)
    raw = trim_start(raw)
    fields, clean = header_fields(raw)
    root = unwrap(parse_tree(raw, clean_header=clean))
    # Whether a part with an id is a picture of the HTML or a file, only the HTML tells.
    text_only = text_only and not any(part.content_id for part in root.walk())
    body = choose_body(root, text_only=text_only)
    return _Read(fields, root, body, list_attachments(root, body))


def _build(read: _Read) -> ParsedMessage:
    fields, root, body = read.fields, read.root, read.body
    charset = root.params.get("charset")  # for 8-bit octets that mailers put into headers
    event, event_n = _event(read.files)
    new, _ = split_quoted(body.text[:_MAX_QUOTE_SCAN])
    senders = _addresses(fields, "sender", charset)
    parents = message_ids(first(fields, "in-reply-to"))
    return ParsedMessage(
        rfc_message_id=message_id(first(fields, "message-id")),
        in_reply_to=parents[0] if parents else None,
        references=message_ids(first(fields, "references"))[-MAX_REFERENCES:],
        subject=header_text(first(fields, "subject"), charset)[:_MAX_SUBJECT],
        sender=senders[0] if senders else None,
        from_=_addresses(fields, "from", charset),
        reply_to=_addresses(fields, "reply-to", charset),
        to=_addresses(fields, "to", charset),
        cc=_addresses(fields, "cc", charset),
        bcc=_addresses(fields, "bcc", charset),
        sent_at=header_date(first(fields, "date")),
        text=body.text,
        html=body.html,
        attachments=tuple(attachment for attachment, _ in read.files),
        snippet=snippet_of(new) or snippet_of(body.text),
        auto_submitted=_is_automatic(fields, root),
        list_id=_list_id(fields),
        event=event,
        event_n=event_n,
    )


def _event(files: list[tuple[ParsedAttachment, Part]]) -> tuple[ParsedEvent | None, int]:
    """Return the first invitation and its attachment's number."""
    for attachment, part in files:
        is_calendar = attachment.content_type in CALENDARS or attachment.filename.lower().endswith(".ics")
        if is_calendar and len(part.content) <= MAX_CALENDAR_BYTES:
            event = read_event(part_text(part))
            if event is not None:
                return event, attachment.n
    return None, 0


def _addresses(fields: Fields, name: str, charset: str | None) -> tuple[Address, ...]:
    """Join repeated fields: broken mailers write one To for each recipient."""
    found: list[Address] = []
    for value in fields.get(name, ()):
        if len(found) < MAX_ADDRESSES:
            found.extend(parse_addresses(value, charset))
    return tuple(found[:MAX_ADDRESSES])


def _is_automatic(fields: Fields, root: Part) -> bool:
    """RFC 3834 5, and what programs older than it write."""
    auto, _ = parameters(header_text(first(fields, "auto-submitted")))
    precedence = header_text(first(fields, "precedence")).lower()
    return (
        (bool(auto) and auto.split()[0] != "no")
        or precedence in ("auto_reply", "auto-reply")
        or first(fields, "x-autoreply") is not None
        or first(fields, "x-autorespond") is not None
        or root.content_type == "multipart/report"
    )


def _list_id(fields: Fields) -> str | None:
    value = header_text(first(fields, "list-id"))
    start, end = value.rfind("<"), value.rfind(">")
    inner = value[start + 1 : end] if 0 <= start < end else value
    return inner.strip()[:255] or None
