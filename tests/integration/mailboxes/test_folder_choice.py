"""M14: choosing folders hides, shows and backfills without connecting again, and hidden mail shows nowhere."""

from __future__ import annotations

import pytest
from sqlmodel import Session, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Folder, Mailbox, Message, Thread
from mailcrm.services import access, notifications
from mailcrm.services.access import Actor
from mailcrm.services.crm import people, timeline
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import folder_choice, messages, single, threads
from mailcrm.services.mail.imap.client import connect as imap
from mailcrm.services.mail.sync import apply
from mailcrm.services.mail.sync.ledger import ledger
from mailcrm.services.mail.thread_list import Filter
from tests.builders import a_mailbox, a_message, a_user
from tests.integration.sync.conftest import Box, connect, raw
from tests.servers.dovecot import DovecotServer

CANARY = "Xylophonequarry"


def actor_of(box: Box) -> Actor:
    with reading() as session:
        return access.actor_for(session, box.user_id)


def ids(actor: Actor, mailbox_id: int) -> dict[str, int]:
    return {node.name: node.id for node in folder_choice.folders(actor, mailbox_id).folders}


def rows_of(session: Session, model: type, mailbox_id: int) -> list:  # type: ignore[type-arg]
    return list(session.exec(select(model).where(model.mailbox_id == mailbox_id)))


def test_hidden_mail_shows_nowhere_and_comes_back(db: str) -> None:
    """Lists, search, counts, timelines, cards, notifications and single messages know nothing of a canary."""
    aino, boris = a_user(), a_user("Boris")
    mailbox_id = a_mailbox(aino)
    person = people.create_person(aino, name="Mika", addresses=["mika@saimaa.test"])
    canary = a_message(mailbox_id, subject=CANARY, text=CANARY, folder="archive", visibility="shared", tracked=True)
    kept = a_message(mailbox_id, subject="Kept", sender="Other <other@x.test>")
    while link.apply_rules(50):
        pass
    with transaction() as session:
        notifications.notify(session, aino.user_id, "open", message_id=canary.id, params={"title": CANARY})

    def seen(actor: Actor) -> str:
        found: list[object] = [
            threads.list_threads(actor, folder=folder, query=query)
            for folder in ("inbox", "sent", "archive", "all")
            for query in ("", CANARY)
        ]
        found += [threads.list_threads(actor, folder="all", person_id=person.card.id)]
        found += [timeline.person_timeline(actor, person.card.id), notifications.list_notifications(actor)]
        for call in (
            lambda: messages.load_body(actor, canary.id or 0),
            lambda: messages.load_raw(actor, canary.id or 0),
            lambda: single.open_message(actor, canary.id or 0),
            lambda: threads.open_thread(actor, canary.thread_id),
        ):
            try:
                found.append(call())
            except NotFound:
                found.append("nothing")
        return repr(found)

    before = notifications.unread_count(aino)
    assert CANARY in seen(aino)
    assert CANARY in seen(boris)
    of_folder = ids(aino, mailbox_id)
    keep = [of_folder["INBOX"], of_folder["Sent"]]
    assert folder_choice.preview(aino, mailbox_id, everything=False, chosen=keep) == 1
    folder_choice.choose(aino, mailbox_id, everything=False, chosen=keep)
    assert CANARY not in seen(aino)
    assert CANARY not in seen(boris)
    assert notifications.unread_count(aino) == before - 1
    with reading() as session:
        assert [row.subject for row in session.exec(select(Message).where(Message.hidden))] == [CANARY]
        assert session.get_one(Thread, canary.thread_id).message_count == 0
    assert threads.list_threads(aino, folder="inbox").rows[0].id == kept.thread_id
    folder_choice.choose(aino, mailbox_id, everything=True)
    assert CANARY in seen(aino)
    assert CANARY in seen(boris)
    with reading() as session:
        assert session.get_one(Thread, canary.thread_id).message_count == 1


def test_narrowing_hides_and_widening_fetches_the_gap(db: str, dovecot: DovecotServer) -> None:
    box = connect(dovecot)
    box.deliver(raw(1))
    box.deliver(raw(2), "Projects")
    box.deliver(raw(3), "Projects")
    box.deliver(raw(3))  # in both: it stays
    box.sync()
    actor = actor_of(box)
    of_folder = ids(actor, box.mailbox_id)
    keep = [of_folder["INBOX"]]
    assert folder_choice.preview(actor, box.mailbox_id, everything=False, chosen=keep) == 1
    folder_choice.choose(actor, box.mailbox_id, everything=False, chosen=keep)
    with imap(dovecot.spec(box.user), "secret") as connection:  # Dovecot's STATUS may miss a file put into a Maildir
        connection.append("Projects", raw(4))
    box.deliver(raw(5), "Brand new")
    box.sync()
    assert {m.rfc_message_id: m.hidden for m in box.messages()} == {
        "1@sync.test": False, "2@sync.test": True, "3@sync.test": False,
    }  # fmt: skip
    assert set(box.ledger()) == {"INBOX"}  # a folder that appears waits to be chosen
    folder_choice.choose(actor, box.mailbox_id, everything=False, chosen=[*keep, of_folder["Projects"]])
    assert not any(m.hidden for m in box.messages())
    box.sync()
    assert [m.rfc_message_id for m in box.messages()][-1] == "4@sync.test"
    assert box.ledger()["Projects"].stored == 3
    folder_choice.choose(actor, box.mailbox_id, everything=True)
    box.sync()
    assert box.ledger()["Brand new"].stored == 1
    assert len(box.messages()) == 5


