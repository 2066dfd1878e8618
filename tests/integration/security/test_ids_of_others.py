"""Ids of others (security.md threat 13, M25): what is somebody else's answers exactly as what does not exist.

Asked as a colleague and as an administrator, over every REST operation with an id (read from openapi.json, so a new one
is attacked by itself), the message routes, and every handler that takes an id.
"""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass
from typing import Any

import pytest

from mailcrm.endpoints.api import app as rest_app
from mailcrm.models import Notification
from mailcrm.services.auth import users
from mailcrm.services.crm.linking import link
from mailcrm.services.db import transaction
from mailcrm.services.mail import blocking
from mailcrm.services.mail.outbox import draft
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_quarantined
from tests.integration.security.conftest import Person, Served
from tests.integration.security.test_handlers_hostile import NETWORK, PARAMETERS, snapshot

CANARY = "CANARYIDOR"
ABSENT = 987_654
NONSENSE = ["0", "-1", str(2**63), str(10**30), "1.5", "abc", "%00", "1%0d%0aX-Evil:1", "١"]
#: The ids of rows that belong to one user alone; CRM rows are everybody's.
OWNED = ("thread_id", "message_id", "mailbox_id", "outbox_id", "notification_id", "quarantine_id", "blocked_id")
#: Handlers that work beside the tab's queue: what their last frame holds, for their frames may come after others'.
ENDS = {"thread.thread_state.fetch_file": "__toast"}
BODIES: dict[str, dict[str, Any]] = {
    "post /threads/{thread_id}/split": {"message_id": 1},
    "post /threads/{thread_id}/merge": {"into": 1},
    "patch /threads": {"read": True, "archived": True, "visibility": "shared"},
    "patch /messages": {"visibility": "shared"},
    "patch /blocked-addresses": {"scope": "domain"},
    "patch /mailboxes": {"default_visibility": "shared", "paused": True},
    "patch /outbox": {"state": "draft"},
    "put /mailboxes": {"everything": True},
    "patch /mailboxes/{mailbox_id}/folders/{folder_id}": {"watched": True},
    "post /mailboxes/{mailbox_id}/folders/preview": {"everything": True},
}


@dataclass
class World:
    """Aino's rows."""

    ids: dict[str, int]
    link_id: int
    deal_id: int
    user_id: int


@pytest.fixture(scope="module")
def world(served: Served, aino: Person) -> World:
    with served.inside():
        box = a_mailbox(aino.actor)
        quarantined = a_quarantined(box)
        sender = "Mika <mika@canaryidor.test>"
        message = a_message(box, sender=sender, subject=CANARY, text=CANARY, attachment=f"{CANARY}.pdf", tracked=True)
        deal = a_deal(aino.actor, "Idor deal", person=a_person(aino.actor, "Someone", "mika@canaryidor.test"))
        link.link_thread(aino.actor, message.thread_id, deal_id=deal.card.id)
        note = draft.new_draft(aino.actor, mailbox_id=box, to=f"x@{CANARY}.test")
        blocked = blocking.block(aino.actor, "address", f"{CANARY}@blocked.test").id
        with transaction() as session:
            row = Notification(user_id=aino.actor.user_id, kind="info", params={"title": CANARY, "detail": CANARY})
            session.add(row)
            session.flush()
            notification_id = row.id or 0
    database = sqlite3.connect(served.data / "mailcrm.sqlite3")
    found = database.execute("SELECT id FROM links WHERE thread_id = ?", (message.thread_id,)).fetchone()[0]
    database.close()
    ids = {
        "thread_id": message.thread_id, "message_id": message.id or 0, "mailbox_id": box, "outbox_id": note.id,
        "notification_id": notification_id, "quarantine_id": quarantined,
        "blocked_id": blocked,
    }  # fmt: skip
    return World(ids, found, deal.card.id, aino.actor.user_id)


@pytest.fixture(params=["member", "admin"])
def other(request: pytest.FixtureRequest, bob: Person, boss: Person) -> Person:
    """A colleague, and an administrator."""
    return boss if request.param == "admin" else bob


def operations() -> list[tuple[str, str, str]]:
    """(method, path, name of the owned id) of every REST operation on a row of one user."""
    found = []
    for path, methods in rest_app.openapi()["paths"].items():
        name = next((name for name in OWNED if f"{{{name}}}" in path), None)
        found += [(method, path, name) for method in methods if name]
    return sorted(found)


def test_operations_are_found() -> None:
    """The control: the list is read from the interface's own description and is not empty."""
    assert len(operations()) >= 17


