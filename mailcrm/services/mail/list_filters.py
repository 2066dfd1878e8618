"""How an address spells what a list is narrowed to: `unread,label-3,box-2`, and what thread_pick makes of it. Pure.

The same words are in the address, in saved views and on the chips. What is not known is left out; ids are checked where
they are used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from mailcrm.services.mail.thread_pick import Filter

#: What one word narrows a list to.
NAMED: dict[str, dict[str, Any]] = {
    "unread": {"unread": True},
    "opened": {"opened": True},
    "clicked": {"clicked": True},
    "deal": {"open_deal": True},
    "tracked": {"tracked": True},
    "waiting": {"not_opened": True},
    "unlinked": {"unlinked": True},
    "files": {"has_attachment": True},
    "shared": {"visibility": "shared"},
    "private": {"visibility": "private"},
    "failed": {"failed": True},
    "snoozed": {"folder": "snoozed"},
}
#: Of each pair one holds: both together would be a question without an answer.
NOT_BOTH = (("shared", "private"), ("deal", "unlinked"))
MOST = 20
_WITH_ID = re.compile(r"(label|box)-([1-9][0-9]{0,17})", re.ASCII)


def read(text: str) -> tuple[str, ...]:
    """Return the words of an address that are known, each once, in the order they stand."""
    found: tuple[str, ...] = ()
    for word in text[:1000].split(","):
        if (word in NAMED or _WITH_ID.fullmatch(word)) and word not in found:
            found = turned(found, word)
    return found


def turned(words: Iterable[str], word: str) -> tuple[str, ...]:
    """Return the words with this one added, or without it where it is there; its opposite leaves, as does another mailbox."""
    before = tuple(words)
    if word in before:
        return tuple(each for each in before if each != word)
    if word not in NAMED and not _WITH_ID.fullmatch(word):
        return before
    against = {each for pair in NOT_BOTH if word in pair for each in pair}
    kept = tuple(
        each for each in before if each not in against and not (word.startswith("box-") and each.startswith("box-"))
    )
    return (*kept, word)[:MOST]


def written(words: Iterable[str]) -> str:
    """Return the words as an address has them."""
    return ",".join(words)


def ids(words: Iterable[str], kind: str) -> tuple[int, ...]:
    """Return the ids of the words of a kind, "label" or "box"."""
    return tuple(int(match[2]) for word in words if (match := _WITH_ID.fullmatch(word)) and match[1] == kind)


def filter_of(words: Iterable[str], *, folder: str, query: str = "") -> Filter:
    """Return what the words ask for in a folder; a search looks through all of them, but for the snoozed."""
    words = tuple(words)
    asked: dict[str, Any] = {"folder": "all" if query.strip() else folder}
    for word in words:
        asked |= NAMED.get(word, {})
    box = ids(words, "box")
    return Filter(query=query, mailbox_id=box[0] if box else None, label_ids=ids(words, "label"), **asked)
