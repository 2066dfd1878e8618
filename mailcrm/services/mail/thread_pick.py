"""Which conversations a list shows: filters, keyset, and two ways to find one page of them.

*Walking* reads the newest conversations by index and asks each (EXISTS, one row at a time): it stops when the page is
full, and is not allowed more than WALK conversations. Where that does not fill the page, what was asked for is rare
among them, and *by sets* it is found from its own end: what lies in these folders, what has these words. So neither an
inbox of 300,000 messages nor an empty one costs a read of everything. Own mail only; checks the ids it is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, literal_column, or_, tuple_, union_all
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
    Person,
    Thread,
    TrackedMessage,
)
from mailcrm.services import access, paging
from mailcrm.services.access import Actor
from mailcrm.services.given import Kept, dialect_of, one_of
from mailcrm.services.mail import labels, reminders
from mailcrm.services.mail import thread_conditions as sql
from mailcrm.services.mail.search import index, parties
from mailcrm.services.mail.search.operators import NOTHING, Asked
from mailcrm.services.rows import pick, rows, scalar

FOLDERS = ("inbox", "snoozed", "sent", "archive", "all")
_BY_ROLE = ("inbox", "archive")  # what lies in folders of this role
WALK = 1000  # conversations that are asked one by one: some 10 ms
RARE = 2000  # messages; so many may each be looked at
MOST_COUNTED = 1000  # unread conversations; lists show 999+ from here
FAR = 8000  # conversations that are walked further where words were met on the way
_STANDS = access.standing()
_COLUMNS = (Thread.id, Thread.subject, Thread.last_at, Thread.message_count, Thread.unread_count)
_KEPT = Kept()


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
    unlinked: bool = False
    failed: bool = False
    #: Each of these; a label that is gone finds nothing.
    label_ids: tuple[int, ...] = ()
    query: str = ""
    #: What the query says: `threads` reads it.
    asked: Asked = NOTHING


def found(
    session: Session,
    actor: Actor,
    wanted: Filter,
    cursor: str | None,
    limit: int,
    *,
    walk: int = WALK,
    only_ids: bool = False,
    little: bool | None = None,
) -> list[Any]:
    """Return at most `limit` rows (id, subject, last_at, message_count, unread_count), newest first.

    `little`: what lies_little says of the folder, where it was asked already; it checks the mailbox, too.
    """
    columns = (Thread.id,) if only_ids else _COLUMNS
    if little is None:
        _check_mailbox(session, actor, wanted)

    def read(**how: Any) -> list[Any]:
        statement = _page_kept(session, actor, wanted, cursor, limit, columns=columns, **how)
        return list(rows(session, statement, {**sql.start(cursor), **sql.until(how.get("beyond"))}))

    rare = _is_rare(session, wanted)
    if rare:
        return read()
    if (few := _few(session, actor, wanted)) is not None:
        return read(few=few)
    if lies_little(session, actor, wanted) if little is None else little:
        return read(by_sets=True, from_folder=True)
    beyond = walk_end(session, actor, wanted, cursor, walk)
    made = read(beyond=beyond)
    if len(made) == limit or beyond is None:
        return made
    further = walk * (limit - len(made)) // len(made) * 3 // 2 if made else FAR + 1
    if further <= FAR:  # what is asked for is frequent: what is missing is not far
        start = paging.cursor_at(beyond[0], beyond[1] + 1)
        end = walk_end(session, actor, wanted, start, further)
        left = limit - len(made)
        statement = page_statement(session, actor, wanted, start, left, beyond=end, columns=columns)
        more = list(rows(session, statement))
        if len(more) == left or end is None:
            return made + more
    return read(by_sets=True)


def walk_end(session: Session, actor: Actor, wanted: Filter, cursor: str | None, walk: int = WALK) -> Any:
    """Return (last_at, id) of the conversation where walking ends; None when it may go on to the last one."""

    def make() -> Select[Any]:
        return _newest(pick(Thread.last_at, Thread.id), actor, wanted, cursor).offset(walk).limit(1)

    statement = _KEPT.get(("end", dialect_of(session), actor.user_id, bool(wanted.unread), cursor is None, walk), make)
    return next(iter(rows(session, statement, sql.start(cursor))), None)


def _page_kept(
    session: Session,
    actor: Actor,
    wanted: Filter,
    cursor: str | None,
    limit: int,
    *,
    columns: tuple[Any, ...],
    beyond: Any = None,
    few: list[int] | None = None,
    **how: bool,
) -> Select[Any]:
    """Return `page_statement`; the one of before, but for moments, where nothing is asked that rows are read for."""

    def make() -> Select[Any]:
        return page_statement(session, actor, wanted, cursor, limit, beyond=beyond, few=few, columns=columns, **how)

    ids = (wanted.person_id, wanted.deal_id, wanted.lead_id, few)
    if wanted.folder not in FOLDERS or wanted.asked != NOTHING or any(each is not None for each in ids):
        return make()
    folders = _folders(session, actor, wanted.folder, wanted.mailbox_id) if wanted.folder in _BY_ROLE else ()
    asked = (wanted, tuple(folders), limit, cursor is None, beyond is None, len(columns), tuple(sorted(how.items())))
    return _KEPT.get((dialect_of(session), access.view_of(actor), *asked), make)


def page_statement(
    session: Session,
    actor: Actor,
    wanted: Filter,
    cursor: str | None,
    limit: int,
    *,
    beyond: Any = None,
    by_sets: bool = False,
    from_folder: bool = False,
    few: list[int] | None = None,
    columns: tuple[Any, ...] = _COLUMNS,
) -> Select[Any]:
    """Build the statement that picks the page's threads; checks the ids it is given.

    `few`: no others come into question. `from_folder`, by sets: what lies in the folder is the smallest of them.
    """
    asked = _conditions(session, actor, wanted, by_sets, from_folder)
    statement = _newest(pick(*columns), actor, wanted, cursor).where(*asked)
    if few is not None:  # named one by one: as a set of its own, PostgreSQL reads all threads to look for it
        statement = statement.where(col(Thread.id).in_(few))
    if beyond is not None:
        statement = statement.where(_place() > sql.at_place(sql.until(beyond)))
    return statement.limit(limit)


def count_unread(
    session: Session, actor: Actor, folder: str, mailbox_id: int | None = None, *, little: bool | None = None
) -> int:
    """Count the folder's unread conversations, up to MOST_COUNTED."""
    wanted = Filter(folder=folder, mailbox_id=mailbox_id, unread=True)
    return len(found(session, actor, wanted, None, MOST_COUNTED, walk=3 * MOST_COUNTED, only_ids=True, little=little))


