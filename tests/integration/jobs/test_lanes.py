"""Jobs reach their thread at once, whatever backend carries them, and a busy lane takes no more than it can run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mailcrm.services.jobs import queue
from mailcrm.services.jobs.lanes import Lane
from tests.integration.jobs.test_jobs import queue_url, redis_url

__all__ = ["queue_url", "redis_url"]
WAIT_S = 30


def until(met: Callable[[], Any], what: str) -> None:
    ends = time.monotonic() + WAIT_S
    while not met():
        assert time.monotonic() < ends, f"never came: {what}"
        time.sleep(0.005)


class Ran:
    def __init__(self) -> None:
        self.jobs: list[tuple[str, dict[str, Any]]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, job: str, args: dict[str, Any]) -> None:
        self.jobs.append((job, args))
        assert self.gate.wait(WAIT_S)
        if job == "deliver":
            raise RuntimeError("a job that breaks")


@pytest.fixture
def ran() -> Ran:
    return Ran()


@pytest.fixture
def lane(queue_url: str, ran: Ran) -> Iterator[Lane]:  # noqa: F811
    made = Lane("quick", 2, ran)
    made.start()
    yield made
    made.stop()
    ran.gate.set()
    assert made.join(WAIT_S) == 0


def test_jobs_run_one_after_another_and_a_broken_one_stops_nothing(lane: Lane, ran: Ran) -> None:
    for n in range(20):
        queue.enqueue("deliver" if n == 3 else "link_pending", n=n)
    until(lambda: len(ran.jobs) == 20, "all jobs")
    assert sorted(args["n"] for _, args in ran.jobs) == list(range(20))
    queue.enqueue("link_pending", n=99)  # after a quiet moment
    until(lambda: len(ran.jobs) == 21, "the late one")


def test_what_no_thread_is_free_for_stays_in_the_queue(lane: Lane, ran: Ran) -> None:
    """A killed worker then loses no more than it ran."""
    ran.gate.clear()
    for n in range(6):
        queue.enqueue("link_pending", n=n)
    until(lambda: len(ran.jobs) == 2, "two running jobs")
    assert queue.waiting()["quick"] == 4
    ran.gate.set()
    until(lambda: len(ran.jobs) == 6, "the others")
