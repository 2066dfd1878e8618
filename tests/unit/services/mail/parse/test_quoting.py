"""Quotes, search text, snippets, text of HTML and text as HTML; linear on hostile input (F15, threat 22)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailcrm.services.mail.parse.plain import plain_to_html
from mailcrm.services.mail.parse.quoting import split_quoted
from mailcrm.services.mail.parse.text import snippet_of, text_of_html

ATTRIBUTIONS = [
    "On Mon, 4 Mar 2024 at 10:00, Jane Doe <j@x.test> wrote:",
    "On Mon, 4 Mar 2024 at 10:00, Jane Doe <\nj@x.test> wrote:",
    "2024年3月4日(月) 10:00 田中 <t@x.test>:",
    "2024/03/04 10:00、田中 <t@x.test>のメール:",
    "Am 04.03.2024 um 10:00 schrieb Jane Doe:",
    "Le lun. 4 mars 2024 à 10:00, Jane Doe <j@x.test> a écrit :",
    "El lun, 4 mar 2024 a las 10:00, Jane (<j@x.test>) escribió:",
    "Il giorno lun 4 mar 2024 alle ore 10:00 Jane <j@x.test> ha scritto:",
    "Op ma 4 mrt. 2024 om 10:00 schreef Jane <j@x.test>:",
    "Em seg., 4 de mar. de 2024 às 10:00, Jane <j@x.test> escreveu:",
    "Den mån 4 mars 2024 kl 10:00 skrev Jane <j@x.test>:",
    "4 марта 2024, 10:00 от Jane <j@x.test>:",
    "pon., 4 mar 2024 o 10:00 Jane <j@x.test> napisał(a):",
]


@pytest.mark.parametrize("line", ATTRIBUTIONS)
def test_reply_above_its_quote(line: str) -> None:
    new, quoted = split_quoted(f"Fine with me.\n\n{line}\n> Is it?\n> Yes?\n")
    assert new.strip() == "Fine with me."
    assert "> Is it?" in quoted
    assert line.split("\n")[0] in quoted


@pytest.mark.parametrize(
    "block",
    [
        "-----Original Message-----\nFrom: a\nSent: b\nTo: c\nSubject: d\n\nold",
        "________________________________\nFrom: A <a@x.test>\nSent: Monday\nTo: b\nSubject: c\n\nold",
        "Von: A\nGesendet: Montag\nAn: B\nBetreff: C\n\nalt",
        "差出人: 田中 <t@x.test>\n送信日時: 2024年3月4日\n宛先: 佐藤\n件名: 見積\n\n古い文",
        "-----元のメッセージ-----\n差出人: 田中\n\n古い文",
    ],
)
def test_outlook_blocks(block: str) -> None:
    new, quoted = split_quoted(f"New text.\n\n{block}\n")
    assert new.strip() == "New text."
    assert quoted.strip() == block.strip()


def test_answer_below_the_quote_is_new() -> None:
    new, quoted = split_quoted("On 4 Mar 2024, Jane <j@x.test> wrote:\n> Is it?\n\nYes, it is.\n")
    assert new.strip() == "Yes, it is."
    assert quoted.startswith("On 4 Mar")


def test_answers_between_quotes_stay_whole() -> None:
    text = "On 4 Mar 2024, J <j@x.test> wrote:\n> one?\n\nYes.\n\n> two?\n\nNo.\n"
    assert split_quoted(text) == (text, "")


@pytest.mark.parametrize(
    "text",
    [
        "---------- Forwarded message ---------\nFrom: A <a@x.test>\nDate: x\nSubject: y\nTo: z\n\ncontent",
        "> only a quote\n> and nothing else",
        "On the one hand, this; on the other: that.\nMore.",
        "From: the beginning\nit was clear.",
        "",
    ],
)
def test_what_is_not_split(text: str) -> None:
    assert split_quoted(text) == (text, "")


def test_shared_cases(corpora: Path) -> None:
    """Signatures are kept on purpose, so both sides are cut at `--`; 3 of 4 of another project's cases agree."""
    cases = json.loads((corpora / "threads_quotes/quotes_discourse_trimmer/cases.json").read_text())

    def core(text: str) -> str:
        lines = [line.rstrip() for line in text.strip().split("\n")]
        return "\n".join(lines[: lines.index("--")] if "--" in lines else lines).strip()

    equal = sum(core(split_quoted(case["emails"])[0]) == core(case["trimmed"]) for case in cases)
    assert equal / len(cases) >= 0.75


@pytest.mark.parametrize(
    "seed",
    [
        "On ",
        "> a\n",
        "\n",
        "http://",
        "www.a",
        "a@",
        "(",
        "From: a\n",
        ")",
        "-",
        "-----\n",
        ">",
        "&",
        "<a ",
        '<a b="',
        "<!--",
        "<p>",
    ],
)
@pytest.mark.parametrize("function", [split_quoted, plain_to_html, text_of_html, snippet_of])
def test_growth_is_linear(seed: str, function: Callable[[str], object]) -> None:
    """Threat 22: 1 MB in under 3 s of processor time; anything quadratic would need minutes."""
    text = seed * (1_000_000 // len(seed))
    start = time.process_time()
    function(text)
    assert time.process_time() - start < 3


def test_snippet() -> None:
    assert snippet_of("a\u200b\n\n  b\u034f c") == "a b c"
    assert len(snippet_of("x" * 1000)) == 200


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two<br>three</p>", "One\n\nTwo\nthree"),
        ("<style>p{}</style><script>x()</script>a<title>t</title>b", "ab"),
        ("<pre> a\n  b</pre>", "a\n  b"),
        ("a &lt;b&gt; &amp;amp; &#x1F600;", "a <b> &amp; 😀"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<!-- <p> -->a<!doctype x>b", "ab"),
        ('<a title="x > y">z</a>', "z"),
    ],
)
def test_text_of_html(html: str, text: str) -> None:
    assert text_of_html(html) == text


def test_text_as_html() -> None:
    html = plain_to_html("<b> see https://x.test/a_(b). Or www.y.test, j@x.test!\n\nOn 4 Mar 2024, J wrote:\n> q\n")
    assert "&lt;b&gt;" in html
    assert 'href="https://x.test/a_(b)"' in html
    assert 'href="http://www.y.test"' in html
    assert 'href="mailto:j@x.test"' in html
    assert "<details><summary>Quoted text</summary>" in html
    assert "<b>" not in html


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", 'https://x.test/"onclick=alert(1)', "https://x.test/<script>", "http://", "\0<i>"]
)
def test_text_as_html_holds_no_markup_of_the_sender(text: str) -> None:
    html = plain_to_html(text)
    assert "javascript:" not in html.replace('<p dir="auto">javascript:', "")
    assert '"onclick' not in html
    assert "<script" not in html
    assert "<i>" not in html


def test_an_answer_right_above_the_attribution_is_kept() -> None:
    """Our own text part has no empty line there; the answer and the attribution joined once read as one attribution."""
    quoted = "On 21 Nov 2026, 21:08, Lena Vogt wrote:\n> Good news\n> today"
    assert split_quoted(f"Both confirmed.\n{quoted}") == ("Both confirmed.", quoted)
    assert split_quoted(f"Both confirmed.\nSee you.\n{quoted}") == ("Both confirmed.\nSee you.", quoted)