def _is_rare(session: Session, wanted: Filter) -> bool:
    """A set that its own index gives: nothing is to be walked for it, and no folder read as a whole."""
    if wanted.asked.void:
        return True
    if wanted.asked.phrases:
        return index.ids(session, wanted.asked.phrases) is not None
    if wanted.asked.deals or wanted.asked.persons:
        return True
    return any(each is not None for each in (wanted.person_id, wanted.deal_id, wanted.lead_id))


def _newest(statement: Select[Any], actor: Actor, wanted: Filter, cursor: str | None) -> Select[Any]:
    """What an index of threads alone can tell."""
    statement = statement.where(access.own_thread(actor))
    if wanted.unread:
        statement = statement.where(col(Thread.unread_count) > literal_column("0"))  # as in the partial index
    if cursor:
        statement = statement.where(_place() < sql.at_place(sql.start(cursor)))
    return statement.order_by(col(Thread.last_at).desc(), col(Thread.id).desc())


def _place() -> Any:
    return tuple_(col(Thread.last_at), col(Thread.id))


def _conditions(
    session: Session, actor: Actor, wanted: Filter, by_sets: bool, from_folder: bool = False
) -> list[ColumnElement[bool]]:
    # Other sets are smaller than what lies in a folder; walking would have met a larger one.
    sets = by_sets and not from_folder
    other_set = sets and (wanted.open_deal or wanted.label_ids or bool(sql.tracked(wanted)))
    found = [_in_folder(session, actor, wanted.folder, wanted.mailbox_id, by_sets and not other_set)]
    if wanted.folder == "inbox":
        found.append(col(Thread.id).not_in(reminders.snoozed(actor.user_id)))
    if wanted.has_attachment:
        found.append(sql.message(col(Message.has_attachments).is_(True)))
    for condition in sql.tracked(wanted):
        if sets:
            found.append(col(Thread.id).in_(sql.threads_tracked(actor, condition)))
        else:
            of_message = pick(TrackedMessage.id).where(col(TrackedMessage.message_id) == col(Message.id), condition)
            found.append(sql.message(of_message.correlate(Message).exists()))
    if wanted.open_deal:
        is_open = and_(col(Deal.status) == "open", access.visible_crm(actor, Deal))
        deal = pick(Deal.id).where(col(Deal.id) == col(Link.deal_id), is_open).correlate(Link).exists()
        found.append(sql.linked_to_deals(is_open, deal) if sets else sql.linked(deal))
    if wanted.person_id is not None:
        access.load(session, Person, wanted.person_id, access.visible_crm(actor, Person))
        found.append(sql.linked_set(col(Link.person_id) == wanted.person_id))
    if wanted.deal_id is not None:
        access.load(session, Deal, wanted.deal_id, access.visible_crm(actor, Deal))
        found.append(sql.linked_set(col(Link.deal_id) == wanted.deal_id))
    if wanted.lead_id is not None:
        access.load(session, Lead, wanted.lead_id, access.visible_crm(actor, Lead))
        found.append(sql.linked_set(col(Link.lead_id) == wanted.lead_id))
    if wanted.unlinked:
        found.append(~sql.linked(sql.shown_target(actor)))
    if wanted.failed:
        found.append(col(Thread.id).in_(sql.failed(actor)))
    found += [sql.labelled(actor, label_id, sets) for label_id in wanted.label_ids]
    if wanted.visibility is not None:
        found.append(sql.message(col(Message.visibility) == wanted.visibility))
    return found + _asked(session, actor, wanted.asked, by_sets)


