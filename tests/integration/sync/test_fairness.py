"""No mailbox starves another, and no two workers have the same one (issue 3 item 7)."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from mailcrm.models import Mailbox
from mailcrm.models.base import utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue, tasks
from mailcrm.services.jobs.lanes import Lane
from mailcrm.services.jobs.turns import Turns
from mailcrm.services.mail.providers.values import ServerSpec
from mailcrm.services.mail.sync import engine, lease
from tests.conftest import ROOT
from tests.integration.sync.conftest import Box, connect, raw
from tests.servers.dovecot import DovecotServer
from tests.servers.imap_misbehaving import MisbehavingImap, Peer
from tests.servers.proxy import RecordingProxy

WAIT_S = 60
HANGING = 10


def until(met: Callable[[], Any], what: str) -> None:
    ends = time.monotonic() + WAIT_S
    while not met():
        assert time.monotonic() < ends, f"never came: {what}"
        time.sleep(0.02)


def row(mailbox_id: int) -> Mailbox:
    with reading() as session:
        found = session.get_one(Mailbox, mailbox_id)
        session.expunge(found)
        return found


def say_nothing(peer: Peer) -> None:
    peer.sock.recv(1)


def hang_after_sign_in(peer: Peer) -> None:
    peer.send("* OK hello")
    peer.serve({"LIST": lambda one, _tag, _rest: say_nothing(one)})


@pytest.mark.parametrize("script", [say_nothing, hang_after_sign_in])
def test_servers_that_hang_delay_nobody(
    db: str, dovecot: DovecotServer, monkeypatch: pytest.MonkeyPatch, script: Callable[[Peer], None]
) -> None:
    """Ten mailboxes whose servers hang for good come first; the eleventh is done while all of them still hang."""
    monkeypatch.setattr(tasks, "TURNS", Turns(tasks.SYNC_THREADS))
    with MisbehavingImap(script) as dead:
        hanging = [connect(dovecot, ServerSpec("localhost", dead.port, "none", "")) for _ in range(HANGING)]
        good = connect(dovecot, ServerSpec("127.0.0.1", dovecot.plain_port, "none", ""))
        good.deliver(raw(1))
        lane = Lane("sync", tasks.SYNC_THREADS, tasks.run)
        for box in [*hanging, good]:
            queue.enqueue("sync_mailbox", mailbox_id=box.mailbox_id)
        lane.start()
        try:
            until(lambda: row(good.mailbox_id).last_success_at, "the good mailbox's sync")
            assert len(good.messages()) == 1
            with reading() as session:
                ids = [box.mailbox_id for box in hanging]
                failed = session.exec(select(Mailbox.id).where(col(Mailbox.id).in_(ids), Mailbox.failures > 0)).all()
            assert not failed, "the good one waited until a time-out let it through"
        finally:
            lane.stop()

            def is_over() -> bool:
                for sock in [*dead._sockets]:  # one that is being accepted is in it the next time
                    with suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)
                return lane.join(0.2) == 0

            until(is_over, "the end of those that hung")


def test_what_is_asked_for_in_mid_pass_is_done_right_after(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A push that comes while the pass runs finds the mailbox under lease: it must not wait for the next poll."""
    sent: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(queue, "enqueue", lambda job, **args: sent.append((job, args)))
    for n in range(300):
        box.deliver(raw(n))

    def ask(_report: engine.SyncReport) -> None:
        with transaction() as session:
            mailbox = session.get_one(Mailbox, box.mailbox_id)
            mailbox.sync_requested_at = utcnow()
            session.add(mailbox)

    original = engine.sync_mailbox
    monkeypatch.setattr(
        engine, "sync_mailbox", lambda mailbox_id, **options: original(mailbox_id, progress=ask, **options)
    )
    tasks.sync_mailbox(box.mailbox_id)
    assert ("sync_mailbox", {"mailbox_id": box.mailbox_id}) in sent
    sent.clear()
    monkeypatch.setattr(engine, "sync_mailbox", original)
    tasks.sync_mailbox(box.mailbox_id)
    assert sent == []
    assert row(box.mailbox_id).sync_requested_at is None


