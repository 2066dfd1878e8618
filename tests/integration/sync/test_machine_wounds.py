"""What the state machine found, each once and for ever: the shortest story that showed it, told to the fake server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.imap.account import Quirks
from tests.integration.sync.machine.acts import Act, act, new_account
from tests.integration.sync.machine.database import Store
from tests.integration.sync.machine.world import World

CONDSTORE = Quirks(frozenset({"CONDSTORE"}))


@pytest.fixture(scope="module")
def store(migrated_sqlite: Path) -> Iterator[Store]:
    made = Store(migrated_sqlite)
    yield made
    made.close()


@pytest.fixture
def world(store: Store) -> World:
    return World(store, new_account(Quirks(), 3, high=False))


def does(world: World, *acts: Act) -> None:
    for what in acts:
        act(world.account, what)


def gone(world: World) -> list[bool]:
    return [bool(row[0]) for row in world.store.rows("SELECT gone_at IS NOT NULL FROM messages ORDER BY id")]


def test_mail_of_a_deleted_folder_is_marked_gone(world: World) -> None:
    """M12: it said "here" for ever, because only single messages were ever marked."""
    arbeit = world.account.boxes["Arbeit"]
    does(world, ("deliver", 0, 1, 0, 0, False), ("deliver", 2, 2, 0, 0, False))
    world.sync()
    world.account.delete(arbeit)
    world.settle()
    assert gone(world) == [False, True]


def test_mail_of_a_folder_that_a_listing_left_out_stays(world: World) -> None:
    """STATUS still knows the folder: only the listing lied. Nothing is fetched again."""
    does(world, ("deliver", 2, 2, 0, 0, False))
    world.sync()
    world.account.lies.append(("list_omits", 2))
    world.sync()
    assert gone(world) == [False]
    world.settle()
    assert gone(world) == [False]
    assert not any("BODY.PEEK[]" in line for line in world.network.commands)


def test_a_server_that_never_tells_uidnext_is_synced_again(store: Store) -> None:
    """RFC 3501 §2.3.1.1 has it optional for old servers: the second pass failed in STATUS for ever."""
    world = World(store, new_account(Quirks(uidnext=False), 1, high=False))
    does(world, ("deliver", 0, 1, 0, 0, False))
    world.sync()
    does(world, ("deliver", 0, 2, 0, 0, False), ("expunge", 0, 0))  # as many as before
    world.settle()


@pytest.mark.parametrize("kept", [-1, 0, 4, 12])
def test_a_connection_that_breaks_during_sign_in_is_no_wrong_password(world: World, kept: int) -> None:
    """Three of those and the user was asked for a password that was right (M10)."""
    world.sync()
    (login,) = (n for n, line in enumerate(world.network.commands) if line.startswith("LOGIN"))
    report = world.sync(cut=(login, kept))
    assert report is not None
    assert report.error is not None
    assert report.error.code in ("server.lost", "server.protocol")


def test_changes_told_on_opening_are_not_lost_by_opening_again(store: Store) -> None:
    """A server without UIDNEXT is opened twice; only the first answer had the changed flags, and the cursor moved."""
    offers = frozenset({"CONDSTORE", "QRESYNC", "ENABLE"})
    world = World(store, new_account(Quirks(offers, uidnext=False), 0, high=False))
    does(world, ("deliver", 0, 1, 0, 0, False))
    world.sync()
    does(world, ("flag", 0, 0, 1))
    world.settle()


def test_a_folder_that_is_deleted_during_a_pass_does_not_end_the_pass(world: World) -> None:
    """It was looked at, and gone when its mail was to be fetched: the others waited for the next pass."""
    does(world, ("deliver", 2, 1, 0, 0, False), ("create", 7))
    does(world, ("deliver", 4, 2, 0, 0, False))  # the folder "Neu", after "Arbeit"
    assert len(world.account.boxes["Neu"].mails) == 1
    report = world.sync(acts=[("BODY.PEEK[]", ("delete", 3))])  # while "Arbeit" is fetched
    assert report is not None
    assert report.error is None
    assert [error.code for error in report.folder_errors.values()] == ["imap.folder_missing"]
    world.settle()


@pytest.mark.parametrize("commit", range(1, 7))
@pytest.mark.parametrize("side", ["before", "after"])
def test_flags_survive_a_death_while_a_folder_is_mapped_anew(store: Store, commit: int, side: str) -> None:
    """New UIDs, and with them the folder's mod-sequence, were written before the flags: nobody asked for these again."""
    world = World(store, new_account(CONDSTORE, 0, high=False))
    does(world, ("deliver", 0, 1, 0, 0, False), ("deliver", 0, 2, 0, 0, False))
    world.sync()
    does(world, ("flag", 0, 0, 1), ("flip", 0, False))
    world.sync(death=(commit, side))
    world.settle()


