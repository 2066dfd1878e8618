"""The truth table of plan.py against a real server: what was done here meets what another mail program did there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlmodel import col, delete

from mailcrm.models import MessageLocation
from mailcrm.services.db import transaction
from mailcrm.services.mail import threads
from tests.integration.writeback.conftest import Desk, make_desk, raw
from tests.integration.writeback.wire import TamperProxy
from tests.servers.dovecot import DovecotServer

There = Callable[[Desk], None]


def moved(folder: str) -> There:
    def act(desk: Desk) -> None:
        with desk.imap() as client:
            client.create("Customers")
            client.select("INBOX")
            client.uid("MOVE", str(desk.server("INBOX")[1][0]), folder)

    return act


def expunged(desk: Desk) -> None:
    with desk.imap() as client:
        client.select("INBOX")
        client.uid("STORE", str(desk.server("INBOX")[1][0]), "+FLAGS", "(\\Deleted)")
        client.expunge()


def flagged(sign: str, flag: str) -> There:
    def act(desk: Desk) -> None:
        with desk.imap() as client:
            client.select("INBOX")
            client.uid("STORE", str(desk.server("INBOX")[1][0]), sign + "FLAGS", f"({flag})")

    return act


def renumbered(desk: Desk) -> None:
    desk.dovecot.new_uidvalidity(desk.user)


def nothing(desk: Desk) -> None:
    pass


def archive(desk: Desk) -> None:
    threads.archive(desk.actor, desk.thread(1))


def trash(desk: Desk) -> None:
    threads.delete(desk.actor, desk.thread(1))


def read(desk: Desk) -> None:
    threads.mark_read(desk.actor, desk.thread(1), True)


TABLE = [
    # what the user does here, what happened there, how it ends, where the message is then
    (read, nothing, ("done", "done"), "INBOX"),
    (read, flagged("+", "\\Seen"), ("done", "already"), "INBOX"),
    (read, flagged("+", "\\Flagged"), ("done", "done"), "INBOX"),
    (read, moved("Customers"), ("obsolete", "gone"), "Customers"),
    (read, expunged, ("obsolete", "gone"), ""),
    (read, renumbered, ("done", "done"), "INBOX"),
    (archive, nothing, ("done", "done"), "Archive"),
    (archive, flagged("+", "\\Seen"), ("done", "done"), "Archive"),
    (archive, moved("Archive"), ("done", "already"), "Archive"),
    (archive, moved("Customers"), ("obsolete", "gone"), "Customers"),
    (archive, moved("Trash"), ("obsolete", "gone"), "Trash"),
    (archive, expunged, ("obsolete", "gone"), ""),
    (archive, flagged("+", "\\Deleted"), ("obsolete", "deleted_there"), "INBOX"),
    (archive, renumbered, ("done", "done"), "Archive"),
    (trash, nothing, ("done", "done"), "Trash"),
    (trash, moved("Trash"), ("done", "already"), "Trash"),
    (trash, moved("Customers"), ("obsolete", "gone"), "Customers"),
    (trash, expunged, ("obsolete", "gone"), ""),
    (trash, renumbered, ("done", "done"), "Trash"),
]


def name_of(there: object) -> str:
    return getattr(there, "__name__", str(there))


@pytest.mark.parametrize("plain", [False, True], ids=["move", "copy"])
@pytest.mark.parametrize(("here", "there", "end", "place"), TABLE, ids=lambda v: name_of(v) if callable(v) else None)
def test_the_table(
    migrated_sqlite: object, sqlite_db: object, dovecot: DovecotServer,
    here: There, there: There, end: tuple[str, str], place: str, plain: bool,
) -> None:  # fmt: skip
    """Each row of the table, with MOVE and without; a second run changes nothing, and the ledger adds up."""
    with TamperProxy((dovecot.host, dovecot.plain_port), ("MOVE",) if plain else ()) as proxy:
        desk = make_desk(dovecot, proxy=proxy)
        desk.deliver(raw(1))
        desk.deliver(raw(2))
        desk.sync()
        here(desk)
        there(desk)
        desk.write()
        assert [(a.state, a.outcome) for a in desk.actions()] == [end]
        folders = ("INBOX", "Archive", "Trash", "Customers")
        found = [folder for folder in folders if 1 in desk.server(folder)]
        assert found == ([place] if place else [])
        assert 2 in desk.server("INBOX"), "the neighbour is not touched"
        assert desk.server("INBOX")[2][1] == frozenset()
        before = {folder: desk.server(folder) for folder in folders}
        proxy.sent.clear()
        desk.write()
        desk.sync()
        desk.sync()
        assert {folder: desk.server(folder) for folder in folders} == before
        desk.ledger()
        gone = desk.message(1).gone_at is not None
        assert gone == (place == "" or (place == "Trash" and end != ("done", "done") and here is not trash)), place


def test_filed_elsewhere_and_seen_by_the_sync_is_the_servers_word(desk: Desk) -> None:
    """Moved to another synced folder there, and known here: archiving is obsolete, reading follows it."""
    desk.deliver(raw(1))
    desk.sync()
    archive(desk)
    read(desk)
    moved("Customers")(desk)
    desk.sync()
    desk.write()
    assert sorted(desk.states()) == [("archive", "obsolete", "moved"), ("read", "done", "done")]
    assert desk.server("Customers")[1][1] == {"\\Seen"}


def test_a_local_act_wins_until_it_is_done_then_the_servers_word(desk: Desk) -> None:
    """No flicker: a flag that changes there while a read waits here changes nothing on the screen."""
    desk.deliver(raw(1))
    desk.sync()
    read(desk)
    flagged("+", "\\Seen")(desk)
    desk.sync()
    flagged("-", "\\Seen")(desk)
    desk.sync()
    assert desk.message(1).read
    desk.write()
    assert desk.server("INBOX")[1][1] == {"\\Seen"}
    desk.sync()
    assert desk.message(1).read
    flagged("-", "\\Seen")(desk)
    desk.sync()
    assert not desk.message(1).read


def test_the_way_back_to_a_folder_that_is_gone_is_told(desk: Desk) -> None:
    desk.deliver(raw(1), "Projects")
    desk.sync()
    trash(desk)
    desk.write()
    with desk.imap() as client:
        client.delete("Projects")
    desk.sync()
    threads.restore(desk.actor, desk.message(1).thread_id)
    desk.write()
    assert desk.states()[-1] == ("undelete", "failed", "writeback.no_way_back")
    assert sorted(desk.server("Trash")) == [1], "it stays where it is, nothing is lost"


def test_a_message_without_message_id_is_moved_by_its_uid_alone(desk: Desk) -> None:
    data = b"From: bob@away.test\r\nSubject: nameless\r\n\r\nbody\r\n"
    desk.deliver(data)
    desk.sync()
    thread = desk.messages()[0].thread_id
    threads.archive(desk.actor, thread)
    desk.write()
    assert list(desk.server("Archive")) == [0]
    assert desk.sync().stored == 0
    threads.archive(desk.actor, thread, False)
    desk.write()
    assert list(desk.server("INBOX")) == [0]


def test_two_messages_with_one_message_id_are_not_confused(desk: Desk) -> None:
    """Message-ID alone is not unique: only the message of the act moves, not its namesake."""
    desk.deliver(raw(1, body="the one"))
    desk.sync()
    archive(desk)
    desk.dovecot.deliver(desk.user, raw(1, body="its namesake, later"), "Archive")
    with_uid = desk.server("INBOX")[1][0]
    desk.write()
    assert desk.states() == [("archive", "done", "done")]
    with desk.imap() as client:
        client.select("Archive", readonly=True)
        assert client.uid("SEARCH", "ALL")[1] == [b"1 2"]
        client.select("INBOX", readonly=True)
        assert client.uid("SEARCH", str(with_uid))[1] == [b""]


def test_a_location_that_was_lost_is_looked_up_before_anything_is_believed(desk: Desk) -> None:
    """Rows may be behind: an action keeps its own note of where the message was."""
    desk.deliver(raw(1))
    desk.sync()
    archive(desk)
    with transaction() as session:
        session.exec(delete(MessageLocation).where(col(MessageLocation.message_id) == desk.message(1).id))
    desk.write()
    assert sorted(desk.server("Archive")) == [1]
