"""The queue on each backend, and the sweep that finds what a lost wake-up left (rule 3, kill -9)."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from mailcrm import config
from mailcrm.errors import ConfigError
from mailcrm.models import Mailbox, Message, utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue, sweep, tasks
from tests.builders import a_mailbox, a_message, a_user
from tests.conftest import needs
from tests.servers import postgres

WAIT_S = 30


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tidying is not due, however long tests take."""
    monkeypatch.setattr(sweep, "_tidied_store", time.monotonic())


def use(monkeypatch: pytest.MonkeyPatch, folder: Path, url: str) -> None:
    monkeypatch.setenv("MAILCRM_DATA_DIR", str(folder))
    monkeypatch.setenv("MAILCRM_QUEUE_URL", url)
    config.reset()


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    program = needs("redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    ends = time.monotonic() + WAIT_S
    while socket.socket().connect_ex(("127.0.0.1", port)):
        assert time.monotonic() < ends, "Redis never answered"
        time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0"
    process.terminate()
    process.wait()


@pytest.fixture(params=["sqlite", "redis", "postgresql"])
def queue_url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each backend that MAILCRM_QUEUE_URL can name."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'queue.sqlite3'}"
    elif request.param == "redis":
        url = request.getfixturevalue("redis_url")
    else:
        cluster: postgres.Cluster = request.getfixturevalue("pg_server")
        url = cluster.create(f"queue_{abs(hash(tmp_path)):x}")
    use(monkeypatch, tmp_path, url)
    yield url
    config.reset()


def take(name: str) -> tuple[str, dict[str, Any]] | None:
    """What the next job of a lane is; None when none waits."""
    task = queue.lane(name).dequeue()
    return None if task is None else task.args


def test_each_backend_carries_a_job_to_its_lane(queue_url: str) -> None:
    queue.enqueue("sync_mailbox", mailbox_id=7)
    queue.enqueue("deliver")
    assert queue.answers()
    assert queue.waiting() == {"sync": 1, "quick": 1}
    assert take("sync") == ("sync_mailbox", {"mailbox_id": 7})
    assert take("quick") == ("deliver", {})
    assert queue.waiting() == {"sync": 0, "quick": 0}


def test_a_consumer_runs_what_was_enqueued(queue_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(queue, "_runner", lambda job, args: ran.append((job, args)))
    queue.enqueue("link_pending")
    lane = queue.lane("quick")
    lane.execute(lane.dequeue())
    assert ran == [("link_pending", {})]


def test_a_queue_that_is_down_never_fails_the_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The caller has committed; the sweep finds the work."""
    use(monkeypatch, tmp_path, "redis://127.0.0.1:1/0")
    queue.enqueue("deliver")
    assert not queue.answers()
    config.reset()


def test_a_url_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, tmp_path, "amqp://x")
    with pytest.raises(ConfigError):
        queue.lane("quick")
    config.reset()


def test_a_job_that_breaks_or_is_unknown_does_not_stop_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("no")

    monkeypatch.setitem(tasks.JOBS, "deliver", broken)
    tasks.run("deliver", {})
    tasks.run("from_a_newer_version", {"x": 1})


def due(**columns: Any) -> bool:
    """Whether the sweep would sync a mailbox with these columns."""
    box = a_mailbox(a_user(), **columns)
    with reading() as session:
        return box in sweep.due_mailboxes(session, utcnow())


def test_which_mailboxes_are_due(db: str) -> None:
    now = utcnow()
    ago, soon = now - timedelta(hours=1), now + timedelta(hours=1)
    just = now - timedelta(seconds=2)
    assert due()
    assert due(last_success_at=ago)
    assert not due(last_success_at=just)
    assert due(last_success_at=just, sync_requested_at=now)
    assert due(last_success_at=just, sync_requested_at=ago)  # asked for while the last pass ran
    assert not due(next_try_at=soon)
    assert due(next_try_at=ago)
    assert not due(status="paused")
    assert not due(status="needs_reconnect")
    assert not due(lease_owner="w", lease_until=now + timedelta(minutes=1))
    assert due(lease_owner="w", lease_until=soon)  # no lease is that long: the clock was set back
    assert due(lease_owner="w", lease_until=ago)


def test_a_watched_mailbox_is_looked_at_less_often(db: str) -> None:
    """IDLE does not tell everything (sync.md A1), so it still is; a watcher that died is not believed."""
    now = utcnow()
    minute, long_ago = now - timedelta(minutes=1), now - timedelta(minutes=6)
    watched: dict[str, Any] = {"watch": "idle", "watched_at": minute}
    assert due(last_success_at=minute)
    assert not due(last_success_at=minute, **watched)
    assert not due(last_success_at=now - timedelta(minutes=4), **watched)
    assert due(last_success_at=long_ago, **watched)
    assert due(last_success_at=minute, watch="idle", watched_at=now - timedelta(minutes=20))
    assert due(last_success_at=minute, next_try_at=minute, **watched)  # what the health page says holds
    assert not due(last_success_at=minute, next_try_at=now + timedelta(minutes=1), sync_requested_at=now, **watched)
    assert due(last_success_at=minute, watch="", watched_at=minute)
    assert due(last_success_at=minute, sync_requested_at=minute, **watched)
    office = {"imap_host": "outlook.office365.com"} | watched  # without CONDSTORE flags are seen by passes alone
    assert due(last_success_at=now - timedelta(minutes=4), **office)
    assert not due(last_success_at=minute, imap_host="imap.mail.yahoo.com")
    assert due(last_success_at=now - timedelta(seconds=91), imap_host="imap.mail.yahoo.com")


def test_who_was_asked_for_comes_first(db: str) -> None:
    now = utcnow()
    a_mailbox(a_user())
    asked = a_mailbox(a_user(), last_success_at=now, sync_requested_at=now)
    with reading() as session:
        assert sweep.due_mailboxes(session, now)[0] == asked


def test_polls_do_not_fill_the_queue(db: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A push would wait behind thousands of them."""
    use(monkeypatch, tmp_path, f"sqlite:///{tmp_path / 'queue.sqlite3'}")
    monkeypatch.setattr(sweep, "QUEUED_MOST", 3)
    for _ in range(5):
        a_mailbox(a_user())
    assert sweep.sweep() == 3
    assert sweep.sweep() == 0
    take("sync")
    assert sweep.sweep() == 1
    config.reset()


def test_a_starting_worker_does_not_wait_for_a_dead_ones_lease(db: str) -> None:
    box = a_mailbox(a_user(), lease_owner="w", lease_until=utcnow() + timedelta(hours=1))
    with reading() as session:
        assert sweep.due_mailboxes(session, utcnow(), starting=True) == [box]


def test_the_sweep_finds_what_lost_wake_ups_left_and_enqueues_it_once(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(queue, "enqueue", lambda job, **args: sent.append((job, args)))
    assert sweep.sweep() == 0
    box = a_mailbox(a_user())
    a_message(box)
    assert sweep.sweep() == 2
    assert sorted(job for job, _ in sent) == ["link_pending", "sync_mailbox"]
    assert sweep.sweep() == 0  # both still wait
    sweep.began("sync_mailbox", {"mailbox_id": box})
    assert sweep.sweep() == 1
    with transaction() as session:
        for message in session.exec(select(Message)):
            message.link_pending = False
        session.get_one(Mailbox, box).status = "paused"
    sweep.began("link_pending", {})
    sweep.began("sync_mailbox", {"mailbox_id": box})
    assert sweep.sweep() == 0
