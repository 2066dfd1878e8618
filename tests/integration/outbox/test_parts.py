"""A message that leaves in several SMTP transactions: never twice, never lost, whatever happens between them (B04, B10).

Mika refused tracking, the others get copies of their own: three recipients, three parts with the same headers.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from sqlmodel import col, select, update

from mailcrm.errors import UserError
from mailcrm.models import Outbox, OutboxRecipient, TrackedMessage, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.crm import people
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.outbox import draft, finish, outcome, queue
from mailcrm.services.mail.outbox.views import DraftInput
from tests.builders import a_mailbox, a_person, a_user
from tests.integration.outbox.conftest import Desk
from tests.integration.outbox.storm import StormSink, Workers, message_id
from tests.integration.outbox.test_crash import kill, start_worker, wait_until
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink

MIKA, BO, EVA = "mika@saimaa.test", "bo@x.test", "eva@x.test"
ALL = f"{MIKA}, {BO}, {EVA}"
SENDS = int(os.environ.get("MAILCRM_SENDS", "40")) // 4


class PartSink(SmtpSink):
    """Fails by whom a transaction is for: `plan` maps an address to "554 …" after the dot, "lost" or "hang".

    `signed_in` counts; `one_each` is how a server ends a connection that it has taken one message over: "421 …" or "drop".
    """

    def __init__(self) -> None:
        super().__init__()
        self.plan: dict[str, str] = {}
        self.signed_in = 0
        self.one_each = ""
        self._used: set[int] = set()

    def _authenticate(self, *args: Any) -> AuthResult:
        self.signed_in += 1
        return super()._authenticate(*args)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.one_each and id(session) in self._used:
            if self.one_each == "drop":
                server.transport.abort()  # type: ignore[union-attr]
            return self.one_each
        return await super().handle_MAIL(server, session, envelope, address, options)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        plan = next((self.plan[each] for each in envelope.rcpt_tos if each in self.plan), "")
        if plan[:1].isdigit():
            return plan
        answer = await super().handle_DATA(server, session, envelope)
        self._used.add(id(session))
        if plan == "lost":
            server.transport.abort()  # type: ignore[union-attr]
        if plan == "hang":
            await asyncio.sleep(60)
        return answer

    def got(self) -> list[str]:
        """To whom something was delivered, in order, each as often as it was."""
        return [address for each in self.messages for address in each.rcpt_to]


@pytest.fixture
def parts(desk: Desk) -> Iterator[PartSink]:
    """The desk sends through this sink, and Mika refused tracking."""
    from tests.integration.outbox.test_crash import set_port

    sink = PartSink()
    sink.start()
    sink.add_user("aino")
    desk.sink = sink
    set_port(desk, sink.port)
    mika = a_person(desk.actor, "Mika", MIKA)
    people.set_consent(desk.actor, mika.card.id, "refused", "phone")
    yield sink
    sink.stop()


def a_draft(desk: Desk) -> int:
    made = desk.draft(to=ALL, track_opens=True, track_clicks=True, html='<p><a href="https://x.test/">a</a></p>')
    with transaction() as session:
        session.exec(update(Outbox).where(col(Outbox.id) == made.id).values(track_copies=True))  # type: ignore[call-overload]
    return made.id


def sent(desk: Desk) -> int:
    made = a_draft(desk)
    queue.send(desk.actor, made, delay_s=0)
    desk.work()
    return made


def marks(outbox_id: int) -> set[str]:
    with reading() as session:
        found = select(OutboxRecipient.address).where(
            OutboxRecipient.outbox_id == outbox_id, col(OutboxRecipient.handed_over_at).is_not(None)
        )
        return set(session.exec(found))


def test_each_gets_one_copy_and_the_rows_say_which(desk: Desk, parts: PartSink) -> None:
    made = sent(desk)
    assert parts.got() == [MIKA, BO, EVA]
    assert len({each.raw for each in parts.messages}) == 3
    assert len({message_id(each.raw) for each in parts.messages}) == 1
    assert parts.signed_in == 1  # one connection for all copies
    assert set(desk.states(made).values()) == {"accepted"}
    assert (desk.look(made).state, marks(made), desk.row(made).handed_over_at) == ("sent", set(), None)
    with reading() as session:
        found = session.exec(select(OutboxRecipient.address, OutboxRecipient.tracking)).all()
    assert dict(found) == {MIKA: "refused", BO: "copy", EVA: "copy"}


@pytest.mark.parametrize("ends", ["421 4.7.0 too many messages over this connection", "drop"])
def test_a_server_that_takes_one_message_a_connection_gets_a_connection_each(
    desk: Desk, parts: PartSink, ends: str
) -> None:
    """No back-off of a minute for what a new connection mends; nobody gets two."""
    parts.one_each = ends
    made = sent(desk)
    assert parts.got() == [MIKA, BO, EVA]
    assert parts.signed_in == 3
    assert (desk.look(made).state, desk.look(made).error_code) == ("sent", "")


def test_a_refusal_does_not_end_the_connection(desk: Desk, parts: PartSink) -> None:
    parts.plan = {MIKA: "554 5.7.1 not this text"}
    parts.faults.reject_rcpt = {BO: "550 5.1.1 no such user"}
    made = sent(desk)
    assert (parts.got(), parts.signed_in) == ([EVA], 1)
    assert desk.states(made) == {MIKA: "refused", BO: "refused", EVA: "accepted"}


@pytest.mark.parametrize("who", [MIKA, BO, EVA])
def test_one_refused_leaves_the_others_their_copies(desk: Desk, parts: PartSink, who: str) -> None:
    """A8.4 with parts: a RCPT refused for good is named, and nobody is sent to again."""
    parts.faults.reject_rcpt = {who: "550 5.1.1 no such user"}
    made = sent(desk)
    assert Counter(parts.got()) == Counter({MIKA, BO, EVA} - {who})
    assert desk.states(made)[who] == "refused"
    assert (desk.look(made).state, desk.look(made).error_code) == ("sent", "outbox.some_refused")
    assert desk.work() == 0


def test_one_deferred_gets_the_same_bytes_later(desk: Desk, parts: PartSink) -> None:
    """T09, B10: the decision and the tokens stand, whatever the switches of the policy do meanwhile."""
    parts.faults.reject_rcpt = {BO: "451 4.7.1 greylisted"}
    made = sent(desk)
    assert (parts.got(), desk.look(made).state) == ([MIKA, EVA], "queued")
    parts.calm()
    assert desk.work_later(made).state == "sent"
    assert parts.got() == [BO]
    assert b"/t/o/" in parts.messages[0].raw.replace(b"=\r\n", b"")


def test_a_refusal_before_the_second_try_is_kept(desk: Desk, parts: PartSink) -> None:
    """T09: nothing of it left for Bo yet."""
    parts.faults.reject_rcpt = {BO: "451 4.7.1 greylisted"}
    made = sent(desk)
    parts.calm()
    people.set_consent(desk.actor, a_person(desk.actor, "Bo", BO).card.id, "refused", "mail")
    desk.work_later(made)
    assert parts.got() == [BO]
    assert b"/t/" not in parts.messages[0].raw.replace(b"=\r\n", b"")


def a_shared(desk: Desk) -> int:
    """One tracked email to Bo and Eva together."""
    made = desk.draft(to=f"{BO}, {EVA}", track_opens=True)
    queue.send(desk.actor, made.id, delay_s=0)
    desk.work()
    return made.id


def tracked() -> list[TrackedMessage]:
    with reading() as session:
        return list(session.exec(select(TrackedMessage).where(col(TrackedMessage.message_id).is_not(None))))


def test_what_several_share_was_sent_when_the_first_had_it(desk: Desk, parts: PartSink) -> None:
    """B03: what Eva opened while Bo's server was busy was no fetch before delivery."""
    parts.faults.reject_rcpt = {BO: "451 4.7.1 greylisted"}
    made = a_shared(desk)
    (before,) = tracked()
    parts.calm()
    assert desk.work_later(made).state == "sent"
    (after,) = tracked()
    assert (parts.got(), after.id, after.sent_at) == ([BO], before.id, before.sent_at)


