"""A small pool of cleaning processes: started on demand, killed and replaced at a limit.

The processor limit is the worker's own (`render_worker.py`); here is the wall clock,
for a worker that neither answers nor computes. Does not cache and does not know HTML.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import select
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

WORKERS = 2
WALL_S = 20.0  # 2 s of CPU on a machine ten times overloaded
_ROOT = Path(__file__).resolve().parents[3]


class WorkerFailed(Exception):
    """Say that a worker was ended at a limit; the message is the cause, not the pool."""


class Pool:
    """At most WORKERS processes; callers wait for a free one. Thread-safe."""

    def __init__(self, size: int = WORKERS, wall_s: float = WALL_S) -> None:
        self._size, self._wall_s = size, wall_s
        self._reset()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and return its answer. Raises WorkerFailed."""
        if self._pid != os.getpid():
            self._reset()  # after fork the processes are the parent's
        worker = self._free.get()
        keep = worker
        try:
            if keep is None or keep.process.poll() is not None:
                keep = _Worker()
                with self._lock:
                    self._all.add(keep)
            try:
                return keep.ask(request, self._wall_s)
            except WorkerFailed:
                self._end(keep)
                keep = None
                raise
        finally:
            self._free.put(keep)

    def processes(self) -> list[int]:
        """Return the process ids of the workers that are up."""
        return [worker.process.pid for worker in self._all if worker.process.poll() is None]

    def close(self) -> None:
        """End all workers."""
        if self._pid == os.getpid():
            for worker in list(self._all):
                self._end(worker)

    def _end(self, worker: _Worker) -> None:
        worker.end()
        with self._lock:
            self._all.discard(worker)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._all: set[_Worker] = set()
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(self._size):
            self._free.put(None)


class _Worker:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mailcrm.services.mail.render_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            env={"PYTHONPATH": str(_ROOT), "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        )

    def ask(self, request: dict[str, Any], wall_s: float) -> dict[str, Any]:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        deadline = time.monotonic() + wall_s
        body = json.dumps(request).encode()
        try:
            # The worker reads a whole request before it writes, so this cannot lock up.
            stdin.write(struct.pack(">I", len(body)) + body)
            stdin.flush()
            (size,) = struct.unpack(">I", self._read(stdout, 4, deadline))
            return json.loads(self._read(stdout, size, deadline))
        except (OSError, ValueError) as error:
            raise WorkerFailed("The cleaning process ended.") from error

    def _read(self, stream: IO[bytes], size: int, deadline: float) -> bytes:
        out = bytearray()
        waiting = select.poll()  # not select(): a server with many tabs open has files beyond its 1,024
        waiting.register(stream, select.POLLIN)
        while len(out) < size:
            left = deadline - time.monotonic()
            ready = waiting.poll(left * 1000) if left > 0 else []
            if not ready:
                raise WorkerFailed("The cleaning process did not answer in time.")
            piece = os.read(stream.fileno(), min(65536, size - len(out)))
            if not piece:
                raise WorkerFailed("The cleaning process ended at its limit.")
            out += piece
        return bytes(out)

    def end(self) -> None:
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self.process.wait()


POOL = Pool()
atexit.register(POOL.close)
