"""Makes the benchmark's mailbox: seeded, so that every run syncs the same bytes (sync.md B1).

60 % small texts of 2 to 5 KB, 35 % text and HTML of 22 to 30 KB, 5 % with an attachment of 100 KB; 40 % Japanese, half
of that ISO-2022-JP; threads of up to eight, Received and DKIM headers. About 22 KB a message on the wire.
"""

from __future__ import annotations

import base64
import quopri
import random
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime, formataddr

_ENGLISH = [
    "proposal",
    "invoice",
    "meeting",
    "customer",
    "pipeline",
    "contract",
    "price",
    "shipping",
    "schedule",
    "budget",
    "review",
    "team",
    "project",
    "delivery",
    "support",
    "renewal",
    "discount",
    "account",
    "manager",
    "call",
    "next",
    "week",
    "please",
    "regards",
    "thank",
    "you",
    "update",
    "status",
    "open",
    "approval",
    "quarter",
    "sample",
    "quote",
    "warehouse",
    "pallet",
    "partner",
    "forecast",
    "visit",
    "agenda",
    "notes",
    "attached",
    "kindly",
    "confirm",
    "tomorrow",
]
_JAPANESE = [
    "お世話になっております",
    "株式会社",
    "営業部",
    "見積書",
    "添付",
    "ご確認ください",
    "よろしくお願いいたします",
    "打ち合わせ",
    "日程",
    "契約",
    "請求書",
    "納期",
    "商品",
    "お客様",
    "担当",
    "変更",
    "ご連絡",
    "至急",
    "対応",
    "導入",
    "来週",
    "会議",
    "資料",
    "送付",
    "完了",
    "承認",
    "価格",
    "割引",
    "東京",
    "大阪",
    "名古屋",
    "倉庫",
    "出荷",
]
_PEOPLE = [(f"Person {n}", f"person{n}@{host}") for n in range(400) for host in ("acme.example", "kaisha.example.jp")]
_BEGIN = datetime(2022, 1, 1, tzinfo=UTC)
_YEARS = timedelta(days=3 * 365)


