"""Takes the blind recipients out of a message's bytes, for whoever reads somebody else's copy of it. Pure.

Only the fields Bcc and Resent-Bcc of the message itself (RFC 5322 3.6.3, 3.6.6) go, with their folded lines; every
other byte stays, so signatures over the body still hold.
"""

from __future__ import annotations

import re

_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
#: A field with its continuation lines; some programs end lines with a bare CR or LF.
_BLIND = re.compile(
    rb"(?:(?<=\n)|(?<=\r)|\A)(?:resent-)?bcc[ \t]*:[^\r\n]*(?:\r\n|\n|\r|\Z)(?:[ \t][^\r\n]*(?:\r\n|\n|\r|\Z))*",
    re.IGNORECASE,
)


def without_bcc(raw: bytes) -> bytes:
    """Return the message without its Bcc and Resent-Bcc fields."""
    found = _END.search(raw)
    # the last field's own line end belongs to the header
    end = found.start() + (2 if found[0] == b"\r\n\r\n" else 1) if found is not None else len(raw)
    return _BLIND.sub(b"", raw[:end]) + raw[end:]
