"""What lies in Junk alone: kept, found by a search, and in no timeline, figure, unread count or link; and back again."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlmodel import Session, col, select

from mailcrm.models import Folder, Link, Mailbox, Message, MessageLocation, Thread
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm import correspondence, deals, leads, organizations, people, timeline
from mailcrm.services.crm.linking import link, newest, suggest
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import junk, threads
from mailcrm.services.mail.imap.folders import FolderRole, RemoteFolder
from mailcrm.services.mail.sync import homes
from mailcrm.services.mail.sync.folder_rows import save_folders
from mailcrm.services.mail.thread.summary import refresh_thread
from tests.builders import NOON, a_deal, a_mailbox, a_message, a_person, a_user
from tests.integration.sync.conftest import Box, raw


def actor_of(box: Box) -> Actor:
    with reading() as session:
        return access.actor_for(session, box.user_id)


def choose(box: Box, name: str) -> None:
    """Sync a folder from now on."""
    with transaction() as session:
        session.exec(select(Folder).where(Folder.mailbox_id == box.mailbox_id, Folder.name == name)).one().chosen = True
        session.get_one(Mailbox, box.mailbox_id).sync_requested_at = NOON


@contextmanager
def program(box: Box) -> Iterator[imaplib.IMAP4]:
    """Another mail program of the same person. (Files put into a Maildir are seen by Dovecot a little later.)"""
    with imaplib.IMAP4("localhost", box.dovecot.plain_port) as connection:
        connection.login(box.user, "secret")
        yield connection


def append(box: Box, folder: str) -> None:
    with program(box) as connection:
        connection.append(folder, None, None, raw(1))  # type: ignore[arg-type]


def move(box: Box, source: str, target: str) -> None:
    """Move the one message of a folder."""
    with program(box) as connection:
        connection.select(source)
        assert connection.uid("MOVE", "1:*", target)[0] == "OK"


def state(box: Box, name: str = "1@sync.test") -> tuple[bool, int]:
    """(junk, unread emails of its conversation)."""
    with reading() as session:
        message = session.exec(select(Message).where(Message.rfc_message_id == name)).one()
        return message.junk, session.get_one(Thread, message.thread_id).unread_count


def test_into_junk_and_out_of_it_on_a_real_server(box: Box) -> None:
    """Moved by another program, both ways; out of Junk it is linked as if it had just come."""
    actor = actor_of(box)
    bob = people.create_person(actor, name="Bob", addresses=["bob@away.test"]).card.id
    box.sync()
    choose(box, "Junk")
    append(box, "Junk")
    box.sync()
    link.apply_rules()
    assert state(box) == (True, 0)
    assert history(actor, bob) == []
    (row,) = threads.list_threads(actor, folder="all").rows
    assert not row.unread, "kept, to be found"
    move(box, "Junk", "INBOX")
    box.sync()
    link.apply_rules()
    assert state(box) == (False, 1)
    assert len(history(actor, bob)) == 1
    move(box, "INBOX", "Junk")
    box.sync()
    assert state(box) == (True, 0)
    assert history(actor, bob) == []
    assert len(box.messages()) == 1, "never fetched as another message"


def test_a_copy_that_stands_elsewhere_is_no_junk(box: Box) -> None:
    """Only alone in Junk; a copy in the Trash says nothing."""
    box.sync()
    choose(box, "Junk")
    choose(box, "Trash")
    for folder in ("Junk", "Trash", "INBOX"):
        append(box, folder)
    box.sync()
    assert state(box) == (False, 1)
    move(box, "INBOX", "Trash")
    box.sync()
    assert state(box) == (True, 0)


def history(actor: Actor, person_id: int) -> list[object]:
    items = timeline.person_timeline(actor, person_id).items
    return [item.ref for item in items if item.kind == "thread_message"]


@pytest.mark.usefixtures("db")
class TestSurfaces:
    """Rows as the sync leaves them."""

    def test_no_history_figure_or_list_holds_it(self) -> None:
        """Of persons, organizations, deals and leads; for its owner and for colleagues."""
        aino, noor = a_user("Aino"), a_user("Noor")
        box = a_mailbox(aino)
        person = a_person(aino, "Mika", "mika@saimaa.test", organization="Saimaa")
        deal = a_deal(aino, "One", person=person).card.id
        lead = leads.create_lead(aino, title="Perhaps", person_id=person.card.id).id
        good = a_message(box, visibility="shared")
        spam = a_message(box, visibility="shared", thread_id=good.thread_id, folder="junk", tracked=True)
        link.link_thread(aino, good.thread_id, person_id=person.card.id)
        link.link_thread(aino, good.thread_id, deal_id=deal)
        with transaction() as session:
            session.add(Link(thread_id=good.thread_id, lead_id=lead, origin="manual", created_at=NOON))
            assert junk.settle_messages(session, [good.id or 0, spam.id or 0]) == 1
            assert junk.settle_messages(session, [good.id or 0, spam.id or 0]) == 0, "twice changes nothing"
        (organization,) = organizations.list_organizations(aino)
        for viewer in (aino, noor):
            for page in (
                timeline.person_timeline(viewer, person.card.id),
                timeline.deal_timeline(viewer, deal),
                timeline.lead_timeline(viewer, lead),
                timeline.organization_timeline(viewer, organization.id),
            ):
                assert [item.ref for item in page.items if item.kind == "thread_message"] == [good.id]
            assert correspondence.correspondence(viewer, person.card.id).received == 1
            assert deals.get_deal(viewer, deal).card.last_email_at == good.sort_at
            with reading() as session:
                assert newest.of_each(session, viewer, "deal", [deal], tracked=True) == {}
        (row,) = threads.list_threads(aino).rows
        assert (row.message_count, row.last_at) == (2, good.sort_at), "junk brings no conversation up"
        with transaction() as session:
            session.get_one(Message, good.id).read = True
            session.flush()
            refresh_thread(session, good.thread_id)
        assert threads.counts(aino).inbox_unread == 0

    def test_the_rules_and_suggestions_leave_it_alone(self) -> None:
        """Nobody is linked by junk, nobody is to be added as a contact for it; a new address changes nothing."""
        aino = a_user("Aino")
        box = a_mailbox(aino)
        spam = a_message(box, folder="junk", sender="Prince <prince@spam.test>")
        settle(spam)
        assert suggest.for_threads(aino, [spam.thread_id]) == {}
        person = a_person(aino, "Prince", "prince@spam.test").card.id
        link.apply_rules()
        with reading() as session:
            assert session.exec(select(Link)).all() == []
            assert not session.get_one(Message, spam.id).link_pending, "settled, not waiting for ever"
        with transaction() as session:
            place(session, spam, "inbox")
            homes.find_again(session, folder(session, box, "inbox"), [spam.id or 0])
        link.apply_rules()
        assert history(aino, person) == [spam.id]

    def test_a_folder_that_becomes_junk_or_is_gone(self) -> None:
        """The server's word about a folder counts for what lies in it."""
        box = a_mailbox(a_user("Aino"))
        message = a_message(box, folder="other")
        roles: tuple[tuple[FolderRole | None, bool], ...] = (("junk", True), (None, False))
        for role, expected in roles:
            with transaction() as session:
                save_folders(session, box, [remote("INBOX", "inbox"), remote("Other", role)], NOON)
            assert is_junk(message) is expected
        with transaction() as session:
            place(session, message, "junk")
        settle(message)
        assert not is_junk(message), "it lies in Other, too"
        with transaction() as session:
            save_folders(session, box, [remote("INBOX", "inbox"), remote("Junk", "junk")], NOON)
        assert is_junk(message), "Other is gone"
        with transaction() as session:
            listed = [remote("INBOX", "inbox"), remote("Junk", "junk"), remote("Other", None)]
            save_folders(session, box, listed, NOON)
        assert not is_junk(message), "and back"


def remote(name: str, role: FolderRole | None) -> RemoteFolder:
    return RemoteFolder(name, "/", role, selectable=True)


def settle(message: Message) -> None:
    with transaction() as session:
        junk.settle_messages(session, [message.id or 0])


def is_junk(message: Message) -> bool:
    with reading() as session:
        return session.get_one(Message, message.id).junk


def folder(session: Session, mailbox_id: int, role: str) -> Folder:
    found = session.exec(select(Folder).where(Folder.mailbox_id == mailbox_id, col(Folder.role) == role)).first()
    if found is None:
        found = Folder(mailbox_id=mailbox_id, name=role.title(), role=role, uidvalidity=1)
        session.add(found)
        session.flush()
    return found


def place(session: Session, message: Message, role: str) -> None:
    where = folder(session, message.mailbox_id, role)
    session.add(MessageLocation(folder_id=where.id or 0, uid=90_000 + (message.id or 0), message_id=message.id or 0))
    session.flush()
