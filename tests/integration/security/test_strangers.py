"""Strangers at the event socket: they hold little memory, and none once they are gone (attack of issue 10, threat 14)."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing

import pytest

from mailcrm.endpoints.sockets import BY_NETWORK
from tests.integration.security.conftest import Person, Served
from tests.integration.security.wire import PATIENCE_S, STATE, Refused, Tab


def test_a_strangers_tab_is_forgotten_when_it_closes(served: Served) -> None:
    """Reflex keeps a tab's state for an hour: a program that opens one after another would fill the memory."""
    tab = _of_a_stranger(served, "")
    _in_japanese(tab)
    tab.close()
    ends = time.monotonic() + PATIENCE_S
    while '"language_rx_state_":"ja"' in _opened_again(served, tab.token):
        assert time.monotonic() < ends, "its state is still there"


def test_somebodys_tab_is_kept(served: Served, aino: Person) -> None:
    """The control, and a promise: whose connection breaks finds the tab as it was."""
    tab = served.tab(aino)
    _in_japanese(tab)
    tab.close()
    assert '"language_rx_state_":"ja"' in _opened_again(served, tab.token, aino.cookie)


def test_strangers_are_few_and_shut_nobody_out(served: Served, aino: Person) -> None:
    """A hundred sockets without a session from one network; whoever is signed in is not counted."""
    with ExitStack() as opened:
        for _ in range(BY_NETWORK):
            opened.enter_context(closing(_of_a_stranger(served, "sid=forged")))
        with pytest.raises(Refused):
            served.tab()
        with closing(served.tab(aino)) as tab:
            tab.call("nav.nav_state.load")
            assert aino.email in tab.text()
    with closing(_of_a_stranger(served, "")) as tab:
        tab.call("welcome.welcome_state.open_login", path="/login")


def _in_japanese(tab: Tab) -> None:
    """Change what the tab's state holds, and wait until it does."""
    tab.send("welcome.welcome_state.set_language", {"language": "ja"})
    tab._until(lambda text: '"language_rx_state_":"ja"' in text.replace(" ", ""))


def _of_a_stranger(served: Served, cookie: str) -> Tab:
    """Open a socket; those that were closed a moment ago may be counted still."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            return Tab(served.url, cookie=cookie)
        except Refused:
            assert time.monotonic() < ends
            time.sleep(0.05)


def _opened_again(served: Served, token: str, cookie: str = "") -> str:
    with closing(Tab(served.url, cookie=cookie, token=token)) as again:
        start = len(again.frames)
        again.send(f"{STATE}.hydrate")
        again._until(lambda text: "language_rx_state_" in text)
        return "".join(again.frames[start:]).replace(" ", "")
