"""FETCH of a message by pieces: its structure, some of its sections, a range of one. All by PEEK, nothing is marked read.

What the server leaves out or garbles is None or absent; the connection stays in step.
"""

# The wire's private call is shared inside this package.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Sequence

from mailcrm.services.mail.imap import answers, structure
from mailcrm.services.mail.imap.structure import Section
from mailcrm.services.mail.imap.wire import Wire


def fetch_structure(wire: Wire, uid: int) -> Section | None:
    """Return the structure of a message; None when the answer makes no sense."""
    return structure.read(structure.joined(wire._fetch_data(str(uid), ("BODYSTRUCTURE",))))


def fetch_sections(wire: Wire, uid: int, names: Sequence[str]) -> dict[str, bytes]:
    """Return whole sections ("HEADER", "1.MIME", "1") by their names; what can't be had is left out."""
    data = wire._fetch_data(str(uid), tuple(f"BODY.PEEK[{name}]" for name in names))
    found = answers.items(data).get(uid, {})
    out: dict[str, bytes] = {}
    for name in names:
        value = found.get(f"BODY[{name}]".encode())
        if isinstance(value, bytes):
            out[name] = value
    return out


def fetch_piece(wire: Wire, uid: int, section: str, start: int, count: int) -> bytes | None:
    """Return up to `count` octets of a section from `start`; None when the server does not hand it out."""
    data = wire._fetch_data(str(uid), (f"BODY.PEEK[{section}]<{start}.{count}>",))
    found = answers.items(data).get(uid, {})
    wanted = f"BODY[{section}]".encode()
    for key, value in found.items():
        if key.startswith(wanted) and isinstance(value, bytes):
            return value
    return None
