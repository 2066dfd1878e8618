"""`/quarantine`: messages that could not be stored or parsed (B02), their bytes, another try."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from mailcrm.endpoints.api.common import Answer, Page, RowId, Who, page
from mailcrm.endpoints.quarantine import as_file
from mailcrm.services.mail import quarantine as verbs

router = APIRouter(prefix="/quarantine", tags=["mailboxes"])
MOST = 200  # items in the answer; `retry` reaches all of them


class Item(Answer):
    """A message that is not in the lists, and why; sender and subject are guesses, `size` null without bytes."""

    id: int
    mailbox_id: int
    mailbox: str
    folder: str
    uid: int
    reason: str
    code: str
    tries: int
    tried_at: datetime
    sender: str
    subject: str
    size: int | None


class Retried(Answer):
    """How many are fetched again at the next sync."""

    retried: int


@router.get("", response_model=Page[Item])
def listing(who: Who) -> Any:
    """Your quarantined messages, oldest first; at most 200."""
    return page(verbs.list_quarantine(who, limit=MOST))


@router.post("/retry", status_code=202, response_model=Retried)
def retry_all(who: Who) -> Any:
    """Fetch all of them again."""
    return {"retried": verbs.retry(who)}


@router.post("/{quarantine_id}/retry", status_code=202, response_model=Retried)
def retry(quarantine_id: RowId, who: Who) -> Any:
    """Fetch one again."""
    verbs.load(who, quarantine_id)
    return {"retried": verbs.retry(who, quarantine_id)}


@router.get("/{quarantine_id}/raw")
def raw(quarantine_id: RowId, who: Who) -> Response:
    """Its bytes, as the server sent them."""
    return as_file(verbs.raw(who, quarantine_id), quarantine_id)
