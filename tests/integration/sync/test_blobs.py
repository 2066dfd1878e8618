"""The raw store: whole content under its name or nothing, in files of their own and in packs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlmodel import select

from mailcrm.models import Blob
from mailcrm.models.base import utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blob_sweep, blobs, packs, store
from mailcrm.services.mail.packs import Packer
from tests.builders import a_mailbox, a_user


def pack(*contents: bytes) -> list[str]:
    """Store contents as a sync does: in a pack, with rows."""
    shas = [blobs.digest(content) for content in contents]
    with Packer() as packer:
        places = blobs.put_many(packer, {sha: blobs.compress(c) for sha, c in zip(shas, contents, strict=True)})
        packer.flush()
    with transaction() as session:
        store.save_blobs(session, {sha: len(c) for sha, c in zip(shas, contents, strict=True)}, places)
    return shas


def all_packs() -> list[Path]:
    return sorted(packs.folder().glob("*.pack"))


@pytest.mark.parametrize("data", [b"", b"x", b"a" * 1_000_000, bytes(range(256)) * 40])
def test_what_is_put_comes_back(sqlite_db: Path, data: bytes) -> None:
    sha = blobs.put(data)
    assert blobs.put(data) == sha
    assert blobs.get(sha) == data
    assert len([p for p in (sqlite_db / "blobs").rglob("*") if p.is_file()]) == 1  # no draft is left


@pytest.mark.parametrize("damage", [b"", b"not zlib", None])
def test_damage_is_told_and_mended_by_putting_again(sqlite_db: Path, damage: bytes | None) -> None:
    """A name without content (power cut) counts as absent; other damage is dropped first."""
    sha = blobs.put(b"whole")
    path = blobs.path_of(sha)
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(blobs.BlobLost):
        blobs.get(sha)
    with transaction() as session:
        blobs.drop_damaged(session, sha)
    blobs.put(b"whole")
    assert blobs.get(sha) == b"whole"


def test_bytes_under_a_wrong_name_are_not_handed_out(sqlite_db: Path) -> None:
    one, two = blobs.put(b"one"), blobs.put(b"two")
    blobs.path_of(one).write_bytes(blobs.path_of(two).read_bytes())
    with pytest.raises(blobs.BlobLost):
        blobs.get(one)


def test_a_file_that_cannot_be_read_now_is_not_lost(sqlite_db: Path) -> None:
    """Lost bytes are fetched again and their file removed: a full table of open files must not start that."""
    path = blobs.path_of(blobs.put(b"there"))
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        blobs.get(path.name)


def test_files_are_private(sqlite_db: Path) -> None:
    assert blobs.path_of(blobs.put(b"secret")).stat().st_mode & 0o077 == 0
    pack(b"also secret")
    assert all(path.stat().st_mode & 0o077 == 0 for path in all_packs())


def test_a_batch_goes_into_one_pack_and_comes_back(db: str) -> None:
    contents = [os.urandom(n) for n in (0, 1, 5_000, 300_000)] + [b"again and again " * 5000]
    shas = pack(*contents)
    assert [blobs.get(sha) for sha in shas] == contents
    assert len(all_packs()) == 1
    more = pack(b"another batch")  # the pack is not full: it goes on
    assert blobs.get(more[0]) == b"another batch"
    assert len(all_packs()) == 1


def test_two_writers_never_write_the_same_pack(sqlite_db: Path) -> None:
    with Packer() as one, Packer() as two:
        first, second = one.add([b"one"]), two.add([b"two"])
        assert first[0].pack != second[0].pack
    with Packer() as three:
        assert three.add([b"three"])[0].pack in (first[0].pack, second[0].pack)


def test_the_writer_s_death_frees_its_pack(sqlite_db: Path) -> None:
    """A killed process leaves its bytes behind, and the next one writes after them."""
    child = (
        "import os, signal\nfrom mailcrm.services.mail.packs import Packer\n"
        "packer = Packer(); packer.add([b'lost'])\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", child], check=False)
    assert [path.read_bytes() for path in all_packs()] == [b"lost"]
    (sha,) = pack(b"kept")
    assert blobs.get(sha) == b"kept"
    assert len(all_packs()) == 1


def test_a_full_pack_is_left_for_another(sqlite_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "FULL", 1000)
    shas = [pack(os.urandom(600))[0] for _ in range(4)]
    assert len(all_packs()) == 2
    assert all(blobs.digest(blobs.get(sha)) == sha for sha in shas)


def test_a_full_disk_leaves_no_half_batch(sqlite_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Packer() as packer:
        packer.add([b"before"])
        packer.flush()

        def full(*_: object) -> int:
            raise OSError(28, "No space left on device")

        packer.add([b"half", b"way"])
        monkeypatch.setattr(packs, "_sync", full)
        with pytest.raises(OSError, match="No space"):
            packer.flush()
        monkeypatch.undo()
        for again in (packer.flush, lambda: packer.add([b"more"])):  # a second flush that succeeds proves nothing
            with pytest.raises(OSError, match="No space"):
                again()
    assert [path.read_bytes() for path in all_packs()] == [b"before"]


def test_a_batch_that_was_not_written_takes_none_before_it_along(
    sqlite_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of its bytes went away, and what comes later lies where its places say."""
    flushed: list[int] = []
    monkeypatch.setattr(packs, "_sync", flushed.append)

    def half(descriptor: int, parts: list[memoryview]) -> int:
        if len(parts[0]) < 10:
            raise OSError(28, "No space left on device")
        return os.write(descriptor, parts[0][:5])

    with Packer() as packer:
        packer.add([b"before"])
        with monkeypatch.context() as patch:
            patch.setattr(packs.os, "writev", half)
            with pytest.raises(OSError, match="No space"):
                packer.add([b"half way there"])
        (after,) = packer.add([b"after"])
        packer.flush()
        assert len(flushed) == 1
    assert packs.read(after) == b"after"
    assert [path.read_bytes() for path in all_packs()] == [b"beforeafter"]


