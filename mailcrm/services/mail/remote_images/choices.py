"""Whose remote images a user wants to see without being asked: a sender's, a domain's, everybody's.

"This once" is no choice that is kept: the browser asks with `?remote=1` and the next view asks again. Mail in Junk shows
none on its own, whoever is chosen: From is only a claim. Nobody else's choices count, an administrator's neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete as remove
from sqlmodel import Session, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Message, RemoteImageChoice, utcnow
from mailcrm.services import access, audit
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import insert_absent, run

SCOPES = ("sender", "domain", "always")
MOST_CHOICES = 2000  # of a user


@dataclass(frozen=True)
class ImageChoiceView:
    """A choice; `shown` as people write it: "name@domain", "@domain", "" for everybody."""

    id: int
    scope: str
    shown: str
    created_at: datetime


def list_choices(actor: Actor) -> tuple[ImageChoiceView, ...]:
    """List the actor's choices: everybody first, then the newest."""
    with reading() as session:
        found = session.exec(
            _own(actor).order_by(col(RemoteImageChoice.created_at).desc(), col(RemoteImageChoice.id).desc())
        ).all()
        return tuple(sorted(map(_view, found), key=lambda view: view.scope != "always"))


def allow(actor: Actor, scope: str, message_id: int = 0) -> ImageChoiceView:
    """Show remote images from now on: of a message's sender, of its domain, or always; idempotent.

    Raises NotFound for a message that the actor may not read, UserError("images.no_sender") for one without a sender.
    """
    if scope not in SCOPES:
        raise UserError("input.invalid", value=str(scope)[:40], field="Scope")
    with transaction() as session:
        pattern = ""
        if scope != "always":
            message = access.load(session, Message, message_id, access.visible_message(actor))
            pattern = _pattern(scope, message.from_address)
        return _add(session, actor, scope, pattern)


def again(actor: Actor, scope: str, shown: str) -> ImageChoiceView:
    """Bring back a choice that was taken away: what its view says."""
    if scope not in SCOPES:
        raise UserError("input.invalid", value=str(scope)[:40], field="Scope")
    with transaction() as session:
        return _add(session, actor, scope, "" if scope == "always" else _pattern(scope, shown))


def revoke(actor: Actor, choice_id: int) -> ImageChoiceView:
    """Take a choice away; return it, for `again` to undo. Raises NotFound."""
    with transaction() as session:
        own = col(RemoteImageChoice.user_id) == actor.user_id
        row = access.load(session, RemoteImageChoice, choice_id, own)
        view = _view(row)
        run(session, remove(RemoteImageChoice).where(col(RemoteImageChoice.id) == row.id))
        audit.record(session, actor, "hide_images", "user", actor.user_id)
    return view


def allowed(session: Session, actor: Actor, message: Message) -> str:
    """Return the scope of the choice that shows this message's remote images, "" when there is none."""
    if message.junk:
        return ""
    address = message.from_address.lower()
    wanted = {"always": "", "sender": address, "domain": address.rpartition("@")[2]}
    for row in session.exec(_own(actor).where(col(RemoteImageChoice.pattern).in_(set(wanted.values())))).all():
        if wanted[row.scope] == row.pattern and (row.pattern or row.scope == "always"):
            return row.scope
    return ""


def _own(actor: Actor):
    return select(RemoteImageChoice).where(col(RemoteImageChoice.user_id) == actor.user_id)


def _pattern(scope: str, address: str) -> str:
    name, _, domain = address.strip().lower().rpartition("@")
    if not domain or (scope == "sender" and not name) or len(address) > 320:
        raise UserError("images.no_sender")
    return f"{name}@{domain}" if scope == "sender" else domain


def _add(session: Session, actor: Actor, scope: str, pattern: str) -> ImageChoiceView:
    values = {"user_id": actor.user_id, "scope": scope, "pattern": pattern, "created_at": utcnow()}
    if len(session.exec(_own(actor)).all()) >= MOST_CHOICES:
        raise UserError("images.most", most=MOST_CHOICES)
    if insert_absent(session, RemoteImageChoice, [values]):
        audit.record(session, actor, "show_images", "user", actor.user_id)
    one = _own(actor).where(RemoteImageChoice.scope == scope, RemoteImageChoice.pattern == pattern)
    row = session.exec(one).first()
    if row is None:
        raise NotFound
    return _view(row)


def _view(row: RemoteImageChoice) -> ImageChoiceView:
    return ImageChoiceView(
        row.id or 0, row.scope, f"@{row.pattern}" if row.scope == "domain" else row.pattern, row.created_at
    )
