"""What is known of one request for a pixel or a link, as it waits to be written.

Plain values, so that it can lie in a file for a moment (spool.py): no secret of a session, only its digest. While it is
in memory it is one tuple of them (`Packed`): thousands wait there, and what holds nothing but plain values costs the
garbage collector nothing, which would otherwise hold answers up.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from mailcrm.services.tracking.classify import Action
from mailcrm.services.tracking.tokens import Token

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_last = [0]


def moment() -> int:
    """Return the time in microseconds, later than every one before: it tells two fetches of a process apart."""
    now = max(time.time_ns() // 1000, _last[0] + 1)
    _last[0] = now
    return now


def at_of(microseconds: int) -> datetime:
    """Return the time as it is stored."""
    return EPOCH + timedelta(microseconds=microseconds)


class Fetch(NamedTuple):
    """What is known of a request; a tuple is made in a sixth of the time that a frozen dataclass takes."""

    user_agent: str = ""
    method: str = "GET"
    address: str = ""
    prefetch: bool = False
    opted_out: bool = False
    #: A page of ours asked for it.
    own: bool = False
    #: The digest of the session that a cookie claims, "" for none; whether it lives is asked when it is written.
    session: str = ""
    #: False where the address may be a proxy's of ours: it tells nothing then.
    address_known: bool = True


@dataclass(frozen=True, slots=True)
class Waiting:
    """A fetch of a token that was verified."""

    action: Action
    token: Token
    fetch: Fetch
    at: datetime = field(default_factory=lambda: at_of(moment()))


#: A Waiting as values that JSON knows: action, nonce, position, microseconds since 1970, and those of a Fetch.
Packed = tuple[Action, str, int, int, str, str, str, bool, bool, bool, str, bool]
ADDRESS = 6  # where it stands in a Packed


def packed(action: Action, token: Token, fetch: Fetch, at: datetime | None = None) -> Packed:
    """Return a fetch of a verified token as it waits; it happened now, unless it is said when."""
    when = moment() if at is None else (at - EPOCH) // MICROSECOND
    agent, method, address, prefetch, opted_out, own, session, known = fetch
    return (
        action, token.nonce, token.position, when, agent, method, address, prefetch, opted_out, own, session, known,
    )  # fmt: skip


def unpacked(values: Packed) -> Waiting:
    """Undo `packed`."""
    action, nonce, position, at, agent, method, address, prefetch, opted_out, own, session, known = values
    fetch = Fetch(agent, method, address, prefetch, opted_out, own, session, known)
    return Waiting(action, Token(action, nonce, position), fetch, at_of(at))
