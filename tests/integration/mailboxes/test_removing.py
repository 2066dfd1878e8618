"""A mailbox is removed: what was written in it moves or is named, what waits is never stopped unasked (issue 5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Outbox, OutboxRecipient, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.outbox import draft, lease, moving, queue
from mailcrm.services.mail.outbox.views import DraftInput
from tests.builders import a_mailbox, a_user

pytestmark = pytest.mark.usefixtures("db")


def written(actor: Actor, box: int, subject: str) -> int:
    view = draft.new_draft(actor, mailbox_id=box, to="mika@saimaa.test")
    entered = DraftInput(mailbox_id=box, to="mika@saimaa.test", subject=subject, html="<p>Hello</p>")
    return draft.save(actor, view.id, entered).id


def queued(actor: Actor, box: int, subject: str) -> int:
    return queue.send(actor, written(actor, box, subject), send_at=utcnow() + timedelta(days=2)).id


def rows() -> dict[str, tuple[int, str]]:
    with reading() as session:
        return {row.subject: (row.mailbox_id, row.state) for row in session.exec(select(Outbox)).all()}


def test_what_waits_is_not_stopped_unless_its_number_was_agreed_to() -> None:
    aino = a_user("Aino")
    box, other = a_mailbox(aino, "aino@crm.test"), a_mailbox(aino, "sales@crm.test")
    written(aino, box, "Draft")
    queued(aino, box, "Monday")
    queued(aino, other, "Elsewhere")
    found = moving.leaving(aino, box)
    assert (found.drafts, found.waiting, found.sending, found.to) == (1, 1, 0, "sales@crm.test")
    with pytest.raises(UserError) as refused:
        mailboxes.remove(aino, box)
    assert (refused.value.code, refused.value.params["n"]) == ("mailbox.waiting", 1)
    queued(aino, box, "Tuesday")  # came between the question and its answer
    with pytest.raises(UserError):
        mailboxes.remove(aino, box, stop_waiting=1)
    assert rows()["Monday"] == (box, "queued")
    mailboxes.remove(aino, box, stop_waiting=2)
    assert rows() == {
        "Draft": (other, "draft"),
        "Monday": (other, "draft"),
        "Tuesday": (other, "draft"),
        "Elsewhere": (other, "queued"),
    }
    found_again = [view.subject for view in queue.list_drafts(aino)]
    assert sorted(found_again) == ["Draft", "Monday", "Tuesday"]
    assert queue.send(aino, next(v.id for v in queue.list_drafts(aino) if v.subject == "Monday")).from_address == (
        "sales@crm.test"
    )


def test_a_failed_email_keeps_its_reason_and_leaves_out_who_got_it() -> None:
    aino = a_user("Aino")
    box, other = a_mailbox(aino, "aino@crm.test"), a_mailbox(aino, "sales@crm.test")
    failed = queued(aino, box, "Refused")
    with transaction() as session:
        row = session.get_one(Outbox, failed)
        row.state, row.error_code = "failed", "smtp.refused"
        session.add(
            OutboxRecipient(outbox_id=failed, role="cc", position=0, address="got@saimaa.test", state="accepted")
        )
    mailboxes.remove(aino, box)
    view = draft.get(aino, failed)
    assert (view.mailbox_id, view.state, view.error_code, view.to, view.cc) == (
        other, "draft", "smtp.refused", "mika@saimaa.test", "",
    )  # fmt: skip


def test_the_last_mailbox_takes_its_drafts_along_and_says_how_many() -> None:
    aino, noor = a_user("Aino"), a_user("Noor")
    box = a_mailbox(aino, "aino@crm.test")
    a_mailbox(noor, "noor@crm.test")  # a colleague's takes nothing
    written(aino, box, "One")
    written(aino, box, "Two")
    found = moving.leaving(aino, box)
    assert (found.drafts, found.to) == (2, "")
    with pytest.raises(NotFound):
        moving.leaving(noor, box)
    mailboxes.remove(aino, box)
    assert rows() == {}


def test_nothing_is_removed_under_an_email_that_is_being_sent() -> None:
    aino = a_user("Aino")
    box = a_mailbox(aino, "aino@crm.test")
    going = queue.send(aino, written(aino, box, "Going"), delay_s=0).id
    assert lease.take(going, "a worker")
    with pytest.raises(UserError) as refused:
        mailboxes.remove(aino, box, stop_waiting=5)
    assert refused.value.code == "mailbox.sending"
    assert rows()["Going"] == (box, "sending")
