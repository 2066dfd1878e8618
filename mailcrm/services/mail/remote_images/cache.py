"""Images that were fetched, kept on the disk so that a sender sees one fetch for each message, whoever reads it how often.

    images/index/ab/abcd…    of one message and URL: the SHA-256 of its content and its type
    images/content/12/1234…  the content, once, however many messages show it

Bounded: when there is too much, what was longest not looked at goes first. All of it can be deleted at any time. An entry
is found by message content and URL, never by URL alone: nobody learns from a quick answer what others read.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import uuid
from pathlib import Path

from mailcrm.config import config
from mailcrm.services.mail.remote_images.fetch import Fetched

MOST_BYTES = 512 * 1024 * 1024
KEEP = 0.8  # of the bound, after making room
_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")

_lock = threading.Lock()
_used: dict[Path, int] = {}  # folder -> bytes, as this process knows them


def folder() -> Path:
    """Return where they are."""
    return config().data_dir / "images"


def key_of(blob_sha: str, url: str) -> str:
    """Return the name of a message's image."""
    return hashlib.sha256(f"{blob_sha}\n{url}".encode()).hexdigest()


def get(key: str) -> Fetched | None:
    """Return what is kept under a name, if it is there and whole."""
    try:
        entry = folder() / "index" / key[:2] / key
        sha, kind = entry.read_text("ascii").split()
        content = folder() / "content" / sha[:2] / sha
        raw = content.read_bytes()
    except (OSError, ValueError):
        return None
    if kind not in _TYPES or hashlib.sha256(raw).hexdigest() != sha:
        return None
    with contextlib.suppress(OSError):
        os.utime(content)  # looked at now
    return Fetched(kind, raw)


def put(key: str, image: Fetched, *, most: int = MOST_BYTES) -> None:
    """Keep an image; a full disk means that it is fetched again."""
    sha = hashlib.sha256(image.content).hexdigest()
    with contextlib.suppress(OSError):
        _write(folder() / "content" / sha[:2] / sha, image.content)
        _write(folder() / "index" / key[:2] / key, f"{sha} {image.content_type}".encode())
        with _lock:
            used = _used.get(folder())
            used = _measure() if used is None else used + len(image.content)
            _used[folder()] = _make_room(int(most * KEEP)) if used > most else used


def _write(target: Path, raw: bytes) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.with_name(f".{uuid.uuid4().hex}")
    draft.write_bytes(raw)
    draft.replace(target)


def _files() -> list[tuple[float, int, Path]]:
    found: list[tuple[float, int, Path]] = []
    for path in (folder() / "content").glob("*/*"):
        with contextlib.suppress(OSError):
            facts = path.stat()
            found.append((facts.st_mtime, facts.st_size, path))
    return found


def _measure() -> int:
    return sum(size for _, size, _ in _files())


def _make_room(most: int) -> int:
    """Delete what was longest not looked at, and the entries that led to it; return what is left."""
    found = sorted(_files())
    used = sum(size for _, size, _ in found)
    for _, size, path in found:
        if used <= most:
            break
        path.unlink(missing_ok=True)
        used -= size
    for entry in (folder() / "index").glob("*/*"):
        with contextlib.suppress(OSError, ValueError):
            sha = entry.read_text("ascii").split()[0]
            if not (folder() / "content" / sha[:2] / sha).exists():
                entry.unlink(missing_ok=True)
    return used
