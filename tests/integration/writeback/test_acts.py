"""What the user does here is done in the mailbox, exactly once, where the setting asks for it (M15, M16)."""

from __future__ import annotations

import pytest

from mailcrm.errors import NotFound
from mailcrm.services.access import Actor
from mailcrm.services.mail import mailboxes, threads
from mailcrm.services.mail.writeback import shown
from tests.integration.writeback.conftest import Desk, make_desk, raw
from tests.integration.writeback.wire import TamperProxy
from tests.servers.dovecot import DovecotServer


def test_reading_here_marks_seen_there_and_unread_takes_it_off(desk: Desk) -> None:
    """M15, settled question 5: \\Seen and no other flag."""
    desk.deliver(raw(1), flags=["\\Flagged"])
    desk.deliver(raw(2))
    desk.sync()
    threads.mark_read(desk.actor, desk.thread(1), True)
    assert desk.write() == 1
    assert desk.server("INBOX")[1][1] == {"\\Flagged", "\\Seen"}
    assert desk.server("INBOX")[2][1] == frozenset()
    desk.sync()
    assert desk.message(1).read
    threads.mark_read(desk.actor, desk.thread(1), False)
    desk.write()
    assert desk.server("INBOX")[1][1] == {"\\Flagged"}
    desk.sync()
    assert not desk.message(1).read


def test_read_unread_read_in_a_row_is_one_act(desk: Desk) -> None:
    desk.deliver(raw(1))
    desk.sync()
    for read in (True, False, True):
        threads.mark_read(desk.actor, desk.thread(1), read)
    assert [a.state for a in desk.actions()].count("queued") == 1
    desk.write()
    assert desk.server("INBOX")[1][1] == {"\\Seen"}
    for read in (False, True):
        threads.mark_read(desk.actor, desk.thread(1), read)
    assert desk.write() == 0, "what is as it was needs no command"


@pytest.mark.parametrize("hide", [(), ("MOVE",), ("MOVE", "CONDSTORE", "QRESYNC")])
def test_archiving_moves_and_the_next_sync_downloads_nothing(
    db: str, dovecot: DovecotServer, hide: tuple[str, ...]
) -> None:
    with TamperProxy((dovecot.host, dovecot.plain_port), hide) as proxy:
        desk = make_desk(dovecot, proxy=proxy)
        for n in (1, 2, 3):
            desk.deliver(raw(n))
        desk.sync()
        desk.sync()  # the cursor of Archive is there
        threads.archive(desk.actor, desk.thread(2))
        assert desk.write() == 1
        assert sorted(desk.server("INBOX")) == [1, 3]
        assert sorted(desk.server("Archive")) == [2]
        assert desk.message(2).gone_at is None
        assert list(desk.locations("Archive").values()) == [desk.message(2).id]
        assert len(desk.locations()) == 2
        desk.ledger()
        proxy.sent.clear()
        assert desk.sync().stored == 0
        assert "BODY.PEEK[]" not in proxy.sent.decode("latin-1")
        assert desk.message(2).gone_at is None
        assert {name: line.stored for name, line in desk.ledger().items() if line.stored} == {"INBOX": 2, "Archive": 1}
        threads.archive(desk.actor, desk.thread(2), False)
        assert desk.write() == 1
        assert sorted(desk.server("INBOX")) == [1, 2, 3]
        assert desk.server("Archive") == {}
        desk.sync()
        assert len(desk.locations()) == 3
        assert not desk.message(2).archived
        desk.ledger()


def test_undo_within_the_window_sends_nothing(desk: Desk) -> None:
    desk.deliver(raw(1))
    desk.sync()
    threads.delete(desk.actor, desk.thread(1))
    threads.restore(desk.actor, desk.message(1).thread_id)
    threads.archive(desk.actor, desk.thread(1))
    threads.archive(desk.actor, desk.thread(1), False)
    assert desk.write() == 0
    assert desk.states() == [("delete", "obsolete", "undone"), ("archive", "obsolete", "undone")]
    assert sorted(desk.server("INBOX")) == [1]


def test_nothing_is_sent_before_the_undo_window_is_over(desk: Desk) -> None:
    from mailcrm.services.mail.writeback.apply import write_back

    desk.deliver(raw(1))
    desk.sync()
    threads.archive(desk.actor, desk.thread(1))
    assert write_back(desk.mailbox_id) == 0
    assert sorted(desk.server("INBOX")) == [1]


