"""The Gate: each event is let through only for the session that its tab belongs to (reflex.md §2, decision 8)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import reflex as rx
from reflex_base.event import Event

import mailcrm.mailcrm
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions
from mailcrm.services.db import transaction
from mailcrm.state import session as gate
from mailcrm.state.inbox import InboxState
from mailcrm.state.nav import NavState
from mailcrm.state.session import SessionState
from tests.builders import a_user

PRIVATE = "reflex___state____state.mailcrm___state___inbox____inbox_state.refresh"
PUBLIC = "reflex___state____state.hydrate"
TOKEN = "a-tab"


@pytest.fixture
def people(db: object) -> Iterator[tuple[Actor, Actor]]:
    yield a_user("Ann"), a_user("Bob")
    gate.TABS.clear()
    gate.LANGUAGES.clear()


def cookie_of(user: Actor) -> str:
    with transaction() as session:
        return f"{sessions.cookie_name()}={sessions.start(session, user.user_id)}"


class Tab:
    """A browser tab: one state tree and the headers of its socket."""

    def __init__(self) -> None:
        assert mailcrm.mailcrm.app is not None
        self.root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]

    def connect(self, cookie: str) -> None:
        """Open the socket; its headers stay as they are until the next one."""
        data = {"headers": {"cookie": cookie}, "token": TOKEN}
        self.root._update_router_vars(data, self.root.router_data)
        self.root.router_data = data

    def send(self, name: str) -> Any:
        """Return None when the event went through, else what the Gate answered instead."""
        return asyncio.run(gate.Gate().preprocess(mailcrm.mailcrm.app, self.root, Event(name=name)))

    def state(self, kind: type[rx.State]) -> Any:
        return asyncio.run(self.root.get_state(kind))


def test_a_signed_in_tab_gets_through_as_its_user(people: tuple[Actor, Actor]) -> None:
    """The actor is the cookie's user, and the tab is known for live changes."""
    tab, (ann, _) = Tab(), people
    tab.connect(cookie_of(ann))
    assert tab.send(PRIVATE) is None
    assert tab.state(SessionState)._actor.user_id == ann.user_id
    assert dict(gate.TABS) == {ann.user_id: {TOKEN}}


@pytest.mark.parametrize("cookie", ["", "sid=", "sid=made-up", "sid=\x00", "other=1; sid"])
def test_without_a_session_only_public_events_get_through(people: tuple[Actor, Actor], cookie: str) -> None:
    """An unknown secret is no session; the answer is a redirect, never the handler."""
    tab = Tab()
    tab.connect(cookie)
    assert tab.send(PUBLIC) is None
    answer = tab.send(PRIVATE)
    assert "/login" in str(answer.events)
    assert tab.state(SessionState)._actor is None


def test_signing_out_elsewhere_empties_the_tab(people: tuple[Actor, Actor]) -> None:
    """A session that ended works no longer, and what the tab held is forgotten with it."""
    tab, (ann, _) = Tab(), people
    cookie = cookie_of(ann)
    tab.connect(cookie)
    assert tab.send(PRIVATE) is None
    tab.state(InboxState).query = "secret words"
    tab.state(NavState).workspace = "Tidewater"
    sessions.sign_out(cookie)
    assert tab.send(PRIVATE) is not None
    assert tab.state(InboxState).query == ""
    assert tab.state(NavState).workspace == ""
    assert dict(gate.TABS) == {ann.user_id: set()}


def test_another_user_in_the_same_tab_sees_nothing_of_the_first(people: tuple[Actor, Actor]) -> None:
    """The tab's token outlives a sign-out; even a public event, which hydrates, must find an empty state."""
    tab, (ann, bob) = Tab(), people
    tab.connect(cookie_of(ann))
    assert tab.send(PRIVATE) is None
    tab.state(InboxState).query = "secret words"
    tab.connect(cookie_of(bob))
    assert tab.send(PUBLIC) is None
    assert tab.state(InboxState).query == ""
    assert tab.state(SessionState)._actor.user_id == bob.user_id
    assert dict(gate.TABS) == {ann.user_id: set(), bob.user_id: {TOKEN}}


def test_a_stolen_tab_token_is_not_enough(people: tuple[Actor, Actor]) -> None:
    """reflex.md §2: with the token alone a new socket resumed the state; without the cookie it gets nothing."""
    tab, (ann, _) = Tab(), people
    tab.connect(cookie_of(ann))
    assert tab.send(PRIVATE) is None
    tab.state(InboxState).query = "secret words"
    tab.connect("")
    tab.send(PUBLIC)
    assert tab.state(InboxState).query == ""
    assert tab.send(PRIVATE) is not None


def test_reflexs_own_setter_is_shut(people: tuple[Actor, Actor]) -> None:
    """`setvar` is on every state and calls any setter with a raw value; nothing of ours needs it."""
    tab, (ann, _) = Tab(), people
    tab.connect(cookie_of(ann))
    answer = tab.send("reflex___state____state.mailcrm___state___inbox____inbox_state.setvar")
    assert answer is not None
    assert answer.events == []
