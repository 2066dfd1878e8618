"""Notices of failure find the message they are about, and only that (B10)."""

from __future__ import annotations

import pytest

from mailcrm.models import OutboxRecipient
from mailcrm.services import notifications
from mailcrm.services.crm.linking import link
from mailcrm.services.db import transaction
from mailcrm.services.mail import blobs, store
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.sync.engine import sync_mailbox
from mailcrm.services.tracking import outgoing
from tests.builders import a_mailbox, a_user
from tests.integration.outbox.conftest import Desk
from tests.servers.fixtures import needs
from tests.servers.postfix import PostfixServer

REPORT = """From: Mail Delivery System <MAILER-DAEMON@relay.test>
To: aino@crm.test
Subject: Undelivered Mail Returned to Sender
Message-ID: <{n}@relay.test>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.test

Final-Recipient: rfc822; {address}
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--b
Content-Type: text/rfc822-headers

Message-ID: <{original}>
Subject: Certificates

--b--
"""


def arrives(desk: Desk, raw: str, mailbox_id: int | None = None) -> int:
    """Store a message as the sync does, and run what follows."""
    data = raw.replace("\n", "\r\n").encode()
    parsed = parse_message(data)
    sha = blobs.put(data)
    with transaction() as session:
        from mailcrm.models import Mailbox

        owner = store.owner_of(session, session.get_one(Mailbox, mailbox_id or desk.mailbox_id))
        item = store.Incoming(sha, len(data), parsed, None, "in", False)
        message_id = store.store(session, owner, [item])[sha]
    link.apply_rules()
    return message_id


def report(desk: Desk, made: int, *, address: str = "mika@saimaa.test", action: str = "failed", n: int = 1) -> str:
    return REPORT.format(n=n, address=address, action=action, original=desk.row(made).rfc_message_id)


def test_a_bounce_is_shown_with_its_reason(desk: Desk) -> None:
    made = desk.send(to="mika@saimaa.test, bo@x.test")
    notice = arrives(desk, report(desk, made.id, address="MIKA@saimaa.test"))
    assert desk.states(made.id) == {"mika@saimaa.test": "bounced", "bo@x.test": "accepted"}
    (recipient, _) = desk.look(made.id).recipients
    assert (recipient.state, recipient.reply) == ("bounced", "550 5.1.1 no such user")
    with transaction() as session:
        from sqlmodel import select

        row = session.exec(select(OutboxRecipient).where(OutboxRecipient.state == "bounced")).one()
        assert (row.bounce_message_id, row.reply_code, row.bounced_at is not None) == (notice, 550, True)
    (note,) = notifications.list_notifications(desk.actor)
    assert (note.kind, note.message_id, note.title) == ("bounced", made.message_id, "mika@saimaa.test")


def test_the_same_notice_twice_tells_once(desk: Desk) -> None:
    made = desk.send()
    arrives(desk, report(desk, made.id))
    arrives(desk, report(desk, made.id, n=2))
    (note,) = notifications.list_notifications(desk.actor)
    assert note.count == 1


def test_a_delay_changes_nothing(desk: Desk) -> None:
    made = desk.send()
    arrives(desk, report(desk, made.id, action="delayed"))
    assert desk.states(made.id) == {"mika@saimaa.test": "accepted"}
    assert notifications.list_notifications(desk.actor) == ()


def test_a_forged_notice_does_not_stop_what_still_waits(desk: Desk) -> None:
    """One who got the message knows its Message-ID; those who were deferred get it all the same."""
    desk.sink.faults.reject_rcpt = {"bo@x.test": "451 4.7.1 greylisted"}
    made = desk.send(to="mika@saimaa.test, bo@x.test")
    arrives(desk, report(desk, made.id, address="bo@x.test"))
    assert desk.states(made.id) == {"mika@saimaa.test": "accepted", "bo@x.test": "waiting"}
    desk.sink.calm()
    desk.work_later(made.id)
    assert desk.states(made.id)["bo@x.test"] == "accepted"
    assert [each.rcpt_to for each in desk.sink.messages] == [("bo@x.test",)]


def test_a_notice_in_words_names_whole_addresses(desk: Desk) -> None:
    """A name that ends like another's is not that other."""
    made = desk.send(to="bo@x.test, jo.bo@x.test, bo@x.test.example, li@x.test")
    notice = (
        "From: MAILER-DAEMON@relay.test\nTo: aino@crm.test\nSubject: Undelivered mail\nMessage-ID: <w@relay.test>\n"
        "Auto-Submitted: auto-replied\nContent-Type: text/plain\n\nIt could not be delivered to <jo.bo@x.test>, "
        f"bo@x.test.example and li@x.test.\n\nMessage-ID: <{desk.row(made.id).rfc_message_id}>\n"
    )
    arrives(desk, notice)
    assert desk.states(made.id) == {
        "bo@x.test": "accepted", "jo.bo@x.test": "bounced", "bo@x.test.example": "bounced", "li@x.test": "bounced",
    }  # fmt: skip


@pytest.mark.parametrize("forged", ["another id", "another recipient", "another user"])
def test_a_forged_notice_changes_nothing(desk: Desk, forged: str) -> None:
    """Who does not know the Message-ID can't name it; a notice reaches only its user's own mail."""
    made = desk.send()
    raw, mailbox_id = report(desk, made.id), None
    if forged == "another id":
        raw = raw.replace(str(desk.row(made.id).rfc_message_id), "guessed@crm.test")
    elif forged == "another recipient":
        raw = raw.replace("mika@saimaa.test", "boss@saimaa.test")
    else:
        mailbox_id = a_mailbox(other := a_user("Other"))
        assert other.user_id != desk.actor.user_id
    arrives(desk, raw, mailbox_id)
    assert desk.states(made.id) == {"mika@saimaa.test": "accepted"}
    assert notifications.list_notifications(desk.actor) == ()


def test_a_notice_in_words(desk: Desk) -> None:
    made = desk.send()
    raw = (
        "From: postmaster@old.test\nTo: aino@crm.test\nSubject: Returned mail\n\n"
        f"mika@saimaa.test is unknown.\n\nMessage-ID: <{desk.row(made.id).rfc_message_id}>\n"
    )
    arrives(desk, raw)
    assert desk.states(made.id) == {"mika@saimaa.test": "bounced"}


def test_a_real_bounce_of_a_real_server(full_desk: Desk) -> None:
    """Postfix takes the message, the next server refuses it, Postfix's notice comes through Dovecot and the sync."""
    needs("postfix")
    desk = full_desk
    from mailcrm.models import Mailbox

    relay = desk.sink
    relay._auth = False  # pyright: ignore[reportPrivateUsage]
    relay.faults.reject_rcpt = {"gone@saimaa.test": "550 5.1.1 no such user"}
    assert desk.dovecot is not None
    relay.deliver_to(desk.dovecot, {desk.address: desk.user})
    postfix = PostfixServer(relay.port)
    try:
        postfix.start()
        with transaction() as session:
            row = session.get_one(Mailbox, desk.mailbox_id)
            row.smtp_port, row.smtp_username = postfix.port, ""
        made = desk.send(to="mika@saimaa.test, gone@saimaa.test")
        assert made.state == "sent"
        from tests.integration.outbox.test_crash import wait_until

        wait_until(lambda: len(relay.messages) == 2)  # the mail for Mika, and the notice
    finally:
        postfix.stop()
    assert sync_mailbox(desk.mailbox_id).error is None
    link.apply_rules()
    assert desk.states(made.id) == {"mika@saimaa.test": "accepted", "gone@saimaa.test": "bounced"}
    assert outgoing.deliver_due() == 0
