"""`/threads` and `/messages`: reading, and changing what is yours."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import AwareDatetime, Field

from mailcrm.endpoints.api.common import Answer, Cursor, Input, Limit, Page, RowId, Who, given, page, plain
from mailcrm.errors import NotFound, UserError
from mailcrm.services.crm.linking import link as linking
from mailcrm.services.mail import labels as thread_labels
from mailcrm.services.mail import messages, readers, reminders, single, threads
from mailcrm.services.mail.messages import MessageContent
from mailcrm.services.mail.render import render_body
from mailcrm.services.mail.thread import manual
from mailcrm.services.mail.views import LinkView, MessageView
from mailcrm.services.tracking import raw, report

router = APIRouter(tags=["mail"])


class Thread(Answer):
    """A conversation in a list."""

    id: int
    subject: str
    snippet: str
    last_at: datetime
    message_count: int
    unread: bool
    visibility: str
    deal_id: int | None
    person_id: int | None


class Address(Answer):
    """A name and an address."""

    name: str
    address: str
    person_id: int | None


class Message(Answer):
    """A message (contract.md). With `include=body`: `html`, cleaned, and `text`; with `headers`: `headers`."""

    id: int
    thread_id: int
    mailbox_id: int
    rfc_message_id: str | None
    direction: str
    subject: str
    snippet: str
    to: list[Address]
    cc: list[Address]
    bcc: list[Address]
    sent_at: datetime | None
    received_at: datetime | None
    read: bool
    archived: bool
    visibility: str
    has_attachments: bool


class ThreadChange(Input):
    """What to change; null unlinks, and takes a reminder back. `remind_days`: when nobody answers for so long."""

    deal_id: int | None = None
    lead_id: int | None = None
    visibility: Literal["private", "shared"] | None = None
    read: bool | None = None
    archived: bool | None = None
    snoozed_until: AwareDatetime | None = None
    remind_days: Annotated[int, Field(ge=1, le=365)] | None = None
    labels: (
        Annotated[list[Annotated[int, Field(ge=1, lt=2**63)]], Field(max_length=thread_labels.MOST_LABELS)] | None
    ) = None


class Reminder(Answer):
    """A conversation that comes back: `kind` "snooze", or "no_reply" unless somebody answers `message_id` before."""

    id: int
    thread_id: int
    kind: str
    due_at: datetime
    message_id: int | None


class MessageChange(Input):
    """Who may see this one message."""

    visibility: Literal["private", "shared"]


class Split(Input):
    """The first message of the new conversation."""

    message_id: Annotated[int, Field(ge=1, lt=2**63)]


class Merge(Input):
    """The conversation that stays."""

    into: Annotated[int, Field(ge=1, lt=2**63)]


@router.get("/threads", response_model=Page[Thread])
def list_threads(
    who: Who,
    folder: Literal["inbox", "snoozed", "sent", "archive", "all"] = "inbox",
    mailbox_id: int | None = None,
    person_id: int | None = None,
    deal_id: int | None = None,
    lead_id: int | None = None,
    visibility: Literal["private", "shared"] | None = None,
    unread: bool = False,
    tracked: bool = False,
    opened: bool = False,
    clicked: bool = False,
    not_opened: bool = False,
    has_attachment: bool = False,
    open_deal: bool = False,
    unlinked: bool = False,
    failed: bool = False,
    label_id: Annotated[list[Annotated[int, Field(ge=1, lt=2**63)]], Query(max_length=20)] = [],  # noqa: B006
    q: Annotated[str, Query(max_length=200)] = "",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """List your conversations, newest first; filters combine with AND."""
    found = threads.list_threads(
        who,
        folder=folder,
        mailbox_id=mailbox_id,
        person_id=person_id,
        deal_id=deal_id,
        lead_id=lead_id,
        visibility=visibility,
        unread=unread,
        tracked=tracked,
        opened=opened,
        clicked=clicked,
        not_opened=not_opened,
        has_attachment=has_attachment,
        open_deal=open_deal,
        unlinked=unlinked,
        failed=failed,
        label_ids=label_id,
        query=q,
        limit=limit,
        cursor=cursor,
    )
    return page(found.rows, found.next_cursor)


@router.get("/search", response_model=Page[Thread])
def search(
    who: Who, q: Annotated[str, Query(min_length=1, max_length=200)], limit: Limit = 50, cursor: Cursor = None
) -> Any:
    """Find your conversations, in all folders, newest first: words, phrases and operators (docs/search.md)."""
    found = threads.list_threads(who, folder="all", query=q, limit=limit, cursor=cursor)
    return page(found.rows, found.next_cursor)


@router.get("/threads/{thread_id}")
def get_thread(thread_id: RowId, who: Who) -> dict[str, Any]:
    """A conversation with the messages that you may see."""
    view = threads.open_thread(who, thread_id)
    found = plain(view)
    found["messages"] = [_message(message, view.links) for message in view.messages]
    found["links"] = _links(view.links)
    standing = {each.kind: each.due_at for each in reminders.of_thread(who, thread_id)}
    found["snoozed_until"] = standing.get("snooze")
    found["remind_at"] = standing.get("no_reply")
    return found


@router.get("/reminders", response_model=Page[Reminder])
def list_reminders(who: Who) -> Any:
    """What comes back to you, the next one first, at most 500."""
    return page(reminders.list_reminders(who))


@router.get("/threads/{thread_id}/readers")
def thread_readers(thread_id: RowId, who: Who) -> Any:
    """Who can read a conversation now, and who would if you shared it."""
    return plain(readers.of_thread(who, thread_id))


@router.patch("/threads/{thread_id}")
def change_thread(thread_id: RowId, body: ThreadChange, who: Who) -> dict[str, Any]:
    """Link, share, mark or archive a conversation of yours; each change is one step, in this order."""
    changes = given(body)
    for name in ("deal_id", "lead_id"):
        if name in changes:
            _link(who, thread_id, name, changes[name])
    if changes.get("labels") is not None:
        thread_labels.set_labels(who, thread_id, changes["labels"])
    if changes.get("visibility") is not None:
        threads.set_visibility(who, thread_id, changes["visibility"])
    if changes.get("read") is not None:
        threads.mark_read(who, thread_id, changes["read"])
    if changes.get("archived") is not None:
        threads.archive(who, thread_id, changes["archived"])
    if "snoozed_until" in changes:
        _snooze(who, thread_id, body.snoozed_until)
    if "remind_days" in changes:
        _remind(who, thread_id, body.remind_days)
    return get_thread(thread_id, who)


@router.delete("/threads/{thread_id}", status_code=204)
def delete_thread(thread_id: RowId, who: Who) -> None:
    """Delete a conversation of yours here."""
    threads.delete(who, thread_id)


@router.post("/threads/{thread_id}/split")
def split_thread(thread_id: RowId, body: Split, who: Who) -> dict[str, Any]:
    """Let a message and those that answer it be a conversation of their own; answers the new conversation."""
    view = threads.open_thread(who, thread_id)
    if all(message.id != body.message_id for message in view.messages):
        raise NotFound
    return get_thread(manual.split_thread(who, body.message_id), who)


@router.post("/threads/{thread_id}/merge")
def merge_threads(thread_id: RowId, body: Merge, who: Who) -> dict[str, Any]:
    """Move a conversation of yours into another one; answers that one."""
    manual.merge_threads(who, thread_id, body.into)
    return get_thread(body.into, who)


@router.get("/threads/{thread_id}/messages", response_model=Page[Message])
def list_messages(thread_id: RowId, who: Who) -> Any:
    """The conversation's messages that you may see, oldest first."""
    view = threads.open_thread(who, thread_id)
    return {"items": [_message(message, view.links) for message in view.messages], "next_cursor": None}


