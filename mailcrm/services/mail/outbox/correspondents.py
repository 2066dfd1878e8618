"""Whom the composer completes a typed name or address to: people of the CRM, and whom one wrote with before.

Whoever one wrote with lately comes first, then people by name. Reads at most RECENT of the actor's own messages and what
an index finds by address, so that the cost does not grow with the mailbox. Does not judge addresses.
"""

from __future__ import annotations

from sqlmodel import Session, col, func, select

from mailcrm.models import Message, Participant, Person, PersonAddress
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail.outbox.addresses import clean, is_address
from mailcrm.services.mail.views import AddressView

SHOWN = 8
RECENT = 1000  # messages whose correspondents are known by name: months for most, and 20 ms
READ = 60  # rows of each source, of which the best are shown
LAST = "\U0010ffff"


def complete(actor: Actor, prefix: str) -> tuple[AddressView, ...]:
    """Return at most eight whose address, or a word of whose name, begins with `prefix`."""
    wanted = clean(prefix[:200]).lower()
    if not wanted:
        return ()
    with reading() as session:
        lately = _lately(session, actor, wanted)
        people = _people(session, actor, wanted)
        found: dict[str, AddressView] = {each.address.lower(): each for each in people}
        ranked = [found.pop(address, None) or view for address, view in lately.items()]
        return tuple([*ranked, *found.values()][:SHOWN])


def _lately(session: Session, actor: Actor, wanted: str) -> dict[str, AddressView]:
    """Correspondents of the actor's own mail, the last first; one name each, the latest that is a name."""
    recent = (
        select(Message.id, Message.sort_at)
        .where(access.own_message(actor))
        .order_by(col(Message.sort_at).desc(), col(Message.id).desc())
        .limit(RECENT)
        .subquery()
    )
    like = _like(wanted)
    address, name = col(Participant.address), func.lower(col(Participant.name))
    by_name = (
        select(Participant.name, Participant.address, recent.c.sort_at)
        .join(recent, recent.c.id == col(Participant.message_id))
        .where(name.like(f"{like}%", escape="\\") | name.like(f"% {like}%", escape="\\"))
        .order_by(recent.c.sort_at.desc())
        .limit(READ)
    )
    by_address = (
        select(Participant.name, Participant.address, Message.sort_at)
        .join(Message, col(Message.id) == col(Participant.message_id))
        .where(address >= wanted, address < wanted + LAST, access.own_message(actor))
        .order_by(col(Message.sort_at).desc())
        .limit(READ)
    )
    rows = sorted([*session.exec(by_name), *session.exec(by_address)], key=lambda row: row[2], reverse=True)
    found: dict[str, AddressView] = {}
    for shown, where, _ in rows:
        before = found.get(where)
        if not is_address(where) or (before is not None and before.name):
            continue
        found[where] = AddressView(name="" if "@" in shown else clean(shown), address=where, person_id=None)
    return found


def _people(session: Session, actor: Actor, wanted: str) -> list[AddressView]:
    like = _like(wanted)
    name, address = func.lower(col(Person.name)), col(PersonAddress.address)
    found = session.exec(
        select(Person.id, Person.name, PersonAddress.address)
        .join(PersonAddress, col(PersonAddress.person_id) == col(Person.id))
        .where(
            access.visible_crm(actor, Person),
            name.like(f"{like}%", escape="\\")
            | name.like(f"% {like}%", escape="\\")
            | address.like(f"{like}%", escape="\\"),
        )
        .order_by(name, address)
        .limit(READ)
    )
    return [AddressView(name=row[1], address=row[2], person_id=row[0]) for row in found]


def _like(wanted: str) -> str:
    return "".join("\\" + char if char in "%_\\" else char for char in wanted)
