"""Runs Core statements in a session's transaction: several columns at once, bulk updates, inserts that may meet a twin.

Does not hold queries and does not commit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, TypeVar

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    CursorResult,
    Dialect,
    Engine,
    Executable,
    Select,
    String,
    Table,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.types import TypeEngine
from sqlmodel import Session, SQLModel

from mailcrm.models.base import UtcDateTime

Item = TypeVar("Item")
PIECES = (32, 8, 1)  # rows in one statement of `execute_many`
_LISTED = text("(SELECT value FROM json_each(:listed))")
CHUNK = 500  # bound values in one statement; SQLite's limit is 32,766 and plans stay small


def pick(*columns: Any) -> Select[Any]:
    """Select columns, or expressions: SQLAlchemy's `select`, for which SQLModel types a column as its value."""
    statement: Any = select(*columns)
    return statement


def is_one_of(session: Session, value: Any, listed: Collection[Any]) -> ColumnElement[bool]:
    """Return the condition that a column is one of `listed`, numbers or texts: `in_`, for what is asked by the thousand.

    On SQLite the list is one parameter, so that the statement is compiled once however long it is: a list of bound
    values is another statement for each length, which SQLAlchemy writes, and SQLite reads, each time.
    """
    if session.get_bind().dialect.name != "sqlite":
        return value.in_(listed)
    given = bindparam("listed", json.dumps(list(listed)), String, unique=True)
    return value.bool_op("IN")(_LISTED.bindparams(given))


def rows(session: Session, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Any]:
    """Return all rows of a statement, as named tuples; what the session holds is written first.

    Their type is left open: SQLAlchemy knows a row's columns only where `pick` could.
    """
    return run(session, statement, values).all()


def scalar(session: Session, statement: Executable, values: Mapping[str, Any] | None = None) -> Any:
    """Return the first column of the first row, None when there is no row."""
    return run(session, statement, values).scalar()


def run(session: Session, statement: Executable, values: Mapping[str, Any] | None = None) -> CursorResult[Any]:
    """Execute a statement; for an update its `rowcount` says how many rows changed."""
    session.flush()
    return session.connection().execute(statement, values)


def insert_of(bind: Connection | Engine) -> Any:
    """Return the database's own `insert`, which knows ON CONFLICT; the other database's dialect takes no memory."""
    if bind.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert
    from sqlalchemy.dialects import sqlite

    return sqlite.insert


def insert_absent(session: Session, model: type[SQLModel], values: Sequence[dict[str, Any]]) -> list[int]:
    """Insert rows, leave out those that break a unique constraint; return the ids of the new ones.

    Works when another transaction inserts the same rows at the same time.
    """
    made: list[int] = []
    insert = insert_of(session.get_bind())
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
    insert_many(session, model, [{"id": i, **row} for i, row in zip(ids, values, strict=True)])
    return ids


def insert_many(session: Session, model: type[SQLModel], values: Sequence[dict[str, Any]]) -> None:
    """Insert rows that all name the same columns: the quick way, for what is written by the thousand.

    To SQLite many rows go in one statement: its driver gives the interpreter away once for each, and may have to wait
    for it while another thread parses. SQLAlchemy's own parameters would cost as much as the rows.
    """
    if not values:
        return
    connection, table = session.connection(), table_of(model)
    if connection.dialect.name != "sqlite":
        connection.execute(table.insert(), values)
        return
    given = tuple(values[0])
    fixed: dict[str, Any] = {}
    for column in table.c:
        default: Any = column.default
        if column.name not in given and default is not None:
            fixed[column.name] = default.arg(None) if default.is_callable else default.arg
    names = (*given, *fixed)
    spellings = [_spelling(table.c[name].type, connection.dialect) for name in names]
    columns: list[list[Any]] = [[row[name] for row in values] for name in given]
    columns += [[value] * len(values) for value in fixed.values()]
    for n, spell in enumerate(spellings):
        if spell is not None:
            columns[n] = [spell(value) for value in columns[n]]
    listed = ", ".join(f'"{name}"' for name in names)
    execute_many(session, f"INSERT INTO {table.name} ({listed}) VALUES", list(zip(*columns, strict=True)))


def _spelling(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return what makes of a column's values what SQLite's driver takes, None when that is nothing."""
    if isinstance(kind, Boolean):
        return None  # the driver does it
    if isinstance(kind, UtcDateTime):
        return _moment
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _moment(value: datetime | None) -> str | None:
    """Spell a moment as SQLAlchemy does on SQLite, in a quarter of its time."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("naive datetime")
    return value.astimezone(UTC).isoformat(" ", "microseconds")[:26]


def execute_many(session: Session, begin: str, values: Sequence[tuple[Any, ...]], end: str = "") -> None:
    """Run `begin (?, ?, …), (?, ?, …) … end` on SQLite, with `PIECES` rows at a time; the values as its driver takes them."""
    connection = session.connection()
    start = 0
    for size in PIECES:  # few different statements, so that each is compiled once
        while len(values) - start >= size:
            row = f"({', '.join('?' * len(values[start]))})"
            part = tuple(chain.from_iterable(values[start : start + size]))
            connection.exec_driver_sql(f"{begin} {', '.join([row] * size)} {end}", part)
            start += size


def chunks(items: Sequence[Item], size: int = CHUNK) -> Iterator[list[Item]]:
    """Cut a sequence into lists of at most `size`."""
    source = iter(items)
    while part := list(islice(source, size)):
        yield part


def table_of(model: type[SQLModel]) -> Table:
    """Return a model's table: Core inserts into it are several times faster than the ORM's (sync.md B6)."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table  # pyright: ignore[reportUnknownVariableType]
