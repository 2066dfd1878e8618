"""The worker process: both lanes of the queue, and the sweep. Run as many as needed.

Mailboxes sync side by side, one thread each (sharding by mailbox: decision 6). There are many threads because most of
a sync is waiting for a server, and some servers hang; who of them may work is decided by `turns.py`. Quick jobs have
threads of their own. A stop lets running jobs finish for `STOP_S`, then goes: leases run out, and rows say what was left.
"""

from __future__ import annotations

import os
import signal
import threading
import time

import structlog

from mailcrm.services import db
from mailcrm.services.jobs import queue, runtime, sweep, tasks
from mailcrm.services.jobs.lanes import Lane
from mailcrm.services.tracking import recorder

SYNC_THREADS = tasks.SYNC_THREADS
QUICK_THREADS = 3
STOP_S = 6.0

log = structlog.get_logger()


def run() -> None:
    """Work until SIGTERM or SIGINT. Raises ConfigError when the database is not at this version or the queue's URL is bad."""
    db.check_not_newer()
    queue.run_with(tasks.run)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    runtime.prepare()
    lanes = [Lane("sync", SYNC_THREADS, tasks.run), Lane("quick", QUICK_THREADS, tasks.run)]
    for lane in lanes:
        lane.start()
    recording = recorder.start(stop)
    sweeper = threading.Thread(target=_sweep_until, args=(stop,), name="sweep", daemon=True)
    sweeper.start()
    log.info("worker started", sync_threads=SYNC_THREADS, quick_threads=QUICK_THREADS)
    stop.wait()
    tasks.stop()
    for lane in lanes:
        lane.stop()
    deadline = time.monotonic() + STOP_S
    recording.join(STOP_S)
    left = sum(lane.join(deadline - time.monotonic()) for lane in lanes)
    log.info("worker stopped", jobs_left=left)
    os._exit(0)  # a thread that waits for a server must not hold the process up


def _sweep_until(stop: threading.Event) -> None:
    starting = True
    while not stop.is_set():
        try:
            sweep.sweep(starting=starting)
            starting = False
        except Exception:
            log.exception("the sweep broke; it is tried again")
        stop.wait(sweep.EVERY_S)
