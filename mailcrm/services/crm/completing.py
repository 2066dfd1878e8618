"""What the search field offers while something is typed: operators, people, deals, labels. Reads only.

Only the last word before the cursor is completed. Searching itself is services/mail/search; the palette's hits are
linking/search.py's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailcrm.services.access import Actor
from mailcrm.services.crm import deals, people
from mailcrm.services.folding import fold
from mailcrm.services.mail import labels
from mailcrm.services.mail.search import operators

SHOWN = 5  # of each kind
_LAST = re.compile(r'(?P<minus>-?)(?:(?P<key>[a-z]+)[:：])?(?P<value>"[^"]*|[^\s":：]*)$', re.IGNORECASE)
_VALUES = {
    "is": tuple(name[3:] for name in [*operators.OPERATORS, *operators.VISIBILITIES] if name.startswith("is:")),
    "has": ("attachment", "deal"),
    "in": operators.FOLDERS,
}
#: In the order in which they are offered.
KEYS = ("from", "to", "subject", "has", "is", "in", "label", "deal", "person", "before", "after", "filename")


@dataclass(frozen=True, slots=True)
class Completion:
    """One offer: `kind` operator, value, person, deal or label; `insert` takes the place of `replaces` at the end."""

    kind: str
    title: str
    about: str
    insert: str


def complete(actor: Actor, text: str) -> tuple[str, tuple[Completion, ...]]:
    """Return what the last word may become, and that word as it stands; `text` is what stands before the cursor."""
    match = _LAST.search(text[-operators.MOST :])
    if match is None:
        return "", ()
    key, value = (match["key"] or "").lower(), match["value"].lstrip('"')
    minus = match["minus"]
    return match[0], tuple(_offers(actor, key, minus, value) if key else _of_words(actor, text, minus, value))


def _offers(actor: Actor, key: str, minus: str, value: str) -> list[Completion]:
    head = f"{minus}{key}:"
    if key in ("from", "to", "cc", "person"):
        found = _people(actor, value)
        me = (
            [Completion("value", f"{key}:me", "", f"{head}me")]
            if key != "person" and "me".startswith(value.lower())
            else []
        )
        return me + [
            Completion("person", name, address, head + _quoted(name if key == "person" else address or name))
            for name, address in found
        ]
    if key == "deal":
        return [Completion("deal", title, stage, head + _quoted(title)) for title, stage in _deals(actor, value)]
    if key == "label":
        there = [each.name for each in labels.list_labels(actor) if fold(each.name).startswith(fold(value))]
        return [Completion("label", name, "", head + _quoted(name)) for name in there[:SHOWN]]
    found_values = [each for each in _VALUES.get(key, ()) if each.startswith(value.lower()) and each != value.lower()]
    return [Completion("value", f"{key}:{each}", "", head + each) for each in found_values]


def _of_words(actor: Actor, text: str, minus: str, value: str) -> list[Completion]:
    if not value:
        return [] if minus or text.strip() else [Completion("operator", f"{key}:", key, f"{key}:") for key in KEYS]
    keys = [key for key in KEYS if key.startswith(value.lower())]
    found = [Completion("operator", f"{key}:", key, f"{minus}{key}:") for key in keys]
    if minus or (len(value) < 2 and value.isascii()):
        return found
    found += [Completion("person", name, address, f"person:{_quoted(name)}") for name, address in _people(actor, value)]
    found += [Completion("deal", title, stage, f"deal:{_quoted(title)}") for title, stage in _deals(actor, value)]
    return found


def _people(actor: Actor, value: str) -> list[tuple[str, str]]:
    if not value.strip():
        return []
    return [(each.name, each.address or "") for each in people.list_people(actor, value, limit=SHOWN).rows]


def _deals(actor: Actor, value: str) -> list[tuple[str, str]]:
    return [(each.title, each.stage) for each in deals.list_deals(actor, value, limit=SHOWN)]


def _quoted(name: str) -> str:
    bare = name.replace('"', "").strip()
    return f'"{bare}"' if re.search(r"[\s:：]", bare) or bare.startswith("-") else bare
