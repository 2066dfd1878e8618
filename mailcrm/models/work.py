"""What is done about persons, organizations, deals and leads: activities, notes, labels and fields of one's own."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field

from mailcrm.models.base import BigId, Table, key, moment, one_of


def one_set(*columns: str) -> CheckConstraint:
    """Allow exactly one of these columns to hold something."""
    count = " + ".join(f"(CASE WHEN {column} IS NULL THEN 0 ELSE 1 END)" for column in columns)
    return CheckConstraint(f"{count} = 1", name="one_target")


def some_set(*columns: str) -> CheckConstraint:
    """Ask for at least one of these columns to hold something."""
    return CheckConstraint(" OR ".join(f"{column} IS NOT NULL" for column in columns), name="some_target")


_ALL = ("person_id", "organization_id", "deal_id", "lead_id")


class Activity(Table, table=True):
    """A call, meeting or task, planned or done; it may be about a deal and its person at once."""

    __tablename__ = "activities"
    __table_args__ = (
        one_of("kind", "call", "meeting", "task"),
        some_set(*_ALL),
        CheckConstraint("due_at IS NULL OR due_on IS NOT NULL", name="due"),
        Index("ix_activities_owner_due", "owner_id", "done_at", "due_on"),
        Index("ix_activities_deal", "deal_id", "done_at"),  # what is next, and what was last, of a list's deals
    )

    id: int | None = key()
    kind: str
    subject: str
    text: str = ""
    #: The day, in the owner's time zone; `due_at` is the moment where an hour was given.
    due_on: date | None = None
    due_at: datetime | None = moment(nullable=True)
    minutes: int | None = None
    done_at: datetime | None = moment(nullable=True)
    owner_id: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL", index=False)
    created_by: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL", index=False)
    person_id: int | None = key(foreign="persons.id", nullable=True)
    organization_id: int | None = key(foreign="organizations.id", nullable=True)
    deal_id: int | None = key(foreign="deals.id", nullable=True, index=False)
    lead_id: int | None = key(foreign="leads.id", nullable=True)
    created_at: datetime = moment(now=True)
    deleted_at: datetime | None = moment(nullable=True)


class Note(Table, table=True):
    """A plain text that colleagues leave with a row of the CRM."""

    __tablename__ = "notes"
    __table_args__ = (some_set(*_ALL),)

    id: int | None = key()
    text: str
    pinned: bool = False
    author_id: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL", index=False)
    person_id: int | None = key(foreign="persons.id", nullable=True)
    organization_id: int | None = key(foreign="organizations.id", nullable=True)
    deal_id: int | None = key(foreign="deals.id", nullable=True)
    lead_id: int | None = key(foreign="leads.id", nullable=True)
    created_at: datetime = moment(now=True)
    edited_at: datetime | None = moment(nullable=True)
    deleted_at: datetime | None = moment(nullable=True)


class Label(Table, table=True):
    """A word with a colour for rows of one kind; `name` is unique among those that stand, whatever its case."""

    __tablename__ = "labels"
    __table_args__ = (
        one_of("kind", "person", "organization", "deal", "lead", "thread"),
        one_of("color", "gray", "indigo", "jade", "amber", "red", "plum", "cyan"),
    )

    id: int | None = key()
    kind: str
    name: str
    color: str = "gray"
    position: int = 0
    deleted_at: datetime | None = moment(nullable=True)


class LabelUse(Table, table=True):
    """A label on a row."""

    __tablename__ = "label_uses"
    __table_args__ = (one_set(*_ALL), *(UniqueConstraint("label_id", column) for column in _ALL))

    id: int | None = key()
    label_id: int = key(foreign="labels.id", index=False)
    person_id: int | None = key(foreign="persons.id", nullable=True)
    organization_id: int | None = key(foreign="organizations.id", nullable=True)
    deal_id: int | None = key(foreign="deals.id", nullable=True)
    lead_id: int | None = key(foreign="leads.id", nullable=True)


class CustomField(Table, table=True):
    """A field that the workspace added to persons, organizations or deals."""

    __tablename__ = "custom_fields"
    __table_args__ = (
        one_of("kind", "person", "organization", "deal"),
        one_of("type", "text", "number", "money", "date", "choice"),
    )

    id: int | None = key()
    kind: str
    type: str
    name: str
    position: int = 0
    #: Of a choice: [{"id": 1, "name": "…"}, …]; an id is never used again.
    options: list[Any] = Field(default_factory=list, sa_type=JSON, nullable=False)
    created_at: datetime = moment(now=True)
    deleted_at: datetime | None = moment(nullable=True)


class CustomValue(Table, table=True):
    """What a row has in a custom field, in the column of the field's type; no row where it is empty."""

    __tablename__ = "custom_values"
    __table_args__ = (
        one_set("person_id", "organization_id", "deal_id"),
        UniqueConstraint("field_id", "person_id"),
        UniqueConstraint("field_id", "organization_id"),
        UniqueConstraint("field_id", "deal_id"),
    )

    id: int | None = key()
    field_id: int = key(foreign="custom_fields.id", index=False)
    person_id: int | None = key(foreign="persons.id", nullable=True)
    organization_id: int | None = key(foreign="organizations.id", nullable=True)
    deal_id: int | None = key(foreign="deals.id", nullable=True)
    text: str | None = None
    number: float | None = None
    #: Money, with `currency`.
    minor: int | None = Field(default=None, sa_type=BigId)
    currency: str | None = Field(default=None, max_length=3)
    day: date | None = None
    option: int | None = None


class ImportedRow(Table, table=True):
    """Which row a line of another system's export became, so that importing it again makes nothing twice."""

    __tablename__ = "imported_rows"
    __table_args__ = (
        one_of("kind", "person", "organization", "deal", "lead"),
        UniqueConstraint("kind", "source", "external_id"),
    )

    id: int | None = key()
    kind: str
    source: str  # "pipedrive", "csv"
    external_id: str
    row_id: int = Field(sa_type=BigId)
    at: datetime = moment(now=True)
