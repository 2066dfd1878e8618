"""Who may read what (M24, M25), cell by cell, through every surface: services, REST; sockets are in test_sockets.py.

Owner, colleague with and without access to the deal, administrator × private, shared × linked (by the conversation, by
the message), unlinked, never linked × standing, blocked, hidden, deleted × list, search, count, timeline, conversation,
body, raw, attachment, marks, who reads it, notification, REST, export × what the roles reach. Both directions: what may be
seen is seen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from mailcrm.endpoints.api import app as rest_app
from mailcrm.errors import NotFound
from mailcrm.services import notifications
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.crm import deals, timeline
from mailcrm.services.crm.linking import panel
from mailcrm.services.crm.transfer.export import export
from mailcrm.services.mail import messages, readers, single, threads
from mailcrm.services.mail.outbox import draft
from mailcrm.services.tracking import report
from tests.integration.access.world import OWNERS, SCOPES, VIEWERS, Cell, Row, World, may_read, reaches

pytestmark = pytest.mark.usefixtures("db")


def answered(call: Callable[[], Any]) -> bool:
    try:
        call()
    except NotFound:
        return False
    return True


#: What is asked of one message; each answers whether it was there.
ONE: dict[str, Callable[[Actor, Row], Any]] = {
    "raw": lambda who, row: messages.load_raw(who, row.id),
    "body": lambda who, row: messages.load_body(who, row.id),
    "attachment": lambda who, row: messages.load_attachment(who, row.id, 1),
    "message": lambda who, row: single.open_message(who, row.id),
    "conversation": lambda who, row: threads.open_thread(who, row.thread_id),
    "its conversation": lambda who, row: threads.thread_of_message(who, row.id),
    "panel": lambda who, row: panel.panel(who, row.thread_id),
    "marks": lambda who, row: report.marks(who, row.id),
    "readers": lambda who, row: readers.of_message(who, row.id),
}
REST = ("/messages/{id}", "/messages/{id}/raw", "/messages/{id}/attachments/1", "/messages/{id}/tracking")
REST_THREAD = ("/threads/{thread}", "/threads/{thread}/messages")
#: Surfaces of one's own mail: nobody finds a colleague's there, shared or not.
OWN = ("list", "search", "unread", "REST threads", "REST unread", "REST search")


@pytest.mark.parametrize(("members", "admins"), SCOPES)
def test_every_cell(members: str, admins: str) -> None:
    """Every surface of every cell against the reference."""
    world = World()
    world.set_scopes(members, admins)
    wrong: list[tuple[str, str, Cell]] = []
    seen = 0
    for viewer in VIEWERS:
        who = world.actor(viewer)
        expected = world.expected(viewer, members, admins)
        seen += len(expected)
        for surface, found in {**lists(world, viewer, who), **each(world, who), **rest(world, who)}.items():
            right = expected if surface not in OWN or viewer == "aino" else set()
            if surface.startswith("timeline") or surface == "REST timeline":
                linked = {cell for cell in expected if cell.linked in ("thread", "message")}
                right = {cell for cell in linked if reaches(viewer, cell.owner, members, admins)}
            wrong += [(surface, viewer, cell) for cell in found ^ right]
    assert wrong == []
    assert seen > len(world.rows) // 2, "the control: something is to be seen"


def lists(world: World, viewer: str, who: Actor) -> dict[str, set[Cell]]:
    """Surfaces that show many messages at once."""
    by_thread, by_id = (lambda row: row.thread_id), (lambda row: row.id)
    page = threads.list_threads(who, folder="all", limit=200)
    found = {"list": world.cells_of(by_thread, {row.id for row in page.rows})}
    hits = {cell for cell in world.rows if threads.list_threads(who, folder="all", query=cell.canary).rows}
    found["search"] = hits
    unread = threads.list_threads(who, folder="inbox", unread=True, limit=200)
    assert unread.total_unread == len(unread.rows) == threads.counts(who).inbox_unread
    found["unread"] = world.cells_of(by_thread, {row.id for row in unread.rows})
    items: set[int] = set()
    for owner, deal_id in world.deals.items():
        shown: set[int] = set()
        with contextlib.suppress(NotFound):
            listed = timeline.deal_timeline(who, deal_id, limit=200).items
            shown = {item.ref for item in listed if item.kind == "thread_message"}
            newest = deals.get_deal(who, deal_id).card.last_email_at
            assert (newest is None) == (not shown), f"{viewer}: the card of {owner}'s deal"
        items |= shown
    found["timeline"] = world.cells_of(by_id, items)
    bell = notifications.list_notifications(who, limit=200)
    found["notification"] = {cell for cell in world.rows if any(cell.canary in f"{line}" for line in bell)}
    assert notifications.unread_count(who) == len(bell) == len(found["notification"]), "no line without its email"
    files = "".join(b"".join(export(who, kind)).decode() for kind in ("person", "organization", "deal", "lead"))
    assert "Deal of nobody" in files
    assert [cell for cell in world.rows if cell.canary in files] == [], "no export holds mail"
    return found


def each(world: World, who: Actor) -> dict[str, set[Cell]]:
    """Surfaces of one message."""
    return {
        name: {cell for cell, row in world.rows.items() if answered(lambda call=call, row=row: call(who, row))}
        for name, call in ONE.items()
    }


def rest(world: World, who: Actor) -> dict[str, set[Cell]]:
    """The same through REST, whose bodies must not name what is not there either."""
    found: dict[str, set[Cell]] = {}
    with TestClient(rest_app, headers={"Authorization": f"Bearer {users.create_token(who)}"}) as client:
        for path in (*REST, *REST_THREAD):
            found[path] = set()
            for cell, row in world.rows.items():
                answer = client.get(path.format(id=row.id, thread=row.thread_id))
                assert answer.status_code in (200, 404)
                if answer.status_code == 200:
                    found[path].add(cell)
                else:
                    assert cell.canary not in answer.text
        text = "".join(client.get(f"/deals/{deal_id}/timeline?limit=200").text for deal_id in world.deals.values())
        found["REST timeline"] = {cell for cell in world.rows if cell.canary in text}
        for name, path in (("threads", "/threads?folder=all"), ("unread", "/threads?folder=all&unread=true")):
            text = client.get(f"{path}&limit=200").text
            found[f"REST {name}"] = {cell for cell in world.rows if cell.canary in text}
        asked = {cell: client.get(f"/search?q={cell.canary}").json()["items"] for cell in world.rows}
        found["REST search"] = {cell for cell, items in asked.items() if items}
        bell = client.get("/notifications?limit=200").text
        found["REST notifications"] = {cell for cell in world.rows if cell.canary in bell}
    return found


@pytest.mark.parametrize(("members", "admins"), SCOPES)
def test_somebody_elses_deal_is_nowhere(members: str, admins: str) -> None:
    """Its row, board, lists, searches, choices, counts, chips, timeline, filters, drafts, export: all of it or nothing."""
    world = World()
    world.set_scopes(members, admins)
    for viewer in VIEWERS:
        who = world.actor(viewer)
        right = {owner for owner in OWNERS if reaches(viewer, owner, members, admins)}
        wrong = {name: found for name, found in deal_surfaces(world, who).items() if found != right}
        assert wrong == {}, viewer
        # One's own conversation stays, but not the chip of a deal that one may not see any more.
        if viewer == "aino":
            for cell, row in world.rows.items():
                if cell.linked == "thread" and cell.standing == "standing":
                    view = threads.open_thread(who, row.thread_id)
                    assert (view.deal is not None) == (cell.owner in right)
                    assert {found.title for found in view.links} == (
                        {f"Deal of {cell.owner}"} & {f"Deal of {o}" for o in right}
                    )


def deal_surfaces(world: World, who: Actor) -> dict[str, set[str]]:
    """Which owners' deals each surface shows."""

    def named(text: str) -> set[str]:
        return {owner for owner in OWNERS if f"Deal of {owner}" in text}

    def there(call: Callable[[int], Any]) -> set[str]:
        return {owner for owner, deal_id in world.deals.items() if answered(lambda deal_id=deal_id: call(deal_id))}

    with TestClient(rest_app, headers={"Authorization": f"Bearer {users.create_token(who)}"}) as client:
        answers = {
            f"REST {path}": {
                owner for owner, deal_id in world.deals.items() if client.get(path.format(deal_id)).status_code == 200
            }
            for path in ("/deals/{}", "/deals/{}/timeline", "/threads?deal_id={}")
        }
        answers["REST /deals"] = named(client.get("/deals").text)
    return answers | {
        "row": there(lambda deal_id: deals.get_deal(who, deal_id)),
        "timeline": there(lambda deal_id: timeline.deal_timeline(who, deal_id)),
        "filter": there(lambda deal_id: threads.list_threads(who, deal_id=deal_id)),
        "draft": there(lambda deal_id: draft.new_draft(who, deal_id=deal_id)),
        "board": named(str(deals.board(who))),
        "list": named(str(deals.list_deals(who))),
        "search": named(str(panel.search_deals(who, "Deal of"))),
        "export": named(exported(who)),
    }


