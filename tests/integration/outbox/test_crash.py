"""Exactly once: processes killed around DATA, two at a time, and deliveries that nobody knows the end of (threat 26)."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from mailcrm.models import Mailbox, Outbox, utcnow
from mailcrm.services import notifications
from mailcrm.services.db import transaction
from mailcrm.services.mail import blobs
from mailcrm.services.mail.outbox import lease, queue
from mailcrm.services.mail.outbox.lease import LeaseLost
from tests.integration.outbox.conftest import Desk

WORKER = "from mailcrm.services.tracking import outgoing; print('up', flush=True); outgoing.deliver_due()"


def start_worker() -> subprocess.Popen[bytes]:
    """A worker process of its own, on this test's database; returns when it begins."""
    process = subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, env=dict(os.environ))
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def age(outbox_id: int, by: timedelta) -> None:
    """Let time pass for a message that was handed over."""
    with transaction() as session:
        row = session.get_one(Outbox, outbox_id)
        assert row.handed_over_at is not None
        row.handed_over_at -= by
        session.add(row)


def test_killed_before_the_dot_is_sent_once(desk: Desk) -> None:
    """The worker dies while the server has not even greeted: nothing was handed over, so it is safe to send."""
    silent = socket.create_server(("127.0.0.1", 0))
    port = desk.sink.port
    try:
        set_port(desk, silent.getsockname()[1])
        made = desk.draft()
        queue.send(desk.actor, made.id, delay_s=0)
        worker = start_worker()
        connection, _ = silent.accept()
        kill(worker)
        connection.close()
    finally:
        silent.close()
    set_port(desk, port)
    assert desk.look(made.id).state == "sending"
    assert desk.work() == 0
    assert desk.work_later(made.id).state == "sent"
    assert len(desk.sink.messages) == 1


def test_killed_after_the_dot_is_never_sent_again_and_settled_by_sent(full_desk: Desk) -> None:
    """The documented window: unknown, then found by its Message-ID in Sent."""
    desk = full_desk
    made, copy = killed_after_the_dot(desk)
    assert desk.work_later(made)
    assert desk.look(made).state == "unknown"
    assert desk.work_later(made).state == "unknown"  # not in Sent (yet)
    assert desk.dovecot is not None
    desk.dovecot.deliver(desk.user, copy, "Sent")
    view = desk.work_later(made)
    assert view.state == "sent"
    assert view.message_id is not None
    assert desk.states(made) == {"mika@saimaa.test": "accepted"}
    assert desk.copy(made) == "stored"
    assert len(desk.sink.messages) == 1
    assert len(list((desk.dovecot.maildir(desk.user, "Sent") / "cur").iterdir())) == 1


def test_unknown_that_is_not_in_sent_asks_the_user(full_desk: Desk) -> None:
    desk = full_desk
    made, _ = killed_after_the_dot(desk)
    desk.work_later(made)
    age(made, timedelta(minutes=6))
    view = desk.work_later(made)
    assert (view.state, view.error_code, view.next_try_at) == ("unknown", "smtp.unknown", None)
    (note,) = notifications.list_notifications(desk.actor)
    assert note.kind == "send_failed"
    assert note.params["code"] == "smtp.unknown"
    assert len(desk.sink.messages) == 1
    assert desk.work() == 0
    desk.sink.calm()
    queue.retry(desk.actor, made)  # the user looked and decides
    assert desk.work_later(made).state == "sent"
    assert len(desk.sink.messages) == 1


def killed_after_the_dot(desk: Desk) -> tuple[int, bytes]:
    desk.sink.faults.hang = "after_dot"
    made = desk.draft()
    queue.send(desk.actor, made.id, delay_s=0)
    worker = start_worker()
    wait_until(lambda: len(desk.sink.messages) == 1)
    kill(worker)
    row = desk.row(made.id)
    assert (row.state, row.handed_over_at is not None) == ("sending", True)
    return made.id, blobs.get(row.sent_blob_sha or "")


