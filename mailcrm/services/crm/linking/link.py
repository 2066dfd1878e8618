"""Links made and taken off by hand, one conversation or many, each with its undo.

Links tie whole threads (settled question 8: a link brings the earlier messages along). An unlinked row stays with its
moment, so that the rules leave it alone (M30); only a person brings it back. What the rules do is rules.py's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_
from sqlmodel import Session, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Deal, Lead, Link, Message, Person, Thread, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import directory, guard, match, pending
from mailcrm.services.crm.linking.directory import target_of
from mailcrm.services.crm.linking.match import Intent, Target
from mailcrm.services.crm.linking.rules import apply_rules, insert_links, values_of
from mailcrm.services.db import transaction
from mailcrm.services.mail.thread.assign import lock_user
from mailcrm.services.rows import chunks, pick, rows, run

__all__ = ["Linked", "apply_rules", "link_by_smart_bcc", "link_thread", "link_threads", "relink", "undo_link", "unlink"]

MOST = 1000  # conversations of one act; a page of the list holds 50
_STATE = ("origin", "reason", "created_by", "created_at", "unlinked_by", "unlinked_at")


@dataclass(frozen=True, slots=True)
class Linked:
    """What linking by hand changed, by ids of links: enough for `undo_link`. `count` conversations got the link."""

    thread_ids: tuple[int, ...]
    made: tuple[int, ...]
    #: Links that stood before or were unlinked, with the values that they had.
    changed: tuple[tuple[int, tuple[Any, ...]], ...]
    count: int


def link_thread(
    actor: Actor,
    thread_id: int,
    *,
    deal_id: int | None = None,
    person_id: int | None = None,
    lead_id: int | None = None,
) -> Linked:
    """Link one's own conversation to a deal, a person or a lead; exactly one of them. See `link_threads`."""
    return link_threads(actor, (thread_id,), deal_id=deal_id, person_id=person_id, lead_id=lead_id)


def link_threads(
    actor: Actor,
    thread_ids: Sequence[int],
    *,
    deal_id: int | None = None,
    person_id: int | None = None,
    lead_id: int | None = None,
    code: str = "manual",
) -> Linked:
    """Link own conversations to a deal, a person or a lead; all of them or, for one that isn't one's own, none.

    The choice holds for the thread (M29): another deal, or lead, steps back. Persons add up. Idempotent.
    """
    given = [
        Target(kind, row_id)
        for kind, row_id in (("person", person_id), ("deal", deal_id), ("lead", lead_id))
        if row_id is not None
    ]
    if len(given) != 1:
        raise UserError("input.missing", field="Deal")
    target, wanted = given[0], list(dict.fromkeys(thread_ids))
    if len(wanted) > MOST:
        raise UserError("link.too_many", most=MOST)
    with transaction() as session:
        guard.deciding(session)
        lock_user(session, actor.user_id)
        _check_own(session, actor, wanted)
        _check_target(session, actor, target)
        done = _tie(session, actor, wanted, target, code)
        for thread_id in wanted:
            audit.record(session, actor, "link", "thread", thread_id, target=f"{target.kind}:{target.id}")
        _hint(session, actor.user_id, wanted)
    return done


def undo_link(actor: Actor, done: Linked) -> None:
    """Take `link_threads` back: links it made vanish, links it changed are as they were.

    Conversations whose link was taken off or replaced by hand since stay as they are now (M29, M30).
    """
    with transaction() as session:
        lock_user(session, actor.user_id)
        _check_own(session, actor, done.thread_ids)
        in_these = col(Link.thread_id).in_(done.thread_ids)
        before = dict(done.changed)
        found: dict[int, Link] = {}
        for part in chunks([*done.made, *before]):
            found.update(
                {row.id or 0: row for row in session.exec(select(Link).where(in_these, col(Link.id).in_(part)))}
            )
        given = [*done.made, *(link_id for link_id, values in before.items() if values[-1] is not None)]
        since = {row.thread_id for link_id in given if (row := found.get(link_id)) and row.unlinked_at is not None}
        for part in chunks(
            [link_id for link_id in done.made if link_id in found and found[link_id].thread_id not in since]
        ):
            run(session, delete(Link).where(in_these, col(Link.id).in_(part)))
        for link_id, values in before.items():
            row = found.get(link_id)
            if row is not None and row.thread_id not in since:
                for name, value in zip(_STATE, values, strict=True):
                    setattr(row, name, value)
                session.add(row)
        pending.look_again_in(session, done.thread_ids)
        audit.record(session, actor, "undo_link", "thread", None, count=len(done.thread_ids))
        _hint(session, actor.user_id, done.thread_ids)


def unlink(actor: Actor, link_id: int) -> None:
    """Take a link off one's own conversation; it is remembered, and no rule makes it again (M30). Idempotent."""
    with transaction() as session:
        lock_user(session, actor.user_id)
        row, thread_id = _load(session, actor, link_id)
        if row.unlinked_at is None:
            row.unlinked_at, row.unlinked_by = utcnow(), actor.user_id
            session.add(row)
            pending.look_again_in(session, (thread_id,))  # what is left may have one open deal now
            audit.record(session, actor, "unlink", "link", link_id)
            _hint(session, actor.user_id, (thread_id,))


