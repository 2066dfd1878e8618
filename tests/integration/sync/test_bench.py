"""`python -m tests.bench` works, and its mailbox is the same each time."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys

from tests.bench.mailbox import messages
from tests.servers.fixtures import needs


def test_the_benchmark_prints_both_rates_and_the_memory() -> None:
    """Issue 2: messages a second beside mbsync in the same run, and the worker's peak memory."""
    needs("dovecot")
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--messages", "120"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^mailcrm +\d+ messages/s", done.stdout, re.MULTILINE)
    assert re.search(r"^mbsync ", done.stdout, re.MULTILINE)
    assert re.search(r"peak memory \d+ MB", done.stdout)


def test_the_mailbox_is_seeded_and_of_the_stated_mix() -> None:
    first, again = ([raw for raw, _, _ in messages(400)] for _ in range(2))
    assert [hashlib.sha256(m).digest() for m in first] == [hashlib.sha256(m).digest() for m in again]
    assert len({hashlib.sha256(m).digest() for m in first}) == 400
    attached = sum(b"application/pdf" in m for m in first)
    html = sum(b"multipart/alternative" in m for m in first)
    assert 8 <= attached <= 40
    assert 100 <= html <= 180
    assert 15_000 < sum(map(len, first)) / 400 < 30_000
