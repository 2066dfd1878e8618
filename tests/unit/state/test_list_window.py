"""A list of any length: a tab keeps a bounded window of it, and every row can be reached (reflex.md §4)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from mailcrm.services.access import Actor
from mailcrm.services.mail.views import ThreadPage, ThreadRow
from mailcrm.services.paging import MOST
from mailcrm.state import inbox
from mailcrm.state.inbox import PAGE, PAGES, InboxState
from mailcrm.state.present import Eyes

TOTAL = 1_000
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def _row(number: int) -> ThreadRow:
    at = NOON - timedelta(minutes=number)
    return ThreadRow(
        number + 1, f"S{number}", "Ann", ("a@x.test",), "", at, 1, False, False, "private", "in", None, "", None, None, None, ""
    )  # fmt: skip


def _list(_actor: Any, _wanted: Any, *, cursor: str | None = None, limit: int = 50) -> ThreadPage:
    start, size = int(cursor or 0), min(limit, MOST)
    found = tuple(_row(number) for number in range(start, min(start + size, TOTAL)))
    return ThreadPage(found, str(start + size) if start + size < TOTAL else None, 0)


@pytest.fixture
def tab(monkeypatch: pytest.MonkeyPatch) -> Any:
    async def nobody(_state: Any) -> None: ...

    monkeypatch.setattr(inbox.threads, "list_page", _list)
    monkeypatch.setattr(inbox, "actor_of", nobody)
    monkeypatch.setattr(inbox, "_suggestions", lambda _actor, _rows: {})
    monkeypatch.setattr(inbox, "eyes_of", lambda _actor: Eyes("en", UTC, NOON))
    made: Any = SimpleNamespace(folder="inbox", query="", shown="all", rows=[], unread_ids=[], cursor="", starts=[""])
    made._wanted = dict
    found, made.cursor, _ = InboxState._read(made, _actor(), PAGE)
    made.rows = inbox.rows(found, Eyes("en", UTC, NOON))
    return made


def _actor() -> Actor:
    return None  # type: ignore[return-value]  # the list above asks nobody


def _more(tab: Any) -> None:
    asyncio.run(InboxState.more.fn(tab))  # pyright: ignore[reportFunctionMemberAccess]


def test_every_row_is_reached_and_few_are_kept(tab: Any) -> None:
    seen = {row.id for row in tab.rows}
    while tab.cursor:
        _more(tab)
        seen |= {row.id for row in tab.rows}
        assert len(tab.rows) <= PAGE * PAGES
        assert len({row.id for row in tab.rows}) == len(tab.rows)
    assert len(seen) == TOTAL
    assert tab.starts[0], "the way back to the newest is offered"


def test_a_refresh_reads_the_same_window_again(tab: Any) -> None:
    """A window longer than the service's page, away from the top, stays where the reader is."""
    for _ in range(PAGES + 3):
        _more(tab)
    assert len(tab.rows) > MOST
    found, cursor, _ = InboxState._read(tab, _actor(), len(tab.rows))
    assert [row.id for row in found] == [row.id for row in tab.rows]
    assert cursor == tab.cursor


def test_something_else_is_asked_for_and_one_page_of_it_is_read(tab: Any) -> None:
    """However far somebody scrolled, the next folder, filter or search costs what its first page costs (B11)."""
    while len(tab.rows) < 4 * PAGE:
        _more(tab)
    asked: list[int] = []

    def read(_actor: Any, count: int) -> tuple[list[Any], str, int]:
        asked.append(count)
        return [], "", 0

    async def unpick(_before: set[int], _now: set[int]) -> None:
        pass

    tab._read, tab._place, tab._unpick, someone = read, lambda: None, unpick, SimpleNamespace(language="en")
    asyncio.run(InboxState._fill(tab, someone, anew=True))  # type: ignore[arg-type]
    tab.rows = inbox.rows([_row(n) for n in range(4 * PAGE)], Eyes("en", UTC, NOON))
    asyncio.run(InboxState._fill(tab, someone))  # type: ignore[arg-type]
    assert asked == [PAGE, 4 * PAGE], "what was asked for before is read as far as it was shown"
