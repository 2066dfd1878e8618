"""Column types and helpers that every model shares.

Does not hold tables or queries. Times are stored as UTC and come back aware, on SQLite as on PostgreSQL (rule 10).
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, CheckConstraint, Dialect, Integer, MetaData
from sqlalchemy.types import JSON, DateTime, TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel

SQLModel.metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Table(SQLModel):
    """Base of every table: the name is given, not derived."""

    __tablename__: ClassVar[str]  # type: ignore[assignment]  SQLModel's own is a function of the class
    __table_args__: ClassVar[Any] = ()


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: stored as UTC, returned aware; a naive value is refused, never guessed."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  SQLAlchemy names it
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


#: SQLite only numbers rows by itself in a column declared INTEGER.
BigId: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")


def utcnow() -> datetime:
    """Return now, aware, in UTC."""
    return datetime.now(UTC)


def key(*, foreign: str = "", nullable: bool = False, ondelete: str = "CASCADE", index: bool = True) -> Any:
    """Declare an id column: the primary key without `foreign`, else a reference to `table.column`."""
    if not foreign:
        return Field(default=None, primary_key=True, sa_type=BigId)  # type: ignore[call-overload]
    options: dict[str, Any] = {"default": None} if nullable else {}
    return Field(
        foreign_key=foreign,
        nullable=nullable,
        ondelete=ondelete,  # type: ignore[call-overload]
        index=index,
        sa_type=BigId,
        **options,
    )


def moment(*, now: bool = False, nullable: bool = False, index: bool = False) -> Any:
    """Declare a `UtcDateTime` column; `now` fills it in when the row is made."""
    options: dict[str, Any] = {"default_factory": utcnow} if now else ({"default": None} if nullable else {})
    return Field(sa_type=UtcDateTime, nullable=nullable, index=index, **options)  # type: ignore[call-overload]


def json_column() -> Any:
    """Declare a JSON column that is never NULL; the default is an empty object."""
    return Field(default_factory=dict, sa_type=JSON, nullable=False)


def one_of(column: str, *values: str) -> CheckConstraint:
    """Allow only these values in a text column."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
