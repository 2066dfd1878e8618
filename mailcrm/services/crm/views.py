"""What services/crm hands out: frozen values, never rows (rule 4).

Money is integer minor units of an ISO 4217 currency. Times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from mailcrm.services.mail.views import AddressView, LinkView, MessageView, TrackingView


@dataclass(frozen=True, slots=True)
class PersonCard:
    """A person in a list or a panel; `address` and `phone` are the primary ones, "" where there is none."""

    id: int
    name: str
    job_title: str
    organization_id: int | None
    organization: str
    address: str
    phone: str
    consent: str


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """One page of persons by name."""

    rows: tuple[PersonCard, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class NextStep:
    """The activity of a deal that is due first; `on` is a day of the owner's, None without a date."""

    id: int
    kind: str
    subject: str
    on: date | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class LabelMark:
    """A label on a card."""

    id: int
    name: str
    color: str


@dataclass(frozen=True, slots=True)
class DealCard:
    """A deal on the board. `last_email_at` and `tracking` count only mail that the viewer may see.

    `last_email_out` says that it went out; `quiet` that nothing happened for longer than the stage allows.
    """

    id: int
    title: str
    value_minor: int
    currency: str
    stage_id: int
    stage: str
    pipeline_id: int
    organization_id: int | None
    organization: str
    person_id: int | None
    person: str
    owner_id: int | None
    owner: str
    status: str
    expected_close: date | None
    created_at: datetime
    last_email_at: datetime | None
    tracking: TrackingView | None
    days_in_stage: int
    probability: int = 0
    last_email_out: bool = False
    next_step: NextStep | None = None
    labels: tuple[LabelMark, ...] = ()
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class StageView:
    """A step of a pipeline; a deal there counts as quiet after `quiet_days` without mail or activity, None: never."""

    id: int
    name: str
    probability: int
    quiet_days: int | None = None


@dataclass(frozen=True, slots=True)
class PipelineView:
    """A pipeline with its stages in order."""

    id: int
    name: str
    stages: tuple[StageView, ...]


@dataclass(frozen=True, slots=True)
class StageColumn:
    """A column of the board. `total_minor` sums the deals in `currency`; `mixed` says that others are there too."""

    id: int
    name: str
    count: int
    total_minor: int
    currency: str
    cards: tuple[DealCard, ...]
    mixed: bool = False


@dataclass(frozen=True, slots=True)
class BoardView:
    """The open deals of one pipeline, a column for each stage."""

    pipeline_id: int
    pipeline: str
    columns: tuple[StageColumn, ...]


@dataclass(frozen=True, slots=True)
class StageStep:
    """A stage on a deal's way: "done", "current" or "ahead", and the whole days it stayed there."""

    id: int
    name: str
    state: str
    days: int


@dataclass(frozen=True, slots=True)
class DealView:
    """A deal's page, its timeline apart (timeline.py)."""

    card: DealCard
    stages: tuple[StageStep, ...]
    person: PersonCard | None
    organization: OrganizationCard | None
    participants: tuple[PersonCard, ...]
    created_at: datetime
    lost_reason: str


@dataclass(frozen=True, slots=True)
class OrganizationCard:
    """An organization in a list."""

    id: int
    name: str
    domains: tuple[str, ...]
    people: int
    open_deals: int


@dataclass(frozen=True, slots=True)
class DealSum:
    """The deals of one status and currency together."""

    status: str
    currency: str
    count: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class OrganizationView:
    """An organization's page."""

    card: OrganizationCard
    people: tuple[PersonCard, ...]
    deals: tuple[DealCard, ...]
    created_at: datetime
    address: str = ""
    owner_id: int | None = None
    owner: str = ""
    sums: tuple[DealSum, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person's page. `addresses`: the primary one first."""

    card: PersonCard
    addresses: tuple[str, ...]
    phones: tuple[str, ...]
    organization: OrganizationCard | None
    deals: tuple[DealCard, ...]
    consent: str
    consent_at: datetime | None
    consent_source: str
    created_at: datetime
    owner_id: int | None = None
    owner: str = ""
    #: Who recorded the consent, and whether it takes back one that was given (T09).
    consent_by: str = ""
    consent_withdrawn: bool = False
    #: What proves it: as it was recorded, or the subject of the email whose opt-out page was used and its id.
    consent_proof: str = ""
    consent_message_id: int | None = None


@dataclass(frozen=True, slots=True)
class LeadView:
    """A lead; `deal_id` is the deal it became."""

    id: int
    title: str
    value_minor: int | None
    currency: str
    status: str
    person_id: int | None
    person: str
    organization_id: int | None
    organization: str
    owner_id: int | None
    owner: str
    deal_id: int | None
    created_at: datetime
    labels: tuple[LabelMark, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelView:
    """A label of a kind of rows; `used` counts the rows that wear it and that the viewer may see."""

    id: int
    kind: str
    name: str
    color: str
    used: int


@dataclass(frozen=True, slots=True)
class FieldOption:
    """An option of a choice; a `gone` one can't be chosen any more."""

    id: int
    name: str
    gone: bool = False


@dataclass(frozen=True, slots=True)
class FieldView:
    """A field of the workspace's own."""

    id: int
    kind: str
    type: str
    name: str
    options: tuple[FieldOption, ...]


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A field and what a row has in it, None where it is empty; in the terms of field_values.py."""

    field: FieldView
    value: Any


@dataclass(frozen=True, slots=True)
class Subject:
    """A row that a note or an activity is about: "person", "organization", "deal" or "lead", with its name."""

    kind: str
    id: int
    name: str


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note; `about` names what the viewer may see of its rows."""

    id: int
    text: str
    pinned: bool
    author_id: int | None
    author: str
    about: tuple[Subject, ...]
    created_at: datetime
    edited_at: datetime | None


@dataclass(frozen=True, slots=True)
class ActivityView:
    """A call, meeting or task; done when `done_at` is set. `due_on` is a day of its owner's."""

    id: int
    kind: str
    subject: str
    text: str
    due_on: date | None
    due_at: datetime | None
    minutes: int | None
    done_at: datetime | None
    owner_id: int | None
    owner: str
    about: tuple[Subject, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TimelineItem:
    """Something that happened, newest first in a timeline.

    `kind`: "thread_message" (`message` is set), "tracking" (`text_code` "opened" or "clicked"; params: subject, count),
    "note" (`note`), "activity" (`activity`, done), "stage" (params: stage), "created", "won" or "lost" (params:
    reason), "change" (`text_code` "reopened", "owner", "merged" …; params: who, name). `ref` is the row's id.
    """

    kind: str
    at: datetime
    ref: int
    message: MessageView | None = None
    text_code: str = ""
    params: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    note: NoteView | None = None
    activity: ActivityView | None = None


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """One page of a timeline, newest first."""

    items: tuple[TimelineItem, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class CrmPanel:
    """What stands beside a conversation.

    `unknown` is a counterparty nobody has yet, with `prefill_*` for the form. `candidates` are the open deals to choose
    from while no deal is linked (M29). `can_change` is False for a colleague's conversation.
    """

    person: PersonCard | None
    unknown: AddressView | None
    prefill_name: str
    prefill_organization: str
    #: The organization that is known by the unknown party's domain, "" where none is.
    known_organization: str
    deal: DealCard | None
    deal_steps: tuple[StageStep, ...]
    candidates: tuple[DealCard, ...]
    links: tuple[LinkView, ...]
    visibility: str
    can_change: bool
    recent: tuple[TimelineItem, ...]
