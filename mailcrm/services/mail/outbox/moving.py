"""What becomes of a mailbox's drafts and waiting mail when the mailbox is removed.

Nothing that was written goes without being said: drafts, and what waits or failed as drafts again, move to another
mailbox of their user; where there is none they are deleted, and whoever removes it was told how many. Mail that waits
is stopped only when its number was agreed to, and what is being handed over right now is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, delete, func, select, update

from mailcrm.errors import UserError
from mailcrm.models import Mailbox, Outbox, OutboxRecipient, utcnow
from mailcrm.services import access, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.writing import fill

_WAITING = ("queued", "unknown")
_AGAIN = ("queued", "failed", "unknown")  # become drafts again


@dataclass(frozen=True)
class Leaving:
    """What a mailbox's removal touches: `to` is the address that takes the drafts, "" when they are deleted."""

    drafts: int
    waiting: int
    sending: int
    to: str


def leaving(actor: Actor, mailbox_id: int) -> Leaving:
    """Return what the removal of a mailbox of the actor's would touch."""
    with reading() as session:
        return _counted(session, access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor)))


def move_out(session: Session, mailbox: Mailbox, stop_waiting: int) -> None:
    """Take everything unsent out of a mailbox that is about to go. Helper: no commit.

    Raises UserError: "mailbox.sending", and "mailbox.waiting" when more mail waits than `stop_waiting`.
    """
    # whoever takes a message for sending waits for this, and finds it gone from the queue
    session.exec(select(Outbox.id).where(Outbox.mailbox_id == mailbox.id).with_for_update())
    found, other = _counted(session, mailbox), _other(session, mailbox)
    if found.sending:
        raise UserError("mailbox.sending", address=mailbox.address)
    if found.waiting > stop_waiting:
        raise UserError("mailbox.waiting", n=found.waiting, address=mailbox.address)
    mine = col(Outbox.mailbox_id) == mailbox.id
    if other is not None:
        for row in session.exec(select(Outbox).where(mine, col(Outbox.state).in_(_AGAIN))).all():
            _as_draft(session, row)
        session.flush()
        session.exec(  # type: ignore[call-overload]
            update(Outbox)
            .where(mine, col(Outbox.state).in_(("draft", "cancelled")))
            .values(mailbox_id=other.id, from_address="", revision=col(Outbox.revision) + 1, updated_at=utcnow())
        )
    session.exec(delete(Outbox).where(mine))
    live.hint(session, mailbox.user_id, "outbox")


def _counted(session: Session, mailbox: Mailbox) -> Leaving:
    counts = dict(
        session.exec(
            select(Outbox.state, func.count()).where(Outbox.mailbox_id == mailbox.id).group_by(Outbox.state)
        ).all()
    )
    other = _other(session, mailbox)
    return Leaving(
        drafts=counts.get("draft", 0) + counts.get("failed", 0),
        waiting=sum(counts.get(state, 0) for state in _WAITING),
        sending=counts.get("sending", 0),
        to=other.address if other is not None else "",
    )


def _other(session: Session, mailbox: Mailbox) -> Mailbox | None:
    """The user's first other mailbox that mail can be sent from."""
    query = select(Mailbox).where(
        Mailbox.user_id == mailbox.user_id, Mailbox.id != mailbox.id, col(Mailbox.kind) != "bcc"
    )
    return session.exec(query.order_by(col(Mailbox.id))).first()


def _as_draft(session: Session, row: Outbox) -> None:
    """Make a draft for those who did not get it yet; the reason of a failure stays with it."""
    mine = col(OutboxRecipient.outbox_id) == row.id
    session.exec(delete(OutboxRecipient).where(mine, col(OutboxRecipient.state) == "accepted"))
    session.exec(  # type: ignore[call-overload]
        update(OutboxRecipient).where(mine).values(state="waiting", reply_code=None, reply_text="", handed_over_at=None)
    )
    row.state, row.rfc_message_id, row.dated_at, row.handed_over_at = "draft", None, None, None
    row.send_at, row.next_try_at, row.send_local, row.send_zone, row.tries = None, None, "", "", 0
    fill.restore(row)
    session.add(row)
