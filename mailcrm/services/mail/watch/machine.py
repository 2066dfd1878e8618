r"""One watched connection as a machine without a socket: bytes in, events and commands out (RFC 2177).

                    ┌── NO, BAD, or over at once, thrice ──▶ polling: STATUS ⇄ rest
     EXAMINE ──▶ (STATUS of the others) ──▶ IDLE ──"+"──▶ idling ──renew, check──▶ DONE ──OK──┐
                            ▲                                                                 │
                            └─────────────────────────────────────────────────────────────────┘
     anywhere: BYE, end of stream, no answer in time, garbage, flood ──▶ lost

What the server says is believed only as a hint that something changed; what it was is the sync's to find out. Lines
may come in any pieces and hold literals; the same bytes give the same events however they were cut. A literal is
skipped unread, a line and a period between two renewals have a most.
Does no I/O and reads no clock: `now` is given, in seconds that never go back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ANSWER_S = 30.0  # until "+", or the answer to a command: slow servers take seconds to open a large folder
CHECK_S = 15.0  # the same after a sleep, when most connections are dead
MAX_LINE = 64 * 1024  # bytes; a push has a few dozen
MAX_LITERAL = 16 * 1024 * 1024  # bytes; nobody has a reason to send one here at all
MAX_TALK = 32 * 1024 * 1024  # bytes between two renewals: 300,000 flag changes are half of it
SHORT_S = 5.0  # an IDLE that the server ends sooner than this was not meant
SHORT_MOST = 3

_LITERAL = re.compile(rb"\{(\d{1,12})\+?\}\r?$")
_STATUS = re.compile(rb"^\* STATUS .*\(([^()]*)\)\s*$", re.IGNORECASE | re.DOTALL)

Mode = Literal["idle", "poll"]
Reason = Literal["closed", "bye", "timeout", "garbage", "flood", "missing", "refused"]


@dataclass(frozen=True, slots=True)
class Ready:
    """The connection watches from now on, in this way. What came before is not known: sync once."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class Changed:
    """Something changed; `fresh` when new mail may be what it was."""

    fresh: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is of no more use; close it. `text` is what the server said, if it did."""

    reason: Reason
    text: str = ""


Event = Ready | Changed | Lost


class Lines:
    """Cuts a stream into lines; a literal is skipped and the line goes on behind it."""

    __slots__ = ("_line", "_rest", "_skip", "broken", "taken")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._line = b""  # the part of a line before a literal
        self._skip = 0
        self.broken = False
        self.taken = 0  # bytes of the lines so far, literals included

    def feed(self, data: bytes) -> None:
        """Add what was read."""
        self._rest += data

    def next(self) -> bytes | None:
        """Return the next whole line without its end, None when it has not come yet, or never will (`broken`)."""
        while not self.broken:
            if self._skip:
                gone = min(self._skip, len(self._rest))
                del self._rest[:gone]
                self._skip -= gone
                if self._skip:
                    return None
            end = self._rest.find(b"\n")
            if (len(self._rest) if end < 0 else end) + len(self._line) > MAX_LINE:
                self.broken = True
                return None
            if end < 0:
                return None
            part = bytes(self._rest[:end])
            del self._rest[: end + 1]
            self.taken += end + 1
            literal = _LITERAL.search(part)
            if literal is None:
                line, self._line = self._line + part.rstrip(b"\r"), b""
                return line
            self._skip = int(literal[1])
            self._line += part[: literal.start()] + b'""'
            self.taken += self._skip
            self.broken = self._skip > MAX_LITERAL
        return None


class Idler:
    """The protocol of one signed-in connection from EXAMINE on.

    `folder` and `others` are names as they stand on the wire, quoted. `others` are asked for with STATUS at every
    renewal. `due` is when `tick` wants to be called; `take` gives the bytes to send.
    """

    __slots__ = (
        "_also", "_asked", "_can_idle", "_deadline", "_known", "_lines", "_next", "_others", "_out", "_poll_s",
        "_ready", "_renew_s", "_short", "_since", "_tag", "_talked", "due", "folder", "mode", "state",
    )  # fmt: skip

    def __init__(
        self,
        folder: bytes,
        now: float,
        *,
        renew_s: float,
        poll_s: float,
        can_idle: bool = True,
        others: Sequence[bytes] = (),
        condstore: bool = False,
    ) -> None:
        self.folder = folder
        self.state = "new"
        self.mode: Mode = "idle" if can_idle else "poll"
        self.due = now
        self._renew_s = min(renew_s, poll_s) if others else renew_s
        self._poll_s = poll_s
        self._others = list(others)
        self._asked: list[bytes] = []
        self._known: dict[bytes, bytes] = {}
        self._also = b"(MESSAGES UIDNEXT UIDVALIDITY UNSEEN" + (b" HIGHESTMODSEQ)" if condstore else b")")
        self._lines = Lines()
        self._out = bytearray()
        self._tag = b""
        self._next = 0
        self._ready = False
        self._short = 0
        self._since = now
        self._talked = 0
        if can_idle:
            self._command(b"EXAMINE " + folder, "opening", now)
        else:
            self._ask(now)

    def take(self) -> bytes:
        """Return what is to be sent, and forget it."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Digest what was read; b"" is the end of the stream."""
        events: list[Event] = []
        if not data:
            self._lose(events, "closed")
            return events
        self._lines.feed(data)
        while self.state != "lost":
            line = self._lines.next()
            if line is None:
                if self._lines.broken:
                    self._lose(events, "garbage")
                break
            if self._lines.taken - self._talked > MAX_TALK:
                self._lose(events, "flood")
            else:
                self._line(line, now, events)
        return events

    def tick(self, now: float) -> list[Event]:
        """Do what is due: renew, poll, or give up waiting for an answer."""
        events: list[Event] = []
        if self.state == "lost" or now < self.due:
            return events
        if self.state == "idling":
            self._done(now, ANSWER_S)
        elif self.state == "resting":
            self._talked = self._lines.taken
            self._ask(now)
        else:
            self._lose(events, "timeout")
        return events

    def check(self, now: float) -> None:
        """Find out soon whether the server is still there (the machine slept, the network changed)."""
        if self.state == "idling":
            self._done(now, CHECK_S)
        elif self.state == "resting":
            self._ask(now)
            self.due = now + CHECK_S
        elif self.state != "lost":
            self.due = min(self.due, now + CHECK_S)

    # ---- what the server says

    def _line(self, line: bytes, now: float, events: list[Event]) -> None:
        if line.startswith(b"* "):
            self._untagged(line, events)
        elif line.startswith(self._tag + b" "):
            self._tagged(line[len(self._tag) + 1 :], now, events)
        elif line.startswith(b"+"):
            if self.state == "asking":
                self._since = now
                self._wait("idling", now + self._renew_s)
                self._say_ready("idle", events)
        elif line.strip():
            self._lose(events, "garbage", line)

    def _untagged(self, line: bytes, events: list[Event]) -> None:
        words = line[2:].split(None, 2)
        first = words[0].upper() if words else b""
        if first == b"BYE":
            self._lose(events, "bye", line)
        elif first == b"STATUS":
            found = _STATUS.match(line)
            if found and self._asked:
                self._compare(self._asked[0], b" ".join(found[1].upper().split()), events)
        elif self.state != "opening" and (
            first == b"VANISHED"
            or (len(words) > 1 and first.isdigit() and words[1].upper() in (b"EXISTS", b"RECENT", b"EXPUNGE", b"FETCH"))
        ):
            events.append(Changed(first != b"VANISHED" and words[1].upper() in (b"EXISTS", b"RECENT")))

    def _compare(self, folder: bytes, counts: bytes, events: list[Event]) -> None:
        before = self._known.get(folder)
        self._known[folder] = counts
        if before is not None and before != counts:
            events.append(Changed(True))

    def _tagged(self, answer: bytes, now: float, events: list[Event]) -> None:
        ok = answer[:2].upper() == b"OK"
        if self.state == "opening":
            if ok:
                self._ask(now)
            else:
                self._lose(events, "missing", answer)
        elif self.state == "ending":
            self._ask(now)  # whatever it answered: it is there
        elif self.state in ("asking", "idling"):
            self._short = self._short + 1 if self.state == "asking" or now - self._since < SHORT_S else 0
            if ok and self._short < SHORT_MOST:
                self._idle(now)
            else:  # offered and refused, or over at once
                self.mode = "poll"
                self._ask(now)
        elif self.state == "status":
            folder = self._asked.pop(0)
            if not ok and folder == self.folder:
                self._lose(events, "refused", answer)
                return
            if not ok:
                self._others.remove(folder)  # gone; the sync tells what became of it
            self._ask_next(now, events)
        else:
            self._lose(events, "garbage", answer)

    # ---- what we say

    def _idle(self, now: float) -> None:
        self._command(b"IDLE", "asking", now)

    def _done(self, now: float, answer_s: float) -> None:
        self._out += b"DONE\r\n"
        self._talked = self._lines.taken
        self._wait("ending", now + answer_s)

    def _ask(self, now: float) -> None:
        """Ask for the counts of every folder that no IDLE tells about; then idle, or rest."""
        self._asked = [*([self.folder] if self.mode == "poll" else []), *self._others]
        self._ask_next(now, [])

    def _ask_next(self, now: float, events: list[Event]) -> None:
        if self._asked:
            self._command(b"STATUS " + self._asked[0] + b" " + self._also, "status", now)
        elif self.mode == "idle":
            self._idle(now)
        else:
            self._wait("resting", now + self._poll_s)
            self._say_ready("poll", events)

    def _command(self, command: bytes, state: str, now: float) -> None:
        self._next += 1
        self._tag = b"w%d" % self._next
        self._out += self._tag + b" " + command + b"\r\n"
        self._wait(state, now + ANSWER_S)

    def _wait(self, state: str, until: float) -> None:
        self.state, self.due = state, until

    def _say_ready(self, mode: Mode, events: list[Event]) -> None:
        if not self._ready:
            events.append(Ready(mode))
        self._ready = True

    def _lose(self, events: list[Event], reason: Reason, line: bytes = b"") -> None:
        if self.state != "lost":
            self.state = "lost"
            self._out.clear()
            events.append(Lost(reason, "".join(c for c in line[:120].decode("latin-1") if c.isprintable())))
