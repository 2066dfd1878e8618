"""The CRM's bars: first pages, matching and linking again in a workspace of 1,000,000 messages (crm_data.py).

`python -m tests.bench.crm MESSAGES`, with the database in the environment: fills it when it is empty, measures, and
prints each figure as a line of JSON. Verbs are called as the interface calls them, in one process, after one call that
warms them; each figure is of calls with other persons, deals and words. What is written is taken back, so that a
database that is kept can be measured again.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import crm_data

ROUNDS = 60
MATCHED = 20_000
MOST_S = 10.0  # of one line: what is slow needs no more calls to be called so


@dataclass(frozen=True)
class Figure:
    """One line: milliseconds of calls, or messages a second, or seconds."""

    what: str
    figure: str
    value: float
    bar: str
    most: float | None = None
    least: float | None = None


def say(figure: Figure) -> None:
    """Print a figure for the bench."""
    print(json.dumps(figure.__dict__), flush=True)


def pages(what: str, calls: list[Callable[[], Any]], bar: float | None = 30) -> None:
    """Measure calls: the middle one, 95 %, and the slowest, in milliseconds; and this process's CPU in the middle."""
    calls[0]()
    taken: list[float] = []
    cpu: list[float] = []
    until = time.monotonic() + MOST_S
    for call in calls:
        if taken and time.monotonic() > until:
            break
        begun, used = time.perf_counter(), time.process_time()
        call()
        cpu.append((time.process_time() - used) * 1000)
        taken.append((time.perf_counter() - begun) * 1000)
    cpu.sort()
    taken.sort()
    p95 = taken[min(len(taken) - 1, int(len(taken) * 0.95))]
    figure = f"{p95:.1f} ms (p50 {taken[len(taken) // 2]:.1f}, most {taken[-1]:.1f}, CPU {cpu[len(cpu) // 2]:.1f})"
    say(Figure(what, figure, p95, f"≤ {bar:g} ms" if bar else "", bar))