def test_a_copy_nobody_got_is_none_of_the_message(desk: Desk, parts: PartSink) -> None:
    """T09: Eva refused before it left, so Bo's is the only one, and the report counts one email."""
    parts.faults.reject_rcpt = {BO: "451 4.7.1 greylisted", EVA: "451 4.7.1 greylisted"}
    made = a_shared(desk)
    parts.calm()
    people.set_consent(desk.actor, a_person(desk.actor, "Eva", EVA).card.id, "refused", "mail")
    assert desk.work_later(made).state == "sent"
    assert sorted(parts.got()) == [BO, EVA]
    assert [(each.recipient, each.recipients) for each in tracked()] == [(BO, 1)]


def test_a_search_does_not_settle_what_the_user_just_told_apart(desk: Desk, parts: PartSink) -> None:
    """B10: the copy in Sent is of those whom the user confirmed while it was looked for; Bo stays in doubt."""
    parts.plan = {MIKA: "lost"}
    made = sent(desk)
    with transaction() as session:
        for address, values in ((BO, {"handed_over_at": utcnow()}), (EVA, {"state": "accepted"})):
            session.exec(update(OutboxRecipient).where(col(OutboxRecipient.address) == address).values(**values))  # type: ignore[call-overload]
        session.exec(update(Outbox).where(col(Outbox.id) == made).values(lease_owner="searcher"))  # type: ignore[call-overload]
    kept = finish.load(desk.row(made).sent_blob_sha or "")
    queue.confirm(desk.actor, made, [MIKA])
    assert outcome.settled(made, "searcher", kept, searchable=True)
    assert (desk.states(made)[BO], marks(made)) == ("waiting", {BO})


