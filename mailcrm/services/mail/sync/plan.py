"""Decides what a pass over one folder has to do, from the saved cursor and the server's answer. Pure.

        never opened ──Remap──▶ incremental ◀──────────────┐
                                   │ uidnext grew: ListNew  │
                                   │ count differs: Compare ┤ believed: rows removed or added
                                   │ UIDVALIDITY: Remap ────┘ not believed: "unknown", compared again next pass

`steps` says what to ask the server; `judge` says whether a comparison's result may be believed. Neither removes a
message: a UID that is gone only loses its location (rule 6). What stands before the `uidnext` of a cursor is always
accounted for, so running a plan twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from mailcrm.services.mail.sync.cursor import Cursor, Server, end_of

WINDOW = 50_000  # UIDs in one listing (sync.md A2): bounds the length of the answer
BODIES = 200  # messages in one fetch (sync.md B2: larger gains nothing, smaller dies on latency)
BODY_BYTES = 8 * 1024 * 1024  # and their bytes
FIRST = 50  # messages in the very first fetch, so that a person sees something at once
MASS = 50  # fewer vanished messages than this are believed at once
MASS_SHARE = 0.2  # and so is a smaller part of the folder
NEWEST_FLAGS = 400  # messages whose flags are looked at often (sync.md A2, servers without CONDSTORE)
NEWEST_EVERY = timedelta(minutes=2)
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
class Flags:
    """Fetch flags again: of what changed after `since`, else of the `newest` messages, else (None) of all."""

    since: int | None
    newest: int | None


Step = Remap | ListNew | Compare | Flags


def steps(cursor: Cursor, server: Server, now: datetime) -> tuple[Step, ...]:
    """Return what the folder needs before its pending messages are fetched; empty when nothing changed."""
    if cursor.uidvalidity != server.uidvalidity:
        return (Remap(),)
    out: list[Step] = []
    end = end_of(server)
    if end >= cursor.uidnext:  # a server that doesn't tell UIDNEXT is asked each time: an equal count proves nothing
        out.append(ListNew(cursor.uidnext, end))
    elif server.exists != cursor.known:
        out.append(Compare(end))
    if flags := _flags(cursor, server, now):
        out.append(flags)
    return tuple(out)


def after_listing(known: int, server: Server) -> Compare | None:
    """Return the comparison that is due when, with the new UIDs added, the counts still differ."""
    return None if known == server.exists else Compare(end_of(server))


def _flags(cursor: Cursor, server: Server, now: datetime) -> Flags | None:
    if not cursor.known:
        return None
    if server.highestmodseq is not None:
        if cursor.highestmodseq is None:  # from here on changes are told; what changed before is not
            return Flags(since=None, newest=None)
        if server.highestmodseq != cursor.highestmodseq:
            return Flags(since=cursor.highestmodseq, newest=None)
        return None
    if cursor.flags_checked_at is None or now - cursor.flags_checked_at >= NEWEST_EVERY:
        return Flags(since=None, newest=NEWEST_FLAGS)
    return None


def windows(lo: int, hi: int, exists: int) -> Iterator[tuple[int, int]]:
    """Cut lo..hi into listings of at most `WINDOW` answers each.

    UIDs may be sparse (a million apart): a folder that holds few messages is listed in one go.
    """
    if exists <= WINDOW:
        if lo <= hi:
            yield lo, hi
        return
    while lo <= hi:
        yield lo, min(lo + WINDOW - 1, hi)
        lo += WINDOW


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
    if len(vanished) > MASS and len(vanished) > MASS_SHARE * len(known):
        if not confirmed:
            return Doubt("mass", again=True)
        if not listed and not suspicious:
            return Doubt("empty", again=False)
    return Believe(frozenset(vanished), frozenset(listed - known))
