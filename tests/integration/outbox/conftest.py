"""A salesperson with a mailbox: sends through the SMTP sink, files copies on Dovecot; on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from email import message_from_bytes
from email.message import Message as Parsed
from typing import Any

import pytest
from sqlmodel import select

from mailcrm.models import Outbox, OutboxRecipient, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.outbox import draft, queue, sent_copy
from mailcrm.services.mail.outbox.views import DraftInput, DraftView
from mailcrm.services.tracking import outgoing
from tests.builders import a_mailbox, a_user
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink

_numbers = itertools.count(1)


@dataclass
class Desk:
    """One user, their mailbox, and the servers behind it."""

    sink: SmtpSink
    actor: Actor
    mailbox_id: int
    address: str
    dovecot: DovecotServer | None = None
    user: str = ""
    made: int = 0  # the message that a test sent last

    def draft(self, to: str = "mika@saimaa.test", **values: Any) -> DraftView:
        """A saved draft."""
        made = draft.new_draft(self.actor, mailbox_id=self.mailbox_id)
        return self.save(made, to=to, **{"subject": "Certificates", "html": "<p>Here they are.</p>", **values})

    def save(self, made: DraftView, **values: Any) -> DraftView:
        """The draft with other values."""
        entered = DraftInput(
            made.mailbox_id, made.to, made.cc, made.bcc, made.subject, made.html, made.track_opens,
            made.track_clicks, made.visibility, made.deal_id,
        )  # fmt: skip
        return draft.save(self.actor, made.id, replace(entered, **values))

    def send(self, made: DraftView | None = None, **values: Any) -> DraftView:
        """Queue without delay and let the worker deliver."""
        made = made or self.draft(**values)
        queue.send(self.actor, made.id, delay_s=0)
        self.work()
        return self.look(made.id)

    def work(self) -> int:
        """What the worker's job does."""
        return outgoing.deliver_due()

    def work_later(self, outbox_id: int) -> DraftView:
        """The same after the back-off has passed and leases have run out."""
        past = utcnow() - timedelta(seconds=1)
        with transaction() as session:
            row = session.get_one(Outbox, outbox_id)
            row.next_try_at = past if row.next_try_at is not None else None
            row.lease_until = past if row.lease_until is not None else None
            session.add(row)
        self.work()
        return self.look(outbox_id)

    def copy(self, outbox_id: int) -> str:
        """Run the job of the Sent copies; return the state of this message's."""
        sent_copy.store_copies()
        return self.row(outbox_id).sent_copy

    def look(self, outbox_id: int) -> DraftView:
        return draft.get(self.actor, outbox_id)

    def row(self, outbox_id: int) -> Outbox:
        with reading() as session:
            row = session.get_one(Outbox, outbox_id)
            session.expunge(row)
            return row

    def states(self, outbox_id: int) -> dict[str, str]:
        with reading() as session:
            found = session.exec(select(OutboxRecipient).where(OutboxRecipient.outbox_id == outbox_id))
            return {each.address: each.state for each in found}

    def received(self) -> list[Parsed]:
        return [message_from_bytes(each.raw) for each in self.sink.messages]


def html_of(parsed: Parsed) -> str:
    """The HTML part of a message."""
    for part in parsed.walk():
        if part.get_content_type() == "text/html":
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            return payload.decode()
    raise AssertionError("no HTML part")


@pytest.fixture
def desk(db: str, smtp_sink: SmtpSink) -> Iterator[Desk]:
    """A desk without an IMAP server."""
    number = next(_numbers)
    actor, address = a_user("Aino"), f"aino{number}@crm.test"
    smtp_sink.add_user("aino")
    mailbox_id = a_mailbox(
        actor, address, display_name="Aino Laine", smtp_host=smtp_sink.host, smtp_port=smtp_sink.port,
        smtp_username="aino",
    )  # fmt: skip
    return Desk(smtp_sink, actor, mailbox_id, address)  # pyright: ignore[reportReturnType]


@pytest.fixture
def full_desk(desk: Desk, dovecot: DovecotServer) -> Desk:
    """A desk whose mailbox is on Dovecot."""
    from mailcrm.models import Mailbox

    desk.dovecot, desk.user = dovecot, f"desk{next(_numbers)}"
    dovecot.add_user(desk.user)
    spec = dovecot.spec(desk.user)
    with transaction() as session:
        row = session.get_one(Mailbox, desk.mailbox_id)
        row.imap_host, row.imap_port, row.imap_security = spec.host, spec.port, spec.security
        row.imap_username = desk.user
        session.add(row)
    return desk
