"""A database whose process can die at any commit, and be as new for each example (SQLite, no flushing: for speed).

One file and one engine serve all examples, because compiling SQLAlchemy's statements anew would take most of the time;
`fresh` empties every table, so that ids begin at 1 again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import event

from mailcrm import config
from mailcrm.models import Mailbox, User
from mailcrm.services import crypto
from mailcrm.services import db as database


class Died(BaseException):
    """The process is no more. Not an Exception: nothing may catch it and go on."""


class Fate:
    """When the process dies: at its nth commit, "before" it or "after" it. From then on it touches nothing."""

    def __init__(self) -> None:
        self.commits = 0
        self.at: tuple[int, str] | None = None
        self.dead = False

    def live(self, at: tuple[int, str] | None = None) -> None:
        self.commits, self.at, self.dead = 0, at, False


fate = Fate()


class MortalConnection(sqlite3.Connection):
    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        if fate.dead:
            raise Died
        return super().cursor(*args, **kwargs)

    def commit(self) -> None:
        if fate.dead:
            raise Died
        if not self.in_transaction:
            return
        fate.commits += 1
        if fate.at == (fate.commits, "before"):
            fate.dead = True
            raise Died
        super().commit()
        if fate.at == (fate.commits, "after"):
            fate.dead = True
            raise Died


class Store:
    """The data folder of a machine: `open` once, `fresh` for each example, `close`."""

    def __init__(self, template: Path, folder: Path | None = None) -> None:
        shm = Path("/dev/shm")  # noqa: S108  # memory, where there is some
        self.folder = folder or Path(
            tempfile.mkdtemp(prefix="mailcrm-machine-", dir=shm if os.access(shm, os.W_OK) else None)
        )
        self.path = self.folder / "mailcrm.sqlite3"
        shutil.copy(template, self.path)
        self._saved = {name: os.environ.get(name) for name in ("MAILCRM_DATA_DIR", "MAILCRM_DATABASE_URL")}
        os.environ.update(MAILCRM_DATA_DIR=str(self.folder), MAILCRM_DATABASE_URL=f"sqlite:///{self.path}")
        database.dispose()
        config.reset()
        fate.live()
        for engine in (database.engine(), database.loading_engine()):

            @event.listens_for(engine, "do_connect")
            def mortal(_dialect: Any, _record: Any, _args: Any, params: dict[str, Any]) -> None:
                params["factory"] = MortalConnection

            @event.listens_for(engine, "connect")
            def unflushed(connection: Any, _record: Any) -> None:
                connection.execute("PRAGMA synchronous=OFF")

        with database.transaction() as session:
            user = User(name="Ann", email="ann@home.test", password_hash="x", role="member")
            session.add(user)
            session.flush()
            mailbox = Mailbox(
                user_id=user.id or 0, address="ann@home.test",
                imap_host="fake.test", imap_port=143, imap_security="none", imap_username="ann",
                smtp_host="fake.test", smtp_port=25, smtp_security="none", smtp_username="ann", secret=b"",
            )  # fmt: skip
            session.add(mailbox)
            session.flush()
            mailbox.secret = crypto.seal({"imap": "secret", "smtp": "secret"}, context=f"mailbox:{mailbox.id}")
            self.mailbox_id, self.user_id = mailbox.id or 0, user.id or 0
        self.eyes = sqlite3.connect(self.path, isolation_level=None)  # sees what is committed, whoever is dead
        self._tables = [  # not the search index: a full-text table owns tables of its own, and it is rebuilt by itself
            name
            for (name,) in self.eyes.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith(("sqlite_", "alembic", "message_search"))
        ]
        self._kept = {table: self.eyes.execute(f"SELECT * FROM {table}").fetchall() for table in ("users", "mailboxes")}

    def fresh(self) -> None:
        """Empty every table but the user and the mailbox, as they were connected."""
        fate.live()
        eyes = self.eyes
        eyes.execute("BEGIN IMMEDIATE")
        for table in self._tables:
            eyes.execute(f"DELETE FROM {table}")
        for table, rows in self._kept.items():
            for row in rows:
                eyes.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)
        eyes.execute("COMMIT")

    def rows(self, sql: str, *args: object) -> list[tuple[Any, ...]]:
        return self.eyes.execute(sql, args).fetchall()

    def close(self) -> None:
        self.eyes.close()
        database.dispose()
        config.reset()
        for name, value in self._saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(self.folder, ignore_errors=True)
