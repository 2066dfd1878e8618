"""Exchange is synced like any mailbox: the same engine, ledger and verification, over its web services."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailcrm.models import Message
from mailcrm.services.crm import people
from mailcrm.services.db import reading
from mailcrm.services.mail import blobs
from mailcrm.services.mail.sync import verify
from mailcrm.services.mail.sync.engine import sync_mailbox
from tests.integration.ews.conftest import Exchange, connect
from tests.integration.sync.conftest import raw
from tests.servers.ews import EwsServer, Fault, Item


def test_stores_every_message_once_with_its_bytes(box: Exchange) -> None:
    """M11, issue 7.6: folders by their roles whatever their language, newest first, no calendar; the ledger adds up."""
    for n in range(1, 8):
        box.server.deliver(raw(n), seen=n == 3)
    box.server.deliver(raw(20), "sentitems", seen=True)
    box.server.add_folder("Kunden", parent="inbox")
    box.server.deliver(raw(21), "Kunden")
    report = box.sync()
    assert report.complete
    assert (report.stored, report.pending) == (9, 0)
    lines = box.ledger()
    assert (lines["Posteingang"].server, lines["Posteingang"].stored) == (7, 7)
    assert lines["Gesendete Elemente"].stored == 1
    assert lines["Posteingang/Kunden"].stored == 1
    assert "Kalender" not in lines
    messages = box.messages()
    assert blobs.get(messages["3"].blob_sha) == raw(3)
    assert messages["3"].read
    assert not messages["2"].read
    assert messages["20"].direction == "out"
    assert messages["1"].direction == "in"
    assert set(box.server.addresses) == {"", "ann@home.test"}


def test_a_pass_brings_what_changed_and_nothing_twice(box: Exchange) -> None:
    """New mail, read marks and deletions come by the folder's sync state; the UIDs of the others stay."""
    ids = {n: box.server.deliver(raw(n)) for n in range(1, 5)}
    box.sync()
    before = box.locations("Posteingang")
    box.server.calls.clear()
    report = box.sync()
    assert (report.stored, report.vanished, report.complete) == (0, 0, True)
    assert "GetItem" not in box.server.calls
    box.server.mark(ids[2], True)
    box.server.delete(ids[4])
    box.server.deliver(raw(5))
    box.server.deliver(raw(6))
    report = box.sync()
    assert (report.stored, report.vanished) == (2, 1)
    assert box.ledger()["Posteingang"].server == 5
    messages = box.messages()
    assert messages["2"].read
    after = box.locations("Posteingang")
    assert {uid: message for uid, message in after.items() if uid in before} == {
        uid: message for uid, message in before.items() if message != messages["4"].id
    }
    assert min(uid for uid, message in after.items() if message == messages["5"].id) > max(before)


def test_a_message_moved_by_another_program_costs_no_second_download(box: Exchange) -> None:
    """Its id changes there; its PidTagSearchKey does not. Also when the target is read before the source."""
    first = box.server.deliver(raw(1))
    box.server.deliver(raw(2))
    box.sync()
    stored = box.messages()["1"]
    assert (stored.size, (stored.remote_id or "")[:4]) == (len(raw(1)), "ews:")
    box.server.move(first, "Archiv")
    box.server.calls.clear()
    report = box.sync()
    assert list(box.locations("Archiv").values()) == [stored.id]
    assert set(box.locations("Posteingang").values()) == {box.messages()["2"].id}
    assert report.complete
    assert "GetItem" not in box.server.calls
    assert box.messages()["1"].gone_at is None


def test_a_draft_that_changes_under_its_id_is_read_again(box: Exchange) -> None:
    draft = box.server.deliver(raw(1, body="first words"), "Archiv", draft=True)
    box.sync()
    box.server.edit(draft, raw(1, body="second words"))
    box.sync()
    (message_id,) = box.locations("Archiv").values()
    with reading() as session:
        sha = session.get_one(Message, message_id).blob_sha
    assert blobs.get(sha) == raw(1, body="second words")
    assert box.ledger()["Archiv"].server == 1


def test_a_folder_that_is_renamed_keeps_its_mail(box: Exchange) -> None:
    made = box.server.add_folder("Alt")
    box.server.deliver(raw(1), "Alt")
    box.sync()
    made.name = "Neu/2026"
    box.server.calls.clear()
    box.sync()
    assert len(box.locations("Neu\u22152026")) == 1
    assert "GetItem" not in box.server.calls


def test_many_messages_come_in_pages_newest_first(box: Exchange) -> None:
    """A listing of several answers, and UIDs in the order of arrival; messages before the history are left there."""
    box.server.page = 7
    for n in range(1, 31):
        box.server.deliver(raw(n), n=n)
    assert box.sync().stored == 30
    locations = box.locations("Posteingang")
    numbers = {message.id: int(name) for name, message in box.messages().items()}
    assert [numbers[locations[uid]] for uid in sorted(locations)] == list(range(1, 31))
    for n in range(31, 50):
        box.server.deliver(raw(n), n=n)
    assert box.sync().stored == 19
    assert box.ledger()["Posteingang"].stored == 49


