"""Writes the messages of this folder: `python -m tests.corpus.make`. Each stands for a shape of real mail.

They are written by hand for mailcrm, so that tests run where the shared corpora are absent. The reason of each is its
`X-Reason` header, and what must come out of it is in `expected.json`.
"""

from __future__ import annotations

import base64
import json
import quopri
from pathlib import Path

HERE = Path(__file__).parent
HEAD = (
    b"From: Aiko Tanaka <aiko@example.jp>\r\nTo: sales@example.com\r\nDate: Tue, 05 Mar 2024 09:30:00 +0900\r\n"
    b"MIME-Version: 1.0\r\n"
)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def word(text: str, charset: str, encoding: str = "B") -> bytes:
    data = text.encode(charset)
    body = base64.b64encode(data) if encoding == "B" else quopri.encodestring(data, header=True)
    return f"=?{charset}?{encoding}?{body.decode()}?=".encode()


def single(subject: bytes, charset: str, text: str, cte: str = "8bit", kind: str = "plain", label: str = "") -> bytes:
    data = text.replace("\n", "\r\n").encode(charset)
    if cte == "base64":
        data = base64.encodebytes(data).replace(b"\n", b"\r\n")
    elif cte == "quoted-printable":
        data = quopri.encodestring(data)
    kind_line = f"Content-Type: text/{kind}; charset={label or charset}\r\nContent-Transfer-Encoding: {cte}\r\n\r\n"
    return b"Subject: " + subject + b"\r\n" + kind_line.encode() + data


def multipart(subject: bytes, kind: str, *parts: bytes, boundary: str = "b1", end: bool = True) -> bytes:
    head = b"Subject: " + subject + f'\r\nContent-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    line = b"--" + boundary.encode() + b"\r\n"
    body = b"".join(line + part + b"\r\n" for part in parts)
    return head + body + (b"--" + boundary.encode() + b"--\r\n" if end else b"")


def part(kind: str, content: bytes, *extra: str) -> bytes:
    return "\r\n".join([f"Content-Type: {kind}", *extra]).encode() + b"\r\n\r\n" + content


def encoded(kind: str, content: bytes, *extra: str) -> bytes:
    return part(kind, base64.encodebytes(content), "Content-Transfer-Encoding: base64", *extra)


