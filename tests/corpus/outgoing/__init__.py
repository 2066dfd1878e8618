"""Golden outgoing messages: what is meant (`MAILS`) and, beside it, the bytes that `build` makes of it (`*.eml`).

A changed byte is a decision: `python -m tests.corpus.outgoing` writes the files anew, and the difference is read before
it is committed. tests/unit/services/mail/outbox/test_golden.py reads them with parsers that know nothing of build.py.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

from mailcrm.services.mail.outbox.build import File, Mail

FOLDER = Path(__file__).parent
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ME = ("Aino Laine", "aino@crm.test")
MIKA = ("Mika Aaltonen", "mika@saimaa.test")

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
EVERY_BYTE = bytes(range(256)) * 5
PDF = "application/pdf"


def _mail(n: int, *, html: str = "<p>Hello</p>", **values: object) -> Mail:
    fields: dict[str, object] = {"sender": ME, "to": (MIKA,), "subject": "Certificates"} | values
    return Mail(message_id=f"golden{n:02}@crm.test", at=AT, html=html, **fields)  # type: ignore[arg-type]


def _image(cid: str) -> str:
    return f'<p>See <img src="cid:{cid}" alt="a dot" width="40"> here.</p>'


_DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()
_LONG = "A very long subject that goes on and on about calibration certificates of pumps and valves " * 4
_QUOTE = (
    '<p dir="auto">Thanks.</p><p dir="auto" class="mailcrm-attribution">On 1 March, Mika wrote:</p>'
    '<blockquote class="mailcrm-quote"><p>Could you send them?</p></blockquote>'
)
_TABLE = "<table><tbody><tr><th>Pump</th><th>Price</th></tr><tr><td>A-1</td><td>€ 1 200</td></tr></tbody></table>"

MAILS: dict[str, Mail] = {
    "plain_text_mode": _mail(1, plain=True, html="<p>Hello Mika,</p><p>here they are.</p>"),
    "plain_text_long_lines": _mail(2, plain=True, html=f"<p>{'a line that is far too long for one line ' * 12}</p>"),
    "plain_text_japanese": _mail(3, plain=True, subject="校正証明書の件", html="<p>田中様</p><p>お世話になっております。</p>"),
    "plain_text_with_file": _mail(4, plain=True, files=(File("report.pdf", PDF, b"%PDF-1.4"),)),
    "plain_text_stuffing": _mail(5, plain=True, html="<p>From here</p><p>&gt; quoted</p><p>.dot</p><p>-- </p>"),
    "html_simple": _mail(6),
    "html_formatted": _mail(7, html='<p><strong>Bold</strong>, <em>italic</em>, <a href="https://crm.test/?a=1&amp;b=2">link</a></p>'),
    "html_table": _mail(8, html=_TABLE),
    "html_lists": _mail(9, html="<ul><li>one</li><li>two</li></ul><ol><li>first</li></ol>"),
    "html_quote": _mail(10, html=_QUOTE, in_reply_to="a@saimaa.test", references=("r@saimaa.test", "a@saimaa.test")),
    "html_one_long_line": _mail(11, html=f"<p>{'word ' * 2000}</p>"),
    "html_one_long_word": _mail(12, html=f"<p>{'x' * 5000}</p>"),
    "html_dots_and_equals": _mail(13, html="<p>.</p><p>..</p><p>=3D=</p><p>a&nbsp;b</p><p>trailing </p>"),
    "html_emoji": _mail(14, subject="🎉 Party 👩‍👩‍👧‍👦", html="<p>🎉 👩‍👩‍👧‍👦 ok</p>"),
    "inline_image": _mail(15, html=_image("dot@crm.test"), files=(File("dot.png", "image/png", PNG, "dot@crm.test"),)),
    "inline_two_images": _mail(
        16,
        html=_image("one@crm.test") + _image("two@crm.test"),
        files=(File("1.png", "image/png", PNG, "one@crm.test"), File("2.gif", "image/gif", GIF, "two@crm.test")),
    ),
    "inline_pasted_image": _mail(17, html=f'<p><img src="{_DATA}" alt="pasted"></p>'),
    "inline_image_and_file": _mail(
        18,
        html=_image("dot@crm.test"),
        files=(File("dot.png", "image/png", PNG, "dot@crm.test"), File("report.pdf", PDF, b"%PDF-1.4 report")),
    ),
    "file_every_byte": _mail(19, files=(File("all.bin", "application/octet-stream", EVERY_BYTE),)),
    "file_empty": _mail(20, files=(File("empty.txt", "text/plain", b""),)),
    "file_japanese_name": _mail(21, files=(File("2026年度_校正証明書（最終版）.pdf", PDF, b"%PDF-1.4"),)),
    "file_arabic_name": _mail(22, files=(File("شهادة المعايرة.pdf", PDF, b"%PDF-1.4"),)),
    "file_emoji_name": _mail(23, files=(File("🎉 party 👩‍👩‍👧‍👦.png", "image/png", PNG),)),
    "file_long_name": _mail(24, files=(File("証明書" * 40 + ".pdf", PDF, b"%PDF-1.4"),)),
    "file_odd_names": _mail(
        25,
        files=(
            File('quo"te\\back.txt', "text/plain", b"a"),
            File("semi;colon=eq%20.txt", "text/plain", b"b"),
            File("a" * 200 + ".txt", "text/plain", b"c"),
            File("mail.eml", "application/octet-stream", b"Subject: inner\r\n\r\nhi\r\n"),
        ),
    ),
    "subject_long": _mail(26, subject=_LONG.strip()),
    "subject_long_japanese": _mail(27, subject="校正証明書のご送付について、" * 12),
    "rtl_mixed": _mail(
        28,
        subject="שלום Mika: تعليمات",
        html='<p dir="auto">שלום לכולם, version 2</p><p dir="auto">مرحبا بالعالم</p><p dir="auto">English again</p>',
    ),
    "people_of_all_kinds": _mail(
        29,
        sender=("Laine, Aino (Sales)", "aino@crm.test"),
        to=(("田中 太郎", "tanaka@xn--fsq.test"), ('O"Brien, Pat', "pat@x.test"), ("", "bare@x.test")),
        cc=tuple((f"Ünïcødé Näme {n}", f"person{n}@bücher.test") for n in range(12)),
        bcc=(("Secret", "secret@x.test"),),
        subject="=?utf-8?B?bm90IGFuIGVuY29kZWQgd29yZA==?=",
    ),
    "everything_at_once": _mail(
        30,
        subject="見積書 ✅ عرض سعر",
        html=_QUOTE + _TABLE + _image("dot@crm.test") + f'<p><img src="{_DATA}"></p>',
        files=(
            File("dot.png", "image/png", PNG, "dot@crm.test"),
            File("見積書.pdf", PDF, b"%PDF-1.4"),
            File("عرض.csv", "text/csv", "a;ب\r\n".encode()),
        ),
        bcc=(("", "hidden@x.test"),),
    ),
}  # fmt: skip


def path_of(name: str) -> Path:
    """Return the file of a golden message."""
    return FOLDER / f"{name}.eml"