class _Writer:
    def __init__(self, seed: int, count: int) -> None:
        self.random = random.Random(seed)  # the same mail each time is the purpose
        self.count = count
        self.threads: list[tuple[str, list[str]]] = []

    def words(self, japanese: bool, n: int) -> str:
        return ("" if japanese else " ").join(self.random.choices(_JAPANESE if japanese else _ENGLISH, k=n))

    def paragraphs(self, japanese: bool, octets: int) -> str:
        lines: list[str] = []
        while octets > 0:
            line = self.words(japanese, self.random.randint(8, 16)) + ("。" if japanese else ".")
            lines.append(line)
            octets -= len(line.encode())
        return "\n".join(lines)

    def html(self, japanese: bool, octets: int) -> str:
        rows: list[str] = []
        while octets > 0:
            n = self.random.randrange(10**6)
            row = (
                f'<tr><td style="font-family:Arial,sans-serif;font-size:14px;color:#333;padding:8px 16px" valign="top">'
                f'<a href="https://click.example.com/{n:x}?u={n * 7:x}" style="color:#06c">{self.words(japanese, 5)}</a> '
                f"<b>{self.words(japanese, 3)}</b><br><span>{self.words(japanese, 14)}</span>"
                f'<img src="https://img.example.com/{n}.png" width="120" height="60" alt=""></td></tr>\n'
            )
            rows.append(row)
            octets -= len(row.encode())
        return (
            "<!DOCTYPE html><html><head><style>.a{color:#333}</style></head><body><table>"
            + "".join(rows)
            + "</table></body></html>"
        )

    def part(self, kind: str, text: str, japanese: bool, iso: bool) -> bytes:
        if iso and kind == "plain":
            head = b"Content-Type: text/plain; charset=iso-2022-jp\nContent-Transfer-Encoding: 7bit\n\n"
            return head + text.encode("iso-2022-jp", "replace") + b"\n"
        head = f"Content-Type: text/{kind}; charset=utf-8\nContent-Transfer-Encoding: "
        if japanese:
            return f"{head}base64\n\n".encode() + base64.encodebytes(text.encode())
        return f"{head}quoted-printable\n\n".encode() + quopri.encodestring(text.encode()) + b"\n"

    def headers(self, n: int, when: datetime, japanese: bool, charset: str) -> list[str]:
        r = self.random
        own = f"<{n:06d}.{r.getrandbits(48):x}@mx{r.randint(1, 5)}.example.com>"
        stamp = format_datetime(when)
        out = [f"Return-Path: <{r.choice(_PEOPLE)[1]}>"]
        out += [
            f"Received: from mail{hop}.example.com (mail{hop}.example.com [192.0.2.{r.randint(1, 250)}])\n\t"
            f"by mx.example.net (Postfix) with ESMTPS id {r.getrandbits(40):X}\n\tfor <me@example.net>; {stamp}"
            for hop in range(r.randint(2, 4))
        ]
        signature = "\n\t ".join(textwrap.wrap(base64.b64encode(r.randbytes(256)).decode(), 72))
        out.append(f"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s1;\n\th=from:subject;\n\tb={signature}")
        if self.threads and r.random() < 0.55:
            subject, chain = r.choice(self.threads[-300:])
            subject = f"Re: {subject}"
            out += [f"In-Reply-To: {chain[-1]}", "References: " + "\n ".join(chain)]
            if len(chain) < 8:
                chain.append(own)
        else:
            subject = self.words(japanese, 4 if japanese else 6)
            self.threads.append((subject, [own]))
        name, address = r.choice(_PEOPLE)
        out += [
            "Subject: "
            + (Header(subject, charset, header_name="Subject").encode() if not subject.isascii() else subject),
            "From: " + formataddr(("山田 太郎" if japanese else name, address)),
            "To: Me <me@example.net>",
            f"Date: {stamp}",
            f"Message-ID: {own}",
            "MIME-Version: 1.0",
        ]
        return out

    def message(self, n: int) -> tuple[bytes, datetime, list[str]]:
        r = self.random
        japanese = r.random() < 0.4
        iso = japanese and r.random() < 0.5
        when = _BEGIN + _YEARS * (n / self.count) + timedelta(seconds=r.randint(0, 3600))
        head = "\n".join(self.headers(n, when, japanese, "iso-2022-jp" if iso else "utf-8")).encode() + b"\n"
        kind, boundary = r.random(), f"b{n:06d}{r.getrandbits(32):x}"
        if kind < 0.60:
            body = self.part("plain", self.paragraphs(japanese, r.randint(1000, 3000)), japanese, iso)
        elif kind < 0.95:
            body = (
                f'Content-Type: multipart/alternative; boundary="{boundary}"\n\n--{boundary}\n'.encode()
                + self.part("plain", self.paragraphs(japanese, 1500), japanese, iso)
                + f"\n--{boundary}\n".encode()
                + self.part("html", self.html(japanese, 22_000 if japanese else 30_000), japanese, iso)
                + f"\n--{boundary}--\n".encode()
            )
        else:
            name = "filename*=UTF-8''%E8%A6%8B%E7%A9%8D%E6%9B%B8.pdf" if japanese else f'filename="report{n}.pdf"'
            body = (
                f'Content-Type: multipart/mixed; boundary="{boundary}"\n\n--{boundary}\n'.encode()
                + self.part("plain", self.paragraphs(japanese, 1500), japanese, iso)
                + f"\n--{boundary}\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n".encode()
                + f"Content-Disposition: attachment; {name}\n\n".encode()
                + base64.encodebytes(r.randbytes(100_000))
                + f"\n--{boundary}--\n".encode()
            )
        return head + body, when, ["\\Seen"] if r.random() < 0.8 else []


def messages(count: int, seed: int = 20240607) -> Iterator[tuple[bytes, datetime, list[str]]]:
    """Yield `count` messages, oldest first: bytes with LF, INTERNALDATE, flags."""
    writer = _Writer(seed, count)
    for n in range(count):
        yield writer.message(n)


def small(count: int) -> Iterator[tuple[bytes, datetime, list[str]]]:
    """Yield `count` messages of about 1 KB, each with its own text, cheap to make."""
    lines = "\n".join(f"Line {n}: please confirm the delivery of the pallets and the invoice." for n in range(10))
    for n in range(count):
        when = _BEGIN + _YEARS * (n / count)
        name, address = _PEOPLE[n % len(_PEOPLE)]
        parent = f"In-Reply-To: <{n - 1}@small.example>\nReferences: <{n - 1}@small.example>\n" if n % 4 else ""
        raw = (
            f"Message-ID: <{n}@small.example>\n{parent}From: {name} <{address}>\nTo: me@example.net\n"
            f"Subject: Delivery {n // 4}\nDate: {format_datetime(when)}\n\nHello, this is number {n}.\n{lines}\n"
        )
        yield raw.encode(), when, ["\\Seen"]


def large(octets: int) -> Iterator[tuple[bytes, datetime, list[str]]]:
    """Yield one message with an attachment, of about `octets` on the wire."""
    content = base64.encodebytes(random.Random(1).randbytes(octets * 56 // 78)).rstrip(b"\n")
    head = (
        b"Message-ID: <large@bench.example>\nFrom: a@example.com\nTo: me@example.net\nSubject: A film\n"
        b"Date: Mon, 01 Jan 2024 10:00:00 +0000\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
        b"--b\nContent-Type: text/plain\n\nHere it is.\n--b\nContent-Type: video/mp4\n"
        b'Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="film.mp4"\n\n'
    )
    yield head + content + b"\n--b--\n", _BEGIN, []
