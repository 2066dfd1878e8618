"""Merges duplicate persons into one, with a preview and undo; one transaction each way.

The kept person's values win where there are any, the merged one's fill the gaps; of consents the strictest wins
(refused, granted, unknown). What belongs to the merged person moves by row (merge_moves.py); the person goes to the trash
with `merged_into_id`. Undo moves back the rows that are still there and leaves alone what people changed since; of
several merges into one person the last one is undone first. Restoring a merged person from the trash is undoing.
Who might be the same person is told by duplicates.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from mailcrm.errors import UserError
from mailcrm.models import Activity, Deal, Lead, Link, Message, Note, Person, PersonMerge, User, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.crm import cards, contact_rows, merge_moves, subjects
from mailcrm.services.crm.linking import guard, pending
from mailcrm.services.crm.merge_views import MergePreview, MergeView
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import scope
from mailcrm.services.rows import chunks, pick, scalar

_STRICTNESS = ("unknown", "granted", "refused")
_FILLED = ("name", "job_title", "organization_id")  # not the owner: nobody's is everybody's
_CONSENT = ("consent", "consent_at", "consent_source")


def preview(actor: Actor, kept_id: int, merged_id: int) -> MergePreview:
    """Return what `merge` would leave: the values that win, and how many rows of each sort would move."""
    with reading() as session:
        kept, merged = _pair(session, actor, kept_id, merged_id)
        values = _values(kept, merged)
        moves = merge_moves.plan(session, kept_id, merged_id)
        organization = cards.organization(session, actor, values["organization_id"])
        owner = session.get(User, kept.owner_id) if kept.owner_id else None
        return MergePreview(
            kept=cards.persons(session, actor, col(Person.id) == kept_id)[0],
            merged=cards.persons(session, actor, col(Person.id) == merged_id)[0],
            name=values["name"],
            job_title=values["job_title"],
            organization=organization.name if organization else "",
            owner=owner.name if owner else "",
            consent=values["consent"],
            addresses=merge_moves.addresses(session, (kept_id, merged_id)),
            phones=merge_moves.phones(session, (kept_id, merged_id)),
            moves=_seen_counts(session, actor, moves),
        )


def merge(actor: Actor, kept_id: int, merged_id: int) -> int:
    """Merge a person into another one; return the merge's id, which `undo` takes."""
    with transaction() as session:
        guard.rewriting(session)
        _pair(session, actor, kept_id, merged_id)
        _lock(session, kept_id, merged_id)
        kept, merged = _pair(session, actor, kept_id, merged_id)
        values = _values(kept, merged)
        before = {name: _plain(getattr(kept, name)) for name in values}
        known = [row.address for row in merge_moves.address_rows(session, (merged_id,))]
        moved = merge_moves.move(session, kept_id, merged_id)
        for name, value in values.items():
            setattr(kept, name, value)
        merged.deleted_at, merged.merged_into_id = utcnow(), kept_id
        after = {name: _plain(value) for name, value in values.items()}
        row = PersonMerge(
            kept_id=kept_id,
            merged_id=merged_id,
            merged_by=actor.user_id,
            moved={"rows": moved, "before": before, "after": after},
        )
        session.add_all((kept, merged, row))
        session.flush()
        pending.look_again(session, known)
        pending.look_again_at(session, [kept_id])
        boxes = scope.history_of(session, known)
        audit.record(session, actor, "merge", "person", kept_id, merged=merged_id, name=merged.name)
        _note_consent(session, actor, kept, before["consent"])
        live.hint(session, None, "crm", kept_id)
    scope.wake(boxes)
    return row.id or 0


def undo(actor: Actor, merge_id: int) -> int:
    """Undo a merge; return the id of the person who is back. UserError when one of them was merged further since."""
    with transaction() as session:
        guard.rewriting(session)
        row = access.load(session, PersonMerge, merge_id, col(PersonMerge.id).is_not(None))
        kept = access.load(session, Person, row.kept_id, access.within_reach(actor, Person))
        merged = access.load(session, Person, row.merged_id, access.within_reach(actor, Person))
        _lock(session, row.kept_id, row.merged_id)
        session.refresh(row)
        if row.undone_at is not None:
            raise UserError("merge.undone")
        later = select(PersonMerge.id).where(
            PersonMerge.kept_id == row.kept_id, col(PersonMerge.id) > row.id, col(PersonMerge.undone_at).is_(None)
        )
        if kept.merged_into_id is not None or session.exec(later).first() is not None:
            raise UserError("merge.later", name=kept.name)
        found: Any = row.moved
        consent = kept.consent
        for names in (*((name,) for name in _FILLED), _CONSENT):  # a consent is one thing: when, how, what
            if all(_plain(getattr(kept, name)) == found["after"][name] for name in names):
                for name in names:
                    setattr(kept, name, _value(name, found["before"][name]))
        merged.deleted_at = merged.merged_into_id = None
        row.undone_at = utcnow()
        session.add_all((kept, merged, row))
        merge_moves.move_back(session, row.kept_id, row.merged_id, found["rows"], since=row.at)
        known = [each.address for each in merge_moves.address_rows(session, (row.merged_id,))]
        pending.look_again(session, known)
        pending.look_again_at(session, [row.kept_id, row.merged_id])
        boxes = scope.history_of(session, known)
        audit.record(session, actor, "unmerge", "person", row.kept_id, merged=row.merged_id, name=merged.name)
        _note_consent(session, actor, kept, consent)
        live.hint(session, None, "crm", row.kept_id)
    scope.wake(boxes)
    return row.merged_id


