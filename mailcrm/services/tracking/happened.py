"""Tells other services what became of a tracked message, in the transaction that records it.

Who listens stands in `_listeners`, imported there, so that every process that records has the same (the web process,
`serve --tracking-only`, the worker for answers). Only what counts is told: an open or a click of class person or
unknown, and a first answer. What a later look takes back is not told again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlmodel import Session

Kind = Literal["opened", "clicked", "replied"]


@dataclass(frozen=True)
class Happening:
    """One open, click or answer of a tracked message.

    `message_id` and `user_id` are None when the message or its sender is gone. `seen_as` is the event's class
    (classify.py), "" for an answer. `url` is where a clicked link leads; `count` is how many came together.
    """

    kind: Kind
    tracked_id: int
    message_id: int | None
    user_id: int | None
    seen_as: str
    at: datetime
    url: str = ""
    count: int = 1


#: Called with the transaction's session and what happened in it, oldest first. Never commits; what it raises undoes
#: the recording, which is then tried again without it.
Listener = Callable[[Session, Sequence[Happening]], None]


def tell(session: Session, happenings: Sequence[Happening]) -> None:
    """Tell every listener; nothing to tell asks nobody."""
    if happenings:
        for listener in _listeners():
            listener(session, happenings)


def _listeners() -> tuple[Listener, ...]:
    from mailcrm.services.webhooks import events  # which knows Happening

    return (events.on_happening,)
