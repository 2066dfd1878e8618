"""Figures of a person's email: how much came and went, what was opened, how fast they answer.

Counts only what the viewer may see, each email once however many mailboxes hold it. A rate is the caller's to make.
Reads only; looks at the newest emails alone, so that a page of somebody with a long history opens as fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlmodel import Session, col

from mailcrm.models import Message, Person, PersonAddress, TrackedMessage
from mailcrm.services.access import Actor
from mailcrm.services.crm import contact_rows
from mailcrm.services.crm.linking import linked
from mailcrm.services.crm.linking.addresses import same
from mailcrm.services.db import reading
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.rows import chunks, pick, rows

MOST = 2000  # emails looked at, the newest
FEWEST_REPLIES = 2  # one answer is no habit


@dataclass(frozen=True, slots=True)
class Letter:
    """One email of a person's conversations; `side` is "them", "us" or "other"."""

    at: datetime
    thread_id: int
    side: str


@dataclass(frozen=True, slots=True)
class Correspondence:
    """What is known of a person's email. `opened` of `opens_on` emails that were tracked; clicks likewise."""

    last_reply_at: datetime | None = None
    received: int = 0
    sent: int = 0
    opens_on: int = 0
    opened: int = 0
    clicks_on: int = 0
    clicked: int = 0
    reply_after: timedelta | None = None


def correspondence(actor: Actor, person_id: int) -> Correspondence:
    """Return the figures of a person's email; four statements, whatever its size."""
    with reading() as session:
        contact_rows.load(session, actor, Person, person_id)
        addresses = pick(PersonAddress.address).where(col(PersonAddress.person_id) == person_id)
        theirs = {same(row.address) for row in rows(session, addresses)}
        ours = {same(each) for own in workspace_addresses(session).values() for each in own}
        letters, ids = _letters(session, actor, person_id, theirs, ours)
        received = [each for each in letters if each.side == "them"]
        opens, clicks = _tracked(session, ids, theirs)
        return Correspondence(
            last_reply_at=max((each.at for each in received), default=None),
            received=len(received),
            sent=sum(each.side == "us" for each in letters),
            opens_on=len(opens),
            opened=sum(opens),
            clicks_on=len(clicks),
            clicked=sum(clicks),
            reply_after=typical_reply(letters),
        )


def typical_reply(letters: Sequence[Letter]) -> timedelta | None:
    """Return the median of the times from the first unanswered email of ours to their answer; None below two."""
    waiting: dict[int, datetime] = {}
    took: list[float] = []
    for each in sorted(letters, key=lambda one: one.at):
        if each.side == "us":
            waiting.setdefault(each.thread_id, each.at)
        elif each.side == "them" and each.thread_id in waiting:
            took.append((each.at - waiting.pop(each.thread_id)).total_seconds())
    return timedelta(seconds=median(took)) if len(took) >= FEWEST_REPLIES else None


def _letters(
    session: Session, actor: Actor, person_id: int, theirs: set[str], ours: set[str]
) -> tuple[list[Letter], list[int]]:
    """The emails, one copy of each (own before others'), and the ids of all copies."""
    of_person = linked.messages("person", [person_id], actor).subquery()
    found = rows(
        session,
        pick(
            Message.id,
            Message.user_id,
            Message.rfc_message_id,
            Message.thread_id,
            Message.direction,
            Message.from_address,
            Message.sort_at,
        )
        .join(of_person, of_person.c.message_id == col(Message.id))
        .where(linked.shown(actor))
        .order_by(col(Message.sort_at).desc(), col(Message.id).desc())
        .limit(MOST),
    )
    copies: dict[str, tuple[bool, Letter]] = {}
    for row in found:
        sender = same(row.from_address)
        side = "them" if sender in theirs else "us" if row.direction == "out" or sender in ours else "other"
        name, own = row.rfc_message_id or f"id:{row.id}", row.user_id == actor.user_id
        if name not in copies or (own and not copies[name][0]):
            copies[name] = (own, Letter(row.sort_at, row.thread_id, side))
    return [letter for _, letter in copies.values()], [row.id for row in found]


def _tracked(session: Session, ids: list[int], theirs: set[str]) -> tuple[list[bool], list[bool]]:
    """For each tracked email whether it was opened, and for each with tracked links whether one was clicked.

    Of an email that went out as a copy for each recipient (B04), this person's copies count, once together.
    """
    opens: dict[int, bool] = {}
    clicks: dict[int, bool] = {}
    for part in chunks(ids):
        wanted = pick(
            TrackedMessage.message_id, TrackedMessage.recipient, TrackedMessage.opens_on, TrackedMessage.clicks_on,
            TrackedMessage.opens, TrackedMessage.clicks,
        ).where(col(TrackedMessage.message_id).in_(part))  # fmt: skip
        for row in rows(session, wanted):
            if row.recipient and same(row.recipient) not in theirs:
                continue
            if row.opens_on:  # a click implies an open (B05)
                opens[row.message_id] = opens.get(row.message_id, False) or row.opens > 0 or row.clicks > 0
            if row.clicks_on:
                clicks[row.message_id] = clicks.get(row.message_id, False) or row.clicks > 0
    return list(opens.values()), list(clicks.values())
