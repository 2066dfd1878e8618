"""What an IMAP server says of folders and messages, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """What the server says of a folder.

    `highestmodseq` is None without CONDSTORE and where the folder has none (NOMODSEQ); `uidnext` 0 where the server
    doesn't tell; `remote_id` is MAILBOXID, "" without OBJECTID.
    """

    uidvalidity: int
    uidnext: int
    exists: int
    highestmodseq: int | None
    remote_id: str = ""


@dataclass(frozen=True, slots=True)
class RemoteMeta:
    """A message's facts without its content; `size` in bytes, `internal_date` aware UTC or None when unreadable.

    `remote_id` is the server's own name for the content: "emailid:…" (RFC 8474) or "gm:…" (X-GM-MSGID). `labels` are
    Gmail's, decoded; None elsewhere.
    """

    uid: int
    flags: frozenset[str]
    internal_date: datetime | None
    size: int
    remote_id: str | None = None
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RemoteMessage:
    """A message as the server sent it."""

    uid: int
    flags: frozenset[str]
    internal_date: datetime | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class Unfetchable:
    """A message that can't be had: `reason` is "too_large" or "malformed" (the server's answer made no sense)."""

    uid: int
    reason: str


@dataclass(frozen=True, slots=True)
class State:
    """What may change about a message; `modseq` when the server counts changes, `labels` on Gmail."""

    flags: frozenset[str]
    modseq: int | None = None
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed in a folder since a mod-sequence: states by UID, and ranges of UIDs that vanished.

    `vanished` None: the server doesn't tell, or made no sense.
    """

    states: dict[int, State]
    vanished: tuple[tuple[int, int], ...] | None
