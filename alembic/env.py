"""Runs migrations against the configured database; batch mode lets SQLite alter tables."""

import warnings
from typing import Literal

from sqlalchemy import Connection
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

import mailcrm.models  # noqa: F401  registers every table
from alembic import context
from mailcrm.models.base import UtcDateTime
from mailcrm.services.db import engine


def render_item(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write plain SQLAlchemy types into migrations, so that they do not change when the models do."""
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Leave out the search index: raw SQL of revision 0003, with the tables that FTS5 makes for itself."""
    return not (kind == "table" and (name or "").startswith("message_search"))


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        compare_type=True,
        include_name=include_name,
        render_item=render_item,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction(), warnings.catch_warnings():
        # SQLAlchemy can't read an index on an expression back; a table that is made anew never has one.
        warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based index")
        context.run_migrations()


def run_alone() -> None:
    """Migrate on a connection of our own.

    SQLite alters a table by making it anew and dropping the old one, which deletes every row that refers to it when
    foreign keys are on. They can't be switched inside a transaction, so they are off around it, and checked before
    the commit.
    """
    with engine().connect() as opened:
        sqlite = opened.dialect.name == "sqlite"
        driver = opened.connection.driver_connection
        if sqlite and driver is not None:
            driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with opened.begin():
                run(opened)
                if sqlite and (broken := opened.exec_driver_sql("PRAGMA foreign_key_check").first()):
                    raise RuntimeError(f"the migration left a row of {broken[0]} without its {broken[2]}")
        finally:
            if sqlite and driver is not None:
                driver.execute("PRAGMA foreign_keys=ON")


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    run_alone()
