"""The first pages of the inbox, of timelines and of the people list read by index what they show (issue 4, Speed).

Every statement that the verbs send is explained; the clock is not asked. With the planner's statistics, which on SQLite
once led it from two indexes of links to a read of all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, insert, update
from sqlmodel import col

from mailcrm.models import Link, Message, Person, PersonAddress
from mailcrm.services import db as database
from mailcrm.services.crm import deals, people, people_list, timeline
from mailcrm.services.crm.linking import link
from mailcrm.services.db import transaction
from mailcrm.services.mail import threads
from tests.builders import a_deal, a_mailbox, a_person, a_user
from tests.integration.crm.test_large_mailbox import fill

LARGE = "messages|threads|links|participants|message_locations|persons|person_addresses|blobs"


@contextmanager
def explained() -> Iterator[list[str]]:
    """The plans of every SELECT that is sent meanwhile."""
    plans: list[str] = []
    asking = "EXPLAIN QUERY PLAN" if database.engine().dialect.name == "sqlite" else "EXPLAIN"

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            other = cursor.connection.cursor()
            other.execute(f"{asking} {statement}", parameters)
            plans.append("\n".join(str(row[-1]) for row in other.fetchall()) + f"\n{statement}")

    engines = {database.engine(), database.loading_engine()}
    for each in engines:
        event.listen(each, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        for each in engines:
            event.remove(each, "before_cursor_execute", explain)


def test_first_pages_read_no_table_as_a_whole(db: str) -> None:
    """For the mailbox's user and for a colleague who sees shared mail of the deal; 20,000 messages, 3,000 persons."""
    aino, otso = a_user(), a_user("Otso")
    fill(a_mailbox(aino), aino, analyzed=False)
    deal, mika = a_deal(aino), a_person(aino, "Mika Aaltonen", "sender7@x.test")
    with transaction() as session:
        run = session.connection()
        ids = range(1000, 4000)
        run.execute(insert(Person), [{"id": n, "name": f"Person {n}", "owner_id": aino.user_id} for n in ids])
        run.execute(insert(PersonAddress), [{"person_id": n, "address": f"p{n}@x.test"} for n in ids])
        made = [{"thread_id": n, "person_id": n % 3000 + 1000, "origin": "rule"} for n in range(1, 5001)]
        run.execute(insert(Link), made)
        run.execute(insert(Link), [{"thread_id": n, "deal_id": deal.card.id, "origin": "rule"} for n in range(1, 40)])
    database.analyze()
    with explained() as plans:
        for actor in (aino, otso):
            threads.list_threads(actor)
            timeline.deal_timeline(actor, deal.card.id)
            timeline.person_timeline(actor, mika.card.id)
            page = people.list_people(actor, limit=50)
            people.list_people(actor, limit=50, cursor=page.next_cursor)
            people_list.page_of_people(actor, limit=50)
            deals.list_deals(actor)
    assert len(plans) > 20
    # PostgreSQL reads 3,000 persons faster than it looks 50 up.
    whole = rf"SCAN ({LARGE})\b(?! USING)|Seq Scan on (messages|threads|participants|message_locations)\b"
    # Nor does it look the newest emails of 50 persons up among 20,000: an index serves that from some more on.
    small = database.engine().dialect.name == "postgresql"
    for plan in plans:
        assert (small and "target_id" in plan) or not re.search(whole, plan), plan
    listed = [plan for plan in plans if "ORDER BY lower(persons.name)" in plan]
    assert listed
    assert all("ix_persons_by_name" in plan for plan in listed), listed
    if database.engine().dialect.name == "sqlite":
        # What grows with a deal's mail is read from indexes alone; PostgreSQL chooses by how small the tables are.
        walked = [plan for plan in plans if "UNION ALL" in plan and "links.deal_id IN" in plan]
        assert len(walked) >= 4  # timelines, and the newest emails of a list
        for plan in walked:
            assert "links USING COVERING INDEX ix_links_deal" in plan, plan
            assert "messages USING COVERING INDEX ix_messages_thread_sort" in plan, plan


def test_small_folders_and_few_shared_emails_are_read_alone(db: str) -> None:
    """Of a mailbox whose mail is elsewhere, or that shares nothing, no list reads all."""
    aino = a_user()
    fill(a_mailbox(aino), aino, analyzed=False)
    with transaction() as session:
        session.connection().execute(update(Message).values(archived=True))
    database.analyze()
    with explained() as plans:
        threads.list_threads(aino)
        threads.list_threads(aino, folder="all", visibility="shared")
        threads.list_threads(aino, folder="archive", visibility="shared")
    lists = [plan for plan in plans if "FROM threads" in plan and "EXISTS" not in plan.partition("WHERE")[0]]
    assert lists
    assert not [plan for plan in lists if re.search("ix_messages_user_sort|ix_messages_mailbox", plan)]


def test_the_rules_read_what_waits_and_no_other_mail(db: str) -> None:
    """With statistics of a moment when nothing waited, SQLite once read all mail of the users to find ten messages."""
    aino = a_user()
    fill(a_mailbox(aino), aino, analyzed=False)
    with transaction() as session:
        session.connection().execute(update(Message).values(link_pending=False))
    database.analyze()
    with transaction() as session:
        session.connection().execute(update(Message).where(col(Message.id) > 19_990).values(link_pending=True))
    with explained() as plans:
        assert link.apply_rules(100) == 10
    waiting = [plan for plan in plans if re.search("WHERE .*link_pending IS", plan)]
    assert len(waiting) >= 2
    for plan in waiting:
        assert "ix_messages_link_pending" in plan, plan
