"""Dates, money and sizes as DESIGN.md writes them, in English and Japanese."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from mailcrm.errors import UserError
from mailcrm.sentences import SENTENCES
from mailcrm.services import i18n

NOW = datetime(2026, 10, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("when", "english", "japanese"),
    [
        (NOW - timedelta(hours=2), "10:00", "10:00"),
        (NOW - timedelta(days=2), "Mon", "月"),
        (NOW - timedelta(days=30), "21 Sep", "9月21日"),
        (NOW - timedelta(days=400), "16 Sep 2025", "2025年9月16日"),
    ],
)
def test_a_lists_times(when: datetime, english: str, japanese: str) -> None:
    """DESIGN §10: today 10:42, this week Mon, this year 17 Oct."""
    assert i18n.format_when(when, "en", "UTC", NOW) == english.replace("Sep", "Sept")
    assert i18n.format_when(when, "ja", "UTC", NOW) == japanese


def test_the_day_is_the_readers_day() -> None:
    """23:30 UTC is tomorrow in Tokyo and today in London's winter."""
    late = datetime(2026, 1, 5, 23, 30, tzinfo=UTC)
    assert i18n.format_when(late, "en", "UTC", late) == "23:30"
    assert i18n.format_when(late, "en", "Asia/Tokyo", late + timedelta(hours=20)) == "Tue"


@pytest.mark.parametrize(
    ("minor", "currency", "language", "text"),
    [
        (4_820_000, "EUR", "en", "€48,200"),
        (4_820_050, "EUR", "en", "€48,200.50"),
        (6_400_000, "JPY", "en", "¥6,400,000"),
        (6_400_000, "JPY", "ja", "¥6,400,000"),
        (3_150_000, "USD", "en", "$31,500"),
        (0, "EUR", "en", "€0"),
    ],
)
def test_money(minor: int, currency: str, language: str, text: str) -> None:
    """DESIGN §9: money through the locale's formatter; whole amounts carry no decimals."""
    assert i18n.format_money(minor, currency, language) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (418_000, "418 KB"), (2_140_000, "2.1 MB")])
def test_sizes(count: int, text: str) -> None:
    """A file's size in one short unit."""
    assert i18n.format_size(count, "en") == text


def test_an_unknown_zone_is_utc() -> None:
    """A zone name comes from a cookie or an old row; a wrong one never fails a page."""
    assert str(i18n.zone("Mars/Olympus")) == "UTC"
    assert str(i18n.zone("../../etc/passwd")) == "UTC"
    assert str(i18n.zone("Asia/Tokyo")) == "Asia/Tokyo"


def test_an_errors_sentence_is_filled() -> None:
    """Errors keep their parameters for every language."""
    assert i18n.sentence(UserError("auth.wrong", left=4), "en").endswith("4 tries left.")
    assert i18n.sentence_of("auth.wrong", "en", left=4).endswith("4 tries left.")


def test_a_sentence_with_missing_parameters_is_the_general_one() -> None:
    """A code in an address is a stranger's: it may lack parameters or not exist."""
    general = i18n.sentence_of("internal", "en")
    assert i18n.sentence_of("auth.wrong", "en") == general
    assert i18n.sentence_of("no.such.code", "en") == general


def test_an_error_names_its_field_in_the_readers_language() -> None:
    """`field` is a label of the page, so it is a msgid itself."""
    assert i18n.sentence(UserError("input.missing", field="Subject"), "ja").startswith("件名が空です")
    assert i18n.sentence(UserError("input.missing", field="cursor"), "ja").startswith("cursorが空です")


def test_a_kept_error_speaks_the_readers_language() -> None:
    """A row keeps a code and its parameters; a code of another version gets the general sentence."""
    assert i18n.kept_sentence("", {}, "ja") == ""
    assert i18n.kept_sentence("server.lost", {"host": "imap.example.com"}, "ja").startswith("imap.example.comが")
    assert i18n.kept_sentence("no.such.code", {"host": "x"}, "ja") == i18n.sentence_of("internal", "ja")


@pytest.mark.parametrize("code", sorted(SENTENCES))
@pytest.mark.parametrize("language", list(i18n.LANGUAGES))
def test_every_error_can_be_said(code: str, language: str) -> None:
    """Each sentence fills with its own parameters in each language, and says them all."""
    names = set(re.findall(r"{(\w+)", SENTENCES[code]))
    said = i18n.sentence_of(code, language, **{name: f"<{name}>" for name in names})
    assert all(f"<{name}>" in said for name in names)
    assert "{" not in said


@pytest.mark.parametrize(
    ("header", "language"), [("ja-JP,ja;q=0.9,en;q=0.8", "ja"), ("de,ja", "ja"), ("", "en"), ("xx;;;,", "en")]
)
def test_the_browsers_language(header: str, language: str) -> None:
    """The first language of the header that we have; English otherwise."""
    assert i18n.best_language(header) == language


def test_a_large_count_is_not_spelled_out() -> None:
    assert [i18n.bounded("en", value) for value in (0, 7, 999, 1000, 5_000_000)] == ["", "7", "999", "999+", "999+"]
