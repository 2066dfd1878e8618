"""Runs Core statements in a session's transaction: several columns at once, bulk updates, inserts that may meet a twin.

Does not hold queries and does not commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import CursorResult, Executable, Select, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel

Item = TypeVar("Item")
CHUNK = 500  # bound values in one statement; SQLite's limit is 32,766 and plans stay small


def pick(*columns: Any) -> Select[Any]:
    """Select columns, or expressions: SQLAlchemy's `select`, for which SQLModel types a column as its value."""
    statement: Any = select(*columns)
    return statement


def rows(session: Session, statement: Executable) -> Sequence[Any]:
    """Return all rows of a statement, as named tuples; what the session holds is written first.

    Their type is left open: SQLAlchemy knows a row's columns only where `pick` could.
    """
    return run(session, statement).all()


def scalar(session: Session, statement: Executable) -> Any:
    """Return the first column of the first row, None when there is no row."""
    return run(session, statement).scalar()


def run(session: Session, statement: Executable) -> CursorResult[Any]:
    """Execute a statement; for an update its `rowcount` says how many rows changed."""
    session.flush()
    return session.connection().execute(statement)


def insert_absent(session: Session, model: type[SQLModel], values: Sequence[dict[str, Any]]) -> list[int]:
    """Insert rows, leave out those that break a unique constraint; return the ids of the new ones.

    Works when another transaction inserts the same rows at the same time.
    """
    made: list[int] = []
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    for part in chunks(values):
        statement = insert(model).values(part).on_conflict_do_nothing()
        made += [row[0] for row in rows(session, statement.returning(model.id))]  # type: ignore[attr-defined]
    return made


def insert_numbered(session: Session, model: type[SQLModel], values: Sequence[dict[str, Any]]) -> list[int]:
    """Insert rows of a table with an `id`; return the ids in order.

    SQLite doesn't return rows in the order of the values, so SQLAlchemy inserts them there one statement each. It has
    one writer, which is this transaction: the next ids are known.
    """
    if not values:
        return []
    connection, table = session.connection(), table_of(model)
    if connection.dialect.name != "sqlite":
        made = connection.execute(table.insert().returning(table.c.id, sort_by_parameter_order=True), values)
        return [row[0] for row in made]
    last = connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()
    ids = list(range(last + 1, last + 1 + len(values)))
    connection.execute(table.insert(), [{"id": i, **row} for i, row in zip(ids, values, strict=True)])
    return ids


def chunks(items: Sequence[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """Cut a sequence into lists of at most `size`."""
    source = iter(items)
    while part := list(islice(source, size)):
        yield part


def table_of(model: type[SQLModel]) -> Table:
    """Return a model's table: Core inserts into it are several times faster than the ORM's (sync.md B6)."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table  # pyright: ignore[reportUnknownVariableType]
