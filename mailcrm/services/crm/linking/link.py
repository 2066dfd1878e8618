"""Writes links: by hand, and by the rules of match.py for every message whose `link_pending` is set.

Links made here tie whole threads (settled question 8: a link brings the earlier messages along). An unlinked row stays
with its moment, so that the rules leave it alone (M30); only a person brings it back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, or_, update
from sqlmodel import Session, col, select

from mailcrm.errors import UserError
from mailcrm.models import Deal, Lead, Link, Mailbox, Message, Outbox, Participant, Person, Thread, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import directory, match
from mailcrm.services.crm.linking.match import Intent, Target, ThreadLinks
from mailcrm.services.db import transaction
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.rows import insert_absent, pick, rows, run

BATCH = 200  # messages of one transaction: well under a second, so that SQLite's other writers go on


def link_thread(
    actor: Actor,
    thread_id: int,
    *,
    deal_id: int | None = None,
    person_id: int | None = None,
    lead_id: int | None = None,
) -> None:
    """Link one's own conversation to a deal, a person or a lead; exactly one of them.

    The choice holds for the thread (M29): another deal, or lead, steps back. Persons add up. Idempotent.
    """
    given = [
        Target(kind, row_id)
        for kind, row_id in (("person", person_id), ("deal", deal_id), ("lead", lead_id))
        if row_id is not None
    ]
    if len(given) != 1:
        raise UserError("input.missing", field="Deal")
    target = given[0]
    with transaction() as session:
        access.load(session, Thread, thread_id, access.own_thread(actor))
        _check_target(session, actor, target)
        for row in session.exec(select(Link).where(Link.thread_id == thread_id)):
            other = _target(row)
            if row.unlinked_at is None and other.kind == target.kind != "person" and other != target:
                row.unlinked_at, row.unlinked_by = utcnow(), actor.user_id
        _tie(session, actor, thread_id, target)
        audit.record(session, actor, "link", "thread", thread_id, target=f"{target.kind}:{target.id}")
        _hint(session, actor.user_id, thread_id)


def unlink(actor: Actor, link_id: int) -> None:
    """Take a link off one's own conversation; it is remembered, and no rule makes it again (M30). Idempotent."""
    with transaction() as session:
        row, thread_id = _load(session, actor, link_id)
        if row.unlinked_at is None:
            row.unlinked_at, row.unlinked_by = utcnow(), actor.user_id
            session.add(row)
            audit.record(session, actor, "unlink", "link", link_id)
            _hint(session, actor.user_id, thread_id)


def relink(actor: Actor, link_id: int) -> None:
    """Undo `unlink`: the link stands again, with the origin it had."""
    with transaction() as session:
        row, thread_id = _load(session, actor, link_id)
        if row.unlinked_at is not None:
            row.unlinked_at = row.unlinked_by = None
            session.add(row)
            audit.record(session, actor, "relink", "link", link_id)
            _hint(session, actor.user_id, thread_id)


def apply_rules(limit: int = 1000) -> int:
    """Run the rules on messages that wait for them, at most `limit`, in batches; return how many were looked at.

    The worker's job "link_pending". Idempotent; several workers may run it at once.
    """
    done = 0
    while done < limit:
        with transaction() as session:
            looked_at = _apply_batch(session, min(BATCH, limit - done))
        done += looked_at
        if looked_at < BATCH:
            break
    return done


def _apply_batch(session: Session, size: int) -> int:
    batch = rows(
        session,
        pick(Message.id, Message.thread_id, Message.user_id, Message.mailbox_id, Message.direction)
        .where(col(Message.link_pending).is_(True))
        .order_by(col(Message.id))
        .limit(size)
        .with_for_update(skip_locked=True),  # PostgreSQL; SQLite has one writer and ignores it
    )
    if not batch:
        return 0
    ids = [row.id for row in batch]
    threads = _thread_links(session, {row.thread_id for row in batch})
    made: list[dict[str, Any]] = _composer_links(session, ids, threads)
    made += _rule_links(session, batch, threads)
    new = insert_absent(session, Link, made)
    run(session, update(Message).where(col(Message.id).in_(ids)).values(link_pending=False))
    if new:
        linked = {row[0] for row in rows(session, pick(Link.thread_id).where(col(Link.id).in_(new)))}
        for user_id, thread_id in dict.fromkeys((row.user_id, row.thread_id) for row in batch):
            if thread_id in linked:
                live.hint(session, user_id, "mail", thread_id)
        live.hint(session, None, "crm")
    return len(batch)


def _rule_links(session: Session, batch: Sequence[Any], threads: dict[int, ThreadLinks]) -> list[dict[str, Any]]:
    own = workspace_addresses(session)
    colleagues = frozenset[str]().union(*own.values())
    participants = _participants(session, [row.id for row in batch])
    found = {
        row.id: match.counterparties(participants[row.id], own.get(row.user_id, frozenset()), colleagues)
        for row in batch
    }
    known = directory.load(session, {address for addresses in found.values() for address in addresses})
    policies = {
        row[0]: (row[1], row[2])
        for row in rows(
            session,
            pick(Mailbox.id, Mailbox.auto_link_deals, Mailbox.deal_link_policy).where(
                col(Mailbox.id).in_({row.mailbox_id for row in batch})
            ),
        )
    }
    made: list[dict[str, Any]] = []
    for row in batch:
        link_deals, policy = policies[row.mailbox_id]
        thread = threads.get(row.thread_id, ThreadLinks())
        intents = match.decide(found[row.id], thread, known, link_deals=link_deals, policy=policy)
        threads[row.thread_id] = ThreadLinks(thread.standing | {intent.target for intent in intents}, thread.unlinked)
        made += [_values(row.thread_id, intent, "rule") for intent in intents]
    return made


