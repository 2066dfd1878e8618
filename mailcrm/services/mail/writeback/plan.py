r"""Decides what one action means for what the server says now. Pure: values in, one step out.

The applier looks, asks `decide`, does the step, looks again, until the step is an `End`. Each step can be cut off
anywhere and looked at again from the start: nothing is lost, and nothing is done twice.

*Read and unread* put \Seen on a message or take it off; a single flag is added or removed, so that no other flag can
be overwritten (UNCHANGEDSINCE would add nothing).

    what the server says            read, unread
    ------------------------------  ---------------------------------------------------------------
    flag as we want it              already (somebody did it there too)
    flag otherwise                  STORE: what was done here wins once; after that the server's word wins
    moved elsewhere, place known    the same there
    gone, or its folder is gone     obsolete: gone
    UIDVALIDITY changed             looked up by EMAILID, X-GM-MSGID or Message-ID, then as above

*Archive and delete* take a message to the archive or to Trash; *unarchive and undelete* take it back to where it was.

    what the server says            archive, delete, unarchive, undelete
    ------------------------------  ---------------------------------------------------------------
    still there                     MOVE; without it COPY, then remove; with neither MOVE nor UIDPLUS: failed
    still there, our copy is made   remove the original (a crash came in between): never a second copy
    in the target already           done when we began it, else already
    moved to another folder         obsolete: the server wins, it was filed there on purpose
    marked \Deleted there            obsolete: the server wins, another program is deleting it
    gone, or its folder is gone     obsolete: gone (nothing is made up for it)
    the target folder is missing    failed with the sentence of which folder; none is created
    UIDVALIDITY changed             looked up as above

*Remove* is STORE \Deleted and UID EXPUNGE of exactly that UID (RFC 4315), never a plain EXPUNGE, and only after the
copy was seen in the target.

*What the user does later*: the opposite act takes back what has not begun; what has begun is settled first, and its
opposite after it, in the order they were done. A read that a later unread follows is obsolete (it says it all). A
setting that is switched off makes obsolete what is queued; a move that has begun and made its copy is still finished,
so that no message lies in two places.

*Refusals*: a lost connection, a time-out or a server's NO is tried again, ever less often; a NO that comes
`MAX_TRIES` times is failed with the server's own words, kept in the row and shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Kind = Literal["read", "unread", "archive", "unarchive", "delete", "undelete"]
FLAGS: frozenset[Kind] = frozenset({"read", "unread"})
BACK: frozenset[Kind] = frozenset({"unarchive", "undelete"})
OPPOSITE: dict[Kind, Kind] = {
    "read": "unread",
    "unread": "read",
    "archive": "unarchive",
    "unarchive": "archive",
    "delete": "undelete",
    "undelete": "delete",
}

MAX_TRIES = 5  # refusals before a person is asked
RETRY_LEAST, RETRY_MOST = timedelta(seconds=30), timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Wish:
    """An action as far as deciding goes.

    `begun`: a command for it may have reached the server. `allowed`: its setting is still on. `followed`: a later
    action of the same message says what its flag shall be. `keeps`: the source keeps the message (Gmail's All Mail).
    """

    kind: Kind
    begun: bool = False
    allowed: bool = True
    followed: bool = False
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What the server says. `here`: at its source; `there`: in the target; `elsewhere`: in another folder.

    `there` counts for a fresh action only when it is not `here`: a second message of the same name in the target is
    nobody's business.
    """

    here: bool
    seen: bool = False
    deleted: bool = False
    there: bool = False
    elsewhere: bool = False
    target: bool = True
    same: bool = False  # source and target are one folder


@dataclass(frozen=True, slots=True)
class Can:
    """What the server offers: MOVE (RFC 6851), and UID EXPUNGE (UIDPLUS, RFC 4315)."""

    move: bool
    uidplus: bool


@dataclass(frozen=True, slots=True)
class Store:
    r"""Put \Seen on, or take it off."""

    seen: bool


@dataclass(frozen=True, slots=True)
class Move:
    """MOVE to the target."""


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY to the target; the original stays for now."""


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the original, whose copy is in the target."""


@dataclass(frozen=True, slots=True)
class End:
    """The action is over. `moved`: the message left its source for the target."""

    state: Literal["done", "obsolete", "failed"]
    outcome: str
    moved: bool = False


Step = Store | Move | Copy | Remove | End


def decide(wish: Wish, found: Found, can: Can) -> Step:
    """Return the next step: the truth table above."""
    return _flag(wish, found) if wish.kind in FLAGS else _place(wish, found, can)


def _flag(wish: Wish, found: Found) -> Step:
    wanted = wish.kind == "read"
    if wish.followed:
        return End("obsolete", "replaced")
    if not found.here:
        return End("obsolete", "gone")
    if found.seen == wanted:
        return End("done", "done" if wish.begun else "already")
    if not wish.allowed:
        return End("obsolete", "switched_off")
    return Store(wanted)


def _place(wish: Wish, found: Found, can: Can) -> Step:
    if found.same:
        return End("done", "already")
    if not found.here:
        if found.there:
            return End("done", "done" if wish.begun else "already", moved=True)
        return End("obsolete", "moved" if found.elsewhere else "gone")
    if wish.begun and found.there:
        if wish.keeps:
            return End("done", "done", moved=True)
        return Remove() if can.uidplus else End("failed", "writeback.no_safe_move")
    if found.deleted:
        return End("obsolete", "deleted_there")
    if not wish.allowed:
        return End("obsolete", "switched_off")
    if not found.target:
        return End("failed", "writeback.no_trash" if wish.kind == "delete" else _no_target(wish.kind))
    if wish.keeps:
        return Copy()
    if can.move:
        return Move()
    return Copy() if can.uidplus else End("failed", "writeback.no_safe_move")


def _no_target(kind: Kind) -> str:
    return "writeback.no_archive" if kind == "archive" else "writeback.no_way_back"


def retry_after(age: timedelta) -> timedelta:
    """Return how long to wait after a failure: as long as the action has waited already, within bounds."""
    return min(max(age, RETRY_LEAST), RETRY_MOST)


def is_gmail(capabilities: str, provider: str) -> bool:
    """Whether folders are labels of one message (X-GM-EXT-1)."""
    return "X-GM-EXT-1" in capabilities.split() or (not capabilities and provider in ("gmail", "google"))
