"""The models and the migrations agree, on SQLite and PostgreSQL (architecture.md, rule 9)."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from alembic import command
from mailcrm.errors import ConfigError
from mailcrm.services import db as database


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")  # SQLite
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_models_and_migrations_agree(db: str) -> None:
    command.check(database.alembic_config())  # raises when autogenerate would change anything


def test_a_migrated_database_is_ready(db: str) -> None:
    assert database.is_ready()
    assert database.current_revision() == database.head_revision()


def test_migrating_again_changes_nothing(db: str) -> None:
    database.migrate()
    assert database.is_ready()


def test_a_database_of_a_newer_version_is_refused(db: str) -> None:
    """Issue 2, "Bad input": refuses to start, says why, and leaves the database alone."""
    with database.transaction() as session:
        session.exec(text("UPDATE alembic_version SET version_num = '9999'"))  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="newer mailcrm \\(9999\\)"):
        database.migrate()
    assert database.current_revision() == "9999"


def test_downgrade_leaves_nothing_behind(db: str) -> None:
    command.downgrade(database.alembic_config(), "base")
    assert database.current_revision() is None
    database.migrate()
    assert database.is_ready()


def test_a_migration_keeps_every_row(db: str) -> None:
    """SQLite makes altered tables anew; dropping the old one must not take the rows that refer to it along."""
    from tests.builders import a_mailbox, a_message, a_user

    a_message(a_mailbox(a_user()))
    counted = _counts()
    assert counted["messages"] == 1
    command.downgrade(database.alembic_config(), "0001")
    assert _counts() == counted
    database.migrate()
    assert _counts() == counted


def _counts() -> dict[str, int]:
    with database.reading() as session:
        return {
            name: session.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()  # noqa: S608  our own names
            for name in ("users", "mailboxes", "messages", "participants", "threads", "blobs")
        }
