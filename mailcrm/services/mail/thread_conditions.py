"""The conditions that lists of conversations are made of: each is SQL about a thread, to be asked of one or as a set.

Only builds; thread_pick.py knows which of the two is cheaper, and what a list asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, literal_column, or_, tuple_
from sqlmodel import Session, col

from mailcrm.models import (
    Deal,
    Label,
    Lead,
    Link,
    Message,
    MessageLocation,
    Outbox,
    Person,
    PersonAddress,
    Thread,
    ThreadLabel,
    TrackedMessage,
    UtcDateTime,
)
from mailcrm.services import access, paging
from mailcrm.services.access import Actor
from mailcrm.services.mail.search.parties import contains
from mailcrm.services.rows import pick, rows

if TYPE_CHECKING:
    from mailcrm.services.mail.thread_pick import Filter

NAMED_MOST = 200  # deals or persons that one text names
_STANDS = access.standing()


def start(cursor: str | None) -> dict[str, Any]:
    """The place behind which a list begins, as values of a statement; none at its beginning."""
    return dict(zip(("from_at", "from_id"), paging.read_at(cursor), strict=True)) if cursor else {}


def until(beyond: Any) -> dict[str, Any]:
    """The place (last_at, id) where a list ends, as values of a statement; none for its end."""
    return {} if beyond is None else {"until_at": beyond[0], "until_id": beyond[1]}


def at_place(values: dict[str, Any]) -> Any:
    """A place, as parameters that are given other values when the statement runs again."""
    (at, moment), (row, row_id) = values.items()
    return tuple_(bindparam(at, moment, UtcDateTime()), bindparam(row, row_id, BigInteger()))


def message(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """The thread has a standing message of which these hold.

    Whose it is was asked of the thread (own_thread), and a foreign key over both columns holds them together; asking
    again would lead planners to read all of a user's messages.
    """
    statement = pick(Message.id).where(col(Message.thread_id) == col(Thread.id), _STANDS)
    return for_each(statement.where(*conditions).correlate(Thread))


def located(folder_ids: list[int]) -> ColumnElement[bool]:
    """The message lies in one of these folders; the sum keeps SQLite from beginning with all that lies there."""
    lies_there = (col(MessageLocation.folder_id) + 0).in_(folder_ids)
    of_message = pick(MessageLocation.id).where(col(MessageLocation.message_id) == col(Message.id), lies_there)
    return for_each(of_message.correlate(Message))


def for_each(statement: Select[Any]) -> ColumnElement[bool]:
    """EXISTS, asked of one row at a time.

    OFFSET 0 keeps PostgreSQL from turning it into a join of everything, which without statistics (in a first sync)
    took minutes where the page takes milliseconds (test_large_mailbox).
    """
    return statement.offset(0).exists()


def sent() -> ColumnElement[bool]:
    return col(Message.direction) == literal_column("'out'")  # as in the partial index


def archived() -> ColumnElement[bool]:
    return col(Message.archived).is_(True)


def is_shared() -> ColumnElement[bool]:
    return col(Message.visibility) == literal_column("'shared'")  # as in the partial index


def tracked(wanted: Filter) -> list[ColumnElement[bool]]:
    """What the filters by tracking ask of a message's row of it."""
    none: ColumnElement[int] = literal_column("0")  # as in the partial indexes
    asked = (
        (wanted.tracked, or_(col(TrackedMessage.opens_on), col(TrackedMessage.clicks_on))),
        (wanted.opened, and_(col(TrackedMessage.opens_on), col(TrackedMessage.opens) > none)),
        (wanted.clicked, and_(col(TrackedMessage.clicks_on), col(TrackedMessage.clicks) > none)),
        (wanted.not_opened, and_(col(TrackedMessage.opens_on), col(TrackedMessage.opens) == 0)),
    )
    return [condition for wants, condition in asked if wants]


def threads_tracked(actor: Actor, condition: ColumnElement[bool]) -> Select[Any]:
    statement = pick(Message.thread_id).join(TrackedMessage, col(TrackedMessage.message_id) == col(Message.id))
    return statement.where(col(TrackedMessage.user_id) == actor.user_id, condition, _STANDS)


