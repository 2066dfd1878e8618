"""`POST /messages` sends, `/outbox/{id}` follows, changes or takes back."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header
from pydantic import AwareDatetime, Field

from mailcrm.endpoints.api.common import Answer, Input, RowId, Who, given, plain
from mailcrm.errors import UserError
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.outbox import draft, queue, submit
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
    reply_to_message_id: int | None = None
    attachments: Annotated[list[NewFile], Field(max_length=100)] = []
    track_opens: bool | None = None
    track_clicks: bool | None = None
    deal_id: int | None = None
    visibility: Literal["private", "shared"] | None = None
    send_at: AwareDatetime | None = None


class OutboxChange(Input):
    """`state` "draft" takes a queued message back, "queued" sends a failed one again."""

    state: Literal["draft", "queued"]


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


@router.post("/messages", status_code=202, response_model=Outgoing)
def send(
    body: NewMessage,
    who: Who,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> Any:
    """Send a message. With an `Idempotency-Key`, the same request again sends nothing and gives the first answer."""
    box = mailboxes.get(who, body.mailbox_id)
    entered = DraftInput(
        mailbox_id=box.id,
        to=", ".join(body.to),
        cc=", ".join(body.cc),
        bcc=", ".join(body.bcc),
        subject=body.subject,
        html=body.html if body.html is not None else paragraphs(body.text or ""),
        track_opens=box.track_opens if body.track_opens is None else body.track_opens,
        track_clicks=box.track_clicks if body.track_clicks is None else body.track_clicks,
        visibility=body.visibility or box.default_visibility,
        deal_id=body.deal_id,
    )
    return _answer(
        submit.submit(
            who,
            entered,
            files=[submit.File(each.filename, each.content_type, _decoded(each.content)) for each in body.attachments],
            reply_to_message_id=body.reply_to_message_id,
            send_at=body.send_at,
            idempotency_key=idempotency_key or None,
        )
    )


@router.get("/outbox/{outbox_id}", response_model=Outgoing)
def get(outbox_id: RowId, who: Who) -> Any:
    """A draft or outgoing message of yours."""
    return _answer(draft.get(who, outbox_id))


@router.patch("/outbox/{outbox_id}", response_model=Outgoing)
def change(outbox_id: RowId, body: OutboxChange, who: Who) -> Any:
    """Take a queued message back, or send a failed one again."""
    wanted = given(body)["state"]
    return _answer(queue.undo(who, outbox_id) if wanted == "draft" else queue.retry(who, outbox_id))


@router.delete("/outbox/{outbox_id}", status_code=204)
def discard(outbox_id: RowId, who: Who) -> None:
    """Throw a draft or a failed message away."""
    draft.discard(who, outbox_id)


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