@pytest.mark.parametrize("who", [MIKA, BO, EVA])
def test_a_text_refused_after_the_dot_is_that_parts_alone(desk: Desk, parts: PartSink, who: str) -> None:
    """A filter that dislikes a pixel does not keep the others' mail."""
    parts.plan = {who: "554 5.7.1 looks like spam"}
    made = sent(desk)
    assert Counter(parts.got()) == Counter({MIKA, BO, EVA} - {who})
    assert (desk.states(made)[who], desk.look(made).state) == ("refused", "sent")


def test_refused_by_all_fails_and_can_be_put_right(desk: Desk, parts: PartSink) -> None:
    parts.plan = dict.fromkeys((MIKA, BO, EVA), "554 5.7.1 looks like spam")
    made = sent(desk)
    assert (desk.look(made).state, desk.look(made).error_code) == ("failed", "smtp.refused")
    assert set(desk.states(made).values()) == {"waiting"}
    parts.plan = {}
    queue.retry(desk.actor, made)
    desk.work()
    assert (desk.look(made).state, parts.got()) == ("sent", [MIKA, BO, EVA])


@pytest.mark.parametrize("who", [MIKA, BO, EVA])
@pytest.mark.parametrize("how", ["lost", "killed"])
def test_doubt_about_one_part_neither_doubles_nor_loses(desk: Desk, parts: PartSink, who: str, how: str) -> None:
    """Threat 26: the server has a part and its answer never comes; the others get theirs, the user says of this one."""
    parts.plan = {who: "lost" if how == "lost" else "hang"}
    made = a_draft(desk)
    queue.send(desk.actor, made, delay_s=0)
    if how == "lost":
        desk.work()
    else:
        worker = start_worker()
        wait_until(lambda: who in parts.got())
        kill(worker)
    parts.plan = {}
    assert marks(made) == {who}
    for _ in range(4):  # the lease runs out, the search ends, the others' turn
        desk.work_later(made)
        with transaction() as session:
            session.exec(  # type: ignore[call-overload]
                update(Outbox)
                .where(col(Outbox.state) == "unknown")
                .values(handed_over_at=utcnow() - timedelta(hours=1))
            )
    assert Counter(parts.got()) == Counter([MIKA, BO, EVA])
    view = desk.look(made)
    assert (view.state, view.next_try_at, marks(made)) == ("unknown", None, {who})
    with pytest.raises(UserError):
        queue.undo(desk.actor, made)
    assert queue.confirm(desk.actor, made).state == "sent"
    assert desk.work_later(made).state == "sent"
    assert Counter(parts.got()) == Counter([MIKA, BO, EVA])
    assert set(desk.states(made).values()) == {"accepted"}


def test_retry_of_doubt_sends_to_that_one_alone(desk: Desk, parts: PartSink) -> None:
    parts.plan = {BO: "lost"}
    made = sent(desk)
    parts.plan = {}
    desk.work_later(made)
    desk.work_later(made)
    assert desk.look(made).state == "unknown"
    first = parts.messages[1].raw
    queue.retry(desk.actor, made)
    assert desk.work_later(made).state == "sent"
    assert Counter(parts.got()) == Counter([MIKA, BO, EVA, BO])
    assert parts.messages[-1].raw == first  # its server may tell that it is the same


