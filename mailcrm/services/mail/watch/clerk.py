"""The watcher's thread for the database: writes down what the watcher saw, reads whom it is to watch.

The loop over the sockets never waits for a locked database; what can't be written now is kept and tried again. Learns
of connected, paused and removed mailboxes from the hints that those changes leave, and reads everything once in a
while besides. Does not decide anything.
"""

from __future__ import annotations

import queue as queues
import threading
import time
from collections.abc import Callable, Mapping

import structlog

from mailcrm.models.base import utcnow
from mailcrm.services import live
from mailcrm.services.mail.watch import ALIVE, rows
from mailcrm.services.mail.watch.rows import Target

LOOK_S = 1.0  # between two looks at the hints
READ_ALL_S = 60.0  # hints may have been swept while this process slept
NOTE_S = 1.0  # between two writings of how mailboxes are watched
HELD_S = 5.0

log = structlog.get_logger()


class Clerk:
    """Give it pushes and modes from the loop; it calls `news` with what is to be watched (None: not any more)."""

    def __init__(self, news: Callable[[dict[int, Target | None]], None], lost: Callable[[], bool]) -> None:
        """`lost` tells whether another watcher took over; the thread then ends."""
        self._news, self._lost = news, lost
        self._wanted: queues.SimpleQueue[int] = queues.SimpleQueue()
        self._lock = threading.Lock()
        self._modes: dict[int, str] = {}
        self._noted: dict[int, tuple[str, float]] = {}
        self._known: dict[int, Target] = {}
        self._last_hint = 0
        self._due = {"look": 0.0, "all": 0.0, "note": 0.0, "held": 0.0}
        self._changes = live.changes()
        self._unread = True  # whether something was written since everything was read
        self._stop = threading.Event()
        self.over = False
        self._thread = threading.Thread(target=self._run, name="clerk", daemon=True)

    def start(self) -> None:
        """Forget what an earlier watcher left in the rows, then begin."""
        rows.forget_all()
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Write what is left, then end."""
        self._stop.set()
        self._wanted.put(0)
        self._thread.join(seconds)

    def want(self, mailbox_id: int) -> None:
        """Ask for a sync (from the loop; at once)."""
        self._wanted.put(mailbox_id)

    def mode(self, mailbox_id: int, mode: str) -> None:
        """Say how a mailbox is watched from now on."""
        with self._lock:
            self._modes[mailbox_id] = mode

    def _run(self) -> None:
        wanted: set[int] = set()
        self._last_hint = -1
        while not self.over:
            wanted |= self._take()
            try:
                if wanted:
                    rows.request_syncs(wanted)
                    wanted = set()
                self._duties()
            except Exception:
                log.exception("the watcher's rows could not be read or written; it is tried again")
                self._unread, self._due["all"] = True, 0.0
                self._stop.wait(LOOK_S)
            if self._stop.is_set():
                self.over = True
        try:
            rows.forget_all()
        except Exception:
            log.exception("the watcher's rows could not be cleared")

    def _take(self) -> set[int]:
        found: set[int] = set()
        try:
            found.add(self._wanted.get(timeout=LOOK_S / 2))
            while True:
                found.add(self._wanted.get_nowait())
        except queues.Empty:
            pass
        found.discard(0)
        return found

    def _is_due(self, duty: str, every: float) -> bool:
        now = time.monotonic()
        if now < self._due[duty]:
            return False
        self._due[duty] = now + every
        return True

    def _duties(self) -> None:
        if self._is_due("held", HELD_S) and self._lost():
            log.error("another watcher has taken over")
            self.over = True
            return
        if self._last_hint < 0:
            self._last_hint = live.newest_id()
        changed = self._is_due("look", LOOK_S) and self._changes.any()
        self._unread = self._unread or changed
        if self._unread and self._is_due("all", READ_ALL_S):
            self._unread = False
            self._compare(rows.targets(), None)
        elif changed:
            self._last_hint, ids = rows.hints(self._last_hint)
            if ids:
                self._compare(rows.targets(ids), ids)
        if self._is_due("note", NOTE_S):
            self._note()

    def _compare(self, found: Mapping[int, Target], ids: set[int] | None) -> None:
        asked = set(self._known) | set(found) if ids is None else ids
        news: dict[int, Target | None] = {}
        for mailbox_id in asked:
            target = found.get(mailbox_id)
            if target != self._known.get(mailbox_id):
                news[mailbox_id] = target
            if target is None:
                self._known.pop(mailbox_id, None)
            else:
                self._known[mailbox_id] = target
        if news:
            self._news(news)

    def _note(self) -> None:
        now = time.monotonic()
        with self._lock:
            modes = dict(self._modes)
        stale = now - ALIVE.total_seconds()
        changed = {
            mailbox_id: mode
            for mailbox_id, mode in modes.items()
            if (seen := self._noted.get(mailbox_id, ("", now)))[0] != mode or (mode and seen[1] < stale)
        }
        if changed:
            rows.note(changed, utcnow())
            for mailbox_id, mode in changed.items():
                self._noted[mailbox_id] = (mode, now)
        with self._lock:
            for mailbox_id, mode in modes.items():
                if not mode and self._modes.get(mailbox_id) == "":
                    del self._modes[mailbox_id]
                    self._noted.pop(mailbox_id, None)