@pytest.mark.parametrize(
    "columns",
    [{"next_try_at": utcnow() + timedelta(days=1)}, {"status": "paused"}, {"status": "needs_reconnect"}],
)
def test_a_push_does_not_shorten_a_back_off_or_end_a_pause(box: Box, columns: dict[str, Any]) -> None:
    """A throttling server must not be asked again with every new message."""
    box.deliver(raw(1))
    with transaction() as session:
        mailbox = session.get_one(Mailbox, box.mailbox_id)
        for name, value in columns.items():
            setattr(mailbox, name, value)
        session.add(mailbox)
    tasks.sync_mailbox(box.mailbox_id)
    assert box.messages() == []
    with transaction() as session:
        mailbox = session.get_one(Mailbox, box.mailbox_id)
        mailbox.status, mailbox.next_try_at = "active", None
        session.add(mailbox)
    tasks.sync_mailbox(box.mailbox_id)
    assert len(box.messages()) == 1


def test_a_batch_may_take_longer_than_the_lease(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow server drips a batch for minutes: nobody else may take the mailbox meanwhile."""
    monkeypatch.setattr(lease, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(lease, "BEAT_S", 0.1)
    owner = "elsewhere/1/1/a"
    assert lease.acquire(box.mailbox_id, owner, utcnow())
    with lease.heartbeat(box.mailbox_id, owner):
        first = row(box.mailbox_id).lease_until
        assert first is not None
        until(lambda: (row(box.mailbox_id).lease_until or first) > first + timedelta(seconds=1), "later renewals")
        assert not lease.acquire(box.mailbox_id, "elsewhere/2/1/b", utcnow())
    until(lambda: lease.acquire(box.mailbox_id, "elsewhere/2/1/b", utcnow()), "the end of the lease")


def test_a_pass_that_hangs_for_good_loses_its_lease(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "LEASE", timedelta(seconds=0.5))
    monkeypatch.setattr(lease, "BEAT_S", 0.1)
    monkeypatch.setattr(lease, "HUNG_S", 0.3)
    owner = "elsewhere/1/1/a"
    assert lease.acquire(box.mailbox_id, owner, utcnow())
    with lease.heartbeat(box.mailbox_id, owner):
        until(lambda: lease.acquire(box.mailbox_id, "elsewhere/2/1/b", utcnow()), "another worker's turn")
        with pytest.raises(lease.LeaseLost), transaction() as session:
            lease.renew(session, box.mailbox_id, owner, utcnow())


SYNC = """
import sys
from mailcrm.services.mail.sync.engine import sync_mailbox
from mailcrm.services.mail.sync import lease
mailbox_id = int(sys.argv[1])
done = 0
print("ready", flush=True)
sys.stdin.readline()
while done < 15:
    report = sync_mailbox(mailbox_id)
    assert report.error is None, report.error
    done += not report.busy
"""


class CountingProxy(RecordingProxy):
    """Notes how many connections were open at once: those whose client had not closed its end."""

    most = 0

    def __init__(self, target: tuple[str, int]) -> None:
        self._clients: set[socket.socket] = set()
        self._count = threading.Lock()
        super().__init__(target)

    def _pump(self, source: Any, sink: Any, record: bool) -> None:
        if record:
            with self._count:  # a thread of ours may be late to see that its client went
                self._clients = {other for other in self._clients if not has_ended(other)} | {source}
                self.most = max(self.most, len(self._clients))
        try:
            super()._pump(source, sink, record)
        finally:
            with self._count:
                self._clients.discard(source)


def has_ended(client: socket.socket) -> bool:
    """Whether the other side has closed the connection and all that it sent was read."""
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_two_workers_never_sync_one_mailbox(db: str, dovecot: DovecotServer) -> None:
    """Two processes try as fast as they can: the server never sees two sync connections, nothing is stored twice."""
    with CountingProxy(("127.0.0.1", dovecot.plain_port)) as proxy:
        box = connect(dovecot, ServerSpec("localhost", proxy.port, "none", ""))
        for n in range(200):
            box.deliver(raw(n))
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", SYNC, str(box.mailbox_id)], cwd=ROOT, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True,
            )
            for _ in range(2)
        ]  # fmt: skip
        try:
            for worker in workers:
                assert worker.stdout
                assert worker.stdout.readline().strip() == "ready"
            for worker in workers:
                assert worker.stdin
                worker.stdin.write("go\n")
                worker.stdin.flush()
            assert [worker.wait(WAIT_S) for worker in workers] == [0, 0]
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        assert proxy.connections >= 30
        assert proxy.most == 1
    assert len(box.messages()) == 200
    box.ledger()
