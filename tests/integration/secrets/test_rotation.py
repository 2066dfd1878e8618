"""Key rotation with a thousand mailboxes in use, and killed fifty times (security.md 11)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary
from sqlmodel import SQLModel, col, select

from mailcrm import config
from mailcrm.errors import PermanentError
from mailcrm.models import DropMailbox, Mailbox, OAuthAttempt, Webhook, utcnow
from mailcrm.services import crypto, keys
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import mailboxes
from tests.builders import a_user

ROOT = Path(__file__).resolve().parents[3]
KILLS = 50


def many(count: int) -> list[int]:
    """Make mailboxes whose passwords name them; their ids."""
    actor = a_user()
    with transaction() as session:
        made = [
            Mailbox(
                user_id=actor.user_id, address=f"box{n}@home.test", imap_host="localhost", imap_port=1,
                imap_security="none", imap_username="x", smtp_host="localhost", smtp_port=1, smtp_security="none",
                smtp_username="x", secret=b"",
            )
            for n in range(count)
        ]  # fmt: skip
        session.add_all(made)
        session.flush()
        for row in made:
            row.secret = crypto.seal({"imap": f"password {row.id}"}, context=f"mailbox:{row.id}")
        return [row.id or 0 for row in made]


def only_new_key() -> None:
    """Remove every key but the first, as an operator whose old key leaked would."""
    path = config.config().key_file
    assert path is not None
    path.write_text(path.read_text().split()[0] + "\n")


def test_a_rotation_under_load_loses_nothing_and_leaves_no_box_under_the_old_key(db: str) -> None:
    ids = many(1000)
    old = config.config().secret_keys[0]
    over, wrong, read = threading.Event(), [], [0]
    chance = random.Random(db)

    def use() -> None:
        while not over.is_set():
            which = chance.choice(ids)
            try:
                if mailboxes.credentials(which).imap_password != f"password {which}":
                    wrong.append(which)
                read[0] += 1
            except Exception as error:
                wrong.append(error)

    def renew() -> None:
        """What a token's renewal does: it puts another box into the row, under the key that seals at that moment."""
        while not over.is_set():
            which = chance.choice(ids)
            with transaction() as session:
                row = session.get_one(Mailbox, which)
                row.secret = crypto.seal({"imap": f"password {which}"}, context=f"mailbox:{which}")

    users = [threading.Thread(target=use) for _ in range(3)] + [threading.Thread(target=renew)]
    for thread in users:
        thread.start()
    try:
        assert keys.add_key()
        done, broken = keys.rotate()
    finally:
        over.set()
        for thread in users:
            thread.join()
    assert (wrong, broken) == ([], 0)
    assert 0 < done <= 1000
    assert read[0] > 0
    counted = keys.counts()
    assert counted.pop(crypto.key_id(crypto.derive(config.config().secret_keys[0], "box")).hex()) == 1000
    assert set(counted.values()) == {0}
    only_new_key()
    assert old not in config.config().secret_keys
    for which in ids:
        assert mailboxes.credentials(which).imap_password == f"password {which}"


def test_killed_fifty_times_everything_stays_readable(sqlite_db: Path) -> None:
    ids = many(200)
    chance = random.Random("rotate")
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.secrets.rotator"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ.copy(),
    )  # fmt: skip
    assert worker.stdin is not None
    assert worker.stdout is not None
    half_way = 0
    for _ in range(KILLS):
        worker.stdin.write("again\n")
        worker.stdin.flush()
        child = int(worker.stdout.readline())
        time.sleep(chance.uniform(0, chance.choice((0.2, 0.6, 1.5, 3.0))))  # machines differ
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        half_way += 0 < next(iter(keys.counts().values())) < len(ids)
        for which in chance.sample(ids, 20):
            assert mailboxes.credentials(which).imap_password == f"password {which}"
    worker.stdin.close()
    worker.wait(20)
    assert half_way > 0, "no kill fell into a rotation"
    keys.rotate()
    only_new_key()
    assert [mailboxes.credentials(which).imap_password for which in ids] == [f"password {which}" for which in ids]


def test_every_kind_of_secret_is_sealed_again_and_boxes_of_version_0_1_too(db: str) -> None:
    actor = a_user()
    (box,) = many(1)
    with transaction() as session:
        hook = Webhook(user_id=actor.user_id, url="https://far.test/hook", secret=b"")
        session.add(hook)
        session.flush()
        hook.secret = crypto.seal("signs", context=f"webhook:{hook.id}")
        hook_id = hook.id
        session.add(
            DropMailbox(
                address="drop@home.test", host="localhost", port=1, security="none", username="x",
                secret=crypto.seal({"imap": "drop"}, context="drop_mailbox:1"),
            )
        )  # fmt: skip
        session.add(
            OAuthAttempt(
                user_id=actor.user_id, provider="google", state_hash="abc", expires_at=utcnow(),
                secret=crypto.seal({"kept": {}}, context="oauth:abc"),
            )
        )  # fmt: skip
        old_form = crypto.derive(config.config().secret_keys[0], "box")
        session.get_one(Mailbox, box).secret = crypto.key_id(old_form) + crypto._encrypt(  # pyright: ignore[reportPrivateUsage]
            old_form, b'{"imap": "of 0.1"}', f"mailbox:{box}"
        )
    assert mailboxes.credentials(box).imap_password == "of 0.1"
    keys.add_key()
    assert keys.rotate() == (4, 0)
    assert keys.rotate() == (0, 0)
    only_new_key()
    assert mailboxes.credentials(box).imap_password == "of 0.1"
    with reading() as session:
        assert crypto.unseal(session.get_one(Webhook, hook_id).secret, context=f"webhook:{hook_id}") == "signs"
        assert crypto.unseal(session.get_one(DropMailbox, 1).secret, context="drop_mailbox:1") == {"imap": "drop"}
        attempt = session.exec(select(OAuthAttempt).where(col(OAuthAttempt.state_hash) == "abc")).one()
        assert crypto.unseal(attempt.secret, context="oauth:abc") == {"kept": {}}


def test_what_no_key_opens_is_counted_and_left(db: str) -> None:
    (box,) = many(1)
    with transaction() as session:
        session.get_one(Mailbox, box).secret = b"mcE1" + b"\x00" * 100
    assert keys.rotate() == (0, 1)
    with pytest.raises(PermanentError):
        mailboxes.credentials(box)


def test_no_secret_column_is_forgotten() -> None:
    """Every binary column named "secret" is in the table of `keys.py`; a new one has to be put there."""
    named = {
        table.name
        for table in SQLModel.metadata.tables.values()
        if "secret" in table.columns and isinstance(table.columns["secret"].type, LargeBinary)
    }
    assert named == {model.__tablename__ for model, _key, _context in keys.COLUMNS}
