"""A folder's saved position and what the server says now: the values that `plan.py` decides from. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Cursor:
    """What is stored of a folder. Every server UID below `uidnext` has exactly one row in the ledger's tables.

    `known` counts these rows (locations, pending, skipped, quarantined); `uidvalidity` None means never opened.
    `suspicious` says that the last pass saw far fewer messages than are known and did not believe it. A round over
    all flags goes downwards: `flags_below` is the lowest UID it reached, None between rounds.
    """

    uidvalidity: int | None
    uidnext: int
    highestmodseq: int | None
    known: int
    suspicious: bool
    flags_checked_at: datetime | None
    flags_below: int | None = None
    flags_round_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """What EXAMINE or STATUS said. `uidnext` 0: the server doesn't tell (before RFC 3501).

    `highestmodseq` None: it has no mod-sequences, for this folder (NOMODSEQ) or for any.
    """

    uidvalidity: int
    uidnext: int
    exists: int
    highestmodseq: int | None


MAX_UID = 2**32 - 1  # RFC 3501: 32 bits


def end_of(server: Server) -> int:
    """Return the highest UID that can exist at the time of the answer."""
    return server.uidnext - 1 if server.uidnext else MAX_UID