def test_a_comparison_moves_the_cursor_behind_what_it_found(store: Store) -> None:
    """Mail that came between two looks got its row by the second one's listing, beyond the cursor."""
    world = World(store, new_account(CONDSTORE, 0, high=False))
    does(world, ("crowd", 0, 66))
    world.sync()
    does(world, ("empty", 0))  # too many vanish to be believed without a second connection
    world.sync(acts=[("UID SEARCH", ("deliver", 0, 1, 7, 2, True))], cut=("UID SEARCH", 138))
    world.settle()


@pytest.mark.parametrize("contacts", [False, True])
def test_moving_a_message_that_is_older_than_the_history_does_not_lose_it(store: Store, contacts: bool) -> None:
    """Settled question 7, "going less far deletes nothing": in its new folder it was passed over, and marked gone."""
    world = World(store, new_account(Quirks(), 3, high=False))
    does(world, ("deliver", 2, 0, 0, 0, True))
    world.sync()
    world.change(history_days=30, contacts_only=contacts)
    world.sync()
    does(world, ("move", 2, 0, 0))
    world.settle()
    assert gone(world) == [False]
    assert len(world.account.boxes["INBOX"].mails) == 1


def test_mail_of_a_deleted_folder_whose_name_another_takes_is_marked_gone(store: Store) -> None:
    """Its row went with the rename, and its mail with no word: it said "here" for ever."""
    offers = frozenset({"CONDSTORE", "ENABLE", "LIST-STATUS", "LIST-EXTENDED", "OBJECTID"})
    world = World(store, new_account(Quirks(offers), 2, high=False))
    does(world, ("deliver", 2, 0, 0, 0, False))
    world.sync()
    does(world, ("delete", 1), ("rename", 0, 0))
    world.settle()
    assert gone(world) == [True]


def test_a_message_that_came_in_the_place_of_another_is_found_by_the_flags_that_are_missing(store: Store) -> None:
    """The new one was left out of one SEARCH, and the counts agreed for ever after: one lost, one stored too many."""
    world = World(store, new_account(Quirks(), 0, high=False))
    does(world, ("deliver", 0, 0, 0, 1, False))
    world.sync()
    does(world, ("expunge", 0, 0), ("deliver", 0, 1, 0, 0, False))
    world.account.lies.append(("search_omits", 0))
    world.sync()
    world.settle()
    assert gone(world) == [True, False]


def test_a_message_that_could_not_be_read_stays_in_quarantine_when_less_history_is_wanted(store: Store) -> None:
    """B02, settled question 7: narrowing the history takes nothing away, neither stored mail nor what has a reason."""
    world = World(store, new_account(Quirks(), 0, high=False))
    does(world, ("deliver", 0, 11, 0, 0, True))
    world.sync()
    assert world.store.rows("SELECT count(*) FROM quarantine") == [(1,)]
    world.change(history_days=30, contacts_only=False)
    world.settle()
    assert world.store.rows("SELECT count(*) FROM quarantine") == [(1,)]
