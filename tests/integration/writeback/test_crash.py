"""`kill -9` between a command and its commit, and connections that break there: moved once, never lost, never twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from mailcrm.services.mail import threads
from tests.integration.writeback.conftest import Desk, make_desk, raw
from tests.integration.writeback.wire import TamperProxy
from tests.servers.dovecot import DovecotServer

_CHILD = """
import sys
from mailcrm.services.mail.writeback.apply import write_back
print("ready", flush=True)
sys.stdin.readline()
write_back(int(sys.argv[1]))
"""

MOVE_POINTS = ("UID MOVE",)
COPY_POINTS = ("UID COPY", "+FLAGS.SILENT (\\Deleted)", "UID EXPUNGE")
POINTS = [(point, (), when) for point in MOVE_POINTS for when in ("before", "after")] + [
    (point, ("MOVE",), when) for point in COPY_POINTS for when in ("before", "after")
]


def child(desk: Desk) -> subprocess.Popen[str]:
    started = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(desk.mailbox_id)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def end(process: subprocess.Popen[str]) -> None:
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


def check_moved_once(desk: Desk, target: str) -> None:
    assert sorted(desk.server(target)) == [1, 2]  # fails when one is there twice
    assert sorted(desk.server("INBOX")) == [3]
    assert {(a.state, a.outcome) for a in desk.actions()} == {("done", "done")}
    assert all(desk.message(n).gone_at is None for n in (1, 2, 3))
    desk.sync()
    desk.sync()
    desk.ledger()
    assert all(desk.message(n).gone_at is None for n in (1, 2, 3))
    assert len(desk.messages()) == 3


@pytest.mark.parametrize("nameless", [False, True], ids=["named", "nameless"])
@pytest.mark.parametrize(("command", "hide", "when"), POINTS)
def test_a_kill_at_each_command(
    sqlite_db: object, dovecot: DovecotServer, command: str, hide: tuple[str, ...], when: str, nameless: bool
) -> None:
    """The hard case is COPY: after it and a kill, the copy is looked for in the target before anything is copied."""
    with TamperProxy((dovecot.host, dovecot.plain_port), hide) as proxy:
        desk = make_desk(dovecot, proxy=proxy)
        if nameless:
            desk.deliver(b"From: bob@away.test\r\nSubject: nameless\r\n\r\nbody\r\n")
        else:
            for n in (1, 2, 3):
                desk.deliver(raw(n))
        desk.sync()
        for message in desk.messages():
            if message.rfc_message_id != "3@sync.test":
                threads.archive(desk.actor, message.thread_id)
        desk.later()
        process = child(desk)
        proxy.cut_at, proxy.on_cut = (command.encode(), when), process.kill
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        end(process)
        assert process.returncode == -9, "it was not killed where it should be"
        proxy.on_cut = None
        desk.write()
        if nameless:
            assert list(desk.server("Archive")) == [0]
            assert desk.server("INBOX") == {}
        else:
            check_moved_once(desk, "Archive")


@pytest.mark.parametrize(("command", "hide", "when"), POINTS)
def test_a_connection_that_breaks_at_each_command(
    sqlite_db: object, dovecot: DovecotServer, command: str, hide: tuple[str, ...], when: str
) -> None:
    with TamperProxy((dovecot.host, dovecot.plain_port), hide) as proxy:
        desk = make_desk(dovecot, proxy=proxy)
        for n in (1, 2, 3):
            desk.deliver(raw(n))
        desk.sync()
        for n in (1, 2):
            threads.delete(desk.actor, desk.thread(n))
        proxy.cut_at = (command.encode(), when)
        desk.write()
        assert proxy.cuts == 1
        assert {a.state for a in desk.actions()} == {"queued"}
        assert all(a.next_try_at is not None for a in desk.actions()), "it is tried again by itself"
        desk.sync()  # the sync settles nothing by itself, and must not get in the way
        desk.write()
        assert {(a.state, a.outcome) for a in desk.actions()} == {("done", "done")}
        assert sorted(desk.server("Trash")) == [1, 2]
        assert sorted(desk.server("INBOX")) == [3]
        desk.sync()
        desk.ledger()


def test_undo_after_the_command_whose_answer_was_lost(sqlite_db: object, dovecot: DovecotServer) -> None:
    """What has begun is settled first, its opposite after it."""
    with TamperProxy((dovecot.host, dovecot.plain_port)) as proxy:
        desk = make_desk(dovecot, proxy=proxy)
        desk.deliver(raw(1))
        desk.sync()
        threads.archive(desk.actor, desk.thread(1))
        proxy.cut_at = (b"UID MOVE", "after")
        desk.write()
        threads.archive(desk.actor, desk.thread(1), False)
        desk.write()
        assert desk.states() == [("archive", "done", "done"), ("unarchive", "done", "done")]
        assert sorted(desk.server("INBOX")) == [1]
        assert desk.server("Archive") == {}
        desk.sync()
        desk.ledger()


@pytest.mark.parametrize("hide", [(), ("MOVE",)], ids=["move", "copy"])
def test_kills_at_random_moments(sqlite_db: object, dovecot: DovecotServer, hide: tuple[str, ...]) -> None:
    """Sixteen messages, each moved exactly once whatever happens in between."""
    with TamperProxy((dovecot.host, dovecot.plain_port), hide) as proxy:
        desk = make_desk(dovecot, proxy=proxy)
        for n in range(1, 21):
            desk.deliver(raw(n))
        desk.sync()
        dice = random.Random(7)
        killed = 0
        for n in range(1, 17):
            threads.archive(desk.actor, desk.thread(n))
            if n % 2:
                continue
            desk.later()
            process = child(desk)
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            time.sleep(dice.uniform(0.0, 0.12))
            killed += process.poll() is None
            process.kill()
            end(process)
        assert killed >= 4, "the kills came too late to prove anything"
        desk.write()
        assert sorted(desk.server("Archive")) == list(range(1, 17))
        assert sorted(desk.server("INBOX")) == list(range(17, 21))
        assert {a.state for a in desk.actions()} == {"done"}
        desk.sync()
        desk.sync()
        desk.ledger()
        assert len(desk.messages()) == 20
        assert not [m for m in desk.messages() if m.gone_at]