def test_deleting_moves_the_whole_conversation_to_trash_and_restoring_brings_each_back(desk: Desk) -> None:
    """M16: never expunged; Trash is not synced, and yet the way back is known (COPYUID)."""
    desk.deliver(raw(1))
    desk.deliver(raw(2, reply_to=1), "Sent", flags=["\\Seen"])
    desk.sync()
    threads.delete(desk.actor, desk.thread(1))
    assert desk.write() == 2
    assert sorted(desk.server("Trash")) == [1, 2]
    assert desk.server("INBOX") == desk.server("Sent") == {}
    desk.sync()
    desk.ledger()
    threads.restore(desk.actor, desk.message(1).thread_id)
    assert desk.write() == 2
    assert desk.server("Trash") == {}
    assert sorted(desk.server("INBOX")) == [1]
    assert desk.server("Sent")[2][1] == {"\\Seen"}
    assert desk.sync().stored == 0
    assert all(desk.message(n).gone_at is None for n in (1, 2))
    desk.ledger()


def test_archive_then_delete_then_restore_leaves_it_archived(desk: Desk) -> None:
    desk.deliver(raw(1))
    desk.sync()
    threads.archive(desk.actor, desk.thread(1))
    threads.delete(desk.actor, desk.thread(1))
    desk.write()
    assert sorted(desk.server("Trash")) == [1]
    threads.restore(desk.actor, desk.message(1).thread_id)
    desk.write()
    assert sorted(desk.server("Archive")) == [1]
    assert desk.message(1).archived
    desk.sync()
    assert desk.message(1).archived
    desk.ledger()


def test_settings_that_are_off_queue_nothing_and_switching_off_cancels(db: str, dovecot: DovecotServer) -> None:
    """M15, M16: never by default for a mailbox that was not asked."""
    desk = make_desk(dovecot, write_read=False, write_archive=False, write_delete=False)
    desk.deliver(raw(1))
    desk.sync()
    threads.mark_read(desk.actor, desk.thread(1), True)
    threads.archive(desk.actor, desk.thread(1))
    threads.delete(desk.actor, desk.thread(1))
    assert desk.actions() == []
    threads.restore(desk.actor, desk.message(1).thread_id)
    threads.archive(desk.actor, desk.thread(1), False)
    threads.mark_read(desk.actor, desk.thread(1), False)
    mailboxes.change(desk.actor, desk.mailbox_id, write_archive=True, write_read=True)
    threads.archive(desk.actor, desk.thread(1))
    threads.mark_read(desk.actor, desk.thread(1), True)
    mailboxes.change(desk.actor, desk.mailbox_id, write_archive=False)
    assert desk.states() == [("archive", "obsolete", "switched_off"), ("read", "queued", "")]
    assert desk.write() == 1
    assert desk.server("INBOX")[1][1] == {"\\Seen"}


def test_a_missing_folder_is_told_never_made_and_can_be_tried_again(db: str, dovecot: DovecotServer) -> None:
    desk = make_desk(dovecot, archive=False)
    desk.deliver(raw(1))
    desk.sync()
    threads.archive(desk.actor, desk.thread(1))
    desk.write()
    assert desk.states() == [("archive", "failed", "writeback.no_archive")]
    (view,) = shown.failed(desk.actor, desk.mailbox_id)
    assert "no archive folder" in view.sentence
    assert view.subject == "number 1"
    with desk.imap() as client:
        assert b"Archive" not in b"".join(client.list()[1])  # type: ignore[arg-type]
        client.create("Archive")
    desk.sync()
    shown.retry(desk.actor, view.id)
    desk.write()
    assert sorted(desk.server("Archive")) == [1]
    assert shown.failed(desk.actor, desk.mailbox_id) == shown.pending_actions(desk.actor, desk.mailbox_id) == ()


def test_only_the_mailboxes_own_user_can_cause_and_see_any_of_it(desk: Desk) -> None:
    """A colleague's id, and an administrator's, give NotFound."""
    desk.deliver(raw(1))
    desk.sync()
    for stranger in (Actor(desk.user_id + 1), Actor(desk.user_id + 1, admin=True)):
        for act in (threads.archive, threads.delete, threads.restore):
            with pytest.raises(NotFound):
                act(stranger, desk.thread(1))
        with pytest.raises(NotFound):
            threads.mark_read(stranger, desk.thread(1), True)
    assert desk.actions() == []
    threads.archive(desk.actor, desk.thread(1))
    action = desk.actions()[0].id or 0
    for stranger in (Actor(desk.user_id + 1), Actor(desk.user_id + 1, admin=True)):
        for look in (shown.pending_actions, shown.failed):
            with pytest.raises(NotFound):
                look(stranger, desk.mailbox_id)
        for verb in (shown.retry, shown.dismiss):
            with pytest.raises(NotFound):
                verb(stranger, action)
    assert desk.states() == [("archive", "queued", "")]


