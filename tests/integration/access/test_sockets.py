"""Who may read what, through the browser's event socket, on both databases (M24, M25).

The served application is driven as any program can: every conversation, deal and search is asked for by every viewer,
and the canaries in all frames are compared with the reference of world.py, in both directions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailcrm.services.auth import sessions
from mailcrm.services.db import transaction
from mailcrm.services.mail import blocking
from tests.conftest import _settings
from tests.integration.access.test_blocking import PATTERNS, Desk, every_cell, excluded
from tests.integration.access.world import VIEWERS, Cell, World
from tests.integration.security.conftest import Person, Served

SCOPES = (("team", "own"), ("own", "everyone"))


class ServedOn(Served):
    """The web process on any database."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder, MAILCRM_DATABASE_URL=url)
        self.database = url

    @contextmanager
    def inside(self) -> Iterator[None]:
        with _settings(self.data, self.database):
            yield


@pytest.fixture(params=["sqlite", "postgresql"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServedOn]:
    if request.param == "sqlite":
        with ServedOn(tmp_path, f"sqlite:///{tmp_path / 'data' / 'mailcrm.sqlite3'}") as served:
            yield served
        return
    cluster = request.getfixturevalue("pg_server")
    url = cluster.create("t_access_sockets")
    with ServedOn(tmp_path, url) as served:
        yield served
    cluster.drop("t_access_sockets")


def test_frames_hold_what_may_be_read_and_nothing_else(running: ServedOn) -> None:
    """Conversations, their panels, the list, searches, deals' pages, the bell, the message routes, exports."""
    with running.inside():
        world = World()
        people = {}
        for name in VIEWERS:
            with transaction() as session:
                secret = sessions.start(session, world.users[name].user_id)
            people[name] = Person(world.users[name], "", secret, "")
    for members, admins in SCOPES:
        with running.inside():
            world.set_scopes(members, admins)
        for name in VIEWERS:
            seen = frames(running, people[name], world)
            expected = world.expected(name, members, admins)
            assert {cell for cell in world.rows if cell.canary in seen} == expected, name
            assert routes(running, people[name], world) == expected, name


def frames(running: ServedOn, person: Person, world: World) -> str:
    """Everything that came over the socket while every page and handler that shows mail was asked for it."""
    tab = running.tab(person)
    tab.call("nav.nav_state.load")
    tab.call("bell.bell_state.refresh")
    tab.call("bell.bell_state.show", {"kind": "all"})
    tab.call("inbox.inbox_state.open_page")
    for row in world.rows.values():
        tab.send("inbox.inbox_state.select", {"thread_id": row.thread_id})
        tab.send("sharing.sharing_state.show_readers", {"is_open": True})
        tab.settle()
        tab.send("composer.composer_state.reply", {"message_id": row.id, "mode": "reply", "place": "dock"})
    tab.call("arrange.arrange_state.find", {"text": "canary"})
    tab.call("inbox.inbox_state.open_page", path="/inbox?q=stranger", q="stranger")
    tab.call("filtering.filter_state.choose", {"word": "unread"})
    for deal_id in world.deals.values():
        path = f"/deal/{deal_id}"
        tab.call("deal.deal_state.open_page", path=path, deal_arg=str(deal_id))
        tab.call("timeline.timeline_state.open_page", path=path)
    tab.call("board.board_state.open_page", path="/deals")
    tab.settle()
    text = tab.text()
    tab.close()
    return text


def routes(running: ServedOn, person: Person, world: World) -> set[Cell]:
    """The messages whose body, raw bytes and file the routes of the reading pane give; all three or none."""
    found: set[Cell] = set()
    for cell, row in world.rows.items():
        answers = [
            running.client.get(f"/m/{row.id}/{tail}", headers={"Cookie": person.cookie})
            for tail in ("body", "raw", "attachments/1", "original", "print")
        ]
        there = [answer.status_code == 200 for answer in answers]
        assert len(set(there)) == 1, (cell, there)
        assert all(cell.canary in answer.text for answer in answers) == there[0]
        if there[0]:
            found.add(cell)
    for kinds in ("persons", "organizations", "deals", "leads"):
        answer = running.client.get(f"/export/{kinds}.csv", headers={"Cookie": person.cookie})
        assert answer.status_code == 200
        assert "canary" not in answer.text, "no export holds mail"
    return found


def test_every_cell_of_blocking_over_the_socket(running: ServedOn) -> None:
    """M20: a search, page by page, holds every email that is not blocked, and no other."""
    with running.inside():
        desk = Desk()
        cells = every_cell()
        desk.store(cells, "before")
        for scope, pattern in PATTERNS:
            blocking.block(desk.aino, scope, pattern)
        with transaction() as session:
            person = Person(desk.aino, "", sessions.start(session, desk.aino.user_id), "")
    expected = {f"cell before-{number}" for number, cell in enumerate(cells) if not excluded(cell)}
    tab = running.tab(person)
    tab.call("inbox.inbox_state.open_page", path="/inbox?q=cellword", q="cellword")
    for _page in range(len(cells)):
        before = len(tab.frames)
        tab.call("inbox.inbox_state.more")
        if not re.search(r"cell before-\d+", "".join(tab.frames[before:])):
            break
    assert set(re.findall(r"cell before-\d+", tab.text())) == expected
    tab.close()