def _in_folder(
    session: Session, actor: Actor, folder: str, mailbox_id: int | None, by_sets: bool
) -> ColumnElement[bool]:
    if folder not in FOLDERS:
        raise UserError("input.invalid", value=str(folder)[:40], field="Folder")
    if folder == "snoozed":
        of_box = () if mailbox_id is None else (col(Message.mailbox_id) == mailbox_id,)
        return and_(col(Thread.id).in_(reminders.snoozed(actor.user_id)), sql.message(*of_box))
    of_folders = _folders(session, actor, folder, mailbox_id) if folder in _BY_ROLE else []
    conditions: dict[str, tuple[ColumnElement[bool], ...]] = {
        "inbox": (col(Message.archived).is_(False), sql.located(of_folders)),
        # whose it is leads to the index of what was sent, by thread
        "sent": (col(Message.user_id) == actor.user_id, sql.sent()),
        "archive": (or_(sql.archived(), sql.located(of_folders)),),
        "all": (),
    }
    of_mailbox = () if mailbox_id is None else (col(Message.mailbox_id) == mailbox_id,)
    if not by_sets or (folder == "all" and mailbox_id is None):
        return sql.message(*conditions[folder], *of_mailbox)
    own = (access.own_message(actor), *of_mailbox)
    if folder in ("sent", "all"):
        return col(Thread.id).in_(pick(Message.thread_id).where(*own, *conditions[folder]))
    archived = pick(Message.thread_id).where(*own, sql.archived())
    if not of_folders:  # an empty list would not lead to the index of locations
        return col(Thread.id).in_(archived) if folder == "archive" else false()
    # Whose it is was asked of the folders: asked again of messages, SQLite would read all of the user's.
    located = (
        pick(Message.thread_id)
        .join(MessageLocation, col(MessageLocation.message_id) == col(Message.id))
        .where(col(MessageLocation.folder_id).in_(of_folders), _STANDS)
    )
    if folder == "inbox":
        return col(Thread.id).in_(located.where(col(Message.archived).is_(False)))
    return col(Thread.id).in_(union_all(located, archived))


def lies_little(session: Session, actor: Actor, wanted: Filter) -> bool:
    """Whether what lies in the folder is a set to begin with: walking would ask about all that lies elsewhere.

    Raises NotFound for a mailbox that is not the actor's.
    """
    _check_mailbox(session, actor, wanted)
    left = RARE
    if wanted.folder in _BY_ROLE:
        of_folders = _folders(session, actor, wanted.folder, wanted.mailbox_id)
        located = pick(MessageLocation.folder_id).where(col(MessageLocation.folder_id).in_(of_folders))
        located = located.order_by(col(MessageLocation.folder_id), col(MessageLocation.uid))
        left -= _size(session, located.limit(RARE + 1)) if of_folders else 0
    sets = {"sent": sql.sent(), "archive": sql.archived()}
    if wanted.folder in sets and left >= 0:
        left -= _counted(session, actor, sets[wanted.folder], left + 1)
    return wanted.folder != "all" and left >= 0