def test_a_server_with_neither_move_nor_uidplus_is_told_to_the_user(db: str, dovecot: DovecotServer) -> None:
    with TamperProxy((dovecot.host, dovecot.plain_port), ("MOVE", "UIDPLUS")) as proxy:
        desk = make_desk(dovecot, proxy=proxy)
        desk.deliver(raw(1))
        desk.sync()
        threads.delete(desk.actor, desk.thread(1))
        desk.write()
        assert desk.states() == [("delete", "failed", "writeback.no_safe_move")]
        assert sorted(desk.server("INBOX")) == [1]
        assert desk.server("Trash") == {}
        shown.dismiss(desk.actor, desk.actions()[0].id or 0)
        assert desk.states() == [("delete", "obsolete", "dismissed")]


def test_a_move_without_copyuid_is_found_by_message_id(db: str, dovecot: DovecotServer) -> None:
    with TamperProxy((dovecot.host, dovecot.plain_port), ("UIDPLUS", "COPYUID")) as proxy:
        desk = make_desk(dovecot, proxy=proxy)
        desk.deliver(raw(1))
        desk.sync()
        threads.archive(desk.actor, desk.thread(1))
        desk.write()
        assert list(desk.locations("Archive").values()) == [desk.message(1).id]
        assert desk.sync().stored == 0
        desk.ledger()


def test_a_refusal_is_tried_again_then_kept_with_the_servers_words(db: str, dovecot: DovecotServer) -> None:
    with TamperProxy((dovecot.host, dovecot.plain_port)) as proxy:
        desk = make_desk(dovecot, proxy=proxy)
        desk.deliver(raw(1))
        desk.deliver(raw(2))
        desk.sync()
        proxy.refuse = b"UID MOVE"
        threads.archive(desk.actor, desk.thread(1))
        desk.write()
        action = desk.actions()[0]
        assert (action.state, action.error_code) == ("queued", "imap.refused")
        assert action.next_try_at is not None
        for _ in range(5):
            desk.write()
        (view,) = shown.failed(desk.actor, desk.mailbox_id)
        assert "Not today" in view.sentence
        proxy.refuse = None
        shown.retry(desk.actor, view.id)
        desk.write()
        assert sorted(desk.server("Archive")) == [1]
        assert sorted(desk.server("INBOX")) == [2]


def test_an_unreachable_server_keeps_it_all_for_later(desk: Desk) -> None:
    desk.deliver(raw(1))
    desk.sync()
    threads.archive(desk.actor, desk.thread(1))
    with_port(desk, 1)
    desk.write()
    action = desk.actions()[0]
    assert (action.state, action.tries, action.error_code) == ("queued", 0, "server.refused")
    assert shown.pending_actions(desk.actor, desk.mailbox_id)[0].sentence
    with_port(desk, desk.dovecot.plain_port)
    desk.write()
    assert sorted(desk.server("Archive")) == [1]


def with_port(desk: Desk, port: int) -> None:
    from mailcrm.models import Mailbox
    from mailcrm.services.db import transaction

    with transaction() as session:
        row = session.get_one(Mailbox, desk.mailbox_id)
        row.imap_port = port
        session.add(row)


def test_a_move_behind_mail_that_no_sync_saw_yet_is_counted_once(desk: Desk) -> None:
    """B01: the listing that brings the other message brings ours again; it has its place already."""
    for n in (1, 2):
        desk.deliver(raw(n))
    desk.sync()
    desk.sync()
    desk.deliver(raw(50), "Archive")
    threads.archive(desk.actor, desk.thread(1))
    threads.archive(desk.actor, desk.thread(2))
    assert desk.write() == 2
    assert desk.sync().stored == 1
    assert sorted(desk.locations("Archive").values()) == sorted(m.id or 0 for m in desk.messages())
    assert len(desk.messages()) == 3
    assert desk.ledger()["Archive"].server == 3
