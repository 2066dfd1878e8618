"""Builds the MIME message: the bytes that leave, and the copy that is kept. Pure; the same input gives the same bytes.

    mixed( alternative( text, related( html, inline… ) ), file… )     layers that hold one part are left out
    mixed( text, file… )                                              written in plain text mode: format=flowed (RFC 3676)

Everything is 7-bit (quoted-printable or base64), no line passes 76 octets of body or 998 of header. Afterwards the
bytes are read again and compared with what was meant (`assert_headers`): a difference raises instead of being sent.
`Bcc` is written only into the copy that the sender keeps. Does not track: tracking/rewrite makes other HTML of it.
"""

from __future__ import annotations

import base64
import hashlib
import quopri
import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from email import message_from_bytes

import css_inline

from mailcrm.services.mail.outbox import mime_headers as headers
from mailcrm.services.mail.outbox.direction import with_directions
from mailcrm.services.mail.outbox.flowed import flowed
from mailcrm.services.mail.outbox.html import text_of, without_marks

MAX_REFERENCES = 20  # the last ones: the nearest ancestors
MAX_LINE = 998  # octets, RFC 5322 2.1.1

_STYLE = (
    "body{font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:14px;line-height:1.5}"
    "p{margin:0 0 0.6em}"
    "blockquote.mailcrm-quote{margin:0.6em 0 0 0.4em;padding-left:0.8em;border-left:2px solid #c8ccd4;color:#5c6370}"
    "p.mailcrm-attribution{color:#5c6370;margin-top:1.2em}"
    "img{max-width:100%}"
)
_DATA_IMAGE = re.compile(r'src="data:(image/(?:png|jpeg|gif|webp));base64,([A-Za-z0-9+/=%\s]*)"')
_MEDIA = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64}")
_CID = re.compile(r"[A-Za-z0-9._@+-]{1,200}")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\x00")


class Unbuildable(ValueError):
    """The built bytes say something else than what was meant; they must not be sent."""


@dataclass(frozen=True)
class File:
    """A file that goes along; with `content_id` it is shown in the text."""

    filename: str
    content_type: str
    data: bytes
    content_id: str = ""


@dataclass(frozen=True)
class Mail:
    """What a message says. People are (name, address); Message-IDs have no angle brackets; `html` is a clean fragment."""

    message_id: str
    at: datetime
    sender: tuple[str, str]
    to: tuple[tuple[str, str], ...] = ()
    cc: tuple[tuple[str, str], ...] = ()
    bcc: tuple[tuple[str, str], ...] = ()
    subject: str = ""
    html: str = ""
    plain: bool = False
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    files: tuple[File, ...] = ()


def document(mail: Mail) -> str:
    """Return the HTML part: directions set (M05), style sheets inlined, a whole document."""
    page = f'<html><head><meta charset="utf-8"><style>{_STYLE}</style></head><body>{with_directions(mail.html)}</body></html>'
    return "<!DOCTYPE html>" + css_inline.inline(page, load_remote_stylesheets=False)


def build(mail: Mail, *, html: str | None = None, text: str | None = None, keep_bcc: bool = False) -> bytes:
    """Return the bytes of the message; `html` and `text` are what to use in place of `document(mail)` and its text.

    Raises Unbuildable when a value has no safe form. Recipients' copies have no Bcc; the kept copy (`keep_bcc`) has.
    """
    try:
        mail = _with_pasted_images(replace(mail, html=without_marks(mail.html)))
        fields = _fields(mail, keep_bcc)
        if mail.plain:
            part = _plain_body(mail)
        else:
            page = document(mail) if html is None else _DATA_IMAGE.sub(_CidOf(mail), html)
            part = _body(mail, page, text_of(mail.html) if text is None else text)
    except (headers.Unencodable, UnicodeError) as error:
        raise Unbuildable(str(error)) from error
    top = "".join(f"{name}: {value}\r\n" for name, value in fields)
    raw = top.encode() + part
    assert_headers(raw, [name for name, _ in fields])
    return raw


def references_of(parent_id: str | None, parent_references: tuple[str, ...]) -> tuple[str, ...]:
    """Return the References of an answer: the last 20 of the parent's, then the parent itself (RFC 5322 3.6.4)."""
    found = [each for each in parent_references if each != parent_id and headers.is_message_id(each)][-MAX_REFERENCES:]
    return (*found, parent_id) if parent_id and headers.is_message_id(parent_id) else tuple(found)


