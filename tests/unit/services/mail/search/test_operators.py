"""Operators of the search box (B11, T07)."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.search import operators
from mailcrm.services.mail.search.operators import Asked, Party, read
from mailcrm.services.mail.search.text import Phrase
from mailcrm.services.mail.thread_pick import Filter

OFFER = Phrase(("offer",), open=True)


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("", Asked()),
        ("is:opened", Asked(filters=frozenset({"opened"}))),
        ("offer IS:Clicked is:tracked", Asked(phrases=(OFFER,), filters=frozenset({"clicked", "tracked"}))),
        (
            "is:unopened has:attachment has:deal",
            Asked(filters=frozenset({"not_opened", "has_attachment", "open_deal"})),
        ),
        ('"is:opened"', Asked(phrases=(Phrase(("is", "opened"), open=False),))),
        ("is:secret", Asked(phrases=(Phrase(("is", "secret"), open=True),))),
        ("this:opened", Asked(phrases=(Phrase(("this", "opened"), open=True),))),
        ('is:unread "open', Asked(phrases=(Phrase(("open",), open=False),), filters=frozenset({"unread"}))),
        ('"new roof" -spam', Asked(phrases=(Phrase(("new", "roof"), False),), without=(Phrase(("spam",), True),))),
        ('-"new roof" offer', Asked(phrases=(OFFER,), without=(Phrase(("new", "roof"), False),))),
        ("well-known", Asked(phrases=(Phrase(("well", "known"), True),))),
        ("subject:offer", Asked(phrases=(Phrase(("offer",), True, "subject"),))),
        ("-subject:offer", Asked(without=(Phrase(("offer",), True, "subject"),))),
        ("filename:pdf", Asked(phrases=(Phrase(("pdf",), True, "files"),))),
        ("from:anna", Asked(phrases=(Phrase(("anna",), True, "people"),), parties=(Party("from", "anna"),))),
        ("from：山田", Asked(phrases=(Phrase(("山田",), True, "people"),), parties=(Party("from", "山田"),))),
        ("cc:me", Asked(parties=(Party("to", "me"),))),
        ("-from:bob", Asked(without_parties=(Party("from", "bob"),))),
        ("before:2026-03 after:2025", Asked(before=date(2026, 3, 1), after=date(2025, 1, 1))),
        ("after:2026/2/9", Asked(after=date(2026, 2, 9))),
        ("before:2026-02-30", Asked(phrases=(Phrase(("before", "2026", "02", "30"), True),))),
        ("in:Sent", Asked(folder="sent")),
        ("in:heaven", Asked(phrases=(Phrase(("in", "heaven"), True),))),
        ('label:"To do" deal:roof person:anna', Asked(labels=("To do",), deals=("roof",), persons=("anna",))),
        ("is:shared", Asked(visibility="shared")),
        ("from:", Asked()),
        ("…", Asked(void=True)),
    ],
)
def test_what_a_question_says(question: str, asked: Asked) -> None:
    assert read(question) == asked


@given(st.text())
def test_any_text_is_read(question: str) -> None:
    asked = read(question)
    assert len(asked.phrases) <= 10
    assert asked.void <= (asked.phrases == ())
    operators.marks(question)


@pytest.mark.parametrize(
    ("question", "marks"),
    [
        ('Offer "New Roof" -spam from:anna in:sent', ("offer", "new roof", "anna")),
        ("見積書の送付", ("見積書の送付",)),
        ("東京 大阪", ("東京", "大阪")),
        ("Zürich filename:pdf", ("zurich",)),
        ("is:unread", ()),
    ],
)
def test_what_is_marked_in_results(question: str, marks: tuple[str, ...]) -> None:
    """B11: highlights are compared as words are: case and accents folded, pairs of CJK put together again."""
    assert operators.marks(question) == marks


def test_each_is_a_filter_of_lists() -> None:
    assert all(isinstance(getattr(Filter(), name), bool) for name in operators.OPERATORS.values())
