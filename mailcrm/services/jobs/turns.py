"""Who of the running syncs may go on: short ones always, long ones four at a time, in turns, the stuck ones aside.

     enter ──▶ free for `FREE_S` ──▶ wants a slot ──▶ holds it for `SLICE_S` ──others wait──▶ ends, comes again later
                     │                    ▲   │
                     └── done (most) ─────┘   └── silent for `SILENT_S`: its slot counts as free

A pass for a new message is over before it needs a slot, so neither first syncs of large mailboxes nor servers that
hang delay it: those hold a thread each and nothing else. Mailboxes whose server hung last time share half of the
threads, and passes whose server has not answered at all are `PER_HOST` at most for one host. Knows no database and
starts nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

SLOTS = 4  # long passes at once: parsing is ours, and more threads than that make it slower (sync.md A3)
FREE_S = 3.0
SLICE_S = 10.0
SILENT_S = 4.0
WAIT_MOST_S = 20.0  # a server ends a connection that says nothing for minutes
PER_HOST = 8


class Turn:
    """One running pass."""

    __slots__ = ("_turns", "answered", "held_since", "host", "seen", "since", "suspect")

    def __init__(self, turns: Turns, host: str, suspect: bool, now: float) -> None:
        self._turns, self.host, self.suspect = turns, host, suspect
        self.since = self.seen = now
        self.answered = False  # its server did something for it
        self.held_since: float | None = None

    def is_over(self) -> bool:
        """Tell between two batches whether the pass is to end now; may wait for a slot."""
        return self._turns._is_over(self)  # pyright: ignore[reportPrivateUsage]

    def leave(self) -> None:
        """The pass ended."""
        self._turns._leave(self)  # pyright: ignore[reportPrivateUsage]


class Turns:
    """The turns of one process with `threads` threads."""

    def __init__(self, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._threads, self._clock = threads, clock
        self._changed = threading.Condition()
        self._running: set[Turn] = set()
        self._queue: deque[Turn] = deque()
        self.closed = False

    def enter(self, host: str, *, suspect: bool) -> Turn | None:
        """Begin a pass; None when its like have enough threads: it is asked for again later."""
        with self._changed:
            now = self._clock()
            silent = sum(
                turn.host == host and not turn.answered and now - turn.since > SILENT_S for turn in self._running
            )
            suspects = sum(turn.suspect for turn in self._running)
            if silent >= PER_HOST or (suspect and suspects >= self._threads // 2):
                return None
            turn = Turn(self, host, suspect, now)
            self._running.add(turn)
            return turn

    def close(self) -> None:
        """The process stops: everybody's turn is over."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def _is_over(self, turn: Turn) -> bool:
        with self._changed:
            now = turn.seen = self._clock()
            turn.suspect, turn.answered = False, True
            if self.closed:
                return True
            if turn.held_since is not None:
                if now - turn.held_since < SLICE_S or not self._queue:
                    return False
                turn.held_since = None
                self._changed.notify_all()
                return True
            if now - turn.since < FREE_S:
                return False
            return not self._wait_for_slot(turn, now + WAIT_MOST_S)

    def _wait_for_slot(self, turn: Turn, ends: float) -> bool:
        self._queue.append(turn)
        try:
            while not self.closed:
                now = turn.seen = self._clock()
                held = sum(each.held_since is not None and now - each.seen <= SILENT_S for each in self._running)
                if held < SLOTS and self._queue[0] is turn:
                    turn.held_since = now
                    return True
                if now >= ends:
                    return False
                self._changed.wait(min(ends - now, 1.0))
            return False
        finally:
            self._queue.remove(turn)
            self._changed.notify_all()

    def _leave(self, turn: Turn) -> None:
        with self._changed:
            self._running.discard(turn)
            self._changed.notify_all()