def relink(actor: Actor, link_id: int) -> None:
    """Undo `unlink`: the link stands again, with the origin it had; a deal that a rule put in its place goes."""
    with transaction() as session:
        lock_user(session, actor.user_id)
        row, thread_id = _load(session, actor, link_id)
        if row.unlinked_at is not None:
            since: datetime = row.unlinked_at
            meanwhile = (col(Link.origin) == "rule", col(Link.person_id).is_(None), col(Link.created_at) >= since)
            # What was unlinked itself stays remembered (M30).
            stands = col(Link.unlinked_at).is_(None)
            run(session, delete(Link).where(col(Link.thread_id) == thread_id, *meanwhile, stands))
            row.unlinked_at = row.unlinked_by = None
            session.add(row)
            audit.record(session, actor, "relink", "link", link_id)
            _hint(session, actor.user_id, (thread_id,))


def link_by_smart_bcc(
    session: Session, thread_id: int, *, deal_id: int | None = None, lead_id: int | None = None
) -> bool:
    """Link a conversation to what Smart Bcc names, inside the transaction that stores its message; True when it did.

    Second in the rules' order: a deal or lead of the conversation's own is kept, and what a person unlinked stays so.
    The caller has authorised the target for the user whose mail it is.
    """
    target = target_of(None, deal_id, lead_id)
    thread = directory.thread_links(session, (thread_id,))[thread_id]
    intents: tuple[Intent, ...] = match.named(target, thread, "smart_bcc")
    insert_links(session, [values_of(thread_id, intent, "smart_bcc") for intent in intents])
    return bool(intents)


def _check_own(session: Session, actor: Actor, thread_ids: Sequence[int]) -> None:
    for thread_id in thread_ids:
        if not isinstance(thread_id, int) or isinstance(thread_id, bool) or not 0 < thread_id < 2**63:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise NotFound
    found = 0
    for part in chunks(thread_ids):
        found += len(rows(session, pick(Thread.id).where(col(Thread.id).in_(part), access.own_thread(actor))))
    if found != len(thread_ids) or not thread_ids:
        raise NotFound


def _check_target(session: Session, actor: Actor, target: Target) -> None:
    model = {"person": Person, "deal": Deal, "lead": Lead}[target.kind]
    access.load(session, model, target.id, access.visible_crm(actor, model))


def _tie(session: Session, actor: Actor, thread_ids: Sequence[int], target: Target, code: str) -> Linked:
    """Make the links stand; a row that was unlinked stands again, by hand this time."""
    now = utcnow()
    present: set[int] = set()
    changed: list[tuple[int, tuple[Any, ...]]] = []
    count = 0
    for part in chunks(thread_ids):
        for row in session.exec(select(Link).where(col(Link.thread_id).in_(part))):
            other, before = _target(row), tuple(getattr(row, name) for name in _STATE)
            if other == target:
                present.add(row.thread_id or 0)
                if row.unlinked_at is None:
                    continue
                row.unlinked_at = row.unlinked_by = None
                row.origin, row.reason, row.created_by, row.created_at = "manual", {"code": code}, actor.user_id, now
                count += 1
            elif row.unlinked_at is None and other.kind == target.kind != "person":
                row.unlinked_at, row.unlinked_by = now, actor.user_id
            else:
                continue
            session.add(row)
            changed.append((row.id or 0, before))
    new = [thread_id for thread_id in thread_ids if thread_id not in present]
    insert_links(session, [values_of(each, Intent(target, code), "manual", actor.user_id) for each in new])
    of_target = getattr(Link, f"{target.kind}_id") == target.id
    made: list[int] = []
    for part in chunks(new):
        made += [row[0] for row in rows(session, pick(Link.id).where(col(Link.thread_id).in_(part), of_target))]
    if target.kind == "person":
        pending.look_again_in(session, thread_ids)  # the person may have one open deal
    return Linked(tuple(thread_ids), tuple(made), tuple(changed), count + len(made))


def _target(row: Link) -> Target:
    return target_of(row.person_id, row.deal_id, row.lead_id)


def _load(session: Session, actor: Actor, link_id: int) -> tuple[Link, int]:
    """The link when it is of the actor's own mail, and its thread."""
    of_thread = pick(Thread.id).where(col(Thread.id) == col(Link.thread_id), access.own_thread(actor))
    of_message = pick(Message.id).where(col(Message.id) == col(Link.message_id), access.own_message(actor))
    row = access.load(session, Link, link_id, or_(of_thread.exists(), of_message.exists()))
    if row.thread_id is not None:
        return row, row.thread_id
    message = session.get(Message, row.message_id)
    return row, message.thread_id if message else 0


def _hint(session: Session, user_id: int, thread_ids: Sequence[int]) -> None:
    for thread_id in thread_ids[:20]:
        live.hint(session, user_id, "mail", thread_id)
    live.hint(session, None, "crm")
