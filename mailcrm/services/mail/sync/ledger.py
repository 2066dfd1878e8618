"""The ledger: what the server has, and where each message of it is here. Counted from rows, never kept on the side.

For every folder server = stored + skipped + quarantined + pending, after each transaction of a pass. They differ only
while the server's own answers disagree; the folder's error says so then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, func, select

from mailcrm.models import Folder, Mailbox, MessageLocation, PendingUid, Quarantined, SkippedUid
from mailcrm.services import access, i18n
from mailcrm.services.access import Actor
from mailcrm.services.db import reading


@dataclass(frozen=True, slots=True)
class FolderLedger:
    """One folder's line. `error` is a sentence, "" when all is well, `code` the error's code."""

    folder: str
    role: str
    server: int
    stored: int
    skipped: int
    quarantined: int
    pending: int
    last_success_at: datetime | None
    next_try_at: datetime | None
    error: str
    code: str

    @property
    def adds_up(self) -> bool:
        """Whether every message of the server is accounted for."""
        return self.server == self.stored + self.skipped + self.quarantined + self.pending


def ledger(actor: Actor | None, mailbox_id: int) -> list[FolderLedger]:
    """Return a line for each folder that is synced, INBOX first. Raises NotFound for another user's mailbox.

    `actor` None is the operator at the command line.
    """
    with reading() as session:
        if actor is not None:
            access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        return lines(session, mailbox_id, actor.language if actor else "en")


def lines(session: Session, mailbox_id: int, language: str = "en") -> list[FolderLedger]:
    """Return the ledger of a mailbox without asking who wants it."""
    counts: list[dict[int, int]] = []
    for table in (MessageLocation, SkippedUid, Quarantined, PendingUid):
        counted = session.exec(
            select(table.folder_id, func.count())
            .join(Folder, col(Folder.id) == col(table.folder_id))
            .where(Folder.mailbox_id == mailbox_id)
            .group_by(col(table.folder_id))
        )
        counts.append(dict(counted.all()))
    mailbox = session.get(Mailbox, mailbox_id)
    folders = session.exec(
        select(Folder).where(
            Folder.mailbox_id == mailbox_id,
            col(Folder.chosen).is_(True),
            col(Folder.selectable).is_(True),
            col(Folder.gone_at).is_(None),
        )
    ).all()
    return [
        FolderLedger(
            folder=folder.name,
            role=folder.role,
            server=folder.server_count,
            stored=counts[0].get(folder.id or 0, 0),
            skipped=counts[1].get(folder.id or 0, 0),
            quarantined=counts[2].get(folder.id or 0, 0),
            pending=counts[3].get(folder.id or 0, 0),
            last_success_at=folder.last_success_at,
            next_try_at=folder.next_try_at or (mailbox.next_try_at if mailbox else None),
            error=i18n.kept_sentence(folder.error_code, folder.error_params, language),
            code=folder.error_code,
        )
        for folder in sorted(folders, key=lambda f: (ORDER.get(f.role, len(ORDER)), f.name))
    ]


#: The order in which folders are synced and shown.
ORDER = {role: n for n, role in enumerate(("inbox", "sent", "archive", "all", "flagged", "other"))}
