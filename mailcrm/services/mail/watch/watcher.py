"""The watcher: one loop over all sockets; whoever's server says that something changed gets a sync.

     rows ──clerk──▶ waiting ──door (sign-in threads)──▶ open ──push──▶ debounce ──clerk──▶ row + wake-up
                        ▲                                 │
                        └────────── back-off ◀── lost ────┘

A lost connection comes back with a delay that grows while it does not last; a refused password waits until the row
changes, so that accounts are not locked. After a sleep of the machine, and when the clock jumps, every connection is
asked at once whether it still lives. Does not fetch anything, and does not touch a mailbox's error: the sync does.
"""

from __future__ import annotations

import heapq
import itertools
import random
import resource
import selectors
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from mailcrm.errors import MailcrmError, PermanentError, TransientError
from mailcrm.services.mail.watch.clerk import Clerk
from mailcrm.services.mail.watch.debounce import Debounce
from mailcrm.services.mail.watch.line import Line
from mailcrm.services.mail.watch.machine import Changed, Event, Idler, Lost, Ready
from mailcrm.services.mail.watch.rows import Target
from mailcrm.services.mail.watch.signin import PER_SECOND, Door, SignedIn
from mailcrm.services.mail.watch.sole import Sole

TURN_S = 5.0  # the loop wakes up at least this often, to see whether the machine slept
SLEPT_S = 20.0  # a difference between the clock on the wall and the one that stands still in sleep
STEADY_S = 60.0  # a connection that lived this long begins its back-off anew
FIRST_S, GROWTH, MOST_S = 2.0, 1.5, 600.0
REFUSED_S = 15 * 60.0  # a password or a setting that does not work; a change of the row comes sooner
THROTTLED_S = 5 * 60.0  # the sync needs the server's patience more than the watcher does
STANDBY_S = 2.0

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Watch:
    """One folder of one mailbox, with its connection when it has one."""

    target: Target
    place: bytes
    first: bool
    machine: Idler | None = None
    line: Line | None = None
    since: float = 0.0
    failures: int = 0
    timer: float = field(default=float("inf"))
    ended: bool = False
    mode: str = ""


def pause_after(failures: int) -> float:
    """Seconds before the next sign-in after so many failures in a row, with jitter: servers restart for everybody."""
    most = min(FIRST_S * GROWTH ** min(failures, 30), MOST_S)
    return random.uniform(most / 2, most)


