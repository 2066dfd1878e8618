"""How an address spells what a list is narrowed to: `unread,label-3,since-2026-02-01`, and what thread_pick makes of it.

Pure. `since` and `until` are days of the reader's; both are part of it.

The same words are in the address, in saved views and on the chips. What is not known is left out; ids are checked where
they are used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
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
_WITH_ID = re.compile(r"(label|box|person)-([1-9][0-9]{0,17})", re.ASCII)
_WITH_DAY = re.compile(r"(since|until)-((?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2})", re.ASCII)
#: Of each kind one holds: another one takes its place.
ONE_OF = ("box", "person", "since", "until")


def read(text: str) -> tuple[str, ...]:
    """Return the words of an address that are known, each once, in the order they stand."""
    found: tuple[str, ...] = ()
    for word in text[:1000].split(","):
        if is_known(word) and word not in found:
            found = turned(found, word)
    return found


def is_known(word: str) -> bool:
    """Whether a word narrows a list; ids and days may still be nobody's."""
    return word in NAMED or _WITH_ID.fullmatch(word) is not None or day(word) is not None


def day(word: str) -> date | None:
    """Return the day of a word, None where it has none."""
    match = _WITH_DAY.fullmatch(word)
    try:
        return date.fromisoformat(match[2]) if match else None
    except ValueError:
        return None


def turned(words: Iterable[str], word: str) -> tuple[str, ...]:
    """Return the words with this one added, or without it where it is there; its opposite leaves, and others of ONE_OF."""
    before = tuple(words)
    if word in before:
        return tuple(each for each in before if each != word)
    if not is_known(word):
        return before
    against = {each for pair in NOT_BOTH if word in pair for each in pair}
    kind = word.partition("-")[0]
    return (*(each for each in without(before, kind) if each not in against), word)[:MOST]


def without(words: Iterable[str], kind: str) -> tuple[str, ...]:
    """Return the words without those of a kind of which one holds."""
    return tuple(each for each in words if kind not in ONE_OF or not each.startswith(f"{kind}-"))


def written(words: Iterable[str]) -> str:
    """Return the words as an address has them."""
    return ",".join(words)


def ids(words: Iterable[str], kind: str) -> tuple[int, ...]:
    """Return the ids of the words of a kind: "label", "box" or "person"."""
    return tuple(int(match[2]) for word in words if (match := _WITH_ID.fullmatch(word)) and match[1] == kind)


def filter_of(words: Iterable[str], *, folder: str, query: str = "") -> Filter:
    """Return what the words ask for in a folder; a search looks through all of them, but for the snoozed."""
    words = tuple(words)
    asked: dict[str, Any] = {"folder": "all" if query.strip() else folder}
    for word in words:
        asked |= NAMED.get(word, {})
    box, person = ids(words, "box"), ids(words, "person")
    for word in words:  # days are asked for as a search asks for them: in the reader's time zone
        if (at := day(word)) is not None:
            query += f" after:{at}" if word.startswith("since") else f" before:{at + timedelta(days=1)}"
    return Filter(
        query=query,
        mailbox_id=box[0] if box else None,
        person_id=person[0] if person else None,
        label_ids=ids(words, "label"),
        **asked,
    )
