"""A mailbox of 20,000 messages: the first page is found by index, without a scan of the messages.

Asks the database's planner, never the clock.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Select, insert, update
from sqlmodel import Session, col, select

from mailcrm.models import Blob, Folder, Message, MessageLocation, Participant, Thread
from mailcrm.services import db as database
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import thread_list, thread_pick, threads
from mailcrm.services.mail.thread.summary import refresh_threads
from mailcrm.services.rows import chunks, run
from tests.builders import NOON, a_mailbox, a_person, a_user

MESSAGES = 20_000
BY_THREAD = 4


def fill(box: int, actor: Actor, analyzed: bool) -> None:
    """Conversations of four messages each, from a hundred senders, all in the inbox; one in ten unread."""
    with transaction() as session:
        session.add(Blob(sha256="0" * 64, size=1))
        folder = session.exec(select(Folder.id).where(Folder.mailbox_id == box, Folder.role == "inbox")).one()
        session.flush()
        run = session.connection()
        spans = [NOON + timedelta(minutes=number) for number in range(MESSAGES)]
        ids = range(1, MESSAGES + 1)
        thread_of = [1 + (number - 1) % (MESSAGES // BY_THREAD) for number in ids]
        rows = [{"id": n, "user_id": actor.user_id, "last_at": NOON, "subject": ""} for n in sorted(set(thread_of))]
        for part in chunks(rows, 2000):
            run.execute(insert(Thread), part)
        blobs = [{"sha256": f"{n:064x}", "size": 1, "created_at": NOON} for n in ids]
        messages = [
            {
                "id": n,
                "mailbox_id": box,
                "user_id": actor.user_id,
                "thread_id": thread_of[n - 1],
                "blob_sha": f"{n:064x}",
                "size": 1,
                "rfc_message_id": f"{n}@x",
                "direction": "in",
                "subject": f"Subject {n}",
                "from_address": f"sender{n % 100}@x.test",
                "sort_at": spans[n - 1],
                "visibility": "private",
                "read": n % 10 > 0,
            }
            for n in ids
        ]
        places = [{"folder_id": folder, "uid": n, "message_id": n} for n in ids]
        parties = [
            {"message_id": n, "role": "from", "position": 0, "name": "", "address": f"sender{n % 100}@x.test"}
            for n in ids
        ]
        for model, values in ((Blob, blobs), (Message, messages), (MessageLocation, places), (Participant, parties)):
            for part in chunks(values, 2000):
                run.execute(insert(model), part)
        refresh_threads(session, thread_of)
    # What PostgreSQL's autovacuum does within a minute; SQLite plans well without.
    with database.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "postgresql" and analyzed:
            connection.exec_driver_sql("ANALYZE")


def plan(session: Session, statement: Select[Any]) -> str:
    """The planner's steps, without running the statement."""
    dialect = session.get_bind().dialect
    if dialect.name == "sqlite":
        text = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        values = tuple(text.params[name] for name in text.positiontup or ())
        found = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
    else:
        text = statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        found = session.connection().exec_driver_sql(f"EXPLAIN {text}")
    return "\n".join(str(row[-1]) for row in found)


@pytest.mark.parametrize("analyzed", [True, False])
def test_a_page_of_the_inbox_reads_no_more_than_it_shows(db: str, analyzed: bool) -> None:
    """With the planner's statistics and without, as in a first sync; the first page and the next one."""
    aino = a_user()
    fill(a_mailbox(aino), aino, analyzed)
    wanted = thread_list.Filter()
    for cursor in (None, threads.list_threads(aino).next_cursor):
        with reading() as session:
            beyond = thread_pick.walk_end(session, aino, wanted, cursor)
            assert beyond is not None
            steps = plan(session, thread_pick.page_statement(session, aino, wanted, cursor, 51, beyond=beyond))
        if db == "sqlite":
            assert "SEARCH threads USING INDEX ix_threads_user_last" in steps, steps
            assert "SCAN" not in steps, steps
            assert "TEMP B-TREE" not in steps, steps
        else:
            assert "Index Scan Backward using ix_threads_user_last" in steps, steps
            assert not re.search(r"Seq Scan on (messages|message_locations|threads)", steps), steps
            assert "Sort" not in steps, steps
            assert "ix_messages_user_sort" not in steps, "all of a user's messages for each conversation"


def test_an_inbox_that_is_nearly_empty_is_found_from_its_folder(db: str) -> None:
    """Where walking ends without a full page: no conversation is asked one by one, no table read as a whole."""
    aino = a_user()
    box = a_mailbox(aino)
    fill(box, aino, analyzed=True)
    with transaction() as session:
        archive = session.exec(select(Folder.id).where(Folder.mailbox_id == box, Folder.role == "archive")).one()
        run(session, update(MessageLocation).where(col(MessageLocation.uid) <= MESSAGES - 8).values(folder_id=archive))
    database.analyze()
    found = threads.list_threads(aino)
    assert len(found.rows) == 8
    with reading() as session:
        steps = plan(session, thread_pick.page_statement(session, aino, thread_list.Filter(), None, 51, by_sets=True))
    if db == "sqlite":
        assert "SEARCH message_locations USING INDEX sqlite_autoindex_message_locations_1 (folder_id=?)" in steps, steps
        assert "SCAN" not in steps, steps
    else:
        assert "uq_message_locations_folder_id_uid" in steps, steps
        assert not re.search(r"Seq Scan on (messages|message_locations|threads)", steps), steps


def test_unread_conversations_are_counted_by_an_index_of_them(db: str) -> None:
    aino = a_user()
    fill(a_mailbox(aino), aino, analyzed=True)
    wanted = thread_list.Filter(unread=True)
    with reading() as session:
        beyond = thread_pick.walk_end(session, aino, wanted, None)
        steps = plan(session, thread_pick.page_statement(session, aino, wanted, None, 51, beyond=beyond))
    assert "ix_threads_unread" in steps, steps
    assert not re.search(r"SCAN|Seq Scan on (messages|message_locations|threads)|TEMP B-TREE|Sort", steps), steps


def test_the_rules_work_through_a_large_backlog(sqlite_db: object) -> None:
    aino = a_user()
    fill(a_mailbox(aino), aino, analyzed=False)
    person = a_person(aino, "Seven", "sender7@x.test")
    assert link.apply_rules(limit=MESSAGES) == MESSAGES
    found = threads.list_threads(aino, person_id=person.card.id, limit=100)
    assert {address for row in found.rows for address in row.addresses} >= {"sender7@x.test"}
