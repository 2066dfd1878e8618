"""The log of what came to Smart Bcc addresses: everything for administrators, one's own for everybody.

Administrators let a message in that was set aside (they vouch for its sender, nothing else is let off), or delete its
bytes. Neither shows them what it says: subject and sender are all that the log tells (M25).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, true
from sqlmodel import Session, col, select

from mailcrm.errors import UserError
from mailcrm.models import BccArrival, Message, User, utcnow
from mailcrm.services import access, audit, i18n, live, paging
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue
from mailcrm.services.rows import run

KEEP_DAYS = 30  # rows, and bytes that were set aside; what was stored is a message of its own
SET_ASIDE = ("quarantined", "failed")


@dataclass(frozen=True, slots=True)
class ArrivalView:
    """One arrival. `sentence` says why, in the actor's language; `thread_id` only where the actor may see the message."""

    id: int
    received_at: datetime
    way: str
    sender: str
    subject: str
    to: str
    size: int
    state: str
    reason: str
    sentence: str
    user: str
    checks: str
    thread_id: int | None
    can_release: bool
    can_delete: bool


def page_of_arrivals(
    actor: Actor, *, state: str | None = None, cursor: str | None = None, limit: int = 50
) -> paging.Page[ArrivalView]:
    """Return arrivals, newest first: an administrator's are everybody's."""
    size = paging.page_size(limit)
    with reading() as session:
        query = select(BccArrival).where(_visible(actor))
        if state is not None:
            query = query.where(
                col(BccArrival.state).in_(SET_ASIDE) if state == "set_aside" else BccArrival.state == state
            )
        if cursor:
            query = query.where(paging.older(cursor, col(BccArrival.received_at), col(BccArrival.id)))
        query = query.order_by(col(BccArrival.received_at).desc(), col(BccArrival.id).desc())
        found = session.exec(query.limit(size + 1)).all()
        names = _names(session, found)
        views = [_view(session, actor, row, names) for row in found]
    return paging.cut(views, size, lambda view: paging.cursor_at(view.received_at, view.id))


def release(actor: Actor, arrival_id: int) -> ArrivalView:
    """Let a message in: its sender counts as genuine now. An administrator's act; it waits for the worker.

    Mail without a user of ours as its author, or to an unknown address, stays out: nobody could say whose it is.
    """
    access.require_admin(actor)
    with transaction() as session:
        row = access.load(session, BccArrival, arrival_id, _visible(actor))
        if row.state not in SET_ASIDE:
            raise UserError("smart_bcc.not_waiting")
        if row.blob_sha is None:
            raise UserError("smart_bcc.gone")
        row.state, row.next_try_at, row.tries = "waiting", None, 0
        row.checks = {**row.checks, "released": actor.user_id}
        session.add(row)
        audit.record(session, actor, "release", "smart_bcc_arrival", arrival_id)
        live.hint(session, None, "smart_bcc")
        view = _view(session, actor, row, _names(session, [row]))
    queue.enqueue("smart_bcc")
    return view


def discard(actor: Actor, arrival_id: int) -> str:
    """Delete what was set aside: it stays in the log as refused. Returns the state it had, for `restore`.

    The bytes go a day later (`forget_old`), so that it can be undone.
    """
    with transaction() as session:
        row = access.load(session, BccArrival, arrival_id, _visible(actor))
        if row.state not in SET_ASIDE or not _is_theirs(actor, row):
            raise UserError("smart_bcc.not_waiting")
        before = row.state
        row.state, row.checks = "refused", {**row.checks, "discarded": utcnow().isoformat()}
        session.add(row)
        audit.record(session, actor, "discard", "smart_bcc_arrival", arrival_id)
        live.hint(session, None, "smart_bcc")
        return before