def reading_pages(size: crm_data.Size) -> None:
    """First pages of the inbox, of timelines and of the people list."""
    from mailcrm.services.crm import deals, people, people_list, timeline
    from mailcrm.services.mail import threads

    rng = random.Random(3)
    aino, filer, other = (_actor(n) for n in (1, 2, 8))
    some_deals = [1 + 2 * rng.randrange(size.deals // 2) for _ in range(ROUNDS)]
    some_people = [1 + int(size.persons * rng.random() ** 3) for _ in range(ROUNDS)]

    def repeat(call: Callable[[], Any], times: int = ROUNDS) -> list[Callable[[], Any]]:
        return [call] * times

    pages("inbox, everything kept in it", repeat(lambda: threads.list_threads(aino)))
    pages("inbox, everything filed but the newest", repeat(lambda: threads.list_threads(filer)))
    for name in ("all", "sent", "archive"):
        pages(f"inbox, folder “{name}”", repeat(lambda name=name: threads.list_threads(aino, folder=name), 20))
    pages("inbox, unread only", repeat(lambda: threads.list_threads(aino, unread=True), 20))
    pages("inbox, with an open deal", repeat(lambda: threads.list_threads(aino, open_deal=True), 20))
    pages("inbox, opened", repeat(lambda: threads.list_threads(aino, tracked=True, opened=True), 20))
    pages("inbox, shared only (there are none)", repeat(lambda: threads.list_threads(aino, visibility="shared"), 5))
    pages("inbox of one deal", [lambda n=n: threads.list_threads(aino, folder="all", deal_id=n) for n in some_deals])
    words = _words()
    for kind, asked in words.items():
        calls = [lambda w=w: threads.list_threads(aino, query=w) for w in asked for _ in range(2)]
        pages(f"inbox, search for {kind}", calls, 100)
    pages("counts of the navigation", repeat(lambda: threads.counts(aino), 20))
    pages("deal’s timeline", [lambda n=n: timeline.deal_timeline(aino, n) for n in some_deals])
    pages("deal’s timeline, for a colleague", [lambda n=n: timeline.deal_timeline(other, n) for n in some_deals])
    pages("deal’s timeline, the busiest deal", repeat(lambda: timeline.deal_timeline(aino, crm_data.BUSY), 20))
    pages(
        "deal’s timeline, the busiest deal, for a colleague",
        repeat(lambda: timeline.deal_timeline(other, crm_data.BUSY), 20),
    )
    pages("person’s timeline", [lambda n=n: timeline.person_timeline(aino, n) for n in some_people])
    pages("people list", repeat(lambda: people.list_people(aino)))
    pages("people list, as its page shows it", repeat(lambda: people_list.page_of_people(aino)))
    pages("people list, search", [lambda w=w: people.list_people(aino, w) for w in ("kato", "mira", "p77", "sel van")])
    pages("deals list", repeat(lambda: deals.list_deals(aino), 20))
    with _scope("own"):
        pages("people list, own only", repeat(lambda: people.list_people(aino)))
        pages("deal’s timeline, own only", [lambda: timeline.deal_timeline(aino, crm_data.BUSY)] * 10)
    with _scope("team"):
        pages("people list, the team’s", repeat(lambda: people.list_people(aino)))


def linking(size: crm_data.Size) -> None:
    """The rules over messages that wait, and a person's new address."""
    from sqlalchemy import delete, func, update
    from sqlmodel import col, select

    from mailcrm.models import Link, Message, PersonAddress
    from mailcrm.services.crm import people
    from mailcrm.services.crm.linking import link
    from mailcrm.services.db import transaction
    from mailcrm.services.rows import run, scalar

    matched = min(MATCHED, size.messages // 2)
    with transaction() as session:
        newest = col(Message.id) > size.messages - matched
        run(session, update(Message).where(newest).values(link_pending=True))
        last = scalar(session, select(func.max(Link.id)))
    begun = time.perf_counter()
    done = link.apply_rules(matched)
    rate = done / (time.perf_counter() - begun)
    say(Figure("matching, with its transactions", f"{rate:.0f} messages/s", rate, "≥ 5,000 messages/s", least=5000))
    begun = time.perf_counter()
    people.add_address(_actor(1), crm_data.STEADY, crm_data.STEADY_ADDRESS)
    waited = 0
    while looked_at := link.apply_rules(1000):
        waited += looked_at
    seconds = time.perf_counter() - begun
    say(Figure(
        f"a person’s new address: {waited:,} old messages linked", f"{seconds:.2f} s", seconds, "≤ 1 s", most=1,
    ))  # fmt: skip
    with transaction() as session:
        run(session, delete(Link).where(col(Link.id) > last))
        run(session, delete(PersonAddress).where(col(PersonAddress.address) == crm_data.STEADY_ADDRESS))


def _actor(user: int) -> Any:
    from mailcrm.services import access
    from mailcrm.services.db import reading

    with reading() as session:
        return access.actor_for(session, user)


def _words() -> dict[str, list[str]]:
    """Words that many, some and few messages have."""
    words = crm_data.vocabulary()
    return {
        "a word of most messages": words[:3],
        "a word of some": [words[len(words) // 5 + n] for n in range(10)],
        "a rare word": [words[len(words) - 1 - n] for n in range(20)],
        "two words": [f"{words[n]} {words[n + 40]}" for n in range(10)],
        "a person’s address": [crm_data.person_address(n * 31 + 1) for n in range(20)],
    }


@contextmanager
def _scope(scope: str) -> Iterator[None]:
    """Members see only their own, or their team's, persons and deals."""
    from sqlalchemy import delete

    from mailcrm.models import RoleAccess
    from mailcrm.services.db import transaction
    from mailcrm.services.rows import run

    with transaction() as session:
        for kind in ("person", "organization", "deal", "lead"):
            session.add(RoleAccess(role="member", kind=kind, scope=scope))
    try:
        yield
    finally:
        with transaction() as session:
            run(session, delete(RoleAccess))


def fill_when_empty(size: crm_data.Size) -> None:
    """Fill a migrated database that holds no message."""
    from sqlmodel import select

    from mailcrm.models import Message
    from mailcrm.services import db

    with db.reading() as session:
        empty = session.exec(select(Message.id).limit(1)).first() is None
    if empty:
        begun = time.monotonic()
        with db.engine().begin() as connection:
            crm_data.fill(connection, size)
        db.analyze()
        print(f"filled in {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


def main(messages: int) -> None:
    """Fill the database if it is empty, then measure."""
    from mailcrm.services import db

    db.migrate()
    size = crm_data.Size(messages)
    fill_when_empty(size)
    if db.engine().dialect.name == "postgresql":  # what autovacuum does by itself, minutes after a load or a bench
        with db.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    _warm(db.engine())
    gc.collect()
    gc.freeze()  # as the web process does once it has started
    reading_pages(size)
    linking(size)


def _warm(engine: Any) -> None:
    """Read the database's files once: a server that has been up for an hour has them in memory."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            where = Path(connection.exec_driver_sql("SHOW data_directory").scalar_one()) / "base"
        files = [path for path in where.rglob("*") if path.is_file()] if where.is_dir() else []
    else:
        files = [Path(engine.url.database)]
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 24):
                pass


if __name__ == "__main__":
    main(int(sys.argv[1]))
