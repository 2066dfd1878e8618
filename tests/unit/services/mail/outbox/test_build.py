"""The bytes that leave: structure, encodings, and that nothing typed or received can add a header (threats 15, 17)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcrm.services.mail.outbox import build as building
from mailcrm.services.mail.outbox.build import File, Mail, Unbuildable, assert_headers, build, references_of
from mailcrm.services.mail.outbox.mime_headers import encoded_words, parameter
from mailcrm.services.mail.parse.message import attachment_bytes, parse_message

MAIL = Mail(
    message_id="1@crm.test", at=datetime(2026, 3, 2, 12, tzinfo=UTC), sender=("Aino Laine", "aino@crm.test"),
    to=(("Mika", "mika@saimaa.test"),), subject="Hello", html="<p>Hi</p>",
)  # fmt: skip
BREAKS = [
    "\r",
    "\n",
    "\r\n",
    "\u2028",
    "\u2029",
    "\x85",
    "\x0b",
    "\x00",
    "=?utf-8?q?a=0D=0ABcc=3A_e=40e.test?=",
    "\ud800",
    "\x1b",
    "\u202e",
]


def modern(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)  # type: ignore[return-value,arg-type]


def tree(raw: bytes) -> str:
    def of(part: EmailMessage) -> str:
        if not part.is_multipart():
            return part.get_content_type()
        return f"{part.get_content_subtype()}({', '.join(of(child) for child in part.iter_parts())})"  # type: ignore[arg-type]

    return of(modern(raw))


def test_nobody_is_told_which_link_is_not_tracked() -> None:
    """The mark is between the writer and us; what somebody types that looks like it stays."""
    html = '<p>a data-track=&quot;off&quot; <a href="https://x.test/" data-track="off">l</a></p>'
    part = modern(build(replace(MAIL, html=html), keep_bcc=True)).get_body(("html",))
    assert part is not None
    assert '<a href="https://x.test/">l</a>' in part.get_content()
    assert part.get_content().count("data-track") == 1


def test_structure() -> None:
    assert tree(build(MAIL)) == "alternative(text/plain, text/html)"
    inline = File("a.png", "image/png", b"1", "x@crm.test")
    attached = File("a.pdf", "application/pdf", b"2")
    with_image = replace(MAIL, html='<img src="cid:x@crm.test">', files=(inline, attached))
    assert tree(build(with_image)) == "mixed(alternative(text/plain, related(text/html, image/png)), application/pdf)"
    unused = replace(MAIL, files=(inline,))
    assert tree(build(unused)) == "mixed(alternative(text/plain, text/html), image/png)"


def test_is_the_same_each_time() -> None:
    """A retry sends the same bytes, so that servers and people can see that it is the same message."""
    assert build(MAIL) == build(MAIL)


def test_what_is_written_is_read_back() -> None:
    mail = replace(
        MAIL,
        sender=("Лайне, Айно (CRM)", "aino@crm.test"),
        to=(("田中 太郎" * 20, "t@例え.test"), ('say "hi" \\ <x>', "b@c.test"), ("", "c@d.test")),
        cc=(("A; B", "e@f.test"),),
        subject="件名 " * 100 + "=?utf-8?q?not_decoded?=",
        html='<p dir="auto">سلام &amp; &lt;hi&gt;</p>' + "<p>" + "x" * 3000 + "</p>",
        files=(File("見積書 100% (最終).pdf" * 5, "application/pdf", bytes(range(256)) * 40),),
    )
    raw = build(mail)
    parsed = parse_message(raw)
    assert parsed.subject == mail.subject.strip()
    assert parsed.from_[0].name == "Лайне, Айно (CRM)"
    assert [a.address for a in parsed.to] == ["t@xn--r8jz45g.test", "b@c.test", "c@d.test"]
    assert parsed.to[1].name == 'say "hi" \\ <x>'
    assert parsed.to[0].name.startswith("田中 太郎田中")
    assert "سلام & <hi>" in parsed.text
    assert 'dir="rtl"' in (parsed.html or "")
    assert "x" * 3000 in parsed.text
    assert attachment_bytes(raw, 1) == bytes(range(256)) * 40
    assert modern(raw)["subject"] == mail.subject.strip()
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998


def test_long_file_names_survive_rfc_2231() -> None:
    name = "とても長い名前の見積書" * 8 + ".pdf"
    part = modern(build(replace(MAIL, files=(File(name, "application/pdf", b"1"),))))
    assert [each.get_filename() for each in part.iter_attachments()] == [name]
    assert parameter("filename", "a.pdf") == ';\r\n filename="a.pdf"'


def test_bcc_only_in_the_kept_copy() -> None:
    mail = replace(MAIL, bcc=(("", "secret@x.test"),))
    assert b"secret" not in build(mail)
    assert modern(build(mail, keep_bcc=True))["bcc"] == "secret@x.test"
    hidden = build(replace(mail, to=()))
    assert b"To: undisclosed-recipients:;\r\n" in hidden
    assert b"secret" not in hidden


def test_references_are_the_last_twenty_and_the_parent() -> None:
    """RFC 5322 3.6.4."""
    many = tuple(f"{n}@x.test" for n in range(30))
    assert references_of("p@x.test", many) == (*many[-20:], "p@x.test")
    assert references_of(None, many) == many[-20:]
    assert references_of("3@x.test", many[:4]) == (*many[:3], "3@x.test")
    hostile = ("a\r\nBcc: e@e.test", "<x@y>", "no-at", "a b@c", "x" * 600 + "@y", "=?utf-8?q?=0D=0A?=")
    assert references_of("p@x.test\r\nX: y", hostile) == ()


def test_smtputf8_only_for_a_local_part() -> None:
    assert build(replace(MAIL, to=(("", "a@例え.test"),))).isascii()
    assert "jörg@x.test".encode() in build(replace(MAIL, to=(("", "jörg@x.test"),)))


FIELDS = [
    "subject",
    "sender",
    "to",
    "cc",
    "bcc",
    "html",
    "filename",
    "content_id",
    "content_type",
    "in_reply_to",
    "references",
    "message_id",
]


def with_value(field: str, bad: str) -> Mail:
    match field:
        case "subject" | "html" | "in_reply_to" | "message_id":
            return replace(MAIL, **{field: bad})
        case "sender":
            return replace(MAIL, sender=(bad, "aino@crm.test"))
        case "to" | "cc" | "bcc":
            return replace(MAIL, **{field: ((bad, "a@b.test"),)})
        case "references":
            return replace(MAIL, references=(bad, "ok@x.test"))
        case "filename":
            return replace(MAIL, files=(File(bad, "text/plain", b"1"),))
        case "content_type":
            return replace(MAIL, files=(File("a", bad, b"1"),))
        case _:
            return replace(MAIL, files=(File("a", "text/plain", b"1", bad),))


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("each", BREAKS)
def test_no_field_can_add_a_header(field: str, each: str) -> None:
    """Every field with every break: built without the extra field, or refused; never sent with it."""
    bad = f"x{each}Bcc: evil@e.test{each}{each}<p>body</p>"
    mail = with_value(field, bad)
    try:
        raw = build(mail, keep_bcc=True)
    except Unbuildable:
        assert field in ("message_id", "content_id", "content_type")
        return
    allowed = {
        "message-id",
        "date",
        "from",
        "to",
        "cc",
        "bcc",
        "subject",
        "in-reply-to",
        "references",
        "mime-version",
        "content-type",
    }
    names = [name.lower() for name in message_from_bytes(raw)]
    assert set(names) <= allowed
    assert len(set(names)) == len(names)
    if field != "bcc":
        assert "bcc" not in names
    frame = {"content-type", "content-transfer-encoding", "content-disposition", "content-id"}
    for part in list(message_from_bytes(raw).walk())[1:]:
        assert {name.lower() for name in part} <= frame


@pytest.mark.parametrize("address", ["a@b.test\r\nBcc: e@e.test", "a b@c.test", "<a@b.test>", "a@b.test,c@d.test", ""])
@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
def test_an_address_that_is_none_is_refused(field: str, address: str) -> None:
    with pytest.raises(Unbuildable):
        build(replace(MAIL, **{field: (("", address),)}), keep_bcc=True)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_any_text_builds_a_message_with_the_same_fields(subject: str, name: str, filename: str) -> None:
    mail = replace(MAIL, subject=subject, sender=(name, "aino@crm.test"), files=(File(filename, "text/plain", b"1"),))
    raw = build(mail)
    assert list(message_from_bytes(raw).keys()) == [
        "Message-ID", "Date", "From", "To", "Subject", "MIME-Version", "Content-Type",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "broken",
    [
        lambda raw: raw.replace(b"Subject: Hello", b"Subject: Hello\r\nBcc: e@e.test"),
        lambda raw: raw.replace(b"Subject: Hello\r\n", b""),
        lambda raw: raw.replace(b"Subject: Hello", b"Subject: Hel\rlo"),
        lambda raw: raw.replace(b"Subject: Hello", b"Subject: Hel\nlo"),
        lambda raw: raw.replace(b"Subject: Hello", b"Subject: Hello\r\nno field at all"),
        lambda raw: raw.replace(b"Subject: Hello", b"Subject: Hello\x00"),
        lambda raw: raw.replace(b"Subject: Hello", b"Subject: " + b"x" * 1000),
    ],
)
def test_the_last_check_sees_what_was_not_meant(broken) -> None:  # type: ignore[no-untyped-def]
    """The guard itself: bytes that differ from what was meant are not sent."""
    raw = build(MAIL)
    names = ["Message-ID", "Date", "From", "To", "Subject"]
    assert_headers(raw, names)
    with pytest.raises(Unbuildable):
        assert_headers(broken(raw), names)


def test_encoded_words_never_cut_a_character() -> None:
    for word in encoded_words("田中😀" * 40):
        assert len(word) <= 75
    assert building.MAX_REFERENCES == 20
