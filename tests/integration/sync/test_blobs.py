"""The raw store: whole content under its name or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailcrm.services.mail import blobs


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
    blobs.drop_damaged(sha)
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
