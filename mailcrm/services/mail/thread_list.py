"""One page of conversations: which ones (keyset on threads(user_id, last_at, id)), then the page's details.

The conditions are EXISTS on the messages of one thread, so the first page reads the newest threads and stops; details
are loaded for the page's threads only, in a constant number of statements. Own mail only; does not authorise more.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    func,
    literal,
    or_,
    tuple_,
)
from sqlmodel import Session, col

from mailcrm.errors import UserError
from mailcrm.models import (
    Deal,
    Folder,
    Lead,
    Link,
    Mailbox,
    Message,
    MessageLocation,
    Outbox,
    Participant,
    Person,
    Thread,
    TrackedMessage,
    UtcDateTime,
)
from mailcrm.services import access, paging
from mailcrm.services.access import Actor
from mailcrm.services.mail.search import index
from mailcrm.services.mail.views import ThreadPage, ThreadRow, TrackingView
from mailcrm.services.rows import pick, rows, scalar

FOLDERS = ("inbox", "sent", "archive", "all")
NAMED = 6  # newest messages of a thread that its row takes names from
_STANDS = access.standing()
QUERY_MOST = 200  # characters of a search; more is cut


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; everything combines with AND."""

    folder: str = "inbox"
    mailbox_id: int | None = None
    unread: bool = False
    tracked: bool = False
    opened: bool = False
    clicked: bool = False
    not_opened: bool = False
    open_deal: bool = False
    has_attachment: bool = False
    person_id: int | None = None
    deal_id: int | None = None
    lead_id: int | None = None
    visibility: str | None = None
    query: str = ""


def page(session: Session, actor: Actor, wanted: Filter, cursor: str | None, limit: int) -> ThreadPage:
    """Return one page; NotFound for a mailbox, person, deal or lead that the actor may not see."""
    size = paging.page_size(limit)
    found = rows(session, page_statement(session, actor, wanted, cursor, size + 1))
    more = len(found) > size
    found = found[:size]
    return ThreadPage(
        rows=_details(session, actor, wanted, found),
        next_cursor=paging.cursor_at(found[-1].last_at, found[-1].id) if more else None,
        total_unread=count_unread(session, actor, wanted.folder, wanted.mailbox_id),
    )


def page_statement(session: Session, actor: Actor, wanted: Filter, cursor: str | None, limit: int) -> Select[Any]:
    """Build the statement that picks the page's threads; checks the ids it is given."""
    statement = pick(Thread.id, Thread.subject, Thread.last_at, Thread.message_count, Thread.unread_count).where(
        access.own_thread(actor), *_conditions(session, actor, wanted)
    )
    if cursor:
        at, last_id = paging.read_at(cursor)
        statement = statement.where(
            tuple_(col(Thread.last_at), col(Thread.id)) < tuple_(literal(at, UtcDateTime()), literal(last_id))
        )
    return statement.order_by(col(Thread.last_at).desc(), col(Thread.id).desc()).limit(limit)


def count_unread(session: Session, actor: Actor, folder: str, mailbox_id: int | None = None) -> int:
    """Count the folder's unread conversations."""
    statement = pick(func.count()).select_from(Thread).where(access.own_thread(actor), col(Thread.unread_count) > 0)
    return scalar(session, statement.where(_in_folder(folder, mailbox_id))) or 0


def _conditions(session: Session, actor: Actor, wanted: Filter) -> list[ColumnElement[bool]]:
    if wanted.mailbox_id is not None:
        access.load(session, Mailbox, wanted.mailbox_id, access.own_mailbox(actor))
    found = [_in_folder(wanted.folder, wanted.mailbox_id)]
    if wanted.unread:
        found.append(col(Thread.unread_count) > 0)
    if wanted.has_attachment:
        found.append(_message(col(Message.has_attachments).is_(True)))
    either = or_(col(TrackedMessage.opens_on), col(TrackedMessage.clicks_on))
    for asked, condition in (
        (wanted.tracked, either),
        (wanted.opened, and_(col(TrackedMessage.opens_on), col(TrackedMessage.opens) > 0)),
        (wanted.clicked, and_(col(TrackedMessage.clicks_on), col(TrackedMessage.clicks) > 0)),
        (wanted.not_opened, and_(col(TrackedMessage.opens_on), col(TrackedMessage.opens) == 0)),
    ):
        if asked:
            of_message = pick(TrackedMessage.id).where(col(TrackedMessage.message_id) == col(Message.id), condition)
            found.append(_message(of_message.correlate(Message).exists()))
    if wanted.open_deal:
        deal = pick(Deal.id).where(
            col(Deal.id) == col(Link.deal_id), col(Deal.status) == "open", access.visible_crm(actor, Deal)
        )
        found.append(_linked(deal.correlate(Link).exists()))
    if wanted.person_id is not None:
        access.load(session, Person, wanted.person_id, access.visible_crm(actor, Person))
        found.append(_linked(col(Link.person_id) == wanted.person_id))
    if wanted.deal_id is not None:
        access.load(session, Deal, wanted.deal_id, access.visible_crm(actor, Deal))
        found.append(_linked(col(Link.deal_id) == wanted.deal_id))
    if wanted.lead_id is not None:
        access.load(session, Lead, wanted.lead_id, access.visible_crm(actor, Lead))
        found.append(_linked(col(Link.lead_id) == wanted.lead_id))
    if wanted.visibility is not None:
        found.append(_message(col(Message.visibility) == wanted.visibility))
    if wanted.query.strip():
        found.append(_found(session, wanted.query[:QUERY_MOST]))
    return found


