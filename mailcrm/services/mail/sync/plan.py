"""Decides what a pass over one folder has to do, from the saved cursor and the server's answer. Pure.

        never opened ──Remap──▶ incremental ◀──────────────────────┐
                                   │ nothing differs: nothing      │
                                   │ UIDNEXT grew: ListNew         │
                                   │ modseq grew: Changes          │
                                   │ modseq fell or began: Round   │ a window each pass, downwards,
                                   │ no modseq: Flags, Round       │ until the lowest UID
                                   │ count differs: Compare        ┤ believed: rows removed or added
                                   │ UIDVALIDITY: Remap ───────────┘ not believed: "unknown", compared again next pass

`steps` says what to ask the server; `judge` and `judge_vanished` say whether an answer may be believed. None of them
removes a message: a UID that is gone only loses its location (rule 6). What stands before the `uidnext` of a cursor
is always accounted for, so running a plan twice changes nothing.

Mod-sequences (RFC 7162) are a convenience, never the truth: VANISHED is believed only as far as the server's own
count agrees, and a mod-sequence that goes backwards (a restored backup, a server that lies) begins a round over all
flags.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from mailcrm.services.mail.sync.cursor import Cursor, Server, end_of

WINDOW = 50_000  # UIDs in one listing (sync.md A2): bounds the length of the answer
BODIES = 200  # messages in one fetch (sync.md B2: larger gains nothing, smaller dies on latency)
BODY_BYTES = 5 * 256 * 1024  # and their bytes: six such batches are in memory at once (storing.py)
FIRST = 50  # messages in the very first fetch, so that a person sees something at once
MASS = 50  # fewer vanished messages than this are believed at once
MASS_SHARE = 0.2  # and so is a smaller part of the folder
NEWEST_FLAGS = 400  # messages whose flags are looked at often (sync.md A2, servers without CONDSTORE)
NEWEST_EVERY = timedelta(minutes=2)
ROUND_FLAGS = 4_000  # and of the others in one pass, while a round over all of them is due
ROUND_EVERY = timedelta(hours=6)
CHECKPOINT = 500  # changed messages in one transaction
MAX_TRIES = 3  # fetches that bring nothing before a message goes to quarantine


@dataclass(frozen=True, slots=True)
class Remap:
    """UIDVALIDITY is new: list everything, put known messages to their new UIDs, the rest is pending."""


@dataclass(frozen=True, slots=True)
class ListNew:
    """List the UIDs lo..hi; they become pending."""

    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class Compare:
    """List all UIDs up to `hi` and compare them with the known ones."""

    hi: int


@dataclass(frozen=True, slots=True)
class Changes:
    """Ask for what changed, and what vanished where the server tells that, after the mod-sequence `since`."""

    since: int


@dataclass(frozen=True, slots=True)
class Flags:
    """Fetch the flags of the `newest` messages again."""

    newest: int


@dataclass(frozen=True, slots=True)
class Round:
    """Fetch the flags of the next `ROUND_FLAGS` messages below `below`; None begins a round at the newest."""

    below: int | None


Step = Remap | ListNew | Compare | Changes | Flags | Round


def steps(cursor: Cursor, server: Server, now: datetime) -> tuple[Step, ...]:
    """Return what the folder needs before its pending messages are fetched; empty when nothing changed."""
    if cursor.uidvalidity != server.uidvalidity:
        return (Remap(),)
    out: list[Step] = []
    end = end_of(server)
    listing = end >= cursor.uidnext  # without UIDNEXT each time: an equal count proves nothing
    if listing:
        out.append(ListNew(cursor.uidnext, end))
    out += _flags(cursor, server, now)
    if not listing and server.exists != cursor.known:
        out.append(Compare(end))
    return tuple(out)


def after_listing(known: int, server: Server) -> Compare | None:
    """Return the comparison that is due when, with new UIDs added and vanished ones removed, the counts still differ."""
    return None if known == server.exists else Compare(end_of(server))


def resync(cursor: Cursor, server: Server) -> tuple[int, int, int] | None:
    """Return what to open the folder with so that the server tells what changed in the same answer (QRESYNC).

    That is (uidvalidity, modseq, highest known UID). None when there is nothing to ask, or so many messages that the
    answer is to be had in windows.
    """
    told, since = server.highestmodseq, cursor.highestmodseq
    if cursor.uidvalidity != server.uidvalidity or told is None or since is None or told <= since:
        return None
    if not 0 < cursor.known <= WINDOW or cursor.uidnext < 2:
        return None
    return server.uidvalidity, since, cursor.uidnext - 1


def _flags(cursor: Cursor, server: Server, now: datetime) -> list[Step]:
    if not cursor.known:
        return []
    if server.highestmodseq is not None:
        if cursor.highestmodseq is None or server.highestmodseq < cursor.highestmodseq:
            return [Round(None)]  # from here on changes are told; what changed before is not
        going_on: list[Step] = [Round(cursor.flags_below)] if cursor.flags_below is not None else []
        if server.highestmodseq > cursor.highestmodseq:
            return [Changes(cursor.highestmodseq), *going_on]
        return going_on
    out: list[Step] = []
    if cursor.flags_checked_at is None or now - cursor.flags_checked_at >= NEWEST_EVERY:
        out.append(Flags(NEWEST_FLAGS))
    if cursor.flags_below is not None:
        out.append(Round(cursor.flags_below))
    elif cursor.flags_round_at is None or now - cursor.flags_round_at >= ROUND_EVERY:
        out.append(Round(None))
    return out


def checkpoints(modseqs: Mapping[int, int | None], since: int, until: int) -> Iterator[tuple[list[int], int]]:
    """Cut changed UIDs into transactions in ascending order of mod-sequence; yield each with its checkpoint.

    After each, everything up to the checkpoint is stored: a pass that is cut goes on from there. Messages with one
    mod-sequence are never torn apart by a checkpoint. The last checkpoint is `until`, the folder's own.
    """
    ordered = sorted(modseqs, key=lambda uid: (modseqs[uid] if modseqs[uid] is not None else until, uid))
    reached = since
    for start in range(0, len(ordered), CHECKPOINT):
        part = ordered[start : start + CHECKPOINT]
        following = ordered[start + CHECKPOINT : start + CHECKPOINT + 1]
        if following:
            ahead = modseqs[following[0]]
            last = modseqs[part[-1]]
            if ahead is not None and last is not None:
                reached = max(reached, min(last if last < ahead else last - 1, until))
            yield part, reached
        else:
            yield part, until


def windows(lo: int, hi: int, exists: int) -> Iterator[tuple[int, int]]:
    """Cut lo..hi into listings of about `WINDOW` answers each.

    UIDs may be sparse (a million apart): a folder that holds few messages is listed in one go, and a large one in
    windows as wide as its UIDs lie apart, not in the 86,000 that 32 bits have room for.
    """
    if exists <= WINDOW:
        if lo <= hi:
            yield lo, hi
        return
    width = max(WINDOW, (hi - lo + 1) // (2 * exists // WINDOW + 1))
    while lo <= hi:
        yield lo, min(lo + width - 1, hi)
        lo += width


@dataclass(frozen=True, slots=True)
class Believe:
    """Remove `vanished` from the known UIDs and add `missing` as pending."""

    vanished: frozenset[int]
    missing: frozenset[int]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Do nothing now. `again`: list once more on a fresh connection; else wait for the next pass."""

    reason: Literal["count", "mass", "empty"]
    again: bool


