"""One's own sessions, as a person knows them: which browser, since when, from which network; and ending them.

What ends works no longer with the next event or request (sessions.py is asked each time), and open tabs are told at
once. Administrators don't see other people's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from mailcrm.errors import NotFound
from mailcrm.models import UserSession, utcnow
from mailcrm.services import audit, crypto, live
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions
from mailcrm.services.auth.devices import Device, device
from mailcrm.services.db import reading, transaction


@dataclass(frozen=True)
class SessionView:
    """A signed-in browser. `handle` names it to `end`, and is no part of its cookie; `here`: the one that asks."""

    handle: str
    device: Device
    network: str
    started_at: datetime
    seen_at: datetime
    here: bool


def list_sessions(actor: Actor, cookie: str) -> tuple[SessionView, ...]:
    """Return the actor's, this one first, then the latest seen; `cookie` is the Cookie header of the one that asks."""
    here, now = own_digest(cookie), utcnow()
    with reading() as session:
        found = session.exec(_own(actor, now)).all()
        views = [
            SessionView(
                handle=_handle(row.id_hash),
                device=device(row.user_agent),
                network=row.network,
                started_at=row.created_at,
                seen_at=now if row.id_hash == here else row.seen_at,
                here=row.id_hash == here,
            )
            for row in found
        ]
    return tuple(sorted(views, key=lambda view: (view.here, view.seen_at), reverse=True))


def end(actor: Actor, handle: str) -> None:
    """End one of the actor's sessions; NotFound for anything else."""
    with transaction() as session:
        row = _find(session, actor, handle)
        session.delete(row)
        audit.record(session, actor, "end_session", "user", actor.user_id)
        live.hint(session, actor.user_id, "session")


def end_others(actor: Actor, cookie: str) -> int:
    """End every session of the actor but the one that asks; return how many."""
    with transaction() as session:
        ended = sessions.end_all(session, actor.user_id, but=own_digest(cookie))
        if ended:
            audit.record(session, actor, "end_sessions", "user", actor.user_id)
    return ended


def own_digest(cookie: str) -> str:
    """Return what the session of a Cookie header is kept under, "" for none."""
    secret = sessions.secret_of_cookie(cookie)
    return crypto.digest(secret) if secret else ""


def _own(actor: Actor, now: datetime) -> SelectOfScalar[UserSession]:
    return select(UserSession).where(UserSession.user_id == actor.user_id, col(UserSession.expires_at) > now)


def _find(session: Session, actor: Actor, handle: str) -> UserSession:
    for row in session.exec(_own(actor, utcnow())):
        if _handle(row.id_hash) == handle:
            return row
    raise NotFound


def _handle(digest: str) -> str:
    return crypto.digest(f"session {digest}")[:24]
