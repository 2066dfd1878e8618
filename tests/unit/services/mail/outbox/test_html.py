"""The composer's HTML: what stays, what goes, its text, and the direction of each paragraph (M05)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.outbox.direction import direction_of, with_directions
from mailcrm.services.mail.outbox.html import clean_html, is_empty, paragraphs, text_of


@pytest.mark.parametrize(
    "kept",
    [
        '<p dir="rtl">שלום</p>', "<p>a&nbsp;&amp; &lt;b&gt;</p>", '<a href="https://x.test/?a=1&amp;b=2" title="t">l</a>',
        "<ul><li>a</li></ul>", '<img src="cid:x@y" alt="">', '<blockquote class="mailcrm-quote"><p>q</p></blockquote>',
        '<span style="color: #123456; font-weight: bold">x</span>', '<a href="mailto:a@b.test">m</a>', "<p><br></p>",
        '<img src="data:image/png;base64,AAAA" width="10">', '<a href="https://x.test/" data-track="off">l</a>',
    ],
)  # fmt: skip
def test_keeps(kept: str) -> None:
    assert clean_html(kept) == kept


@pytest.mark.parametrize(
    ("given_html", "left"),
    [
        ("<script>x</script><style>y</style>a", "a"),
        ('<p onclick="x" id="i" class="navbar">a</p>', "<p>a</p>"),
        ('<a href="javascript:alert(1)">a</a>', "<a>a</a>"),
        ('<a href="java\nscript:alert(1)">a</a>', "<a>a</a>"),
        ('<a href="/admin/delete">a</a>', "<a>a</a>"),
        ('<iframe src="https://x.test"></iframe><object></object><svg onload=x><a href=y>z</a></svg>a', "a"),
        ('<p style="background:url(https://x.test/)">a</p>', "<p>a</p>"),
        ('<p style="color:red;position:fixed;width:expression(1)">a</p>', '<p style="color: red">a</p>'),
        ('<img src="javascript:1"><img src="data:text/html,x"><img src="data:image/svg+xml;base64,AA=="><img>', ""),
        ('<blockquote class="mailcrm-quote x"><img src="https://t.test/p.gif">a</blockquote>', '<blockquote class="mailcrm-quote">a</blockquote>'),
        ('<p data-track="off">a <a href="https://x.test/" data-track="on">l</a></p>', '<p>a <a href="https://x.test/">l</a></p>'),
        ("<form action=x><input name=y><button>b</button>a</form>", "a"),
        ("a<!-- c --><![CDATA[x]]>", "a"),
    ],
)  # fmt: skip
def test_drops(given_html: str, left: str) -> None:
    assert clean_html(given_html) == left


@given(st.text(alphabet="<>/ab\"'=& ;:pdivstylehref!-", max_size=300))
def test_is_the_same_when_cleaned_again(text: str) -> None:
    once = clean_html(text)
    assert clean_html(once) == once


@pytest.mark.parametrize(
    "unit", ["<div>", "<b><p>", "<a href='x'>", "<blockquote>", '<p style="', "<table><tr><td>", "&#x", "<!--"]
)
def test_hostile_markup_costs_little(unit: str) -> None:
    """A paste can't stop the server: 100,000 nested <div> took the parser 15 s before the cap."""
    import time

    begin = time.process_time()
    text_of(clean_html(unit * (1_000_000 // len(unit))))
    assert time.process_time() - begin < 8  # far above what it takes, far below what it took


def test_text_of_blocks_links_quotes_and_lists() -> None:
    html = (
        '<p>Hi&nbsp;<b>you</b></p><p>See <a href="https://x.test/a">this</a> or <a href="https://x.test">https://x.test/</a></p>'
        "<ul><li>one</li><li>two</li></ul>"
        '<p class="mailcrm-attribution">On …:</p><blockquote class="mailcrm-quote"><p>old</p><blockquote><p>older</p></blockquote></blockquote>'
    )
    assert text_of(html) == (
        "Hi you\nSee this <https://x.test/a> or https://x.test/\n- one\n- two\nOn …:\n> old\n> > older\n"
    )


def test_plain_text_becomes_paragraphs() -> None:
    assert paragraphs("a<b\n\nc") == '<p dir="auto">a&lt;b</p><p dir="auto"><br></p><p dir="auto">c</p>'
    assert is_empty("<p><br></p>")
    assert not is_empty("<p>a</p>")
    assert not is_empty('<img src="cid:1">')


def test_each_paragraph_gets_its_own_direction() -> None:
    """M05: Persian, Urdu, Hebrew, Arabic by the first strong letter; a chosen direction stays."""
    html = (
        '<p dir="auto">سلام world</p><p dir="auto">Hello سلام</p><p>123 שלום</p><p dir="ltr">שלום</p>'
        '<p dir="auto">123</p><div>a<p>اردو</p></div>'
    )
    assert with_directions(html) == (
        '<p dir="rtl">سلام world</p><p dir="ltr">Hello سلام</p><p dir="rtl">123 שלום</p><p dir="ltr">שלום</p>'
        '<p>123</p><div>a<p dir="rtl">اردو</p></div>'
    )
    assert (direction_of(""), direction_of("1 - 田中")) == ("", "ltr")
