"""A forgotten password: the same answer for everybody, a link that works once and ends all sessions (ASVS 6.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from sqlmodel import select

from mailcrm import config
from mailcrm.errors import CodeNeeded, NotFound, UserError
from mailcrm.models import AccountLetter, AccountTicket, AuditEntry, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.auth import account_letters, password_change, reset, second, sessions, users
from mailcrm.services.db import reading, transaction
from tests.integration.auth.test_second import Phone
from tests.servers.smtp_sink import SmtpSink

PASSWORD = "correct horse battery"
FRESH = "a different phrase altogether"


@pytest.fixture(scope="module")
def server() -> Iterator[SmtpSink]:
    sink = SmtpSink(auth=False)
    sink.start()
    yield sink
    sink.stop()


@pytest.fixture
def sink(server: SmtpSink, sqlite_db: object, monkeypatch: pytest.MonkeyPatch) -> SmtpSink:
    """A mail server for the workspace's own letters."""
    for name, value in (("HOST", "127.0.0.1"), ("PORT", server.port), ("SECURITY", "none"), ("FROM", "crm@home.test")):
        monkeypatch.setenv(f"MAILCRM_SMTP_{name}", str(value))
    config.reset()
    server.messages.clear()
    server.calm()
    return server


@pytest.fixture
def ann(sink: SmtpSink) -> Actor:
    return users.set_up(name="Ann", email="ann@x.example", password=PASSWORD)[0]


def letters(sink: SmtpSink) -> list[tuple[str, str, str]]:
    """What was sent: recipient, subject, text."""
    account_letters.send_due()
    parsed = [message_from_bytes(each.raw, policy=policy.default) for each in sink.messages]
    return [(str(each["To"]), str(each["Subject"]), each.get_content()) for each in parsed]


def link_in(text: str) -> str:
    return re.findall(r"/reset/([\w-]{40,})", text)[0]


def test_the_way_through(ann: Actor, sink: SmtpSink) -> None:
    """Asked, mailed, used once; every session ends, and a second letter says so."""
    session = sessions.sign_in("ann@x.example", PASSWORD)
    reset.ask(" Ann@X.example ")
    ((to, subject, text),) = letters(sink)
    assert (to, subject) == ("ann@x.example", "Set a new password")
    secret = link_in(text)
    with reading() as found:
        kept = found.exec(select(AccountTicket)).one()
    assert secret not in repr(kept)
    assert kept.expires_at - kept.created_at < timedelta(hours=1, seconds=1)
    assert reset.offer(secret) == "ann@x.example"
    assert reset.use(secret, FRESH) == "ann@x.example"
    assert sessions.actor_of_secret(session) is None
    assert sessions.sign_in("ann@x.example", FRESH)
    for again in (lambda: reset.offer(secret), lambda: reset.use(secret, PASSWORD)):
        with pytest.raises(UserError, match="used or has expired"):
            again()
    assert letters(sink)[-1][1] == "Your password was changed"
    assert len(sink.messages) == 2


