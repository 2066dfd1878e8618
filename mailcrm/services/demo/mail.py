"""Builds the demo's messages from the scripts: MIME with threads, HTML, attachments, in several languages.

Dates are counted back from now. Each message lies where its participants would have it: Sent for its author, INBOX
for the others.
"""

from __future__ import annotations

import binascii
import html
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from mailcrm.services import demo
from mailcrm.services.demo import cast
from mailcrm.services.demo.scripts import CONVERSATIONS, Conversation, Line
from mailcrm.services.demo.tracking import TRACKED

NAMES = {who.address: who.name for who in cast.PEOPLE} | {
    demo.ADMIN_EMAIL: "Sana Okafor",
    demo.COLLEAGUE_EMAIL: "Dmitri Kral",
    cast.OMAR: "عمر حداد",
    cast.JOERG: "Jörg Petersen",
}


@dataclass(frozen=True)
class Laid:
    """A message and where it lies."""

    folder: str
    raw: bytes
    at: datetime
    seen: bool


def messages(address: str, now: datetime) -> Iterator[Laid]:
    """Every message that this mailbox would hold, conversation by conversation."""
    for conversation in CONVERSATIONS:
        for number, line in enumerate(conversation.lines):
            people = (*line.to, *line.cc)
            if line.sender != address and address not in people:
                continue
            at = _moment(line, now)
            folder = "Sent" if line.sender == address else conversation.folder
            raw = _build(conversation, number, now).as_bytes()
            yield Laid(folder, raw, at, seen=line.sender == address or not line.unread)


def _build(conversation: Conversation, number: int, now: datetime) -> EmailMessage:
    line = conversation.lines[number]
    message = EmailMessage(policy=SMTP)
    message["From"] = _address(line.sender)
    message["To"] = [_address(address) for address in line.to]
    if line.cc:
        message["Cc"] = [_address(address) for address in line.cc]
    message["Subject"] = conversation.subject if number == 0 else f"Re: {conversation.subject}"
    message["Date"] = format_datetime(_moment(line, now))
    message["Message-ID"] = _id(conversation, number)
    if number:
        message["In-Reply-To"] = _id(conversation, number - 1)
        message["References"] = " ".join(_id(conversation, earlier) for earlier in range(number))
    message.set_content(line.text)
    if line.html or message["Message-ID"].strip("<>") in TRACKED:  # tracked mail has an HTML part: a pixel needs one
        message.add_alternative(line.html or _as_html(line.text), subtype="html")
    for name in line.files:
        data, kind, subtype = _file(name)
        message.add_attachment(data, maintype=kind, subtype=subtype, filename=name)
    return message


def _as_html(text: str) -> str:
    paragraphs = (html.escape(each).replace("\n", "<br>") for each in text.strip().split("\n\n"))
    return "".join(f"<p>{each}</p>" for each in paragraphs)


def _moment(line: Line, now: datetime) -> datetime:
    """`ago` as "20m", or as days and a time of day such as "3d 16:12"."""
    if line.ago.endswith("m"):
        return now - timedelta(minutes=int(line.ago[:-1]))
    days, clock = line.ago.split("d ")
    hour, minute = clock.split(":")
    day = now - timedelta(days=int(days))
    return day.replace(hour=int(hour), minute=int(minute), second=7, microsecond=0)


def _address(address: str) -> Address:
    return Address(NAMES.get(address, ""), addr_spec=address)


def _id(conversation: Conversation, number: int) -> str:
    domain = conversation.lines[number].sender.partition("@")[2]
    return f"<{conversation.key}.{number}@{domain}>"


def _file(name: str) -> tuple[bytes, str, str]:
    if name.endswith(".pdf"):
        return _pdf(name.removesuffix(".pdf").replace("_", " ")), "application", "pdf"
    if name.endswith(".png"):
        return _png(), "image", "png"
    return _table(name), "text", "csv"


def _table(name: str) -> bytes:
    if "serial" in name.lower():
        rows = ["serial;certificate;date"] + [f"TW-{4100 + n};C-{880 + n};2025-0{1 + n % 9}-14" for n in range(12)]
    else:
        rows = ["week;team;probes"] + [f"{40 + n};{'north' if n % 2 else 'south'};{4 + n % 3}" for n in range(8)]
    return ("\ufeff" + "\r\n".join(rows) + "\r\n").encode()


def _pdf(title: str) -> bytes:
    """A one-page PDF with its title: small, and valid to the letter."""
    shown = title.encode("ascii", "replace").replace(b"(", b"[").replace(b")", b"]")
    stream = b"BT /F1 22 Tf 72 740 Td (" + shown + b") Tj 0 -30 Td /F1 11 Tf (Tidewater demo document) Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = b"%PDF-1.4\n"
    offsets: list[int] = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


def _png() -> bytes:
    """A small picture: a tide, blue below and light above."""
    width, height = 160, 90
    rows = b"".join(
        b"\0" + (b"\x8f\xb8\xde" if y > 40 + (x_shift % 5) else b"\xf2\xf5\xf8") * width
        for y, x_shift in ((y, y * 3) for y in range(height))
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", binascii.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
