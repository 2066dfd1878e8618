"""Conversations: the lists of the Mail tab, one conversation, and what its owner does to it.

Lists hold the actor's own mail only. One conversation may be a colleague's: then it holds the messages that are
visible (access.py), and every change of it is NotFound. Nothing here touches the server: what is to be done there is
queued in the same transaction, where the mailbox's settings ask for it (settled question 5, mail/writeback).
Does not know persons and deals beyond their links: that is services/crm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, func, literal, update
from sqlmodel import Session, col, select

from mailcrm.errors import UserError
from mailcrm.models import (
    Deal,
    Lead,
    Link,
    Message,
    Outbox,
    Person,
    Stage,
    Thread,
    utcnow,
)
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import labels, message_views, thread_list, thread_pick
from mailcrm.services.mail.search import operators
from mailcrm.services.mail.thread.order import in_order
from mailcrm.services.mail.thread.summary import refresh_threads
from mailcrm.services.mail.thread_pick import Filter
from mailcrm.services.mail.views import (
    AddressView,
    DealChip,
    LinkView,
    MessageView,
    NavCounts,
    ThreadPage,
    ThreadView,
)
from mailcrm.services.mail.writeback import queue as writeback
from mailcrm.services.rows import chunks, pick, rows, scalar

VISIBILITIES = ("private", "shared")


def list_threads(
    actor: Actor,
    *,
    folder: str = "inbox",
    mailbox_id: int | None = None,
    unread: bool = False,
    tracked: bool = False,
    opened: bool = False,
    clicked: bool = False,
    not_opened: bool = False,
    open_deal: bool = False,
    unlinked: bool = False,
    failed: bool = False,
    has_attachment: bool = False,
    person_id: int | None = None,
    deal_id: int | None = None,
    lead_id: int | None = None,
    label_ids: Sequence[int] = (),
    visibility: str | None = None,
    query: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> ThreadPage:
    """Return one page of the actor's own conversations, newest first; filters combine with AND.

    `folder`: "inbox", "sent", "archive" or "all"; `visibility`: has a message that is so; `query` may hold operators
    (search/operators.py). Costs a constant number of statements.
    """
    wanted = Filter(
        folder=folder,
        mailbox_id=mailbox_id,
        unread=unread,
        tracked=tracked,
        opened=opened,
        clicked=clicked,
        not_opened=not_opened,
        open_deal=open_deal,
        unlinked=unlinked,
        failed=failed,
        has_attachment=has_attachment,
        person_id=person_id,
        deal_id=deal_id,
        lead_id=lead_id,
        label_ids=tuple(label_ids),
        visibility=visibility,
        query=query,
    )
    return list_page(actor, wanted, cursor=cursor, limit=limit)


def list_page(actor: Actor, wanted: Filter, *, cursor: str | None = None, limit: int = 50) -> ThreadPage:
    """Do the same for a Filter."""
    with reading() as session:
        return thread_list.page(session, actor, _read(wanted), cursor, limit)


def list_ids(actor: Actor, wanted: Filter, most: int) -> tuple[int, ...]:
    """Return the ids of what a filter finds, newest first, at most so many."""
    with reading() as session:
        found = thread_pick.found(session, actor, _read(wanted), None, most, only_ids=True)
        return tuple(row.id for row in found)


def count_each(actor: Actor, filters: Sequence[Filter], most: int) -> tuple[int, ...]:
    """Count what each of these finds, up to `most`."""
    with reading() as session:
        each = [thread_pick.found(session, actor, _read(wanted), None, most, only_ids=True) for wanted in filters]
        return tuple(len(found) for found in each)


def _read(wanted: Filter) -> Filter:
    """Take in what the query says."""
    asked = operators.read(wanted.query)
    on: dict[str, Any] = dict.fromkeys(asked.filters, True)
    if asked.folder:
        on["folder"] = asked.folder
    if asked.visibility:
        on["visibility"] = asked.visibility
    return replace(wanted, asked=asked, **on)


def open_thread(actor: Actor, thread_id: int) -> ThreadView:
    """Return a conversation with the messages that the actor may see; NotFound when there is none."""
    with reading() as session:
        thread, messages = visible_messages(session, actor, thread_id)
        views = message_views.build(session, actor, message_views.collapse(messages, actor))
        return ThreadView(
            id=thread_id,
            subject=thread.subject if thread.user_id == actor.user_id else messages[0].subject,
            messages=tuple(views),
            visibility="shared" if any(view.visibility == "shared" for view in views) else "private",
            own=thread.user_id == actor.user_id,
            links=links_of(session, actor, thread, views),
            deal=_deal(session, actor, thread_id),
            participants=_participants(views),
            labels=labels.of_threads(session, [thread_id]).get(thread_id, ()),
        )


def visible_messages(session: Session, actor: Actor, thread_id: int) -> tuple[Thread, list[Message]]:
    """Load a thread and its messages that the actor may see, oldest first; NotFound when there is none."""
    has_one = pick(Message.id).where(col(Message.thread_id) == col(Thread.id), access.visible_message(actor)).exists()
    thread = access.load(session, Thread, thread_id, has_one)
    found = select(Message).where(Message.thread_id == thread_id, access.visible_message(actor))
    return thread, in_order(session.exec(found.order_by(col(Message.sort_at), col(Message.id))).all())


def thread_of_message(actor: Actor, message_id: int) -> int:
    """Return the conversation of a message that the actor may see."""
    with reading() as session:
        return access.load(session, Message, message_id, access.visible_message(actor)).thread_id


def mark_read(actor: Actor, thread_id: int, read: bool) -> None:
    """Mark a whole conversation read, or its newest incoming message unread."""
    with transaction() as session:
        _own(session, actor, thread_id)
        mine = (col(Message.thread_id) == thread_id, access.own_message(actor))
        if read:
            which = (*mine, col(Message.read).is_(False))
        else:
            incoming = pick(Message.id).where(*mine, col(Message.direction) == "in")
            newest = incoming.order_by(col(Message.sort_at).desc(), col(Message.id).desc()).limit(1)
            which = (*mine, col(Message.id).in_(newest))
        if changed := _change(session, actor, thread_id, which, read=read):
            writeback.asked(session, actor, "read" if read else "unread", changed)
            live.hint(session, actor.user_id, "mail", thread_id)


def archive(actor: Actor, thread_id: int, archived: bool = True) -> None:
    """Take a conversation out of the Inbox, or put it back; a later message brings it back too."""
    with transaction() as session:
        _own(session, actor, thread_id)
        which = (col(Message.thread_id) == thread_id, access.own_message(actor))
        if changed := _change(
            session, actor, thread_id, (*which, col(Message.archived).is_(not archived)), archived=archived
        ):
            writeback.asked(session, actor, "archive" if archived else "unarchive", changed)
            audit.record(session, actor, "archive" if archived else "unarchive", "thread", thread_id)
            live.hint(session, actor.user_id, "mail", thread_id)


def delete(actor: Actor, thread_id: int) -> None:
    """Put a conversation in the trash: it leaves every list and every timeline (M30)."""
    with transaction() as session:
        _own(session, actor, thread_id)
        which = (col(Message.thread_id) == thread_id, access.own_message(actor))
        if changed := _change(session, actor, thread_id, which, deleted_at=utcnow()):
            writeback.asked(session, actor, "delete", changed)
            audit.record(session, actor, "delete", "thread", thread_id)
            _hint_all(session, actor, thread_id)


def restore(actor: Actor, thread_id: int) -> None:
    """Bring a deleted conversation back, with its links."""
    with transaction() as session:
        _own(session, actor, thread_id)
        which = (col(Message.thread_id) == thread_id, col(Message.user_id) == actor.user_id)
        if changed := _change(
            session, actor, thread_id, (*which, col(Message.deleted_at).is_not(None)), deleted_at=None
        ):
            writeback.asked(session, actor, "undelete", changed)
            audit.record(session, actor, "restore", "thread", thread_id)
            _hint_all(session, actor, thread_id)


def set_visibility(actor: Actor, thread_id: int, visibility: str) -> tuple[int, ...]:
    """Share all messages of a conversation with colleagues, or keep them private (M26); its owner only.

    Returns the messages that changed: `share_again` takes those.
    """
    _check_visibility(visibility)
    with transaction() as session:
        _own(session, actor, thread_id)
        which = (col(Message.thread_id) == thread_id, _meant(actor, visibility), col(Message.visibility) != visibility)
        if changed := _change(session, actor, thread_id, which, visibility=visibility):
            audit.record(session, actor, "set_visibility", "thread", thread_id, visibility=visibility)
            _hint_all(session, actor, thread_id)
        return tuple(changed)


def set_message_visibility(actor: Actor, message_id: int, visibility: str) -> tuple[int, ...]:
    """Share one message, or keep it private (M26); its owner only. The owner's other copies of it follow.

    Returns what changed, as `set_visibility` does.
    """
    _check_visibility(visibility)
    with transaction() as session:
        message = access.load(session, Message, message_id, access.own_message(actor))
        same = col(Message.id) == message_id
        if message.rfc_message_id:
            same = col(Message.rfc_message_id) == message.rfc_message_id
        which = (same, _meant(actor, visibility), col(Message.visibility) != visibility)
        if changed := _change(session, actor, message.thread_id, which, visibility=visibility):
            audit.record(session, actor, "set_visibility", "message", message_id, visibility=visibility)
            _hint_all(session, actor, message.thread_id)
        return tuple(changed)


def share_again(actor: Actor, message_ids: Sequence[int]) -> None:
    """Undo making messages private: of the actor's own ones just these, never what was private before (M25)."""
    with transaction() as session:
        found: set[int] = set()
        for part in chunks(message_ids):
            which = (col(Message.id).in_(part), col(Message.user_id) == actor.user_id)
            changed = update(Message).where(*which).values(visibility="shared").returning(col(Message.thread_id))
            found.update(row[0] for row in rows(session, changed))
        for thread_id in sorted(found):
            audit.record(session, actor, "set_visibility", "thread", thread_id, visibility="shared")
            _hint_all(session, actor, thread_id)


