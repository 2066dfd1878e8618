"""Which conversation a message belongs to, from the Message-IDs it names (RFC 5322 §3.6.4, JWZ-light). Pure.

Only ids count; the subject never does. Decides for one message at a time; `assign.py` feeds it and writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MAX_MESSAGES = 500  # in one thread (sync.md A6); machines that reuse an id for ever would grow one without end


@dataclass(frozen=True, slots=True)
class Start:
    """Begin a new thread."""


@dataclass(frozen=True, slots=True)
class Join:
    """Add the message to `thread`, and move what is in `merge` into it as well."""

    thread: int
    merge: tuple[int, ...] = ()


def ids_of(own: str | None, in_reply_to: str | None, references: Iterable[str]) -> tuple[str, ...]:
    """Return the ids that tie a message to a conversation, without repeats: its own, then its ancestors."""
    return tuple(dict.fromkeys(i for i in (own, in_reply_to, *references) if i))


def decide(
    ids: Iterable[str], known: Mapping[str, int], sizes: Mapping[int, int], age: Mapping[int, int]
) -> Start | Join:
    """Choose for a message with these `ids`.

    `known` maps ids to the threads they belong to, `sizes` threads to their number of messages, `age` threads to
    what orders them by age (smaller is older). The oldest thread wins; a full thread takes nobody in, and is left.
    """
    threads = {known[i] for i in ids if i in known}
    open_threads = sorted((t for t in threads if sizes[t] < MAX_MESSAGES), key=lambda t: age[t])
    if not open_threads:
        return Start()
    winner, *others = open_threads
    room = MAX_MESSAGES - 1 - sizes[winner]
    merge: list[int] = []
    for other in others:
        if sizes[other] <= room:
            merge.append(other)
            room -= sizes[other]
    return Join(winner, tuple(merge))
