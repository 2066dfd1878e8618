"""Takes fetches in and answers at once: they wait in memory for at most FLUSH_S, then a thread lays them on the disk.

    request -> token verified (no query) -> memory -> every 0.1 s: spool.py -> recorder.py, in another process

What is in memory when the process is killed is lost: that is what came in the last FLUSH_S. While the disk or the
database does not take them, fetches wait. A flood is limited by where it comes from, so that it does not displace
others; whatever is dropped is counted, written to the audit trail once a minute, and shown by /metrics.
Does not judge and does not write (record.py).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import structlog
from sqlalchemy.exc import OperationalError

from mailcrm.services import audit
from mailcrm.services.db import transaction
from mailcrm.services.tracking.fetch import ADDRESS, Packed
from mailcrm.services.tracking.spool import Full

FLUSH_S = 0.1
MOST_WAITING = 20_000  # fetches in memory, some 15 MB: two minutes of the most that is promised (10,000 a minute)
MOST_WAITING_OF_ONE = 5_000  # of one network: the rest of the queue stays free for others
MOST_A_MINUTE_OF_ONE = 20_000  # of one network: twice what is promised for all together
MOST_NETWORKS = 100_000  # remembered in a minute; a flood from more is limited by MOST_WAITING alone
WAIT_S = 1.0  # after disk or database refused
TELL_EVERY_S = 60.0
END_S = 3.0  # for what waits when the process ends; what is not written by then is in files

Dropped = Literal["flood", "full", "failed"]
#: In `audit.verb`: what could not be recorded, with counts by reason in `detail`.
DROPPED = "tracking_dropped"

log = structlog.get_logger()


class Keeps(Protocol):
    """Where fetches go from memory."""

    def put(self, waiting: Sequence[Packed]) -> object:
        """Keep them. Raises Full or OSError; nothing was kept then."""
        ...


class Intake:
    """The memory of one process. `then` writes what was kept, unless somebody else does: it returns False then."""

    def __init__(self, keeps: Keeps, then: Callable[[], bool]) -> None:
        """Keep where fetches go."""
        self._keeps, self._then = keeps, then
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._waiting: list[Packed] = []
        self._of_one: dict[str, int] = {}
        self._minute = 0
        self._in_minute: dict[str, int] = {}
        self._dropped: Counter[str] = Counter()
        self._told = 0.0

    def put(self, waiting: Packed) -> bool:
        """Take a fetch in; False when it was dropped. Costs microseconds, and never waits for disk or database."""
        address = waiting[ADDRESS]
        network = ":".join(address.split(":", 3)[:3]) if ":" in address else address.rpartition(".")[0]
        minute = int(time.monotonic() // 60)
        with self._lock:
            if minute != self._minute or len(self._in_minute) > MOST_NETWORKS:
                self._minute, self._in_minute = minute, {}
            here, lately = self._of_one.get(network, 0), self._in_minute.get(network, 0)
            if here >= MOST_WAITING_OF_ONE or lately >= MOST_A_MINUTE_OF_ONE:
                self._dropped["flood"] += 1
                return False
            if len(self._waiting) >= MOST_WAITING:
                self._dropped["full"] += 1
                return False
            self._of_one[network], self._in_minute[network] = here + 1, lately + 1
            self._waiting.append(waiting)
            first = len(self._waiting) == 1
        if first:
            if self._thread is None or not self._thread.is_alive():
                self._start()
            self._wake.set()
        return True

    def keep(self) -> int:
        """Lay on the disk what is in memory; return how many fetches that were. Raises Full or OSError."""
        with self._flushing:
            with self._lock:
                taken, self._waiting = self._waiting, []
                counted, self._of_one = self._of_one, {}
            if not taken:
                return 0
            try:
                self._keeps.put(taken)
            except BaseException:
                self._put_back(taken, counted)
                raise
            return len(taken)

    def tell_dropped(self, *, every: float = 0.0) -> None:
        """Write to the audit trail what was dropped since the last time; nothing when nothing was."""
        if not self._dropped or time.monotonic() - self._told < every:
            return
        self._told = time.monotonic()
        with self._lock:
            counts, self._dropped = self._dropped, Counter[str]()
        log.warning("tracking events were dropped", **counts)
        try:
            with transaction() as session:
                audit.record(session, None, DROPPED, "tracking", None, **counts)
        except Exception:
            log.exception("what was dropped could not be noted")

    def failed(self, count: int) -> None:
        """Count fetches that could not be written."""
        with self._lock:
            self._dropped["failed"] += count

    def _put_back(self, taken: list[Packed], counted: dict[str, int]) -> None:
        with self._lock:
            room = max(0, MOST_WAITING - len(self._waiting))
            self._waiting[:0] = taken[:room]
            if taken[room:]:
                self._dropped["full"] += len(taken[room:])
            for network, count in counted.items():
                self._of_one[network] = self._of_one.get(network, 0) + count

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="tracking-intake", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            self._wake.wait(TELL_EVERY_S)
            pause.wait(FLUSH_S)  # what comes together is judged together
            self._wake.clear()
            try:
                self.keep()
                self._then()
            except (OperationalError, OSError, Full):
                log.warning("neither disk nor database take tracking events; they wait", waiting=len(self._waiting))
                pause.wait(WAIT_S)
                self._wake.set()
            except Exception:
                log.exception("tracking events could not be written")
            self.tell_dropped(every=TELL_EVERY_S)

    def close(self) -> None:
        """Lay on the disk what is in memory before the process ends, and see it written where that is quick."""
        try:
            self.keep()
            ends = time.monotonic() + END_S
            while not self._then() and time.monotonic() < ends:
                time.sleep(FLUSH_S / 2)
        except Exception:
            log.exception("tracking events wait for the next start", in_memory=len(self._waiting))
        self.tell_dropped()