@pytest.mark.slow
def test_a_storm_over_parts_loses_and_doubles_nothing(
    db: str, dovecot: DovecotServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Threat 26 with copies: workers killed at every step of every part; each recipient has each message once."""
    storm, workers = StormSink(random.Random(20261123)), Workers()
    storm.start()
    storm.strike = workers.strike
    try:
        actor = a_user("Aino")
        people.set_consent(actor, a_person(actor, "Mika", MIKA).card.id, "refused", "phone")
        box = _storm_box(actor, db, dovecot, storm)
        made = [_storm_draft(actor, box, n) for n in range(SENDS)]
        rounds = settled = 0
        while not _all_sent():
            rounds += 1
            assert rounds < 60 * SENDS
            storm.calmed = rounds > 10 * SENDS
            workers.start()
            far = storm.progress() + storm.chance.randint(1, 4)  # how far it comes, not how long it has
            workers.wait(lambda far=far: storm.progress() >= far, 60)
            workers.end()
            settled += _ask(actor, storm)
            _age()
        arrived = Counter((message_id(each.raw), address) for each in storm.messages for address in each.rcpt_to)
        with reading() as session:
            names = session.exec(select(Outbox.rfc_message_id)).all()
        assert len(names) == len(made)
        assert arrived == Counter({(name, address): 1 for name in names for address in (MIKA, BO, EVA, "cc@x.test")})
        with capsys.disabled():
            print(f"\n{SENDS} messages in 4 parts on {db}: {rounds} rounds, {workers.kills} killed, {settled} asked")
    finally:
        workers.close()
        storm.stop()


def _storm_box(actor: Actor, db: str, dovecot: DovecotServer, storm: StormSink) -> int:
    user = f"parts-{db}"
    dovecot.add_user(user)
    storm.add_user(user)
    spec = dovecot.spec(user)
    return a_mailbox(
        actor, f"{user}@storm.test", provider="generic", smtp_host=storm.host, smtp_port=storm.port,
        smtp_username=user, imap_host=spec.host, imap_port=spec.port, imap_security=spec.security, imap_username=user,
    )  # fmt: skip


def _storm_draft(actor: Actor, box: int, n: int) -> int:
    made = draft.new_draft(actor, mailbox_id=box)
    html = f'<p>Number {n} <a href="https://x.test/{n}">a</a>.</p>' * 5
    entered = DraftInput(box, to=ALL, cc="cc@x.test", subject=f"Number {n}", html=html, track_opens=True)
    draft.save(actor, made.id, entered)
    with transaction() as session:
        session.exec(update(Outbox).where(col(Outbox.id) == made.id).values(track_copies=True))  # type: ignore[call-overload]
    queue.send(actor, made.id, delay_s=0)
    return made.id


def _all_sent() -> bool:
    with reading() as session:
        # What the user confirmed last may have others who were refused: they are sent to again.
        refused = select(OutboxRecipient.outbox_id).where(OutboxRecipient.state == "refused")
        left = (col(Outbox.state) != "sent") | col(Outbox.id).in_(refused)
        return session.exec(select(Outbox.id).where(left).limit(1)).first() is None


def _ask(actor: Actor, storm: StormSink) -> int:
    """The user asks each recipient in doubt whether it arrived, and sends to the others again."""
    with reading() as session:
        refused = select(OutboxRecipient.outbox_id).where(OutboxRecipient.state == "refused")
        failed = session.exec(select(Outbox.id).where(Outbox.state == "failed")).all()
        some = session.exec(select(Outbox.id).where(Outbox.state == "sent", col(Outbox.id).in_(refused))).all()
        told = (col(Outbox.state) == "unknown") & col(Outbox.next_try_at).is_(None)
        unknown = session.exec(select(Outbox.id, Outbox.rfc_message_id).where(told)).all()
    with transaction() as session:  # a 5xx is final; here the user sends it once more
        session.exec(update(Outbox).where(col(Outbox.id).in_(some)).values(state="failed"))  # type: ignore[call-overload]
    for each in (*failed, *some):
        queue.retry(actor, each or 0)
    arrived = {(message_id(each.raw), address) for each in storm.messages for address in each.rcpt_to}
    for each, name in unknown:
        there = [address for address in marks(each or 0) if (name, address) in arrived]
        if there and queue.confirm(actor, each or 0, there).state in ("sent", "queued"):
            continue
        queue.retry(actor, each or 0)
    return len(unknown)


def _age() -> None:
    past = utcnow() - timedelta(seconds=1)
    with transaction() as session:
        for column in (Outbox.lease_until, Outbox.next_try_at):
            session.exec(update(Outbox).where(col(column).is_not(None)).values({column: past}))  # type: ignore[call-overload]
        session.exec(  # type: ignore[call-overload]
            update(Outbox)
            .where(col(Outbox.state) == "unknown")
            .values(handed_over_at=utcnow() - timedelta(minutes=6), tries=1)
        )
