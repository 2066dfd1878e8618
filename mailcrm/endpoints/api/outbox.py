"""`POST /messages` sends, `/outbox` lists, `/outbox/{id}` follows, changes or takes back."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header
from pydantic import AwareDatetime, Field

from mailcrm.endpoints.api.common import Answer, Cursor, Input, Limit, Page, RowId, Who, given, plain
from mailcrm.errors import UserError
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.outbox import attempts, draft, queue, submit
from mailcrm.services.mail.outbox.addresses import check_addresses
from mailcrm.services.mail.outbox.html import paragraphs
from mailcrm.services.mail.outbox.views import DraftInput, DraftView

router = APIRouter(tags=["outbox"])

Addresses = Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=500)]


class NewFile(Input):
    """A file; `content` is base64."""

    filename: Annotated[str, Field(min_length=1, max_length=255)]
    content_type: Annotated[str, Field(max_length=200)] = "application/octet-stream"
    content: str


class NewMessage(Input):
    """A message to send. Settings that are left out are the mailbox's."""

    mailbox_id: int
    to: Addresses
    cc: Addresses = []
    bcc: Addresses = []
    subject: Annotated[str, Field(max_length=1000)] = ""
    html: str | None = None
    text: str | None = None
    plain: bool = False
    reply_to_message_id: int | None = None
    attachments: Annotated[list[NewFile], Field(max_length=100)] = []
    track_opens: bool | None = None
    track_clicks: bool | None = None
    #: A copy of its own for each recipient, so that it is known who opened; at most 25, then one email for all.
    track_copies: bool | None = None
    deal_id: int | None = None
    lead_id: int | None = None
    template_id: int | None = None
    from_address: Annotated[str, Field(max_length=320)] = ""
    visibility: Literal["private", "shared"] | None = None
    send_at: AwareDatetime | None = None
    send_local: Annotated[str, Field(max_length=40)] = ""
    send_zone: Annotated[str, Field(max_length=60)] = ""
    remind_days: Annotated[int, Field(ge=1, le=365)] | None = None
    send_anyway: bool = False


class OutboxChange(Input):
    """What to change of a message on its way; null as `send_at` lets it leave now.

    `state`: "draft" takes a queued message back, "queued" sends a failed one again, "sent" settles an unknown one.
    """

    state: Literal["draft", "queued", "sent"] | None = None
    send_at: AwareDatetime | None = None
    send_local: Annotated[str, Field(max_length=40)] = ""
    send_zone: Annotated[str, Field(max_length=60)] = ""


class Outgoing(Answer):
    """A message on its way: queued, sending, sent, failed or unknown."""

    id: int
    mailbox_id: int
    state: str
    subject: str
    send_at: datetime | None
    sent_at: datetime | None
    message_id: int | None
    thread_id: int | None
    error_code: str
    next_try_at: datetime | None
    send_local: str
    send_zone: str
    remind_days: int | None


@router.post("/messages", status_code=202, response_model=Outgoing)
def send(
    body: NewMessage,
    who: Who,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Any:
    """Send a message. With an `Idempotency-Key`, the same request again sends nothing and gives the first answer.

    Another request with the same key is refused with 409. A template is put above `html`, its subject where there is
    none. `html` or `text` is left out for the template's alone.
    """
    box = mailboxes.get(who, body.mailbox_id)
    entered = DraftInput(
        mailbox_id=box.id,
        to=_joined("to", body.to),
        cc=_joined("cc", body.cc),
        bcc=_joined("bcc", body.bcc),
        subject=body.subject,
        html=body.html if body.html is not None else paragraphs(body.text or ""),
        track_opens=box.track_opens if body.track_opens is None else body.track_opens,
        track_clicks=box.track_clicks if body.track_clicks is None else body.track_clicks,
        track_copies=box.track_copies if body.track_copies is None else body.track_copies,
        visibility=body.visibility or box.default_visibility,
        deal_id=body.deal_id,
        lead_id=body.lead_id,
        from_address=body.from_address,
        plain=body.plain,
    )
    wanted = submit.Wanted(
        reply_to_message_id=body.reply_to_message_id,
        template_id=body.template_id,
        send_at=body.send_at,
        send_local=body.send_local,
        send_zone=body.send_zone,
        remind_days=body.remind_days,
        send_anyway=body.send_anyway,
        key=idempotency_key or None,
        digest=hashlib.sha256(body.model_dump_json(exclude_unset=True).encode()).hexdigest(),
    )
    files = [submit.File(each.filename, each.content_type, _decoded(each.content)) for each in body.attachments]
    return _answer(submit.submit(who, entered, wanted, files=files))


@router.get("/outbox", response_model=Page[Outgoing])
def list_outbox(
    who: Who,
    state: Literal["draft", "queued", "sending", "sent", "failed", "unknown"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """Your drafts and outgoing messages, the last changed first."""
    found = queue.page_of_outbox(who, (state,) if state else queue.ALL, cursor, limit)
    return {"items": [_answer(row) for row in found.rows], "next_cursor": found.next_cursor}


@router.get("/outbox/{outbox_id}", response_model=Outgoing)
def get(outbox_id: RowId, who: Who) -> Any:
    """A draft or outgoing message of yours, with each try to send it (`attempts`)."""
    found = _answer(draft.get(who, outbox_id))
    found["attempts"] = [plain(each) for each in attempts.list_attempts(who, outbox_id)]
    return found


@router.patch("/outbox/{outbox_id}", response_model=Outgoing)
def change(outbox_id: RowId, body: OutboxChange, who: Who) -> Any:
    """Take a queued message back, let it leave at another time, send a failed one again, or say that one arrived."""
    changes = given(body)
    verbs = {"draft": queue.undo, "queued": queue.retry, "sent": queue.confirm}
    if body.state is not None:
        return _answer(verbs[body.state](who, outbox_id))
    if changes.keys() & {"send_at", "send_local"}:
        at, local, zone = body.send_at, body.send_local, body.send_zone
        return _answer(queue.reschedule(who, outbox_id, send_at=at, send_local=local, send_zone=zone))
    raise UserError("input.missing", field="state")


@router.delete("/outbox/{outbox_id}", status_code=204)
def discard(outbox_id: RowId, who: Who) -> None:
    """Throw a draft or a failed message away."""
    draft.discard(who, outbox_id)


def _joined(field: str, recipients: list[str]) -> str:
    """Join them. Each is one: a program passes on what somebody typed, and a second recipient in it was not meant."""
    for each in recipients:
        if len(check_addresses(each)) > 1:
            raise UserError("input.invalid", value=each[:40], field=field)
    return ", ".join(recipients)


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UserError("input.invalid", value=content[:20], field="content") from error


def _answer(view: DraftView) -> dict[str, Any]:
    found = plain(view)
    for name in ("html", "quoted", "error_params"):
        found.pop(name, None)
    return found
