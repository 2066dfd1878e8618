"""The ledger: what the server has, and where each message of it is here. Counted from rows, never kept on the side.

For every folder server = stored + skipped + quarantined + pending, after each transaction of a pass (B01). They differ
only while the server's own answers disagree; the folder's error says so then.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, col, func, select

from mailcrm.models import Folder, Mailbox, MessageLocation, PendingUid, Quarantined, SkippedUid
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail.sync import trouble
from mailcrm.services.rows import pick, rows

#: The order in which folders are synced and shown.
ORDER = {role: n for n, role in enumerate(("inbox", "sent", "archive", "all", "flagged", "other"))}


@dataclass(frozen=True, slots=True)
class FolderLedger:
    """One folder's line. `error` is a sentence, "" when all is well, `code` the error's code; its kind and one button.

    `skipped_reasons` adds up to `skipped`: "history", "contacts_only", "too_large".
    """

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
    folder_id: int = 0
    skipped_reasons: dict[str, int] = field(default_factory=dict[str, int])
    watched: bool = False
    verified_at: datetime | None = None
    verify_mended: int = 0
    kind: str = ""
    button: str = ""
    label: str = ""

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
        return lines(session, mailbox_id, actor.language if actor else "en", actor.time_zone if actor else "UTC")


def lines(session: Session, mailbox_id: int, language: str = "en", time_zone: str = "UTC") -> list[FolderLedger]:
    """Return the ledger of a mailbox without asking who wants it. Costs five grouped counts."""
    stored, quarantined, pending = (
        _count(session, mailbox_id, table) for table in (MessageLocation, Quarantined, PendingUid)
    )
    skipped = _reasons(session, mailbox_id)
    mailbox = session.get(Mailbox, mailbox_id)
    folders = session.exec(
        select(Folder).where(
            Folder.mailbox_id == mailbox_id,
            col(Folder.chosen).is_(True),
            col(Folder.selectable).is_(True),
            col(Folder.gone_at).is_(None),
        )
    ).all()
    made: list[FolderLedger] = []
    for folder in sorted(folders, key=lambda f: (ORDER.get(f.role, len(ORDER)), f.name)):
        folder_id = folder.id or 0
        next_try_at = folder.next_try_at or (mailbox.next_try_at if mailbox else None)
        wrong = _trouble(folder, language, time_zone)
        made.append(
            FolderLedger(
                folder=folder.name,
                role=folder.role,
                server=folder.server_count,
                stored=stored.get(folder_id, 0),
                skipped=sum(skipped[folder_id].values()),
                quarantined=quarantined.get(folder_id, 0),
                pending=pending.get(folder_id, 0),
                last_success_at=folder.last_success_at,
                next_try_at=next_try_at,
                error=wrong.sentence if wrong else "",
                code=folder.error_code,
                folder_id=folder_id,
                skipped_reasons=dict(skipped[folder_id]),
                watched=folder.watched or folder.role == "inbox",
                verified_at=folder.verified_at,
                verify_mended=folder.verify_mended,
                kind=wrong.kind if wrong else "",
                button=wrong.button if wrong else "",
                label=wrong.label if wrong else "",
            )
        )
    return made


def _count(
    session: Session, mailbox_id: int, table: type[MessageLocation | Quarantined | PendingUid]
) -> dict[int, int]:
    counted = (
        pick(table.folder_id, func.count())
        .join(Folder, col(Folder.id) == col(table.folder_id))
        .where(col(Folder.mailbox_id) == mailbox_id)
        .group_by(col(table.folder_id))
    )
    return {row[0]: row[1] for row in rows(session, counted)}


def _reasons(session: Session, mailbox_id: int) -> dict[int, dict[str, int]]:
    counted = (
        pick(SkippedUid.folder_id, SkippedUid.reason, func.count())
        .join(Folder, col(Folder.id) == col(SkippedUid.folder_id))
        .where(col(Folder.mailbox_id) == mailbox_id)
        .group_by(col(SkippedUid.folder_id), col(SkippedUid.reason))
    )
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for folder_id, reason, count in rows(session, counted):
        found[folder_id][reason] = count
    return found


def _trouble(folder: Folder, language: str, time_zone: str) -> trouble.Trouble | None:
    if not folder.error_code:
        return None
    return trouble.explain(
        folder.error_code, folder.error_params, language, next_try_at=folder.next_try_at, time_zone=time_zone
    )
