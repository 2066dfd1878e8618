"""Search beside notmuch: the same mail, the same terms, both in one process, the newest 50 conversations (B11).

`python -m tests.bench.search MESSAGES FOLDER`, with the database in the environment: makes a Maildir, has notmuch index
it, stores the same messages, asks both in turns, and prints each figure as a line of JSON. notmuch is asked through
its library, with its database open; it gives subject, authors, date and the number of messages of each conversation,
the service all that a row of the list shows. Without the library nothing is compared.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import gc
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.crm import Figure, say
from tests.bench.mailbox import messages

LIBRARY = "libnotmuch.so.5"
TURNS = 15
PAGE = 50
_NEWEST_FIRST = 1
_BOX = "bench@own.test"


class Notmuch:
    """libnotmuch with one database open."""

    def __init__(self, folder: Path) -> None:
        self.lib = ctypes.CDLL(LIBRARY)
        for name, kind in (
            ("notmuch_query_create", ctypes.c_void_p), ("notmuch_threads_get", ctypes.c_void_p),
            ("notmuch_thread_get_subject", ctypes.c_char_p), ("notmuch_thread_get_authors", ctypes.c_char_p),
            ("notmuch_thread_get_newest_date", ctypes.c_long), ("notmuch_thread_get_total_messages", ctypes.c_int),
        ):  # fmt: skip
            getattr(self.lib, name).restype = kind
        self.database = ctypes.c_void_p()
        if self.lib.notmuch_database_open(str(folder).encode(), 0, ctypes.byref(self.database)):
            sys.exit("notmuch does not open its database")

    def search(self, terms: str) -> int:
        """Read the newest conversations as a list shows them; return how many."""
        lib, threads = self.lib, ctypes.c_void_p()
        query = ctypes.c_void_p(lib.notmuch_query_create(self.database, terms.encode()))
        lib.notmuch_query_set_sort(query, _NEWEST_FIRST)
        if lib.notmuch_query_search_threads(query, ctypes.byref(threads)):
            sys.exit(f"notmuch does not search for {terms}")
        found = 0
        while found < PAGE and lib.notmuch_threads_valid(threads):
            thread = ctypes.c_void_p(lib.notmuch_threads_get(threads))
            lib.notmuch_thread_get_subject(thread)
            lib.notmuch_thread_get_authors(thread)
            lib.notmuch_thread_get_newest_date(thread)
            lib.notmuch_thread_get_total_messages(thread)
            lib.notmuch_threads_move_to_next(threads)
            found += 1
        lib.notmuch_query_destroy(query)
        return found


def main(count: int, home: Path) -> None:
    """Fill both, then measure both."""
    actor, counted = _fill(count, home)
    from mailcrm.services.mail import threads

    theirs = Notmuch(home / "mail")
    gc.collect()
    gc.freeze()
    for what, terms in _terms(counted, count).items():
        ours: list[float] = []
        other: list[float] = []
        least = 10**9
        for question in terms:  # the first of a kind is compiled and read from the disk
            theirs.search(question)
            threads.list_threads(actor, folder="all", query=question, limit=PAGE)
        for question in terms * (1 + TURNS // len(terms)):
            other.append(_timed(lambda q=question: theirs.search(q)))
            ours.append(_timed(lambda q=question: threads.list_threads(actor, folder="all", query=q, limit=PAGE)))
            least = min(least, len(threads.list_threads(actor, folder="all", query=question, limit=PAGE).rows))
        if not least:
            sys.exit(f"nothing was found for one of {terms}")
        mine, its = statistics.median(ours), statistics.median(other)
        worst = sorted(ours)[int(len(ours) * 0.95)]
        figure = f"{mine:.1f} ms (p95 {worst:.1f}), notmuch {its:.1f} ms: {mine / its:.2f} times"
        say(Figure(f"search for {what}", figure, mine / its, "≤ 3 × notmuch’s time", most=3))
        say(Figure(f"search for {what}, 95 %", f"{worst:.1f} ms", worst, "≤ 100 ms", most=100))


def _timed(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000


def _fill(count: int, home: Path) -> tuple[Any, Counter[str]]:
    """Write the mail for notmuch, and store it as a sync does; return whose it is, and how many messages have a word."""
    from mailcrm.models import Mailbox
    from mailcrm.services import db
    from mailcrm.services.db import transaction
    from mailcrm.services.mail import store
    from mailcrm.services.mail.packs import Place
    from mailcrm.services.mail.parse.message import parse_message
    from mailcrm.services.mail.search.text import words_of
    from tests.builders import a_mailbox, a_user

    maildir = home / "mail" / "cur"
    maildir.mkdir(parents=True)
    db.migrate()
    actor = a_user()
    box = a_mailbox(actor, _BOX)
    counted: Counter[str] = Counter()
    batch: list[store.Incoming] = []

    def write() -> None:
        with transaction() as session:
            store.store(session, store.owner_of(session, session.get_one(Mailbox, box)), batch)
        batch.clear()

    for n, (raw, when, _flags) in enumerate(messages(count)):
        (maildir / f"{n}:2,S").write_bytes(raw)
        parsed = parse_message(raw)
        words = words_of(parsed)
        counted.update({word for word in f"{words.subject} {words.body}".split() if word.isascii() and word.isalpha()})
        batch.append(
            store.Incoming(
                f"{n:064x}", len(raw), parsed, when, "in", read=True, place=Place("bench", n, 1), words=words
            )
        )
        if len(batch) == 500:
            write()
    write()
    db.analyze()
    settings = home / "notmuch"
    settings.write_text(f"[database]\npath={home / 'mail'}\n[user]\nprimary_email={_BOX}\n")
    subprocess.run(["notmuch", f"--config={settings}", "new", "--quiet"], check=True)
    return actor, counted


def _terms(counted: Counter[str], count: int) -> dict[str, list[str]]:
    """Words that most, some and few messages have, and what people ask besides."""
    rng = random.Random(5)
    ranked = [word for word, _ in counted.most_common() if len(word) > 3]
    most = ranked[:5]
    some = [word for word in ranked if count // 100 <= counted[word] <= count // 10] or ranked[5:10]
    rare = [word for word in ranked if counted[word] <= max(3, count // 1000)] or ranked[-5:]
    return {
        "a word of most messages": most,
        "a word of some": rng.sample(some, min(5, len(some))),
        "a rare word": rng.sample(rare, min(5, len(rare))),
        "two words": [f"{one} {two}" for one, two in zip(most, ranked[5:10], strict=False)],
        "a word of the subject": [f"subject:{word}" for word in most],
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
