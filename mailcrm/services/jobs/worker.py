"""The worker process: Huey consumers for both lanes, and the sweep. Run as many as needed.

Mailboxes sync side by side, one thread each (sharding by mailbox: decision 6); quick jobs have threads of their own.
A stop lets running jobs finish for `STOP_S`, then goes: leases run out, and rows say what was left.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import structlog
from huey.consumer import Consumer  # pyright: ignore[reportMissingTypeStubs]

from mailcrm.services import db
from mailcrm.services.jobs import queue, sweep, tasks

SYNC_THREADS = 4
QUICK_THREADS = 3
STOP_S = 6.0
QUEUE_POLL_S = 0.5  # SQLite has no blocking read; this bounds how long a sent mail waits for its worker

log = structlog.get_logger()


class LaneConsumer(Consumer):
    """A consumer that leaves the process's signals alone: two of them share it."""

    def _set_signal_handlers(self) -> None:
        pass


def run() -> None:
    """Work until SIGTERM or SIGINT. Raises ConfigError when the database is not at this version or the queue's URL is bad."""
    db.check_not_newer()
    queue.run_with(tasks.run)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    consumers = [_consumer("sync", SYNC_THREADS), _consumer("quick", QUICK_THREADS)]
    for consumer in consumers:
        consumer.start()
    sweeper = threading.Thread(target=_sweep_until, args=(stop,), name="sweep", daemon=True)
    sweeper.start()
    log.info("worker started", sync_threads=SYNC_THREADS, quick_threads=QUICK_THREADS)
    stop.wait()
    tasks.stopping.set()
    for consumer in consumers:
        consumer.stop_flag.set()
    deadline = time.monotonic() + STOP_S
    threads = [thread for consumer in consumers for _, thread in consumer.worker_threads]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    left = sum(thread.is_alive() for thread in threads)
    log.info("worker stopped", jobs_left=left)
    os._exit(0)  # a thread that waits for a server must not hold the process up


def _consumer(lane: str, threads: int) -> Any:
    return LaneConsumer(
        queue.lane(lane),
        workers=threads,
        periodic=False,
        initial_delay=0.1,
        backoff=1.15,
        max_delay=QUEUE_POLL_S,
        check_worker_health=False,
    )


def _sweep_until(stop: threading.Event) -> None:
    starting = True
    while not stop.is_set():
        try:
            sweep.sweep(starting=starting)
            starting = False
        except Exception:
            log.exception("the sweep broke; it is tried again")
        stop.wait(sweep.EVERY_S)
