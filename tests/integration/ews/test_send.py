"""Sending through Exchange's web services: who gets it, what is kept, and what a lost answer means (B10)."""

from __future__ import annotations

from email import message_from_bytes
from typing import Any

import pytest
from sqlmodel import select

from mailcrm.models import Outbox, OutboxRecipient, TrackedMessage
from mailcrm.services.crm import people
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs
from mailcrm.services.mail.outbox import draft, queue, sent_copy
from mailcrm.services.mail.outbox.views import DraftInput, DraftView
from mailcrm.services.tracking import outgoing
from tests.integration.ews.conftest import Exchange
from tests.servers.ews import Fault


def send(box: Exchange, to: str, **values: Any) -> DraftView:
    made = draft.new_draft(box.actor, mailbox_id=box.mailbox_id)
    given: dict[str, Any] = {"cc": "", "bcc": "", "subject": "Angebot", "html": "<p>Anbei.</p>", **values}
    draft.save(box.actor, made.id, DraftInput(box.mailbox_id, to, **given))
    queue.send(box.actor, made.id, delay_s=0)
    outgoing.deliver_due()
    return draft.get(box.actor, made.id)


def row(made: DraftView) -> Outbox:
    with reading() as session:
        found = session.get_one(Outbox, made.id)
        session.expunge_all()
        return found


def test_a_message_goes_to_all_its_copy_into_sent_once(box: Exchange) -> None:
    """Bcc is nobody's to see; the copy in Sent has it, is read and no draft; the sync recognises it."""
    box.sync()
    made = send(box, "mika@saimaa.test", cc="bo@x.test", bcc="chef@home.test")
    assert (made.state, made.error) == ("sent", "")
    ((raw, sent_to),) = box.server.sent
    assert sorted(sent_to) == ["bo@x.test", "chef@home.test", "mika@saimaa.test"]
    assert b"chef@home.test" not in raw
    name = message_from_bytes(raw)["Message-ID"]
    sent_copy.store_copies()
    sent_copy.store_copies()
    copy = box.server.messages("sentitems")[name]
    assert (copy.seen, copy.draft) == (True, False)
    assert b"chef@home.test" in copy.raw
    assert row(made).sent_copy == "stored"
    box.server.calls.clear()
    box.sync()
    (place,) = box.locations("Gesendete Elemente").values()
    assert place == made.message_id
    assert len(box.messages()) == 1


def test_one_who_must_not_be_tracked_decides_for_all(box: Exchange) -> None:
    """T09, B04: Exchange sends one text to all that the header names, so nobody gets a copy of their own."""
    made = send(box, "mika@saimaa.test, bo@x.test", track_opens=True)
    assert made.state == "sent"
    assert b"/t/o/" in decoded(box.server.sent[0][0])
    person = people.create_person(box.actor, name="Bo", addresses=["bo@x.test"])
    people.set_consent(box.actor, person.card.id, "refused")
    made = send(box, "mika@saimaa.test, bo@x.test", track_opens=True)
    assert (made.state, len(box.server.sent)) == ("sent", 2)
    assert b"/t/o/" not in decoded(box.server.sent[1][0])
    with reading() as session:
        told = session.exec(select(OutboxRecipient.tracking).where(OutboxRecipient.outbox_id == made.id)).all()
        assert sorted(told) == ["", "refused"]
        assert len(session.exec(select(TrackedMessage)).all()) == 1


def decoded(raw: bytes) -> bytes:
    return b"".join(part.get_payload(decode=True) or b"" for part in message_from_bytes(raw).walk())  # type: ignore[misc]


@pytest.mark.parametrize(
    ("how", "state"),
    [
        ("ErrorServerBusy", "queued"),
        ("ErrorSendAsDenied", "failed"),
        ("ErrorInternalServerError", "unknown"),
        ("cut", "unknown"),
        ("late cut", "unknown"),
        ("garbage", "unknown"),
    ],
)
def test_a_lost_answer_is_never_sent_twice(box: Exchange, how: str, state: str) -> None:
    """A refusal by name: not sent. Anything else after the request began: in doubt, and not sent again by itself."""
    box.server.faults.append(Fault("CreateItem", how, back_off_ms=60_000))
    made = send(box, "mika@saimaa.test")
    assert made.state == state
    assert len(box.server.sent) == (how == "late cut")
    outgoing.deliver_due()
    assert len(box.server.sent) == (how == "late cut")
    if state == "queued":
        with transaction() as session:
            waiting = session.get_one(Outbox, made.id)
            waiting.next_try_at = None
            session.add(waiting)
        outgoing.deliver_due()
        assert len(box.server.sent) == 1


def test_a_message_in_doubt_that_stands_in_sent_was_sent(box: Exchange) -> None:
    """Settled by its Message-ID in Sent Items, as over IMAP."""
    box.sync()
    box.server.faults.append(Fault("CreateItem", "late cut"))
    made = send(box, "mika@saimaa.test")
    assert made.state == "unknown"
    box.server.deliver(box.server.sent[0][0], "sentitems", seen=True)  # a rule of the server's keeps copies
    with transaction() as session:
        waiting = session.get_one(Outbox, made.id)
        waiting.next_try_at = waiting.handed_over_at
        session.add(waiting)
    outgoing.deliver_due()
    assert draft.get(box.actor, made.id).state == "sent"
    assert len(box.server.sent) == 1
    assert blobs.get(row(made).sent_blob_sha or "")


def test_a_recipient_exchange_refuses_comes_back_to_the_composer(box: Exchange) -> None:
    made = send(box, "nobody@x.invalid")
    assert (made.state, row(made).error_code) == ("failed", "smtp.refused")
    assert box.server.sent == []