def test_a_lost_sync_state_lists_again_and_keeps_what_is_stored(box: Exchange) -> None:
    """ErrorInvalidSyncStateData: nothing is fetched twice, what went meanwhile is noticed."""
    ids = [box.server.deliver(raw(n)) for n in range(1, 6)]
    box.server.deliver(raw(9), "Archiv", draft=True)
    box.sync()
    before = box.locations("Posteingang")
    box.server.delete(ids[0])
    box.server.deliver(raw(6))
    box.server.epoch = 2
    report = box.sync()
    assert (report.stored, report.vanished) == (1, 1)
    after = box.locations("Posteingang")
    assert len(after) == 5
    assert {uid for uid in after if uid in before} == set(before) - {min(before)}


def test_a_listing_that_lacks_most_is_asked_for_again(box: Exchange) -> None:
    """Suddenly empty means unknown, never all deleted (rule 6)."""
    ids = [box.server.deliver(raw(n)) for n in range(1, 71)]
    box.sync()
    box.server.epoch = 2
    box.server.hide = set(ids[:65])  # once
    report = box.sync()
    assert (report.stored, report.vanished) == (0, 0)
    assert box.ledger()["Posteingang"].stored == 70


def test_what_exchange_cannot_write_as_mime_waits_with_its_reason(box: Exchange) -> None:
    """B02: one message that the server can't hand out is quarantined, the others are stored."""
    broken = box.server.deliver(raw(1))
    box.server.folder("inbox").items[broken].broken = True
    box.server.deliver(raw(2))
    report = box.sync()
    assert (report.stored, report.quarantined) == (1, 1)
    box.server.folder("inbox").items[broken].broken = False


def test_verify_compares_with_the_server_and_mends(box: Exchange) -> None:
    """B01: the comparison lists all of the server again; what our notes say does not stand for it."""
    ids = [box.server.deliver(raw(n)) for n in range(1, 7)]
    box.sync()
    store = box.server.folder("inbox")
    store.log.clear()  # the server forgets to tell: one went, one came
    del store.items[ids[0]]
    store.items["AAMkUntold="] = Item("AAMkUntold=", raw(8), store.items[ids[1]].received, b"untold")
    box.sync()
    assert "8" not in box.messages()
    report = verify.verify_mailbox(box.mailbox_id)
    assert report.state == "mended"
    box.sync()
    assert "8" in box.messages()
    assert set(box.locations("Posteingang").values()) == {
        message.id for name, message in box.messages().items() if name != "1"
    }
    box.ledger()


def test_contacts_only_asks_for_the_people_first(box: Exchange) -> None:
    """Settled question 9: no body is fetched of mail with nobody known."""
    people.create_person(box.actor, name="Bob", addresses=["bob@away.test"])
    box.change(contacts_only=True)
    box.server.deliver(raw(1))
    box.server.deliver(raw(2).replace(b"bob@away.test", b"eve@else.test"))
    box.sync()
    assert set(box.messages()) == {"1"}
    assert box.ledger()["Posteingang"].skipped == 1


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("ErrorServerBusy", "imap.throttled"),
        ("503", "imap.throttled"),
        ("cut", "server.lost"),
        ("garbage", "server.protocol"),
        ("ErrorInternalServerError", "imap.unavailable"),
        ("ErrorQuotaExceeded", "imap.refused"),
    ],
)
def test_a_server_in_trouble_is_asked_again_later(sqlite_db: Path, server: EwsServer, how: str, code: str) -> None:
    """Back-off as it asks for (M36); the mailbox stays connected, and the next pass goes on where this one ended."""
    box = connect(server)
    for n in range(1, 4):
        server.deliver(raw(n))
    # What is the folder's own trouble is met twice: before its newest are fetched, and when it is listed.
    times = 2 if code == "imap.refused" else 1
    server.faults.append(Fault("SyncFolderItems", how, times, back_off_ms=297_000))
    report = sync_mailbox(box.mailbox_id)
    failed = [report.error, *report.folder_errors.values()]
    assert [error.code for error in failed if error] == [code]
    (error,) = [error for error in failed if error]
    if how == "ErrorServerBusy":
        assert getattr(error, "retry_after", None) == 297
    assert box.row().status == "active"
    box.change(next_try_at=None)
    box.sync()
    assert box.ledger()["Posteingang"].stored == 3


def test_a_password_that_is_no_longer_accepted_asks_for_a_new_one(box: Exchange) -> None:
    """M10: three refusals in a row, as with IMAP; then the user is asked, and sync goes on from where it was."""
    box.server.deliver(raw(1))
    box.sync()
    box.server.password = "another"
    for _ in range(3):
        report = sync_mailbox(box.mailbox_id)
        assert report.error is not None
        assert report.error.code == "imap.wrong_password"
    assert box.row().status == "needs_reconnect"


def test_an_address_that_is_not_there_is_said(sqlite_db: Path, server: EwsServer) -> None:
    box = connect(server)
    server.faults.append(Fault("GetFolder", "ErrorNonExistentMailbox", times=9))
    report = sync_mailbox(box.mailbox_id)
    assert report.error is not None
    assert (report.error.code, report.error.params["address"]) == ("ews.no_mailbox", "ann@home.test")
