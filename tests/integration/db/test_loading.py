"""The transactions of a first sync: one after the other on a connection of their own, beside everybody else's."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlmodel import col, select, update

from mailcrm.models import User
from mailcrm.services import db
from tests.builders import a_user


def _rename(user_id: int, name: str) -> None:
    with db.transaction(loading=True) as session:
        session.exec(update(User).where(col(User.id) == user_id).values(name=name))


def test_they_take_turns_and_are_seen_by_all(sqlite_db: Path) -> None:
    user = a_user()
    with db.transaction(loading=True) as session:
        assert session.exec(select(User.id)).all()
        other = threading.Thread(target=_rename, args=(user.user_id, "second"))
        other.start()
        other.join(0.2)
        assert other.is_alive(), "it waits for the one before"
        session.exec(update(User).where(col(User.id) == user.user_id).values(name="first"))
        with db.reading() as beside:
            assert beside.exec(select(User.name).where(User.id == user.user_id)).one() not in ("first", "second")
    other.join()
    with db.reading() as session:
        assert session.exec(select(User.name).where(User.id == user.user_id)).one() == "second"


def test_one_that_fails_leaves_nothing_and_lets_the_next_go_on(sqlite_db: Path) -> None:
    user = a_user()
    with pytest.raises(LookupError), db.transaction(loading=True) as session:
        session.exec(update(User).where(col(User.id) == user.user_id).values(name="half"))
        raise LookupError
    _rename(user.user_id, "whole")
    with db.transaction() as session:
        assert session.exec(select(User.name).where(User.id == user.user_id)).one() == "whole"
        names = session.connection().exec_driver_sql("PRAGMA cache_size").scalar_one()
    assert names != -db.LOADING_CACHE_KB, "others keep little in memory"
