"""The database: engine, transactions, migrations.

SQLite runs with WAL, foreign keys and a busy timeout; writers take the lock at BEGIN IMMEDIATE, so a transaction
never dies half-way of "database is locked"; one that must outlive a power cut asks for it. PostgreSQL is told to
plan for short statements.
Does not hold queries. A verb opens one `transaction()`; helpers take the session and never commit (rule 2).
"""

from __future__ import annotations

import errno
import functools
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session

from mailcrm.config import config
from mailcrm.errors import ConfigError
from mailcrm.services.folding import fold

if TYPE_CHECKING:  # 10 MB that most processes never need: imported where migrations are looked at
    from alembic.config import Config as AlembicConfig

SQLITE_BUSY_MS = 15_000  # longer than any of our write transactions (a sync batch is under a second)
LOADING_CACHE_KB = 4_000  # SQLite has 2,000; with 8,000 a first sync of 12,000 messages writes in a fifth less time
ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def engine() -> Engine:
    """The process's engine for the configured database."""
    return make_engine(config().database_url)


@functools.cache
def loading_engine() -> Engine:
    """The engine for what writes by the thousand: on SQLite one connection, which holds more of the indexes.

    Rows of mail fall anywhere in six of them: with the usual 2 MB each message reads fifteen pages back. One for the
    process, however many mailboxes it syncs: there is one writer anyway, and its turn comes sooner by the pool than by
    asking the file again and again.
    """
    url = config().database_url
    return make_engine(url, loading=True) if url.startswith("sqlite") else engine()


def make_engine(url: str, *, loading: bool = False) -> Engine:
    """Create an engine with the pragmas that mailcrm relies on; `loading`: its one connection is for many rows."""
    if not url.startswith("sqlite"):
        made = create_engine(url, pool_pre_ping=True, hide_parameters=True)  # a traceback holds no mail
        event.listen(made, "connect", _plan_for_pages)
        return made
    # Of 128 statements that the driver would keep, most are lists of values, each as long as no other: 8 MB.
    waits = {"timeout": SQLITE_BUSY_MS / 1000, "check_same_thread": False, "cached_statements": 24}
    # The connection that was used last is used next: its pages and statements are in memory, and others hold few.
    alone: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 4 * SQLITE_BUSY_MS / 1000}
    made = create_engine(
        url, connect_args=waits, hide_parameters=True, pool_use_lifo=True, **(alone if loading else {})
    )

    @event.listens_for(made, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, below
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL", f"busy_timeout={SQLITE_BUSY_MS}"):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("folded", 1, _folded, deterministic=True)
        if loading:  # 4,000 pages: what many batches write is taken into the file once
            connection.execute(f"PRAGMA cache_size=-{LOADING_CACHE_KB}")
            connection.execute("PRAGMA wal_autocheckpoint=4000")

    @event.listens_for(made, "begin")
    def _begin(connection: Any) -> None:
        options = connection.get_execution_options()
        _flush_at_commit(connection, options.get("durable", False))
        connection.exec_driver_sql("BEGIN" if options.get("readonly", False) else "BEGIN IMMEDIATE")

    return made


def _plan_for_pages(connection: Any, _record: Any) -> None:
    """Tell PostgreSQL that what we ask takes milliseconds.

    Compiling a statement (JIT) took 100 of them, and starting parallel workers 20, wherever a plan's estimate was high.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET jit = off")
        cursor.execute("SET max_parallel_workers_per_gather = 0")
    connection.commit()


def _folded(text: str | None) -> str:
    return fold(text or "")


def _flush_at_commit(connection: Any, wanted: bool) -> None:
    """Switch a SQLite connection to flush its log at each commit, or back: WAL with NORMAL may lose the last ones."""
    info = connection.info
    if bool(info.get("durable")) != wanted:
        connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if wanted else 'NORMAL'}")
        info["durable"] = wanted


@contextmanager
def transaction(*, durable: bool = False, loading: bool = False) -> Generator[Session]:
    """One write transaction: committed at the end, rolled back on any exception.

    `loading`: it may write thousands of rows; these transactions of a process follow each other.
    `durable`: on the disk when it returns, whatever happens to the power (a flush, 5 ms; PostgreSQL always does).
    """
    bind = loading_engine() if loading else engine()
    if durable:
        bind = bind.execution_options(durable=True)
    with Session(bind, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading() -> Generator[Session]:
    """One consistent read; never blocks a writer and writes nothing."""
    with engine().connect().execution_options(readonly=True) as connection, Session(connection) as session:
        yield session


def is_disk_full(error: BaseException) -> bool:
    """Whether files, SQLite or PostgreSQL found no room: the administrator's to mend, and nobody's bug."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if not isinstance(error, DBAPIError):
        return False
    return getattr(error.orig, "sqlstate", "") == "53100" or "disk is full" in str(error.orig)


def analyze() -> None:
    """Let the database count its tables again, after a load that changed them greatly."""
    with transaction() as session:
        connection = session.connection()
        if connection.dialect.name == "sqlite":  # `PRAGMA optimize` only sees what its own connection asked
            connection.exec_driver_sql("PRAGMA analysis_limit=1000")
        connection.exec_driver_sql("ANALYZE")


def dispose() -> None:
    """Close the connections and forget the engine (after fork, in tests)."""
    for each in (loading_engine, engine):
        if each.cache_info().currsize:
            each().dispose()
        each.cache_clear()


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
