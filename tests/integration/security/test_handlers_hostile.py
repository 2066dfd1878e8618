"""Every registered handler with arguments that no page of ours sends (security.md threat 13: handlers are RPC).

One tab per hostile value; a second tab of the same user shows that the server still answers. What must never happen:
a traceback in a frame, a socket that closes or stays silent, a row of anybody else that changes.
"""

from __future__ import annotations

import re
import sqlite3
import time
from typing import Any

import pytest

from mailcrm.services.mail.outbox import draft
from tests.builders import a_deal, a_mailbox, a_message, a_person
from tests.integration.security.conftest import Person, Served
from tests.integration.security.test_gate import EVERY, PUBLIC
from tests.integration.security.wire import full_name

MEGABYTE = 900_000  # the socket takes a million bytes a message
HOSTILE: dict[str, Any] = {
    "text": "not-an-int",
    "list": [1, [2], {"a": 3}],
    "dict": {"id": 1, "__class__": "x", "html": ["x"]},
    "negative": -1,
    "huge": 10**30,
    "float": 1e308,
    "none": None,
    "flag": True,
    "empty": "",
    "nul": "a\x00b\r\nX-Evil: 1",
    "surrogate": "\ud800",
    "var": "<reflex.Var>x</reflex.Var>${alert(1)}</script>`",
    "format": "{0.__class__} %s {field}",
}
#: What makes a handler take long for a reason: it asks mail servers.
NETWORK = {
    "connect.connect_state.connect", "connect.connect_state.look", "connect.connect_state.start",
    "connect.connect_state.pick", "reconnect.reconnect_state.try_again", "settings.mailboxes_state.sign_in_again",
}  # fmt: skip


def parameters() -> dict[str, list[str]]:
    """The arguments of each handler, as Reflex knows them."""
    import inspect

    from reflex_base.registry import RegistrationContext

    import mailcrm.mailcrm

    assert mailcrm.mailcrm.app is not None
    known = RegistrationContext.get().event_handlers
    found = {}
    for name in EVERY:
        handler: Any = known[full_name(name)]
        found[name] = list(inspect.signature(getattr(handler, "handler", handler).fn).parameters)[1:]
    return found


PARAMETERS = parameters()


@pytest.fixture(scope="module")
def world(served: Served, aino: Person) -> dict[str, int]:
    """Rows of Aino's that nobody else may change; their ids."""
    with served.inside():
        box = a_mailbox(aino.actor)
        message = a_message(box, subject="CANARYHOSTILE", attachment="x.pdf")
        person = a_person(aino.actor, "Mika", "mika@saimaa.test")
        deal = a_deal(aino.actor, person=person)
        note = draft.new_draft(aino.actor, mailbox_id=box)
        return {
            "mailbox_id": box, "message_id": message.id or 0, "thread_id": message.thread_id,
            "person_id": person.card.id, "deal_id": deal.card.id, "draft_id": note.id, "outbox_id": note.id,
        }  # fmt: skip


def snapshot(served: Served, user_id: int) -> dict[str, list[Any]]:
    """Every row that belongs to a user alone, without what the linking rules do for everybody (the to-do column)."""
    database = sqlite3.connect(served.data / "mailcrm.sqlite3")
    try:
        found = {}
        for table in ("mailboxes", "messages", "outbox", "threads", "notifications", "users"):
            column = "id" if table == "users" else "user_id"
            shown = [row[1] for row in database.execute(f"PRAGMA table_info({table})") if row[1] != "link_pending"]
            found[table] = database.execute(
                f"SELECT {', '.join(shown)} FROM {table} WHERE {column} = ? ORDER BY id", (user_id,)
            ).fetchall()
        return found
    finally:
        database.close()


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_arguments_wedge_nothing(served: Served, world: dict[str, int], aino: Person, kind: str) -> None:
    """Each handler with the value in every argument, and in every field of its forms."""
    eve = served.person("Eve")
    before = snapshot(served, aino.actor.user_id)
    tab = served.tab(eve)
    tab.call("nav.nav_state.load")
    value = HOSTILE[kind]
    for name, names in PARAMETERS.items():
        if name in PUBLIC or name in NETWORK:
            continue
        tab.send(name, dict.fromkeys(names, value))
        if "form" in names:
            tab.send(name, {"form": _form(value)})
    tab.settle()
    _no_traceback(tab.text())
    assert "CANARYHOSTILE" not in tab.text()
    tab.call("nav.nav_state.load")
    assert eve.email in tab.text()
    tab.close()
    assert snapshot(served, aino.actor.user_id) == before