def _check_mailbox(session: Session, actor: Actor, wanted: Filter) -> None:
    if wanted.mailbox_id is not None:
        access.load(session, Mailbox, wanted.mailbox_id, access.own_mailbox(actor))


def _counted(session: Session, actor: Actor, rare: ColumnElement[bool], most: int) -> int:
    """Count a user's messages in a partial index, up to `most`."""
    return _size(session, _threads_of(actor, rare, most))


def _size(session: Session, statement: Select[Any]) -> int:
    return scalar(session, pick(func.count()).select_from(statement.subquery()))


def _threads_of(actor: Actor, rare: ColumnElement[bool], most: int) -> Select[Any]:
    """Select the threads of a user's messages in a partial index; the order holds PostgreSQL to that index."""
    statement = pick(Message.thread_id).where(col(Message.user_id) == actor.user_id, rare)
    return statement.order_by(col(Message.user_id), col(Message.thread_id)).limit(most)


def _few(session: Session, actor: Actor, wanted: Filter) -> list[int] | None:
    """The only threads that come into question, where one of the filters has an index that says they are few."""
    asked: list[Select[Any]] = []
    for condition in sql.tracked(wanted):  # counted without their messages first: a tenth of the time
        mine = pick(TrackedMessage.id).where(col(TrackedMessage.user_id) == actor.user_id, condition)
        if _size(session, mine.limit(RARE + 1)) <= RARE:
            asked.append(sql.threads_tracked(actor, condition))
    asked += [sql.threads_labelled(actor, label_id) for label_id in wanted.label_ids]
    if wanted.failed:
        asked.append(sql.failed(actor))
    if wanted.visibility == "shared":
        asked.append(_threads_of(actor, sql.is_shared(), RARE + 1))
    few: set[int] | None = None
    for statement in asked:
        found = rows(session, statement.limit(RARE + 1))
        if len(found) <= RARE:
            few = {row[0] for row in found} & (few if few is not None else {row[0] for row in found})
    return None if few is None else sorted(few)


def _folders(session: Session, actor: Actor, role: str, mailbox_id: int | None) -> list[int]:
    """The user's folders of this role; of one mailbox when it is given. Asked once in a transaction."""
    known: dict[Any, list[int]] = session.info.setdefault("folders", {})
    key = (actor.user_id, role, mailbox_id)
    if key in known:
        return known[key]
    statement = pick(Folder.id).join(Mailbox, col(Mailbox.id) == col(Folder.mailbox_id))
    statement = statement.where(access.own_mailbox(actor), col(Folder.role) == role)
    if mailbox_id is not None:
        statement = statement.where(col(Mailbox.id) == mailbox_id)
    known[key] = [row[0] for row in rows(session, statement)]
    return known[key]


def _asked(session: Session, actor: Actor, asked: Asked, by_sets: bool) -> list[ColumnElement[bool]]:
    """What a search asks for: all of it of one standing message, but for labels, deals and persons."""
    if asked.void:
        return [false()]
    worn = [labels.named(session, name) for name in asked.labels]
    found = [sql.labelled(actor, ids[0], by_sets) if ids else false() for ids in worn]
    found += [sql.linked_set(col(Link.deal_id).in_(sql.named(session, actor, Deal, name))) for name in asked.deals]
    found += [
        sql.linked_set(col(Link.person_id).in_(sql.named(session, actor, Person, name))) for name in asked.persons
    ]
    of_message = parties.conditions(session, actor, asked)
    if not asked.phrases:
        return [*found, sql.message(*of_message)] if of_message else found
    ids = index.ids(session, asked.phrases)
    if ids is None and not by_sets:
        return [*found, sql.message(index.has_words(session, asked.phrases), *of_message)]
    words = index.found_by(session, asked.phrases) if ids is None else one_of(col(Message.id), ids, dialect_of(session))
    return [*found, col(Thread.id).in_(pick(Message.thread_id).where(_STANDS, words, *of_message))]
