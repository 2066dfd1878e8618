"""What the composer needs beside drafts: senders, values of merge fields, failed mail as a draft again, preferences."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import MailboxAlias, Outbox, OutboxRecipient
from mailcrm.services.auth import users
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.mail.outbox.reopen import reopen
from mailcrm.services.mail.outbox.views import DraftInput, DraftNewer
from mailcrm.services.writing import fill
from tests.builders import a_mailbox, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


def test_failed_mail_opens_again_for_those_who_did_not_get_it() -> None:
    """B10: the reason stays for the banner; whom the server accepted is off the draft, so nobody gets it twice."""
    aino, eve = a_user(), a_user()
    box = a_mailbox(aino)
    made = draft.new_draft(aino, to="a@x.example, b@x.example")
    draft.save(aino, made.id, DraftInput(mailbox_id=box, to="a@x.example, b@x.example", subject="Hello"))
    queue.send(aino, made.id, delay_s=60)
    with pytest.raises(UserError):
        reopen(aino, made.id)  # it waits; it did not fail
    with transaction() as session:
        row = session.get_one(Outbox, made.id)
        row.state, row.error_code, row.error_params = "failed", "smtp.refused", {}
        for each in session.exec(select(OutboxRecipient).where(OutboxRecipient.outbox_id == made.id)):
            each.state = "accepted" if each.address == "a@x.example" else "refused"
    with pytest.raises(NotFound):
        reopen(eve, made.id)
    view = reopen(aino, made.id)
    assert (view.state, view.to, view.error_code) == ("draft", "b@x.example", "smtp.refused")
    assert [each.state for each in view.recipients] == ["waiting"]
    assert queue.send(aino, made.id, delay_s=60).state == "queued"


def test_senders_are_own_mailboxes_each_before_its_aliases() -> None:
    """From: mailbox or alias; a colleague's are not among them."""
    aino, eve = a_user(), a_user()
    box = a_mailbox(aino)
    a_mailbox(eve)
    with transaction() as session:
        session.add(MailboxAlias(mailbox_id=box, address="sales@crm.test"))
    found = mailboxes.senders(aino)
    assert [(number, alias) for number, alias, _ in found] == [(box, ""), (box, "sales@crm.test")]
    assert mailboxes.senders(a_user()) == ()


def test_values_of_merge_fields_follow_the_first_recipient() -> None:
    """M06: the menu shows real values; a stranger's draft shows none."""
    aino, eve = a_user(), a_user()
    a_mailbox(aino)
    a_person(aino, "Maja Kos", "maja@vodovod.test")
    made = draft.new_draft(aino, to="maja@vodovod.test")
    assert fill.known(aino, made.id)["person.first_name"] == "Maja"
    with pytest.raises(NotFound):
        fill.known(eve, made.id)


def test_undo_window_and_mail_links_are_chosen_by_each_user() -> None:
    """B10, M18: only the offered values; sending follows."""
    aino = a_user()
    assert users.change_writing(aino, undo_seconds=30).undo_seconds == 30
    assert users.change_writing(aino, mail_links="system").undo_seconds == 30
    for wrong in ({"undo_seconds": 7}, {"mail_links": "evil"}):
        with pytest.raises(UserError):
            users.change_writing(aino, **wrong)  # type: ignore[arg-type]
    box = a_mailbox(aino)
    made = draft.new_draft(aino, to="a@x.example")
    draft.save(aino, made.id, DraftInput(mailbox_id=box, to="a@x.example", subject="Hello"))
    sent = queue.send(aino, made.id)
    with reading() as session:
        row = session.get_one(Outbox, made.id)
        assert sent.send_at is not None
        assert 29 <= (sent.send_at - row.updated_at).total_seconds() <= 31


def test_saving_what_is_there_already_is_no_newer_text() -> None:
    """A tab that only looks at a draft makes no other tab old; any change does, an alias too."""
    aino = a_user()
    box = a_mailbox(aino)
    with transaction() as session:
        session.add(MailboxAlias(mailbox_id=box, address="sales@crm.test"))
    made = draft.new_draft(aino, to="a@x.example")
    entered = DraftInput(
        mailbox_id=box, to="A <a@x.example>", subject="Hello", html="<p>Hi</p>", revision=made.revision
    )
    first = draft.save(aino, made.id, entered)
    assert draft.save(aino, made.id, replace(entered, revision=0)).revision == first.revision
    for change in ({"subject": "Hallo"}, {"html": "<p>Ho</p>"}, {"to": ""}, {"bcc": "b@x.example"}, {"plain": True},
                   {"from_address": "sales@crm.test"}, {"visibility": "shared"}, {"track_opens": True}):  # fmt: skip
        with pytest.raises(DraftNewer):
            draft.save(aino, made.id, replace(entered, revision=0, **change))
