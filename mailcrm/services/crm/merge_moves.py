"""Moves what belongs to one person to another one, and back: by row id, in the caller's transaction.

What both have (an address, a conversation, a deal they take part in, a label, a field) stays with the merged person in the
trash, so undo needs nothing for it. Of links to one conversation, one that was taken off wins over a rule's, and one made
by hand over that, as when threads merge (M30). Does not authorise.

Back goes only what stands where the merge put it. Addresses, phones, labels and fields are told by what they say: forms
write such rows anew, and SQLite gives a free number out again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, SQLModel, col, select

from mailcrm.models import (
    Activity,
    CustomValue,
    Deal,
    DealParticipant,
    ImportedRow,
    LabelUse,
    Lead,
    Link,
    Note,
    PersonAddress,
    PersonPhone,
)
from mailcrm.services.crm.linking.addresses import same
from mailcrm.services.mail.thread.assign import weight
from mailcrm.services.rows import chunks, pick, rows, run

#: Tables whose `person_id` moves as it is.
_PLAIN: dict[str, Any] = {"deals": Deal, "leads": Lead, "activities": Activity, "notes": Note}
_LINK = ("origin", "reason", "created_by", "created_at", "unlinked_by", "unlinked_at")
_MOMENTS = ("created_at", "unlinked_at")


def _address(row: PersonAddress) -> str:
    return same(row.address)


def _phone(row: PersonPhone) -> str:
    return digits(row.number)


def _label(row: LabelUse) -> int:
    return row.label_id


def _field(row: CustomValue) -> int:
    return row.field_id


def _content(row: CustomValue) -> list[Any]:
    day = row.day.isoformat() if row.day else None
    return [row.field_id, row.text, row.number, row.minor, row.currency, day, row.option]


#: Tables whose rows are told by what they say, with it.
_TOLD: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "addresses": (PersonAddress, _address),
    "phones": (PersonPhone, _phone),
    "labels": (LabelUse, _label),
    "fields": (CustomValue, _content),
}


def plan(session: Session, kept_id: int, merged_id: int) -> dict[str, list[int]]:
    """Return the ids of the rows that would move, by table; deals taken part in by the deals' ids."""
    moves = {name: _ids(session, model, model.person_id == merged_id) for name, model in _PLAIN.items()}
    moves["imported"] = _ids(
        session, ImportedRow, (col(ImportedRow.kind) == "person") & (col(ImportedRow.row_id) == merged_id)
    )
    moves["addresses"] = _lacking(address_rows(session, (merged_id,)), address_rows(session, (kept_id,)), _address)
    moves["phones"] = _lacking(_phone_rows(session, merged_id), _phone_rows(session, kept_id), _phone)
    moves["labels"] = _lacking(*_both(session, LabelUse, merged_id, kept_id), _label)
    moves["fields"] = _lacking(*_both(session, CustomValue, merged_id, kept_id), _field)
    moves["links"] = _lacking(*_both(session, Link, merged_id, kept_id), _source)
    own = set(_deals_of(session, kept_id)) | set(_ids(session, Deal, col(Deal.person_id).in_((kept_id, merged_id))))
    moves["participants"] = [deal_id for deal_id in _deals_of(session, merged_id) if deal_id not in own]
    return moves


def move(session: Session, kept_id: int, merged_id: int) -> dict[str, Any]:
    """Move what `plan` says; return it, with what undo needs besides."""
    moves: dict[str, Any] = plan(session, kept_id, merged_id)
    moves["told"] = {
        name: [
            [key(row), getattr(row, "position", None)]
            for row in _rows(session, model, merged_id)
            if row.id in set(moves[name])
        ]
        for name, (model, key) in _TOLD.items()
    }
    moves["settled"] = _settle_links(session, kept_id, merged_id)
    # Who becomes the deal's person no longer takes part in it besides.
    moves["left"] = [deal_id for deal_id in _deals_of(session, kept_id) if deal_id in set(moves["deals"])]
    for deal_id in moves["left"]:
        session.delete(session.get_one(DealParticipant, (deal_id, kept_id)))
    _positions(session, PersonAddress, moves["addresses"], kept_id)
    _positions(session, PersonPhone, moves["phones"], kept_id)
    _shift(session, moves, kept_id, merged_id)
    return moves


