"""Reads TNEF (winmail.dat): Outlook's envelope around the files and the body that other programs never find.

Purely, and linear in its input: the cursor only moves forward, counts and lengths are checked against what is there
(Roundcube looped for ever on one, CVE-2026-62642). What is broken ends the reading; what was read before stays.
Does not read calendar or contact properties, and does not check checksums (real ones are wrong too).
[MS-OXTNEF] 2.1; property types of [MS-OXCDATA] 2.11.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mailcrm.services.mail.parse.charsets import decode_bytes, one_line, safe_text
from mailcrm.services.mail.parse.rtf import html_or_text_of_rtf

SIGNATURE = b"\x78\x9f\x3e\x22"
_MAX_ATTRIBUTES = 5_000
_MAX_PROPERTIES = 2_000  # of one block
_MAX_FILES = 200
_MAX_DEPTH = 3  # messages embedded in messages

_SUBJECT, _BODY, _RENDERING, _TITLE, _DATA, _CODEPAGE = 0x18004, 0x2800C, 0x69002, 0x18010, 0x6800F, 0x69007
_MESSAGE_PROPERTIES, _FILE_PROPERTIES = 0x69003, 0x69005
_FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}  # octets, padded to 4
_OBJECT, _STRING8, _UNICODE, _BINARY = 0x0D, 0x1E, 0x1F, 0x102
_P_BODY, _P_RTF, _P_HTML, _P_DATA, _P_NAME, _P_SHORT_NAME = 0x1000, 0x1009, 0x1013, 0x3701, 0x3707, 0x3704
_P_DISPLAY, _P_MIME, _P_CONTENT_ID = 0x3001, 0x370E, 0x3712

Value = bytes | int
Properties = dict[int, tuple[int, Value]]


@dataclass(slots=True)
class TnefFile:
    """A file inside; `content_type` is '' when Outlook did not say."""

    name: str = ""
    content_type: str = ""
    content_id: str = ""
    content: bytes = b""


@dataclass(slots=True)
class Tnef:
    """What was in the envelope."""

    text: str = ""
    html: str | None = None
    files: list[TnefFile] = field(default_factory=list[TnefFile])


class _End(Exception):
    """The data ends, or makes no sense from here."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise _End
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int = 4) -> int:
        return int.from_bytes(self.take(size), "little")

    def padded(self, size: int) -> bytes:
        value = self.take(size)
        self.at = min(self.at + -size % 4, len(self.data))
        return value


def read_tnef(data: bytes, depth: int = 0) -> Tnef | None:
    """Return the files and the body of a TNEF stream; None when it is none. Never raises."""
    if not data.startswith(SIGNATURE) or depth > _MAX_DEPTH:
        return None
    found = Tnef()
    state = _State(found, depth)
    reader = _Reader(data)
    reader.at = 6
    try:
        for _ in range(_MAX_ATTRIBUTES):
            level, tag, size = reader.number(1), reader.number(), reader.number()
            if level not in (1, 2):
                break
            value = reader.take(size)
            state.attribute(tag, value)
            reader.take(2)
    except _End:
        pass
    state.close()
    return found


