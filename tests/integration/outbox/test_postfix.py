"""Sending through a real Postfix: its queue, its access tables, its size limit, its SMTPUTF8 (B10)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailcrm.models import Mailbox
from mailcrm.services.db import transaction
from mailcrm.services.mail.outbox import attempts, draft, queue
from tests.integration.outbox.conftest import Desk
from tests.integration.outbox.test_crash import wait_until
from tests.servers.fixtures import needs
from tests.servers.postfix import PostfixServer
from tests.servers.smtp_sink import SmtpSink


@pytest.fixture(scope="module")
def relay() -> Iterator[tuple[PostfixServer, SmtpSink]]:
    needs("postfix")
    sink = SmtpSink(auth=False)
    sink.start()
    server = PostfixServer(sink.port, size_limit=200_000)
    try:
        server.start()
        yield server, sink
    finally:
        server.stop()
        sink.stop()


@pytest.fixture
def posted(desk: Desk, relay: tuple[PostfixServer, SmtpSink]) -> tuple[Desk, PostfixServer, SmtpSink]:
    """A desk that sends through Postfix; what Postfix delivers is in the sink."""
    server, sink = relay
    server.refuse()
    sink.calm()
    with transaction() as session:
        row = session.get_one(Mailbox, desk.mailbox_id)
        row.smtp_host, row.smtp_port, row.smtp_username = server.host, server.port, ""
        session.add(row)
    return desk, server, sink


Posted = tuple[Desk, PostfixServer, SmtpSink]


def test_it_arrives_once_as_it_was_built(posted: Posted) -> None:
    desk, _server, sink = posted
    made = desk.send(to="mika@saimaa.test", bcc="secret@x.test", subject="見積書", html="<p>.</p><p>日本語 🎉</p>")
    assert made.state == "sent"
    wait_until(lambda: sum(len(each.rcpt_to) for each in sink.messages) == 2)
    assert all(b"secret@x.test" not in each.raw for each in sink.messages)
    (view,) = attempts.list_attempts(desk.actor, made.id)
    assert (view.step, view.reply_code) == ("done", 250)
    assert "queued as" in view.reply


@pytest.mark.parametrize(
    ("answer", "state", "code"),
    [
        ("550 5.7.1 not this one", "failed", "smtp.recipients_refused"),
        ("450 4.7.1 greylisted", "queued", "smtp.recipients_deferred"),
    ],
)
def test_a_recipient_that_the_access_table_refuses(posted: Posted, answer: str, state: str, code: str) -> None:
    desk, server, sink = posted
    server.refuse(recipients={"mika@saimaa.test": answer})
    made = desk.send()
    assert (made.state, made.error_code) == (state, code)
    assert answer.split(" ", 2)[2] in made.error
    server.refuse()
    if state == "failed":
        queue.retry(desk.actor, made.id)
    assert desk.work_later(made.id).state == "sent"
    wait_until(lambda: len(sink.messages) == 1)


def test_one_of_two_is_refused(posted: Posted) -> None:
    desk, server, sink = posted
    server.refuse(recipients={"bo@x.test": "550 5.1.1 unknown"})
    made = desk.send(to="mika@saimaa.test, bo@x.test")
    assert (made.state, made.error_code) == ("sent", "outbox.some_refused")
    assert desk.states(made.id) == {"mika@saimaa.test": "accepted", "bo@x.test": "refused"}
    wait_until(lambda: len(sink.messages) == 1)


def test_a_sender_that_the_access_table_refuses(posted: Posted) -> None:
    """The draft is there again with the reason, and goes out once the server is content."""
    desk, server, sink = posted
    server.refuse(senders={desk.address: "550 5.7.1 you are not you"})
    made = desk.send()
    assert (made.state, made.error_code) == ("failed", "smtp.sender_refused")
    assert desk.address in made.error
    server.refuse()
    queue.retry(desk.actor, made.id)
    assert desk.work_later(made.id).state == "sent"
    wait_until(lambda: len(sink.messages) == 1)


def test_too_large_for_the_server(posted: Posted) -> None:
    """SIZE is said at MAIL, so nothing is sent in vain; the draft and its file are there."""
    desk, _server, sink = posted
    made = desk.draft()
    draft.attach(desk.actor, made.id, "big.bin", "application/octet-stream", b"x" * 300_000)
    view = desk.send(made)
    assert view.state == "failed"
    (attempt,) = attempts.list_attempts(desk.actor, made.id)
    assert (attempt.step, attempt.reply_code) == ("mail", 552)
    assert [file.filename for file in view.attachments] == ["big.bin"]
    assert sink.messages == []


def test_smtputf8_only_where_it_is_needed(posted: Posted) -> None:
    desk, server, sink = posted
    desk.send(to="mika@bücher.test")
    wait_until(lambda: len(sink.messages) == 1)
    assert sink.messages[0].rcpt_to == ("mika@xn--bcher-kva.test",)
    assert "SMTPUTF8" not in sink.messages[0].options
    assert "SMTPUTF8" not in server.log()
