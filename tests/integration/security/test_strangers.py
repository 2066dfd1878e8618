"""Strangers at the event socket are few (attack of issue 10, threat 14)."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing

import pytest

from mailcrm.endpoints.sockets import BY_NETWORK
from tests.integration.security.conftest import Person, Served
from tests.integration.security.wire import PATIENCE_S, Refused, Tab


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


def _of_a_stranger(served: Served, cookie: str) -> Tab:
    """Open a socket; those that were closed a moment ago may be counted still."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            return Tab(served.url, cookie=cookie)
        except Refused:
            assert time.monotonic() < ends
            time.sleep(0.05)