def test_a_message_whose_last_synced_place_vanishes_is_hidden(db: str, dovecot: DovecotServer) -> None:
    box = connect(dovecot)
    path = box.deliver(raw(1))
    box.deliver(raw(1), "Projects")
    box.sync()
    actor = actor_of(box)
    folder_choice.choose(actor, box.mailbox_id, everything=False, chosen=[ids(actor, box.mailbox_id)["INBOX"]])
    assert not box.messages()[0].hidden
    path.unlink()
    box.sync()
    assert box.messages()[0].hidden
    assert box.messages()[0].gone_at is None
    box.deliver(raw(1))  # and back
    box.sync()
    assert not box.messages()[0].hidden


def test_the_tree_names_each_folder_below_its_parent(db: str, dovecot: DovecotServer) -> None:
    box = connect(dovecot)
    for folder in ("Customers", "Customers/Utilities", "Customers/Aqua/Deep", "Alpha"):
        box.deliver(raw(1), folder)
    box.sync()
    nodes = folder_choice.folders(actor_of(box), box.mailbox_id).folders
    found = [(node.label, node.depth) for node in nodes if node.name.startswith(("Customers", "Alpha", "INBOX"))]
    assert found[0] == ("INBOX", 0)
    assert ("Alpha", 0) in found
    assert found[-3:] == [("Customers", 0), ("Aqua/Deep", 1), ("Utilities", 1)] or found[-4:] == [
        ("Customers", 0), ("Aqua", 1), ("Deep", 2), ("Utilities", 1),
    ]  # fmt: skip


def test_spam_drafts_and_trash_come_only_when_they_are_chosen(db: str) -> None:
    aino = a_user()
    mailbox_id = a_mailbox(aino)
    with transaction() as session:
        session.add(Folder(mailbox_id=mailbox_id, name="Junk", role="junk", chosen=False))
    made = folder_choice.choose(aino, mailbox_id, everything=True)
    assert {node.name: node.chosen for node in made.folders}["Junk"] is False
    junk = ids(aino, mailbox_id)["Junk"]
    made = folder_choice.choose(aino, mailbox_id, everything=False, chosen=[junk])
    assert [node.name for node in made.folders if node.chosen] == ["Junk"]
    assert [line.folder for line in ledger(aino, mailbox_id)] == ["Junk"]


def test_only_the_owner_chooses_and_only_folders_of_that_mailbox(db: str) -> None:
    """M25: NotFound for whoever else, administrators too; and another mailbox's folder is no choice."""
    aino, boris = a_user(), a_user("Boris", admin=True)
    mine, other = a_mailbox(aino), a_mailbox(boris)
    theirs = list(ids(boris, other).values())
    own = list(ids(aino, mine).values())
    for call in (
        lambda: folder_choice.folders(boris, mine),
        lambda: folder_choice.preview(boris, mine, everything=True),
        lambda: folder_choice.choose(boris, mine, everything=True),
        lambda: folder_choice.watch(boris, mine, own[0], True),
        lambda: folder_choice.choose(aino, mine, everything=False, chosen=theirs),
        lambda: folder_choice.preview(aino, mine, everything=False, chosen=theirs),
        lambda: folder_choice.watch(aino, mine, theirs[0], True),
    ):
        with pytest.raises(NotFound):
            call()
    with pytest.raises(UserError) as caught:
        folder_choice.choose(aino, mine, everything=False)
    assert caught.value.code == "folders.none"


def test_few_folders_are_watched_and_only_synced_ones(db: str) -> None:
    aino = a_user()
    mailbox_id = a_mailbox(aino)
    with transaction() as session:
        for n in range(4):
            session.add(Folder(mailbox_id=mailbox_id, name=f"F{n}"))
        session.add(Folder(mailbox_id=mailbox_id, name="Off", chosen=False))
    of_folder = ids(aino, mailbox_id)
    for n in range(3):
        folder_choice.watch(aino, mailbox_id, of_folder[f"F{n}"], True)
    for name, code in (("F3", "folders.watched"), ("Off", "folders.not_synced")):
        with pytest.raises(UserError) as caught:
            folder_choice.watch(aino, mailbox_id, of_folder[name], True)
        assert caught.value.code == code
    watched = [node.name for node in folder_choice.folders(aino, mailbox_id).folders if node.watched]
    assert watched == ["INBOX", "F0", "F1", "F2"]


def test_a_folder_that_appears_follows_the_mailboxs_mode(db: str) -> None:
    """Where folders were chosen a new one waits; where everything is synced it comes by itself."""
    from mailcrm.models.base import utcnow
    from mailcrm.services.mail.imap.folders import RemoteFolder

    aino = a_user()
    for everything in (True, False):
        mailbox_id = a_mailbox(aino, sync_all=everything)
        listed = [RemoteFolder("INBOX", "/", "inbox", True), RemoteFolder("New", "/", None, True)]
        with transaction() as session:
            apply.save_folders(session, mailbox_id, listed, utcnow())
            of_name = {folder.name: folder.chosen for folder in rows_of(session, Folder, mailbox_id)}
        assert of_name["New"] is everything
        assert of_name["INBOX"]
    with reading() as session:
        assert len(list(session.exec(select(Mailbox)))) == 2


def test_a_filter_by_mailbox_knows_no_hidden_mail(db: str) -> None:
    aino = a_user()
    mailbox_id = a_mailbox(aino)
    a_message(mailbox_id, subject=CANARY, hidden=True)
    with reading() as session:
        from mailcrm.services.mail import thread_list

        page = thread_list.page(session, aino, Filter(folder="all", mailbox_id=mailbox_id), None, 10)
    assert page.rows == ()
    assert page.total_unread == 0
