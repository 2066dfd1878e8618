"""Which folders of a mailbox are synced and watched (M14): all of them, or only chosen ones.

Narrowing hides what then sits only in folders that are not synced (hidden.py), widening shows it again and asks for a
sync, which fetches the gap. "All" leaves out drafts, spam and trash, as `sync/apply.py` does for folders that appear.
Nothing changes on the server. Does not sync.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Folder, Mailbox, MessageLocation
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail import hidden, scope
from mailcrm.services.mail.sync.apply import NOT_SYNCED
from mailcrm.services.mail.sync.ledger import ORDER
from mailcrm.services.rows import pick, rows

MOST_WATCHED = 3  # folders besides INBOX: each holds a connection, and servers count those (providers.md)


@dataclass(frozen=True, slots=True)
class FolderNode:
    """A folder of the tree. `label` is the last part of its name; `messages` None: the server was not asked yet."""

    id: int
    name: str
    label: str
    depth: int
    role: str
    messages: int | None
    stored: int
    chosen: bool
    watched: bool
    selectable: bool


@dataclass(frozen=True, slots=True)
class FolderChoice:
    """What is synced: everything, or the chosen ones of these folders, in the order of the tree."""

    everything: bool
    folders: tuple[FolderNode, ...]


def folders(actor: Actor, mailbox_id: int) -> FolderChoice:
    """Return the tree of a mailbox's folders as the server listed them last."""
    with reading() as session:
        mailbox = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        return _choice(session, mailbox)


def preview(actor: Actor, mailbox_id: int, *, everything: bool, chosen: Sequence[int] = ()) -> int:
    """Count the messages that would leave mailcrm with this choice; nothing is changed."""
    with reading() as session:
        access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        kept = _kept(_present(session, mailbox_id), everything, chosen)
        return hidden.leaving(session, mailbox_id, kept)


def choose(actor: Actor, mailbox_id: int, *, everything: bool, chosen: Sequence[int] = ()) -> FolderChoice:
    """Sync everything, or only the chosen folders, from now on; hides, shows and asks for the backfill.

    Raises NotFound for a folder of another mailbox, UserError when nothing is chosen.
    """
    with transaction() as session:
        mailbox = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        present = _present(session, mailbox_id)
        kept = _kept(present, everything, chosen)
        mailbox.sync_all = everything
        back = [folder.id or 0 for folder in present if folder.id in kept and not folder.chosen]
        for folder in present:
            folder.chosen = folder.id in kept
            folder.watched = folder.watched and folder.chosen
            session.add(folder)
        session.flush()
        for reason in ("history", "contacts_only"):  # who is known, and how far back, may have changed meanwhile
            scope.look_again(session, mailbox, reason, back)
        changed = hidden.settle(session, mailbox_id)
        audit.record(
            session, actor, "choose_folders", "mailbox", mailbox_id, everything=everything, folders=len(kept), mail=changed
        )  # fmt: skip
        live.hint(session, actor.user_id, "sync", mailbox_id)
        if changed:
            live.hint(session, actor.user_id, "mail", mailbox_id)
            live.hint(session, None, "crm")  # what colleagues see in timelines may have changed too
        made = _choice(session, mailbox)
    queue.enqueue("sync_mailbox", mailbox_id=mailbox_id)
    return made


def watch(actor: Actor, mailbox_id: int, folder_id: int, watched: bool) -> FolderChoice:
    """Let the watcher hold a folder open, so that its mail is here in a second; INBOX always is."""
    with transaction() as session:
        mailbox = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        folder = access.load(session, Folder, folder_id, col(Folder.mailbox_id) == mailbox_id)
        if watched and not (folder.chosen and folder.selectable):
            raise UserError("folders.not_synced", folder=folder.name[:80])
        folder.watched = watched
        session.add(folder)
        session.flush()
        held = [each for each in _present(session, mailbox_id) if each.watched and each.role != "inbox"]
        if len(held) > MOST_WATCHED:
            raise UserError("folders.watched", most=MOST_WATCHED)
        audit.record(session, actor, "watch_folder", "mailbox", mailbox_id, folder=folder_id, watched=watched)
        live.hint(session, actor.user_id, "sync", mailbox_id)
        return _choice(session, mailbox)


def _present(session: Session, mailbox_id: int) -> list[Folder]:
    query = select(Folder).where(Folder.mailbox_id == mailbox_id, col(Folder.gone_at).is_(None))
    return list(session.exec(query.order_by(col(Folder.name))))


def _kept(present: Sequence[Folder], everything: bool, chosen: Sequence[int]) -> set[int]:
    """The ids of the folders that are synced with this choice."""
    if everything:
        return {folder.id or 0 for folder in present if folder.role not in NOT_SYNCED}
    known = {folder.id or 0 for folder in present}
    if not known.issuperset(chosen):
        raise NotFound
    kept = {folder.id or 0 for folder in present if folder.id in chosen and folder.selectable}
    if not kept:
        raise UserError("folders.none")
    return kept


def _choice(session: Session, mailbox: Mailbox) -> FolderChoice:
    mailbox_id = mailbox.id or 0
    counted = (
        pick(MessageLocation.folder_id, func.count())
        .join(Folder, col(Folder.id) == col(MessageLocation.folder_id))
        .where(col(Folder.mailbox_id) == mailbox_id)
        .group_by(col(MessageLocation.folder_id))
    )
    stored: dict[int, int] = {row[0]: row[1] for row in rows(session, counted)}
    present = _present(session, mailbox_id)
    names = {folder.name for folder in present}
    tops = {folder.name: folder for folder in reversed(present)}
    nodes = [
        FolderNode(
            id=folder.id or 0,
            name=folder.name,
            label=_label(folder, names)[0],
            depth=_label(folder, names)[1],
            role=folder.role,
            messages=folder.server_count if folder.uidvalidity is not None else None,
            stored=stored.get(folder.id or 0, 0),
            chosen=folder.chosen,
            watched=folder.watched or folder.role == "inbox",
            selectable=folder.selectable,
        )
        for folder in sorted(present, key=lambda each: _place(each, tops))
    ]
    return FolderChoice(mailbox.sync_all, tuple(nodes))


def _label(folder: Folder, names: set[str]) -> tuple[str, int]:
    """Return what the tree calls a folder, and how deep it stands: below its nearest ancestor that is listed."""
    if not folder.delimiter:
        return folder.name, 0
    parts = folder.name.split(folder.delimiter)
    above = [n for n in range(1, len(parts)) if folder.delimiter.join(parts[:n]) in names]
    start = above[-1] if above else 0
    return folder.delimiter.join(parts[start:]) or folder.name, len(above)


def _place(folder: Folder, tops: Mapping[str, Folder]) -> tuple[int, list[str]]:
    """Sort a folder right below its ancestors, and those by what they are for: INBOX first."""
    parts = folder.name.split(folder.delimiter) if folder.delimiter else [folder.name]
    top = tops.get(parts[0], folder)
    return ORDER.get(top.role, len(ORDER)), [part.casefold() for part in parts]
