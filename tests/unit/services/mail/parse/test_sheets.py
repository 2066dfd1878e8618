"""Style sheets of a message are written into its elements, and bring nothing else in (security.md F1, F4, threats 1 to 3)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mailcrm.services.mail.parse.html import clean_html
from mailcrm.services.mail.parse.sheets import MAX_SHEETS, inline_sheets


def shown(sheet: str, body: str = '<p class="a" id="b">one</p>', *, head: str = "") -> str:
    """What is left of a message with this sheet."""
    html = f"<html><head>{head}<style>{sheet}</style></head><body>{body}</body></html>"
    return clean_html(html, remote_images=True, cid_url=lambda _: None).html


@pytest.mark.parametrize(
    "sheet",
    [
        "p {color: red}",
        ".a {color: red}",
        "#b {color: red}",
        "body p.a, h1 {color: red}",
        "body>p{color:red}",
        "<!-- .a {color: red} -->",
        "@media screen {.a {color: red}}",
        "@import 'https://evil.test/x.css'; .a {color: red}",
        ".a:hover {color: blue} .a {color: red}",
        ".a {color: red !important} #b {color: blue}",
        "p {color: blue} .a {color: red} p {color: blue}",
    ],
)
def test_what_a_sheet_says_is_kept(sheet: str) -> None:
    assert shown(sheet) == '<p style="color: red;" dir="auto">one</p>'


def test_what_an_element_says_itself_goes_before_its_sheet() -> None:
    assert shown("p {color: red; width: 5px}", '<p style="color: green">x</p>').count("color: green") == 1
    assert "color: red" not in shown("p {color: red; width: 5px}", '<p style="color: green">x</p>')


@pytest.mark.parametrize(
    "sheet",
    [
        "p {position: fixed; top: 0; left: 0; z-index: 9; opacity: 0; transform: scale(9)}",
        "p {margin: -99px; margin-top: -9px}",
        "p {background: url(https://evil.test/x)}",
        "p {background-color: red url(//evil.test)}",
        "p {width: expression(alert(1))}",
        "p {behavior: url(#default#time2); -moz-binding: url(https://evil.test/x)}",
        ":root {--x: url(https://evil.test)} p {color: var(--x)}",
        "p {fill: url(https://evil.test); stroke: url(https://evil.test); cursor: url(https://evil.test), auto}",
        "p {color: red\\3b position:fixed}",
        "p {content: 'x'} p::before {content: 'x'; color: red}",
        "p[class^=a] {color: red}",
        "p:not(.c) {color: red}",
        "@font-face {font-family: x; src: url(https://evil.test/x)}",
        "@media print {p {color: red}}",
        "@media (min-width: 1px) {p {color: red}}",
        "@supports (color: red) {p {color: red}}",
        "@import url(https://evil.test/x.css);",
    ],
)
def test_what_attacks_or_depends_is_left_out(sheet: str) -> None:
    assert shown(sheet) == '<p dir="auto">one</p>'


def test_nothing_is_read_from_files_or_the_network(tmp_path: Path) -> None:
    """A linked sheet is neither fetched nor opened, wherever it is."""
    file = tmp_path / "x.css"
    file.write_text("p {color: red}")
    for where in (file.as_uri(), str(file), "http://127.0.0.1:9/x.css"):
        link = f'<link rel="stylesheet" href="{where}">'
        assert "color" not in inline_sheets(f"<head>{link}</head><p>one</p>", [("", "h1 {color: blue}")])
        kept = shown("h1 {color: blue}", head=link)
        assert kept == '<p dir="auto">one</p>'


@pytest.mark.parametrize(
    "sheet",
    [
        "p {color: " + "(" * 100_000,
        "{" * 100_000,
        "@media screen {" * 10_000,
        "[" * 50_000 + "]" * 50_000 + "{color: red}",
        "p {color: red}" * 100_000,
        " > " * 60_000 + "{color: red}",
        "> " * 140 + "! {color: red}",
        "a " * 140 + "{color: red}",
        "p," * 90_000 + "p {color: red}",
        "/*" * 90_000,
        "p {font-family: " + "'x'," * 40_000 + "x}",
    ],
    ids=range(11),
)
def test_a_sheet_cannot_stop_the_message(sheet: str) -> None:
    assert "one" in shown(sheet)


def test_no_bomb_grows_out_of_a_sheet() -> None:
    """One rule for everything, with a long style: the message stays as it was."""
    html = "<html><body>" + "<b>x</b>" * 20_000 + "</body></html>"
    long = "* {font-family: " + ",".join(["'a font with a long name'"] * 40) + "}"
    assert inline_sheets(html, [("", long)]) == html
    assert inline_sheets(html, [("", "p {color: red}" + " " * MAX_SHEETS)]) == html


@pytest.mark.parametrize(
    "selector", ["p div div div div div", "p div > div div > div div", "i div div + div div > div"]
)
def test_it_costs_no_look_through_all_that_is_above(selector: str) -> None:
    """Six parts over 300 nested elements: a matcher that tries all pairs would need years."""
    deep = "<html><head></head><body>" + "<div>" * 300 + "x" + "</div>" * 300 + "</body></html>"
    started = time.process_time()
    assert "color" not in inline_sheets(deep, [("", f"{selector} {{color: red}}" * 20)])
    assert time.process_time() - started < 2.0  # what the reading process has for a message; it took 0.003


def test_cleaning_twice_changes_nothing() -> None:
    once = shown("p {color: red; margin: 4px} .a {width: 5px; font-family: 'A b', serif} body {background: #000}")
    assert clean_html(once, remote_images=True, cid_url=lambda _: None).html == once


def test_a_quote_is_found_although_its_sheet_was_written_in() -> None:
    kept = shown(
        "div {color: red}",
        "<p>new</p><div class=gmail_quote><div>On Monday X wrote:</div><blockquote>old</blockquote></div>",
    )
    assert "remote-open" in kept
    assert kept.index("new") < kept.index("remote-open") < kept.index("old")
