"""The words that are indexed and asked for (decisions.md 5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.search.text import MAX_WORD, Phrase, phrases, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Quarterly REPORT, 2024-05!", "quarterly report 2024 05"),
        ("見積書", "見積 積書 書"),
        ("見積書を送る。", "見積 積書 書を を送 送る る"),
        ("Tokyo東京2024", "tokyo 東京 京 2024"),
        ("ＡＢＣ ｶﾅ", "abc カナ ナ"),
        ("Straße CAFÉ naïve Ωμέγα", "strasse cafe naive ωμεγα"),
        ("がか", "がか か"),  # two letters, not one with an accent
        ("bob@acme.test x_y", "bob acme test x y"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("안녕하세요", "안녕 녕하 하세 세요 요"),
        ("", ""),
        ("…!?", ""),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert words(text) == expected


def test_questions() -> None:
    assert phrases("見積 bob@acme 京") == [
        Phrase(("見積",), open=True),
        Phrase(("bob", "acme"), open=True),
        Phrase(("京",), open=True),
    ]
    assert phrases("100%") == [Phrase(("100",), open=False)]
    assert phrases("\\ \x00 ' * OR") == [Phrase(("or",), open=True)]
    assert len(phrases("a " * 100)) == 10


@given(st.text(max_size=300))
def test_any_text_gives_plain_words(text: str) -> None:
    """Letters and digits only, so that neither FTS5 nor a tsvector reads anything else into them."""
    for word in [*words(text).split(" "), *(word for phrase in phrases(text) for word in phrase.words)]:
        assert len(word) <= MAX_WORD
        assert not any(c.isspace() or (c.isascii() and not c.isalnum()) for c in word), repr(word)


@given(st.text(alphabet="aB é東京見積か゛ー-_ 1", min_size=1, max_size=40))
def test_what_is_written_is_found(text: str) -> None:
    """Every part of a text, asked for, has its words in the text's index, side by side."""
    indexed = f" {words(text)} "
    for phrase in phrases(text):
        assert f" {' '.join(phrase.words)}" in indexed