def move_back(session: Session, kept_id: int, merged_id: int, moves: dict[str, Any], *, since: datetime) -> None:
    """Move back what is still with the kept person; mail that rules linked meanwhile by a returned address goes too."""
    found = moves | _still_there(session, kept_id, merged_id, moves["told"])
    # A link made since is another one, whatever its number.
    found["links"] = [
        row.id
        for part in chunks(moves["links"])
        for row in session.exec(select(Link).where(col(Link.id).in_(part), Link.created_at <= since))
    ]
    _shift(session, found, merged_id, kept_id)
    for deal_id in moves["left"]:
        row = session.get(Deal, deal_id)
        if row and row.person_id == merged_id and not session.get(DealParticipant, (deal_id, kept_id)):
            session.add(DealParticipant(deal_id=deal_id, person_id=kept_id))
    for link_id, before, after in moves["settled"]:
        row = session.get(Link, link_id)
        if row is not None and row.person_id == kept_id and _state(row) == after:
            _set_state(row, before)
            session.add(row)
    session.flush()
    _keep_unlinked(session, kept_id, merged_id, since)
    theirs = {same(row.address) for row in address_rows(session, (merged_id,))}
    theirs -= {same(row.address) for row in address_rows(session, (kept_id,))}
    present = {_source(row) for row in session.exec(select(Link).where(Link.person_id == merged_id))}
    meanwhile = select(Link).where(Link.person_id == kept_id, Link.origin == "rule", Link.created_at > since)
    for row in session.exec(meanwhile.order_by(col(Link.id))):
        if same(str(row.reason.get("address", ""))) in theirs and _source(row) not in present:
            row.person_id = merged_id
            session.add(row)


def _keep_unlinked(session: Session, kept_id: int, merged_id: int, since: datetime) -> None:
    """Let what was unlinked while both were one person be unlinked of both (M30)."""
    off = select(Link).where(Link.person_id == kept_id, col(Link.unlinked_at) > since)
    states = {_source(row): _state(row) for row in session.exec(off)}
    for row in session.exec(select(Link).where(Link.person_id == merged_id, col(Link.unlinked_at).is_(None))):
        if _source(row) in states:
            _set_state(row, states[_source(row)])
            session.add(row)
    session.flush()


def _still_there(session: Session, kept_id: int, merged_id: int, told: dict[str, Any]) -> dict[str, list[int]]:
    """The ids of the kept person's rows that say what moved ones said, put in the places they had."""
    found: dict[str, list[int]] = {}
    for name, (model, key) in _TOLD.items():
        places = {str(said): place for said, place in told[name]}
        had = {str(key(row)) for row in _rows(session, model, merged_id)}
        found[name] = []
        for row in _rows(session, model, kept_id):
            if str(key(row)) in places and str(key(row)) not in had:
                found[name].append(row.id)
                if (place := places[str(key(row))]) is not None:
                    row.position = place
                    session.add(row)
    session.flush()
    return found


def addresses(session: Session, person_ids: Sequence[int]) -> tuple[str, ...]:
    """Return the addresses of these persons, each once, in their order."""
    found: dict[str, str] = {}
    for row in address_rows(session, person_ids):
        found.setdefault(same(row.address), row.address)
    return tuple(found.values())


def phones(session: Session, person_ids: Sequence[int]) -> tuple[str, ...]:
    """Return the telephone numbers of these persons, each once, in their order."""
    found: dict[str, str] = {}
    for row in (row for each in person_ids for row in _phone_rows(session, each)):
        found.setdefault(digits(row.number), row.number)
    return tuple(found.values())


def address_rows(session: Session, person_ids: Sequence[int]) -> list[PersonAddress]:
    """Return the addresses of these persons, person by person, the primary ones first."""
    query = select(PersonAddress).where(col(PersonAddress.person_id).in_(person_ids))
    found = session.exec(query.order_by(col(PersonAddress.position), col(PersonAddress.id)))
    return sorted(found, key=lambda row: list(person_ids).index(row.person_id))


def digits(number: str) -> str:
    """Return what two spellings of a telephone number have in common; the number itself when it has no digits."""
    found = "".join(char for char in number if char.isdecimal())
    return found.removeprefix("00") or number


