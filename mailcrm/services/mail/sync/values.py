"""What became of a listed message, as values that `apply.py` writes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailcrm.services.mail.packs import Place
from mailcrm.services.mail.parse.values import ParsedMessage
from mailcrm.services.mail.search.text import Words


@dataclass(frozen=True, slots=True)
class Stored:
    """A fetched and parsed message, its bytes already in the blob store."""

    uid: int
    flags: frozenset[str]
    received_at: datetime | None
    sha: str
    size: int
    parsed: ParsedMessage
    remote_id: str | None = None
    labels: tuple[str, ...] | None = None
    words: Words | None = None  # for the search index
    place: Place | None = None  # in a pack; None: in a file of its own, or there before


@dataclass(frozen=True, slots=True)
class Found:
    """A message that is stored already and turned up under another UID: nothing was fetched."""

    uid: int
    flags: frozenset[str]
    message_id: int
    remote_id: str | None = None
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A message left on the server on purpose."""

    uid: int
    reason: str


@dataclass(frozen=True, slots=True)
class Poison:
    """A message for the quarantine; `reason` a code of sentences.py, `sha` None when its bytes could not be had."""

    uid: int
    reason: str
    sha: str | None = None
    size: int = 0
    params: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """A message that the server no longer lists."""

    uid: int


Outcome = Stored | Found | Skipped | Poison | Gone


@dataclass(frozen=True, slots=True)
class Located:
    """A stored message that had a place in a folder, by what it can be recognised from."""

    id: int
    rfc_message_id: str | None
    size: int
    remote_id: str | None
    received_at: datetime | None


def spell(flags: frozenset[str]) -> str:
    """Return flags as they are stored: one line, in order, of what SQL can hold."""
    return " ".join(sorted(flag for flag in flags if storable(flag)))[:2000]


def spell_labels(labels: tuple[str, ...] | None) -> str:
    """Return Gmail's labels as they are stored: one a line."""
    return "\n".join(label for label in labels or () if storable(label))[:4000]


def storable(text: str) -> bool:
    """Whether a database takes this text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