@pytest.mark.parametrize(("method", "path", "name"), operations())
def test_rest_answers_alike_for_others_and_absent(
    served: Served, world: World, aino: Person, other: Person, method: str, path: str, name: str
) -> None:
    """Same status, same body, same headers; and nothing of Aino's changed."""
    before = snapshot(served, world.user_id)
    answers = [_rest(served, other, method, path, name, row_id) for row_id in (world.ids[name], ABSENT)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    assert CANARY not in answers[0][1]
    assert snapshot(served, world.user_id) == before
    if method == "get" and "attachments" not in path:
        assert _rest(served, aino, method, path, name, world.ids[name])[0] == 200, "the control: its owner may"


@pytest.mark.parametrize("row_id", NONSENSE)
def test_rest_ids_that_are_none(served: Served, world: World, other: Person, row_id: str) -> None:
    """No nonsense breaks a request; every answer is a problem document."""
    for method, path, name in operations():
        status, body, _ = _rest(served, other, method, path, name, row_id)
        assert status in (404, 405, 422), (method, path, row_id, status, body)
        assert CANARY not in body


@pytest.mark.parametrize("name", ["mailbox_id", "person_id", "deal_id"])
def test_rest_filters_of_others_find_nothing(served: Served, world: World, other: Person, name: str) -> None:
    """A filter by somebody else's row gives the empty list that an absent one gives; numbers of any size are answered."""
    value = world.ids.get(name, world.deal_id)
    for row_id in (value, ABSENT, 0, -1, 2**63, 10**30):
        answer = served.rest(other, "GET", f"/threads?folder=all&{name}={row_id}")
        assert answer.status_code in (200, 404, 422), (row_id, answer.text)
        assert CANARY not in answer.text
        if answer.status_code == 200:
            assert answer.json()["items"] == []


@pytest.mark.parametrize("field", ["mailbox_id", "reply_to_message_id", "deal_id"])
@pytest.mark.parametrize("absent", [False, True])
def test_rest_bodies_with_ids_of_others(served: Served, world: World, other: Person, field: str, absent: bool) -> None:
    """Nobody sends from, or quotes, what is not theirs to see."""
    with served.inside():
        own = a_mailbox(other.actor)
    wanted = {"mailbox_id": world.ids["mailbox_id"], "reply_to_message_id": world.ids["message_id"], "deal_id": ABSENT}
    for row_id in (ABSENT, 2**63, -5, 0) if absent else (wanted[field],):
        body = {"mailbox_id": own, "to": ["x@y.test"], "subject": "s", "text": "t"} | {field: row_id}
        answer = served.rest(other, "POST", "/messages", json=body)
        assert answer.status_code in (404, 422), answer.text
        assert CANARY not in answer.text


def test_linking_and_deals_with_ids_of_nobody(served: Served, other: Person) -> None:
    """Ids inside bodies of CRM rows, of any size."""
    for row_id in (ABSENT, 0, -1, 2**63, 10**30):
        for body in ({"person_id": row_id}, {"stage_id": row_id}, {"organization_id": row_id}):
            answer = served.rest(other, "POST", "/deals", json={"title": "x"} | body)
            assert answer.status_code in (404, 422), (body, answer.text)


@pytest.mark.parametrize(
    "tail",
    [
        "body",
        "body?remote=1",
        "raw",
        "original",
        "print",
        "attachments/1",
        "attachments/1?inline=1",
        "attachments/1/message",
        "attachments/1/text",
        "attachments/1/pdf",
    ],
)
def test_message_routes_answer_alike(served: Served, world: World, aino: Person, other: Person, tail: str) -> None:
    """/m/…: other's, absent and impossible ids have one answer, to the byte."""
    own, absent, *rest = (
        _page(served, other, f"/m/{row_id}/{tail}") for row_id in (world.ids["message_id"], ABSENT, *NONSENSE)
    )
    assert own == absent
    assert own[0] == 404
    for row_id, answer in zip(NONSENSE, rest, strict=True):
        assert answer[0] == 404, row_id
        assert answer == own or "%0d" in row_id  # no route at all has a line break
    if "attachments" not in tail:
        answer = served.client.get(f"/m/{world.ids['message_id']}/{tail}", headers={"Cookie": aino.cookie})
        assert answer.status_code == 200, "the control: its owner may"


def test_message_routes_without_a_session_tell_nothing(served: Served, world: World) -> None:
    """Signed out, an id that exists answers as one that does not."""
    for tail in ("body", "raw", "attachments/1"):
        one, none = (served.client.get(f"/m/{row_id}/{tail}") for row_id in (world.ids["message_id"], ABSENT))
        assert one.status_code == none.status_code == 401
        assert one.content == none.content


def _with_ids() -> list[str]:
    return sorted(
        name
        for name, names in PARAMETERS.items()
        if any(each.endswith("_id") for each in names) and name not in NETWORK
    )


def test_handlers_answer_alike_for_others_and_absent(served: Served, world: World, other: Person) -> None:
    """Each handler with an id: the frames for Aino's row and for none at all differ in nothing but the id itself."""
    with served.inside():
        a_mailbox(other.actor)
    ids = world.ids | {"draft_id": world.ids["outbox_id"], "link_id": world.link_id}
    crm = {"deal_id", "person_id", "stage_id", "pipeline_id", "user_id"}
    before = snapshot(served, world.user_id)
    heard: list[list[str]] = []
    for absent in (False, True):
        tab = served.tab(other)
        tab.call("nav.nav_state.load")  # the first event also says where the tab is
        got = []
        for name in _with_ids():
            if crm & set(PARAMETERS[name]) and not set(ids) & set(PARAMETERS[name]):
                continue
            payload = {
                each: (ABSENT if absent else ids.get(each, ABSENT)) if each.endswith("_id") else _plain(each)
                for each in PARAMETERS[name]
            }
            start = len(tab.frames)
            frames = tab.call(name, payload)
            if name in ENDS:
                tab.hear(ENDS[name], start)
                frames = tab.frames[start:]
            got.append(f"{name}: " + _same(frames, [ABSENT, *ids.values()]))
        tab.call("inbox.inbox_state.refresh")
        assert CANARY not in tab.text()
        tab.close()
        heard.append(got)
    for one, none in zip(*heard, strict=True):
        assert one == none
    assert snapshot(served, world.user_id) == before


def test_pages_with_ids_of_others(served: Served, world: World, other: Person) -> None:
    """Route arguments are as forgeable as payloads: the conversation's page, and every action on it."""
    tab = served.tab(other, path=f"/thread/{world.ids['thread_id']}")
    before = snapshot(served, world.user_id)
    tab.call("inbox.inbox_state.open_page")
    tab.call("inbox.inbox_state.select", {"thread_id": world.ids["thread_id"]})
    for name in ("archive", "delete", "unread", "refresh"):
        tab.call(f"inbox.inbox_state.{name}")
    tab.call("sharing.sharing_state.toggle")
    for name in ("add_contact", "link", "unlink"):
        payload = {"form": {"name": "x"}, "deal_id": world.deal_id}
        tab.call(f"panel.panel_state.{name}", {each: payload[each] for each in PARAMETERS[f"panel.panel_state.{name}"]})
    assert CANARY not in tab.text()
    assert snapshot(served, world.user_id) == before
    tab.close()


def test_members_do_not_administer(served: Served, aino: Person) -> None:
    """Inviting and switching off are an administrator's, also by a forged event."""
    bob = served.person("Bob")
    tab = served.tab(bob, path="/settings/people")
    tab.call("team.team_state.load")
    tab.call("team.team_state.ask_disable", {"user_id": aino.actor.user_id})
    tab.call("team.team_state.disable")
    tab.call("team.team_state.invite", {"form": {"invite_email": "eve@evil.test", "invite_role": "admin"}})
    assert "/invite/" not in tab.text()
    tab.close()
    with served.inside():
        assert not next(user for user in users.all_users(aino.actor) if user.id == aino.actor.user_id).disabled


def _rest(served: Served, person: Person, method: str, path: str, name: str, row_id: int | str) -> tuple[int, str, str]:
    url = (
        path.replace(f"{{{name}}}", str(row_id))
        .replace("{n}", "1")
        .replace("{folder_id}", "1")
        .replace("{write_id}", "1")
    )
    body = BODIES.get(f"{method} {path}") or BODIES.get(f"{method} /{path.split('/')[1]}")
    answer = served.rest(person, method.upper(), url, **({"json": body} if body else {}))
    headers = {key: value for key, value in answer.headers.items() if key not in ("date", "content-length")}
    return answer.status_code, answer.text, json.dumps(headers, sort_keys=True)


def _page(served: Served, person: Person, url: str) -> tuple[int, bytes, str]:
    answer = served.client.get(url, headers={"Cookie": person.cookie})
    headers = {key: value for key, value in answer.headers.items() if key != "date"}
    return answer.status_code, answer.content, json.dumps(headers, sort_keys=True)


def _plain(name: str) -> Any:
    return {"mode": "reply", "place": "dock", "on": True, "paused": True, "verb": "delete", "visibility": "shared",
            "name": "track_opens", "dropped": "0", "address": ""}.get(name, "")  # fmt: skip


def _same(frames: list[str], ids: list[int]) -> str:
    pushed = ("i18n_state", "nav_state", "outgoing_rx_state_", "bell_state")  # comes by itself, whatever was asked
    text = "\n".join(frame for frame in frames if not any(name in frame for name in pushed))
    for row_id in sorted(ids, reverse=True):
        text = re.sub(rf"\b{row_id}\b", "ID", text)
    text = re.sub(r'"(session_id|client_token|sec_websocket_key)":"[^"]*"', "", text)
    return re.sub(r"\b(tab-[0-9a-f]+|ID)\b", "X", text)
