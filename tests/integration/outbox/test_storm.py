"""Never lost, never twice: hundreds of messages, workers killed at random points, servers that fail at each step (B10).

Three mailboxes: one whose server files what it sends (as Gmail does), one whose server does not, one behind a Postfix.
40 messages in `make test`; MAILCRM_SENDS=500 for the whole of it. What is counted is what arrived, by Message-ID.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import col, func, select, update

from mailcrm.models import Folder, Mailbox, Message, Outbox, OutboxAttempt, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.mail.outbox.views import DraftInput
from mailcrm.services.mail.sync.engine import sync_mailbox
from tests.builders import a_mailbox, a_user
from tests.integration.outbox.storm import StormSink, Workers, message_id
from tests.servers.dovecot import DovecotServer
from tests.servers.postfix import PROGRAM as POSTFIX
from tests.servers.postfix import PostfixServer
from tests.servers.smtp_sink import SmtpSink

SENDS = int(os.environ.get("MAILCRM_SENDS", "40"))
WAIT_S = 60  # for a worker that comes no further; one that has nothing to do ends by itself
KINDS = ("google", "generic", "postfix") if POSTFIX else ("google", "generic")


@pytest.mark.slow
def test_a_storm_loses_and_doubles_nothing(db: str, dovecot: DovecotServer, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(20261122)
    began = time.monotonic()
    storm, calm = StormSink(chance), SmtpSink(auth=False)
    storm.sent_on = dovecot
    storm.start()
    calm.start()
    postfix = PostfixServer(calm.port)
    workers = Workers()
    storm.strike = workers.strike
    try:
        if POSTFIX:
            postfix.start()
        actor = a_user("Aino")
        boxes = {kind: _mailbox(actor, db, kind, storm, postfix, dovecot) for kind in KINDS}
        made = [_queued(actor, boxes[KINDS[n % len(KINDS)]], n) for n in range(SENDS)]
        rounds = by_user = 0

        def progress() -> int:
            return storm.progress() + len(calm.messages)

        while not _all_done():
            rounds += 1
            assert rounds < 20 * SENDS, _states()
            storm.calmed = rounds > 4 * SENDS
            for _ in range(chance.choice((1, 1, 2))):
                workers.start()
            far = progress() + chance.randint(1, 12)
            workers.wait(lambda far=far: progress() >= far, WAIT_S)
            time.sleep(chance.uniform(0, 0.1))  # anywhere between two answers of a server
            workers.end()
            by_user += _what_the_user_does(actor, storm, calm, wait=lambda: _drain(postfix))
            _let_time_pass()
        _drain(postfix)
        _check(made, boxes, storm, calm, dovecot)
        with capsys.disabled():
            print(
                f"\n{SENDS} messages on {db}: {rounds} rounds, {workers.started} workers, {workers.kills} killed, "
                f"{_tries()} attempts, {by_user} settled by the user, {time.monotonic() - began:.0f} s; "
                f"drawn: {dict(sorted(storm.drawn.items()))}; outcomes: {_outcomes()}"
            )
    finally:
        workers.close()
        postfix.stop()
        storm.stop()
        calm.stop()


def _mailbox(
    actor: Actor, db: str, kind: str, storm: StormSink, postfix: PostfixServer, dovecot: DovecotServer
) -> tuple[int, str]:
    user = f"storm-{db}-{kind}"
    dovecot.add_user(user)
    storm.add_user(user)
    spec = dovecot.spec(user)
    address = f"{kind}@storm.test"
    server = postfix if kind == "postfix" else storm
    mailbox_id = a_mailbox(
        actor, address, provider="generic" if kind == "postfix" else kind,
        smtp_host=server.host, smtp_port=server.port, smtp_username="" if kind == "postfix" else user,
        imap_host=spec.host, imap_port=spec.port, imap_security=spec.security, imap_username=user,
    )  # fmt: skip
    if kind == "google":
        storm.saving[address] = user
    return mailbox_id, user


def _queued(actor: Actor, box: tuple[int, str], n: int) -> int:
    made = draft.new_draft(actor, mailbox_id=box[0])
    html = f"<p>Number {n}, with some text so that a body has a middle.</p>" * 20
    draft.save(actor, made.id, DraftInput(box[0], to=f"r{n}@saimaa.test", subject=f"Number {n}", html=html))
    queue.send(actor, made.id, delay_s=0)
    return made.id


def _all_done() -> bool:
    with reading() as session:
        open_ = (col(Outbox.state) != "sent") | (col(Outbox.sent_copy) == "pending")
        return session.exec(select(Outbox.id).where(open_).limit(1)).first() is None


def _let_time_pass() -> None:
    """Leases of the dead run out, back-offs and the five minutes of searching pass."""
    past, long_ago = utcnow() - timedelta(seconds=1), utcnow() - timedelta(minutes=6)
    with transaction() as session:
        for column in (Outbox.lease_until, Outbox.next_try_at):
            session.exec(update(Outbox).where(col(column) > past).values({column: past}))  # type: ignore[call-overload]
        unknown = (col(Outbox.state) == "unknown") & (col(Outbox.tries) > 0) & (col(Outbox.handed_over_at) > long_ago)
        session.exec(update(Outbox).where(unknown).values(handed_over_at=long_ago))  # type: ignore[call-overload]


def _what_the_user_does(actor: Actor, storm: StormSink, calm: SmtpSink, *, wait: object) -> int:
    """Send again what failed; ask the recipient where mailcrm says that it does not know."""
    with reading() as session:
        failed = session.exec(select(Outbox.id).where(Outbox.state == "failed")).all()
        told = (col(Outbox.state) == "unknown") & col(Outbox.next_try_at).is_(None)
        unknown = session.exec(select(Outbox.id, Outbox.rfc_message_id).where(told)).all()
    for each in failed:
        queue.retry(actor, each or 0)
    if not unknown:
        return 0
    if callable(wait):
        wait()
    arrived = {message_id(each.raw) for each in (*storm.messages, *calm.messages)}
    for each, name in unknown:
        (queue.confirm if name in arrived else queue.retry)(actor, each or 0)
    return len(unknown)


def _drain(postfix: PostfixServer) -> None:
    """What Postfix took goes on to the recipients."""
    deadline = time.monotonic() + 60
    while POSTFIX and postfix.queued() and time.monotonic() < deadline:
        time.sleep(0.1)


def _check(
    made: list[int], boxes: dict[str, tuple[int, str]], storm: StormSink, calm: SmtpSink, dovecot: DovecotServer
) -> None:
    arrived = Counter(message_id(each.raw) for each in (*storm.messages, *calm.messages))
    with reading() as session:
        rows = session.exec(select(Outbox.mailbox_id, Outbox.rfc_message_id, Outbox.sent_copy)).all()
    assert len(rows) == len(made)
    assert arrived == Counter({row[1]: 1 for row in rows})  # all delivered, none twice
    assert {row[2] for row in rows} == {"stored"}
    for mailbox_id, user in boxes.values():
        mine = {row[1] for row in rows if row[0] == mailbox_id}
        assert Counter(_in_sent(dovecot.maildir(user, "Sent"))) == Counter(dict.fromkeys(mine, 1))
    for mailbox_id, _user in boxes.values():  # and the sync meets the copies without making second messages
        with transaction() as session:
            session.exec(update(Mailbox).where(col(Mailbox.id) == mailbox_id).values(sync_requested_at=utcnow()))  # type: ignore[call-overload]
            session.exec(update(Folder).where(col(Folder.mailbox_id) == mailbox_id).values(uidvalidity=None))  # type: ignore[call-overload]
        assert sync_mailbox(mailbox_id).error is None
    with reading() as session:
        assert session.exec(select(func.count()).select_from(Message)).one() == len(made)


def _in_sent(folder: Path) -> list[str]:
    return [message_id(file.read_bytes()) for part in ("cur", "new") for file in (folder / part).iterdir()]


def _states() -> dict[str, int]:
    with reading() as session:
        return {row[0]: row[1] for row in session.exec(select(Outbox.state, func.count()).group_by(Outbox.state))}


def _tries() -> int:
    with reading() as session:
        return int(session.exec(select(func.count()).select_from(OutboxAttempt)).one())


def _outcomes() -> dict[str, int]:
    with reading() as session:
        found = session.exec(select(OutboxAttempt.outcome, func.count()).group_by(OutboxAttempt.outcome))
        return {row[0]: row[1] for row in found}
