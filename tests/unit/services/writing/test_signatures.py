"""The signature block in a draft's HTML: one, above the quote, swapped and taken out (M08); names; images."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.outbox.html import clean_html
from mailcrm.services.writing import images, names
from mailcrm.services.writing.signatures import put, signature_of, split, take_out
from tests.integration.writing.pictures import PNG

QUOTE = (
    '<p dir="auto" class="mailcrm-attribution">Mika wrote:</p>'
    '<blockquote class="mailcrm-quote"><div class="mc-signature" data-signature="9"><p>Mika</p></div></blockquote>'
)


def test_it_stands_above_the_quote_and_is_swapped_where_it_stands() -> None:
    """M08: never twice; a block inside a quote is somebody else's and is left alone."""
    once = put("<p>Hello</p>" + QUOTE, 3, "<p>Aino</p>")
    assert once == '<p>Hello</p><div class="mc-signature" data-signature="3"><p>Aino</p></div>' + QUOTE
    assert put(once, 3, "<p>Aino</p>") == once
    moved = once.replace("<p>Hello</p>", "").replace(QUOTE, "<p>PS</p>" + QUOTE)
    assert put(moved, 4, "<p>A.</p>").startswith(
        '<div class="mc-signature" data-signature="4"><p>A.</p></div><p>PS</p>'
    )
    assert (signature_of(once), signature_of(QUOTE)) == (3, None)
    assert take_out(once) == "<p>Hello</p>" + QUOTE
    assert split(once) == ("<p>Hello</p>", once.removeprefix("<p>Hello</p>"))


def test_two_blocks_become_one_and_an_empty_draft_gets_a_line_to_write_on() -> None:
    two = put("", 1, "A") + put("", 2, "<div>B</div>")
    assert put(two, 3, "C").count("mc-signature") == 1
    assert put("", 1, "A") == '<p dir="auto"><br></p><div class="mc-signature" data-signature="1">A</div>'


PARTS = st.sampled_from(
    ["<p>x</p>", "<div>", "</div>", '<div class="mc-signature" data-signature="1">', QUOTE, "<br>", "a", "<b>", "</b>"]
)


@given(st.lists(PARTS, max_size=12).map("".join))
def test_whatever_the_draft_there_is_one_signature_and_the_rest_stays(text: str) -> None:
    html = clean_html(text)
    once = put(html, 5, "<p>Aino</p>")
    assert once.count('data-signature="5"') == 1
    assert put(once, 5, "<p>Aino</p>") == once
    assert signature_of(once) == 5
    assert take_out(once).removeprefix('<p dir="auto"><br></p>') == take_out(html).removeprefix(
        '<p dir="auto"><br></p>'
    )
    assert clean_html(once) == once


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Maja Kos", ("Maja", "Kos")), ("Dr. Anna-Lena van der Berg", ("Anna-Lena", "van der Berg")),
        ("Kos, Maja", ("Maja", "Kos")), ("Maja Kos, PhD", ("Maja", "Kos")), ("Prof. Dr. Ude", ("Ude", "")),
        ("Cher", ("Cher", "")), ("山田 太郎", ("太郎", "山田")), ("山田　太郎様", ("太郎様", "山田")), ("山田太郎", ("", "")),
        ("maja@x.test", ("", "")), ("  ", ("", "")), ("12345", ("", "")), ("محمد علي", ("محمد", "علي")),
    ],
)  # fmt: skip
def test_a_first_name_is_only_told_where_it_can_be(name: str, parts: tuple[str, str]) -> None:
    assert names.parts(name) == parts


@given(st.text(max_size=60))
def test_any_name_can_be_asked(name: str) -> None:
    names.parts(name)


def _jpeg(width: int, height: int) -> bytes:
    frame = b"\xff\xc0\x00\x11\x08" + height.to_bytes(2) + width.to_bytes(2) + b"\x03" + b"\x00" * 9
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x00" * 9 + frame


def test_images_are_told_by_their_bytes() -> None:
    webp = (
        b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00"
        + (639).to_bytes(3, "little")
        + (479).to_bytes(3, "little")
    )
    assert images.kind_of(PNG) == images.Image("image/png", 1, 1)
    assert images.kind_of(_jpeg(640, 480)) == images.Image("image/jpeg", 640, 480)
    assert images.kind_of(b"GIF89a" + b"\x80\x02\xe0\x01" + b"\x00" * 20) == images.Image("image/gif", 640, 480)
    assert images.kind_of(webp) == images.Image("image/webp", 640, 480)
    for none in (b"", b"<svg/>", PNG[:20], b"\xff\xd8\xff", b"RIFF....WEBPVP8 ", b"\xff\xd8\xff\xe0\x00\x00" * 9):
        assert images.kind_of(none) is None


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=80).map(lambda tail: b"\xff\xd8\xff" + tail)))
def test_no_bytes_break_the_look_at_an_image(data: bytes) -> None:
    images.kind_of(data)
