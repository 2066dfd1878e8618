"""Deleted on the server (settled question 6): out of the Inbox; linked mail stays in timelines with a note, or goes."""

from __future__ import annotations

from mailcrm.services.crm import people, timeline
from mailcrm.services.crm.linking import link
from mailcrm.services.mail import mailboxes, threads
from tests.integration.writeback.conftest import Desk, raw


def delete_there(desk: Desk, n: int) -> None:
    with desk.imap() as client:
        client.select("INBOX")
        client.uid("STORE", str(desk.server("INBOX")[n][0]), "+FLAGS", "(\\Deleted)")
        client.expunge()


def test_gone_mail_leaves_the_inbox_and_keeps_its_note_unless_the_mailbox_hides_it(desk: Desk) -> None:
    person = people.create_person(desk.actor, name="Bob", addresses=["bob@away.test"])
    desk.deliver(raw(1))
    desk.deliver(raw(2))
    desk.sync()
    link.apply_rules(50)
    delete_there(desk, 1)
    desk.sync()
    desk.sync()

    def shown() -> dict[str, bool]:
        items = timeline.person_timeline(desk.actor, person.card.id).items
        return {item.message.subject: item.message.gone for item in items if item.message}

    inbox = [row.subject for row in threads.list_threads(desk.actor).rows]
    assert inbox == ["number 2"]
    assert shown() == {"number 1": True, "number 2": False}
    assert threads.open_thread(desk.actor, desk.thread(1)).messages[0].gone
    assert desk.actions() == [], "nothing is done on the server because of it"

    mailboxes.change(desk.actor, desk.mailbox_id, hide_gone=True)
    assert shown() == {"number 2": False}
    assert [row.subject for row in threads.list_threads(desk.actor, folder="all").rows] == ["number 2"]
    delete_there(desk, 2)
    desk.sync()
    desk.sync()
    assert shown() == {}, "what goes later is hidden too"
    assert threads.list_threads(desk.actor).total_unread == 0

    mailboxes.change(desk.actor, desk.mailbox_id, hide_gone=False)
    assert shown() == {"number 1": True, "number 2": True}
    desk.deliver(raw(2))
    desk.sync()
    assert shown() == {"number 1": True, "number 2": False}, "back on the server, the note goes"


def test_mail_that_we_moved_to_a_folder_that_is_not_synced_is_not_gone(desk: Desk) -> None:
    """Trash is not synced: what was deleted and restored here never carries the note."""
    desk.deliver(raw(1))
    desk.sync()
    threads.delete(desk.actor, desk.thread(1))
    desk.write()
    desk.sync()
    assert desk.message(1).gone_at is None
    threads.restore(desk.actor, desk.message(1).thread_id)
    assert [row.subject for row in threads.list_threads(desk.actor, folder="all").rows] == ["number 1"]
