"""A running watcher in this process, and the mailboxes that it watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mailcrm.models import Mailbox
from mailcrm.services.db import reading
from mailcrm.services.jobs import queue
from mailcrm.services.mail.watch.watcher import Watcher

WAIT_S = 30


def until(met: Callable[[], Any], what: str) -> Any:
    """Wait for something; the time only bounds a failure."""
    ends = time.monotonic() + WAIT_S
    while not (found := met()):
        assert time.monotonic() < ends, f"never came: {what}"
        time.sleep(0.02)
    return found


def row(mailbox_id: int) -> Mailbox:
    with reading() as session:
        found = session.get_one(Mailbox, mailbox_id)
        session.expunge(found)
        return found


class Jobs:
    """The wake-ups that were sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any], float]] = []

    def __call__(self, job: str, **args: Any) -> None:
        self.sent.append((job, args, time.monotonic()))

    def syncs(self, mailbox_id: int) -> int:
        return sum(args.get("mailbox_id") == mailbox_id for job, args, _ in list(self.sent) if job == "sync_mailbox")

    def next(self, mailbox_id: int, before: int) -> None:
        until(lambda: self.syncs(mailbox_id) > before, "a wake-up for the sync")


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    found = Jobs()
    monkeypatch.setattr(queue, "enqueue", found)
    return found


@pytest.fixture
def watch(jobs: Jobs) -> Iterator[Callable[[], Watcher]]:
    """Starts watchers, and ends them."""
    running: list[tuple[Watcher, threading.Thread]] = []

    def start() -> Watcher:
        made = Watcher(per_second=100)
        thread = threading.Thread(target=made.run, daemon=True)
        thread.start()
        running.append((made, thread))
        return made

    yield start
    for watcher, thread in running:
        watcher.stop()
        thread.join(WAIT_S)
        assert not thread.is_alive()
