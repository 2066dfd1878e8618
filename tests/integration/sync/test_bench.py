"""`python -m tests.bench` works, and its mailbox is the same each time."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys

from tests.bench.mailbox import messages
from tests.servers.fixtures import needs


def test_the_benchmark_measures_bars_of_the_first_sync() -> None:
    """Issue 3: beside mbsync in the same run, memory, the newest messages. The other parts are made of the same pieces."""
    needs("dovecot")
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "first", "newest", "--messages", "40", "--many", "120"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"^  mailcrm +\d+ messages/s", done.stdout, re.MULTILINE)
    assert re.search(r"^  mbsync, FSync yes +\d+ messages/s", done.stdout, re.MULTILINE)
    table = done.stdout[done.stdout.index("| What |") :]
    for bar in ("by mbsync, FSync yes", "newest 50", "peak memory"):
        assert re.search(rf"^\| .*{bar}.* \| (met|MISSED) \|$", table, re.MULTILINE), bar


def test_one_large_message_is_stored_and_measured() -> None:
    needs("dovecot")
    done = subprocess.run([sys.executable, "-m", "tests.bench", "large"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "one message of 50 MB" in done.stdout


def test_an_unknown_part_is_refused() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.bench", "nothing"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such part: nothing" in done.stderr


def test_the_mailbox_is_seeded_and_of_the_stated_mix() -> None:
    first, again = ([raw for raw, _, _ in messages(400)] for _ in range(2))
    assert [hashlib.sha256(m).digest() for m in first] == [hashlib.sha256(m).digest() for m in again]
    assert len({hashlib.sha256(m).digest() for m in first}) == 400
    attached = sum(b"application/pdf" in m for m in first)
    html = sum(b"multipart/alternative" in m for m in first)
    assert 8 <= attached <= 40
    assert 100 <= html <= 180
    assert 15_000 < sum(map(len, first)) / 400 < 30_000