def _in_folder(folder: str, mailbox_id: int | None) -> ColumnElement[bool]:
    if folder not in FOLDERS:
        raise UserError("input.invalid", value=str(folder)[:40], field="Folder")
    conditions: dict[str, tuple[ColumnElement[bool], ...]] = {
        "inbox": (col(Message.archived).is_(False), _located("inbox")),
        "sent": (col(Message.direction) == "out",),
        "archive": (or_(col(Message.archived).is_(True), _located("archive")),),
        "all": (),
    }
    of_mailbox = () if mailbox_id is None else (col(Message.mailbox_id) == mailbox_id,)
    return _message(*conditions[folder], *of_mailbox)


def _message(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """The thread has a standing message of which these hold.

    Whose it is was asked of the thread (own_thread), and a foreign key over both columns holds them together; asking
    again would lead planners to read all of a user's messages.
    """
    statement = pick(Message.id).where(col(Message.thread_id) == col(Thread.id), _STANDS)
    return _for_each(statement.where(*conditions).correlate(Thread))


def _located(role: str) -> ColumnElement[bool]:
    its_role = pick(Folder.role).where(col(Folder.id) == col(MessageLocation.folder_id)).scalar_subquery()
    of_message = pick(MessageLocation.id).where(col(MessageLocation.message_id) == col(Message.id), its_role == role)
    return _for_each(of_message.correlate(Message))


def _for_each(statement: Select[Any]) -> ColumnElement[bool]:
    """EXISTS, asked of one row at a time.

    OFFSET 0 keeps PostgreSQL from turning it into a join of everything, which without statistics (in a first sync)
    took minutes where the page takes milliseconds (test_large_mailbox).
    """
    return statement.offset(0).exists()


def _linked(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    standing = (col(Link.unlinked_at).is_(None), condition)
    of_messages = pick(Message.thread_id).join(Link, col(Link.message_id) == col(Message.id)).where(*standing, _STANDS)
    of_threads = pick(Link.thread_id).where(*standing, col(Link.thread_id).is_not(None))
    return or_(col(Thread.id).in_(of_threads), col(Thread.id).in_(of_messages))


def _found(session: Session, question: str) -> ColumnElement[bool]:
    """The thread has a standing message with all words of the question (search/index.py)."""
    return col(Thread.id).in_(pick(Message.thread_id).where(_STANDS, index.found_by(session, question)))


def _details(session: Session, actor: Actor, wanted: Filter, found: Any) -> tuple[ThreadRow, ...]:
    ids = [row.id for row in found]
    if not ids:
        return ()
    newest = _newest(session, ids)
    sums = _sums(session, ids)
    tracked = _tracked(session, ids)
    deals, persons = _links(session, actor, ids)
    failed = _failed(session, actor, ids)
    recipients = _recipients(session, [row.id for group in newest.values() for row in group if row.direction == "out"])
    made: list[ThreadRow] = []
    for thread in found:
        group = newest.get(thread.id)
        if not group:
            continue  # deleted by another transaction in between
        names, addresses = _names(group, recipients, outgoing=wanted.folder == "sent")
        mark_id, mark = tracked.get(thread.id, (None, None))
        last_out = next((row.id for row in group if row.direction == "out"), None)
        has_files, is_shared = sums[thread.id]
        deal_id, deal_title = deals.get(thread.id, (None, ""))
        made.append(
            ThreadRow(
                id=thread.id,
                subject=thread.subject,
                names=", ".join(names),
                addresses=tuple(addresses),
                snippet=group[0].snippet,
                last_at=thread.last_at,
                message_count=thread.message_count,
                unread=thread.unread_count > 0,
                has_attachments=has_files,
                visibility="shared" if is_shared else "private",
                direction_last=group[0].direction,
                deal_id=deal_id,
                deal_title=deal_title,
                person_id=persons.get(thread.id),
                tracking=mark,
                last_outbound_message_id=mark_id or last_out,
                failed=failed.get(thread.id, ""),
            )
        )
    return tuple(made)


def _newest(session: Session, ids: list[int]) -> dict[int, list[Any]]:
    """The newest messages of each thread and its newest outgoing one, newest first."""
    order = (col(Message.sort_at).desc(), col(Message.id).desc())
    inner = (
        pick(
            Message.id,
            Message.thread_id,
            Message.direction,
            Message.snippet,
            Message.from_name,
            Message.from_address,
            Message.sort_at,
            func.row_number().over(partition_by=col(Message.thread_id), order_by=order).label("place"),
            func.row_number()
            .over(partition_by=(col(Message.thread_id), col(Message.direction)), order_by=order)
            .label("place_in_direction"),
        )
        .where(col(Message.thread_id).in_(ids), _STANDS)
        .subquery()
    )
    statement = pick(inner).where(or_(inner.c.place <= NAMED, inner.c.place_in_direction == 1))
    grouped: dict[int, list[Any]] = defaultdict(list)
    for row in rows(session, statement.order_by(inner.c.thread_id, inner.c.place)):
        grouped[row.thread_id].append(row)
    return grouped


def _sums(session: Session, ids: list[int]) -> dict[int, tuple[bool, bool]]:
    """Whether a thread has attachments, and whether a message of it is shared."""
    statement = (
        pick(
            Message.thread_id,
            func.count().filter(col(Message.has_attachments).is_(True)),
            func.count().filter(col(Message.visibility) == "shared"),
        )
        .where(col(Message.thread_id).in_(ids), _STANDS)
        .group_by(col(Message.thread_id))
    )
    return {row[0]: (row[1] > 0, row[2] > 0) for row in rows(session, statement)}


def _tracked(session: Session, ids: list[int]) -> dict[int, tuple[int, TrackingView]]:
    """The latest tracked message of each thread."""
    statement = (
        pick(
            Message.thread_id,
            Message.id,
            TrackedMessage.opens_on,
            TrackedMessage.clicks_on,
            TrackedMessage.opens,
            TrackedMessage.clicks,
            TrackedMessage.first_opened_at,
            TrackedMessage.last_opened_at,
            TrackedMessage.last_clicked_at,
        )
        .join(TrackedMessage, col(TrackedMessage.message_id) == col(Message.id))
        .where(col(Message.thread_id).in_(ids), _STANDS)
        .order_by(col(Message.sort_at), col(Message.id))
    )
    return {row[0]: (row[1], TrackingView(*row[2:])) for row in rows(session, statement)}


def _links(session: Session, actor: Actor, ids: list[int]) -> tuple[dict[int, tuple[int, str]], dict[int, int]]:
    """The latest deal of each thread, and its first person."""
    statement = (
        pick(Link.thread_id, Deal.id, Deal.title, Person.id)
        .outerjoin(Deal, (col(Deal.id) == col(Link.deal_id)) & access.visible_crm(actor, Deal))
        .outerjoin(Person, (col(Person.id) == col(Link.person_id)) & access.visible_crm(actor, Person))
        .where(col(Link.thread_id).in_(ids), col(Link.unlinked_at).is_(None))
        .order_by(col(Link.created_at), col(Link.id))
    )
    deals: dict[int, tuple[int, str]] = {}
    persons: dict[int, int] = {}
    for thread_id, deal_id, title, person_id in rows(session, statement):
        if deal_id is not None:
            deals[thread_id] = (deal_id, title)
        if person_id is not None:
            persons.setdefault(thread_id, person_id)
    return deals, persons


def _failed(session: Session, actor: Actor, ids: list[int]) -> dict[int, str]:
    statement = (
        pick(Message.thread_id, Outbox.error_code)
        .join(Outbox, col(Outbox.reply_to_message_id) == col(Message.id))
        .where(col(Message.thread_id).in_(ids), access.own_outbox(actor), col(Outbox.state).in_(("failed", "unknown")))
        .order_by(col(Outbox.updated_at))
    )
    return {row[0]: row[1] or "internal" for row in rows(session, statement)}


def _recipients(session: Session, message_ids: list[int]) -> dict[int, list[tuple[str, str]]]:
    statement = (
        pick(Participant.message_id, Participant.name, Participant.address)
        .where(col(Participant.message_id).in_(message_ids), col(Participant.role).in_(("to", "cc")))
        .order_by(col(Participant.message_id), col(Participant.role).desc(), col(Participant.position))
    )
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for message_id, name, address in rows(session, statement):
        found[message_id].append((name, address))
    return found


def _names(
    group: list[Any], recipients: dict[int, list[tuple[str, str]]], *, outgoing: bool
) -> tuple[list[str], list[str]]:
    """Who it is with: the senders, newest first; the recipients where nobody wrote to us or in Sent."""
    senders = [(row.from_name, row.from_address) for row in group if row.direction == "in"]
    sent = next((row.id for row in group if row.direction == "out"), None)
    if sent is not None and (outgoing or not senders):
        senders = recipients.get(sent, [])
    people: dict[str, str] = {}
    for name, address in senders[:NAMED]:
        if not people.get(address.lower()):
            people[address.lower()] = name or address
    return list(people.values()), list(people)
