"""Starts and asks the process that reads a first sync's messages (`reader.py`); without one a pass reads by itself.

    little to read, or another pass has the process  ─▶ here
    much to read                                     ─▶ started; here until it is ready, and again when it died

One for a program, however many mailboxes it syncs: memory stays bounded, and with a second one processors are not idle.
Python's lock is why it is worth it: parsing and the database's own Python would take turns.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import select
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import structlog

from mailcrm.services.mail.sync.reader import Reading, read, unpacked

WORTH = 200  # messages from which on starting a process pays: it takes a quarter of a second
_PIPE = 1024 * 1024  # bytes in flight
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", 0)  # Linux
_PORTION = 700_000  # bytes asked at once: what both processes hold of a batch besides the batch
_PIECES = 500  # buffers of one writev; Linux takes 1,024
_ROOT = Path(__file__).resolve().parents[4]

log = structlog.get_logger()
_taken = threading.Lock()


class ReaderFailed(Exception):
    """The process is gone."""


class ReaderProcess:
    """One process; for one thread at a time."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mailcrm.services.mail.sync.reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            env={"PYTHONPATH": str(_ROOT), "PATH": os.defpath, "LC_ALL": "C.UTF-8"},  # no secrets
            bufsize=0,
        )
        self._ready = False
        self._room = 0  # bytes that fit into the pipe to it
        for stream in (self._stdout, self._stdin):
            with suppress(OSError):  # a limit of the machine's: it is only slower
                if _SET_PIPE_SIZE:
                    # Pages of a pipe need not be full.
                    self._room = fcntl.fcntl(stream.fileno(), _SET_PIPE_SIZE, _PIPE) * 3 // 4

    @property
    def _stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def is_ready(self, wait_s: float = 0.0) -> bool:
        """Tell whether it has started. Raises ReaderFailed."""
        if not self._ready:
            waiting = select.poll()  # not select(): a process with many connections has files beyond its 1,024
            waiting.register(self._stdout, select.POLLIN)
            if waiting.poll(wait_s * 1000):
                self._answer()
                self._ready = True
        return self._ready

    def ask(self, portions: Sequence[Sequence[bytes]]) -> Iterator[list[Reading]]:
        """Have portions of messages read, in order. Raises ReaderFailed.

        The next portion is sent before an answer is waited for, so that it is read while the answer is taken in.
        """
        sent = 0
        for n, portion in enumerate(portions):
            for each in portions[sent : n + 2]:
                # It reads a whole request before it answers, so one can't lock up; nor can another that fits the pipe.
                if sent == n or sum(map(len, each)) + 4 * len(each) + 4 < self._room:
                    self._ask(each)
                    sent += 1
            yield self._read(portion)

    def _ask(self, raws: Sequence[bytes]) -> None:
        head = struct.pack(f"={len(raws) + 1}I", len(raws), *map(len, raws))
        try:
            self._send([head, *raws])
        except OSError as error:
            raise ReaderFailed from error

    def _read(self, raws: Sequence[bytes]) -> list[Reading]:
        readings = [unpacked(plain) for plain in marshal.loads(self._answer())]  # noqa: S302  # our own program's
        if len(readings) != len(raws):
            raise ReaderFailed
        return readings

    def _send(self, buffers: Sequence[bytes]) -> None:
        for first in range(0, len(buffers), _PIECES):
            part = [memoryview(buffer) for buffer in buffers[first : first + _PIECES] if buffer]
            while part:
                done = os.writev(self._stdin.fileno(), part)
                while part and done >= len(part[0]):
                    done -= len(part.pop(0))
                if part:
                    part[0] = part[0][done:]

    def _answer(self) -> bytearray:
        (size,) = struct.unpack("=I", self._exactly(4))
        return self._exactly(size)

    def _exactly(self, size: int) -> bytearray:
        out = bytearray(size)
        left = memoryview(out)
        while left:
            try:
                done = os.readv(self._stdout.fileno(), [left])
            except OSError as error:
                raise ReaderFailed from error
            if not done:
                raise ReaderFailed
            left = left[done:]
        return out

    def close(self) -> None:
        """End it. Never raises."""
        for stream in (self._stdin, self._stdout):
            with suppress(OSError):
                stream.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _portions(raws: Sequence[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for raw in raws:
        part.append(raw)
        size += len(raw)
        if size >= _PORTION:
            yield part
            part, size = [], 0
    if part:
        yield part


class Reader:
    """What reads the messages of one pass: a process where it pays, else the caller's own thread."""

    def __init__(self, start: Callable[[], ReaderProcess] = ReaderProcess) -> None:
        self._start = start
        self._process: ReaderProcess | None = None
        self._broke = False

    def expect(self, count: int) -> None:
        """Get a process ready for `count` messages that are about to come, if that pays and none is in use."""
        if count < WORTH or self._process is not None or self._broke or not _taken.acquire(blocking=False):
            return
        try:
            self._process = self._start()
        except OSError:  # no memory, no processes left: slower, not wrong
            log.exception("messages are read without a process of their own")
            self._broke = True
            _taken.release()

    def read(self, raws: Sequence[bytes]) -> list[Reading]:
        """Read messages, in order. Never raises for what is in them."""
        process = self._process
        done: list[Reading] = []
        if process is not None and not self._broke:
            try:
                if process.is_ready():
                    for portion in process.ask(list(_portions(raws))):
                        done += portion
            except ReaderFailed:
                log.warning("the process that reads messages ended")
                self._broke = True
        return done + [read(raw) for raw in raws[len(done) :]]

    def close(self) -> None:
        """Let go of the process. For when nothing is being read any more."""
        process, self._process = self._process, None
        if process is not None:
            try:
                process.close()
            finally:
                _taken.release()