def judge_vanished(known: int, vanished: int, exists: int) -> bool:
    """Decide whether the UIDs that a server says vanished may be forgotten without looking.

    Only when its own count agrees and they are not many; otherwise the folder is compared.
    """
    return known - vanished == exists and not _is_mass(vanished, known)


def _is_mass(vanished: int, known: int) -> bool:
    return vanished > MASS and vanished > MASS_SHARE * known


def among(uids: Iterable[int], ranges: Iterable[tuple[int, int]]) -> list[int]:
    """Return those of the UIDs that lie in one of the ranges, ascending."""
    out: list[int] = []
    left = iter(sorted(ranges))
    current = next(left, None)
    for uid in sorted(uids):
        while current is not None and current[1] < uid:
            current = next(left, None)
        if current is None:
            break
        if current[0] <= uid:
            out.append(uid)
    return out


def judge(
    known: AbstractSet[int], listed: AbstractSet[int], exists: int, *, confirmed: bool, suspicious: bool
) -> Believe | Doubt:
    """Decide whether a listing may be believed.

    A listing that disagrees with the server's own count is unknown. Many messages vanished at once are believed when
    a fresh connection says the same (`confirmed`); a folder that lost everything, only when the pass before saw it
    too (`suspicious`).
    """
    if len(listed) != exists:
        return Doubt("count", again=not confirmed)
    vanished = known - listed
    if _is_mass(len(vanished), len(known)):
        if not confirmed:
            return Doubt("mass", again=True)
        if not listed and not suspicious:
            return Doubt("empty", again=False)
    return Believe(frozenset(vanished), frozenset(listed - known))
