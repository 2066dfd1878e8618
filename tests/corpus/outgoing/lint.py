"""What RFC 5322, 2045-2047, 2231 and 3676 ask of a message that goes out, checked on its bytes; knows nothing of build.py."""

from __future__ import annotations

import base64
import binascii
import re

ALLOWED = frozenset(
    "message-id date from to cc subject in-reply-to references mime-version content-type content-transfer-encoding".split()
)
_DATE = re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
                   r"\d{2}:\d{2}:\d{2} [+-]\d{4}")  # fmt: skip
_ID = re.compile(r"<[^<>@\s]+@[^<>@\s]+>")
_WORD = re.compile(r"=\?([^?]*)\?([^?]*)\?([^?]*)\?=")
_QP_LINE = re.compile(rb"(?:[!-<>-~ \t]|=[0-9A-F]{2})*=?")


def lint(raw: bytes) -> list[str]:
    """Return what is wrong with a message; nothing is the aim."""
    wrong: list[str] = []
    if re.search(rb"\r(?!\n)|(?<!\r)\n|\0", raw):
        wrong.append("a bare CR, LF or NUL")
    if not raw.isascii():
        wrong.append("octets beyond ASCII")
    if any(len(line) > 998 for line in raw.split(b"\r\n")):
        wrong.append("a line of more than 998 octets")
    head, blank, body = raw.partition(b"\r\n\r\n")
    if not blank:
        return [*wrong, "no empty line after the header"]
    fields = _fields(head.decode("ascii", "replace"), wrong)
    names = [name for name, _ in fields]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            wrong.append(f"{name} twice")
        if name not in ALLOWED:
            wrong.append(f"a header that is nobody's business: {name}")
    needed = ("date", "from", "message-id", "to", "subject", "mime-version")
    wrong += [f"no {name}" for name in needed if name not in names]
    values = dict(fields)
    if not _DATE.fullmatch(values.get("date", "")):
        wrong.append(f"not a date: {values.get('date')}")
    ids = [values[name] for name in ("message-id", "in-reply-to") if name in values]
    wrong += [f"not an id: {each}" for each in ids if not _ID.fullmatch(each)]
    if values.get("mime-version") != "1.0":
        wrong.append("not MIME 1.0")
    _words(fields, wrong)
    _entity(values, body, wrong, set())
    return wrong


def _fields(head: str, wrong: list[str]) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    for line in head.split("\r\n"):
        most = 76 if "=?" in line else 78  # RFC 2047 2, RFC 5322 2.1.1
        if len(line) > most and " " in line.strip():
            wrong.append(f"a header line of {len(line)} characters that could be folded: {line[:60]}")
        if not line.strip():
            wrong.append("a header line of blanks")
        elif line[0] in " \t":
            fields[-1] = (fields[-1][0], fields[-1][1] + line)
        elif re.match(r"[!-9;-~]+: ?", line):
            name, _, value = line.partition(":")
            fields.append((name.lower(), value.removeprefix(" ")))
        else:
            wrong.append(f"not a field: {line[:60]}")
    return fields


def _words(fields: list[tuple[str, str]], wrong: list[str]) -> None:
    for name, value in fields:
        for found in _WORD.finditer(value):
            charset, encoding, text = found.groups()
            if len(found[0]) > 75:
                wrong.append(f"an encoded word of {len(found[0])} characters in {name}")
            try:
                if encoding.upper() != "B":
                    wrong.append(f"an encoding nobody asked for: {encoding}")
                base64.b64decode(text, validate=True).decode(charset)  # whole characters in each word (RFC 2047 5)
            except (ValueError, LookupError, binascii.Error):
                wrong.append(f"an encoded word that does not decode in {name}")
        if name in ("from", "to", "cc") and re.search(r'"[^"]*=\?', value):
            wrong.append("an encoded word inside quotes")


def _entity(values: dict[str, str], body: bytes, wrong: list[str], boundaries: set[str]) -> None:
    kind = values.get("content-type", "text/plain").split(";")[0].strip()
    encoding = values.get("content-transfer-encoding", "7bit").lower()
    if kind.startswith("multipart/"):
        _multipart(values, body, wrong, boundaries, encoding)
    elif encoding == "base64":
        lines = body.rstrip(b"\r\n").split(b"\r\n")
        if any(len(line) > 76 for line in lines):
            wrong.append("a base64 line of more than 76")
        try:
            base64.b64decode(b"".join(lines), validate=True)
        except binascii.Error:
            wrong.append("not base64")
    elif encoding == "quoted-printable":
        wrong += [
            f"not quoted-printable: {line[:60]!r}"
            for line in body.split(b"\r\n")
            if len(line) > 76 or not _QP_LINE.fullmatch(line) or line.endswith((b" ", b"\t"))
        ]
    else:
        wrong.append(f"encoding {encoding} of {kind}")
    if (
        kind.startswith("text/")
        and 'charset="utf-8"' not in values.get("content-type", "")
        and "name" not in values.get("content-type", "")
    ):
        wrong.append("text without a charset")


def _multipart(values: dict[str, str], body: bytes, wrong: list[str], boundaries: set[str], encoding: str) -> None:
    if encoding != "7bit":
        wrong.append("an encoded multipart")
    found = re.search(r'boundary="([^"]{1,70})"', values["content-type"])
    if found is None:
        wrong.append("no boundary")
        return
    boundary = found[1]
    if boundary in boundaries or boundary.endswith(" "):
        wrong.append("a boundary used twice")
    boundaries.add(boundary)
    mark = b"--" + boundary.encode()
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if not pieces[-1].startswith(b"--"):
        wrong.append("a multipart that is not closed")
    for piece in pieces[1:-1]:
        if not piece.startswith(b"\r\n"):
            wrong.append("text after a boundary")
        head, _, inner = piece[2:].partition(b"\r\n\r\n")
        fields = _fields(head.decode("ascii", "replace"), wrong)
        for name, _value in fields:
            if not name.startswith("content-"):
                wrong.append(f"{name} in a part")
        _entity(dict(fields), inner, wrong, boundaries)