@router.get("/messages/{message_id}/readers")
def message_readers(message_id: RowId, who: Who) -> Any:
    """Who can read one message now, and who would if you shared it."""
    return plain(readers.of_message(who, message_id))


@router.patch("/messages/{message_id}", response_model=Message)
def change_message(message_id: RowId, body: MessageChange, who: Who) -> Any:
    """Share one message of yours, or keep it private."""
    threads.set_message_visibility(who, message_id, body.visibility)
    return get_message(message_id, who)


@router.get("/messages/{message_id}", response_model=Message)
def get_message(message_id: RowId, who: Who, include: Annotated[str, Query(max_length=40)] = "") -> Any:
    """One message; `include=body,headers` adds them."""
    view, links = single.open_message(who, message_id)
    found = _message(view, links)
    wanted = {part.strip() for part in include.split(",") if part.strip()}
    if unknown := wanted - {"body", "headers"}:
        raise UserError("input.invalid", value=min(unknown)[:40], field="include")
    if "body" in wanted:
        content = messages.load_body(who, message_id)
        found["text"] = content.parsed.text if content.parsed else ""
        found["html"] = _cleaned(content)
    if "headers" in wanted:
        lines = single.header_lines(messages.load_raw(who, message_id))
        found["headers"] = [{"name": name, "value": value} for name, value in lines]
    return found


