"""Cells to values: amounts, days, moments, states, several in one; formulas made harmless. Pure."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcrm.errors import UserError
from mailcrm.services.crm.transfer import fields, values
from mailcrm.services.crm.transfer.formulas import neutral, original

HELSINKI = ZoneInfo("Europe/Helsinki")


@pytest.mark.parametrize(
    ("cell", "decimals", "minor"),
    [
        ("1234.5", "", 123450), ("1,234.50", "", 123450), ("1.234,50", "", 123450), ("1 234,50 €", "", 123450),
        ("€1,234", "", 123400), ("1.234", "", 123400), ("1.234", ".", 123), ("1,234", ",", 123), ("1'234.50", "", 123450),
        ("-5", "", -500), ("(5.00)", "", -500), ("5-", "", -500), ("１２３４", "", 123400), ("0,5", "", 50), ("0.123", "", 12),
        ("12,345,678", "", 1234567800), ("EUR 12.00", "", 1200), ("+3", "", 300), ("1\u202f234,5", "", 123450), ("−5", "", -500),
    ],
)  # fmt: skip
def test_amounts(cell: str, decimals: str, minor: int) -> None:
    assert values.money(cell, "EUR", decimals, "Value") == minor


def test_amounts_have_their_currencys_digits() -> None:
    assert values.money("70,000", "JPY", "", "Value") == 70000
    assert values.money("1.234", "KWD", ".", "Value") == 1234


@pytest.mark.parametrize(
    "cell", ["", "abc", "1e400", "1.2.3,4,5", "9" * 40, "NaN", "--5", "twelve", "1 234 567 euros and some"]
)
def test_what_is_no_amount(cell: str) -> None:
    with pytest.raises(UserError):
        values.money(cell, "EUR", "", "Value")


@pytest.mark.parametrize(
    ("cells", "sign"),
    [(["1,234", "5.5"], "."), (["1.234", "5,5"], ","), (["1.234", "2.500"], ""), (["1,234,567"], "."), (["1.234,50"], ","), ([], "")],
)  # fmt: skip
def test_a_column_tells_its_decimal_sign(cells: list[str], sign: str) -> None:
    assert values.decimals_of(cells) == sign


@pytest.mark.parametrize(
    ("cell", "order"),
    [
        ("2026-01-31", ""), ("2026/1/31", ""), ("31.1.2026", ""), ("31.01.26", ""), ("1/31/2026", ""), ("31/1/2026", ""),
        ("2026年1月31日", ""), ("２０２６年１月３１日", ""), ("31 Jan 2026", ""), ("Jan 31, 2026", ""), ("January 31, 2026", ""),
        ("46053", ""), ("2026-01-31 09:15:00", ""), ("2026-01-31T09:15:00Z", ""), ("31-1-2026", "dmy"), ("1/31/2026", "mdy"),
    ],
)  # fmt: skip
def test_days(cell: str, order: str) -> None:
    assert values.day(cell, order, "Created") == date(2026, 1, 31)


def test_a_day_that_may_be_two_is_asked_about() -> None:
    with pytest.raises(UserError) as error:
        values.day("1/2/2026", "", "Created")
    assert error.value.code == "import.date_order"
    assert values.day("1/2/2026", "dmy", "Created") == date(2026, 2, 1)
    assert values.day("1/2/2026", "mdy", "Created") == date(2026, 1, 2)
    assert values.day("2/2/2026", "", "Created") == date(2026, 2, 2)


@pytest.mark.parametrize("cell", ["", "soon", "2026-13-01", "31.2.2026", "0/0/0000", "99999999", "2026"])
def test_what_is_no_day(cell: str) -> None:
    with pytest.raises(UserError):
        values.day(cell, "dmy", "Created")


def test_a_column_tells_the_order_of_its_days() -> None:
    assert values.order_of(["1/2/2026", "25/12/2026"]) == "dmy"
    assert values.order_of(["1/2/2026", "12/25/2026"]) == "mdy"
    assert values.order_of(["1.2.2026"]) == "dmy"
    assert values.order_of(["1/2/2026", "3/4/2026"]) == ""
    assert values.order_of(["25/12/2026", "12/25/2026"]) == ""  # neither: each line says so


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-01-31 09:15:00", datetime(2026, 1, 31, 7, 15, tzinfo=UTC)),
        ("2026-01-31T09:15:00Z", datetime(2026, 1, 31, 9, 15, tzinfo=UTC)),
        ("2026-01-31 09:15+02:00", datetime(2026, 1, 31, 7, 15, tzinfo=UTC)),
        ("1/31/2026 9:15 PM", datetime(2026, 1, 31, 19, 15, tzinfo=UTC)),
        ("2026年1月31日 9時15分", datetime(2026, 1, 31, 7, 15, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_moments_are_in_the_actors_zone(cell: str, expected: datetime) -> None:
    assert values.moment(cell, "", "Created", HELSINKI) == expected


def test_several_in_one_cell() -> None:
    assert values.several("a@b.test, c@d.test; e@f.test") == ["a@b.test", "c@d.test", "e@f.test"]
    assert values.several("Hot; very\nCold", exact=True) == ["Hot; very", "Cold"]
    assert values.phones("+358 40 123 4567, 09-1234567") == ["+358 40 123 4567", "09-1234567"]
    assert values.phones("09 1234567, ext. 5") == ["09 1234567, ext. 5"]


@pytest.mark.parametrize(("cell", "found"), [("Open", "open"), ("WON", "won"), ("失注", "lost"), ("ｗｏｎ", "won")])
def test_states(cell: str, found: str) -> None:
    assert values.status(cell, "Status") == found


def test_a_state_that_is_none() -> None:
    with pytest.raises(UserError):
        values.status("Deleted", "Status")


@given(st.text(max_size=60))
def test_cells_raise_nothing_but_sentences(cell: str) -> None:
    for read in (
        lambda: values.number(cell, "", "Value"),
        lambda: values.money(cell, "JPY", ",", "Value"),
        lambda: values.day(cell, "mdy", "Created"),
        lambda: values.moment(cell, "dmy", "Created", HELSINKI),
        lambda: values.currency(cell, "EUR"),
        lambda: values.status(cell, "Status"),
    ):
        with contextlib.suppress(UserError):
            read()
    values.several(cell)
    values.phones(cell)
    values.decimals_of([cell])
    values.order_of([cell])


@given(st.text(st.characters(codec="utf-8"), max_size=20) | st.text("=+-@'\t\r\n＝x", max_size=6))
def test_a_cell_is_harmless_and_comes_back(text: str) -> None:
    """security.md threat 25."""
    cell = neutral(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
    assert original(cell) == text


def test_numbers_are_exact() -> None:
    assert values.number("0.1", ".", "N") == Decimal("0.1")


@pytest.mark.parametrize(
    ("kind", "names", "expected"),
    [
        (
            "person",
            "Person - Name|Person - Email - Work|Person - Email - Home|Person - Phone (Mobile)|Person - Organization|Person - Owner|Person - Labels|Person - ID|Organization - Address|Person - Open deals",
            "name|address|address|phone|organization|owner|label|id||",
        ),
        ("person", "Name|First name|Last name|Email|Phone|Organization|Owner|Label|ID|Person created", "name|first_name|last_name|address|phone|organization|owner|label|id|created_at"),
        (
            "deal",
            "Deal - Title*|Deal - Value|Deal - Currency of Value|Deal - Pipeline|Deal - Stage|Deal - Status|Deal - Expected close date|Deal - Contact person|Person - Email - Work|Person - ID|Deal - Organization|Organization - ID|Deal - Owner|Deal - Deal created|Deal - Won time|Deal - Lost time|Deal - Deal closed on|Deal - Lost reason|Deal - Label|Deal - ID|Deal - Probability",
            "title|value|currency|pipeline|stage|status|expected_close|person|person_address|person_id|organization|organization_id|owner|created_at|won_at|lost_at|closed_at|lost_reason|label|id|",
        ),
        ("deal", "Title|Value|Currency|Pipeline|Stage (pipeline)|Status|Organization|Contact person", "title|value|currency|pipeline|stage|status|organization|person"),
        ("lead", "Lead - Title|Lead - Value|Lead - Contact person|Lead - Organization|Lead - Owner|Lead - ID", "title|value|person|organization|owner|id"),
        ("organization", "Organization - Name|Organization - Address|Organization - Owner|Organization - Label|Organization - ID|Organization - People", "name|address|owner|label|id|"),
        ("person", "氏名|会社名|メールアドレス|電話番号|担当者", "name|organization|address|phone|owner"),
        ("deal", "件名|金額|通貨|パイプライン|ステージ|完了予定日|失注理由", "title|value|currency|pipeline|stage|expected_close|lost_reason"),
        ("person", "Name|Name|Full name", "name||"),
    ],
)  # fmt: skip
def test_columns_of_known_exports(kind: str, names: str, expected: str) -> None:
    assert "|".join(fields.recognise(kind, names.split("|"))) == expected


def test_own_fields_are_recognised_by_name() -> None:
    assert fields.recognise("person", ["Name", "Person - Shoe size"], {"Shoe Size": 7}) == ("name", "custom:7")


def test_pipedrive_and_our_own_files_are_known() -> None:
    assert fields.is_pipedrive(["Deal - Title", "Deal - Value"])
    assert not fields.is_pipedrive(["Title", "Value"])
    assert fields.is_own(["mailcrm ID", "Name"])
