"""A message that failed becomes a draft again, with the reason it failed for, so that its writer can put it right (B10).

Only what certainly did not go out to those it is now for: whoever the server accepted is taken off the draft. What is
unknown stays where it is. Does not send.
"""

from __future__ import annotations

from sqlmodel import col, delete, update

from mailcrm.errors import UserError
from mailcrm.models import Outbox, OutboxRecipient, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import transaction
from mailcrm.services.mail.outbox import rows
from mailcrm.services.mail.outbox.views import DraftView
from mailcrm.services.writing import fill


def reopen(actor: Actor, outbox_id: int) -> DraftView:
    """Make a draft of a failed message. Raises UserError("outbox.not_failed") in any other state."""
    with transaction() as session:
        row = access.load(session, Outbox, outbox_id, access.own_outbox(actor))
        taken = session.exec(  # type: ignore[call-overload]
            update(Outbox)
            .where(col(Outbox.id) == row.id, col(Outbox.state) == "failed")
            .values(
                state="draft", rfc_message_id=None, dated_at=None, send_at=None, next_try_at=None, tries=0,
                send_local="", send_zone="", handed_over_at=None, updated_at=utcnow(),
            )
        )  # fmt: skip
        if taken.rowcount != 1:
            raise UserError("outbox.not_failed")
        mine = col(OutboxRecipient.outbox_id) == row.id
        session.exec(delete(OutboxRecipient).where(mine, col(OutboxRecipient.state) == "accepted"))
        session.exec(
            update(OutboxRecipient)
            .where(mine)
            .values(state="waiting", reply_code=None, reply_text="", handed_over_at=None)
        )  # type: ignore[call-overload]
        session.refresh(row)
        fill.restore(row)
        audit.record(session, actor, "reopen", "outbox", row.id)
        live.hint(session, actor.user_id, "outbox", row.id)
        return rows.view(session, actor, row)
