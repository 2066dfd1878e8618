"""What is kept: once, whichever way comes first; in no list of mailboxes; with the sharing of its user; with new people."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy.exc import DataError
from sqlmodel import col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import BccArrival, Mailbox, Message, Outbox, Person, User, Workspace, utcnow
from mailcrm.services.crm import timeline
from mailcrm.services.crm.linking import link, suggest
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs, health, mailboxes, store
from mailcrm.services.mail.outbox import draft
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.smart_bcc import accept, addresses, arrivals, holder, intake, keep, newcomers
from tests.builders import a_mailbox
from tests.integration.smart_bcc.world import EVIL_IP, World, a_mail, sign

MIKA = "Mika Aaltonen <mika@saimaa.example>"


def a_bcc(subject: str, to: str = MIKA) -> bytes:
    return sign(a_mail("Aino <aino@crm.test>", to, subject, message_id=f"{subject}@crm.test"), "crm.test")


def synced(world: World, mailbox_id: int, raw: bytes) -> int:
    """Store a message as the sync does, and let the rules look."""
    sha = blobs.put(raw)
    with transaction() as session:
        owner = store.owner_of(session, session.get_one(Mailbox, mailbox_id))
        item = store.Incoming(sha, len(raw), parse_message(raw), utcnow(), "out", True)
        found = store.store(session, owner, [item])[sha]
    link.apply_rules()
    return found


def in_deal(world: World) -> list[str]:
    page = timeline.page_of(world.aino, "deal", world.deal_id, shown="emails", limit=100)
    return [each.message.subject for each in page.items if each.message is not None]


def test_either_order_ends_in_one_message_with_the_deal(world: World) -> None:
    """Duplicates merge by Message-ID; the deal's link is the mailbox's copy's, and so is the held copy's visibility."""
    box = a_mailbox(world.aino, "aino@crm.test")
    to = world.address(deal_id=world.deal_id)
    row = world.arrive(a_bcc("held first"), to)
    with transaction() as session:
        copy = session.get_one(Message, row.message_id)
        copy.visibility = "shared"
        session.add(copy)
    own = synced(
        world, box, a_mail("Aino <aino@crm.test>", MIKA, "held first", "Hello", message_id="held first@crm.test")
    )
    assert [each.id for each in world.messages()] == [own]
    assert world.messages()[0].visibility == "shared"
    assert world.deals_of(own) == {(world.deal_id, "smart_bcc")}
    assert world.last().message_id == own
    assert in_deal(world) == ["held first"]

    own = synced(
        world, box, a_mail("Aino <aino@crm.test>", "new@x.example", "synced first", message_id="synced first@crm.test")
    )
    assert world.deals_of(own) == set()
    row = world.arrive(a_bcc("synced first", "new@x.example"), to)
    assert (row.state, row.message_id) == ("duplicate", own)
    assert world.deals_of(own) == {(world.deal_id, "smart_bcc")}
    assert sorted(in_deal(world)) == ["held first", "synced first"]


def test_another_message_with_the_same_id_is_another_message(world: World) -> None:
    """A Message-ID taken from a forward is a program's word: author and date have to fit, too."""
    box = a_mailbox(world.aino, "aino@crm.test")
    synced(world, box, a_mail("Eve <eve@evil.test>", "aino@crm.test", "other", message_id="same@crm.test"))
    row = world.arrive(
        sign(a_mail("Aino <aino@crm.test>", MIKA, "mine", message_id="same@crm.test"), "crm.test"), world.address()
    )
    assert row.state == "stored"
    assert len(world.messages()) == 2


def test_a_used_message_id_drops_nothing_that_was_held(world: World) -> None:
    """Among held mail too: a correspondent who takes another's Message-ID neither hides mail nor moves its link."""
    first = world.arrive(
        sign(a_mail("Aino <aino@crm.test>", MIKA, "one", message_id="same@crm.test"), "crm.test"), world.address()
    )
    later = a_mail("Aino <aino@crm.test>", "new@x.example", "two", message_id="same@crm.test",
                   Date="Mon, 01 Jun 2020 12:00:00 +0000")  # fmt: skip
    row = world.arrive(sign(later, "crm.test"), world.address())
    assert (row.state, len(world.messages())) == ("stored", 2)
    assert row.message_id != first.message_id


