"""Letters about one's account: the link to a new password, and notices of what changed about signing in.

    a change ──▶ a row in its transaction ──▶ the worker takes the row away, makes the link, sends

At most one letter (services/mail/letters.py): a row is gone before its letter leaves, and comes back only when the
server said that it took nothing. Where the workspace has no server for letters, no row is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, delete, select

from mailcrm import routes
from mailcrm.config import config
from mailcrm.errors import DeliveryUnknown, MailcrmError, TransientError
from mailcrm.models import AccountLetter, AccountTicket, User, utcnow
from mailcrm.services import audit, crypto, i18n
from mailcrm.services.db import reading, transaction
from mailcrm.services.i18n import N_
from mailcrm.services.jobs import queue
from mailcrm.services.mail import letters

LINK_LIFETIME = timedelta(hours=1)
AGAIN = timedelta(minutes=2)
GIVE_UP = timedelta(minutes=30)  # whoever asked has asked again by then

log = structlog.get_logger()

#: kind -> subject and what happened; what to do if it was somebody else is the same in all.
_NOTICES = {
    "password": (N_("Your password was changed"), N_("The password of your account {email} was changed.")),
    "link": (
        N_("A link to your account was made on the server"),
        N_(
            "Somebody who runs this server made a link that sets a new password for your account {email}. Whoever has "
            "the link can sign in as you."
        ),
    ),
    "second_on": (
        N_("Two-step sign-in is on"),
        N_("Signing in to your account {email} now needs a code from an authenticator app."),
    ),
    "second_off": (
        N_("Two-step sign-in is off"),
        N_("Signing in to your account {email} no longer needs a code, only the password."),
    ),
    "second_reset": (
        N_("An administrator switched off your two-step sign-in"),
        N_("An administrator switched off two-step sign-in for your account {email}. The password alone signs in now."),
    ),
}


@dataclass(frozen=True, slots=True)
class _Letter:
    kind: str
    email: str
    created_at: datetime
    subject: str
    text: str


def write(session: Session, kind: str, email: str) -> None:
    """Leave a letter to be sent, in the caller's transaction; call `wake` after it."""
    if letters.is_set_up():
        session.add(AccountLetter(kind=kind, email=email))


def wake() -> None:
    """Let a worker send what waits."""
    if letters.is_set_up():
        queue.enqueue("account_letters")


def is_due(now: datetime) -> ColumnElement[bool]:
    """A letter waits to be sent."""
    return or_(col(AccountLetter.next_try_at).is_(None), col(AccountLetter.next_try_at) <= now)


def send_due(limit: int = 50) -> int:
    """Send what waits; return how many letters left."""
    with reading() as session:
        ids = session.exec(select(AccountLetter.id).where(is_due(utcnow())).limit(limit)).all()
    return sum(_send(letter_id or 0) for letter_id in ids)


def _send(letter_id: int) -> bool:
    with transaction() as session:
        row = session.exec(select(AccountLetter).where(AccountLetter.id == letter_id).with_for_update()).first()
        if row is None:
            return False  # another worker's
        session.delete(row)
        letter = _written(session, row)
    if letter is None:
        return False
    try:
        letters.send(letter.email, letter.subject, letter.text)
    except DeliveryUnknown:
        return False
    except MailcrmError as error:
        log.warning("a letter about an account could not be sent", kind=letter.kind, code=error.code)
        if isinstance(error, TransientError) and utcnow() - letter.created_at < GIVE_UP:
            with transaction() as session:
                again = utcnow() + AGAIN
                session.add(
                    AccountLetter(kind=letter.kind, email=letter.email, created_at=letter.created_at, next_try_at=again)
                )
        return False
    return True


def _written(session: Session, row: AccountLetter) -> _Letter | None:
    user = session.exec(select(User).where(User.email == row.email)).first()
    if user is None or user.id is None or user.disabled_at is not None:
        return None  # somebody typed an address of nobody
    speak, words = user.language, {"email": user.email}
    if row.kind == "reset":
        subject, text = _link(session, user.id, speak, words)
    else:
        title, what = _NOTICES[row.kind]
        subject = i18n.gettext(speak, title)
        text = [
            i18n.gettext(speak, what, **words),
            i18n.gettext(speak, "If that was not you, set a new password at once and tell your administrator."),
            config().public_url.rstrip("/") + routes.LOGIN,
        ]
    return _Letter(row.kind, user.email, row.created_at, subject, "\n\n".join(text) + "\n")


def _link(session: Session, user_id: int, speak: str, words: dict[str, str]) -> tuple[str, list[str]]:
    secret = ticket(session, user_id)
    audit.record(session, None, "send_reset_link", "user", user_id)
    return i18n.gettext(speak, "Set a new password"), [
        i18n.gettext(speak, "Somebody asked for a new password for your account {email}. Set it here:", **words),
        config().public_url.rstrip("/") + routes.reset(secret),
        i18n.gettext(speak, "The link works once, for an hour. If you did not ask for it, do nothing."),
    ]


def end_links(session: Session, user_id: int) -> None:
    """Let the links to a new password that were made for a user end."""
    made = delete(AccountTicket).where(col(AccountTicket.user_id) == user_id, col(AccountTicket.kind) == "reset")
    session.exec(made)


def ticket(session: Session, user_id: int) -> str:
    """Make the secret of a link to a new password; those made before end."""
    now = utcnow()
    session.exec(delete(AccountTicket).where(col(AccountTicket.expires_at) < now))
    end_links(session, user_id)
    secret = crypto.token()
    session.add(
        AccountTicket(
            kind="reset", user_id=user_id, token_hash=crypto.digest(secret), expires_at=now + LINK_LIFETIME,
        )
    )  # fmt: skip
    return secret
