"""Which conversation a message belongs to, from the Message-IDs it names (RFC 5322 §3.6.4, JWZ-light). Pure.

Only ids count; the subject never does. What a person split or merged by hand is *pinned*: two pinned threads are never
joined, and a message that names both goes where its nearest ancestor is. Decides for one message at a time;
`assign.py` feeds it and writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
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
    """Return the ids that tie a message to a conversation, without repeats: its own, then its ancestors, nearest first."""
    return tuple(dict.fromkeys(i for i in (own, in_reply_to, *reversed(tuple(references))) if i))


def decide(
    ids: Iterable[str],
    known: Mapping[str, int],
    sizes: Mapping[int, int],
    age: Mapping[int, int],
    pinned: AbstractSet[int] = frozenset(),
) -> Start | Join:
    """Choose for a message with these `ids`.

    `known` maps ids to the threads they belong to, `sizes` threads to their number of messages, `age` threads to
    what orders them by age (smaller is older), `pinned` holds the threads that a person made by hand. The oldest thread
    wins, or the nearest of several pinned ones; a full thread takes nobody in, and is left.
    """
    threads = tuple(dict.fromkeys(known[i] for i in ids if i in known))  # nearest ancestor first
    open_threads = sorted((t for t in threads if sizes[t] < MAX_MESSAGES), key=lambda t: age[t])
    if not open_threads:
        return Start()
    fixed = [t for t in threads if t in pinned]
    if len(fixed) > 1:
        if fixed[0] not in open_threads:
            return Start()
        open_threads = [fixed[0], *(t for t in open_threads if t not in pinned)]
    winner, *others = open_threads
    room = MAX_MESSAGES - 1 - sizes[winner]
    merge: list[int] = []
    for other in others:
        if sizes[other] <= room:
            merge.append(other)
            room -= sizes[other]
    return Join(winner, tuple(merge))