def counts(actor: Actor) -> NavCounts:
    """Return the numbers of the navigation."""
    with reading() as session:
        states = pick(Outbox.state, func.count()).where(access.own_outbox(actor)).group_by(col(Outbox.state))
        outbox = {row[0]: row[1] for row in rows(session, states)}
        leads = pick(func.count()).select_from(Lead).where(access.visible_crm(actor, Lead), col(Lead.status) == "open")
        return NavCounts(
            inbox_unread=thread_list.count_unread(session, actor, "inbox"),
            drafts=outbox.get("draft", 0),
            outbox=sum(outbox.get(state, 0) for state in ("queued", "sending", "failed", "unknown")),
            leads=scalar(session, leads) or 0,
        )


def links_of(session: Session, actor: Actor, thread: Thread, views: list[MessageView]) -> tuple[LinkView, ...]:
    """Return the standing links of a thread and of these messages of it, whose targets the actor may see.

    In a colleague's thread, who takes part in messages that are kept private stays private (M25): a rule's link to a
    person shows only when that person is on one of these messages.
    """
    source = (col(Link.thread_id) == thread.id) | col(Link.message_id).in_([view.id for view in views])
    title = func.coalesce(col(Person.name), col(Deal.title), col(Lead.title))
    statement = (
        pick(Link.id, Link.person_id, Link.deal_id, Link.lead_id, title, Link.origin, Link.reason)
        .outerjoin(Person, (col(Person.id) == col(Link.person_id)) & access.visible_crm(actor, Person))
        .outerjoin(Deal, (col(Deal.id) == col(Link.deal_id)) & access.visible_crm(actor, Deal))
        .outerjoin(Lead, (col(Lead.id) == col(Link.lead_id)) & access.visible_crm(actor, Lead))
        .where(
            source,
            col(Link.unlinked_at).is_(None),
            title.is_not(None),
            access.told_link(actor, literal(thread.user_id)),
        )
        .order_by(col(Link.id))
    )
    everything = thread.user_id == actor.user_id
    parties = {party for view in views for party in (view.sender, *view.to, *view.cc, *view.bcc)}
    addresses = {party.address for party in parties}
    persons = {party.person_id for party in parties}
    seen: dict[tuple[str, int], LinkView] = {}
    for link_id, person_id, deal_id, lead_id, name, origin, reason in rows(session, statement):
        if person_id and origin == "rule" and not everything and person_id not in persons:
            continue
        kind = "person" if person_id else "deal" if deal_id else "lead"
        target: int = person_id or deal_id or lead_id
        address = str(reason.get("address", ""))
        detail = address if everything or address in addresses else ""
        seen.setdefault(
            (kind, target), LinkView(link_id, kind, target, name, origin, str(reason.get("code", "")), detail)
        )
    return tuple(seen.values())