def assert_headers(raw: bytes, names: list[str]) -> None:
    """Raise Unbuildable unless the message's fields are exactly `names` and those of its MIME frame.

    Also refuses bare CR and LF, NUL, a line too long for SMTP, and addresses beyond ASCII in a field that must not
    have them.
    """
    head, _, _ = raw.partition(b"\r\n\r\n")
    if _BARE.search(raw):
        raise Unbuildable("a bare CR, LF or NUL")
    if any(len(line) > MAX_LINE for line in raw.split(b"\r\n")):
        raise Unbuildable("a line of more than 998 octets")
    frame = ["MIME-Version", "Content-Type"]
    parsed = message_from_bytes(raw)
    found = Counter(name.lower() for name in parsed)
    meant = Counter(name.lower() for name in [*names, *frame])
    found.pop("content-transfer-encoding", None)
    if found != meant or parsed.defects:
        raise Unbuildable(f"fields differ: {sorted((found - meant) + (meant - found))} {parsed.defects}")
    lines = [line for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
    if len(lines) != sum(meant.values()) + int("content-transfer-encoding" in parsed):
        raise Unbuildable("a header line that is no field")


def _fields(mail: Mail, keep_bcc: bool) -> list[tuple[str, str]]:
    fields = [
        ("Message-ID", headers.message_ids([mail.message_id])),
        ("Date", headers.date(mail.at)),
        ("From", headers.addresses([mail.sender])),
        ("To", headers.addresses(mail.to)),
        ("Cc", headers.addresses(mail.cc)),
        ("Bcc", headers.addresses(mail.bcc) if keep_bcc else ""),
        ("Subject", headers.text(mail.subject, used=len("Subject: "))),
        ("In-Reply-To", headers.message_ids([mail.in_reply_to])),
        ("References", headers.message_ids(mail.references)),
    ]
    if not fields[0][1]:
        raise headers.Unencodable("no Message-ID")
    if not mail.to and not mail.cc:
        fields[3] = ("To", "undisclosed-recipients:;")  # RFC 5322 3.6.3 allows none, mail programs complain
    return [(name, value) for name, value in fields if value or name == "Subject"]


class _CidOf:
    """Turns pasted `data:` images into references to the parts made of them."""

    def __init__(self, mail: Mail) -> None:
        self.mail = mail

    def __call__(self, match: re.Match[str]) -> str:
        return f'src="cid:{_pasted_id(self.mail, match[1], _pasted(match[2]))}"'


def _with_pasted_images(mail: Mail) -> Mail:
    """Make inline parts of images that were pasted as `data:` URLs: many mail programs don't show those."""
    found: dict[str, File] = {}
    for match in _DATA_IMAGE.finditer(mail.html):
        data = _pasted(match[2])
        cid = _pasted_id(mail, match[1], data)
        extension = match[1].partition("/")[2].replace("jpeg", "jpg")
        found[cid] = File(f"image-{len(found) + 1}.{extension}", match[1], data, cid)
    if not found:
        return mail
    return replace(mail, html=_DATA_IMAGE.sub(_CidOf(mail), mail.html), files=(*mail.files, *found.values()))


def _pasted(text: str) -> bytes:
    try:
        return base64.b64decode(re.sub(r"[^A-Za-z0-9+/=]", "", text))
    except ValueError as error:
        raise headers.Unencodable("a pasted image that is no base64") from error


def _pasted_id(mail: Mail, content_type: str, data: bytes) -> str:
    digest = hashlib.sha256(mail.message_id.encode() + content_type.encode() + data).hexdigest()[:24]
    return f"{digest}@{mail.message_id.rpartition('@')[2]}"


def _body(mail: Mail, page: str, text: str) -> bytes:
    inline = [file for file in mail.files if file.content_id and f"cid:{file.content_id}" in page]
    others = [file for file in mail.files if file not in inline]
    html = _text_part("html", page)
    if inline:
        html = _multipart("related", mail, [html, *(_file_part(file, "inline") for file in inline)])
    body = _multipart("alternative", mail, [_text_part("plain", text), html])
    if others:
        body = _multipart("mixed", mail, [body, *(_file_part(file, "attachment") for file in others)])
    return b"MIME-Version: 1.0\r\n" + body


def _plain_body(mail: Mail) -> bytes:
    body = _text_part("plain", flowed(text_of(mail.html)), "; format=flowed")
    if mail.files:
        body = _multipart("mixed", mail, [body, *(_file_part(file, "attachment") for file in mail.files)])
    return b"MIME-Version: 1.0\r\n" + body


def _multipart(kind: str, mail: Mail, parts: list[bytes]) -> bytes:
    # "=_" occurs in neither quoted-printable nor base64, so no part can hold the boundary
    boundary = "=_" + hashlib.sha256(f"{kind} {mail.message_id}".encode()).hexdigest()[:32]
    head = f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return head + body + b"--" + boundary.encode() + b"--\r\n"


def _text_part(kind: str, content: str, more: str = "") -> bytes:
    octets = "\n".join(content.splitlines()).encode("utf-8", "replace") + b"\n"
    others = sum(byte > 126 for byte in octets)
    if others * 3 > len(octets):
        encoding, body = "base64", base64.encodebytes(octets.replace(b"\n", b"\r\n"))
    else:
        encoding, body = "quoted-printable", quopri.encodestring(octets)
    head = f'Content-Type: text/{kind}; charset="utf-8"{more}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + body.replace(b"\n", b"\r\n")


def _file_part(file: File, disposition: str) -> bytes:
    if not _MEDIA.fullmatch(file.content_type) or (file.content_id and not _CID.fullmatch(file.content_id)):
        raise headers.Unencodable(f"not a media type or Content-ID: {file.content_type!r} {file.content_id!r}")
    head = f"Content-Type: {file.content_type}{headers.parameter('name', file.filename)}\r\n"
    head += f"Content-Disposition: {disposition}{headers.parameter('filename', file.filename)}\r\n"
    if file.content_id:
        head += f"Content-ID: <{file.content_id}>\r\n"
    head += "Content-Transfer-Encoding: base64\r\n\r\n"
    return head.encode() + base64.encodebytes(file.data).replace(b"\n", b"\r\n")
