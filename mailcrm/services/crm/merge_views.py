"""What merging and the trash return; frozen, without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mailcrm.services.crm.views import PersonCard


@dataclass(frozen=True, slots=True)
class MergePreview:
    """What merging two persons would leave; `moves` counts what the viewer may see of it by sort (links, deals, …)."""

    kept: PersonCard
    merged: PersonCard
    name: str
    job_title: str
    organization: str
    owner: str
    consent: str
    addresses: tuple[str, ...]
    phones: tuple[str, ...]
    moves: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class MergeView:
    """A merge that can be undone; `name` is the merged person's."""

    id: int
    kept_id: int
    merged_id: int
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two persons who may be one; `reason` is "address", "phone" or "name"."""

    kept: PersonCard
    other: PersonCard
    reason: str


@dataclass(frozen=True, slots=True)
class Trashed:
    """Something in the trash; `merged_into` names whom a person was merged into."""

    kind: str
    id: int
    name: str
    deleted_at: datetime
    merged_into: str | None
