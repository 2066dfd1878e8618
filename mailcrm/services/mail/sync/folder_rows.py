"""Writes what a survey of the folders found: new ones, renamed ones, ones that are gone and ones that are back.

A folder that is gone keeps its places: it may come back, and then nothing is to be fetched again. What lay only there
is lost (`homes.py`). Works inside the caller's transaction and never commits; which folders are renamed and gone is
decided before (`survey.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from mailcrm.models import Folder, Mailbox, MessageLocation
from mailcrm.services.mail import junk
from mailcrm.services.mail.imap.folders import RemoteFolder
from mailcrm.services.mail.sync import homes
from mailcrm.services.mail.sync.values import storable

NOT_SYNCED = ("drafts", "junk", "trash")  # roles that are not chosen by themselves


def save_folders(
    session: Session,
    mailbox_id: int,
    listed: Sequence[RemoteFolder],
    now: datetime,
    *,
    renamed: Mapping[int, str] | None = None,
    recreated: Collection[int] = (),
    kept: Collection[int] | None = None,
) -> None:
    """Bring the folders' rows up to date. A listing without an INBOX is not believed: nothing is marked gone then.

    `renamed` gives folders (by id) their new names; what they knew stays. `recreated` are other folders of the same
    name: their UIDs are worth nothing. `kept` are folders that are not listed and yet there.
    """
    _rename(session, mailbox_id, renamed or {})
    for folder_id in recreated:
        folder = session.get_one(Folder, folder_id)
        folder.uidvalidity, folder.remote_id = None, ""
        session.add(folder)
    known = {folder.name: folder for folder in session.exec(select(Folder).where(Folder.mailbox_id == mailbox_id))}
    everything = session.exec(select(Mailbox.sync_all).where(Mailbox.id == mailbox_id)).one()
    names: set[str] = set()
    back: list[int] = []
    lost: list[int] = []
    other_worth: list[int] = []  # they became Junk, or stopped to be
    for remote in listed:
        if not storable(remote.name):
            continue
        names.add(remote.name)
        folder = known.get(remote.name)
        role = remote.role or "other"
        if folder is None:
            chosen = role not in NOT_SYNCED and everything  # where folders were chosen, a new one waits to be (M14)
            folder = Folder(mailbox_id=mailbox_id, name=remote.name, chosen=chosen)
        elif folder.gone_at is not None:
            back.append(folder.id or 0)
        elif folder.role != role and junk.ROLE in (folder.role, role):
            other_worth.append(folder.id or 0)
        folder.role, folder.delimiter = role, remote.delimiter or ""
        folder.selectable, folder.gone_at = remote.selectable, None
        if remote.status is not None and remote.status.remote_id:
            folder.remote_id = remote.status.remote_id
        session.add(folder)
    if any(remote.role == "inbox" for remote in listed):
        for name, folder in known.items():
            if name not in names and folder.gone_at is None and folder.id not in (kept or ()):
                folder.gone_at = now
                lost.append(folder.id or 0)
                session.add(folder)
    session.flush()
    if lost:
        here = select(MessageLocation.message_id).where(col(MessageLocation.folder_id).in_(lost))
        homes.lose(session, session.exec(here).all())
    if back:
        homes.return_with(session, back)
    if other_worth:
        junk.settle_folders(session, other_worth)


def _rename(session: Session, mailbox_id: int, renamed: Mapping[int, str]) -> None:
    """Give folders their new names; two may have swapped theirs, and a folder that is gone may hold one."""
    if not renamed:
        return
    replaced = [  # gone, or listed under this name and another folder by its id
        folder
        for folder in session.exec(
            select(Folder).where(Folder.mailbox_id == mailbox_id, col(Folder.name).in_(list(renamed.values())))
        )
        if folder.id not in renamed
    ]
    of_replaced = col(MessageLocation.folder_id).in_([folder.id for folder in replaced])
    lay_there = session.exec(select(MessageLocation.message_id).where(of_replaced)).all() if replaced else ()
    for folder in replaced:
        session.delete(folder)
    session.flush()
    homes.lose(session, lay_there)
    for folder_id in renamed:
        folder = session.get_one(Folder, folder_id)
        folder.name = f"\u2060{folder_id}"  # free for a moment: no folder is called so
        session.add(folder)
    session.flush()
    for folder_id, name in renamed.items():
        folder = session.get_one(Folder, folder_id)
        folder.name = name
        session.add(folder)
    session.flush()
