"""Finds servers that `tests/run` unpacked from Debian's packages without installing them.

Debian installs one IMAP server at a time (each provides and conflicts with `imap-server`), and the tests want three.
`MAILCRM_TEST_SERVERS` says where they lie; nothing here downloads anything.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(os.environ.get("MAILCRM_TEST_SERVERS") or "/opt/mailcrm-test-servers")


def find(server: str, program: str) -> Path | None:
    """Return a server's program (a path below `/`), unpacked or installed; None where there is none."""
    for place in (ROOT / server / program, Path("/") / program):
        if place.exists():
            return place
    return None


def libraries(server: str) -> str:
    """Return the server's own libraries' folders, as LD_LIBRARY_PATH wants them."""
    folders = [ROOT / server / "usr/lib", *(ROOT / server / "usr/lib").glob("*-linux-gnu*")]
    return ":".join(str(folder) for folder in folders if folder.is_dir())