def test_mail_sent_from_here_is_waited_for(world: World) -> None:
    """A Bcc of the CRM from the composer makes no duplicate: the sent copy is the message."""
    box = a_mailbox(world.aino, "aino@crm.test")
    with transaction() as session:
        sent = Outbox(
            user_id=world.aino.user_id, mailbox_id=box, state="sending", rfc_message_id="sent@crm.test", subject="sent"
        )
        session.add(sent)
        session.flush()
        outbox_id = sent.id
    to = world.address(deal_id=world.deal_id)
    raw = sign(a_mail("Aino <aino@crm.test>", "new@x.example", "sent", message_id="sent@crm.test"), "crm.test")
    row = world.arrive(raw, to)
    assert (row.state, row.message_id) == ("waiting", None)
    own = synced(world, box, a_mail("Aino <aino@crm.test>", "new@x.example", "sent", message_id="sent@crm.test"))
    with transaction() as session:
        done = session.get_one(Outbox, outbox_id)
        done.state, done.message_id = "sent", own
        session.add(done)
        again = session.get_one(BccArrival, row.id)
        again.next_try_at = None
        session.add(again)
    intake.take_in()
    assert (world.last().state, world.last().message_id) == ("duplicate", own)
    assert [each.id for each in world.messages()] == [own]
    assert world.deals_of(own) == {(world.deal_id, "smart_bcc")}


def test_many_workers_take_each_arrival_once(world: World) -> None:
    """Any number of workers, one end for each arrival: each is claimed once, and one email to two addresses is kept once."""
    deal, workspace = world.address(deal_id=world.deal_id), world.address()
    for n in range(8):
        to = (deal, workspace) if n % 2 else (deal,)
        accept.take(a_bcc(f"many-{n}"), accept.Envelope("smtp", "aino@crm.test", to, EVIL_IP, "mx.sender.test"))
    with ThreadPoolExecutor(6) as workers:
        done = list(workers.map(lambda _: intake.take_in(), range(6)))
    with reading() as session:
        found = sorted((row.subject, row.state, row.tries) for row in session.exec(select(BccArrival)))
    assert sum(done) == len(found) == 12
    assert {subject for subject, state, _ in found if state == "stored"} == {f"many-{n}" for n in range(8)}
    assert sum(state == "duplicate" for _, state, _ in found) == 4
    assert {tries for *_, tries in found} == {1}
    assert len(world.messages()) == 8
    link.apply_rules()
    assert len(in_deal(world)) == 8


def test_the_holder_is_in_no_list_and_can_not_send(world: World) -> None:
    """A hidden mailbox: no list, no health, no sender; an answer to its mail goes out from a real one."""
    row = world.arrive(a_bcc("held"), world.address())
    with reading() as session:
        hidden = session.exec(select(Mailbox).where(Mailbox.kind == "bcc")).one()
    assert mailboxes.list_mailboxes(world.aino) == ()
    assert mailboxes.senders(world.aino) == ()
    assert health.all_health(world.aino) == ()
    with pytest.raises(NotFound):
        mailboxes.request_sync(world.aino, hidden.id or 0)
    with pytest.raises(NotFound):
        mailboxes.remove(world.aino, hidden.id or 0)
    with pytest.raises(UserError):
        draft.new_draft(world.aino, reply_to_message_id=row.message_id, mode="reply")
    box = a_mailbox(world.aino, "aino@crm.test")
    assert draft.new_draft(world.aino, reply_to_message_id=row.message_id, mode="reply").mailbox_id == box


def test_sharing_is_the_users_and_old_mail_keeps_its_own(world: World) -> None:
    """M23: the default applies to what comes from now on."""
    world.arrive(a_bcc("private one"), world.address())
    holder.share(world.aino, "shared")
    world.arrive(a_bcc("shared one"), world.address())
    assert [each.visibility for each in world.messages()] == ["private", "shared"]
    assert holder.visibility(world.aino) == "shared"
    with pytest.raises(UserError):
        holder.share(world.aino, "public")


def test_unknown_people_are_added_only_where_the_workspace_says_so(world: World) -> None:
    """Default: suggested. No person for machines and colleagues."""
    with transaction() as session:
        session.add(Workspace(id=1, name="W"))
    to = "New Person <new@x.example>, noreply@x.example, olli@crm.test"
    world.arrive(a_bcc("one", to), world.address())
    assert _names() == {"Mika Aaltonen"}
    thread_id = world.messages()[0].thread_id
    offered = suggest.for_threads(world.aino, [thread_id])[thread_id]
    assert (offered.kind, offered.name, offered.address) == ("person", "New Person", "new@x.example")
    with pytest.raises(UserError):
        newcomers.set_makes_people(world.aino, True)
    newcomers.set_makes_people(world.admin, True)
    world.arrive(a_bcc("two", to), world.address())
    world.arrive(a_bcc("three", to), world.address())
    assert _names() == {"Mika Aaltonen", "New Person"}


