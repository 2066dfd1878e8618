"""Records opens and clicks: the way in for whoever answers, and what of this process takes part in it.

    answer -> INTAKE (memory, 0.1 s) -> SPOOL (files) -> RECORDER (one process of those there are) -> events.write

Does not answer requests (endpoints/tracking.py), does not wait and does not judge.
"""

from __future__ import annotations

import time
from datetime import datetime

from mailcrm.services.tracking import destinations, tokens
from mailcrm.services.tracking.again import classify_again
from mailcrm.services.tracking.events import MAX_AGENT, write
from mailcrm.services.tracking.fetch import Fetch, Waiting, packed
from mailcrm.services.tracking.intake import Intake
from mailcrm.services.tracking.recorder import Recorder
from mailcrm.services.tracking.spool import Spool

__all__ = [
    "MAX_AGENT", "Fetch", "Waiting", "classify_again", "click", "close", "flush", "known_click", "open_pixel", "write",
]  # fmt: skip

FLUSH_LOOK_S = 0.02  # between two looks whether somebody else has written


def open_pixel(token: str, fetch: Fetch, at: datetime | None = None) -> None:
    """Note that a pixel was fetched, now unless it is said when; junk is ignored without a query. Returns at once."""
    found = tokens.read(token, purpose="open")
    if found is not None:
        INTAKE.put(packed("open", found, fetch, at))


def click(token: str, fetch: Fetch, at: datetime | None = None) -> str | None:
    """Return where a tracked link leads and note the click; None for an unknown token. At most one query."""
    known, location = known_click(token, fetch, at)
    if known:
        return location
    found = tokens.read(token, purpose="click")
    location = destinations.look_up(found.nonce, found.position) if found else None
    if found is not None and location is not None:
        INTAKE.put(packed("click", found, fetch, at))
    return location


def known_click(token: str, fetch: Fetch, at: datetime | None = None) -> tuple[bool, str | None]:
    """Do what `click` does where nothing has to be waited for: (True, location or None); else (False, None): ask `click`."""
    found = tokens.read(token, purpose="click")
    if found is None:
        return True, None
    nonce, position = found.nonce, found.position
    location = destinations.remembered(nonce, position) or destinations.at_once(nonce, position)
    if location is None:
        return False, None
    INTAKE.put(packed("click", found, fetch, at))
    return True, location


def close() -> None:
    """Write what is waiting, because the process ends."""
    INTAKE.close()


def flush() -> int:
    """See what waits written now, here or by whoever writes; return how many fetches were in this process's memory."""
    kept = INTAKE.keep()
    while not RECORDER.drain() and SPOOL.files():
        time.sleep(FLUSH_LOOK_S)
    return kept


SPOOL = Spool()
RECORDER = Recorder(SPOOL, write, lambda count: INTAKE.failed(count))  # noqa: PLW0108  made after it
INTAKE = Intake(SPOOL, RECORDER.drain)
