"""The first pages of a PDF file as pictures, drawn in a process with limits (`pdf_worker.py`), one process for a file.

At most AT_ONCE files are drawn at a time; the last few are kept, because a frame is often opened again. Does not know
whose file it is: whoever asks has authorised it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import struct
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 25 * 1024**2  # as large as mail gets
MAX_ANSWER = 24 * 1024**2
WALL_S = 60.0  # twelve seconds of CPU on a busy machine
AT_ONCE = 2
KEPT = 2
_ROOT = Path(__file__).resolve().parents[3]
_WORKER = (sys.executable, "-m", "mailcrm.services.mail.pdf_worker")
_places = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Pages as PNG, the first ones; `count` is how many the file has, 0 for one that can't be drawn."""

    pages: tuple[bytes, ...]
    count: int


def draw(content: bytes) -> Drawn:
    """Draw a file's first pages; nothing for what is no PDF, is encrypted, or goes over a limit."""
    if len(content) > MAX_BYTES or b"%PDF-" not in content[:1024]:
        return Drawn((), 0)
    return _kept(_Content(content, hashlib.sha256(content).digest()))


class _Content:
    """A file that is kept by what is in it, without keeping it."""

    def __init__(self, content: bytes, digest: bytes) -> None:
        self.content, self._digest = content, digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content) and other._digest == self._digest


@functools.lru_cache(maxsize=KEPT)
def _kept(file: _Content) -> Drawn:
    content, file.content = file.content, b""
    with _places:
        return _read(_ask(content))


def _ask(content: bytes) -> bytes:
    """Return what the process says, no more than MAX_ANSWER of it: it may have become the file's own."""
    with tempfile.TemporaryFile() as given:
        given.write(content)
        given.seek(0)
        process = subprocess.Popen(
            _WORKER,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            env={"PYTHONPATH": str(_ROOT), "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        )
        over = threading.Timer(WALL_S, process.kill)
        over.start()
        with process:
            try:
                return process.stdout.read(MAX_ANSWER) if process.stdout is not None else b""
            finally:
                over.cancel()
                process.kill()


def _read(answer: bytes) -> Drawn:
    """Take the pages that came whole."""
    if len(answer) < 4:
        return Drawn((), 0)
    (count,), at, pages = struct.unpack_from(">I", answer), 4, list[bytes]()
    while at + 4 <= len(answer):
        (size,) = struct.unpack_from(">I", answer, at)
        page = answer[at + 4 : at + 4 + size]
        if len(page) != size or not page.startswith(b"\x89PNG\r\n\x1a\n"):
            break
        pages.append(page)
        at += 4 + size
    return Drawn(tuple(pages), count if pages else 0)
