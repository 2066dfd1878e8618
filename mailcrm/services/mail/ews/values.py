"""What Exchange's web services say of folders and items, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

DRAFT = "draft:"  # before a draft's ChangeKey, which stands for its content


@dataclass(frozen=True, slots=True)
class Listed:
    """A mail folder: its id, its parent's, its own name, and its role where the server knows one ("" otherwise)."""

    id: str
    parent: str
    name: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a folder. `size` is the server's estimate; `name` PidTagSearchKey in hex, for a draft its state."""

    id: str
    size: int
    received_at: datetime | None
    seen: bool
    draft: bool
    name: str


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of SyncFolderItems: `changed` came or changed, `read` are items whose read mark alone changed."""

    state: str
    changed: tuple[Item, ...]
    read: dict[str, bool]
    gone: tuple[str, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """What one item is now: its read mark and the value of its Message-ID field ("" without one)."""

    seen: bool
    rfc_message_id: str
