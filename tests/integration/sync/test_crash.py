"""`kill -9` of a syncing process, ten times at random moments, then one clean run (issue 2; threat 26)."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter

from sqlmodel import select

from mailcrm.models import Mailbox, Quarantined
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs
from tests.integration.sync.conftest import Box, raw

MESSAGES = 1500
KILLS = 10

_CHILD = """
import sys
from mailcrm.services.mail.sync.engine import sync_mailbox
print("ready", flush=True)
report = sync_mailbox(int(sys.argv[1]))
print("busy" if report.busy else report.error, flush=True)
"""


def test_ten_kills_lose_nothing_and_double_nothing(box: Box) -> None:
    """Afterwards: pending 0, server = stored + skipped + quarantined, each message once, with its bytes."""
    expected = Counter()
    for n in range(1, MESSAGES + 1):
        data = raw(n, body="x" * random.Random(n).randint(1, 20_000), reply_to=n - 1 if n % 5 else None)
        box.deliver(data)
        expected[blobs.digest(data)] += 1
    dice = random.Random(2)
    killed = 0
    for _ in range(KILLS):
        child = subprocess.Popen([sys.executable, "-c", _CHILD, str(box.mailbox_id)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        child.stdout.readline()  # its imports are done
        time.sleep(dice.uniform(0.02, 0.5))
        if child.poll() is None:
            child.kill()
            killed += 1
        said = child.stdout.read()
        child.wait()
        child.stdout.close()
        assert "busy" not in said  # the lease of the dead is taken over at once
        box.ledger()  # adds up at any moment
    assert killed >= KILLS // 2, "the kills came too late to prove anything"
    report = box.sync()
    assert report.complete
    line = box.ledger()["INBOX"]
    assert (line.server, line.pending, line.skipped, line.quarantined) == (MESSAGES, 0, 0, 0)
    assert line.stored == MESSAGES
    messages = box.messages()
    assert Counter(m.blob_sha for m in messages) == expected
    assert all(blobs.digest(blobs.get(m.blob_sha)) == m.blob_sha for m in messages)
    assert sorted(box.locations().values()) == sorted(m.id or 0 for m in messages)
    assert len({m.thread_id for m in messages}) == MESSAGES // 5 + 1


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
