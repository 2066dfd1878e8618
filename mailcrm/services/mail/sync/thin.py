"""Takes large files out of a message while it streams by, so that the rest can be parsed in little memory. Pure.

    --boundary ─▶ header of a file in base64? ─▶ its first `KEEP` bytes, and then the content counts as a file:
                                                  a mark in its place until the next line that begins with "--"

Base64 has no "-", so whatever ends such a part is seen. Lines that only look like a boundary begin a segment without
a header, which is kept. Kinds that the parser looks into (texts, messages, TNEF, S/MIME) are kept too. Whether the
result reads as meant is tried at once (`sized`); the whole message is parsed if not.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

from mailcrm.services.mail.parse.message import attachment_contents, parse_for_list
from mailcrm.services.mail.parse.values import ParsedMessage
from mailcrm.services.mail.parse.wrapped import is_looked_into

KEEP = 1024 * 1024  # bytes of a part that are looked at before it is taken for large
MOST = 10 * 1024 * 1024  # bytes of what is left; more of it is no use
_HEADER = 64 * 1024  # bytes of a part's header
_END = re.compile(rb"\r?\n\r?\n")
_FILE = re.compile(
    rb"(?im)^content-type[ \t]*:\s*+(?!text/|message/|multipart/|application/(?:x-)?(?:pkcs7|ms-tnef|vnd\.ms-tnef|pgp|ics))"
)
_BASE64 = re.compile(rb'(?im)^content-transfer-encoding[ \t]*:\s*"?base64"?\s*$')
_BLANK = b"\r\n\t "


class Thinner:
    """Gets a message in pieces; `close` returns what is left of it, and the sizes of the files by their marks."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._segment = bytearray()  # from a line that may be a boundary on; all but the files
        self._looked = False  # whether the segment was found to be none
        self._file: list[int] | None = None  # of the file that passes by: characters, and how many of them only fill up
        self._tail = b""
        self._sizes: dict[str, int] = {}
        self._over = False

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self._over:
            return
        data = self._tail + piece
        self._tail = data[-2:]  # the line break and the first dash may stand here, the second in the next piece
        end = len(data) - len(self._tail)
        start = 0
        while 0 <= (at := data.find(b"\n--", start)) < end:
            self._add(data[start : at + 1])
            self._next()
            start = at + 1
        self._add(data[start:end])
        if len(self._kept) + len(self._segment) > MOST:
            self._over = True
            self._kept.clear()
            self._segment.clear()

    def close(self) -> tuple[bytes, dict[str, int]] | None:
        """Return the rest; None when nothing was taken out, or too much is left."""
        self._add(self._tail)
        self._next()
        return None if self._over or not self._sizes else (bytes(self._kept), self._sizes)

    def _add(self, data: bytes) -> None:
        if self._file is not None:
            self._count(data)
            return
        self._segment += data
        if len(self._segment) > KEEP and not self._looked:
            self._looked = True
            end = _END.search(self._segment, 0, _HEADER)
            if end is None or not self._segment.startswith(b"--"):
                return
            header = bytes(self._segment[: end.end()])
            if _FILE.search(header) and _BASE64.search(header):
                content = bytes(self._segment[end.end() :])
                self._segment = bytearray(header)
                self._file = [0, 0]
                self._count(content)

    def _count(self, data: bytes) -> None:
        assert self._file is not None
        self._file[0] += len(data.translate(None, _BLANK))
        self._file[1] += data.count(b"=")

    def _next(self) -> None:
        """End a segment."""
        if self._file is not None:
            mark = f"mailcrm-thin-{len(self._sizes)}-{hashlib.sha256(self._segment).hexdigest()}"
            self._sizes[mark] = (self._file[0] - self._file[1]) * 3 // 4
            self._segment += base64.b64encode(mark.encode()) + b"\r\n"
        self._kept += self._segment
        self._segment.clear()
        self._file, self._looked = None, False


def sized(raw: bytes, sizes: dict[str, int]) -> ParsedMessage | None:
    """Parse what is left of a message and give its files their sizes; None unless each mark was found once."""
    found: dict[int, int] = {}
    try:
        parsed = parse_for_list(raw)
        for attachment, content in attachment_contents(raw):
            mark = content.decode("latin-1") if len(content) < 200 else ""
            if mark in sizes:
                found[attachment.n] = sizes[mark]
    except Exception:  # a cap, or a hole in the parser: the whole message says which
        return None
    if len(found) != len(sizes):
        return None
    if any(is_looked_into(each.content_type, each.filename) for each in parsed.attachments if each.n in found):
        return None  # a winmail.dat, say, that is not called what it is
    attachments = tuple(replace(each, size=found.get(each.n, each.size)) for each in parsed.attachments)
    return replace(parsed, attachments=attachments)
