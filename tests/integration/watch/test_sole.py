"""One watcher for one database: the second stands by, and takes over when the first is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from sqlalchemy import text

from mailcrm.services import db as database
from mailcrm.services.mail.watch.sole import Sole
from tests.conftest import ROOT
from tests.integration.watch.conftest import until

HOLD = """
import sys, time
from mailcrm.services.mail.watch.sole import Sole
sole = Sole()
print(sole.acquire(), flush=True)
time.sleep(600)
"""


def test_a_second_process_gets_it_only_when_the_first_is_dead(db: str) -> None:
    first = subprocess.Popen([sys.executable, "-c", HOLD], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout
        assert first.stdout.readline().strip() == "True"
        mine = Sole()
        assert not mine.acquire()
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        until(mine.acquire, "the lock of a dead process")
        assert mine.is_held()
        mine.release()
        assert not mine.is_held()
    finally:
        first.kill()
        first.wait()
        first.stdout.close()  # type: ignore[union-attr]


def test_who_lost_its_connection_to_postgresql_is_not_the_watcher_any_more(db: str) -> None:
    """Another may have taken over: two would sign in twice."""
    mine = Sole()
    assert mine.acquire()
    if db == "postgresql":
        with database.engine().connect() as other:
            other.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
            )
        assert not mine.is_held()
    else:
        assert mine.is_held()
    mine.release()
    again = Sole()
    assert again.acquire()
    again.release()