def test_the_copy_of_those_who_have_it_does_not_settle_the_others(desk: Desk) -> None:
    """B10: one took it, one was deferred, and the second hand-over broke: the user decides, nobody is left out."""
    desk.sink.faults.reject_rcpt = {"bo@x.test": "451 4.7.1 greylisted"}
    made = desk.send(to="mika@saimaa.test, bo@x.test")
    desk.sink.calm()
    desk.sink.faults.drop = "after_dot"
    assert desk.work_later(made.id).state == "unknown"
    assert desk.work_later(made.id).state == "unknown"
    assert desk.states(made.id) == {"mika@saimaa.test": "accepted", "bo@x.test": "waiting"}
    desk.sink.calm()
    queue.retry(desk.actor, made.id)
    assert desk.work_later(made.id).state == "sent"
    assert [each.rcpt_to for each in desk.sink.messages] == [("bo@x.test",)]


def test_connection_lost_after_the_dot_is_unknown(full_desk: Desk) -> None:
    full_desk.sink.faults.drop = "after_dot"
    made = full_desk.send()
    assert made.state == "unknown"
    assert full_desk.work_later(made.id).state == "unknown"
    assert len(full_desk.sink.messages) == 1


def test_two_workers_send_once(desk: Desk) -> None:
    made = [desk.draft(subject=f"s{n}") for n in range(4)]
    for each in made:
        queue.send(desk.actor, each.id, delay_s=0)
    workers = [threading.Thread(target=desk.work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [desk.look(each.id).state for each in made] == ["sent"] * 4
    assert Counter(parsed["Message-ID"] for parsed in desk.received()).most_common(1)[0][1] == 1
    assert len(desk.sink.messages) == 4


def test_only_the_holder_may_hand_over(desk: Desk) -> None:
    """The fence: a worker thought dead that comes back is stopped before the final dot."""
    made = desk.draft()
    queue.send(desk.actor, made.id, delay_s=0)
    assert lease.take(made.id, "first")
    assert not lease.take(made.id, "second")
    with transaction() as session:
        session.get_one(Outbox, made.id).lease_until = utcnow() - timedelta(seconds=1)
    with pytest.raises(LeaseLost):
        lease.mark_handed_over(made.id, "first")  # too late, although nobody took it yet
    assert lease.take(made.id, "second")
    with pytest.raises(LeaseLost):
        lease.mark_handed_over(made.id, "first")
    lease.mark_handed_over(made.id, "second")
    with pytest.raises(LeaseLost):
        lease.mark_handed_over(made.id, "second")
    with transaction() as session:
        session.get_one(Outbox, made.id).lease_until = utcnow() - timedelta(seconds=1)
    assert not lease.take(made.id, "third")  # handed over: never blindly again
    assert lease.give_up_lost(made.id)
    assert desk.look(made.id).state == "unknown"


@pytest.mark.slow
def test_random_kills_lose_and_double_nothing(desk: Desk) -> None:
    """Kills at random moments; at the end each message arrived once, or is unknown and arrived at most once."""
    chance = random.Random(20261121)
    made = [desk.draft(subject=f"s{n}").id for n in range(12)]
    for each in made:
        queue.send(desk.actor, each, delay_s=0)
    for _ in range(6):
        worker = start_worker()
        time.sleep(chance.uniform(0.0, 0.5))
        kill(worker)
        for each in made:
            if desk.row(each).state == "sending":
                with transaction() as session:
                    session.get_one(Outbox, each).lease_until = utcnow() - timedelta(seconds=1)
    desk.work()
    arrived = Counter(parsed["Message-ID"] for parsed in desk.received())
    for each in made:
        row = desk.row(each)
        count = arrived[f"<{row.rfc_message_id}>"]
        assert row.state in ("sent", "unknown"), row.state
        assert count == 1 if row.state == "sent" else count <= 1


def set_port(desk: Desk, port: int) -> None:
    with transaction() as session:
        row = session.get_one(Mailbox, desk.mailbox_id)
        row.smtp_port = port
        session.add(row)
