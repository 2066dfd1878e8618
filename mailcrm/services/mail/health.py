"""How a mailbox's sync goes (M31): its ledger summed up, progress, rate, time left, and what is wrong with one button.

Read from rows; the pass and the watcher write them. Does not sync, and does not ask the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from mailcrm.models import Folder, Mailbox, MessageLocation, PendingUid, Quarantined, ServerAction, SkippedUid, utcnow
from mailcrm.services import access, i18n
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail.sync import findings, ledger, trouble
from mailcrm.services.mail.sync.findings import Verification
from mailcrm.services.mail.sync.ledger import FolderLedger
from mailcrm.services.mail.sync.trouble import Trouble
from mailcrm.services.rows import pick, rows

RATE_AFTER = timedelta(seconds=2)  # a rate from less time says nothing
WATCH_FRESH = timedelta(minutes=10)  # the watcher gives a sign of life more often than this


@dataclass(frozen=True)
class SyncStatus:
    """The footer's words: "ok", "syncing" (done of total), "error", "reconnect", "paused" (all are) or "none" (no mailbox).

    Of an error, `sentence` says what is wrong and `next_try_at` when it is tried again.
    """

    kind: str
    done: int = 0
    total: int = 0
    sentence: str = ""
    last_success_at: datetime | None = None
    next_try_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """A mailbox's sync in numbers; `state` is ok, syncing, trouble, reconnect, paused or waiting (for its first pass).

    `rate` in messages a second and `seconds_left` are None when nothing runs. `live` is how new mail is noticed:
    "idle", "poll", or "" when no watcher looks. `trouble` is what is wrong with the mailbox as a whole.
    """

    mailbox_id: int
    address: str
    state: str
    server: int
    stored: int
    skipped: int
    quarantined: int
    pending: int
    rate: float | None
    seconds_left: int | None
    last_success_at: datetime | None
    next_try_at: datetime | None
    trouble: Trouble | None
    live: str
    watched_at: datetime | None
    write_waiting: int
    write_failed: int
    verification: Verification
    folders: tuple[FolderLedger, ...]

    @property
    def percent(self) -> int:
        """How much of what the server has is accounted for, in hundredths."""
        total = self.stored + self.skipped + self.quarantined + self.pending
        return 100 if not total else (total - self.pending) * 100 // total


def health(actor: Actor, mailbox_id: int, now: datetime | None = None) -> Health:
    """Return how a mailbox's sync goes; NotFound for anybody else's."""
    with reading() as session:
        mailbox = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        return _health(session, actor, mailbox, now or utcnow())


def all_health(actor: Actor) -> tuple[Health, ...]:
    """Return it for each of the actor's mailboxes, oldest first."""
    with reading() as session:
        boxes = session.exec(select(Mailbox).where(access.own_mailbox(actor)).order_by(col(Mailbox.id))).all()
        return tuple(_health(session, actor, mailbox, utcnow()) for mailbox in boxes)


def sync_status(actor: Actor) -> SyncStatus:
    """Sum up the actor's mailboxes in one line, the worst first. Costs four small queries."""
    with reading() as session:
        boxes = session.exec(select(Mailbox).where(access.own_mailbox(actor))).all()
        if not boxes:
            return SyncStatus("none")
        latest = max((row.last_success_at for row in boxes if row.last_success_at), default=None)
        if all(row.status == "paused" for row in boxes):
            return SyncStatus("paused", last_success_at=latest)
        for row in sorted(boxes, key=lambda row: row.status != "needs_reconnect"):  # who has to sign in comes first
            if row.error_code and row.status != "paused":
                why = i18n.kept_sentence(row.error_code, row.error_params, actor.language)
                kind = "reconnect" if row.status == "needs_reconnect" else "error"
                return SyncStatus(kind, sentence=why, last_success_at=latest, next_try_at=row.next_try_at)
        mine = select(Folder.id).where(
            col(Folder.mailbox_id).in_([row.id for row in boxes]),
            col(Folder.chosen).is_(True),
            col(Folder.gone_at).is_(None),
        )
        pending = session.exec(select(func.count()).select_from(PendingUid).where(col(PendingUid.folder_id).in_(mine)))
        left = pending.one()
        first = any(row.last_success_at is None and row.status == "active" for row in boxes)
        if left or first:
            stored = 0
            for model in (MessageLocation, SkippedUid, Quarantined):
                stored += session.exec(
                    select(func.count()).select_from(model).where(col(model.folder_id).in_(mine))
                ).one()
            return SyncStatus("syncing", stored, stored + left, last_success_at=latest)
        return SyncStatus("ok", last_success_at=latest)


def _health(session: Session, actor: Actor, mailbox: Mailbox, now: datetime) -> Health:
    lines = ledger.lines(session, mailbox.id or 0, actor.language, actor.time_zone)
    pending = sum(line.pending for line in lines)
    running = mailbox.lease_until is not None and mailbox.lease_until > now
    rate = _rate(mailbox, now) if running and pending else None
    waiting, failed = _writes(session, mailbox.id or 0)
    return Health(
        mailbox_id=mailbox.id or 0,
        address=mailbox.address,
        state=_state(mailbox, pending, running=running, lines=lines),
        server=sum(line.server for line in lines),
        stored=sum(line.stored for line in lines),
        skipped=sum(line.skipped for line in lines),
        quarantined=sum(line.quarantined for line in lines),
        pending=pending,
        rate=rate,
        seconds_left=round(pending / rate) if rate else None,
        last_success_at=mailbox.last_success_at,
        next_try_at=mailbox.next_try_at,
        trouble=_trouble(mailbox, actor),
        live=mailbox.watch if mailbox.watched_at and now - mailbox.watched_at < WATCH_FRESH else "",
        watched_at=mailbox.watched_at,
        write_waiting=waiting,
        write_failed=failed,
        verification=findings.of_mailbox(mailbox, actor.language, now),
        folders=tuple(lines),
    )


def _state(mailbox: Mailbox, pending: int, *, running: bool, lines: Sequence[FolderLedger]) -> str:
    if mailbox.status == "needs_reconnect":
        return "reconnect"
    if mailbox.status == "paused":
        return "paused"
    if mailbox.error_code:
        return "trouble"
    if pending or (running and mailbox.last_success_at is None):
        return "syncing"
    if mailbox.last_success_at is None:
        return "waiting"
    return "trouble" if any(line.code for line in lines) else "ok"


def _rate(mailbox: Mailbox, now: datetime) -> float | None:
    if mailbox.pass_started_at is None or not mailbox.pass_stored:
        return None
    took = now - mailbox.pass_started_at
    return mailbox.pass_stored / took.total_seconds() if took >= RATE_AFTER else None


def _trouble(mailbox: Mailbox, actor: Actor) -> Trouble | None:
    if not mailbox.error_code:
        return None
    return trouble.explain(
        mailbox.error_code,
        mailbox.error_params,
        actor.language,
        next_try_at=mailbox.next_try_at if mailbox.status == "active" else None,
        time_zone=actor.time_zone,
    )


def _writes(session: Session, mailbox_id: int) -> tuple[int, int]:
    """How many things done here wait to be done on the server, and how many could not be."""
    counted = (
        pick(ServerAction.state, func.count())
        .where(col(ServerAction.mailbox_id) == mailbox_id, col(ServerAction.state).in_(("queued", "failed")))
        .group_by(col(ServerAction.state))
    )
    found: dict[str, int] = {row[0]: row[1] for row in rows(session, counted)}
    return found.get("queued", 0), found.get("failed", 0)