@pytest.mark.parametrize("kind", ["missing", "extra", "positional"])
def test_wrong_shapes_of_an_event_wedge_nothing(served: Served, aino: Person, kind: str) -> None:
    """Too few and too many arguments, and payloads that are no mapping."""
    tab = served.tab(aino)
    for name, names in PARAMETERS.items():
        if name in PUBLIC or name in NETWORK or not names:
            continue
        if kind == "missing":
            tab.send(name, {})
        elif kind == "extra":
            tab.send(name, dict.fromkeys([*names, "self", "state", "actor", "_actor"], 1))
        else:
            tab.send(name, {"0": 1, "": 2})
    tab.settle()
    _no_traceback(tab.text())
    tab.close()


@pytest.mark.parametrize(
    "frame",
    [
        '42/_event,["event",null]',
        '42/_event,["event",[]]',
        '42/_event,["event",{"name":null}]',
        '42/_event,["event",{"name":"x","payload":[]}]',
        '42/_event,["event",{"name":{"a":1},"payload":{}}]',
        '42/_event,["event","{"]',
        "42/_event,[]",
        '42/_event,["connect"]',
        '42/_event,["disconnect"]',
        "42/_event,not json",
        "45-1/_event,[]",
        "451-/_event,[]",
        "9",
    ],
)
def test_broken_frames_reach_only_their_sender(served: Served, aino: Person, boss: Person, frame: str) -> None:
    """A socket may be closed for nonsense; nobody else's is, and no traceback leaves."""
    bystander = served.tab(boss)
    tab = served.tab(aino)
    tab.raw(frame)
    tab.listen(0.1)
    bystander.call("nav.nav_state.load")
    assert boss.email in bystander.text()
    _no_traceback(tab.text())
    bystander.close()
    tab.close()


#: Texts of the largest size that fits the socket, built to make a backtracking expression slow (F15).
LONG = {
    "plain": "a" * MEGABYTE,
    "open tags": "<p" * (MEGABYTE // 2),
    "brackets": "<" * MEGABYTE,
    "paragraphs": "<p></p>" * (MEGABYTE // 7),
    "quotes": '<blockquote class="mailcrm-quote">' * (MEGABYTE // 34),
    "addresses": "a@b.c," * (MEGABYTE // 6),
    "entities": "&amp" * (MEGABYTE // 4),
    "words": "from: " * (MEGABYTE // 6),
}
LONG_TAKERS = (
    "composer.composer_state.change_body composer.composer_state.change composer.composer_state.compose_to "
    "panel.panel_state.find people.people_state.find board.board_state.find_person search.search_state.search"
).split()


@pytest.mark.parametrize("kind", LONG)
def test_long_texts_hold_up_nobody_else(
    served: Served, aino: Person, boss: Person, world: dict[str, int], kind: str
) -> None:
    """Rule 8 and F15: while one user's handlers chew on 900 KB, another's tab is answered.

    The bound is wide (a loaded machine): what it catches is an expression whose time is squared, minutes at this size.
    """
    eve = served.person("Eve")
    with served.inside():
        a_mailbox(eve.actor)
    tab, bystander = served.tab(eve), served.tab(boss)
    tab.call("composer.composer_state.compose")
    text = LONG[kind]
    started = time.monotonic()
    for name in LONG_TAKERS:
        first, *others = PARAMETERS[name]
        payload = {first: text} | dict.fromkeys(others, 1)  # more would not fit the socket
        if name.endswith(".change"):
            payload |= {"field": "to", "value": text}
        elif "form" in payload:
            payload = {"form": {"query": text}}
        tab.send(name, payload)
    tab.send("composer.composer_state.open_draft", {"draft_id": _newest_draft(served, eve)})
    bystander.call("nav.nav_state.load")
    waited = time.monotonic() - started
    tab.settle()
    assert waited < 15, f"another user waited {waited:.0f} s"
    _no_traceback(tab.text())
    tab.close()
    bystander.close()


def _newest_draft(served: Served, person: Person) -> int:
    database = sqlite3.connect(served.data / "mailcrm.sqlite3")
    try:
        return database.execute("SELECT max(id) FROM outbox WHERE user_id = ?", (person.actor.user_id,)).fetchone()[0]
    finally:
        database.close()


def _form(value: Any) -> dict[str, Any]:
    names = (
        "name address organization job_title to cc bcc subject html reason lost_reason deal_title deal_value deal_stage "
        "deal_currency deal_person person_name person_address person_phone person_organization person_job query "
        "invite_email invite_role current_password new_password proof first_code mailbox_address consent consent_source source"
    )
    return dict.fromkeys(names.split(), value)


def _no_traceback(text: str) -> None:
    assert not re.search(r"Traceback|File \\?\"|sqlalchemy|site-packages|IntegrityError", text), text[-2000:]
