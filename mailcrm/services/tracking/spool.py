"""Fetches on their way to the database: small files in the data folder, written by who answers, read by who records.

    serving process -> tracking/….fetches (written aside, then renamed) -> recorder.py -> gone

Encrypted with a key of their own: they hold addresses, which are stored nowhere else (B15). What is in a file survives
its process; a power cut may take the last seconds. One reader at a time, by a lock that ends with its process.
Does not know what is done with them.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailcrm.config import config
from mailcrm.services.crypto import derive
from mailcrm.services.tracking.fetch import Packed, Waiting, unpacked

FOLDER = "tracking"
MOST_BYTES = 128_000_000  # waiting on the disk while the database is away: some 500,000 fetches
AT_ONCE = 64  # fetches spelled in one go: a tenth of a millisecond in which nobody else of the process does anything
BREATH_S = 0.0005
LOOK_S = 1.0  # between two looks at how much that is
STALE_S = 60.0
_NONCE = 12


class Full(Exception):
    """So much waits on the disk that nothing is added."""


class Spool:
    """The files of one data folder."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._looked = -LOOK_S
        self._bytes = 0

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return config().data_dir / FOLDER

    def put(self, waiting: Sequence[Packed]) -> Path:
        """Keep fetches in one file, and return it. Raises Full, or OSError when the disk refuses."""
        folder = self.folder
        if time.monotonic() - self._looked > LOOK_S:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._looked, self._bytes = time.monotonic(), sum(_size(path) for path in self.files())
        if self._bytes > MOST_BYTES:
            raise Full
        plain = _plain(waiting)
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + AESGCM(_key(config().secret_keys[0])).encrypt(nonce, plain, None)
        path = folder / f"{time.time_ns():020}-{os.getpid()}.fetches"
        aside = path.with_suffix(".part")
        try:
            _write(aside, sealed)
        except FileNotFoundError:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(aside, sealed)
        aside.rename(path)
        self._bytes += len(sealed)
        return path

    def files(self) -> list[Path]:
        """Return what waits, the oldest first."""
        return sorted(self.folder.glob("*.fetches"))

    def read(self, path: Path) -> list[Waiting]:
        """Return the fetches of a file. Raises ValueError when it is none of ours or its key is gone."""
        sealed = path.read_bytes()
        for secret in config().secret_keys:
            try:
                plain = AESGCM(_key(secret)).decrypt(sealed[:_NONCE], sealed[_NONCE:], None)
            except (InvalidTag, ValueError):
                continue
            return [unpacked(each) for each in json.loads(plain)]
        raise ValueError("no key opens it")

    def tidy(self) -> None:
        """Remove what a killed process had not finished writing."""
        for path in self.folder.glob("*.part"):
            try:
                if time.time() - path.stat().st_mtime > STALE_S:
                    path.unlink()
            except FileNotFoundError:
                continue

    @contextmanager
    def alone(self) -> Generator[bool]:
        """Hold the right to read and remove; False when another process or thread has it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True  # closing the file ends the lock


def _plain(waiting: Sequence[Packed]) -> bytes:
    """Spell fetches, with a breath now and then: a flood's second would hold up for milliseconds whoever answers."""
    parts: list[str] = []
    for n in range(0, len(waiting), AT_ONCE):
        if n:
            time.sleep(BREATH_S)
        parts.append(json.dumps(waiting[n : n + AT_ONCE], separators=(",", ":"))[1:-1])
    return f"[{','.join(parts)}]".encode()


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


_keys: dict[str, bytes] = {}


def _key(secret: str) -> bytes:
    if secret not in _keys:
        _keys[secret] = derive(secret, "tracking spool")
    return _keys[secret]
