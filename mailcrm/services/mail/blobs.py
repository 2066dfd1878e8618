"""The raw store: bytes under the name of their SHA-256, compressed, in the data folder.

A file is written under a temporary name and renamed, so that a name always means whole content; it is written before
the transaction that refers to it commits, so that a row never points at nothing after a crash of the process.
Not flushed to the disk one by one: after a power cut `get` may raise BlobLost; `messages.py` then has such a message
fetched again (`sync/heal.py`).
Rows of `blobs` are written by those who refer to them; files without a row are swept later.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import zlib
from pathlib import Path

from isal import isal_zlib

from mailcrm.config import config

_LEVEL = 1  # zlib's format and zlib's ratio at level 1 (0.42, sync.md A7), in a fifth of its time
_LOST = (errno.ENOENT, errno.EIO)
_MAX_SIZE = 256 * 1024 * 1024  # bytes after decompression; messages end at 100 MB


class BlobLost(LookupError):
    """The file is absent or damaged: fetch the message again, or restore the data folder's backup."""


def path_of(sha: str) -> Path:
    """Return where a blob's file is: 256 folders, because a second level costs a new folder for almost every file."""
    return Path(f"{config().data_dir}/blobs/{sha[:2]}/{sha}")


def digest(raw: bytes) -> str:
    """Return the name that `put` gives these bytes."""
    return hashlib.sha256(raw).hexdigest()


def put(raw: bytes) -> str:
    """Store bytes and return their SHA-256 in hex; storing the same bytes again does nothing. Thread-safe."""
    sha = digest(raw)
    target = path_of(sha)
    if _is_there(target):
        return sha
    draft = target.with_name(f".{sha}.{os.getpid()}.{threading.get_ident()}")
    left = memoryview(isal_zlib.compress(raw, _LEVEL))  # pyright: ignore[reportUnknownMemberType]
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        try:
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return sha


def get(sha: str) -> bytes:
    """Return the bytes of a blob. Raises BlobLost when they are absent or not what their name says."""
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(path_of(sha).read_bytes(), _MAX_SIZE)
    except zlib.error as exc:
        raise BlobLost(sha) from exc
    except OSError as exc:
        if exc.errno not in _LOST:  # too many open files, a folder that can't be read: the bytes are there
            raise
        raise BlobLost(sha) from exc
    if not unpacker.eof or digest(raw) != sha:
        raise BlobLost(sha)
    return raw


def drop_damaged(sha: str) -> None:
    """Remove a blob's file when it can't be read, so that `put` writes it again."""
    try:
        get(sha)
    except BlobLost:
        path_of(sha).unlink(missing_ok=True)


def _is_there(path: Path) -> bool:
    try:
        return path.stat().st_size > 0  # a power cut may leave a name without content
    except OSError:
        return False