PLAIN = part("text/plain; charset=utf-8", b"Hello.\r\n")
JAPANESE = "お世話になっております。\n見積書をお送りします。\n"
MESSAGES: dict[str, tuple[str, bytes, dict[str, object]]] = {
    "japanese_iso_2022_jp": (
        "The charset of Japanese mail for thirty years; 7-bit with escapes",
        single(word("見積書の件", "iso-2022-jp"), "iso-2022-jp", JAPANESE, "7bit"),
        {"subject": "見積書の件", "text": JAPANESE},
    ),
    "japanese_cp50221": (
        "Outlook writes NEC row 13 (circled digits) in ISO-2022-JP; Python has no such codec",
        b"Subject: x\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B-!F|K\\\x1b(B\r\n",
        {"subject": "x", "text": "①日本\n"},
    ),
    "japanese_shift_jis": (
        "Shift_JIS holding Microsoft's extensions (髙), so cp932 must decode it",
        single(word("髙橋様", "cp932").replace(b"cp932", b"Shift_JIS"), "cp932", "髙橋様\n", "base64", label="Shift_JIS"),
        {"subject": "髙橋様", "text": "髙橋様\n"},
    ),
    "japanese_split_word": (
        "A mailer cut a character between two encoded words",
        b"Subject: =?utf-8?B?5pel?= =?utf-8?B?5pys6A==?=\r\n =?utf-8?B?qp4=?=\r\n\r\nx\r\n",
        {"subject": "日本語", "text": "x\n"},
    ),
    "arabic_windows_1256": (
        "Right to left, one-octet charset",
        single(word("عرض سعر", "windows-1256"), "windows-1256", "السلام عليكم\n"),
        {"subject": "عرض سعر", "text": "السلام عليكم\n"},
    ),
    "hebrew_iso_8859_8_i": (
        "A charset label that Python does not know",
        single(word("הצעת מחיר", "iso-8859-8"), "iso-8859-8", "שלום\n", "quoted-printable", label="iso-8859-8-i"),
        {"subject": "הצעת מחיר", "text": "שלום\n"},
    ),
    "thai_windows_874": (
        "Another label that Python does not know",
        single(b"x", "cp874", "สวัสดี\n", "base64", label="windows-874"),
        {"text": "สวัสดี\n"},
    ),
    "german_8bit_unlabelled": (
        "8-bit header and body without a charset: Windows-1252 by guess",
        "Subject: Grüße\r\n\r\nSchöne Grüße aus Köln\r\n".encode("cp1252"),
        {"subject": "Grüße", "text": "Schöne Grüße aus Köln\n"},
    ),
    "utf8_headers": (
        "RFC 6532 headers, raw UTF-8",
        "Subject: 日本語 – grüße\r\nCc: Jörg <joerg@bücher.example>\r\n\r\nx\r\n".encode(),
        {"subject": "日本語 – grüße"},
    ),
    "unknown_charset": (
        "A charset that never existed: no exception, readable ASCII",
        b"Subject: x\r\nContent-Type: text/plain; charset=x-nonsense-9\r\n\r\nplain\r\n",
        {"text": "plain\n"},
    ),
    "newsletter_alternative": (
        "HTML newsletter: style sheet, table layout, remote image, tracking pixel",
        multipart(
            b"Spring offers",
            "alternative",
            part("text/plain; charset=utf-8", b"Spring offers\r\n"),
            part(
                "text/html; charset=utf-8",
                b"<html><head><title>T</title><style>p{color:red}</style></head><body bgcolor=#eee>"
                b'<table width="600"><tr><td><p>Spring offers</p><img src="https://img.example/a.png" alt="Shoes">'
                b'<a href="https://shop.example/?a=1&amp;b=2">Shop</a><script>alert(1)</script></td></tr></table>'
                b"</body></html>\r\n",
            ),
        ),
        {"text": "Spring offers\n", "html_has": "<table"},
    ),
    "html_only": (
        "No text part: the text is made from the HTML",
        single(b"x", "utf-8", "<p>First</p><p>Second &amp; last</p>", "8bit", "html"),
        {"text": "First\n\nSecond & last"},
    ),
    "attachment_rfc2231": (
        "File name in RFC 2231 pieces with a charset",
        multipart(
            b"x",
            "mixed",
            PLAIN,
            encoded(
                "application/pdf",
                b"%PDF-1.4",
                "Content-Disposition: attachment; filename*0*=utf-8''%E8%A6%8B%E7%A9%8D;",
                " filename*1*=%E6%9B%B8.pdf",
            ),
        ),
        {"attachments": [["見積書.pdf", "application/pdf", 8, False]]},
    ),
    "attachment_encoded_word_name": (
        "File name as an encoded word inside quotes: forbidden, and what Outlook sends",
        multipart(
            b"x", "mixed", PLAIN,
            encoded('application/zip; name="=?iso-2022-jp?B?GyRCOCtAUT1xGyhCLnppcA==?="', b"PK", "Content-Disposition: attachment"),
        ),
        {"attachments": [["見積書.zip", "application/zip", 2, False]]},
    ),
    "attachment_hostile_name": (
        "Path, control and direction override in a file name",
        multipart(
            b"x", "mixed", PLAIN,
            encoded("application/x-msdownload", b"MZ", "Content-Disposition: attachment; filename*=utf-8''..%2F..%2Fa%E2%80%AEgpj.exe%00"),
        ),
        {"attachments": [["agpj.exe", "application/x-msdownload", 2, False]]},
    ),
    "inline_cid_image": (
        "Inline image referred to by Content-ID",
        multipart(
            b"x",
            "related",
            part("text/html; charset=utf-8", b'<p>Logo <img src="cid:logo@x"></p>'),
            encoded("image/png", PNG, "Content-ID: <logo@x>", "Content-Disposition: inline; filename=logo.png"),
        ),
        {"attachments": [["logo.png", "image/png", len(PNG), True]]},
    ),
    "calendar_invitation": (
        "Invitation: text, HTML and text/calendar as alternatives",
        multipart(b"Meeting", "alternative", PLAIN, part("text/calendar; method=REQUEST; charset=utf-8", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR")),
        {"text": "Hello.\n", "attachments": [["invite.ics", "text/calendar", 30, False]]},
    ),
    "broken_boundary": (
        "The last boundary is missing: everything up to the end counts",
        multipart(b"x", "mixed", PLAIN, encoded("image/png", PNG, "Content-Disposition: attachment; filename=a.png"), end=False),
        {"text": "Hello.\n", "attachments": [["a.png", "image/png", len(PNG), False]]},
    ),
    "boundary_never_appears": (
        "multipart without any part: its body is the text",
        b'Subject: x\r\nContent-Type: multipart/mixed; boundary="never"\r\n\r\nReadable all the same.\r\n',
        {"text": "Readable all the same.\n"},
    ),
    "no_message_id": (
        "No Message-ID and no Date: both are None, nothing is invented",
        b"Subject: x\r\n\r\nx\r\n",
        {"rfc_message_id": None},
    ),
    "odd_message_ids": (
        "Identifiers without brackets, with spaces, repeated; references beyond the last twenty",
        b"Message-ID: no.brackets@x.test\r\nIn-Reply-To: Your message of <a b@x.test>\r\nReferences: "
        + b"\r\n ".join(b"<%d@x.test>" % n for n in range(30)) + b"\r\nSubject: x\r\n\r\nx\r\n",
        {"rfc_message_id": "no.brackets@x.test", "in_reply_to": "ab@x.test", "references_count": 20},
    ),
    "forward_rfc822": (
        "Forwarded as message/rfc822: a file named after its subject",
        multipart(b"Fwd", "mixed", PLAIN, part("message/rfc822", b"Subject: Inner\r\nFrom: b@x.test\r\n\r\nInner text\r\n")),
        {"text": "Hello.\n", "attachment_names": ["Inner.eml"]},
    ),
    "bounce": (
        "Delivery status notification: automatic, with its report",
        multipart(
            b"Undelivered", 'report; report-type="delivery-status"', PLAIN,
            part("message/delivery-status", b"Reporting-MTA: dns; x.test\r\n\r\nAction: failed\r\n"),
        ),
        {"text": "Hello.\n", "auto_submitted": True},
    ),
    "malformed_header": (
        "A line that is no header among the headers: the rest is body, nothing raises",
        b"Subject: x\r\nthis is no header\r\nTo: y@x.test\r\n\r\nbody\r\n",
        {"subject": "x"},
    ),
    "bad_base64": (
        "base64 with foreign octets and a missing end",
        b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVs*bG8\r\n",
        {"text": "Hello"},
    ),
    "nul_and_surrogates": (
        "NUL in header and body, and a lone surrogate in UTF-8: SQL and JSON refuse both",
        b"Subject: a\x00b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nx\x00y\xed\xa0\x80\r\n",
        {"subject": "ab"},
    ),
    "mailing_list_footer": (
        "A list added its footer as a second text part; List-Id",
        b"List-Id: Dev <dev.lists.example>\r\n" + multipart(b"x", "mixed", PLAIN, part("text/plain", b"-- \r\nlist footer\r\n")),
        {"text": "Hello.\n\n-- \nlist footer\n", "list_id": "dev.lists.example"},
    ),
    "flowed_text": (
        "format=flowed: soft line ends join, quotes keep their depth",
        b"Subject: x\r\nContent-Type: text/plain; charset=utf-8; format=flowed\r\n\r\nOne \r\nline.\r\n> a \r\n> b\r\n",
        {"text": "One line.\n> a b\n"},
    ),
    "reply_with_quote": (
        "A reply above its quote: the snippet is the new text",
        "Subject: Re: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n了解しました。\r\n\r\n2024年3月4日(月) 10:00 田中 <t@x.test>:\r\n> 古い文\r\n".encode(),
        {"snippet": "了解しました。"},
    ),
}  # fmt: skip


def build(name: str) -> bytes:
    """Return the bytes of one message."""
    reason, rest, _ = MESSAGES[name]
    own_id = (
        b"" if b"Message-ID" in rest or name == "no_message_id" else f"Message-ID: <{name}@corpus.test>\r\n".encode()
    )
    head = HEAD if name != "no_message_id" else HEAD.replace(b"Date: Tue, 05 Mar 2024 09:30:00 +0900\r\n", b"")
    return head + f"X-Reason: {reason}\r\n".encode() + own_id + rest


def main() -> None:
    """Write every message and what is expected of it."""
    for name in MESSAGES:
        (HERE / f"{name}.eml").write_bytes(build(name))
    expected = {name: values for name, (_, _, values) in MESSAGES.items()}
    (HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
