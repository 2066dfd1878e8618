"""Persons, organizations, pipelines, deals, leads, and the links between them and mail.

Money is integer minor units with an ISO 4217 currency (rule 10). Rows are put in the trash (`deleted_at`), not removed.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlmodel import Field

from mailcrm.models.base import BigId, Table, json_column, key, moment, one_of


class Organization(Table, table=True):
    """A company or other body."""

    __tablename__ = "organizations"

    id: int | None = key()
    name: str
    address: str = ""  # where it is, as people write it
    owner_id: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL")
    created_at: datetime = moment(now=True)
    deleted_at: datetime | None = moment(nullable=True)


class OrganizationDomain(Table, table=True):
    """A mail domain of an organization, in lower case."""

    __tablename__ = "organization_domains"
    __table_args__ = (UniqueConstraint("organization_id", "domain"),)

    id: int | None = key()
    organization_id: int = key(foreign="organizations.id")
    domain: str = Field(index=True)


class Person(Table, table=True):
    """Somebody outside the workspace. `consent` is the tracking consent of rule T09."""

    __tablename__ = "persons"
    __table_args__ = (
        one_of("consent", "unknown", "granted", "refused"),
        Index("ix_persons_by_name", text("lower(name)"), "id"),
        Index("ix_persons_newest", "created_at", "id"),
    )

    id: int | None = key()
    name: str
    job_title: str = ""
    organization_id: int | None = key(foreign="organizations.id", nullable=True, ondelete="SET NULL")
    owner_id: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL")
    consent: str = "unknown"
    consent_at: datetime | None = moment(nullable=True)
    consent_source: str = ""
    #: The person this one was merged into; the row stays in the trash, so that the merge can be undone.
    merged_into_id: int | None = key(foreign="persons.id", nullable=True, ondelete="SET NULL", index=False)
    created_at: datetime = moment(now=True)
    deleted_at: datetime | None = moment(nullable=True)


class PersonAddress(Table, table=True):
    """An email address of a person, in lower case; the one at position 0 is the primary one."""

    __tablename__ = "person_addresses"
    __table_args__ = (
        UniqueConstraint("person_id", "address"),
        CheckConstraint("address = lower(address)", name="address_lower"),
    )

    id: int | None = key()
    person_id: int = key(foreign="persons.id")
    address: str = Field(index=True)
    position: int = 0


class PersonPhone(Table, table=True):
    """A telephone number of a person, as typed."""

    __tablename__ = "person_phones"

    id: int | None = key()
    person_id: int = key(foreign="persons.id")
    number: str
    position: int = 0


class Pipeline(Table, table=True):
    """An ordered list of stages."""

    __tablename__ = "pipelines"

    id: int | None = key()
    name: str
    position: int = 0
    deleted_at: datetime | None = moment(nullable=True)


class Stage(Table, table=True):
    """A step of a pipeline; `probability` in percent."""

    __tablename__ = "stages"
    __table_args__ = (
        UniqueConstraint("id", "pipeline_id"),
        CheckConstraint("probability BETWEEN 0 AND 100", name="probability"),
    )

    id: int | None = key()
    pipeline_id: int = key(foreign="pipelines.id")
    name: str
    position: int
    probability: int = 0
    #: Days without mail or activity after which a deal in this stage counts as quiet; None: never.
    quiet_days: int | None = None
    deleted_at: datetime | None = moment(nullable=True)


class Deal(Table, table=True):
    """A sale under way. A deal is closed exactly when it is won or lost."""

    __tablename__ = "deals"
    __table_args__ = (
        ForeignKeyConstraint(["stage_id", "pipeline_id"], ["stages.id", "stages.pipeline_id"]),
        one_of("status", "open", "won", "lost"),
        CheckConstraint("(status = 'open') = (closed_at IS NULL)", name="closed"),
        CheckConstraint("length(currency) = 3", name="currency"),
        Index("ix_deals_stage", "pipeline_id", "stage_id"),
        Index("ix_deals_newest", "created_at", "id"),
    )

    id: int | None = key()
    title: str
    value_minor: int = Field(default=0, sa_type=BigId)
    currency: str = Field(default="EUR", max_length=3)
    pipeline_id: int = Field(sa_type=BigId)
    stage_id: int = Field(sa_type=BigId)
    status: str = "open"
    person_id: int | None = key(foreign="persons.id", nullable=True, ondelete="SET NULL")
    organization_id: int | None = key(foreign="organizations.id", nullable=True, ondelete="SET NULL")
    owner_id: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL")
    expected_close: date | None = None
    lost_reason: str = ""
    created_at: datetime = moment(now=True)
    closed_at: datetime | None = moment(nullable=True)
    deleted_at: datetime | None = moment(nullable=True)


class DealStage(Table, table=True):
    """A stay of a deal in a stage; the current one has no `left_at`."""

    __tablename__ = "deal_stages"
    __table_args__ = (
        Index(
            "uq_deal_stages_current",
            "deal_id",
            unique=True,
            sqlite_where=text("left_at IS NULL"),
            postgresql_where=text("left_at IS NULL"),
        ),
    )

    id: int | None = key()
    deal_id: int = key(foreign="deals.id")
    stage_id: int = key(foreign="stages.id")
    entered_at: datetime = moment(now=True)
    left_at: datetime | None = moment(nullable=True)


class DealParticipant(Table, table=True):
    """Another person who takes part in a deal."""

    __tablename__ = "deal_participants"

    deal_id: int = Field(primary_key=True, foreign_key="deals.id", ondelete="CASCADE", sa_type=BigId)
    person_id: int = Field(primary_key=True, foreign_key="persons.id", ondelete="CASCADE", sa_type=BigId, index=True)


class Lead(Table, table=True):
    """A possible deal. It is converted exactly when it names the deal it became."""

    __tablename__ = "leads"
    __table_args__ = (
        one_of("status", "open", "converted", "archived"),
        CheckConstraint("(status = 'converted') = (deal_id IS NOT NULL)", name="converted"),
    )

    id: int | None = key()
    title: str
    value_minor: int | None = Field(default=None, sa_type=BigId)
    currency: str = Field(default="EUR", max_length=3)
    status: str = "open"
    person_id: int | None = key(foreign="persons.id", nullable=True, ondelete="SET NULL")
    organization_id: int | None = key(foreign="organizations.id", nullable=True, ondelete="SET NULL")
    owner_id: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL")
    deal_id: int | None = key(foreign="deals.id", nullable=True, ondelete="RESTRICT")
    created_at: datetime = moment(now=True)
    deleted_at: datetime | None = moment(nullable=True)


class Link(Table, table=True):
    """What ties a thread or a message to a person, deal or lead, with what made it (B06).

    Unlinking keeps the row (`unlinked_at`), so automation never links again what a person unlinked (M30).
    """

    __tablename__ = "links"
    __table_args__ = (
        one_of("origin", "rule", "thread", "smart_bcc", "composer", "manual"),
        CheckConstraint("(thread_id IS NULL) <> (message_id IS NULL)", name="one_source"),
        CheckConstraint(
            "(CASE WHEN person_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN deal_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN lead_id IS NULL THEN 0 ELSE 1 END) = 1",
            name="one_target",
        ),
        UniqueConstraint("thread_id", "person_id"),
        UniqueConstraint("thread_id", "deal_id"),
        UniqueConstraint("thread_id", "lead_id"),
        UniqueConstraint("message_id", "person_id"),
        UniqueConstraint("message_id", "deal_id"),
        UniqueConstraint("message_id", "lead_id"),
        # Nearly all links are of threads: counted with them, SQLite would rather read the table than this index.
        Index(
            "ix_links_message_id",
            "message_id",
            sqlite_where=text("message_id IS NOT NULL"),
            postgresql_where=text("message_id IS NOT NULL"),
        ),
        # All that a timeline asks of links: thousands of a busy deal's are read without a look at the table.
        *(
            Index(f"ix_links_{target}", f"{target}_id", "thread_id", "message_id", "unlinked_at")
            for target in ("person", "deal", "lead")
        ),
    )

    id: int | None = key()
    thread_id: int | None = key(foreign="threads.id", nullable=True)
    message_id: int | None = key(foreign="messages.id", nullable=True, index=False)
    person_id: int | None = key(foreign="persons.id", nullable=True, index=False)
    deal_id: int | None = key(foreign="deals.id", nullable=True, index=False)
    lead_id: int | None = key(foreign="leads.id", nullable=True, index=False)
    origin: str
    #: Why: {"code": "address", "address": "…"} and the like; rendered by the interface.
    reason: dict[str, Any] = json_column()
    created_by: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL", index=False)
    created_at: datetime = moment(now=True)
    unlinked_by: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL", index=False)
    unlinked_at: datetime | None = moment(nullable=True)


class PersonMerge(Table, table=True):
    """A merge of two persons, with what moved, so that it can be undone."""

    __tablename__ = "person_merges"

    id: int | None = key()
    kept_id: int = key(foreign="persons.id")
    merged_id: int = key(foreign="persons.id")
    #: Row ids that moved, by table, and the kept person's values from before.
    moved: dict[str, Any] = json_column()
    merged_by: int | None = key(foreign="users.id", nullable=True, ondelete="SET NULL", index=False)
    at: datetime = moment(now=True)
    undone_at: datetime | None = moment(nullable=True)
