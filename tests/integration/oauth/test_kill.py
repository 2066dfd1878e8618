"""Killing the worker during a token refresh, a hundred times: no refresh token is ever lost (issue 7, "done when").

The provider rotates: each use brings a new refresh token, and a former one that comes again is taken for stolen, which
ends the grant; for half a minute it is forgiven, as a client whose answer was lost must ask again (RFC 9700 §4.14.2).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mailcrm.models import Mailbox, utcnow
from mailcrm.services import crypto
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.oauth import tokens
from mailcrm.services.mail.signing_in import credentials, open_imap
from tests.integration.oauth.conftest import Loop

KILLS = int(os.environ.get("MAILCRM_TOKEN_KILLS", "50"))  # of each provider, each on another database
ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def renewer() -> Iterator[subprocess.Popen[str]]:
    """A worker that forks a child for each renewal."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.oauth.renewer"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ.copy(),
    )  # fmt: skip
    try:
        yield worker
    finally:
        assert worker.stdin is not None
        worker.stdin.close()
        worker.wait(10)


def refresh_token(mailbox_id: int) -> str:
    with reading() as session:
        row = session.get_one(Mailbox, mailbox_id)
        return crypto.unseal(row.secret, context=f"mailbox:{mailbox_id}")["refresh"]


def test_workers_killed_a_hundred_times_during_a_refresh_lose_no_refresh_token(
    loop: Loop, db: str, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = "google" if db == "sqlite" else "microsoft"
    chance = random.Random(f"kill {provider}")
    mailbox_id = loop.connect(provider).id
    loop.oidc.control(rotate=True, grace=30, delayMs=15)
    at: Counter[str] = Counter()
    reused = loop.oidc.control()["reused"]
    with renewer() as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        longest = _how_long(worker, mailbox_id)
        for n in range(KILLS):
            _ends(mailbox_id)
            before, given = refresh_token(mailbox_id), loop.oidc.control()["refreshed"]
            worker.stdin.write(f"{mailbox_id}\n")
            worker.stdin.flush()
            child = int(worker.stdout.readline())
            if n % 3:
                time.sleep(chance.uniform(0, longest * 1.1))
            else:  # the worst moment: the provider has rotated, its answer is on the way
                _until(lambda given=given: loop.oidc.control()["refreshed"] > given)
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            answered, stored = loop.oidc.control()["refreshed"] > given, refresh_token(mailbox_id) != before
            at["stored" if stored else "answered, not stored" if answered else "not answered"] += 1
            # Whoever comes next gets a token that works, without waiting for the dead one's lease to run out.
            began = time.monotonic()
            found = tokens.access_token(mailbox_id)
            assert time.monotonic() - began < tokens.LEASE.total_seconds() / 2
            assert loop.oidc.is_active(found.value)
            with reading() as session:
                assert session.get_one(Mailbox, mailbox_id).status == "active"
    open_imap(credentials(mailbox_id)).close()
    assert loop.oidc.control()["reused"] == reused, "a refresh token was taken for stolen"
    assert at["answered, not stored"] > 0, "no kill fell between the answer and its commit"
    assert at["not answered"] > 0
    with capsys.disabled():
        print(f"\n{provider}, {db}: {KILLS} kills, {dict(at)}")


def _until(is_so: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < 30
        time.sleep(0.002)


def _how_long(worker: subprocess.Popen[str], mailbox_id: int) -> float:
    """Measure one renewal that is left alone."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    longest = 0.0
    for _ in range(3):
        _ends(mailbox_id)
        before = refresh_token(mailbox_id)
        worker.stdin.write(f"{mailbox_id}\n")
        worker.stdin.flush()
        worker.stdout.readline()
        began = time.monotonic()
        _until(lambda before=before: refresh_token(mailbox_id) != before)
        longest = max(longest, time.monotonic() - began)
    return longest


def _ends(mailbox_id: int) -> None:
    with transaction() as session:
        session.get_one(Mailbox, mailbox_id).token_expires_at = utcnow()
