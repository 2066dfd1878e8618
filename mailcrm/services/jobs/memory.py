"""Keeps a long-lived worker small: tells glibc to give memory back. Elsewhere it does nothing.

A worker's threads take and free megabytes of mail all the time. With glibc's own settings each thread gets a heap of
its own that is never given back, and large buffers end up inside them (docs/benchmarks.md has what this saves).
"""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
_LARGE = 128 * 1024  # bytes: buffers from here on are mapped alone, and given back when they are freed


def keep_small() -> None:
    """Use one heap for all threads, and give large buffers back at once. Call it before threads start."""
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has no such settings, and needs none
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
    mallopt(_M_TRIM_THRESHOLD, _LARGE)
