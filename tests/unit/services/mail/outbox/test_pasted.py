"""What Word, Excel, Google Docs and web pages put on the clipboard, cleaned on the server: lists and tables stay."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.outbox.html import clean_html
from mailcrm.services.mail.outbox.pasted import with_lists


def item(text: str, level: int, mark: str = "·", number: str = "l0", more: str = "") -> str:
    """A list paragraph as Word 16 writes it."""
    return (
        f"<p class=MsoListParagraph style='margin-left:36.0pt;text-indent:-18.0pt;mso-list:{number} level{level} lfo1{more}'>"
        "<![if !supportLists]><span lang=EN-US style='font-family:Symbol;mso-bidi-font-family:Symbol'>"
        f"<span style='mso-list:Ignore'>{mark}<span style='font:7.0pt \"Times New Roman\"'>&nbsp;&nbsp;&nbsp; </span>"
        f"</span></span><![endif]><span lang=EN-US>{text}<o:p></o:p></span></p>\n"
    )


def bare(html: str) -> str:
    """The elements without attributes, empty spans and space between."""
    html = re.sub(r"<(/?[a-z0-9]+)[^>]*>", r"<\1>", clean_html(html))
    while (less := re.sub(r"</?span>", "", html)) != html:
        html = less
    return re.sub(r">\s+<", "><", html).strip()


def test_word_lists_become_lists() -> None:
    html = item("One", 1) + item("Under", 2, "o") + item("Two", 1) + "<p class=MsoNormal>Then</p>" + item("a", 1, "1.", "l1") + item("b", 1, "2.", "l1")  # fmt: skip
    assert bare(html) == (
        "<ul><li><p>One</p><ul><li><p>Under</p></li></ul></li><li><p>Two</p></li></ul>"
        "<p>Then</p><ol><li><p>a</p></li><li><p>b</p></li></ol>"
    )


def test_two_lists_in_a_row_stay_two() -> None:
    assert bare(item("x", 1) + item("1", 1, "1)", "l3")) == "<ul><li><p>x</p></li></ul><ol><li><p>1</p></li></ol>"


def test_an_arabic_list_keeps_its_direction() -> None:
    html = clean_html(f"<div dir=RTL>{item('عنصر', 1, more=';direction:rtl')}</div>")
    assert '<p dir="rtl">' in html


def test_word_tables_stay_and_its_styles_go() -> None:
    html = clean_html(
        "<!--[if gte mso 9]><xml><w:WordDocument/></xml><![endif]--><style>p.MsoNormal{mso-style-parent:\"\"}</style>"
        "<table class=MsoTableGrid style='border-collapse:collapse;mso-border-alt:solid windowtext .5pt'><tr style='mso-yfti-irow:0'>"
        "<td width=302 style='width:226.55pt;mso-border-alt:solid .5pt'><p class=MsoNormal><b style='mso-bidi-font-weight:normal'>Price<o:p></o:p></b></p></td></tr></table>"
        "<img src='file:///C:/Temp/clip_image001.png'><v:shape><v:imagedata src='x'/></v:shape>"
    )  # fmt: skip
    assert "mso" not in html.lower()
    assert "<img" not in html
    assert bare(html) == "<table><tbody><tr><td><p><b>Price</b></p></td></tr></tbody></table>"


def test_excel_cells_keep_their_values_and_sides() -> None:
    html = clean_html(
        '<table border=0 style="border-collapse:collapse;width:105pt"><!--StartFragment--><col width=70 style="mso-width-source:userset">'
        '<tr height=20><td class=xl65 style="height:15.0pt">Q1</td><td align=right x:num="1250.5">1250,50</td></tr></table>'
    )
    assert 'align="right"' in html
    assert "mso" not in html
    assert "xl65" not in html
    assert "x:num" not in html
    assert "<tr><td>Q1</td><td>1250,50</td></tr>" in bare(html)


def test_google_docs_and_web_pages() -> None:
    html = clean_html(
        '<meta charset="utf-8"><b style="font-weight:normal;" id="docs-internal-guid-1"><ul style="margin-top:0"><li dir="ltr" '
        'aria-level="1"><p role="presentation"><span style="font-weight:700">One</span></p></li></ul></b>'
        '<div class="nav" id="n" onclick="x()"><script>alert(1)</script><p style="display: none">seen by nobody</p>'
        '<span style="mso-hide:all">nor this</span><img src="https://track.example/o.gif" width="1" height="1">'
        '<a href="javascript:x">bad</a><iframe src="//x"></iframe></div>'
    )
    assert "<ul" in html
    for gone in (
        "docs-internal",
        "aria-level",
        "role",
        "script",
        "nobody",
        "nor this",
        "track.example",
        "iframe",
        "nav",
    ):
        assert gone not in html


@pytest.mark.parametrize("count", [4_000, 6_000])
def test_a_long_list_costs_little(count: int) -> None:
    """Linear: twice the list is about twice the time; the bound is wide and catches a squared one."""
    begin = time.process_time()
    with_lists(item("x", 1) * count)
    assert time.process_time() - begin < 5


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["·", "1.", "", "a)"]), st.sampled_from(["l0", "l1"]))))
def test_any_row_of_items_keeps_every_text_and_is_stable(rows: list[tuple[int, str, str]]) -> None:
    html = "".join(item(f"t{n}t", level, mark, number) for n, (level, mark, number) in enumerate(rows))
    once = clean_html(html)
    assert clean_html(once) == once
    assert re.findall(r"t\d+t", once) == [f"t{n}t" for n in range(len(rows))]
    assert once.count("<li>") == len(rows) == once.count("</li>")
