"""Labels on conversations: whose words they are (everybody's, services/crm/labels makes them) and what wears them.

Whoever may see a conversation may label it, and sees its labels; a conversation that may not be seen is NotFound, so
that nothing of it is told. Filters by label are in thread_conditions.py; `named` is for a search's `label:`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, func
from sqlmodel import Session, col

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Label, Message, Thread, ThreadLabel
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.given import among, dialect_of
from mailcrm.services.mail.views import ThreadLabelView
from mailcrm.services.rows import chunks, insert_absent, pick, rows, run

KIND = "thread"
MOST = 1000  # conversations of one change
MOST_LABELS = 50  # of one conversation


@dataclass(frozen=True, slots=True)
class Labelled:
    """What a change did: `undo` takes it; it stays on the server."""

    label_id: int
    on: bool
    thread_ids: tuple[int, ...]


def put(actor: Actor, thread_ids: Sequence[int], label_id: int, on: bool) -> Labelled:
    """Put a label on conversations that the actor may see, or take it off; all or, by NotFound, none."""
    wanted = sorted(set(thread_ids))
    if len(wanted) > MOST:
        raise UserError("link.too_many", most=MOST)
    with transaction() as session:
        _check_label(session, label_id)
        owners = _owners(session, actor, wanted)
        wearing = _wearing(session, label_id, wanted)
        changed = [each for each in wanted if (each in wearing) != on]
        _write(session, actor, label_id, {each: owners[each] for each in changed}, on)
        return Labelled(label_id, on, tuple(changed))


def undo(actor: Actor, done: Labelled) -> None:
    """Take a change back; what is gone or out of sight meanwhile is left out."""
    with transaction() as session:
        owners = _seen(session, actor, list(done.thread_ids))
        _write(session, actor, done.label_id, owners, not done.on)


def set_labels(actor: Actor, thread_id: int, label_ids: Sequence[int]) -> None:
    """Let a conversation wear exactly these labels."""
    wanted = list(dict.fromkeys(label_ids))
    if len(wanted) > MOST_LABELS:
        raise UserError("link.too_many", most=MOST_LABELS)
    with transaction() as session:
        owners = _owners(session, actor, [thread_id])
        for label_id in wanted:
            _check_label(session, label_id)
        worn = {each.id for each in of_threads(session, [thread_id]).get(thread_id, ())}
        for label_id in worn - set(wanted):
            _write(session, actor, label_id, owners, False)
        for label_id in wanted:
            if label_id not in worn:
                _write(session, actor, label_id, owners, True)


def list_labels(actor: Actor, thread_ids: Sequence[int] = ()) -> tuple[ThreadLabelView, ...]:
    """Return all labels for conversations in order; `worn` counts those among these (of the actor's sight) that wear it."""
    with reading() as session:
        seen = list(_seen(session, actor, sorted(set(thread_ids))[:MOST]))
        found: dict[int, int] = {}
        for part in chunks(seen):
            worn = pick(ThreadLabel.label_id, func.count()).where(col(ThreadLabel.thread_id).in_(part))
            for label_id, count in rows(session, worn.group_by(col(ThreadLabel.label_id))):
                found[label_id] = found.get(label_id, 0) + count
        return tuple(ThreadLabelView(*row, worn=found.get(row[0], 0)) for row in rows(session, _standing()))


def labels_of(actor: Actor, thread_id: int) -> tuple[ThreadLabelView, ...]:
    """Return what one conversation wears; NotFound for one that the actor may not see."""
    with reading() as session:
        _owners(session, actor, [thread_id])
        return of_threads(session, [thread_id]).get(thread_id, ())


def of_threads(session: Session, thread_ids: Sequence[int]) -> dict[int, tuple[ThreadLabelView, ...]]:
    """Return what conversations wear that were authorised before. One statement."""
    found: dict[int, tuple[ThreadLabelView, ...]] = {}
    for thread_id, *label in rows(session, _worn(dialect_of(session)), {"ids": list(thread_ids)}):
        found[thread_id] = (*found.get(thread_id, ()), ThreadLabelView(*label))
    return found


@functools.cache
def _worn(dialect: str) -> Select[Any]:
    return (
        pick(ThreadLabel.thread_id, Label.id, Label.name, Label.color)
        .join(Label, col(Label.id) == col(ThreadLabel.label_id))
        .where(among(col(ThreadLabel.thread_id), "ids", dialect), col(Label.deleted_at).is_(None))
        .order_by(col(Label.position), col(Label.id))
    )


def named(session: Session, words: str) -> tuple[int, ...]:
    """Return the labels of this name, whatever its case; for `label:` in a search."""
    name = words.strip().casefold()
    return tuple(row[0] for row in rows(session, _standing()) if row[1].casefold() == name)


def move(session: Session, loser: int, winner: int) -> None:
    """Let a conversation wear what another one wore that becomes part of it."""
    _copy(session, loser, winner)
    run(session, delete(ThreadLabel).where(col(ThreadLabel.thread_id) == loser))


def copy(session: Session, old: int, new: int) -> None:
    """Let a conversation that was split off wear what the whole wore."""
    _copy(session, old, new)


def _copy(session: Session, old: int, new: int) -> None:
    worn = pick(ThreadLabel.label_id, ThreadLabel.user_id).where(col(ThreadLabel.thread_id) == old)
    values = [{"label_id": label, "user_id": user, "thread_id": new} for label, user in rows(session, worn)]
    insert_absent(session, ThreadLabel, values)


def _standing() -> Any:
    statement = pick(Label.id, Label.name, Label.color).where(col(Label.kind) == KIND, col(Label.deleted_at).is_(None))
    return statement.order_by(col(Label.position), col(Label.id))


def _check_label(session: Session, label_id: int) -> None:
    access.load(session, Label, label_id, (col(Label.kind) == KIND) & col(Label.deleted_at).is_(None))


def _owners(session: Session, actor: Actor, wanted: list[int]) -> dict[int, int]:
    """Return whose conversations these are; NotFound unless the actor may see all of them."""
    found = _seen(session, actor, wanted)
    if len(found) != len(wanted) or not wanted:
        raise NotFound
    return found


def _seen(session: Session, actor: Actor, wanted: list[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    wanted = [each for each in wanted if type(each) is int and 0 < each < 2**63]
    for part in chunks(wanted):
        here = (col(Thread.id).in_(part),)
        found |= dict(rows(session, pick(Thread.id, Thread.user_id).where(*here, access.own_thread(actor))))
    for part in chunks([each for each in wanted if each not in found]):  # colleagues', of which something is shared
        seen = pick(Message.id).where(col(Message.thread_id) == col(Thread.id), access.visible_message(actor)).exists()
        found |= dict(rows(session, pick(Thread.id, Thread.user_id).where(col(Thread.id).in_(part), seen)))
    return found


def _wearing(session: Session, label_id: int, wanted: list[int]) -> set[int]:
    found: set[int] = set()
    for part in chunks(wanted):
        worn = pick(ThreadLabel.thread_id).where(col(ThreadLabel.label_id) == label_id)
        found |= {row[0] for row in rows(session, worn.where(col(ThreadLabel.thread_id).in_(part)))}
    return found


def _write(session: Session, actor: Actor, label_id: int, owners: dict[int, int], on: bool) -> None:
    if on:
        values = [{"label_id": label_id, "user_id": user, "thread_id": each} for each, user in owners.items()]
        insert_absent(session, ThreadLabel, values)
    else:
        for part in chunks(list(owners)):
            here = (col(ThreadLabel.label_id) == label_id, col(ThreadLabel.thread_id).in_(part))
            run(session, delete(ThreadLabel).where(*here))
    for thread_id in owners:
        audit.record(session, actor, "label" if on else "unlabel", "thread", thread_id, label=label_id)
    for user_id in {actor.user_id, *owners.values()} if owners else ():
        live.hint(session, user_id, "mail")
