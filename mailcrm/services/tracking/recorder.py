"""Writes what waits in the spool: one at a time, wherever it runs, so that whoever answers only answers.

Runs in the worker, beside `serve --tracking-only` as a process of its own, and in the serving process while neither
does. A file is removed once it is written; what may have been half written when a process ended is compared with what
is in the database, by the microsecond, so that a kill neither loses nor doubles.
Does not judge and does not write (record.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from sqlalchemy.exc import DBAPIError, OperationalError

from mailcrm.services.tracking.fetch import Waiting
from mailcrm.services.tracking.spool import Spool

LOOK_S = 0.05  # between two looks for files
STAND_BY_S = 0.5  # between two tries to become the one
AT_ONCE = 200  # fetches in one transaction: a twentieth of a second
REST = 2.0  # times what a transaction took, before the next: answers go first, and others write too
WAIT_S = 1.0  # after the database refused
BESIDE = 10  # how much nicer than the process that answers

Write = Callable[[Sequence[Waiting], bool], None]

log = structlog.get_logger()


class Recorder:
    """What one process writes of the spool. `write(fetches, again)` raises OperationalError while nothing can be written."""

    def __init__(self, spool: Spool, write: Write, failed: Callable[[int], None]) -> None:
        """Keep what writes, and who is told how many could not be."""
        self._spool, self._write, self._failed = spool, write, failed
        self._unsure: set[Path] | None = None  # files of which a part may be written; None: not looked yet

    def drain(self, *, rest: float = 0.0) -> bool:
        """Write what waits, if nobody else does; return whether this was the one.

        Raises OperationalError while the database does not answer; nothing is lost then.
        """
        if not self._spool.files():
            return True
        with self._spool.alone() as alone:
            if alone:
                self.forget()  # whoever had it before may have been killed
                self.drain_alone(rest=rest)
            return alone

    def drain_alone(self, *, rest: float = 0.0) -> int:
        """Write what waits; return how many files. For who holds `Spool.alone`."""
        files = self._spool.files()
        if self._unsure is None:
            self._unsure = set(files)
        for path in files:
            self._file(path, rest)
        return len(files)

    def forget(self) -> None:
        """Trust nothing of what was known: another process may have been at it meanwhile."""
        self._unsure = None

    def _file(self, path: Path, rest: float) -> None:
        unsure = self._unsure if self._unsure is not None else set[Path]()
        try:
            waiting = self._spool.read(path)
        except (ValueError, OSError):
            log.exception("a file of tracking events cannot be read and is set aside", file=path.name)
            path.rename(path.with_suffix(".unreadable"))
            self._failed(1)
            return
        again = path in unsure
        unsure.add(path)
        for n in range(0, len(waiting), AT_ONCE):
            started = time.monotonic()
            self._surely(waiting[n : n + AT_ONCE], again)
            if rest:
                time.sleep((time.monotonic() - started) * rest)
        path.unlink(missing_ok=True)
        unsure.discard(path)

    def _surely(self, part: Sequence[Waiting], again: bool) -> None:
        """Write a part; when it can't be written as a whole, one fetch at a time, so that one bad row costs itself only."""
        try:
            self._write(part, again)
        except OperationalError:
            raise
        except Exception as error:
            if len(part) == 1 and not isinstance(error, DBAPIError):
                log.exception("a tracking event could not be written")
                self._failed(1)
                return
            for each in part:
                try:
                    self._write([each], again)
                except OperationalError:
                    raise
                except Exception:
                    log.exception("a tracking event could not be written")
                    self._failed(1)

    def until(self, stop: threading.Event, tell: Callable[[], None]) -> None:
        """Be the one who writes, until told to stop; then write what is there."""
        while not stop.is_set():
            with self._spool.alone() as alone:
                if alone:
                    self._spool.tidy()
                    self.forget()
                    self._loop(stop, tell)
                    return
            stop.wait(STAND_BY_S)

    def _loop(self, stop: threading.Event, tell: Callable[[], None]) -> None:
        last = False
        while not last:
            last = stop.is_set()
            try:
                self.drain_alone(rest=0 if last else REST)
                tell()
            except OperationalError:
                log.warning("the database does not take tracking events; they wait")
                stop.wait(WAIT_S)
            except Exception:
                log.exception("tracking events could not be written")
                stop.wait(WAIT_S)
            if not last:
                stop.wait(LOOK_S)


def start(stop: threading.Event) -> threading.Thread:
    """Write in a thread of this process (the worker) until `stop`."""
    from mailcrm.services.tracking import record  # which has all that writes

    thread = threading.Thread(
        target=record.RECORDER.until, args=(stop, record.INTAKE.tell_dropped), name="tracking", daemon=True
    )
    thread.start()
    return thread


def run() -> None:
    """Write until SIGTERM or SIGINT: the process beside `serve --tracking-only`."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    os.nice(BESIDE)
    with contextlib.suppress(AttributeError, OSError):  # Linux; others make do with being nice
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))  # never wakes up in the middle of an answer
    thread = start(stop)
    while thread.is_alive():
        thread.join(1.0)
