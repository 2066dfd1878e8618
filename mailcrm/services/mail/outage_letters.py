"""Writes to users whose mailbox needs them (M10): one letter for each outage, to the address they sign in with.

Through the workspace's own server (MAILCRM_SMTP_*); where none is set up, through another mailbox of the same user that
works; where there is none either, banner and bell have to do. `Mailbox.reconnect_told_at` says that it is done, and is
written first, so that two workers never write twice; it is taken back when the letter certainly did not leave, and the
next sweep tries again.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, and_, update
from sqlmodel import Session, col, select

from mailcrm import routes
from mailcrm.config import config
from mailcrm.errors import DeliveryUnknown, MailcrmError, TransientError
from mailcrm.models import Mailbox, User, utcnow
from mailcrm.services import i18n
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import letters
from mailcrm.services.mail.signing_in import credentials
from mailcrm.services.rows import run

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Letter:
    mailbox_id: int
    user_id: int
    to: str
    subject: str
    text: str


def tell_due(limit: int = 20) -> int:
    """Write to everybody who has not been told of an outage; return how many letters left."""
    with reading() as session:
        ids = [found or 0 for found in session.exec(select(Mailbox.id).where(untold()).limit(limit))]
    return sum(_tell(mailbox_id) for mailbox_id in ids)


def untold() -> ColumnElement[bool]:
    """A mailbox needs its user, who was not told by letter."""
    return and_(col(Mailbox.status) == "needs_reconnect", col(Mailbox.reconnect_told_at).is_(None))


def _tell(mailbox_id: int) -> bool:
    now = utcnow()
    with transaction() as session:
        mine = update(Mailbox).where(col(Mailbox.id) == mailbox_id, untold())
        if run(session, mine.values(reconnect_told_at=now)).rowcount != 1:
            return False
        letter = _written(session, mailbox_id)
    try:
        sent = _send(letter)
    except DeliveryUnknown:
        return False
    except MailcrmError as error:
        log.warning("a letter about a mailbox could not be sent", mailbox_id=mailbox_id, code=error.code)
        if isinstance(error, TransientError):
            with transaction() as session:
                again = update(Mailbox).where(col(Mailbox.id) == mailbox_id, col(Mailbox.reconnect_told_at) == now)
                run(session, again.values(reconnect_told_at=None))
        return False
    if not sent:
        log.info("nobody to send a letter through; the app tells", mailbox_id=mailbox_id)
    return sent


def _written(session: Session, mailbox_id: int) -> _Letter:
    mailbox = session.get_one(Mailbox, mailbox_id)
    user = session.get_one(User, mailbox.user_id)
    language = user.language
    words = {"address": mailbox.address, "name": user.name}
    why = i18n.kept_sentence(mailbox.error_code, mailbox.error_params, language)
    text = [
        i18n.gettext(language, "mailcrm can’t get into {address} any more.", **words),
        why,
        i18n.gettext(
            language,
            "Syncing has stopped. Nothing is lost: email that comes meanwhile arrives once you sign in again, "
            "and what waits in your outbox is sent then.",
        ),
        i18n.gettext(language, "Sign in again here:") + "\n" + reconnect_url(mailbox_id),
    ]
    subject = i18n.gettext(language, "Sign in again: {address}", **words)
    return _Letter(mailbox_id, mailbox.user_id, user.email, subject, "\n\n".join(text) + "\n")


def reconnect_url(mailbox_id: int) -> str:
    """Return the address of the page where a mailbox is connected again."""
    return config().public_url + routes.reconnect(mailbox_id)


def _send(letter: _Letter) -> bool:
    if letters.is_set_up():
        letters.send(letter.to, letter.subject, letter.text)
        return True
    for other in _others(letter):
        try:
            access = credentials(other[0])
            letters.send_through(access.smtp, access.smtp_password, other[1], letter.to, letter.subject, letter.text)
        except DeliveryUnknown:
            return True  # perhaps; never twice
        except MailcrmError as error:
            log.info("a letter did not leave through this mailbox", mailbox_id=other[0], code=error.code)
        else:
            return True
    return False


def _others(letter: _Letter) -> list[tuple[int, str]]:
    """The user's own mailboxes that work, the latest seen first."""
    with reading() as session:
        query = (
            select(Mailbox.id, Mailbox.address)
            .where(
                Mailbox.user_id == letter.user_id, Mailbox.status == "active", Mailbox.error_code == "",
                Mailbox.kind == "imap",
            )
            .order_by(col(Mailbox.last_success_at).desc())
        )  # fmt: skip
        return [(row[0] or 0, row[1]) for row in session.exec(query)]