def _deal(session: Session, actor: Actor, thread_id: int) -> DealChip | None:
    statement = (
        pick(Deal.id, Deal.title, Deal.stage_id, Stage.name, Deal.status)
        .join(Link, col(Link.deal_id) == col(Deal.id))
        .join(Stage, col(Stage.id) == col(Deal.stage_id))
        .join(Thread, col(Thread.id) == col(Link.thread_id))
        .where(col(Link.thread_id) == thread_id, col(Link.unlinked_at).is_(None), access.visible_crm(actor, Deal))
        .where(access.told_link(actor, col(Thread.user_id)))
        .order_by(col(Link.created_at).desc(), col(Link.id).desc())
        .limit(1)
    )
    found = rows(session, statement)
    return DealChip(*found[0]) if found else None


def _participants(views: list[MessageView]) -> tuple[AddressView, ...]:
    seen: dict[str, AddressView] = {}
    for view in views:
        for address in (view.sender, *view.to, *view.cc):
            if address.address and (address.address not in seen or not seen[address.address].name):
                seen[address.address] = address
    return tuple(seen.values())


def _own(session: Session, actor: Actor, thread_id: int) -> Thread:
    return access.load(session, Thread, thread_id, access.own_thread(actor))


def _change(
    session: Session, actor: Actor, thread_id: int, which: tuple[ColumnElement[bool], ...], **values: Any
) -> list[int]:
    """Update own messages, then the summaries; return which changed."""
    statement = update(Message).where(col(Message.user_id) == actor.user_id, *which).values(**values)
    changed = [row[0] for row in rows(session, statement.returning(col(Message.id)))]
    if changed:
        refresh_threads(session, (thread_id,))
    return changed


def _meant(actor: Actor, visibility: str) -> ColumnElement[bool]:
    """Own messages that are shared or kept private together: shared are only those that their owner sees now.

    Private is also what is blocked, hidden or in the trash, and may come back.
    """
    return access.own_message(actor) if visibility == "shared" else col(Message.user_id) == actor.user_id


def _check_visibility(visibility: str) -> None:
    if visibility not in VISIBILITIES:
        raise UserError("input.invalid", value=str(visibility)[:40], field="Visibility")


def _hint_all(session: Session, actor: Actor, thread_id: int) -> None:
    """What colleagues see in timelines may have changed too."""
    live.hint(session, actor.user_id, "mail", thread_id)
    live.hint(session, None, "crm")
