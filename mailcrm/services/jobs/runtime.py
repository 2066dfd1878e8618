"""Settings of the interpreter and of the C library for a worker: small, and with threads that take turns.

What each of them saves stands in docs/benchmarks.md.
"""

from __future__ import annotations

import ctypes
import gc
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
_LARGE = 128 * 1024  # bytes: buffers from here on are mapped alone, and given back when they are freed
_TURN_S = 0.001  # that a thread keeps the interpreter while another wants it; Python's own is five times as long
_NEW_OBJECTS = 20_000  # between two searches for rings of dead objects; Python's own 700 come with every ten messages


def prepare() -> None:
    """Make them. Call it when all modules are loaded and no thread has started."""
    _keep_small()
    sys.setswitchinterval(_TURN_S)
    gc.freeze()  # modules stay: nobody need look through them again
    gc.set_threshold(_NEW_OBJECTS, 20, 20)


def _keep_small() -> None:
    """Tell glibc to use one heap for all threads, and to give large buffers back at once.

    A worker's threads take and free megabytes of mail all the time. With glibc's own settings each thread gets a heap
    of its own that is never given back, and large buffers end up inside them.
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has no such settings, and needs none
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
    mallopt(_M_TRIM_THRESHOLD, _LARGE)
