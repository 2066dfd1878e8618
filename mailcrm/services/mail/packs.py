"""Packs: files in which many blobs lie one after the other, so that a batch costs one flush to the disk, not hundreds.

    packs/<when it was made>-<random>.pack  =  zlib stream, zlib stream, …

A `Packer` appends to a pack that it alone writes (an exclusive lock on the file, gone with its process). Only after its
`flush` may a transaction refer to what it wrote. A crash leaves bytes at the end, or in the
middle, that no row names; `blob_sweep.py` takes them away. Where a blob lies is in its row of `blobs`; a pack holds
no index of its own. Knows no database.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from mailcrm.config import config

FULL = 64 * 1024 * 1024  # bytes after which a pack gets no more: what one rewriting costs at most
_LOOKED_AT = 50  # newest packs that a packer tries to go on with
_PIECES = 500  # buffers of one writev; Linux takes 1,024

_sync = getattr(os, "fdatasync", os.fsync)  # macOS has fsync only


@dataclass(frozen=True, slots=True)
class Place:
    """Where compressed bytes lie: `length` octets at `start` of a pack."""

    pack: str
    start: int
    length: int


def folder() -> Path:
    """Return the folder of the packs."""
    return config().data_dir / "packs"


def path_of(pack: str) -> Path:
    """Return where a pack is. Raises ValueError for what is not a pack's name."""
    if not pack.endswith(".pack") or "/" in pack or pack.startswith("."):
        raise ValueError(pack)
    return folder() / pack


def read(place: Place) -> bytes:
    """Return the compressed bytes of a place; fewer than `length` when the pack ends before. Raises OSError.

    A place that no pack can have (a row that somebody wrote by hand) holds nothing: no more is read than there is.
    """
    try:
        path = path_of(place.pack)
    except ValueError:
        return b""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        length = min(place.length, os.fstat(descriptor).st_size - place.start)
        return os.pread(descriptor, length, place.start) if length > 0 and place.start >= 0 else b""
    finally:
        os.close(descriptor)


def lock(path: Path) -> int | None:
    """Open a pack for writing and lock it; None when somebody else has it, or it is gone. Close it to let go."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:  # a sweep may have removed the name before the lock was ours
            return descriptor
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


class Packer:
    """Appends blobs to packs, one batch after the other; a context manager. One thread adds, and another may flush."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._name = ""
        self._end = 0
        self._flushed = 0  # up to where the pack is on the disk
        self._broken: OSError | None = None  # what a flush failed with: nobody knows what is on the disk since
        self._closing = threading.Lock()  # held while the pack is flushed or closed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the pack; somebody else may go on with it."""
        with self._closing:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                if self._broken is not None:  # nobody refers to what is beyond
                    with suppress(OSError):
                        os.ftruncate(descriptor, self._flushed)
                os.close(descriptor)

    def flush(self) -> None:
        """Return when everything that was added before the call is on the disk."""
        with self._closing:
            end = self._end
            if self._broken is None and self._descriptor is not None and end != self._flushed:
                try:
                    _sync(self._descriptor)
                except OSError as error:
                    self._broken = error
                self._flushed = end if self._broken is None else self._flushed
        self._check()

    def _check(self) -> None:
        if self._broken is not None:
            raise OSError(*self._broken.args)

    def add(self, streams: Sequence[bytes]) -> list[Place]:
        """Append compressed bytes; return their places, in order. Not on the disk before `flush`."""
        self._check()
        if not streams:
            return []
        places: list[Place] = []
        at = self._open()
        for stream in streams:
            places.append(Place(self._name, at, len(stream)))
            at += len(stream)
        try:
            self._write(streams)
        except BaseException:  # a full disk: what nobody refers to goes away again
            self._undo()
            raise
        self._end = at
        if self._end >= FULL:
            self.flush()
            self.close()
        return places

    def _write(self, streams: Sequence[bytes]) -> None:
        assert self._descriptor is not None
        for first in range(0, len(streams), _PIECES):
            part = [memoryview(stream) for stream in streams[first : first + _PIECES] if stream]
            while part:
                done = os.writev(self._descriptor, part)
                while part and done >= len(part[0]):
                    done -= len(part.pop(0))
                if part:
                    part[0] = part[0][done:]

    def _undo(self) -> None:
        assert self._descriptor is not None
        with suppress(OSError):
            os.ftruncate(self._descriptor, self._end)
        os.lseek(self._descriptor, self._end, os.SEEK_SET)

    def _open(self) -> int:
        """Make sure that there is a pack to append to; return its end."""
        if self._descriptor is not None:
            return self._end
        home = folder()
        try:
            known = sorted((entry.name for entry in os.scandir(home) if entry.name.endswith(".pack")), reverse=True)
        except FileNotFoundError:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            known = []
        for name in known[:_LOOKED_AT]:
            with suppress(OSError):
                if (home / name).stat().st_size < FULL and (descriptor := lock(home / name)) is not None:
                    return self._begin(descriptor, name)
        name = f"{time.time_ns():016x}-{secrets.token_hex(4)}.pack"
        descriptor = os.open(home / name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        flush_folder(home)
        return self._begin(descriptor, name)

    def _begin(self, descriptor: int, name: str) -> int:
        self._descriptor, self._name = descriptor, name
        self._end = self._flushed = os.lseek(descriptor, 0, os.SEEK_END)
        return self._end


def flush_folder(path: Path) -> None:
    """Make a new name in a folder outlive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
