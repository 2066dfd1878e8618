"""What the user does here is done in the Exchange mailbox, exactly once, where the setting asks for it (M15, M16)."""

from __future__ import annotations

from sqlmodel import col, select

from mailcrm.models import ServerAction
from mailcrm.services.db import reading
from mailcrm.services.mail import threads
from tests.integration.ews.conftest import Exchange
from tests.integration.sync.conftest import raw
from tests.servers.ews import Fault

ID = "<1@sync.test>"
#: All that may ever be called; none of them deletes.
CALLS = {
    "ConvertId", "GetFolder", "SyncFolderHierarchy", "SyncFolderItems", "GetItem", "UpdateItem", "MoveItem",
    "CreateItem",
}  # fmt: skip


def states(box: Exchange) -> list[tuple[str, str]]:
    with reading() as session:
        query = select(ServerAction.kind, ServerAction.state).where(ServerAction.mailbox_id == box.mailbox_id)
        return [(kind, state) for kind, state in session.exec(query.order_by(col(ServerAction.id)))]


def test_reading_archiving_and_deleting_there_and_back(box: Exchange) -> None:
    """Read, unread; archive is a move and delete a move to the trash; undo moves back; nothing is fetched again."""
    box.change(write_archive=True, write_delete=True)
    box.server.deliver(raw(1))
    box.server.deliver(raw(2))
    box.sync()
    message = box.messages()["1"]
    for read in (True, False, True):
        threads.mark_read(box.actor, message.thread_id, read)
        assert box.write() == 1
        assert box.server.messages("inbox")[ID].seen is read
    assert not box.server.messages("inbox")["<2@sync.test>"].seen
    box.server.calls.clear()
    threads.archive(box.actor, message.thread_id)
    assert box.write() == 1
    assert set(box.server.messages("Archiv")) == {ID}
    assert list(box.locations("Archiv").values()) == [message.id]
    threads.archive(box.actor, message.thread_id, False)
    assert box.write() == 1
    assert ID in box.server.messages("inbox")
    threads.delete(box.actor, message.thread_id)
    assert box.write() == 1
    assert set(box.server.messages("deleteditems")) == {ID}
    threads.restore(box.actor, message.thread_id)
    assert box.write() == 1
    assert set(box.server.messages("inbox")) == {ID, "<2@sync.test>"}
    report = box.sync()
    assert (report.stored, report.complete) == (0, True)
    assert box.messages()["1"].gone_at is None
    assert set(box.locations("Posteingang").values()) == {message.id, box.messages()["2"].id}
    assert set(box.server.calls) <= CALLS
    assert box.messages()["1"].read
    box.ledger()


def test_a_move_whose_answer_was_lost_is_done_once(box: Exchange) -> None:
    """The server did it; the next try finds the message in its target and moves nothing."""
    box.change(write_archive=True)
    box.server.deliver(raw(1))
    box.sync()
    box.server.faults.append(Fault("MoveItem", "late cut"))
    threads.archive(box.actor, box.messages()["1"].thread_id)
    box.write()
    box.write()
    assert set(box.server.messages("Archiv")) == {ID}
    assert states(box) == [("archive", "done")]
    assert box.server.calls.count("MoveItem") == 1
    box.sync()
    assert len(box.messages()) == 1
    assert list(box.locations("Archiv").values()) == [box.messages()["1"].id]


def test_what_went_meanwhile_is_left_alone(box: Exchange) -> None:
    box.change(write_archive=True)
    kept = box.server.deliver(raw(1))
    gone = box.server.deliver(raw(2))
    box.sync()
    threads.archive(box.actor, box.messages()["1"].thread_id)
    threads.archive(box.actor, box.messages()["2"].thread_id)
    box.server.add_folder("Kunden")
    box.server.move(kept, "Kunden")
    box.server.delete(gone)
    box.write()
    assert {state for _, state in states(box)} == {"obsolete"}
    assert "MoveItem" not in box.server.calls


def test_nothing_is_written_that_nobody_asked_for(box: Exchange) -> None:
    """Settled question 5: archive and delete are off at first."""
    box.server.deliver(raw(1))
    box.sync()
    threads.archive(box.actor, box.messages()["1"].thread_id)
    threads.delete(box.actor, box.messages()["1"].thread_id)
    box.write()
    assert not {"MoveItem", "UpdateItem", "CreateItem", "DeleteItem"} & set(box.server.calls)
    assert set(box.server.messages("inbox")) == {ID}