def merges_of(actor: Actor, person_id: int) -> tuple[MergeView, ...]:
    """Return who was merged into a person and is still, the newest first."""
    with reading() as session:
        contact_rows.load(session, actor, Person, person_id)
        query = select(PersonMerge).where(PersonMerge.kept_id == person_id, col(PersonMerge.undone_at).is_(None))
        found = list(session.exec(query.order_by(col(PersonMerge.id).desc())))
        reach = select(Person).where(col(Person.id).in_([row.merged_id for row in found]))
        persons = {row.id: row for row in session.exec(reach.where(access.within_reach(actor, Person)))}
        return tuple(
            MergeView(row.id or 0, row.kept_id, row.merged_id, person.name, row.at)
            for row in found
            if (person := persons.get(row.merged_id)) is not None
        )


def undo_of(actor: Actor, merged_id: int) -> int:
    """Undo the merge by which a person went to the trash; return their id."""
    with reading() as session:
        access.load(session, Person, merged_id, access.trashed_crm(actor, Person))
        query = select(PersonMerge.id).where(PersonMerge.merged_id == merged_id, col(PersonMerge.undone_at).is_(None))
        merge_id = session.exec(query.order_by(col(PersonMerge.id).desc())).first() or 0
    return undo(actor, merge_id)


def _pair(session: Session, actor: Actor, kept_id: Any, merged_id: Any) -> tuple[Person, Person]:
    """Both persons, when they can be merged: each in reach, neither merged already."""
    kept, merged = (
        access.load(session, Person, each, access.within_reach(actor, Person)) for each in (kept_id, merged_id)
    )
    if kept_id == merged_id:
        raise UserError("merge.same")
    for row in (kept, merged):
        if row.merged_into_id is not None:
            into = session.get(Person, row.merged_into_id)
            seen = into is not None and cards.person(session, actor, into.id) is not None
            raise UserError("merge.already", name=row.name, other=into.name if into and seen else "?")
        contact_rows.load(session, actor, Person, row.id or 0)  # in the trash for another reason: NotFound
    return kept, merged


def _lock(session: Session, *person_ids: int) -> None:
    """Let no other merge of these persons run meanwhile; what is known of them is read again."""
    both = select(Person).where(col(Person.id).in_(person_ids)).order_by(col(Person.id)).with_for_update()
    session.exec(both.execution_options(populate_existing=True)).all()


def _note_consent(session: Session, actor: Actor, kept: Person, before: str) -> None:
    """Keep the trail of a consent whole (T09): the person's page names who recorded it."""
    if kept.consent != before:
        audit.record(session, actor, "set_consent", "person", kept.id, consent=kept.consent, before=before)


def _seen_counts(session: Session, actor: Actor, moves: dict[str, list[int]]) -> dict[str, int]:
    """How many rows of each sort move that the actor may see: a count must not tell of private mail (M25)."""
    mail = pick(Message.id).where(
        or_(col(Message.thread_id) == col(Link.thread_id), col(Message.id) == col(Link.message_id)),
        access.visible_message(actor),
    )
    conditions: dict[str, tuple[Any, Any]] = {
        "deals": (Deal, access.visible_crm(actor, Deal)),
        "participants": (Deal, access.visible_crm(actor, Deal)),
        "leads": (Lead, access.visible_crm(actor, Lead)),
        "notes": (Note, subjects.seen(actor, Note)),
        "activities": (Activity, subjects.seen(actor, Activity)),
        "links": (Link, mail.correlate(Link).exists()),
    }
    counts: dict[str, int] = {}
    for name, ids in moves.items():
        if name in conditions:
            model, seen = conditions[name]
            counts[name] = sum(
                scalar(session, pick(func.count()).select_from(model).where(model.id.in_(part), seen))
                for part in chunks(ids)
            )
        else:
            counts[name] = len(ids)
    return {name: count for name, count in counts.items() if count and name != "imported"}


def _values(kept: Person, merged: Person) -> dict[str, Any]:
    values = {name: getattr(kept, name) or getattr(merged, name) for name in _FILLED}
    strictest = max((kept, merged), key=lambda row: _STRICTNESS.index(row.consent))  # of equals the kept one's
    return values | {name: getattr(strictest, name) for name in _CONSENT}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _value(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name == "consent_at" and value is not None else value