def _composer_links(session: Session, message_ids: list[int], threads: dict[int, ThreadLinks]) -> list[dict[str, Any]]:
    """The deals that were chosen in the composer, for sent messages that came back as rows."""
    written = or_(
        col(Outbox.message_id) == col(Message.id),
        and_(
            col(Outbox.mailbox_id) == col(Message.mailbox_id),
            col(Outbox.rfc_message_id) == col(Message.rfc_message_id),
        ),
    )
    statement = (
        pick(Message.thread_id, Outbox.deal_id, Outbox.user_id)
        .join(Outbox, written)
        .join(Deal, col(Deal.id) == col(Outbox.deal_id))
        .where(col(Message.id).in_(message_ids), col(Message.direction) == "out", col(Deal.deleted_at).is_(None))
        .order_by(col(Message.id))
    )
    made: list[dict[str, Any]] = []
    for thread_id, deal_id, user_id in rows(session, statement):
        thread, target = threads.get(thread_id, ThreadLinks()), Target("deal", deal_id)
        if target not in thread.standing and target not in thread.unlinked:
            threads[thread_id] = ThreadLinks(thread.standing | {target}, thread.unlinked)
            made.append(_values(thread_id, Intent(target, "composer", ""), "composer") | {"created_by": user_id})
    return made


def _values(thread_id: int, intent: Intent, origin: str) -> dict[str, Any]:
    values: dict[str, Any] = {"person_id": None, "deal_id": None, "lead_id": None}
    values[f"{intent.target.kind}_id"] = intent.target.id
    reason = {"code": intent.code, "address": intent.address} if intent.address else {"code": intent.code}
    return values | {
        "thread_id": thread_id,
        "origin": origin,
        "reason": reason,
        "created_by": None,
        "created_at": utcnow(),
    }


def _participants(session: Session, message_ids: list[int]) -> dict[int, list[tuple[str, str]]]:
    statement = (
        pick(Participant.message_id, Participant.role, Participant.address)
        .where(col(Participant.message_id).in_(message_ids))
        .order_by(col(Participant.message_id), col(Participant.id))
    )
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for message_id, role, address in rows(session, statement):
        found[message_id].append((role, address))
    return found


def _thread_links(session: Session, thread_ids: set[int]) -> dict[int, ThreadLinks]:
    standing: dict[int, set[Target]] = defaultdict(set)
    unlinked: dict[int, set[Target]] = defaultdict(set)
    for row in session.exec(select(Link).where(col(Link.thread_id).in_(thread_ids))):
        (standing if row.unlinked_at is None else unlinked)[row.thread_id or 0].add(_target(row))
    return {
        thread_id: ThreadLinks(frozenset(standing[thread_id]), frozenset(unlinked[thread_id]))
        for thread_id in thread_ids
    }


def _target(row: Link) -> Target:
    if row.person_id is not None:
        return Target("person", row.person_id)
    return Target("deal", row.deal_id) if row.deal_id is not None else Target("lead", row.lead_id or 0)


def _check_target(session: Session, actor: Actor, target: Target) -> None:
    model = {"person": Person, "deal": Deal, "lead": Lead}[target.kind]
    access.load(session, model, target.id, access.visible_crm(actor, model))


def _tie(session: Session, actor: Actor, thread_id: int, target: Target) -> None:
    """Make the link stand; a row that was unlinked stands again, by hand this time."""
    of_target = getattr(Link, f"{target.kind}_id") == target.id
    row = session.exec(select(Link).where(Link.thread_id == thread_id, of_target)).first()
    if row is not None and row.unlinked_at is None:
        return
    if row is None:
        row = Link(thread_id=thread_id, origin="manual")
        setattr(row, f"{target.kind}_id", target.id)
    row.unlinked_at = row.unlinked_by = None
    row.origin, row.reason, row.created_by, row.created_at = "manual", {"code": "manual"}, actor.user_id, utcnow()
    session.add(row)


def _load(session: Session, actor: Actor, link_id: int) -> tuple[Link, int]:
    """The link when it is of the actor's own mail, and its thread."""
    of_thread = pick(Thread.id).where(col(Thread.id) == col(Link.thread_id), access.own_thread(actor))
    of_message = pick(Message.id).where(col(Message.id) == col(Link.message_id), access.own_message(actor))
    row = access.load(session, Link, link_id, or_(of_thread.exists(), of_message.exists()))
    if row.thread_id is not None:
        return row, row.thread_id
    message = session.get(Message, row.message_id)
    return row, message.thread_id if message else 0


def _hint(session: Session, user_id: int, thread_id: int) -> None:
    live.hint(session, user_id, "mail", thread_id)
    live.hint(session, None, "crm")
