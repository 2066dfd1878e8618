"""How the raw store names and compresses bytes. Pure, and light: the process that reads messages needs no more."""

from __future__ import annotations

import hashlib

from isal import isal_zlib

LEVEL = 1  # zlib's format and zlib's ratio at level 1 (0.42, sync.md A7), in a fifth of its time


def digest(raw: bytes) -> str:
    """Return the name that these bytes have."""
    return hashlib.sha256(raw).hexdigest()


def compress(raw: bytes) -> bytes:
    """Return bytes as they are stored."""
    return isal_zlib.compress(raw, LEVEL)  # pyright: ignore[reportUnknownMemberType]