def restore(actor: Actor, arrival_id: int) -> None:
    """Undo `discard`."""
    with transaction() as session:
        row = access.load(session, BccArrival, arrival_id, _visible(actor))
        if row.state != "refused" or "discarded" not in row.checks:
            raise UserError("smart_bcc.not_waiting")
        if row.blob_sha is None:
            raise UserError("smart_bcc.gone")
        row.state = "quarantined"
        row.checks = {name: value for name, value in row.checks.items() if name != "discarded"}
        session.add(row)
        audit.record(session, actor, "restore", "smart_bcc_arrival", arrival_id)
        live.hint(session, None, "smart_bcc")


def forget_old() -> int:
    """Delete rows older than `KEEP_DAYS` that nobody needs, and the bytes of what was discarded a day ago."""
    with transaction() as session:
        discarded = session.exec(
            select(BccArrival).where(
                BccArrival.state == "refused",
                col(BccArrival.blob_sha).is_not(None),
                col(BccArrival.received_at) < utcnow() - timedelta(days=1),
            )
        ).all()
        for row in discarded:
            at = str(row.checks.get("discarded") or "")
            if at and datetime.fromisoformat(at) < utcnow() - timedelta(days=1):
                row.blob_sha = None
                session.add(row)
        old = delete(BccArrival).where(
            col(BccArrival.received_at) < utcnow() - timedelta(days=KEEP_DAYS),
            col(BccArrival.state) != "waiting",
            # The forward around an original is kept as long as the original is, and so are the words above it.
            (col(BccArrival.message_id).is_(None))
            | ((col(BccArrival.reason) != "smart_bcc.forwarded") & (col(BccArrival.words) == "")),
        )
        return run(session, old).rowcount


def _visible(actor: Actor) -> ColumnElement[bool]:
    return true() if actor.admin else col(BccArrival.user_id) == actor.user_id


def _names(session: Session, found: Any) -> dict[int, str]:
    wanted = {row.user_id for row in found if row.user_id is not None}
    return {row.id or 0: row.name for row in session.exec(select(User).where(col(User.id).in_(wanted)))}


def _view(session: Session, actor: Actor, row: BccArrival, names: dict[int, str]) -> ArrivalView:
    thread_id = None
    if row.message_id is not None:
        seen = select(Message.thread_id).where(Message.id == row.message_id, access.own_message(actor))
        thread_id = session.exec(seen).first()
    mine = row.user_id == actor.user_id
    waits = row.state in SET_ASIDE and row.blob_sha is not None
    return ArrivalView(
        id=row.id or 0,
        received_at=row.received_at,
        way=row.way,
        sender=row.header_from,
        # What was kept is somebody's mail: not even its subject is an administrator's to read.
        subject=row.subject if _is_theirs(actor, row) and (mine or row.message_id is None) else "",
        to=row.envelope_to,
        size=row.size,
        state=row.state,
        reason=row.reason,
        sentence=i18n.kept_sentence(row.reason, row.reason_params, actor.language) if row.reason else "",
        user=names.get(row.user_id or 0, ""),
        checks=_checks(row.checks),
        thread_id=thread_id,
        can_release=waits and actor.admin,
        can_delete=waits and _is_theirs(actor, row),
    )


def _is_theirs(actor: Actor, row: BccArrival) -> bool:
    """Whether what it says and what becomes of it is the actor's affair: a claim to an address is no proof of it."""
    return actor.admin or row.reason != "smart_bcc.unconfirmed"


def _checks(kept: dict[str, Any]) -> str:
    """What was found, in the words of the standards: "SPF fail (evil.example), DKIM none"."""
    if "said" not in kept:
        return ""
    found = [*kept["said"], *kept["others"]]
    words = [f"{one['method'].upper()} {one['result']} ({one['domain']})" for one in found]
    asked = {one["method"] for one in found}
    words += [f"{method.upper()} none" for method in ("spf", "dkim") if method not in asked]
    if kept["arc"] != "none":
        words.append(f"ARC {kept['arc']}" + (f" ({kept['sealer']})" if kept["sealer"] else ""))
    return ", ".join(words)