def _phone_rows(session: Session, person_id: int) -> list[PersonPhone]:
    query = select(PersonPhone).where(PersonPhone.person_id == person_id)
    return list(session.exec(query.order_by(col(PersonPhone.position), col(PersonPhone.id))))


def _rows(session: Session, model: Any, person_id: int) -> list[Any]:
    return list(session.exec(select(model).where(model.person_id == person_id).order_by(model.id)))


def _both(session: Session, model: Any, merged_id: int, kept_id: int) -> tuple[list[Any], list[Any]]:
    return _rows(session, model, merged_id), _rows(session, model, kept_id)


def _lacking(merged: Sequence[Any], kept: Sequence[Any], key: Any) -> list[int]:
    """The ids of the merged person's rows that the kept one has no counterpart for, each counterpart once."""
    had, found = {key(row) for row in kept}, list[int]()
    for row in merged:
        if key(row) not in had:
            had.add(key(row))
            found.append(row.id)
    return found


def _ids(session: Session, model: Any, where: Any) -> list[int]:
    return [row[0] for row in rows(session, pick(model.id).where(where).order_by(model.id))]


def _deals_of(session: Session, person_id: int) -> list[int]:
    statement = pick(DealParticipant.deal_id).where(col(DealParticipant.person_id) == person_id)
    return [row[0] for row in rows(session, statement.order_by(col(DealParticipant.deal_id)))]


def _source(row: Link) -> tuple[str, int | None]:
    return ("thread", row.thread_id) if row.thread_id is not None else ("message", row.message_id)


def _settle_links(session: Session, kept_id: int, merged_id: int) -> list[list[Any]]:
    """Let the stronger of two links to one conversation hold; return the changed ones with their state before and after."""
    merged, kept = _both(session, Link, merged_id, kept_id)
    own = {_source(row): row for row in kept}
    settled: list[list[Any]] = []
    for row in merged:
        counterpart = own.get(_source(row))
        if counterpart is not None and weight(row) > weight(counterpart):
            before = _state(counterpart)
            _set_state(counterpart, _state(row))
            session.add(counterpart)
            settled.append([counterpart.id, before, _state(counterpart)])
    return settled


def _state(row: Link) -> list[Any]:
    found = [getattr(row, name) for name in _LINK]
    return [value.isoformat() if isinstance(value, datetime) else value for value in found]


def _set_state(row: Link, state: Sequence[Any]) -> None:
    for name, value in zip(_LINK, state, strict=True):
        setattr(row, name, datetime.fromisoformat(value) if value and name in _MOMENTS else value)


def _positions(session: Session, model: Any, moved: Sequence[int], kept_id: int) -> None:
    """Put what comes behind what is there."""
    last = max((row[0] for row in rows(session, pick(model.position).where(model.person_id == kept_id))), default=-1)
    for at, row_id in enumerate(moved, 1):
        run(session, update(model).where(model.id == row_id).values(position=last + at))


def _shift(session: Session, moves: dict[str, Any], to_id: int, from_id: int) -> None:
    """Give these rows to another person, where they are still the first one's."""
    tables: dict[str, type[SQLModel]] = {
        **_PLAIN,
        "addresses": PersonAddress,
        "phones": PersonPhone,
        "labels": LabelUse,
        "fields": CustomValue,
        "links": Link,
    }
    for name, model in tables.items():
        table: Any = model
        for part in chunks(moves.get(name, ())):
            of_first = (table.id.in_(part), table.person_id == from_id)
            run(session, update(model).where(*of_first).values(person_id=to_id))
    for part in chunks(moves.get("imported", ())):
        of_first = (col(ImportedRow.id).in_(part), col(ImportedRow.row_id) == from_id)
        run(session, update(ImportedRow).where(*of_first).values(row_id=to_id))
    for deal_id in moves.get("participants", ()):
        row, there = session.get(DealParticipant, (deal_id, from_id)), session.get(DealParticipant, (deal_id, to_id))
        if row is not None and there is None:
            session.delete(row)
            session.add(DealParticipant(deal_id=deal_id, person_id=to_id))
    session.flush()
    session.expire_all()
