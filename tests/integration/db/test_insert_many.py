"""Rows that are written by the dozen are the rows that SQLAlchemy would have written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from mailcrm.models import Message, Participant, PendingUid, Thread, ThreadReference
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import insert_many, insert_numbered, is_one_of, table_of
from tests.builders import a_mailbox, a_message, a_user


@pytest.mark.parametrize("count", [0, 1, 3, 64, 85, 200])
def test_every_number_of_rows_arrives_in_order(db: str, count: int) -> None:
    aino = a_user()
    message_id = a_message(a_mailbox(aino), subject="s").id
    values = [{"message_id": message_id, "role": "to", "position": n, "address": f"{n}@x.test"} for n in range(count)]
    with transaction() as session:
        insert_many(session, Participant, values)
    with reading() as session:
        query = select(Participant).where(Participant.message_id == message_id, Participant.role == "to")
        found = {row.position: (row.address, row.name) for row in session.exec(query) if row.address.endswith("x.test")}
    assert found == {n: (f"{n}@x.test", "") for n in range(count)}, "and what is not given is the model's default"


def test_one_row_that_does_not_fit_undoes_them_all(db: str) -> None:
    values = [{"folder_id": 404, "uid": n, "tries": 0} for n in range(70)]
    with pytest.raises(IntegrityError), transaction() as session:
        insert_many(session, PendingUid, values)
    with reading() as session:
        assert session.exec(select(PendingUid)).all() == []
        assert session.exec(select(ThreadReference)).all() == []


def test_numbers_are_those_of_the_rows(db: str) -> None:
    aino = a_user()
    message_id = a_message(a_mailbox(aino), subject="s").id
    values = [{"message_id": message_id, "role": "cc", "position": n, "address": f"{n}@y.test"} for n in range(70)]
    with transaction() as session:
        ids = insert_numbered(session, Participant, values)
    with reading() as session:
        assert [session.get_one(Participant, i).position for i in ids] == list(range(70))


def test_moments_and_flags_are_spelled_as_sqlalchemy_spells_them(db: str) -> None:
    """What was written either way compares, and orders, as text on SQLite."""
    user = a_user()
    moments = [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1970, 1, 1, 0, 0, 0, 7, tzinfo=UTC),
        datetime(2026, 11, 22, 23, 30, tzinfo=timezone(timedelta(hours=-9, minutes=-30))),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ]
    values = [
        {"user_id": user.user_id, "subject": str(n), "last_at": at, "message_count": 0, "unread_count": 0}
        for n, at in enumerate(moments)
    ]
    with transaction() as session:
        insert_many(session, Thread, values)
        session.connection().execute(insert(table_of(Thread)), values)
    with reading() as session:
        for n, at in enumerate(moments):
            assert set(session.exec(select(Thread.last_at).where(Thread.subject == str(n)))) == {at}
            assert len(session.exec(select(Thread.id).where(Thread.last_at == at)).all()) == 2
    naive = {**values[0], "last_at": datetime(2026, 1, 1)}  # noqa: DTZ001  # what is to be refused
    with pytest.raises(Exception, match="naive"), transaction() as session:
        insert_many(session, Thread, [naive])


@pytest.mark.parametrize("many", [0, 1, 700])
def test_among_is_in(db: str, many: int) -> None:
    """Numbers and texts, however they are written."""
    mailbox = a_mailbox(a_user())
    odd = ["plain", "見積 'x'", 'a"b\\c', "%_", "line\nbreak", ""]
    ids = {subject: a_message(mailbox, subject=subject).id for subject in odd}
    others = [f"other {n}" for n in range(many)]
    with reading() as session:
        for subject, i in ids.items():
            texts, numbers = [subject, *others], [i, *range(-many, 0)]
            assert session.exec(select(Message.id).where(is_one_of(session, col(Message.subject), texts))).all() == [i]
            assert session.exec(select(Message.subject).where(is_one_of(session, col(Message.id), numbers))).all() == [
                subject
            ]
            both = (is_one_of(session, col(Message.subject), odd), is_one_of(session, col(Message.id), [i]))
            assert session.exec(select(Message.id).where(*both)).all() == [i], "two lists in one statement"
        assert session.exec(select(Message.id).where(is_one_of(session, col(Message.subject), others))).all() == []
