"""What became of the emails that the actor sent with each template: counted from the outbox and from tracking.

Only the actor's own emails are counted: how a colleague's private email did is nobody else's business, even as a number.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import case, func
from sqlalchemy.orm import aliased
from sqlmodel import col

from mailcrm.models import Message, Outbox, TrackedMessage, utcnow
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.rows import pick, rows
from mailcrm.services.writing.views import TemplateResults

DAYS = 90


def results(actor: Actor, *, days: int = DAYS) -> dict[int, TemplateResults]:
    """Return the results by template, of emails sent in so many days. One statement."""
    answer, sent = aliased(Message), aliased(Message)
    answered = (
        pick(answer.id)
        .where(
            col(answer.thread_id) == col(sent.thread_id),
            col(answer.user_id) == actor.user_id,
            col(answer.direction) == "in",
            col(answer.sort_at) > col(Outbox.sent_at),
            col(answer.deleted_at).is_(None),
            col(answer.hidden).is_(False),
            col(answer.blocked).is_(False),
        )
        .correlate(sent, Outbox)
        .exists()
    )
    found = (
        pick(
            Outbox.template_id,
            *[  # an email counts once, also where each recipient had a copy (B04)
                func.count(func.distinct(case((condition, Outbox.id))))
                for condition in (
                    col(Outbox.id).is_not(None),
                    col(TrackedMessage.opens_on).is_(True),
                    col(TrackedMessage.opens) > 0,
                    col(TrackedMessage.clicks) > 0,
                    answered,
                )
            ],
        )
        .select_from(Outbox)
        .outerjoin(TrackedMessage, col(TrackedMessage.outbox_id) == col(Outbox.id))
        .outerjoin(sent, col(sent.id) == col(Outbox.message_id))
        .where(
            access.own_outbox(actor),
            col(Outbox.state) == "sent",
            col(Outbox.template_id).is_not(None),
            col(Outbox.sent_at) > utcnow() - timedelta(days=days),
        )
        .group_by(col(Outbox.template_id))
    )
    with reading() as session:
        return {row[0]: TemplateResults(*(int(value or 0) for value in row)) for row in rows(session, found)}
