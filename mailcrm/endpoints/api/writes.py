"""`/mailboxes/{id}/writes`: what waits to be done in a mailbox, and what could not be (M15, M16)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter

from mailcrm.endpoints.api.common import Answer, Page, RowId, Who, page
from mailcrm.errors import NotFound
from mailcrm.services.mail.writeback import shown

router = APIRouter(prefix="/mailboxes/{mailbox_id}/writes", tags=["mailboxes"])
MOST = 200  # of each state in the answer


class Write(Answer):
    """One thing done here that is to be done on the server: `state` is queued or failed, `sentence` says why not yet.

    `kind`: read, unread, archive, unarchive, delete or undelete.
    """

    id: int
    mailbox_id: int
    message_id: int
    thread_id: int
    subject: str
    kind: str
    state: str
    sentence: str
    created_at: datetime
    next_try_at: datetime | None


@router.get("", response_model=Page[Write])
def listing(mailbox_id: RowId, who: Who) -> Any:
    """What failed, then what waits, each oldest first."""
    return page(shown.failed(who, mailbox_id, MOST) + shown.pending_actions(who, mailbox_id, MOST))


@router.post("/{write_id}/retry", status_code=204)
def retry(mailbox_id: RowId, write_id: RowId, who: Who) -> None:
    """Try it again now."""
    _of(mailbox_id, write_id, who)
    shown.retry(who, write_id)


@router.delete("/{write_id}", status_code=204)
def dismiss(mailbox_id: RowId, write_id: RowId, who: Who) -> None:
    """Let a failed one go: nothing more is tried on the server, and nothing changes here."""
    _of(mailbox_id, write_id, who)
    shown.dismiss(who, write_id)


def _of(mailbox_id: int, write_id: int, who: Who) -> None:
    if shown.mailbox_of(who, write_id) != mailbox_id:
        raise NotFound
