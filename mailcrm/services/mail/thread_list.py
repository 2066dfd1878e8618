"""One page of conversations: thread_pick.py says which, this loads what is shown of them.

Details are loaded for the page's threads only, in a constant number of statements. Own mail only; does not authorise
more.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from typing import Any

from sqlalchemy import Select, func, or_
from sqlmodel import Session, col

from mailcrm.models import Deal, Link, Message, Outbox, Participant, Person, TrackedMessage
from mailcrm.services import access, paging
from mailcrm.services.access import Actor
from mailcrm.services.given import Kept, among, dialect_of
from mailcrm.services.mail import labels, thread_pick
from mailcrm.services.mail.parse.deception import shown_name
from mailcrm.services.mail.thread_pick import Filter, count_unread
from mailcrm.services.mail.views import ThreadPage, ThreadRow, TrackingView
from mailcrm.services.rows import pick, rows

NAMED = 6  # newest messages of a thread that its row takes names from
_STANDS = access.standing()
_KEPT = Kept()

__all__ = ["Filter", "count_unread", "page"]


def page(session: Session, actor: Actor, wanted: Filter, cursor: str | None, limit: int) -> ThreadPage:
    """Return one page; NotFound for a mailbox, person, deal or lead that the actor may not see."""
    size = paging.page_size(limit)
    little = thread_pick.lies_little(session, actor, wanted)
    found = thread_pick.found(session, actor, wanted, cursor, size + 1, little=little)
    more = len(found) > size
    found = found[:size]
    return ThreadPage(
        rows=_details(session, actor, wanted, found),
        next_cursor=paging.cursor_at(found[-1].last_at, found[-1].id) if more else None,
        total_unread=count_unread(session, actor, wanted.folder, wanted.mailbox_id, little=little),
    )


def _details(session: Session, actor: Actor, wanted: Filter, found: Any) -> tuple[ThreadRow, ...]:
    ids = [row.id for row in found]
    if not ids:
        return ()
    newest = _newest(session, ids)
    sums = _sums(session, ids)
    tracked = _tracked(session, ids)
    deals, persons = _links(session, actor, ids)
    failed = _failed(session, actor, ids)
    worn = labels.of_threads(session, ids)
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
                labels=worn.get(thread.id, ()),
            )
        )
    return tuple(made)


def _newest(session: Session, ids: list[int]) -> dict[int, list[Any]]:
    """The newest messages of each thread and its newest outgoing one, newest first."""
    grouped: dict[int, list[Any]] = defaultdict(list)
    for row in rows(session, _newest_statement(dialect_of(session)), {"ids": ids}):
        grouped[row.thread_id].append(row)
    return grouped


@functools.cache
def _newest_statement(dialect: str) -> Select[Any]:
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
        .where(among(col(Message.thread_id), "ids", dialect), _STANDS)
        .subquery()
    )
    statement = pick(inner).where(or_(inner.c.place <= NAMED, inner.c.place_in_direction == 1))
    return statement.order_by(inner.c.thread_id, inner.c.place)


def _sums(session: Session, ids: list[int]) -> dict[int, tuple[bool, bool]]:
    """Whether a thread has attachments, and whether a message of it is shared."""
    found = rows(session, _sums_statement(dialect_of(session)), {"ids": ids})
    return {row[0]: (row[1] > 0, row[2] > 0) for row in found}


@functools.cache
def _sums_statement(dialect: str) -> Select[Any]:
    return (
        pick(
            Message.thread_id,
            func.count().filter(col(Message.has_attachments).is_(True)),
            func.count().filter(col(Message.visibility) == "shared"),
        )
        .where(among(col(Message.thread_id), "ids", dialect), _STANDS)
        .group_by(col(Message.thread_id))
    )


def _tracked(session: Session, ids: list[int]) -> dict[int, tuple[int, TrackingView]]:
    """The latest tracked message of each thread."""
    found: dict[int, tuple[int, TrackingView]] = {}
    for thread_id, message_id, *figures in rows(session, _tracked_statement(dialect_of(session)), {"ids": ids}):
        view, before = TrackingView(*figures), found.get(thread_id)
        same = before is not None and before[0] == message_id  # another recipient's copy
        found[thread_id] = (message_id, before[1].together(view) if before is not None and same else view)
    return found


@functools.cache
def _tracked_statement(dialect: str) -> Select[Any]:
    return (
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
        .where(among(col(Message.thread_id), "ids", dialect), _STANDS)
        .order_by(col(Message.sort_at), col(Message.id))
    )


def _links(session: Session, actor: Actor, ids: list[int]) -> tuple[dict[int, tuple[int, str]], dict[int, int]]:
    """The latest deal of each thread, and its first person."""
    dialect = dialect_of(session)
    statement = _KEPT.get(("links", dialect, access.view_of(actor)), lambda: _links_statement(actor, dialect))
    deals: dict[int, tuple[int, str]] = {}
    persons: dict[int, int] = {}
    for thread_id, deal_id, title, person_id in rows(session, statement, {"ids": ids}):
        if deal_id is not None:
            deals[thread_id] = (deal_id, title)
        if person_id is not None:
            persons.setdefault(thread_id, person_id)
    return deals, persons


def _links_statement(actor: Actor, dialect: str) -> Select[Any]:
    return (
        pick(Link.thread_id, Deal.id, Deal.title, Person.id)
        .outerjoin(Deal, (col(Deal.id) == col(Link.deal_id)) & access.visible_crm(actor, Deal))
        .outerjoin(Person, (col(Person.id) == col(Link.person_id)) & access.visible_crm(actor, Person))
        .where(among(col(Link.thread_id), "ids", dialect), col(Link.unlinked_at).is_(None))
        .order_by(col(Link.created_at), col(Link.id))
    )


def _failed(session: Session, actor: Actor, ids: list[int]) -> dict[int, str]:
    dialect = dialect_of(session)

    def make() -> Select[Any]:
        return (
            pick(Message.thread_id, Outbox.error_code)
            .join(Outbox, col(Outbox.reply_to_message_id) == col(Message.id))
            .where(among(col(Message.thread_id), "ids", dialect))
            .where(access.own_outbox(actor), col(Outbox.state).in_(("failed", "unknown")))
            .order_by(col(Outbox.updated_at))
        )

    statement = _KEPT.get(("failed", dialect, access.view_of(actor)), make)
    return {row[0]: row[1] or "internal" for row in rows(session, statement, {"ids": ids})}


def _recipients(session: Session, message_ids: list[int]) -> dict[int, list[tuple[str, str]]]:
    found: dict[int, list[tuple[str, str]]] = defaultdict(list)
    statement = _recipients_statement(dialect_of(session))
    for message_id, name, address in rows(session, statement, {"ids": message_ids}):
        found[message_id].append((name, address))
    return found


@functools.cache
def _recipients_statement(dialect: str) -> Select[Any]:
    return (
        pick(Participant.message_id, Participant.name, Participant.address)
        .where(among(col(Participant.message_id), "ids", dialect), col(Participant.role).in_(("to", "cc")))
        .order_by(col(Participant.message_id), col(Participant.role).desc(), col(Participant.position))
    )


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
            people[address.lower()] = shown_name(name, address)
    return list(people.values()), list(people)