def _names() -> set[str]:
    with reading() as session:
        return set(session.exec(select(Person.name)))


def test_silent_name_servers_are_asked_again(world: World) -> None:
    """Nothing is refused for want of an answer; nothing is accepted for want of one, either."""
    world.names.silent = True
    row = world.arrive(a_bcc("late"), world.address())
    assert row.state == "waiting"
    assert row.next_try_at is not None
    assert row.next_try_at > utcnow()
    world.names.silent = False
    with transaction() as session:
        again = session.get_one(BccArrival, row.id)
        again.next_try_at = None
        session.add(again)
    intake.take_in()
    assert world.last().state == "stored"


def test_administrators_let_in_and_delete_and_see_no_subject_of_what_was_kept(world: World) -> None:
    """Released mail counts as genuine; nobody else may; M25 holds in the log, too."""
    row = world.arrive(a_mail("Aino <aino@crm.test>", MIKA, "unsigned"), world.address(deal_id=world.deal_id))
    assert row.state == "quarantined"
    with pytest.raises(UserError):
        arrivals.release(world.aino, row.id or 0)
    arrivals.discard(world.aino, row.id or 0)
    assert world.last().state == "refused"
    arrivals.restore(world.aino, row.id or 0)
    arrivals.release(world.admin, row.id or 0)
    intake.take_in()
    assert world.last().state == "stored"
    assert world.deals_of(world.last().message_id) == {(world.deal_id, "smart_bcc")}
    (seen,) = arrivals.page_of_arrivals(world.admin).rows
    assert (seen.subject, seen.thread_id) == ("", None)
    (mine,) = arrivals.page_of_arrivals(world.aino).rows
    assert mine.subject == "unsigned"
    with pytest.raises(UserError):
        arrivals.release(world.admin, row.id or 0)


def test_a_stranger_is_never_let_in_by_a_release(world: World) -> None:
    """Nobody could say whose it is."""
    row = world.arrive(sign(a_mail("x@evil.test", MIKA, "s"), "evil.test"), world.address())
    arrivals.release(world.admin, row.id or 0)
    intake.take_in()
    assert (world.last().state, world.last().reason) == ("quarantined", "smart_bcc.stranger")


def test_a_new_address_takes_an_old_ones_place_and_back(world: World) -> None:
    """Re-issuable, with Undo; another's deal is NotFound; the workspace's is an administrator's."""
    old = world.address(deal_id=world.deal_id)
    new = addresses.reissue(world.aino, deal_id=world.deal_id).address
    assert old != new == world.address(deal_id=world.deal_id)
    assert (
        addresses.undo_reissue(world.aino, deal_id=world.deal_id).address == old == world.address(deal_id=world.deal_id)
    )
    for verb in (addresses.address_of, addresses.reissue, addresses.undo_reissue):
        with pytest.raises(NotFound):
            verb(world.aino, deal_id=world.other_deal_id)
    with pytest.raises(UserError):
        addresses.reissue(world.aino)


def test_old_arrivals_are_forgotten_and_their_mail_is_not(world: World) -> None:
    """The log keeps 30 days; what was stored is a message of its own."""
    row = world.arrive(a_bcc("kept"), world.address())
    with transaction() as session:
        old = session.get_one(BccArrival, row.id)
        old.received_at = utcnow() - timedelta(days=arrivals.KEEP_DAYS + 1)
        session.add(old)
    assert arrivals.forget_old() == 1
    assert len(world.messages()) == 1
    with reading() as session:
        assert session.exec(select(User).where(col(User.id) == world.aino.user_id)).one()


def test_what_a_column_can_not_hold_is_set_aside(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried again and again it would fail for ever, and stop each run before what comes after it."""

    def refuse(*_: object, **__: object) -> None:
        raise DataError("INSERT", {}, ValueError("out of range"))

    monkeypatch.setattr(keep, "keep", refuse)
    row = world.arrive(a_bcc("odd"), world.address())
    assert (row.state, row.reason) == ("quarantined", "smart_bcc.broke")
