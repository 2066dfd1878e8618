"""`kill -9` of a syncing process at random points, resumed each time, then one clean run (M31; threat 26).

    python -m pytest tests/integration/sync/test_crash.py                10 kills over 400 messages
    MAILCRM_KILLS=200 MAILCRM_CRASH_MESSAGES=20000 python -m pytest -s -k "sqlite and kills" tests/…/test_crash.py

The delays are drawn from `MAILCRM_SEED` and stretched so that the kills spread over the whole of the work.
"""

from __future__ import annotations

import hashlib
import imaplib
import os
import random
import selectors
import signal
import subprocess
import sys
import time
from collections import Counter

from sqlmodel import func, select

from mailcrm.models import Mailbox, MessageLocation, Quarantined
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs
from tests.bench.mailbox import messages
from tests.integration.sync.conftest import Box, raw

KILLS = int(os.environ.get("MAILCRM_KILLS", "10"))
MESSAGES = int(os.environ.get("MAILCRM_CRASH_MESSAGES", "400"))
SEED = int(os.environ.get("MAILCRM_SEED", "2"))

# Imports once, forks for each pass: a pass begins within milliseconds. The dead are buried before the next one: a
# process id that still has an entry in /proc is not known to be dead.
_NURSERY = """
import os, sys
from mailcrm.services.mail.sync.engine import sync_mailbox
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if not child:
        report = sync_mailbox(int(sys.argv[1]))
        os.write(1, ("busy" if report.busy else f"failed {report.error!r}" if report.error else "done").encode() + b"\\n")
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("buried", flush=True)
"""


class _Nursery:
    """Starts passes that may be killed; each `attempt` tells what it did."""

    def __init__(self, mailbox_id: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _NURSERY, str(mailbox_id)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def attempt(self, delay: float) -> bool:
        """Run a pass and kill it after `delay` seconds; False when it was through before."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("go\n")
        pid = int(self._line())
        with selectors.DefaultSelector() as waiting:  # select() can't count beyond 1,024 open files
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            through = bool(waiting.select(delay))
        if not through:
            os.kill(pid, signal.SIGKILL)
        said = self._line()
        if said != "buried":  # it ended by itself, perhaps just before the blow
            assert said == "done", said  # never busy: the lease of the dead is taken over at once
            assert self._line() == "buried"
            return False
        return True

    def close(self) -> None:
        self._process.communicate()


def _stored() -> int:
    with reading() as session:
        return session.exec(select(func.count()).select_from(MessageLocation)).one()


def _on_the_server(box: Box) -> dict[int, str]:
    """Return each UID's SHA-256 as the server tells it, by another client."""
    out: dict[int, str] = {}
    client = imaplib.IMAP4(box.dovecot.host, box.dovecot.plain_port)
    client.login(box.user, "secret")
    count = int(client.select("INBOX", readonly=True)[1][0] or b"0")
    for start in range(1, count + 1, 200):
        _, data = client.fetch(f"{start}:{min(start + 199, count)}", "(UID BODY.PEEK[])")
        for item in data:
            if isinstance(item, tuple):
                uid = int(item[0].partition(b"UID ")[2].split()[0])
                out[uid] = hashlib.sha256(item[1]).hexdigest()
    client.logout()
    assert len(out) == count
    return out


def test_kills_lose_nothing_and_double_nothing(box: Box) -> None:
    """Afterwards: pending 0, server = stored + skipped + quarantined, each message once, every byte the server's."""
    for data, when, flags in messages(MESSAGES):
        box.deliver(data, when=when, flags=flags)
    dice = random.Random(SEED)
    nursery = _Nursery(box.mailbox_id)
    killed, worked, stored, points = 0, 0.0, 0, list[int]()
    while killed < KILLS and stored < MESSAGES:
        rate = (stored + 100) / (worked + 0.03)  # messages a second so far; hopeful in the beginning
        delay = dice.uniform(0, 2 * (MESSAGES - stored) / (rate * (KILLS - killed)))
        started = time.monotonic()
        if nursery.attempt(delay):
            killed += 1
            points.append(stored)
        worked += time.monotonic() - started
        stored = _stored()
        box.ledger()  # adds up at any moment
    nursery.close()
    print(f"{killed} kills while it worked, at {points} of {MESSAGES} stored; seed {SEED}")
    assert killed >= KILLS // 2, "the kills came too late to prove anything"
    report = box.sync()
    assert report.complete
    line = box.ledger()["INBOX"]
    assert (line.server, line.stored, line.pending, line.skipped, line.quarantined) == (MESSAGES, MESSAGES, 0, 0, 0)
    server = _on_the_server(box)
    shas = {message.id or 0: message.blob_sha for message in box.messages()}
    assert {uid: shas[message_id] for uid, message_id in box.locations().items()} == server
    assert Counter(shas.values()) == Counter(set(server.values()))
    assert all(blobs.digest(blobs.get(sha)) == sha for sha in shas.values())


def test_a_lease_is_kept_from_the_living_and_the_fenced_writes_nothing(box: Box) -> None:
    """Compare-and-set: a second pass finds the mailbox busy; a pass that lost its lease ends without writing."""
    from mailcrm.models.base import utcnow
    from mailcrm.services.mail.sync import engine, lease

    box.deliver(raw(1))
    mine = lease.new_owner()
    assert lease.acquire(box.mailbox_id, mine, utcnow())
    assert engine.sync_mailbox(box.mailbox_id).busy
    assert not box.messages()

    def steal(report: engine.SyncReport) -> None:
        with transaction() as session:
            mailbox = session.get_one(Mailbox, box.mailbox_id)
            mailbox.lease_owner = "another"
            session.add(mailbox)

    with transaction() as session:
        mailbox = session.get_one(Mailbox, box.mailbox_id)
        mailbox.lease_owner, mailbox.lease_until = "", None
        session.add(mailbox)
    for n in range(2, 300):
        box.deliver(raw(n))
    report = engine.sync_mailbox(box.mailbox_id, progress=steal)
    assert report.busy
    assert len(box.messages()) == 50  # the first batch; nothing after the theft
    with reading() as session:
        assert session.get_one(Mailbox, box.mailbox_id).lease_owner == "another"
        assert not session.exec(select(Quarantined)).all()