class Watcher:
    """See the module. `run` is the loop; only `stop` and the callbacks may be called from other threads."""

    def __init__(self, sole: Sole | None = None, *, per_second: float = PER_SECOND) -> None:
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        for each in (self._bell, self._ear):
            each.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ, None)
        self._inbox: deque[tuple[Watch, SignedIn | MailcrmError] | dict[int, Target | None]] = deque()
        self._door: Door[Watch] = Door(self._let_in, per_second=per_second)
        self._clerk = Clerk(self._news, lambda: sole is not None and not sole.is_held())
        self._watches: dict[int, dict[bytes, Watch]] = {}
        self._pushes: dict[int, Debounce] = {}
        self._timers: list[tuple[float, int, Watch | int]] = []
        self._order = itertools.count()
        self._more: set[Watch] = set()
        self._stop = threading.Event()
        self._clocks = (time.monotonic(), time.time())
        self._said = 0.0

    # ---- from other threads

    def stop(self) -> None:
        """End the loop soon."""
        self._stop.set()
        self._ring()

    def _let_in(self, watch: Watch, result: SignedIn | MailcrmError) -> None:
        self._inbox.append((watch, result))
        self._ring()

    def _news(self, news: dict[int, Target | None]) -> None:
        self._inbox.append(news)
        self._ring()

    def _ring(self) -> None:
        with suppress(OSError):  # full: it will be heard
            self._bell.send(b"!")

    # ---- the loop

    def run(self) -> None:
        """Watch until `stop`, or until another watcher has taken over."""
        self._clerk.start()
        try:
            while not self._stop.is_set() and not self._clerk.over:
                self._turn()
        finally:
            self._clerk.stop(3.0)
            for watches in self._watches.values():
                for watch in watches.values():
                    if watch.line is not None:
                        watch.line.close()

    def counts(self) -> dict[str, int]:
        """How many folders are watched in each way; "waiting" have no connection now."""
        found = {"idle": 0, "poll": 0, "waiting": 0}
        for watches in self._watches.values():
            for watch in watches.values():
                found[watch.mode or "waiting"] += 1
        return found

    def _turn(self) -> None:
        now = time.monotonic()
        again = self._door.open(now)
        until = min(self._timers[0][0] if self._timers else now + TURN_S, again or now + TURN_S, now + TURN_S)
        ready = self._selector.select(0 if self._more else max(0.0, until - now))
        now = time.monotonic()
        more, self._more = self._more, set()
        for key, _mask in ready:
            watch: Watch | None = key.data
            if watch is None:
                with suppress(OSError):
                    while self._ear.recv(4096):
                        pass
            else:
                more.add(watch)
        for watch in more:
            self._read(watch, now)
        while self._inbox:
            item = self._inbox.popleft()
            if isinstance(item, dict):
                self._change(item, now)
            else:
                self._signed_in(*item, now)
        self._look_at_the_clock(now)
        while self._timers and self._timers[0][0] <= now:
            due, _, what = heapq.heappop(self._timers)
            if isinstance(what, int):
                self._ask(what, now)
            elif due == what.timer:  # else it was set anew
                self._tick(what, now)

    def _look_at_the_clock(self, now: float) -> None:
        """Check everything when the wall's clock went on without ours: the machine slept."""
        was, wall = self._clocks
        self._clocks = (now, time.time())
        if (self._clocks[1] - wall) - (now - was) > SLEPT_S:
            log.info("the machine slept; every connection is checked", **self.counts())
            for watches in self._watches.values():
                for watch in watches.values():
                    if watch.machine is not None:
                        watch.machine.check(now)
                        self._after(watch, [], now)
                    elif watch.timer < float("inf"):
                        self._set_timer(watch, now)

    # ---- whom to watch

    def _change(self, news: dict[int, Target | None], now: float) -> None:
        for mailbox_id, target in news.items():
            old = self._watches.pop(mailbox_id, {})
            kept: dict[bytes, Watch] = {}
            for place in target.places if target else ():
                watch, first = old.get(place), not kept
                others = target.others if target and first else ()
                if watch and target and (watch.target.stamp, watch.first, watch.target.others if first else ()) == (
                    target.stamp, first, others,
                ):  # fmt: skip
                    watch.target = target
                elif target:
                    watch = Watch(target, place, first)
                    self._set_timer(watch, now)
                if watch:
                    kept[place] = watch
            for watch in old.values():
                if watch not in kept.values():
                    self._end(watch)
            if kept:
                self._watches[mailbox_id] = kept
            else:
                self._pushes.pop(mailbox_id, None)
            self._say_mode(mailbox_id)

    def _end(self, watch: Watch) -> None:
        watch.ended = True
        self._hang_up(watch)

    def _hang_up(self, watch: Watch) -> None:
        if watch.line is not None:
            with suppress(KeyError, ValueError):
                self._selector.unregister(watch.line)
            watch.line.close()
        watch.line = watch.machine = None
        watch.mode = ""

    # ---- one connection

    def _signed_in(self, watch: Watch, result: SignedIn | MailcrmError, now: float) -> None:
        if watch.ended or self._stop.is_set():
            if isinstance(result, SignedIn):
                result.line.close()
            return
        if isinstance(result, MailcrmError):
            watch.failures += 1
            log.info(
                "a mailbox could not be watched", mailbox_id=watch.target.mailbox_id, code=result.code,
                failures=watch.failures,
            )  # fmt: skip
            self._set_timer(watch, now + _pause(result, watch.failures))
            return
        borne = watch.target.pace
        watch.line, watch.since = result.line, now
        watch.machine = Idler(
            watch.place,
            now,
            renew_s=borne.renew_s * random.uniform(0.9, 1.0),  # a thousand that began together renew apart
            poll_s=borne.poll_s * random.uniform(0.9, 1.0),
            can_idle=borne.idle and "IDLE" in result.capabilities,
            others=watch.target.others if watch.first else (),
            condstore="CONDSTORE" in result.capabilities,
        )
        self._selector.register(watch.line, selectors.EVENT_READ, watch)
        rest, watch.line.rest = watch.line.rest, b""
        self._more.add(watch)  # TLS may hold what no selector shows
        self._after(watch, watch.machine.receive(rest, now) if rest else [], now)

    def _read(self, watch: Watch, now: float) -> None:
        if watch.line is None or watch.machine is None:
            return
        pieces, more = watch.line.read()
        if more:
            self._more.add(watch)
        machine = watch.machine
        for data in pieces:
            self._after(watch, machine.receive(data, now), now)
        self._after(watch, [], now)  # what could not be sent before

    def _tick(self, watch: Watch, now: float) -> None:
        watch.timer = float("inf")
        if watch.ended:
            return
        if watch.machine is not None:
            self._after(watch, watch.machine.tick(now), now)
        else:
            self._door.knock(watch, watch.target.host, watch.target.mailbox_id, suspect=watch.failures > 0)

    def _after(self, watch: Watch, events: list[Event], now: float) -> None:
        """Do what follows from events: send, ask for a sync, come again."""
        for event in events:
            if isinstance(event, Changed):
                self._push(watch.target.mailbox_id, now, fresh=event.fresh)
            elif isinstance(event, Ready):
                watch.mode = event.mode
                self._say_mode(watch.target.mailbox_id)
                self._push(watch.target.mailbox_id, now, fresh=False)  # what came while nobody watched
            else:
                self._lost(watch, event, now)
                return
        if watch.machine is None or watch.line is None:
            return
        waits = watch.line.send(watch.machine.take())
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if waits else 0)
        if self._selector.get_key(watch.line).events != wanted:
            self._selector.modify(watch.line, wanted, watch)
        if watch.machine.due < watch.timer:
            self._set_timer(watch, watch.machine.due)

    def _lost(self, watch: Watch, event: Lost, now: float) -> None:
        lived = now - watch.since
        watch.failures = 0 if lived > STEADY_S else watch.failures + 1
        self._hang_up(watch)
        self._say_mode(watch.target.mailbox_id)
        wait = REFUSED_S if event.reason in ("missing", "refused") else pause_after(watch.failures)
        log.info(
            "a watched connection was lost", mailbox_id=watch.target.mailbox_id, reason=event.reason, said=event.text,
            lived_s=round(lived), again_in_s=round(wait),
        )  # fmt: skip
        self._set_timer(watch, now + wait)

    # ---- what others are told

    def _push(self, mailbox_id: int, now: float, *, fresh: bool) -> None:
        bounce = self._pushes.setdefault(mailbox_id, Debounce())
        before = bounce.due
        bounce.push(now, fresh=fresh)
        if bounce.due is not None and bounce.due <= now:
            self._ask(mailbox_id, now)
        elif bounce.due is not None and bounce.due != before:
            heapq.heappush(self._timers, (bounce.due, next(self._order), mailbox_id))

    def _ask(self, mailbox_id: int, now: float) -> None:
        bounce = self._pushes.get(mailbox_id)
        if bounce is not None and bounce.take(now):
            self._clerk.want(mailbox_id)

    def _say_mode(self, mailbox_id: int) -> None:
        """A mailbox is watched as its first folder is."""
        first = next((each for each in self._watches.get(mailbox_id, {}).values() if each.first), None)
        self._clerk.mode(mailbox_id, first.mode if first else "")

    def _set_timer(self, watch: Watch, due: float) -> None:
        watch.timer = due
        heapq.heappush(self._timers, (due, next(self._order), watch))


def _pause(error: MailcrmError, failures: int) -> float:
    """Seconds until the next sign-in after it was refused."""
    if isinstance(error, TransientError) and error.retry_after is not None:
        return max(error.retry_after, pause_after(failures))
    if error.code == "imap.throttled":
        return max(THROTTLED_S, pause_after(failures))
    if isinstance(error, PermanentError):
        return REFUSED_S
    return pause_after(failures)


def _allow_sockets() -> None:
    """Raise this process's limit of open files as far as it may: 1,024 are a common default."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def run() -> None:
    """Watch until SIGTERM or SIGINT; while another watcher does, stand by. Who starts it has looked at the database."""
    import os
    import signal

    _allow_sockets()
    stop = threading.Event()
    running: list[Watcher] = []

    def end(_number: int, _frame: object) -> None:
        stop.set()
        for each in running:
            each.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    sole = Sole()
    while not stop.is_set() and not sole.acquire():
        stop.wait(STANDBY_S)
    if not stop.is_set():
        watcher = Watcher(sole)
        running.append(watcher)
        log.info("watcher started")
        if not stop.is_set():
            watcher.run()
        log.info("watcher stopped", **watcher.counts())
    os._exit(0)  # a thread that waits for a server must not hold the process up