class _State:
    """What the attributes read so far amount to."""

    def __init__(self, found: Tnef, depth: int) -> None:
        self.found, self.depth = found, depth
        self.charset = "windows-1252"
        self.body = b""
        self.message: Properties = {}
        self.file: TnefFile | None = None

    def attribute(self, tag: int, value: bytes) -> None:
        if tag == _CODEPAGE:
            self.charset = _charset(int.from_bytes(value[:4], "little"))
        elif tag == _BODY:
            self.body = value
        elif tag == _MESSAGE_PROPERTIES:
            self.message.update(_properties(value))
        elif tag == _RENDERING:
            self.file = TnefFile() if len(self.found.files) < _MAX_FILES else None
            if self.file is not None:
                self.found.files.append(self.file)
        elif self.file is None:
            return
        elif tag == _TITLE:
            self.file.name = self.file.name or self.text(_STRING8, value)
        elif tag == _DATA:
            self.file.content = self.file.content or value
        elif tag == _FILE_PROPERTIES:
            self.complete(self.file, _properties(value))

    def text(self, kind: int, value: Value) -> str:
        if not isinstance(value, bytes):
            return ""
        decoded = value.decode("utf-16-le", "replace") if kind == _UNICODE else decode_bytes(value, self.charset)
        return safe_text(decoded.rstrip("\0"))

    def complete(self, file: TnefFile, properties: Properties) -> None:
        for name in (_P_NAME, _P_SHORT_NAME, _P_DISPLAY):
            if name in properties and (text := one_line(self.text(*properties[name]))):
                file.name = text
                break
        if _P_MIME in properties:
            file.content_type = one_line(self.text(*properties[_P_MIME])).lower()
        if _P_CONTENT_ID in properties:
            file.content_id = one_line(self.text(*properties[_P_CONTENT_ID]))
        kind, value = properties.get(_P_DATA, (0, b""))
        if not isinstance(value, bytes) or not value:
            return
        inner = read_tnef(value[16:], self.depth + 1) if kind == _OBJECT else None
        if inner is not None:  # a message inside: its files come with ours, its text as a file
            room = _MAX_FILES - len(self.found.files)
            self.found.files += inner.files[: max(room, 0)]
            file.content, file.content_type = inner.text.encode(), "text/plain"
            file.name = f"{file.name or 'message'}.txt"
        else:
            file.content = file.content or (value[16:] if kind == _OBJECT else value)

    def close(self) -> None:
        found = self.found
        found.files = [file for file in found.files if file.content or file.name]
        if self.body:
            found.text = self.text(_STRING8, self.body)
        if _P_BODY in self.message:
            found.text = self.text(*self.message[_P_BODY]) or found.text
        kind, html = self.message.get(_P_HTML, (0, b""))
        if isinstance(html, bytes) and html:
            found.html = self.text(_UNICODE if kind == _UNICODE else _STRING8, html)
        _, packed = self.message.get(_P_RTF, (0, b""))
        if isinstance(packed, bytes) and packed and found.html is None:
            found.html, text = html_or_text_of_rtf(packed)
            found.text = found.text or text
        found.text = found.text.replace("\r\n", "\n").replace("\r", "\n")


def _properties(data: bytes) -> Properties:
    """Read one block of MAPI properties; the first value of several counts."""
    found: Properties = {}
    reader = _Reader(data)
    try:
        for _ in range(min(reader.number(), _MAX_PROPERTIES)):
            kind, name = reader.number(2), reader.number(2)
            if name >= 0x8000:  # a named property: its name is not one of ours
                reader.take(16)
                if reader.number():
                    reader.padded(reader.number())
                else:
                    reader.take(4)
            value = _value(reader, kind)
            if name < 0x8000 and value is not None:
                found.setdefault(name, (kind & 0x0FFF, value))
    except _End:
        pass
    return found


def _value(reader: _Reader, kind: int) -> Value | None:
    many, kind = bool(kind & 0x1000), kind & 0x0FFF
    size = _FIXED.get(kind)
    if size is not None:
        count = reader.number() if many else 1
        block = reader.take(size * count)
        return int.from_bytes(block[:size], "little") if count else None
    if kind not in (_OBJECT, _STRING8, _UNICODE, _BINARY):
        raise _End
    first: Value | None = None
    for _ in range(reader.number()):  # each value takes four octets at least: bounded by the data
        value = reader.padded(reader.number())
        first = value if first is None else first
    return first


def _charset(codepage: int) -> str:
    return {932: "shift_jis", 936: "gb18030", 949: "euc-kr", 950: "big5", 65001: "utf-8", 20127: "utf-8"}.get(
        codepage, f"windows-{codepage}"
    )
