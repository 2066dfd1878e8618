"""A snapshot back into an empty database: SQLite's file in its place, PostgreSQL's tables in one transaction.

Whatever waited to go out is held before anything else can see it: in the same transaction, or in the file while it has
another name. Does not migrate to a newer version and touches no other file.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from mailcrm.errors import ConfigError, PermanentError, UserError
from mailcrm.services import db
from mailcrm.services.backup import archive, hold, snapshot


def check_empty() -> None:
    """Refuse a database that holds something, or a place where one can't be made."""
    engine = db.engine()
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        return
    with engine.connect().execution_options(readonly=True) as connection:
        names = inspect(connection).get_table_names()
        if engine.dialect.name == "sqlite" and names:
            raise UserError("backup.database_not_empty")
        if "users" in names and connection.scalar(text("SELECT EXISTS (SELECT 1 FROM users)")):
            raise UserError("backup.database_not_empty")


def check_revision(revision: str) -> None:
    """Refuse a backup of a newer mailcrm."""
    from alembic.script import ScriptDirectory

    known = {found.revision for found in ScriptDirectory.from_config(db.alembic_config()).walk_revisions()}
    if revision not in known:
        raise ConfigError("database.newer", found=revision)


def load(folder: Path, manifest: dict[str, Any], made_at: datetime) -> int:
    """Put the database of an extracted backup in place; return how many emails are held."""
    if db.engine().dialect.name == "sqlite":
        return _sqlite(folder, manifest, made_at)
    return _postgresql(folder, manifest, made_at)


def _sqlite(folder: Path, manifest: dict[str, Any], made_at: datetime) -> int:
    target = Path(db.engine().url.database or "")
    staged = target.with_name(f".{target.name}.restoring")
    staged.unlink(missing_ok=True)
    try:
        with staged.open("wb") as file:
            staged.chmod(0o600)
            file.writelines(archive.unpack(folder / "database.sqlite3.gz"))
        _check(staged, manifest["rows"])
        engine = db.make_engine(f"sqlite:///{staged}")
        with engine.begin() as connection:
            held = hold.hold(connection, made_at)
        with engine.connect().execution_options(readonly=True) as connection:
            connection.connection.driver_connection.execute("PRAGMA journal_mode=DELETE")  # pyright: ignore[reportOptionalMemberAccess]
        engine.dispose()
        db.dispose()
        for suffix in ("-wal", "-shm"):  # of an empty database that was looked at
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        staged.replace(target)
    finally:
        for suffix in ("", "-wal", "-shm"):
            staged.with_name(staged.name + suffix).unlink(missing_ok=True)
    return held


def _check(path: Path, rows: dict[str, int]) -> None:
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise PermanentError("database.damaged", what=found)
        if snapshot.sqlite_counts(connection) != rows:
            raise PermanentError("database.damaged", what="other rows than the backup's list")
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise PermanentError("database.damaged", what=str(error)) from error
    finally:
        connection.close()


def _postgresql(folder: Path, manifest: dict[str, Any], made_at: datetime) -> int:
    from alembic import command

    command.upgrade(db.alembic_config(), manifest["revision"])  # the tables as they were then
    with db.engine().begin() as connection:
        names = snapshot.tables(connection)
        if set(names) != set(manifest["rows"]):
            raise PermanentError("database.damaged", what="other tables than the backup's list")
        connection.execute(text("TRUNCATE " + ", ".join(f'"{name}"' for name in names)))
        keys = _without_keys(connection)
        for name in names:
            _copy_in(connection, name, folder / "tables" / f"{name}.copy.gz", manifest["rows"][name])
        for name, last in manifest["sequences"].items():
            if last:
                connection.execute(
                    text("SELECT setval(quote_ident(:name)::regclass, :last)"), {"name": name, "last": last}
                )
        for table, name, definition in keys:  # every reference is checked here
            connection.execute(text(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {definition}'))
        return hold.hold(connection, made_at)


def _without_keys(connection: Connection) -> list[tuple[str, str, str]]:
    """Drop every foreign key, so that tables may come in any order; return table, name and definition of each."""
    asked = (
        "SELECT rel.relname, con.conname, pg_get_constraintdef(con.oid) FROM pg_constraint con"
        " JOIN pg_class rel ON rel.oid = con.conrelid"
        " WHERE con.contype = 'f' AND con.connamespace = current_schema()::regnamespace"
    )
    found = [(row[0], row[1], row[2]) for row in connection.execute(text(asked))]
    for table, name, _definition in found:
        connection.execute(text(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"'))
    return found


def _copy_in(connection: Connection, table: str, path: Path, rows: int) -> None:
    listed = ", ".join(f'"{name}"' for name in snapshot.columns(connection, table))
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        with cursor.copy(f'COPY "{table}" ({listed}) FROM STDIN') as into:
            for piece in archive.unpack(path):
                into.write(piece)
        if cursor.rowcount != rows:
            raise PermanentError("database.damaged", what=f"other rows of {table} than the backup's list")
