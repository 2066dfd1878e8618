"""The raw store: bytes under the name of their SHA-256, compressed, in the data folder.

    put        one blob as a file of its own, flushed to the disk (a sent mail, an uploaded file)
    put_many   a batch into a pack (`packs.py`), flushed once: the way of sync
    get        from wherever the blob's row says it lies; what is read is checked against its name

Bytes are on the disk before the transaction that refers to them commits, so a row never points at nothing, after a
crash as after a power cut. Should they be damaged all the same, `get` raises BlobLost; `messages.py` then has the
message fetched again (`sync/heal.py`).
Rows of `blobs` are written by those who refer to them (`store.save_blobs`); bytes without a row are swept by
`blob_sweep.py`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import uuid
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from isal import isal_zlib
from sqlmodel import Session, col

from mailcrm.config import config
from mailcrm.models import Blob
from mailcrm.services.db import reading
from mailcrm.services.mail import packs
from mailcrm.services.mail.packs import Packer, Place
from mailcrm.services.mail.streams import LEVEL, compress, digest
from mailcrm.services.rows import chunks, is_one_of, pick, rows

_LOST = (errno.ENOENT, errno.EIO)
_MAX_SIZE = 256 * 1024 * 1024  # bytes after decompression; messages end at 100 MB


class BlobLost(LookupError):
    """The bytes are absent or damaged: fetch the message again, or restore the data folder's backup."""


def path_of(sha: str) -> Path:
    """Return where a blob's own file is: 256 folders, because a second level costs a new folder for almost every file."""
    return Path(f"{config().data_dir}/blobs/{sha[:2]}/{sha}")


def put(raw: bytes) -> str:
    """Store bytes in a file of their own and return their SHA-256 in hex; again does nothing. Thread-safe."""
    sha = digest(raw)
    target = path_of(sha)
    if _is_there(target):
        return sha
    draft = target.with_name(f".{sha}.{os.getpid()}.{threading.get_ident()}")
    left = memoryview(compress(raw))
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        try:
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(target)
        packs.flush_folder(target.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return sha


class Writer:
    """Stores bytes that come in pieces, in a file of their own, flushed to the disk: for what is too large for memory.

    Use as a context manager; `close` gives the name. Without `close` nothing is kept.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._packer: Any = isal_zlib.compressobj(LEVEL)  # pyright: ignore[reportUnknownMemberType]
        self._draft = Path(f"{config().data_dir}/blobs/.{uuid.uuid4().hex}")
        self._draft.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._draft.touch(0o600, exist_ok=False)
        self._file = self._draft.open("wb")
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._file.close()
        self._draft.unlink(missing_ok=True)

    def write(self, piece: bytes) -> None:
        """Add bytes."""
        self._hash.update(piece)
        self.size += len(piece)
        self._file.write(self._packer.compress(piece))

    def close(self) -> str:
        """Return the SHA-256 in hex of all that was written, once it is stored."""
        self._file.write(self._packer.flush())
        self._file.flush()
        os.fsync(self._file.fileno())
        sha = self._hash.hexdigest()
        target = path_of(sha)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._draft.replace(target)
        packs.flush_folder(target.parent)
        return sha


def put_many(packer: Packer, streams: Mapping[str, bytes]) -> dict[str, Place]:
    """Store compressed bytes by their SHA-256 in a pack; return their places.

    What the store has already is left out: its row says where it lies. Durable after `packer.flush()`.
    """
    known = present(streams)
    new = [sha for sha in streams if sha not in known]
    return dict(zip(new, packer.add([streams[sha] for sha in new]), strict=True))


def present(shas: Mapping[str, object]) -> set[str]:
    """Return which of these blobs the store has: their row says where, and a file of their own is there."""
    found: set[str] = set()
    with reading() as session:
        for part in chunks(list(shas)):
            for sha, pack in rows(
                session, pick(Blob.sha256, Blob.pack).where(is_one_of(session, col(Blob.sha256), part))
            ):
                if pack or has_file(sha):
                    found.add(sha)
    return found


def get(sha: str, known: Mapping[str, Place] | None = None) -> bytes:
    """Return the bytes of a blob. Raises BlobLost when they are absent or not what their name says.

    `known`, from `places`, spares one who reads many a query for each.
    """
    tried: Place | None = None
    place = known.get(sha) if known is not None else _place(sha)
    while place is not None and place != tried:  # a sweep may move it while it is read
        tried = place
        try:
            return _unpacked(sha, packs.read(place))
        except BlobLost:
            pass
        except OSError as exc:
            if exc.errno not in _LOST:
                raise
        place = _place(sha)
    try:
        return _unpacked(sha, path_of(sha).read_bytes())
    except OSError as exc:
        if exc.errno not in _LOST:  # too many open files, a folder that can't be read: the bytes are there
            raise
        raise BlobLost(sha) from exc


def drop_damaged(session: Session, sha: str) -> None:
    """Forget where a blob lies when it can't be read, so that it is written again."""
    try:
        get(sha)
    except BlobLost:
        path_of(sha).unlink(missing_ok=True)
        row = session.get(Blob, sha)
        if row is not None:
            row.pack, row.start, row.length = "", 0, 0
            session.add(row)


def places(shas: Iterable[str]) -> dict[str, Place]:
    """Return where these blobs lie, for `get`; one that has a file of its own, or none, is left out."""
    found: dict[str, Place] = {}
    with reading() as session:
        for part in chunks(list(dict.fromkeys(shas))):
            for row in rows(
                session, pick(Blob.sha256, Blob.pack, Blob.start, Blob.length).where(col(Blob.sha256).in_(part))
            ):
                if row.pack:
                    found[row.sha256] = Place(row.pack, row.start, row.length)
    return found


def _place(sha: str) -> Place | None:
    return places((sha,)).get(sha)


def _unpacked(sha: str, packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(packed, _MAX_SIZE)
    except zlib.error as exc:
        raise BlobLost(sha) from exc
    if not unpacker.eof or digest(raw) != sha:
        raise BlobLost(sha)
    return raw


def has_file(sha: str) -> bool:
    """Return whether a blob has a file of its own."""
    return _is_there(path_of(sha))


def _is_there(path: Path) -> bool:
    try:
        return path.stat().st_size > 0  # a power cut may leave a name without content
    except OSError:
        return False