@router.get("/messages/{message_id}/raw")
def get_raw(message_id: RowId, who: Who) -> Response:
    """The message as it came."""
    return _file(messages.load_raw(who, message_id), f"message-{message_id}.eml")


@router.get("/messages/{message_id}/attachments/{n}")
def get_attachment(message_id: RowId, n: int, who: Who) -> Response:
    """A file of the message."""
    found, data = messages.load_attachment(who, message_id, n)
    return _file(data, found.filename or f"attachment-{n}")


@router.get("/messages/{message_id}/tracking")
def get_tracking(message_id: RowId, who: Who, limit: Limit = 50, cursor: Cursor = None) -> dict[str, Any]:
    """Opens and clicks: claims, not facts. `events` is the raw list, newest first, page by page.

    Each event has its class (`kind`), the reasons, the version of the rules, and whose copy it was where that is known.
    """
    found = plain(report.marks(who, message_id))
    listed = raw.events(who, message_id, cursor=cursor, limit=limit)
    return found | {"events": [plain(each) for each in listed.rows], "next_cursor": listed.next_cursor}


def _snooze(who: Who, thread_id: int, until: datetime | None) -> None:
    if until is None:
        reminders.cancel(who, thread_id, "snooze")
    else:
        reminders.snooze(who, thread_id, until)


def _remind(who: Who, thread_id: int, days: int | None) -> None:
    if days is None:
        reminders.cancel(who, thread_id, "no_reply")
    else:
        reminders.remind_of_reply(who, thread_id, days)


def _link(who: Who, thread_id: int, name: str, target_id: int | None) -> None:
    if target_id is not None:
        if name == "deal_id":
            linking.link_thread(who, thread_id, deal_id=target_id)
        else:
            linking.link_thread(who, thread_id, lead_id=target_id)
        return
    kind = name.removesuffix("_id")
    for each in threads.open_thread(who, thread_id).links:
        if each.kind == kind:
            linking.unlink(who, each.id)


def _message(view: MessageView, links: tuple[LinkView, ...]) -> dict[str, Any]:
    found = plain(view)
    found["from"] = found.pop("sender")
    found["has_attachments"] = any(not attachment.inline for attachment in view.attachments)
    found["links"] = _links(links)
    if view.tracking is not None:
        found["tracking"] = {
            name: found["tracking"][name] for name in ("opens", "clicks", "first_opened_at", "last_opened_at")
        }
    for name in ("at", "has_html"):
        found.pop(name)
    return found


def _links(links: tuple[LinkView, ...]) -> list[dict[str, Any]]:
    return [
        {"kind": each.kind, "id": each.target_id, "link_id": each.id, "origin": each.origin, "reason": each.reason}
        for each in links
    ]


def _cleaned(content: MessageContent) -> str | None:
    """The document that the interface's frame shows; its attachments' URLs are relative to `/m/{id}/`."""
    parsed = content.parsed
    if parsed is None or parsed.html is None:
        return None
    parts = {each.content_id: each.n for each in reversed(parsed.attachments) if each.content_id}
    return render_body(
        parsed.html,
        parsed.text,
        content_hash=content.content_hash,
        remote_images=False,
        attachment_url=lambda cid: f"attachments/{parts[cid]}?inline=1" if cid in parts else None,
    ).document


def _file(data: bytes, filename: str) -> Response:
    return Response(
        data,
        media_type="application/octet-stream",  # never what the sender declares
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(filename, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        },
    )
