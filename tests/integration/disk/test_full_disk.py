"""A disk that is really full, at fifty points of a sync and of a send: nothing is lost, and it goes on by itself (27)."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import col, update

from mailcrm.models import Outbox, utcnow
from mailcrm.services import db
from mailcrm.services.mail import blobs
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.mail.outbox.views import DraftInput
from mailcrm.services.mail.sync.engine import sync_mailbox
from mailcrm.services.tracking import outgoing
from tests.builders import a_mailbox, a_user
from tests.conftest import _settings
from tests.integration.sync.conftest import raw
from tests.integration.sync.machine.database import Store
from tests.integration.sync.machine.world import World
from tests.integration.sync.test_changes import PLAIN, WHEN, a_world, messages
from tests.integration.sync.test_hostile_server import dial_to
from tests.servers.smtp_sink import SmtpSink

STRIDE = int(os.environ.get("MAILCRM_DISK_STRIDE", "3"))  # `make test-security` stops at all fifty points
SYNC_POINTS, SEND_POINTS = range(0, 30, STRIDE), range(0, 20, STRIDE)
SIZE_MB = 24


class Disk:
    """A small filesystem of its own; `leave` fills it up but for so many bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def leave(self, free: int) -> None:
        self.make_room()
        found = os.statvfs(self.path)
        descriptor = os.open(self._filler, os.O_CREAT | os.O_WRONLY)
        os.posix_fallocate(descriptor, 0, max(1, found.f_bavail * found.f_frsize - free))
        os.close(descriptor)

    def make_room(self) -> None:
        self._filler.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    path = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=0700", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here (that takes root): this test did not run")
    yield Disk(path)
    subprocess.run(["umount", "-l", str(path)], check=True)


def sound(path: Path) -> bool:
    with sqlite3.connect(path) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_sync_at_many_points(
    disk: Disk,
    migrated_sqlite: Path,
    record_property: pytest.RecordProperty,  # type: ignore[name-defined]
) -> None:
    """0 damaged databases, 0 messages lost or doubled, the mailbox says why, and the next pass brings the rest."""
    folder = disk.path / "sync"
    folder.mkdir()
    store = Store(migrated_sqlite, folder)
    said = stopped = 0
    try:
        for point in SYNC_POINTS:
            world = a_world(store, PLAIN)
            for n in range(12):
                world.account.deliver(world.account.boxes["INBOX"], raw(n, body=os.urandom(1500).hex()), (), WHEN)
            store.eyes.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            disk.leave(point * 20_480)
            report = None
            with suppress(OperationalError):  # not even the lease could be written: as if it had not begun
                report = sync_mailbox(store.mailbox_id, dial=dial_to(world))
            stopped += report is None or report.error is not None
            if report is not None and report.error is not None:
                assert report.error.code == "sync.disk_full"
            assert sound(store.path)
            disk.make_room()
            said += store.rows("SELECT error_code FROM mailboxes") == [("sync.disk_full",)]
            store.rows("UPDATE mailboxes SET lease_until = NULL, next_try_at = NULL")
            world.settle()
            assert len(messages(world)) == 12
            assert_readable(world)
    finally:
        disk.make_room()
        store.close()
    assert stopped > len(SYNC_POINTS) // 3, "the control: the disk was full"
    assert said > 0
    record_property("measured", f"{len(SYNC_POINTS)} points, {stopped} of them stopped a sync, 0 lost")


def assert_readable(world: World) -> None:
    for (sha,) in world.store.rows("SELECT sha256 FROM blobs"):
        assert blobs.get(sha)


def test_a_send_at_many_points(
    disk: Disk,
    migrated_sqlite: Path,
    smtp_sink: SmtpSink,
    record_property: pytest.RecordProperty,  # type: ignore[name-defined]
) -> None:
    """0 sent twice, 0 lost: what could not be sent waits, and goes out when there is room."""
    folder = disk.path / "send"
    folder.mkdir()
    path = folder / "mailcrm.sqlite3"
    path.write_bytes(migrated_sqlite.read_bytes())
    smtp_sink.add_user("aino")
    stopped = doubtful = 0
    with _settings(folder, f"sqlite:///{path}"):
        actor = a_user()
        box = a_mailbox(actor, smtp_host=smtp_sink.host, smtp_port=smtp_sink.port, smtp_username="aino")
        for point in SEND_POINTS:
            made = draft.new_draft(actor, mailbox_id=box)
            text = f"<p>{os.urandom(6000).hex()}</p>"
            draft.save(actor, made.id, DraftInput(box, "mika@saimaa.test", subject=f"point {point}", html=text))
            queue.send(actor, made.id, delay_s=0)
            with db.engine().connect() as connection:
                connection.exec_driver_sql("COMMIT")
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            disk.leave(point * 10_240)
            with suppress(OperationalError):
                outgoing.deliver_due()
            state = draft.get(actor, made.id).state
            stopped += state != "sent"
            assert state in ("queued", "sending", "sent", "unknown"), state
            assert sound(path)
            disk.make_room()
            for _ in range(3):
                if draft.get(actor, made.id).state in (
                    "sent",
                    "unknown",
                ):  # Sent is not looked into: there is none here
                    break
                past = utcnow() - timedelta(seconds=1)
                with db.transaction() as session:
                    mine = update(Outbox).where(col(Outbox.id) == made.id)
                    session.exec(mine.values(next_try_at=past, lease_until=past))  # type: ignore[call-overload]
                outgoing.deliver_due()
            view = draft.get(actor, made.id)
            arrived = sum(f"point {point}\r\n".encode() in each.raw for each in smtp_sink.messages)
            assert arrived == 1, (view.state, view.error_code)
            assert view.state in ("sent", "unknown")  # "unknown": accepted, and no room to write it down
            doubtful += view.state == "unknown"
    assert stopped > len(SEND_POINTS) // 4, "the control: the disk was full"
    record_property(
        "measured", f"{len(SEND_POINTS)} points, {stopped} of them stopped a send, {doubtful} in doubt, 0 twice, 0 lost"
    )