def linked(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The thread, or a standing message of it, has a standing link of which this holds; asked of each thread."""
    of_thread = pick(Link.id).where(
        col(Link.thread_id) == col(Thread.id), col(Link.unlinked_at).is_(None), condition
    )  # fmt: skip
    return or_(for_each(of_thread.correlate(Thread)), col(Thread.id).in_(_of_messages(condition)))


def linked_set(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    standing = (col(Link.unlinked_at).is_(None), condition)
    of_threads = pick(Link.thread_id).where(*standing, col(Link.thread_id).is_not(None))
    return or_(col(Thread.id).in_(of_threads), col(Thread.id).in_(_of_messages(condition)))


def linked_to_deals(which: ColumnElement[bool], of_link: ColumnElement[bool]) -> ColumnElement[bool]:
    """As `_linked_set`, beginning with the deals: there are fewer of them than links."""
    of_threads = pick(Link.thread_id).join(Deal, col(Deal.id) == col(Link.deal_id))
    of_threads = of_threads.where(which, col(Link.unlinked_at).is_(None), col(Link.thread_id).is_not(None))
    return or_(col(Thread.id).in_(of_threads), col(Thread.id).in_(_of_messages(of_link)))


def _of_messages(condition: ColumnElement[bool]) -> Select[Any]:
    """Threads of messages that are linked by themselves; there are few such links."""
    linked = pick(Message.thread_id).join(Link, col(Link.message_id) == col(Message.id))
    return linked.where(col(Link.message_id).is_not(None), col(Link.unlinked_at).is_(None), condition, _STANDS)


def shown_target(actor: Actor) -> ColumnElement[bool]:
    """The link's person, deal or lead is one that the actor may see: what is in the trash links nothing."""
    of: list[ColumnElement[bool]] = []
    for model, column in ((Person, Link.person_id), (Deal, Link.deal_id), (Lead, Link.lead_id)):
        target = pick(model.id).where(col(model.id) == col(column), access.visible_crm(actor, model))
        of.append(target.correlate(Link).exists())
    return or_(*of)


def failed(actor: Actor) -> Select[Any]:
    """Threads of messages whose answer could not be sent; there are few."""
    stuck = (access.own_outbox(actor), col(Outbox.state).in_(("failed", "unknown")))
    return pick(Message.thread_id).join(Outbox, col(Outbox.reply_to_message_id) == col(Message.id)).where(*stuck)


def labelled(actor: Actor, label_id: int, by_sets: bool) -> ColumnElement[bool]:
    stands = pick(Label.id).where(col(Label.id) == label_id, col(Label.deleted_at).is_(None)).exists()
    worn = threads_labelled(actor, label_id)
    if by_sets:
        return and_(stands, col(Thread.id).in_(worn))
    return and_(stands, for_each(worn.where(col(ThreadLabel.thread_id) == col(Thread.id)).correlate(Thread)))


def named(session: Session, actor: Actor, model: type[Deal | Person], name: str) -> list[int]:
    """Return the ids of the deals or persons that the actor may see and whose name, or address, has this text."""
    title: Any = Deal.title if model is Deal else Person.name
    condition = contains(session, title, name)
    if model is Person:
        of_person = pick(PersonAddress.id).where(col(PersonAddress.person_id) == col(Person.id))
        address = of_person.where(contains(session, col(PersonAddress.address), name)).correlate(Person)
        condition = or_(condition, address.exists()) if "@" in name or "." in name else condition
    statement = pick(model.id).where(access.visible_crm(actor, model), condition)
    return [row[0] for row in rows(session, statement.order_by(col(model.id).desc()).limit(NAMED_MOST))]


def threads_labelled(actor: Actor, label_id: int) -> Select[Any]:
    worn = (col(ThreadLabel.label_id) == label_id, col(ThreadLabel.user_id) == actor.user_id)
    return pick(ThreadLabel.thread_id).where(*worn)
