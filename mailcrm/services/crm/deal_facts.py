"""What a deal's card says besides its own row: next step, labels, last mail, whether it is quiet.

A constant number of statements for any number of deals. Mail counts as far as the actor may read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col

from mailcrm.models import (
    Activity,
    Deal,
    DealStage,
    Label,
    LabelUse,
    Stage,
    UtcDateTime,
    utcnow,
)
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import newest
from mailcrm.services.crm.views import LabelMark, NextStep
from mailcrm.services.given import dialect_of, one_of
from mailcrm.services.mail.message_views import tracking_of
from mailcrm.services.mail.views import TrackingView
from mailcrm.services.rows import pick, rows


@dataclass(slots=True)
class Facts:
    """Of one deal."""

    last_email_at: datetime | None = None
    last_email_out: bool = False
    tracking: TrackingView | None = None
    next_step: NextStep | None = None
    labels: tuple[LabelMark, ...] = ()
    touched_at: datetime | None = None  # the last thing anybody did: mail, an activity done


def of_deals(session: Session, actor: Actor, deal_ids: Sequence[int]) -> dict[int, Facts]:
    """Return the facts of these deals, which the caller has authorised."""
    found = {deal_id: Facts() for deal_id in deal_ids}
    if not found:
        return found
    _mail(session, actor, found)
    _activities(session, found)
    for deal_id, marks in labels(session, LabelUse.deal_id, deal_ids).items():
        found[deal_id].labels = marks
    return found


def labels(session: Session, target: Any, row_ids: Sequence[int]) -> dict[int, tuple[LabelMark, ...]]:
    """Return the labels of rows in order; `target` is their column of LabelUse."""
    found: dict[int, tuple[LabelMark, ...]] = {}
    uses = pick(target, Label.id, Label.name, Label.color).join(Label, col(Label.id) == col(LabelUse.label_id))
    standing = uses.where(one_of(target, list(row_ids), dialect_of(session)), col(Label.deleted_at).is_(None))
    for row_id, *mark in rows(session, standing.order_by(col(Label.position), col(Label.id))):
        found[row_id] = (*found.get(row_id, ()), LabelMark(*mark))
    return found


def is_quiet(quiet_days: int | None, *moments: datetime | None) -> bool:
    """Whether the newest of these moments lies further back than the stage allows."""
    known = [each for each in moments if each is not None]
    return quiet_days is not None and bool(known) and utcnow() - max(known) > timedelta(days=quiet_days)


def quiet_ids(session: Session, actor: Actor) -> list[int]:
    """Return the ids of the open deals that are quiet, among those the actor may see."""
    entered: Any = func.coalesce(DealStage.entered_at, Deal.created_at, type_=UtcDateTime())
    statement = (
        pick(Deal.id, Stage.quiet_days, entered)
        .join(Stage, col(Stage.id) == col(Deal.stage_id))
        .outerjoin(DealStage, (col(DealStage.deal_id) == col(Deal.id)) & col(DealStage.left_at).is_(None))
        .where(access.visible_crm(actor, Deal), col(Deal.status) == "open", col(Stage.quiet_days).is_not(None))
    )
    now = datetime.now(UTC)
    slept = [row for row in rows(session, statement) if now - row[2] > timedelta(days=row[1])]  # the others can't be
    facts = of_deals(session, actor, [row[0] for row in slept])
    return [row[0] for row in slept if is_quiet(row[1], row[2], facts[row[0]].touched_at)]


def _mail(session: Session, actor: Actor, found: dict[int, Facts]) -> None:
    """The newest visible email of each deal, and the marks of its newest tracked one."""
    for deal_id, row in newest.of_each(session, actor, "deal", list(found)).items():
        facts = found[deal_id]
        facts.last_email_at = facts.touched_at = row.sort_at
        facts.last_email_out = row.direction == "out"
    tracked = newest.of_each(session, actor, "deal", list(found), tracked=True)
    latest = {deal_id: row.id for deal_id, row in tracked.items()}
    marks = tracking_of(session, latest.values())
    for deal_id, message_id in latest.items():
        found[deal_id].tracking = marks.get(message_id)


def _activities(session: Session, found: dict[int, Facts]) -> None:
    """The open activity that is due first, one without a date last; and when the newest was done."""
    theirs = (one_of(col(Activity.deal_id), list(found), dialect_of(session)), col(Activity.deleted_at).is_(None))
    ahead = pick(
        Activity.deal_id, Activity.id, Activity.kind, Activity.subject, Activity.due_on, Activity.due_at
    ).where(*theirs, col(Activity.done_at).is_(None))
    undated = col(Activity.due_on).is_(None)
    for deal_id, *step in rows(
        session, ahead.order_by(undated, col(Activity.due_on), col(Activity.due_at), col(Activity.id))
    ):
        if found[deal_id].next_step is None:
            found[deal_id].next_step = NextStep(*step)
    done = pick(Activity.deal_id, func.max(Activity.done_at, type_=Activity.done_at.type)).where(  # type: ignore[union-attr]
        *theirs, col(Activity.done_at).is_not(None)
    )
    for deal_id, at in rows(session, done.group_by(col(Activity.deal_id))):
        before = found[deal_id].touched_at
        found[deal_id].touched_at = at if before is None else max(before, at)
