"""Messages that try to exhaust a reader, made on demand: each has a name and its bytes (threat 20)."""

from __future__ import annotations

from collections.abc import Callable

HEAD = b"From: a@example.org\r\nTo: b@example.com\r\nMessage-ID: <bomb@x.test>\r\nMIME-Version: 1.0\r\n"


def _nested_multipart(levels: int) -> bytes:
    opened = [b'Content-Type: multipart/mixed; boundary="n%d"\r\n\r\n--n%d\r\n' % (i, i) for i in range(levels)]
    return HEAD + b"".join(opened) + b"Content-Type: text/plain\r\n\r\nhi\r\n"


def _nested_messages(levels: int) -> bytes:
    return HEAD + b"Content-Type: message/rfc822\r\n\r\n" * levels + b"Subject: x\r\n\r\nhi\r\n"


def _text(content: bytes, kind: str = "plain", head: bytes = b"") -> bytes:
    return HEAD + head + f"Content-Type: text/{kind}; charset=utf-8\r\n\r\n".encode() + content


def _many_parts(count: int) -> bytes:
    return HEAD + b"Content-Type: multipart/mixed; boundary=q\r\n\r\n" + b"--q\r\n\r\nx\r\n" * count


def _header(name: bytes, value: bytes) -> bytes:
    return HEAD + name + b": " + value + b"\r\n\r\nx\r\n"


BOMBS: dict[str, Callable[[], bytes]] = {
    "multipart_100": lambda: _nested_multipart(100),
    "multipart_10k": lambda: _nested_multipart(10_000),
    "messages_100": lambda: _nested_messages(100),
    "messages_10k": lambda: _nested_messages(10_000),
    "parts_100k": lambda: _many_parts(100_000),
    "parts_broken_100k": lambda: _many_parts(100_000) + b"--q\r\nContent-Transfer-Encoding: base64\r\n\r\n*\r\n",
    "fields_50k": lambda: HEAD + b"".join(b"X-%d: v\r\n" % i for i in range(50_000)) + b"\r\nx",
    "subject_5mb": lambda: _header(b"Subject", b"a" * 5_000_000),
    "subject_200k": lambda: _header(b"Subject", b"a" * 200_000),
    "words_8k": lambda: _header(b"Subject", b" ".join([b"=?utf-8?B?44GC?="] * 8_000)),
    "words_open": lambda: _header(b"Subject", b"=?a?q?" * 30_000),
    "addresses_8k": lambda: _header(b"Cc", b", ".join(b'"U %d" <u%d@x.test>' % (i, i) for i in range(8_000))),
    "address_dots": lambda: _header(b"Cc", b"a . " * 60_000),
    "address_open_angles": lambda: _header(b"Cc", b"<" * 200_000),
    "comments_nested": lambda: _header(b"Reply-To", b"(" * 60_000 + b")" * 60_000 + b" a@b.c"),
    "references_10k": lambda: _header(b"References", b" ".join(b"<%d@x>" % i for i in range(10_000))),
    "references_open": lambda: _header(b"References", b"<" * 200_000),
    "parameters_10k": lambda: _header(b"Content-Type", b"text/plain" + b"".join(b"; a%d=b" % i for i in range(10_000))),
    "pieces_10k": lambda: _header(
        b"Content-Disposition", b"attachment" + b"".join(b"; filename*%d*=%%41" % i for i in range(9_000))
    ),
    "date_comments": lambda: _header(b"Date", b"(" * 200_000),
    "text_on": lambda: _text(b"On " * 70_000),
    "text_quotes": lambda: _text(b"> a\n" * 100_000),
    "text_newlines": lambda: _text(b"\n" * 1_000_000),
    "text_urls": lambda: _text(b"http://" * 100_000),
    "text_flowed": lambda: HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"> a \r\n" * 100_000,
    "qp_soft_5mb": lambda: HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\r\n" * 1_500_000,
    "qp_blanks": lambda: HEAD + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b" " * 3_000_000,
    "uu_endless": lambda: HEAD + b"Content-Transfer-Encoding: uuencode\r\n\r\nbegin 644 x\r\n" + b"#86)C\r\n" * 200_000,
    "html_div": lambda: _text(b"<div>" * 100_000, "html"),
    "html_b_p": lambda: _text(b"<b><p>" * 16_000, "html"),
    "html_dl": lambda: _text(b"<dl><dd>" * 12_500, "html"),
    "html_p": lambda: _text(b"<p>" * 300_000, "html"),
    "html_li": lambda: _text(b"<li>" * 100_000, "html"),
    "html_attributes": lambda: _text(b"<p " + b" ".join(b"a%d=1" % i for i in range(20_000)) + b">", "html"),
    "html_foster": lambda: _text(b"<table>" + b"x<b>" * 25_000, "html"),
    "html_open_tags": lambda: _text(b"<a " * 300_000, "html"),
    "html_open_quotes": lambda: _text(b'<a b="' * 200_000, "html"),
    "html_comments": lambda: _text(b"<!--" * 300_000, "html"),
    "html_style_parens": lambda: _text(b'<p style="color:' + b"(" * 5_000 + b'">x</p>', "html"),
    "html_10mb": lambda: _text(b"<p>" + b"lorem ipsum " * 900_000, "html"),
    "html_entities": lambda: _text(b"&amp;" * 300_000, "html"),
}
