"""Takes away bytes that nothing refers to: a removed mailbox's mail, what a crash left, what was stored twice.

    rows    blobs that no message, attachment, outbox or quarantine names any more
    packs   without rows: removed; mostly dead: what lives is copied to another pack, and the old one goes a day later
    files   without a row, or whose row lies in a pack: removed when a day old

Each run does a bounded part and remembers where it was; a lost memory only begins the round again. A pack that
somebody writes is locked and left alone, so bytes whose transaction has not committed are never touched. Runs in any
worker; two at once do the same work twice, and no harm. Not the search index: `search/index.py`.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from sqlalchemy import delete, func, update
from sqlmodel import col

from mailcrm.config import config
from mailcrm.models import (
    Attachment,
    BccArrival,
    Blob,
    KeptFile,
    Message,
    Outbox,
    OutboxAttachment,
    Quarantined,
    utcnow,
)
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import packs
from mailcrm.services.mail.packs import Packer, Place
from mailcrm.services.rows import chunks, pick, rows, run

YOUNG = timedelta(hours=1)  # a row this new may belong to a draft that is being written
FILE_AGE_S = 24 * 3600.0  # of files without a row: their transaction has ended long ago, however slow
DEAD_SHARE = 0.5  # of a pack's bytes: then rewriting it frees more than it writes
ROWS = 10_000  # blobs looked at in one run
PACKS = 4  # packs rewritten in one run: 4 × 64 MB at most
FOLDERS = 16  # of the 256 folders of single files, looked at in one run

_REFERENCES = (
    Message.blob_sha,
    Attachment.blob_sha,
    Quarantined.blob_sha,
    Outbox.sent_blob_sha,
    OutboxAttachment.blob_sha,
    KeptFile.blob_sha,
    BccArrival.blob_sha,
)

_row_at = ""  # where this process's round over the rows is
_folder_at = 0


def sweep() -> bool:
    """Do a bounded part of a round; tell whether there was something to take away, so that more may be.

    While a backup reads the store (`stopped`) nothing is taken away.
    """
    with _lock(fcntl.LOCK_SH | fcntl.LOCK_NB) as free:
        if not free:
            return False
        dropped = _drop_rows()
        cleaned = _clean_packs()
        removed = _remove_files()
    return bool(dropped or cleaned or removed)


@contextmanager
def stopped() -> Generator[None]:
    """Keep every sweep of this data folder from beginning; waits for one that runs."""
    with _lock(fcntl.LOCK_EX):
        yield


@contextmanager
def _lock(how: int) -> Generator[bool]:
    """Hold the lock of the store's files; it ends with the process. False when somebody else has it."""
    descriptor = os.open(config().data_dir / ".sweep.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, how)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _drop_rows() -> int:
    """Delete rows that nothing refers to; return how many."""
    global _row_at
    with reading() as session:
        old = pick(Blob.sha256).where(col(Blob.sha256) > _row_at, col(Blob.created_at) < utcnow() - YOUNG)
        found = [row[0] for row in rows(session, old.order_by(col(Blob.sha256)).limit(ROWS))]
        used: set[str] = set()
        for part in chunks(found):
            for reference in _REFERENCES:
                used.update(row[0] for row in rows(session, pick(reference).where(col(reference).in_(part))))
    _row_at = found[-1] if len(found) == ROWS else ""
    dead = [sha for sha in found if sha not in used]
    dropped = 0
    for part in chunks(dead, 200):
        with transaction() as session:
            unused = [~pick(reference).where(col(reference) == Blob.sha256).exists() for reference in _REFERENCES]
            gone = delete(Blob).where(col(Blob.sha256).in_(part), *unused)
            dropped += run(session, gone.execution_options(synchronize_session=False)).rowcount
    return dropped


def _clean_packs() -> int:
    """Remove packs without rows, rewrite the most wasteful ones; return how many."""
    try:
        sizes = {entry.name: entry.stat().st_size for entry in os.scandir(packs.folder()) if _is_pack(entry.name)}
    except FileNotFoundError:
        return 0
    with reading() as session:
        living = pick(Blob.pack, func.sum(Blob.length)).where(col(Blob.pack) != "").group_by(col(Blob.pack))
        alive = {row[0]: int(row[1]) for row in rows(session, living)}
    wasted = {name: size - alive.get(name, 0) for name, size in sizes.items()}
    worst = sorted((name for name in sizes if wasted[name] >= sizes[name] * DEAD_SHARE), key=lambda name: -wasted[name])
    done = 0
    for name in worst:
        if done >= PACKS:
            break
        done += _clean_pack(name)
    return done


def _clean_pack(name: str) -> int:
    path = packs.path_of(name)
    descriptor = packs.lock(path)
    if descriptor is None:
        return 0  # somebody writes it: another time
    try:
        with reading() as session:
            found = rows(session, pick(Blob.sha256, Blob.start, Blob.length).where(col(Blob.pack) == name))
        if found:
            _move(name, [(row[0], Place(name, row[1], row[2])) for row in found])
            os.utime(path)  # it goes a day later: by then the rows' new places have outlived any power cut
            return 1
        if time.time() - os.fstat(descriptor).st_mtime < FILE_AGE_S:
            return 0
        path.unlink(missing_ok=True)
        return 1
    finally:
        os.close(descriptor)


def _move(name: str, living: list[tuple[str, Place]]) -> None:
    """Copy living blobs to another pack, still compressed, and point their rows there."""
    with Packer() as packer:
        for part in chunks(living, 200):
            streams = [packs.read(place) for _, place in part]
            places = packer.add(streams)
            packer.flush()
            with transaction() as session:
                for (sha, old), new in zip(part, places, strict=True):
                    run(
                        session,
                        update(Blob)
                        .where(col(Blob.sha256) == sha, col(Blob.pack) == name, col(Blob.start) == old.start)
                        .values(pack=new.pack, start=new.start),
                    )


def _remove_files() -> int:
    """Remove single files that no row needs, in the next few folders; return how many."""
    global _folder_at
    removed = 0
    for n in range(_folder_at, _folder_at + FOLDERS):
        home = config().data_dir / "blobs" / f"{n % 256:02x}"
        try:
            old = [e for e in os.scandir(home) if time.time() - e.stat().st_mtime > FILE_AGE_S]
        except FileNotFoundError:
            continue
        for part in chunks(old):
            with reading() as session:
                own = pick(Blob.sha256).where(col(Blob.sha256).in_([e.name for e in part]), col(Blob.pack) == "")
                needed = {row[0] for row in rows(session, own)}
            for entry in part:
                if entry.name not in needed:
                    with suppress(FileNotFoundError):
                        Path(entry.path).unlink()
                        removed += 1
    _folder_at = (_folder_at + FOLDERS) % 256
    return removed + _remove_drafts()


def _remove_drafts() -> int:
    """Remove what a process that died was writing (`blobs.Writer`)."""
    removed = 0
    with suppress(FileNotFoundError):
        for entry in os.scandir(config().data_dir / "blobs"):
            if entry.is_file() and time.time() - entry.stat().st_mtime > FILE_AGE_S:
                Path(entry.path).unlink()
                removed += 1
    return removed


def _is_pack(name: str) -> bool:
    return name.endswith(".pack") and not name.startswith(".")
