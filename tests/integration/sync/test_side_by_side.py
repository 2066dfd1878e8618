"""Everything that touches one mailbox at once: a pass, write-back, verifying, the watcher, linking, sweeps, its user.

What is asked: nothing breaks, nobody waits for somebody who waits for them (PostgreSQL counts its deadlocks), and in
the end the ledger adds up and every byte is there. Bounded by rounds, not by time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import select

from mailcrm.models import Blob, Message
from mailcrm.services import db as database
from mailcrm.services.db import reading
from mailcrm.services.jobs import tasks
from mailcrm.services.mail import blob_sweep, blobs, packs, threads
from mailcrm.services.mail.sync.engine import sync_mailbox
from mailcrm.services.mail.sync.verify import verify_mailbox
from mailcrm.services.mail.watch.watcher import Watcher
from mailcrm.services.mail.writeback.apply import write_back
from tests.integration.sync.conftest import Box, raw
from tests.integration.watch.conftest import Jobs, jobs, until, watch
from tests.integration.writeback.conftest import Desk, desk

__all__ = ["desk", "jobs", "watch"]

ROUNDS = 8
AT_ONCE = 12  # messages of a round


def run_together(*works: Callable[[int], object]) -> None:
    """Run each in a thread of its own, ROUNDS times, until the first one has done its rounds; raise what was raised."""
    failures: list[BaseException] = []
    over = threading.Event()

    def repeat(work: Callable[[int], object], first: bool) -> None:
        try:
            n = 0
            while (n < ROUNDS) if first else not over.is_set():
                work(n)
                n += 1
        except BaseException as error:
            failures.append(error)
        finally:
            if first:
                over.set()

    running = [threading.Thread(target=repeat, args=(work, work is works[0])) for work in works]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failures:
        raise failures[0]


def deadlocks() -> int:
    """How many transactions PostgreSQL had to end in this database because they waited for each other."""
    with database.engine().connect() as connection:
        connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
        asked = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        return int(connection.exec_driver_sql(asked).scalar_one())


def test_everything_at_once_on_one_mailbox_breaks_nothing(
    desk: Desk, db: str, jobs: Jobs, watch: Callable[[], Watcher]
) -> None:
    """A pass, write-back, verifying, the watcher, the linking rules, another mail program, and the user."""
    for n in range(1, 30):
        desk.deliver(raw(n, reply_to=n - 1 if n % 3 == 0 else None))
    desk.sync()
    desk.settings(write_read=True, write_archive=True, write_delete=True)
    running = watch()
    until(lambda: running.counts()["idle"] >= 1, "IDLE")
    seen: list[str] = []

    def sync(_: int) -> None:
        report = sync_mailbox(desk.mailbox_id)
        seen.append("synced" if report.error is None and not report.busy else "")
        if report.error is not None and report.error.code == "sync.broke":
            raise report.error

    def server(n: int) -> None:
        for m in range(AT_ONCE):
            number = 100 + n * AT_ONCE + m
            desk.deliver(raw(number, reply_to=number - 1 if m % 3 else None))
        sync(n)

    def verify(_: int) -> None:
        report = verify_mailbox(desk.mailbox_id)
        seen.append("verified" if report.error is None and not report.busy else "")
        if report.error is not None and report.error.code == "sync.broke":
            raise report.error

    def act(n: int) -> None:
        found = threads.list_threads(desk.actor, folder="all", limit=20).rows
        for at, row in enumerate(found):
            if at % 3 == n % 3:
                threads.mark_read(desk.actor, row.id, n % 2 == 0)
            elif at % 3 == 1:
                threads.archive(desk.actor, row.id, n % 2 == 0)
        seen.append("acted" if found else "")

    def write(_: int) -> None:
        desk.later()
        seen.append("written" if write_back(desk.mailbox_id) else "")

    def link(_: int) -> None:
        tasks.run("link_pending", {})

    run_together(server, sync, verify, act, write, link)
    if db == "postgresql":
        assert deadlocks() == 0
    desk.later()
    desk.sync()
    desk.write()
    desk.sync()
    assert {"synced", "verified", "acted"} <= set(seen)
    assert len(desk.messages()) == 29 + ROUNDS * AT_ONCE
    assert not [action for action in desk.actions() if action.state == "failed"]
    assert verify_mailbox(desk.mailbox_id).state == "sound"
    desk.ledger()


def test_a_sweep_beside_a_sync_takes_nothing_that_is_needed(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of this very moment, packs that are written or just full, rewritten ones: all stay readable.

    Only the age of a file is left as it is: a full pack is let go before its transaction commits.
    """
    monkeypatch.setattr(blob_sweep, "YOUNG", timedelta(hours=-1))
    monkeypatch.setattr(blob_sweep, "DEAD_SHARE", 0.0)
    monkeypatch.setattr(packs, "FULL", 20_000)
    swept: list[bool] = []

    def sync(n: int) -> None:
        for m in range(AT_ONCE):
            box.deliver(raw(n * AT_ONCE + m, body=f"{n} {m} " * 300), "Archive" if m % 4 == 0 else "INBOX")
        box.sync()

    def sweep(_: int) -> None:
        swept.append(blob_sweep.sweep())
        time.sleep(0.001)

    run_together(sync, sweep, sweep)
    assert any(swept)
    found = box.messages()
    assert len(found) == ROUNDS * AT_ONCE
    with reading() as session:
        known = set(session.exec(select(Blob.sha256)))
        assert known >= set(session.exec(select(Message.blob_sha)))
    for message in found:
        assert blobs.digest(blobs.get(message.blob_sha)) == message.blob_sha
