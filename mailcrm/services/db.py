"""The database: engine, transactions, migrations.

SQLite runs with WAL, foreign keys and a busy timeout; writers take the lock at BEGIN IMMEDIATE, so a transaction
never dies half-way of "database is locked". PostgreSQL needs nothing special.
Does not hold queries. A verb opens one `transaction()`; helpers take the session and never commit (rule 2).
"""

from __future__ import annotations

import functools
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from mailcrm.config import config
from mailcrm.errors import ConfigError

if TYPE_CHECKING:  # 10 MB that most processes never need: imported where migrations are looked at
    from alembic.config import Config as AlembicConfig

SQLITE_BUSY_MS = 15_000  # longer than any of our write transactions (a sync batch is under a second)
ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def engine() -> Engine:
    """The process's engine for the configured database."""
    return make_engine(config().database_url)


def make_engine(url: str) -> Engine:
    """Create an engine with the pragmas that mailcrm relies on."""
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True, hide_parameters=True)  # a traceback holds no mail
    waits = {"timeout": SQLITE_BUSY_MS / 1000, "check_same_thread": False}
    made = create_engine(url, connect_args=waits, hide_parameters=True)

    @event.listens_for(made, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL", f"busy_timeout={SQLITE_BUSY_MS}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(made, "begin")
    def _begin(connection: Any) -> None:
        readonly = connection.get_execution_options().get("readonly", False)
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")

    return made


@contextmanager
def transaction() -> Generator[Session]:
    """One write transaction: committed at the end, rolled back on any exception."""
    with Session(engine(), expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading() -> Generator[Session]:
    """One consistent read; never blocks a writer and writes nothing."""
    with engine().connect().execution_options(readonly=True) as connection, Session(connection) as session:
        yield session


def analyze() -> None:
    """Let the database count its tables again, after a load that changed them greatly."""
    with transaction() as session:
        connection = session.connection()
        if connection.dialect.name == "sqlite":  # `PRAGMA optimize` only sees what its own connection asked
            connection.exec_driver_sql("PRAGMA analysis_limit=1000")
        connection.exec_driver_sql("ANALYZE")


def dispose() -> None:
    """Close the connections and forget the engine (after fork, in tests)."""
    if engine.cache_info().currsize:
        engine().dispose()
    engine.cache_clear()


def alembic_config() -> AlembicConfig:
    """Alembic's settings, independent of the working directory."""
    from alembic.config import Config as AlembicConfig

    found = AlembicConfig(str(ROOT / "alembic.ini"))
    found.set_main_option("script_location", str(ROOT / "alembic"))
    return found


def migrate() -> None:
    """Bring the database to this version's schema.

    Raises ConfigError("database.newer") when a newer mailcrm made it; nothing is changed then.
    """
    from alembic import command

    check_not_newer()
    command.upgrade(alembic_config(), "head")


def current_revision() -> str | None:
    """The revision the database is at; None when it is empty."""
    from alembic.runtime.migration import MigrationContext

    with engine().connect().execution_options(readonly=True) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str | None:
    """The revision this version of the program needs."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def check_not_newer() -> None:
    """Refuse a database whose revision this program does not know."""
    from alembic.script import ScriptDirectory

    found = current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if found is not None and found not in known:
        raise ConfigError("database.newer", found=found)


def is_ready() -> bool:
    """True when the database answers and is at this version's revision."""
    try:
        with engine().connect().execution_options(readonly=True) as connection:
            connection.execute(text("SELECT 1"))
        return current_revision() == head_revision()
    except OperationalError:
        return False
