"""A damaged database is found and said, before somebody meets it (security.md 27)."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mailcrm.cli import app
from mailcrm.services import db, soundness
from tests.builders import a_mailbox, a_message, a_user

TRIALS = 60


@pytest.fixture
def filled(sqlite_db: Path) -> Path:
    """A database with some mail, all of it in its file."""
    box = a_mailbox(a_user())
    for n in range(60):
        a_message(box, subject=f"Subject {n}", text=f"word{n} " * 150)
    with db.engine().connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    db.dispose()
    return sqlite_db / "mailcrm.sqlite3"


def flip(path: Path, count: int, chance: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    for at in chance.sample(range(len(raw)), count):
        raw[at] ^= 1 << chance.randrange(8)
    path.write_bytes(raw)


def test_a_hundred_flipped_bytes_are_found(filled: Path, record_property: Callable[[str, object], None]) -> None:
    kept = filled.with_name("kept")
    shutil.copy(filled, kept)
    chance = random.Random("flip")
    found = 0
    assert soundness.look().damage == "", "the control: sound before"
    for _ in range(TRIALS):
        db.dispose()
        for each in filled.parent.glob("mailcrm.sqlite3-*"):
            each.unlink()
        shutil.copy(kept, filled)
        flip(filled, 100, chance)
        found += bool(soundness.look().damage)
    record_property("measured", f"{found} of {TRIALS} times 100 flipped bytes found")
    assert found >= TRIALS * 0.95


def test_damage_is_said_until_it_is_mended(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = CliRunner()
    kept = filled.read_bytes()
    filled.write_bytes(kept[: len(kept) // 2] + b"\xff" * 20_000 + kept[len(kept) // 2 + 20_000 :])
    soundness.look_if_due()
    last = soundness.last()
    assert last is not None
    assert last.damage
    assert "The database is damaged" in runner.invoke(app, ["status"]).output
    done = runner.invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "wrong    Soundness: The database is damaged" in done.output
    db.dispose()
    filled.write_bytes(kept)
    soundness.look_if_due()  # what was found before is looked at again, a day or not
    assert "is damaged" not in runner.invoke(app, ["status"]).output
    looked: list[int] = []
    monkeypatch.setattr(soundness, "look", lambda: looked.append(1))
    soundness.look_if_due()
    assert not looked
    monkeypatch.setattr(soundness, "utcnow", lambda: last.at + timedelta(days=2))
    soundness.look_if_due()
    assert looked


def test_a_disk_that_is_nearly_full_is_said(sqlite_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert soundness.disk() == "" or shutil.disk_usage(sqlite_db).free < soundness.LEAST_FREE
    monkeypatch.setattr(soundness, "LEAST_FREE", 2**62)
    assert "Make room" in CliRunner().invoke(app, ["status"]).output
