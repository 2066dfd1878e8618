"""The file of a backup: a tar that any tar opens, with the checksum of each member at its end.

    header.json  |  database.sqlite3.gz, or tables/NAME.copy.gz  |  tracking/ imports/ packs/ blobs/  |  manifest.json

Written aside and renamed, readable by its owner only. A file without its last member, with another length or checksum,
or with a member that no backup has, is refused: nothing of it is believed before. Knows no database and no settings.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import time
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Self, cast

from mailcrm.errors import PermanentError, UserError

VERSION = 1
HEADER, MANIFEST = "header.json", "manifest.json"
PIECE = 1024 * 1024
_SMALL = 64 * 1024 * 1024  # of header and manifest: a hundred bytes for each member
#: Every name that a backup's member can have: what it is written to is never outside the data folder.
_NAMES = re.compile(
    r"database\.sqlite3\.gz|tables/[a-z0-9_]{1,60}\.copy\.gz|tracking/[0-9-]{1,60}\.fetches|imports/[0-9]{1,18}\.csv"
    r"|packs/[0-9a-f]{1,32}-[0-9a-f]{1,16}\.pack|blobs/[0-9a-f]{2}/[0-9a-f]{64}"
)


class Writer:
    """Writes one backup; a context manager that leaves nothing behind unless `close` was reached."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        if path.exists():
            raise UserError("backup.exists", path=path)
        self._path = path
        self._draft = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            descriptor = os.open(self._draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise UserError("backup.unwritable", path=path, why=error.strerror or "") from error
        self._file = os.fdopen(descriptor, "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115  closed below
        self._members: dict[str, dict[str, Any]] = {}
        self._note(HEADER, header | {"version": VERSION})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._file.close()
        self._draft.unlink(missing_ok=True)

    def add(self, name: str, source: IO[bytes], size: int) -> None:
        """Add `size` bytes of an open file; one that ends before is filled up with zeros (what no row names)."""
        assert _NAMES.fullmatch(name), name
        steady = _Steady(source, size)
        self._tar.addfile(_info(name, size), steady)  # pyright: ignore[reportArgumentType]  only read() is called
        self._members[name] = {"size": size, "sha256": steady.hash.hexdigest()}

    def add_packed(self, name: str, source: IO[bytes], aside: Path) -> None:
        """Add a file compressed; `aside` is where that may be made."""
        with aside.open("w+b") as packed:
            with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=1, mtime=0) as stream:
                shutil.copyfileobj(source, stream, PIECE)
            size = packed.tell()
            packed.seek(0)
            self.add(name, packed, size)
        aside.unlink()

    def close(self, **said: Any) -> int:
        """Write the manifest and give the file its name, on the disk; return its size."""
        self._note(MANIFEST, said | {"members": self._members})
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self._file.tell()
        try:
            os.link(self._draft, self._path)  # unlike a rename, never over a file that came meanwhile
        except FileExistsError as error:
            raise UserError("backup.exists", path=self._path) from error
        _flush(self._path.parent)
        return size

    def _note(self, name: str, content: dict[str, Any]) -> None:
        raw = json.dumps(content, sort_keys=True, indent=1).encode()
        self._tar.addfile(_info(name, len(raw)), io.BytesIO(raw))


def header(path: Path) -> dict[str, Any]:
    """Return what a backup says of itself: dialect, moment and keys. Raises UserError for what is none."""
    with _opened(path) as tar:
        found = _noted(tar, tar.next(), HEADER, path)
        if datetime.fromisoformat(_as(str, found.get("made_at"))).tzinfo is None:
            raise ValueError
        for each in (found.get("dialect"), *_as(list, found.get("keys"))):
            _as(str, each)
        return found


def extract(path: Path, into: Path) -> dict[str, Any]:
    """Write every member below a folder and return the manifest, once all of them are what it says.

    Raises UserError("backup.not_whole") otherwise; what was written is then for the caller to remove.
    """
    found: dict[str, dict[str, Any]] = {}
    with _opened(path) as tar:
        _noted(tar, tar.next(), HEADER, path)
        while (member := tar.next()) is not None:
            if member.name == MANIFEST:
                manifest = _noted(tar, member, MANIFEST, path)
                if manifest.get("members") != found:
                    raise _not_whole(path, "its members are not those that its list names")
                _as(str, manifest.get("revision"))
                for counts in (manifest.get("rows"), manifest.get("sequences")):
                    for name, count in _as(dict, counts).items():
                        _as(str, name)
                        _as(int, count)
                return manifest
            if not _is_file(member) or not _NAMES.fullmatch(member.name) or member.name in found:
                raise _not_whole(path, "it has a member that no backup has")
            found[member.name] = _write(tar, member, into)
    raise _not_whole(path, "it ends too early")


def unpack(path: Path) -> Generator[bytes]:
    """Yield a compressed member that was extracted, piece by piece. Raises PermanentError("database.damaged")."""
    try:
        with gzip.open(path, "rb") as source:
            while piece := source.read(PIECE):
                yield piece
    except (FileNotFoundError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise PermanentError("database.damaged", what=f"{path.name}: {error}") from error


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path) -> dict[str, Any]:
    target = into / member.name
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    source = tar.extractfile(member)
    assert source is not None
    seen = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while piece := source.read(PIECE):
            seen.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return {"size": target.stat().st_size, "sha256": seen.hexdigest()}


@contextmanager
def _opened(path: Path) -> Generator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar
    except FileNotFoundError as error:
        raise UserError("backup.absent", path=path) from error
    except (tarfile.TarError, EOFError, ValueError, RecursionError) as error:
        raise _not_whole(path, "it can’t be read as one") from error


def _noted(tar: tarfile.TarFile, member: tarfile.TarInfo | None, name: str, path: Path) -> dict[str, Any]:
    if member is None or member.name != name or not _is_file(member) or member.size > _SMALL:
        raise _not_whole(path, f"it has no {name}")
    source = tar.extractfile(member)
    assert source is not None
    found: Any = json.loads(source.read())
    if not isinstance(found, dict) or (name == HEADER and cast("dict[str, Any]", found).get("version") != VERSION):
        raise _not_whole(path, "another version made it")
    return cast("dict[str, Any]", found)


def _is_file(member: tarfile.TarInfo) -> bool:
    """A file whose bytes are all in the tar: one with holes would become as large as it says."""
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()


def _as(kind: type[Any], value: Any) -> Any:
    """Return a value that was read, when it is of this kind; ValueError otherwise."""
    if type(value) is not kind:
        raise ValueError(f"no {kind.__name__}")
    return value


def _not_whole(path: Path, why: str) -> UserError:
    return UserError("backup.not_whole", path=path, why=why)


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o600, int(time.time())
    return info


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Steady:
    """Reads exactly so many bytes of a file that others append to, and hashes them."""

    def __init__(self, source: IO[bytes], size: int) -> None:
        self._source, self._left = source, size
        self.hash = hashlib.sha256()

    def read(self, count: int) -> bytes:
        count = min(count, self._left)
        piece = self._source.read(count)
        piece += b"\0" * (count - len(piece))
        self._left -= count
        self.hash.update(piece)
        return piece