def exported(who: Actor) -> str:
    return b"".join(export(who, "deal")).decode()


def test_the_names_of_readers_are_those_who_can_read() -> None:
    """M26: the popover's list is the predicate's own answer, and so is who would read it once shared."""
    world = World()
    names = {world.users[viewer].user_id: viewer for viewer in VIEWERS}
    aino = world.actor("aino")
    for members, admins in SCOPES:
        world.set_scopes(members, admins)
        for cell, row in world.rows.items():
            if cell.standing != "standing":
                continue
            view = readers.of_message(aino, row.id)
            now = {names[found.user_id] for found in view.readers}
            assert now == {viewer for viewer in VIEWERS if may_read(viewer, cell, members, admins)}, cell
            shared = Cell(cell.owner, "shared", cell.linked, cell.standing, cell.number)
            would = {names[found.user_id] for found in view.would}
            assert now | would == {viewer for viewer in VIEWERS if may_read(viewer, shared, members, admins)}, cell


def test_a_change_of_team_counts_at_once() -> None:
    """From the next event on: who joins sees, who leaves does not."""
    from mailcrm.services.auth import teams

    world = World()
    world.set_scopes("team", "own")
    root = world.users["root"]
    (team,) = teams.list_teams(root)
    ids = [world.users[name].user_id for name in ("aino", "otto")]
    teams.set_members(root, team.id, ids)
    assert answered(lambda: deals.get_deal(world.actor("otto"), world.deals["aino"]))
    assert not answered(lambda: deals.get_deal(world.actor("noor"), world.deals["aino"]))
    teams.delete(root, team.id)
    assert not answered(lambda: deals.get_deal(world.actor("otto"), world.deals["aino"]))
    assert answered(lambda: deals.get_deal(world.actor("aino"), world.deals["aino"]))
