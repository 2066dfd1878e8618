"""Takes jobs out of the queue and runs them in threads: one lane's dispatcher.

Huey's own consumer looks twice a second with every thread, so that a push waited half a second before its sync
began. Here one thread looks for its lane. SQLite tells cheaply that something was written (`PRAGMA data_version`, a
few microseconds), so that it is asked forty times a second; Redis and PostgreSQL say by themselves.
A job is taken only when a thread is free. Does not know what jobs do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from mailcrm.config import config
from mailcrm.services.changes import Changes
from mailcrm.services.jobs import queue

LOOK_S = 0.025  # between two looks for a change in SQLite's queue
SURE_S = 1.0  # looked at in any case
BROKEN_S = 1.0

log = structlog.get_logger()


class Lane:
    """One lane of the queue with `threads` threads."""

    def __init__(self, name: str, threads: int, run: Callable[[str, dict[str, int | str]], None]) -> None:
        self.name = name
        self._huey: Any = queue.lane(name)
        self._run = run
        self._free = threading.Semaphore(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._stop = threading.Event()
        self._busy = 0
        self._idle = threading.Condition()
        self._thread = threading.Thread(target=self._dispatch, name=f"lane-{name}", daemon=True)

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more jobs; those that run go on."""
        self._stop.set()

    def join(self, seconds: float) -> int:
        """Wait for the jobs that run; return how many still do."""
        with self._idle:
            self._idle.wait_for(lambda: not self._busy, max(0.0, seconds))
            return self._busy

    def _dispatch(self) -> None:
        self._changes = Changes(config().queue_url)
        while not self._stop.is_set():
            if not self._free.acquire(timeout=SURE_S):
                continue
            task: Any = None
            try:
                while task is None and not self._stop.is_set():
                    task = self._huey.dequeue()
                    if task is None:
                        self._wait()
            except Exception:  # the queue's server is away, or what it holds is not ours
                log.exception("the queue could not be read; it is tried again", lane=self.name)
                self._stop.wait(BROKEN_S)
            if task is None:
                self._free.release()
                continue
            with self._idle:
                self._busy += 1
            self._pool.submit(self._work, task)

    def _wait(self) -> None:
        """Return when something may have come into the queue, or the lane stops."""
        if not self._changes.are_known:
            self._stop.wait(LOOK_S)  # their own dequeue waits for a job; this only bounds how often it is asked
            return
        ends = time.monotonic() + SURE_S
        while time.monotonic() < ends and not self._stop.wait(LOOK_S) and not self._changes.any():
            pass

    def _work(self, task: Any) -> None:
        try:
            job, args = task.args
            self._run(job, args)
        except Exception:
            log.exception("a job could not be run", lane=self.name)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()
            self._free.release()
