"""Settled questions 7 and 9: the history window and "contacts only", against a real Dovecot, on both databases."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import ContactRequest, Mailbox, PersonAddress, User
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm import people
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import mailboxes, scope
from mailcrm.services.mail.imap.client import ImapConnection
from mailcrm.services.mail.sync import contacts, fetch
from tests.builders import a_mailbox, a_user
from tests.integration.sync.conftest import Box, connect
from tests.servers.dovecot import DovecotServer

_n = itertools.count(1)


@pytest.fixture
def picky(db: str, dovecot: DovecotServer) -> Box:
    """A mailbox that stores only contacts."""
    return connect(dovecot, contacts_only=True)


def actor_of(box: Box) -> Actor:
    with reading() as session:
        return access.actor_for(session, box.user_id)


def mail(subject: str, **fields: str) -> bytes:
    head = {"From": "Stranger <stranger@x.test>", "To": "ann@home.test"} | {
        name.replace("_", "-"): value for name, value in fields.items()
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"{lines}Message-ID: <c{next(_n)}@scope.test>\r\nSubject: {subject}\r\n\r\nbody {subject}\r\n".encode()


def subjects(box: Box) -> set[str]:
    return {message.subject for message in box.messages()}


def test_only_mail_with_a_known_person_is_stored(picky: Box) -> None:
    """From, Reply-To, To, Cc and Bcc count; Sender does not, nor do own addresses and colleagues."""
    actor = actor_of(picky)
    people.create_person(actor, name="Mika", addresses=["mika@saimaa.test"])
    ann = people.create_person(actor, name="Ann herself").card.id
    with transaction() as session:  # such a contact can't be made, but is there when the address is ours later
        session.add_all(
            PersonAddress(person_id=ann, address=address) for address in ("ann@home.test", "colleague@home.test")
        )
        session.add(User(name="C", email="colleague@home.test", password_hash="x", role="member"))
    for name in ("From", "Reply_To", "To", "Cc", "Bcc"):
        picky.deliver(mail(f"by {name}", **{name: "=?utf-8?q?Mik=C3=A5?= <MIKA@Saimaa.test>, other@x.test"}))
    picky.deliver(mail("by sender", Sender="mika@saimaa.test"))
    picky.deliver(mail("by name", From='"mika@saimaa.test" <spoof@x.test>'))
    picky.deliver(mail("colleague", From="colleague@home.test"))
    picky.deliver(mail("nobody"))
    report = picky.sync()
    assert subjects(picky) == {"by From", "by Reply_To", "by To", "by Cc", "by Bcc"}
    assert (report.stored, report.skipped, report.complete) == (5, 4, True)
    line = picky.ledger()["INBOX"]
    assert (line.server, line.stored, line.skipped_reasons) == (9, 5, {"contacts_only": 4})


def test_no_body_of_a_stranger_is_fetched(picky: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[int] = []
    real = ImapConnection.fetch_raw

    def counting(self, uids, **options):  # type: ignore[no-untyped-def]
        fetched.extend(uids)
        return real(self, uids, **options)

    monkeypatch.setattr(ImapConnection, "fetch_raw", counting)
    picky.deliver(mail("nobody"))
    picky.sync()
    assert fetched == []


@pytest.mark.parametrize("search", ["by search", "many at once", "no search"])
def test_a_new_persons_history_is_fetched(picky: Box, search: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Question 9: found on the server among what was skipped; a server that can't search is looked through."""
    actor = actor_of(picky)
    for name in ("From", "Reply_To", "To", "Cc", "Bcc"):
        picky.deliver(mail(f"by {name}", **{name: "mika@saimaa.test"}))
    picky.deliver(mail("prefix", From="xmika@saimaa.test"))  # SEARCH finds parts of words
    picky.deliver(mail("nobody"))
    picky.deliver(mail("elsewhere", From="mika@saimaa.test"), "Projects")
    picky.sync()
    assert picky.messages() == []
    if search == "many at once":
        monkeypatch.setattr(contacts, "MOST_SEARCHES", 0)
    elif search == "no search":

        def refuse(connection: ImapConnection, address: str) -> list[int]:
            with connection._call():  # pyright: ignore[reportPrivateUsage]
                return connection._wire.search_raw(f"NONSENSE {address}")  # pyright: ignore[reportPrivateUsage]

        monkeypatch.setattr(contacts, "search_address", refuse)
    person = people.create_person(actor, name="Mika", addresses=["Mika@Saimaa.test"])
    picky.sync()
    assert subjects(picky) == {"by From", "by Reply_To", "by To", "by Cc", "by Bcc", "elsewhere"}
    assert picky.ledger()["INBOX"].skipped_reasons == {"contacts_only": 2}
    people.add_address(actor, person.card.id, "xmika@saimaa.test")
    picky.sync()
    assert "prefix" in subjects(picky)
    with reading() as session:
        assert session.exec(select(ContactRequest)).all() == []


