"""What tracking does to a document, and everything that it leaves alone (T01)."""

from __future__ import annotations

import html
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.outbox.html import text_of
from mailcrm.services.tracking.rewrite import rewrite, rewrite_text, without_marks


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
        .replace("'http://y.test/'", "'https://t.test/2'")
        .replace("https://z.test/p", '"https://t.test/3"')
        .replace('"https://own.test/"', '"https://t.test/4"')
    )


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("https://x.test/?a=1&copy=2&reg=3", "https://x.test/?a=1&copy=2&reg=3"),
        ("https://x.test/?a=1&amp;copy=2", "https://x.test/?a=1&copy=2"),
        ("https://x.test/?q=&eacute;&lt;&#x26;&#38;&notit;", "https://x.test/?q=é<&&&notit;"),
        ("https://x.test/&copy", "https://x.test/©"),
        (" https://x.test/a\n b\t", "https://x.test/a b"),
    ],
)
def test_reads_an_address_like_browsers_do(href: str, url: str) -> None:
    """In an attribute `&copy=` is no © (HTML, 13.2.5.73); line breaks and outer spaces are no part of a URL."""
    assert go(f'<a href="{href}">l</a>')[1] == [url]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            """<a title=" href='https://e.test/'" href="https://x.test/">l</a>""",
            """<a title=" href='https://e.test/'" href="https://t.test/1">l</a>""",
        ),
        ("<a title=it's href=https://x.test/>l</a>", '<a title=it\'s href="https://t.test/1">l</a>'),
        ('<a/href="https://x.test/"/>l</a>', '<a/href="https://t.test/1"/>l</a>'),
        ('<a href="https://x.test/" href="https://y.test/">l</a>', '<a href="https://t.test/1" href="https://y.test/">l</a>'),
        ('<a data-href="https://x.test/">l</a>', '<a data-href="https://x.test/">l</a>'),
        ("<a href = 'https://x.test/'>l</a>", "<a href = 'https://t.test/1'>l</a>"),
        ('<!--> <a href="https://x.test/">l</a>', '<!--> <a href="https://t.test/1">l</a>'),
        ('<!-- --!><a href="https://x.test/">l</a>', '<!-- --!><a href="https://t.test/1">l</a>'),
        ('<textarea><a href="https://x.test/"></textarea>', '<textarea><a href="https://x.test/"></textarea>'),
        ('<map><area href="https://x.test/"></map>', '<map><area href="https://t.test/1"></map>'),
    ],
)  # fmt: skip
def test_takes_for_an_attribute_what_browsers_do(before: str, after: str) -> None:
    assert go(before)[0] == after


@pytest.mark.parametrize("mark", ['data-track="off"', "DATA-TRACK='off'", "data-track=off"])
def test_an_excluded_link_keeps_its_address_and_loses_its_mark(mark: str) -> None:
    after, links = go(f'<a {mark} href="https://x.test/" class="b">l</a> <a href="https://y.test/" {mark}>l</a>')
    assert after == '<a href="https://x.test/" class="b">l</a> <a href="https://y.test/">l</a>'
    assert links == []
    document = f'<p data-track="off"><a href="https://x.test/" {mark}>l</a></p>'
    assert rewrite(document, pixel=None, link=None).html == without_marks(document)
    assert without_marks(document) == '<p data-track="off"><a href="https://x.test/">l</a></p>'


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


def test_the_pixel_stands_before_the_quote_and_never_behind_what_is_clipped() -> None:
    """Mail programs fold quotes away and fetch nothing of them; Gmail cuts a message at 102 KB."""
    attribution = '<p dir="auto" class="mailcrm-attribution">On Monday:</p>'
    quote = '<blockquote class="mailcrm-quote"><p>q</p></blockquote>'
    made = rewrite(f"<body><p>new</p>{attribution}{quote}</body>", pixel="https://t.test/o", link=None).html
    assert made.index("</p><img") < made.index(attribution) < made.index(quote)
    made = rewrite(f"<body><p>new</p>{quote}</body>", pixel="https://t.test/o", link=None).html
    assert made.index("</p><img") < made.index(quote)
    long = "<p>" + "words " * 20_000 + "</p>"
    made = rewrite(f'<html><body class="x">{long}</body></html>', pixel="https://t.test/o", link=None).html
    assert made.startswith('<html><body class="x"><img src="https://t.test/o"')


TEXT_HTML = (
    '<p>Our <a href="https://x.test/a?b=1&amp;c=2">site</a>, <a href="https://y.test/">https://y.test/</a>.</p>'
    '<p><a href="https://y.test/b">twice</a> <a href="https://y.test/b" data-track="off">off</a> '
    '<a href="mailto:a@x.test">mail</a> <a href="https://x.test/unsubscribe">unsubscribe</a></p>'
    '<p class="mailcrm-attribution">On Monday:</p><blockquote class="mailcrm-quote">'
    '<a href="https://y.test/">https://y.test/</a></blockquote>'
)


def test_plain_text_says_the_same_with_other_links() -> None:
    """Deliver 2: what is not followed in the HTML is not followed in the text."""
    made = rewrite(TEXT_HTML, pixel=None, link=lambda n: f"https://t.test/{n}")
    text = text_of(TEXT_HTML)
    found = rewrite_text(text, made.links, lambda n: f"https://t.test/{n}")
    assert found == text.replace("https://x.test/a?b=1&c=2", "https://t.test/1", 1).replace(
        "https://y.test/.", "https://t.test/2.", 1
    )
    assert found.count("https://t.test/") == 2
    assert "> https://y.test/" in found
    assert rewrite_text(text, (), lambda n: "L") == text


def test_two_links_to_one_place_keep_their_order_in_plain_text() -> None:
    html = '<p><a href="https://x.test/">one</a> and <a href="https://x.test/">two</a></p>'
    made = rewrite(html, pixel=None, link=lambda n: f"https://t.test/{n}")
    found = rewrite_text(text_of(html), made.links, lambda n: f"https://t.test/{n}")
    assert found.split() == ["one", "<https://t.test/1>", "and", "two", "<https://t.test/2>"]


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
