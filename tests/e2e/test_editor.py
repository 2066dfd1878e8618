"""The composer's editor under a person's hands (issue 5, Deliver 1): input methods, directions, formats, pastes, fields.

What is written is read back where it counts, in the draft's row. Pictures, files and lost connections: test_editor_keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import App, snap
from tests.e2e.pasted import EXCEL, GOOGLE, WEB, WORD
from tests.e2e.writing import PNG, World, a_world, compose_japanese
from tests.servers.dovecot import DovecotServer

OWN = "ann.editor@tidewater.example"


@pytest.fixture(scope="module")
def world(app: App, chromium: Browser, dovecot: DovecotServer) -> Iterator[World]:
    with a_world(app, chromium, dovecot, OWN) as made:
        yield made


@pytest.fixture
def writing(world: World) -> Iterator[World]:
    """An empty email is open, and thrown away afterwards."""
    world.compose()
    yield world
    world.clear()


def test_japanese_is_neither_lost_nor_doubled_and_enter_confirms_only(writing: World) -> None:
    """DESIGN §6: the Enter that ends a conversion never sends and never makes a paragraph."""
    page = writing.page
    cdp = page.context.new_cdp_session(page)
    compose_japanese(cdp, ["n", "に", "にほn", "にほん", "日本"], "日本")
    cdp.send("Input.imeSetComposition", {"text": "ご", "selectionStart": 1, "selectionEnd": 1})
    for kind in ("rawKeyDown", "keyUp"):
        cdp.send(
            "Input.dispatchKeyEvent",
            {"type": kind, "key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229},
        )
    cdp.send("Input.insertText", {"text": "語で書きます。"})
    page.keyboard.press("Control+b")
    compose_japanese(cdp, ["ふと", "太"], "太字")
    html = writing.stored(lambda text: "太字" in text)
    assert html == '<p dir="auto">日本語で書きます。<strong>太字</strong></p>'
    expect(writing.body).to_be_visible()
    expect(page.locator(".mc-editor p")).to_have_count(1)
    page.get_by_test_id("compose-subject").click()
    compose_japanese(cdp, ["みつ", "見積"], "見積書")
    expect(page.get_by_test_id("compose-subject")).to_have_value("見積書")


def test_arabic_and_hebrew_paragraphs_take_their_direction(writing: World) -> None:
    """M05: by paragraph, in the editor and in what is stored; a chosen direction stays."""
    page = writing.page
    page.keyboard.type("السلام عليكم ورحمة الله")
    page.keyboard.press("Enter")
    page.keyboard.type("שלום לכולם 24")
    page.keyboard.press("Enter")
    page.keyboard.type("English again")
    html = writing.stored(lambda text: "again" in text)
    assert re.findall(r'<p dir="(\w+)">', html) == ["rtl", "rtl", "auto"]
    directions = page.locator(".mc-editor p").evaluate_all("all => all.map((p) => getComputedStyle(p).direction)")
    assert directions == ["rtl", "rtl", "ltr"]
    page.keyboard.press("Control+Shift+X")
    html = writing.stored(lambda text: text.count('"rtl"') == 3)
    page.keyboard.press("Control+Shift+X")
    writing.stored(lambda text: text.count('"rtl"') == 2)
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Shift+8")
    page.keyboard.type("عنصر")
    html = writing.stored(lambda text: "عنصر" in text)
    assert re.search(r'<ul dir="rtl"><li dir="rtl"><p dir="rtl">عنصر</p></li></ul>', html), html
    snap(page, "editor-directions")


def test_formats_by_keyboard_alone(writing: World) -> None:
    """Bold to colours without a pointer: shortcuts, Alt F10 into the toolbar, arrows within, Escape back."""
    page = writing.page
    for key, tag in (("b", "strong"), ("i", "em"), ("u", "u")):
        page.keyboard.press(f"Control+{key}")
        page.keyboard.type(tag)
        page.keyboard.press(f"Control+{key}")
        page.keyboard.type(" ")
    page.keyboard.press("Alt+F10")
    expect(page.get_by_test_id("tool-style")).to_be_focused()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_test_id("tool-colour")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("colour-black")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.type("red")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Shift+7")
    page.keyboard.type("one")
    page.keyboard.press("Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.keyboard.type("see ")
    page.keyboard.press("Control+k")
    expect(page.get_by_test_id("link-href")).to_be_focused()
    page.keyboard.type("javascript:alert(1)")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="isn’t an address")).to_be_visible()
    page.get_by_test_id("link-href").fill("tidewater.example/probe?a=1&b=2")
    page.get_by_test_id("link-text").fill("the probe")
    snap(page, "editor-link")
    page.keyboard.press("Enter")
    page.keyboard.type(" today")
    html = writing.stored(lambda text: "today" in text)
    assert "<strong>strong</strong> <em>em</em> <u>u</u>" in html
    assert re.search(r'<span style="color: (#c62a2f|rgb\(198, 42, 47\))">red</span>', html), html
    assert re.search(r"<ol><li><p[^>]*>one</p></li><li><p[^>]*>two</p></li></ol>", html), html
    assert 'see <a href="https://tidewater.example/probe?a=1&amp;b=2">the probe</a> today' in html
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+\\")
    writing.stored(lambda text: "<strong>" not in text and "<ol>" not in text)


def test_word_tables_and_lists_stay_and_its_styles_go(writing: World) -> None:
    writing.paste(html=WORD)
    html = writing.stored(lambda text: "27.000" in text)
    for gone in ("mso", "Mso", "<script", "o:p", "file:", "Calibri", "·", "windowtext", "class="):
        assert gone not in html, (gone, html)
    assert re.search(r"<p[^>]*><strong>Pilot</strong></p>", html), html
    flat = re.sub(r' (dir|style|cellspacing)="[^"]*"', "", html)
    wanted = "<ul><li><p>First probe</p><ul><li><p>Nested</p></li></ul></li><li><p>Second probe</p></li></ul>"
    assert wanted in flat, flat
    assert "<table><tbody><tr><td><p>Probe</p></td><td><p>Price</p></td></tr><tr><td><p>Büsum</p></td>" in flat, flat
    assert "text-align: right" in html
    assert re.search(r"<td style=\"border: 1px solid[^\"]*background-color:", html), html
    assert writing.page.evaluate("window.pasted") is None
    snap(writing.page, "editor-word")


def test_excel_google_docs_and_web_pages_come_clean(writing: World) -> None:
    page = writing.page
    writing.paste(html=EXCEL, picture=PNG, text="Quarter\tSum")
    html = writing.stored(lambda text: "1250,50" in text)
    assert "<img" not in html  # Excel's picture of the cells stays out
    assert "xl65" not in html
    assert "mso" not in html
    assert re.search(
        r"<td[^>]*background-color: (#FFFF00|rgb\(255, 255, 0\))[^>]*>.*?<strong>Quarter</strong>", html, re.IGNORECASE
    ), html
    page.keyboard.press("Control+End")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    writing.paste(html=GOOGLE)
    html = writing.stored(lambda text: "Bold words" in text)
    assert "<strong>Bold words</strong>" in html
    assert re.search(
        r"<em>(<span style=\"color: [^\"]+\">)? and red|<span style=\"color: [^\"]+\"><em> and red", html
    ), html
    flat = re.sub(r' (dir|style)="[^"]*"', "", html)
    assert "<ul><li><p>One</p><ul><li><p>Under one</p></li></ul></li></ul>" in flat, flat
    assert '<a href="https://tidewater.example/probe">' in html
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    writing.paste(html=WEB)
    html = writing.stored(lambda text: "Tides" in text)
    for gone in (
        "onclick",
        "javascript",
        "script",
        "iframe",
        "article",
        "data-x",
        "position",
        "Georgia",
        "hidden words",
        "svg",
        "input",
        "<img",
        "Buy",
    ):
        assert gone not in html, (gone, html)
    assert '<a href="https://tidewater.example/a">good</a>' in html
    assert "<h2" in html


def test_tables_grow_and_shrink(writing: World) -> None:
    page = writing.page
    page.get_by_test_id("tool-table").click()
    expect(page.get_by_test_id("table-grid")).to_be_focused()
    page.keyboard.press("ArrowUp")
    snap(page, "editor-table-grid")
    page.keyboard.press("Enter")
    for text in ("a", "b", "c", "d", "e", "f"):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.type("new row")
    flat = re.sub(r' \w+="[^"]*"', "", writing.stored(lambda text: "new row" in text))
    assert flat.count("<tr>") == 3
    for tool in ("table-addColumnAfter", "table-deleteRow"):
        page.get_by_test_id("tool-table").click()
        if tool == "table-addColumnAfter":
            snap(page, "editor-table-menu")
        page.get_by_test_id(tool).click()
    flat = re.sub(r' \w+="[^"]*"', "", writing.stored(lambda text: "new row" not in text))
    assert flat.count("<tr>") == 2
    assert flat.count("<td>") == 8


def test_merge_fields_and_the_signature_block(writing: World) -> None:
    """The calls that templates and signatures use: pills, one signature, whatever is put in twice."""
    page = writing.page
    page.keyboard.type("Hi ")
    page.evaluate("window.mailcrmEditor.insertMerge('person.first_name', 'First name', 'there')")
    page.evaluate("window.mailcrmEditor.setSignature('7', '<p>Ann Hall</p><p>Tidewater</p>')")
    page.evaluate("window.mailcrmEditor.setSignature('8', '<p>Ann</p>')")
    page.evaluate("window.mailcrmEditor.insertHtml('<p>Closes {{ deal.close_date }}.</p>')")
    html = writing.stored(lambda text: "close_date" in text and "mc-signature" in text)
    pill = '<span class="mc-merge" data-field="person.first_name" data-fallback="there">{{ person.first_name | default(&quot;there&quot;) }}</span>'
    assert pill in html
    assert '<span class="mc-merge" data-field="deal.close_date">{{ deal.close_date }}</span>' in html
    assert re.findall(r'<div class="mc-signature" data-signature="(\d+)">', html) == ["8"]
    assert html.rstrip().endswith("</div>"), html
    pills = page.get_by_test_id("merge-pill")
    expect(pills.nth(0)).to_have_text("there")
    expect(pills.nth(1)).to_have_attribute("data-empty", "true")
    pills.nth(1).click()
    page.get_by_test_id("pill-fallback").fill("月末")
    snap(page, "editor-pill")
    page.keyboard.press("Enter")
    writing.stored(lambda text: 'data-fallback="月末"' in text)
    page.evaluate("window.mailcrmEditor.setSignature('', '')")
    writing.stored(lambda text: "mc-signature" not in text)


def test_a_text_too_long_for_the_socket_is_said_and_not_cut(writing: World) -> None:
    """The socket closes on a million bytes: nothing is sent that would end it, nothing is saved in part."""
    page = writing.page
    page.keyboard.type("kept")
    before = writing.stored(lambda text: "kept" in text)
    page.evaluate("window.mailcrmEditor.insertHtml(`<p>${'長い'.repeat(170_000)}</p>`)")
    expect(page.get_by_test_id("ask-long")).to_be_visible()
    page.get_by_test_id("compose-send").click()
    expect(writing.body).to_be_visible()
    assert writing.row() == before
    writing.body.press("Control+a")  # Send has the focus
    page.keyboard.type("short again")
    assert writing.stored(lambda text: "short again" in text) == '<p dir="auto">short again</p>'
    expect(page.get_by_test_id("ask-long")).to_have_count(0)


def test_plain_text_asks_once_and_stays_plain(writing: World) -> None:
    page = writing.page
    page.keyboard.press("Control+b")
    page.keyboard.type("Bold")
    page.keyboard.press("Control+b")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Shift+8")
    page.keyboard.type("item")
    page.get_by_test_id("tool-more").click()
    page.get_by_test_id("tool-plain").click()
    expect(page.get_by_test_id("ask-plain")).to_be_visible()
    snap(page, "editor-plain-ask")
    page.get_by_test_id("answer-plain").click()
    expect(page.locator(".mc-plain")).to_be_visible()
    html = writing.stored(lambda text: "- item" in text)
    assert "<strong>" not in html
    page.keyboard.type(" more")
    writing.paste(html=WORD)
    html = writing.stored(lambda text: "27.000" in text)
    assert "<table" not in html
    assert "<strong" not in html
    assert writing.row("plain") == "1"
    snap(page, "editor-plain")
