"""The database as it was at one instant, while others write: a file of SQLite's, or a text for each table of PostgreSQL.

SQLite's online backup copies under one read lock of the write-ahead log: writers go on. PostgreSQL's tables are copied
in one REPEATABLE READ transaction, in the order of their keys, so that equal databases give equal bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from sqlalchemy import Engine, inspect, text

from mailcrm.errors import PermanentError
from mailcrm.services import db

VERSION_TABLE = "alembic_version"


class Snapshot(Protocol):
    """What a backup asks of the database, all of it of the same instant."""

    revision: str

    def parts(self) -> Iterable[tuple[str, Path]]:
        """Yield each member's name and the file that holds it for now."""
        ...

    def blobs(self) -> Iterator[tuple[str, str]]:
        """Yield hash and pack ("" is a file of its own) of everything in the raw store."""
        ...

    def counts(self) -> dict[str, int]:
        """Return how many rows each table has."""
        ...

    def sequences(self) -> dict[str, int]:
        """Return the last number of each sequence; empty where the file has them."""
        ...


@contextmanager
def take(aside: Path) -> Generator[Snapshot]:
    """Take a snapshot; what it needs on the disk lies in `aside`."""
    engine = db.engine()
    if engine.dialect.name == "sqlite":
        with _sqlite(engine, aside / "database.sqlite3") as found:
            yield found
    else:
        with _postgresql(engine, aside) as found:
            yield found


class _Sqlite:
    def __init__(self, path: Path, copy: sqlite3.Connection) -> None:
        self._path, self._copy = path, copy
        self.revision = str(copy.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()[0])  # noqa: S608

    def parts(self) -> Iterable[tuple[str, Path]]:
        yield "database.sqlite3.gz", self._path

    def blobs(self) -> Iterator[tuple[str, str]]:
        yield from self._copy.execute("SELECT sha256, pack FROM blobs ORDER BY sha256")

    def counts(self) -> dict[str, int]:
        return sqlite_counts(self._copy)

    def sequences(self) -> dict[str, int]:
        return {}


@contextmanager
def _sqlite(engine: Engine, path: Path) -> Generator[_Sqlite]:
    source = sqlite3.connect(f"{Path(engine.url.database or '').absolute().as_uri()}?mode=ro", uri=True)  # any name
    copy = sqlite3.connect(path, isolation_level=None)
    try:
        path.chmod(0o600)
        try:
            source.backup(copy)  # all pages under one lock: in steps it would begin again with every commit
        finally:
            source.close()
        copy.execute("PRAGMA journal_mode=DELETE")
        found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise PermanentError("database.damaged", what=found)
        yield _Sqlite(path, copy)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise PermanentError("database.damaged", what=str(error)) from error
    finally:
        copy.close()
        path.unlink(missing_ok=True)


def sqlite_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many rows each table has, without those of the search index and of SQLite itself."""
    listed = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        " AND name NOT LIKE 'message_search%' ORDER BY name"
    )
    names = [row[0] for row in listed]
    return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # noqa: S608


class _Postgresql:
    def __init__(self, connection: Any, aside: Path) -> None:
        self._connection, self._aside = connection, aside
        self.revision = str(connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar())  # noqa: S608
        self._counts: dict[str, int] = {}

    def parts(self) -> Iterable[tuple[str, Path]]:
        for table in tables(self._connection):
            path = self._aside / f"{table}.copy"
            with path.open("wb") as file:
                self._counts[table] = copy_out(self._connection, table, file)
            yield f"tables/{table}.copy.gz", path
            path.unlink()

    def blobs(self) -> Iterator[tuple[str, str]]:
        for row in self._connection.execute(text("SELECT sha256, pack FROM blobs ORDER BY sha256")):
            yield row[0], row[1]

    def counts(self) -> dict[str, int]:
        return self._counts

    def sequences(self) -> dict[str, int]:
        """As they are now: never behind the rows."""
        asked = "SELECT sequencename, coalesce(last_value, 0) FROM pg_sequences WHERE schemaname = current_schema()"
        return {row[0]: int(row[1]) for row in self._connection.execute(text(asked))}


@contextmanager
def _postgresql(engine: Engine, aside: Path) -> Generator[_Postgresql]:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True) as connection:
        yield _Postgresql(connection, aside)
        connection.rollback()


def tables(connection: Any) -> list[str]:
    """Return the names of mailcrm's tables, without the migrations' own."""
    return sorted(name for name in inspect(connection).get_table_names() if name != VERSION_TABLE)


def columns(connection: Any, table: str) -> list[str]:
    """Return a table's columns in order, without those that PostgreSQL works out itself."""
    asked = text(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        " AND table_name = :name AND is_generated = 'NEVER' ORDER BY ordinal_position"
    )
    return [row[0] for row in connection.execute(asked, {"name": table})]


def copy_out(connection: Any, table: str, file: IO[bytes]) -> int:
    """Write a table as PostgreSQL's text, in the order of its key; return how many rows."""
    listed = ", ".join(f'"{name}"' for name in columns(connection, table))
    order = ", ".join(f'"{name}"' for name in inspect(connection).get_pk_constraint(table)["constrained_columns"])
    query = f'SELECT {listed} FROM "{table}" ORDER BY {order or listed}'  # noqa: S608  names of our own tables
    lines = 0
    with connection.connection.driver_connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT") as rows:
        for piece in rows:
            lines += bytes(piece).count(b"\n")  # line breaks inside values are escaped
            file.write(piece)
    return lines