@pytest.mark.parametrize(
    "address",
    ['a"b\\c@x.test', "ääkkönen@x.test", "long" + "g" * 200 + "@x.test", 'x" UNDELETED NOT FROM "y@x.test'],
)
def test_hostile_addresses_search_for_nothing_else(picky: Box, address: str) -> None:
    """F12: an address is attackers' text; whatever it holds, the pass ends well and stores nothing it should not."""
    picky.deliver(mail("nobody"))
    picky.sync()
    with transaction() as session:
        assert scope.history_of(session, [address]) == (picky.mailbox_id,)
    assert picky.sync().complete
    assert picky.messages() == []
    with reading() as session:
        assert session.exec(select(ContactRequest)).all() == []


def test_switching_it_off_fetches_the_rest_and_on_deletes_nothing(box: Box) -> None:
    actor = actor_of(box)
    box.deliver(mail("before"))
    box.sync()
    mailboxes.change(actor, box.mailbox_id, contacts_only=True)
    box.deliver(mail("while on"))
    box.sync()
    assert subjects(box) == {"before"}
    mailboxes.change(actor, box.mailbox_id, contacts_only=False)
    box.sync()
    assert subjects(box) == {"before", "while on"}
    assert box.ledger()["INBOX"].skipped == 0


def test_what_the_mailbox_holds_is_recognised_where_it_was_moved_to(box: Box) -> None:
    """A stored message that is moved must not be skipped at its new place and taken for deleted."""
    stranger = mail("stranger")
    path = box.deliver(stranger)
    box.sync()
    mailboxes.change(actor_of(box), box.mailbox_id, contacts_only=True)
    path.unlink()
    box.deliver(stranger, "Projects")
    box.sync()
    (message,) = box.messages()
    assert message.gone_at is None
    assert box.ledger()["Projects"].stored == 1


def test_a_longer_history_fetches_what_was_left_out_and_a_shorter_one_deletes_nothing(box: Box) -> None:
    """Settled question 7."""
    actor = actor_of(box)
    mailboxes.change(actor, box.mailbox_id, history_days=3)
    for days in (1, 20, 80, 400):
        box.deliver(mail(f"{days} days"), when=datetime.now(UTC) - timedelta(days=days))
    box.sync()
    assert subjects(box) == {"1 days"}
    assert box.ledger()["INBOX"].skipped_reasons == {"history": 3}
    for window, count in ((90, 3), (30, 3), (None, 4), (3, 4)):
        mailboxes.change(actor, box.mailbox_id, history_days=window)
        box.sync()
        assert len(box.messages()) == count
        line = box.ledger()["INBOX"]
        assert (line.server, line.stored + line.skipped) == (4, 4)
    assert mailboxes.get(actor, box.mailbox_id).history_days == 3


@pytest.mark.parametrize("days", [0, -1, 36_501, True])
def test_a_history_that_is_none_is_refused(db: str, days: int) -> None:
    aino = a_user()
    with pytest.raises(UserError) as caught:
        mailboxes.change(aino, a_mailbox(aino), history_days=days)
    assert caught.value.code == "mailbox.history"


def test_what_is_widened_while_a_slice_is_looked_at_is_not_left_out(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decision of a slice is a moment old when it is stored: it must not outlive the setting it was made with."""
    actor = actor_of(box)
    mailboxes.change(actor, box.mailbox_id, history_days=3)
    box.deliver(mail("old"), when=datetime.now(UTC) - timedelta(days=30))
    real = fetch.triage
    changed: list[bool] = []

    def widened(*args, **options):  # type: ignore[no-untyped-def]
        found = real(*args, **options)
        if not changed:
            changed.append(True)
            mailboxes.change(actor, box.mailbox_id, history_days=None)
        return found

    monkeypatch.setattr(fetch, "triage", widened)
    box.sync()
    assert subjects(box) == {"old"}


def test_nobody_else_changes_it(db: str) -> None:
    aino, boris = a_user(), a_user("Boris", admin=True)
    mailbox_id = a_mailbox(aino)
    for change in ({"history_days": 3}, {"contacts_only": True}):
        with pytest.raises(NotFound):
            mailboxes.change(boris, mailbox_id, **change)  # type: ignore[arg-type]
    with reading() as session:
        row = session.get_one(Mailbox, mailbox_id)
        assert (row.history_days, row.contacts_only) == (None, False)


def test_people_who_come_by_import_wake_only_mailboxes_that_ask(db: str) -> None:
    aino = a_user()
    a_mailbox(aino)
    picky = a_mailbox(aino, contacts_only=True)
    with transaction() as session:
        assert scope.history_of(session, ["A@x.test", "a@x.test "]) == (picky,)
        assert scope.history_of(session, ["a@x.test"]) == (picky,)  # twice is once
        assert scope.history_of(session, []) == ()
    with reading() as session:
        assert [(row.mailbox_id, row.address) for row in session.exec(select(ContactRequest))] == [(picky, "a@x.test")]