def test_unknown_addresses_get_the_same_answer_after_the_same_work(ann: Actor, sink: SmtpSink) -> None:
    """ASVS 6.3.8: what is asked of the database differs in nothing, and no letter goes to strangers."""
    from sqlalchemy import event

    from mailcrm.services import db

    def work(address: str) -> list[str]:
        said: list[str] = []

        def heard(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
            said.append(statement)

        event.listen(db.engine(), "before_cursor_execute", heard)
        try:
            assert reset.ask(address, network="203.0.113.7") is None
        finally:
            event.remove(db.engine(), "before_cursor_execute", heard)
        return said

    users.disable(None, users.create(name="Cat", email="cat@x.example", password=PASSWORD).id)
    known, unknown, disabled = (work(f"{name}@x.example") for name in ("ann", "bob", "cat"))
    assert known == unknown == disabled
    assert len(known) >= 3
    assert [to for to, _subject, _text in letters(sink)] == ["ann@x.example"]
    with reading() as session:
        assert session.exec(select(AccountLetter)).all() == []


def test_a_new_link_ends_the_earlier_and_an_hour_ends_all(ann: Actor, sink: SmtpSink) -> None:
    for _ in range(2):
        reset.ask("ann@x.example")
        letters(sink)
    first, last = (link_in(text) for _to, _subject, text in letters(sink))
    with pytest.raises(UserError, match="used or has expired"):
        reset.use(first, FRESH)
    with transaction() as session:
        row = session.exec(select(AccountTicket)).one()
        row.expires_at = utcnow() - timedelta(seconds=1)
        session.add(row)
    with pytest.raises(UserError, match="used or has expired"):
        reset.use(last, FRESH)
    assert sessions.sign_in("ann@x.example", PASSWORD)


def test_asking_is_throttled_for_address_and_network(ann: Actor, sink: SmtpSink) -> None:
    """The same for addresses of nobody, or the limit would tell who has an account."""
    for name in ("ann", "nobody"):
        for _ in range(reset.ASKS):
            reset.ask(f"{name}@x.example")
        with pytest.raises(UserError, match="Too many"):
            reset.ask(f"{name}@x.example", network="198.51.100.1")
    for number in range(reset.ASKS_BY_NETWORK):
        reset.ask(f"n{number}@x.example", network="203.0.113.7")
    with pytest.raises(UserError, match="Too many"):
        reset.ask("other@x.example", network="203.0.113.7")
    assert sessions.sign_in("ann@x.example", PASSWORD, network="203.0.113.7")  # a count of its own


@pytest.mark.parametrize("address", ["", "nobody", "a@b\r\nBcc: e@e.example", "a@b,c@d", "x" * 300 + "@y.example"])
def test_what_is_no_address_is_refused(ann: Actor, address: str) -> None:
    with pytest.raises(UserError, match="isn’t an email address"):
        reset.ask(address)


@pytest.mark.parametrize("secret", ["", "x", "\x00", "é", "../../login", "a" * 5000])
def test_guessed_links_open_nothing(ann: Actor, secret: str) -> None:
    with pytest.raises(UserError, match="used or has expired"):
        reset.use(secret, FRESH)


def test_a_weak_password_does_not_use_the_link_up(ann: Actor) -> None:
    secret = reset.make_link(ann.user_id).rpartition("/")[2]
    with pytest.raises(UserError, match="too short"):
        reset.use(secret, "short")
    assert reset.use(secret, FRESH)


def test_a_link_is_not_a_second_factor_and_not_a_session(ann: Actor) -> None:
    """The mailbox alone must not be enough where two steps were asked for; nor does either ticket stand for the other."""
    phone = Phone(second.begin(ann, PASSWORD))
    second.confirm(ann, phone.code())
    with pytest.raises(CodeNeeded) as before:
        sessions.sign_in("ann@x.example", PASSWORD)
    secret = reset.make_link(ann.user_id).rpartition("/")[2]
    with pytest.raises(UserError, match="too long"):
        sessions.finish(secret, phone.code(1))
    with pytest.raises(UserError, match="used or has expired"):
        reset.use(before.value.ticket, FRESH)
    reset.use(secret, FRESH)
    with pytest.raises(CodeNeeded):
        sessions.sign_in("ann@x.example", FRESH)
    with pytest.raises(UserError, match="too long"):
        sessions.finish(before.value.ticket, phone.code(1))  # the old password's sign-in ended too


def test_a_link_of_the_server_is_told_to_its_user(ann: Actor, sink: SmtpSink) -> None:
    ben = users.by_email(users.create(name="Ben", email="ben@x.example", password=PASSWORD).email)
    for absent in (0, -1, 10**12):
        with pytest.raises(NotFound):
            reset.make_link(absent)
    secret = reset.make_link(ben.user_id).rpartition("/")[2]
    assert [(to, subject) for to, subject, _text in letters(sink)] == [
        ("ben@x.example", "A link to your account was made on the server")
    ]
    assert secret not in "".join(text for _to, _subject, text in letters(sink))
    reset.use(secret, FRESH)
    assert {(None, "make_reset_link"), (None, "reset_password")} <= audited(ben)
    users.disable(ann, ben.user_id)
    with pytest.raises(NotFound):
        reset.make_link(ben.user_id)


def test_administrators_have_a_link_sent_and_never_see_it(ann: Actor, sink: SmtpSink) -> None:
    """M25: a link signs in as its user, so it goes to their address, and nothing of it comes back."""
    ben = users.by_email(users.create(name="Ben", email="ben@x.example", password=PASSWORD).email)
    with pytest.raises(UserError, match="administrator"):
        reset.send_link(ben, ann.user_id)
    for absent in (0, -1, 10**12):
        with pytest.raises(NotFound):
            reset.send_link(ann, absent)
    assert letters(sink) == []
    assert reset.send_link(ann, ben.user_id) == "ben@x.example"
    ((to, _subject, text),) = letters(sink)
    assert to == "ben@x.example"
    assert reset.offer(link_in(text)) == "ben@x.example"
    assert (ann.user_id, "ask_reset_link") in audited(ben)
    users.disable(ann, ben.user_id)
    with pytest.raises(NotFound):
        reset.send_link(ann, ben.user_id)


def audited(user: Actor) -> set[tuple[int | None, str]]:
    with reading() as session:
        kept = session.exec(select(AuditEntry.actor_id, AuditEntry.verb).where(AuditEntry.object_id == user.user_id))
        return set(kept.all())


def test_a_server_that_is_down_gets_the_letter_later(ann: Actor, sink: SmtpSink) -> None:
    sink.faults.on_data = "451 4.3.0 later"
    reset.ask("ann@x.example")
    assert letters(sink) == []
    with transaction() as session:
        row = session.exec(select(AccountLetter)).one()
        assert row.next_try_at is not None
        row.next_try_at = utcnow()
        session.add(row)
    sink.calm()
    ((_to, _subject, text),) = letters(sink)
    assert reset.offer(link_in(text)) == "ann@x.example"


def test_without_letters_the_server_makes_the_link(sqlite_db: object) -> None:
    ann = users.set_up(name="Ann", email="ann@x.example", password=PASSWORD)[0]
    assert not reset.can_mail()
    with pytest.raises(UserError, match="Whoever runs it"):
        reset.ask("ann@x.example")
    password_change.change(ann, PASSWORD, FRESH, cookie="")
    with reading() as session:
        assert session.exec(select(AccountLetter)).all() == []
    with pytest.raises(UserError, match="Whoever runs it"):
        reset.send_link(ann, ann.user_id)
    assert reset.use(reset.make_link(ann.user_id).rpartition("/")[2], PASSWORD)
