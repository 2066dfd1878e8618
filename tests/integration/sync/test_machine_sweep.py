"""One busy pass, broken at each of its steps in turn: every commit, every command, every lie; then it converges.

What `test_machine.py` draws at random is tried here one after the other, for one story on two kinds of servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.imap.account import Quirks
from tests.integration.sync.machine.acts import act, new_account
from tests.integration.sync.machine.database import Store
from tests.integration.sync.machine.world import World

_SERVERS = {
    "plain": frozenset[str](),
    "qresync": frozenset({"CONDSTORE", "QRESYNC", "ENABLE", "LIST-EXTENDED", "LIST-STATUS", "OBJECTID"}),
}


@pytest.fixture(scope="module")
def store(migrated_sqlite: Path) -> Iterator[Store]:
    made = Store(migrated_sqlite)
    yield made
    made.close()


def _busy(store: Store, offers: frozenset[str]) -> World:
    """A mailbox that was synced, and then: new mail, flags, a move, and mail that vanished."""
    world = World(store, new_account(Quirks(offers), 2, high=False))
    inbox, arbeit = 0, 2
    for shape in (1, 2, 3):
        act(world.account, ("deliver", inbox, shape, 0, 0, False))
        act(world.account, ("deliver", arbeit, shape + 2, 0, 0, False))
    world.sync()
    act(world.account, ("flag", inbox, 0, 1))
    act(world.account, ("move", inbox, 1, arbeit))
    act(world.account, ("deliver", inbox, 8, 3, 0, False))
    act(world.account, ("expunge", arbeit, 0))
    act(world.account, ("expunge", arbeit, 0))
    return world


@pytest.mark.parametrize("server", _SERVERS)
def test_death_at_every_commit(store: Store, server: str) -> None:
    """M31: before each commit and after each."""
    commit = 0
    while True:
        commit += 1
        for side in ("before", "after"):
            world = _busy(store, _SERVERS[server])
            died = world.sync(death=(commit, side)) is None
            world.settle()
        if not died:
            break
    assert commit > 5


@pytest.mark.parametrize("server", _SERVERS)
def test_a_cut_in_every_answer(store: Store, server: str) -> None:
    """B09: not heard, and cut in its first line."""
    number = 0
    while True:
        for kept in (-1, 15):
            world = _busy(store, _SERVERS[server])
            world.sync(cut=(number, kept))
            cut = "cut" in world.happened
            world.settle()
        if not cut:
            break
        number += 1
    assert number > 6


@pytest.mark.parametrize(
    "lie", ["search_omits", "search_empty", "status_off", "exists_off", "fetch_omits", "list_omits"]
)
@pytest.mark.parametrize("server", _SERVERS)
def test_a_lie_drops_nothing_that_is_there(store: Store, server: str, lie: str) -> None:
    """Rule 6: an empty list is no deletion. Only what vanished and no new mail, so that the folders are compared."""
    for amount in (-1, 1):
        world = World(store, new_account(Quirks(_SERVERS[server]), 2, high=False))
        for shape in (1, 2, 3, 4):
            act(world.account, ("deliver", 0, shape, 0, 0, False))
        world.sync()
        act(world.account, ("expunge", 0, 0))
        world.account.lies.append((lie, amount))
        world.sync()
        world.settle()
