"""What the user can do about a mailbox that is out (M10): see which, and try again with what is stored.

Another password: `mailboxes.reconnect`. A new grant: `oauth/flow.py`. What "out" is: `outages.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import col, select

from mailcrm.config import config
from mailcrm.errors import UserError
from mailcrm.models import Mailbox
from mailcrm.services import access, audit, i18n
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail import outages
from mailcrm.services.mail.providers.probe import probe_mailbox
from mailcrm.services.mail.signing_in import credentials


@dataclass(frozen=True, slots=True)
class OutView:
    """A mailbox that waits for its user; `auth` is "password", "google" or "microsoft"."""

    id: int
    address: str
    auth: str
    sentence: str


def out(actor: Actor) -> tuple[OutView, ...]:
    """Return the actor's mailboxes that need them, oldest first."""
    with reading() as session:
        query = select(Mailbox).where(access.own_mailbox(actor), Mailbox.status == "needs_reconnect")
        return tuple(_view(row, actor) for row in session.exec(query.order_by(col(Mailbox.id))))


def try_again(actor: Actor, mailbox_id: int) -> OutView:
    """Try both servers with what is stored, and let the mailbox go on when they let it in.

    For what was put right at the provider: IMAP switched on, a sign-in confirmed. Raises UserError with the sentence.
    """
    with reading() as session:
        access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
    known = credentials(mailbox_id)
    found = probe_mailbox(
        known.imap, known.imap_password, known.smtp, known.smtp_password, allow_private=config().allow_private_hosts
    )
    step = found.failure
    if step is not None and step.error is not None:
        raise UserError(step.error.code, **step.error.params) from step.error
    with transaction() as session:
        row = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        outages.restored(session, row)
        audit.record(session, actor, "reconnect", "mailbox", mailbox_id)
        view = _view(row, actor)
    queue.enqueue("sync_mailbox", mailbox_id=mailbox_id)
    return view


def _view(row: Mailbox, actor: Actor) -> OutView:
    sentence = i18n.kept_sentence(row.error_code, row.error_params, actor.language)
    return OutView(row.id or 0, row.address, row.auth, sentence)