@pytest.mark.parametrize("how", ["cut", "garbled", "gone"])
def test_damage_in_a_pack_is_told_and_mended(db: str, how: str) -> None:
    """BlobLost, then heal.py's way: forget the place, store the bytes again."""
    (sha,) = pack(b"whole" * 1000)
    (path,) = all_packs()
    data = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(data[: len(data) // 2] if how == "cut" else bytes(len(data)))
    with pytest.raises(blobs.BlobLost):
        blobs.get(sha)
    with transaction() as session:
        blobs.drop_damaged(session, sha)
    assert pack(b"whole" * 1000) == [sha]
    assert blobs.get(sha) == b"whole" * 1000


@pytest.mark.parametrize(
    "place",
    [
        {"start": 0},  # another blob's bytes
        {"start": -1},
        {"start": 2**62},
        {"length": -1},
        {"length": 0},
        {"length": 2**62},  # of other blobs, to the end: the stream ends before, and is right
        {"length": 3},
        {"pack": "../../etc/passwd"},
        {"pack": ".."},
        {"pack": "../x.pack"},
        {"pack": "0.pack"},
    ],
    ids=str,
)
def test_a_row_that_names_a_wrong_place_hands_out_nothing_wrong(db: str, place: dict[str, object]) -> None:
    """Offsets that were tampered with: the right bytes or BlobLost, and then they are stored again (S: blobs)."""
    shas = pack(b"a secret of somebody else" * 50, b"mine" * 400, b"and a third" * 30)
    with transaction() as session:
        row = session.get_one(Blob, shas[1])
        for column, value in place.items():
            setattr(row, column, value)
        session.add(row)
    try:
        assert blobs.get(shas[1]) == b"mine" * 400
        assert place == {"length": 2**62}
    except blobs.BlobLost:
        with transaction() as session:
            blobs.drop_damaged(session, shas[1])
        pack(b"mine" * 400)
        assert blobs.get(shas[1]) == b"mine" * 400
    assert blobs.get(shas[0]) == b"a secret of somebody else" * 50


def test_a_sweep_moves_no_wrong_bytes_from_a_wrong_place(db: str) -> None:
    """Rewriting a pack copies what rows name: a tampered row stays lost, and the others are whole."""
    kept, lost, dead = os.urandom(500), os.urandom(500), os.urandom(9000)
    shas = pack(kept, lost, dead)
    _refer(shas[:2])
    with transaction() as session:
        row = session.get_one(Blob, shas[1])
        row.start, row.length = 5, 2**62
        session.add(row)
    forget(*shas)
    sweep()
    assert blobs.get(shas[0]) == kept
    with pytest.raises(blobs.BlobLost):
        blobs.get(shas[1])


def test_what_the_store_has_is_not_stored_twice(db: str) -> None:
    """Decision 11: the same bytes in two mailboxes are kept once, whichever way they came."""
    (sha,) = pack(b"everybody has this")
    size = all_packs()[0].stat().st_size
    assert pack(b"everybody has this") == [sha]
    assert all_packs()[0].stat().st_size == size
    own = blobs.put(b"uploaded")
    with transaction() as session:
        store.save_blobs(session, {own: 8})
    assert pack(b"uploaded") == [own]
    assert all_packs()[0].stat().st_size == size


def test_a_row_is_never_made_without_bytes(db: str) -> None:
    """What a sweep took between the look and the transaction is told, not referred to."""
    with pytest.raises(blobs.BlobLost), transaction() as session:
        store.save_blobs(session, {"0" * 64: 1}, {})


def old(path: Path) -> None:
    then = time.time() - 2 * blob_sweep.FILE_AGE_S
    os.utime(path, (then, then))


def forget(*shas: str) -> None:
    """Make rows old enough for the sweep."""
    with transaction() as session:
        for row in session.exec(select(Blob)):
            if row.sha256 in shas:
                row.created_at = utcnow() - 2 * blob_sweep.YOUNG
                session.add(row)


def sweep() -> None:
    for _ in range(40):
        blob_sweep.sweep()


def test_the_sweep_takes_what_nobody_needs_and_nothing_else(db: str) -> None:
    """A pack mostly of dead bytes is rewritten, its living blobs readable all the time."""
    from mailcrm.services.mail.outbox import rows as outbox_rows

    keep = [os.urandom(1000) for _ in range(3)]
    drop = [os.urandom(9000) for _ in range(3)]
    shas = pack(*keep, *drop)
    before = all_packs()[0]
    _refer(shas[:3])
    young = pack(b"a draft is being written")[0]
    lone = blobs.put(b"nobody's")
    with transaction() as session:
        needed = outbox_rows.keep_blob(session, b"a file that goes along")
    forget(*shas)
    old(blobs.path_of(lone))
    old(blobs.path_of(needed))
    sweep()
    with reading() as session:
        assert set(session.exec(select(Blob.sha256))) == {*shas[:3], young, needed}
    assert [blobs.get(sha) for sha in shas[:3]] == keep
    assert blobs.get(young) == b"a draft is being written"
    assert not blobs.path_of(lone).exists()
    assert blobs.path_of(needed).exists()
    assert before.exists()  # for a day, in case the power goes
    old(before)
    sweep()
    assert not before.exists()
    assert [blobs.get(sha) for sha in shas[:3]] == keep


def test_a_pack_that_is_written_is_left_alone(db: str) -> None:
    with Packer() as packer:
        packer.add([b"its transaction has not committed"])
        (path,) = all_packs()
        old(path)
        sweep()
        assert path.exists()
    old(path)
    sweep()
    assert not path.exists()


def _refer(shas: list[str]) -> None:
    """Make messages that have these bytes."""
    from mailcrm.models import Mailbox, Message, Thread

    mailbox_id = a_mailbox(a_user())
    with transaction() as session:
        mailbox = session.get_one(Mailbox, mailbox_id)
        thread = Thread(user_id=mailbox.user_id, last_at=utcnow())
        session.add(thread)
        session.flush()
        for sha in shas:
            session.add(
                Message(
                    mailbox_id=mailbox_id, user_id=mailbox.user_id, thread_id=thread.id or 0, blob_sha=sha, size=1,
                    direction="in", sort_at=utcnow(), visibility="private",
                )
            )  # fmt: skip
