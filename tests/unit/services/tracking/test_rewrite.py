"""What tracking does to a document, and everything that it leaves alone (T01)."""

from __future__ import annotations

import html
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.tracking.rewrite import rewrite


def go(document: str, pixel: str | None = None) -> tuple[str, list[str]]:
    made = rewrite(document, pixel=pixel, link=lambda n: f"https://t.test/{n}")
    return made.html, [link.url for link in made.links]


@pytest.mark.parametrize(
    "left_alone",
    [
        '<a href="mailto:a@b.test">m</a>', '<a href="tel:+123">t</a>', '<a href="#top">anchor</a>', '<a name="x">n</a>',
        '<a href="https://x.test/unsubscribe?u=1">bye</a>', '<a href="https://x.test/l">Unsubscribe here</a>',
        '<a href="https://x.test/l">配信停止</a>', '<a href="HTTPS://x.test/opt-out">o</a>', '<a href="ftp://x.test/">f</a>',
        '<a href="javascript:1">j</a>', '<a href="https://">empty</a>', '<a href="cid:1">c</a>', '<a href="">e</a>',
        '<img src="https://x.test/a.png">', "<p>https://x.test/ as text</p>", "a < b <a", '<!-- <a href="https://x.test/"> -->',
        '<style>a[href="https://x.test/"]{}</style>', '<a href="https://x.test/',
        ('<blockquote class="mailcrm-quote"><blockquote><a href="https://x.test/">q</a></blockquote>'
        '<a href="https://y.test/">q</a></blockquote>'),
        '<blockquote type="cite"><a href="https://x.test/">q</a></blockquote>',
    ],
)  # fmt: skip
def test_leaves_alone(left_alone: str) -> None:
    assert go(left_alone) == (left_alone, [])


def test_replaces_destinations_and_nothing_else() -> None:
    before = (
        '<p title="a &amp; b">x&nbsp;&lt;&#233; <a class="c" href="https://x.test/?a=1&amp;b=%20c#d" title="&quot;">l</a> '
        "<A HREF='http://y.test/' target=_blank>two</A> <a href=https://z.test/p rel=x>three</a></p>"
        '<blockquote><a href="https://own.test/">in a quotation of the writer’s own</a></blockquote>'
    )
    after, links = go(before)
    assert links == ["https://x.test/?a=1&b=%20c#d", "http://y.test/", "https://z.test/p", "https://own.test/"]
    assert after == (
        before.replace('"https://x.test/?a=1&amp;b=%20c#d"', '"https://t.test/1"')
        .replace("'http://y.test/'", '"https://t.test/2"')
        .replace("https://z.test/p", '"https://t.test/3"')
        .replace('"https://own.test/"', '"https://t.test/4"')
    )


def test_links_after_a_quote_are_new_text_again() -> None:
    quote = '<blockquote class="mailcrm-quote"><a href="https://q.test/">q</a></blockquote>'
    assert go(f'{quote}<a href="https://n.test/">n</a>')[1] == ["https://n.test/"]


def test_the_same_link_twice_has_two_positions_and_texts() -> None:
    made = rewrite(
        '<a href="https://x.test/"><b>first</b>  one</a><a href="https://x.test/">second</a>',
        pixel=None,
        link=lambda n: f"https://t.test/{n}",
    )
    assert [(link.position, link.url, link.text) for link in made.links] == [
        (1, "https://x.test/", "first one"), (2, "https://x.test/", "second"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "document", ["<html><body><p>a</p></body></html>", "<p>a</p>", "", "<p>body</body> said</p></body>"]
)
def test_pixel_stands_once_before_the_end_of_the_body(document: str) -> None:
    made = rewrite(document, pixel='https://t.test/"o', link=None).html
    assert made.count("<img") == 1
    assert html.escape('https://t.test/"o') in made
    image = made[made.index("<img") : made.index(">", made.index("<img")) + 1]
    assert made.replace(image, "") == document
    if "</body>" in document:
        assert made.rindex("</body>") == made.index(image) + len(image)


def test_off_means_off() -> None:
    document = '<a href="https://x.test/">a</a>'
    assert rewrite(document, pixel=None, link=None).html == document


@given(st.text(alphabet="<>a/ \"'=!-hrefbody:", max_size=300))
def test_never_raises_and_only_touches_links(document: str) -> None:
    made = rewrite(document, pixel=None, link=lambda n: "L")
    if not made.links:
        assert made.html == document


@pytest.mark.parametrize(
    "unit", ["<a ", '<a href="', "<a href='x'><", "<!--", "<blockquote>", '<a href="https://x.test/">', "<style>"]
)
def test_grows_with_the_length_only(unit: str) -> None:
    """security.md threat 22: four times the input takes far less than sixteen times as long."""

    def cost(count: int) -> float:
        begin = time.process_time()
        go(unit * count)
        return time.process_time() - begin

    cost(100)
    small, large = min(cost(2_000) for _ in range(3)), cost(8_000)
    assert large < small * 12 + 0.05
