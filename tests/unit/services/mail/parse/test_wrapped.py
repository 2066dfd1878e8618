"""What Outlook and S/MIME wrap is shown as if it were not wrapped; what is hostile in there ends early (threat 20)."""

from __future__ import annotations

import base64
import datetime as dt
import struct
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcrm.services.mail.parse.cms import signed_content
from mailcrm.services.mail.parse.message import attachment_bytes, parse_message
from mailcrm.services.mail.parse.rtf import html_or_text_of_rtf, unpack
from mailcrm.services.mail.parse.tnef import SIGNATURE, read_tnef

HEAD = b"From: a@x.test\r\nTo: b@x.test\r\nSubject: wrapped\r\nMIME-Version: 1.0\r\n"


def attribute(level: int, tag: int, data: bytes) -> bytes:
    return struct.pack("<BII", level, tag, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def a_property(kind: int, name: int, value: bytes) -> bytes:
    return struct.pack("<HHII", kind, name, 1, len(value)) + value + b"\0" * (-len(value) % 4)


def tnef(*attributes: bytes) -> bytes:
    return SIGNATURE + b"\1\0" + b"".join(attributes)


def envelope(*names: str, html: bytes = b"") -> bytes:
    """A winmail.dat with these files, and an HTML body when there is one."""
    made = [attribute(1, 0x69003, struct.pack("<I", 1) + a_property(0x102, 0x1013, html))] if html else []
    for name in names:
        long_name = struct.pack("<I", 1) + a_property(0x1F, 0x3707, name.encode("utf-16-le"))
        made += [
            attribute(2, 0x69002, b"\0" * 14),
            attribute(2, 0x18010, b"SHORT~1.TXT\0"),
            attribute(2, 0x6800F, f"content of {name}".encode()),
            attribute(2, 0x69005, long_name),
        ]
    return tnef(*made)


def mail_with(content: bytes, text: bytes = b"") -> bytes:
    part = b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    body = b"--q\r\nContent-Type: text/plain\r\n\r\n" + text + b"\r\n" if text else b""
    return (
        HEAD + b"Content-Type: multipart/mixed; boundary=q\r\n\r\n" + body + b"--q\r\n" + part
        + base64.encodebytes(content) + b"\r\n--q--\r\n"
    )  # fmt: skip


def test_files_in_winmail_dat_are_files_of_the_message() -> None:
    raw = mail_with(envelope("見積書.pdf", "b.txt"), b"Please see the files.")
    message = parse_message(raw)
    assert [(a.filename, a.inline) for a in message.attachments] == [
        ("winmail.dat", True), ("見積書.pdf", False), ("b.txt", False),
    ]  # fmt: skip
    assert message.attachments[1].content_type == "application/pdf"
    assert attachment_bytes(raw, 2) == "content of 見積書.pdf".encode()
    assert message.text.strip() == "Please see the files.", "a text inside is a file, never the body"


def test_the_body_in_winmail_dat_is_shown_when_there_is_no_other() -> None:
    html = b"<p>Dear <b>Mika</b></p>"
    assert parse_message(mail_with(envelope(html=html))).html == html.decode()
    with_text = parse_message(mail_with(envelope(html=html), b"The real body"))
    assert (with_text.text.strip(), with_text.html) == ("The real body", None)


def test_what_is_no_tnef_stays_a_file() -> None:
    message = parse_message(mail_with(b"nonsense", b"hi"))
    assert [(a.filename, a.inline) for a in message.attachments] == [("winmail.dat", False)]


def test_shared_tnef_files(corpora: Path) -> None:
    """Eighteen of another project's cases: none raises, those with files and bodies have them."""
    found = {p.stem: read_tnef(p.read_bytes()) for p in (corpora / "extra" / "tnef_teamwork").rglob("*.tnef")}
    assert len(found) == 18
    names = {stem: [file.name for file in made.files] for stem, made in found.items() if made}
    assert names["two-files"] == ["AUTHORS", "README"]
    assert names["long-filename"] == ["allproductsmar2000.dat"]
    assert names["panic"] == ["image001.jpg", "image002.jpg", "image003.png"]
    assert [len(file.content) for file in found["attachments"].files] == [2937, 85805]  # type: ignore[union-attr]
    assert "aafgag" in found["rtf"].text  # type: ignore[union-attr]
    assert (found["body"].html or "").startswith("<!DOCTYPE HTML")  # type: ignore[union-attr]


def test_rtf_gives_back_the_html_that_outlook_put_into_it() -> None:
    rtf = (
        rb"{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0 Arial;}}{\*\htmltag64 <p>}"
        rb"\htmlrtf {\htmlrtf0 Gr\'fc\'dfe \u12371?\u12435?{\*\htmltag72 </p>}\htmlrtf }\htmlrtf0 }"
    )
    packed = struct.pack("<II4sI", len(rtf) + 12, len(rtf), b"MELA", 0) + rtf
    assert html_or_text_of_rtf(packed) == ("<p>Grüße こん</p>", "")
    plain = rb"{\rtf1\ansi {\*\generator x;}One\par two\tab three}"
    assert html_or_text_of_rtf(b"\0" * 8 + b"MELA" + b"\0" * 4 + plain) == (None, "One\ntwo\tthree")


def test_packed_rtf_can_not_grow_without_end() -> None:
    """Two octets stand for seventeen, and the size it claims is four gigabytes."""
    bomb = struct.pack("<II4sI", 0xFFFFFFFF, 0xFFFFFFFF, b"LZFu", 0) + (b"\xff" + b"\x00\x0f" * 8) * 100_000
    assert len(unpack(bomb)) <= 8 * 1024 * 1024


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_tnef_raises(noise: bytes, cut: int) -> None:
    whole = envelope("a.txt", html=b"<p>")
    read_tnef(whole[:cut] + noise + whole[cut:])
    read_tnef(SIGNATURE + noise)
    html_or_text_of_rtf(noise)
    html_or_text_of_rtf(b"\0" * 8 + b"LZFu" + noise)
    html_or_text_of_rtf(b"\0" * 8 + b"MELA" + b"{\\rtf1\\fromhtml1" + noise)


def signed(content: bytes) -> bytes:
    """An opaque S/MIME signature over `content` (DER)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Mika")])
    day = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + dt.timedelta(days=900))
    certificate = builder.sign(key, hashes.SHA256())
    made = PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, hashes.SHA256())
    return made.sign(Encoding.DER, [PKCS7Options.Binary])


def opaque(der: bytes) -> bytes:
    kind = b'Content-Type: application/pkcs7-mime; smime-type=signed-data; name="smime.p7m"\r\n'
    return HEAD + kind + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(der)


def test_an_opaque_signature_shows_what_it_signs() -> None:
    inner = (
        b'Content-Type: multipart/mixed; boundary="i"\r\n\r\n--i\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n'
        b"Gr\xc3\xbc\xc3\x9fe\r\n--i\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\npdf\r\n--i--\r\n"
    )
    message = parse_message(opaque(signed(inner)))
    assert message.text.strip() == "Grüße"
    assert message.subject == "wrapped"
    assert [(a.filename, a.inline) for a in message.attachments] == [("a.pdf", False), ("smime.p7m", True)]


def test_signatures_around_signatures_end() -> None:
    raw = opaque(b"")
    for _ in range(6):
        raw = opaque(signed(raw))
    assert len(parse_message(raw).attachments) <= 5


def test_what_is_encrypted_stays_a_file() -> None:
    data = bytes.fromhex("30800609 2a864886f70d010703 a080 0000 0000".replace(" ", ""))
    assert signed_content(data) is None
    message = parse_message(opaque(data))
    assert (message.text, [(a.filename, a.inline) for a in message.attachments]) == ("", [("smime.p7m", False)])


def test_a_signature_beside_the_text_is_no_mystery_file() -> None:
    for kind, name in ((b"application/pkcs7-signature", "smime.p7s"), (b"application/pgp-signature", "signature.asc")):
        raw = (
            HEAD + b'Content-Type: multipart/signed; protocol="' + kind + b'"; boundary=s\r\n\r\n--s\r\n\r\nhello\r\n--s\r\n'
            b"Content-Type: " + kind + b"; name=" + name.encode() + b"\r\n\r\nxx\r\n--s--\r\n"
        )  # fmt: skip
        message = parse_message(raw)
        assert message.text.strip() == "hello"
        assert [(a.filename, a.inline) for a in message.attachments] == [(name, True)]


@pytest.mark.parametrize("levels", [100, 50_000])
def test_nested_ber_ends(levels: int) -> None:
    assert signed_content(b"\x30\x80" * levels) is None
    assert signed_content(b"\x24\x80" * levels) is None


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100), st.integers(0, 300))
def test_no_signature_raises(noise: bytes, cut: int) -> None:
    whole = WHOLE[:cut] + noise + WHOLE[cut:]
    signed_content(whole)
    signed_content(noise)


WHOLE = signed(b"Content-Type: text/plain\r\n\r\nx")
