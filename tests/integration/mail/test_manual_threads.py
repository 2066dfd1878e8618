"""Conversations split and merged by hand stay so, whatever comes later (issue 3, "Threading")."""

from __future__ import annotations

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Mailbox, Message, Notification, ThreadReference
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs, store, threads
from mailcrm.services.mail.parse.message import parse_for_list
from mailcrm.services.mail.thread import manual
from tests.builders import a_deal, a_mailbox, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def aino() -> Actor:
    return a_user("Aino")


@pytest.fixture
def box(aino: Actor) -> int:
    return a_mailbox(aino, "aino@crm.test")


def arrive(mailbox_id: int, name: str, *references: str) -> int:
    """Store a message `<name@t>` as sync does; it names its ancestors, oldest first. Returns its id."""
    threading = ""
    if references:
        threading = f"In-Reply-To: <{references[-1]}@t>\r\nReferences: {' '.join(f'<{r}@t>' for r in references)}\r\n"
    raw = (
        f"From: Mika <mika@saimaa.test>\r\nTo: aino@crm.test\r\nMessage-ID: <{name}@t>\r\n{threading}"
        f"Subject: {name}\r\n\r\nmailbox {mailbox_id}\r\n"
    ).encode()
    sha = blobs.put(raw)
    with transaction() as session:
        owner = store.owner_of(session, session.get_one(Mailbox, mailbox_id))
        item = store.Incoming(sha, len(raw), parse_for_list(raw), None, "in", False)
        return store.store(session, owner, [item])[sha]


def together(actor: Actor) -> set[str]:
    """Say who is with whom: "a b|c" as a set of groups."""
    groups: dict[int, list[str]] = {}
    with reading() as session:
        for thread_id, subject in session.exec(
            select(Message.thread_id, Message.subject).where(Message.user_id == actor.user_id)
        ):
            groups.setdefault(thread_id, []).append(subject)
    return {" ".join(sorted(set(each))) for each in groups.values()}


def thread_of(message_id: int) -> int:
    with reading() as session:
        return session.get_one(Message, message_id).thread_id


def test_a_split_takes_the_answers_along_and_holds(aino: Actor, box: int) -> None:
    arrive(box, "a")
    arrive(box, "b", "a")
    c = arrive(box, "c", "a", "b")
    arrive(box, "d", "a", "b", "c")
    assert together(aino) == {"a b c d"}

    made = manual.split_thread(aino, c)

    assert together(aino) == {"a b", "c d"}
    assert thread_of(c) == made
    page = {row.id: row.message_count for row in threads.list_threads(aino, folder="all").rows}
    assert page == {made: 2, thread_of(1): 2}
    arrive(box, "e", "a", "b", "c", "d")
    arrive(box, "f", "a", "b")
    assert together(aino) == {"a b f", "c d e"}, "later replies go to the side that they answer"


def test_an_answer_that_comes_before_its_parent_finds_its_side(aino: Actor, box: int) -> None:
    """`lost` is known by name only when the split happens; it belongs below it."""
    arrive(box, "a")
    b = arrive(box, "b", "a")
    arrive(box, "d", "a", "b", "lost")
    manual.split_thread(aino, b)
    arrive(box, "lost", "a", "b")
    arrive(box, "late", "lost")
    assert together(aino) == {"a", "b d late lost"}


def test_every_copy_of_the_message_goes_along(aino: Actor, box: int) -> None:
    other = a_mailbox(aino, "second@crm.test")
    for each in (box, other):
        arrive(each, "a")
        b = arrive(each, "b", "a")
    manual.split_thread(aino, b)
    assert together(aino) == {"a", "b"}
    third = a_mailbox(aino, "third@crm.test")
    arrive(third, "a")
    arrive(third, "b", "a")
    assert together(aino) == {"a", "b"}


def test_a_split_survives_connecting_the_mailbox_again(aino: Actor, box: int) -> None:
    """The messages' rows go with the mailbox; what was split by hand is remembered by Message-ID."""
    keep = a_mailbox(aino, "keep@crm.test")
    for name, *references in (["a"], ["b", "a"], ["c", "a", "b"]):
        arrive(box, name, *references)
    arrive(keep, "b", "a")
    manual.split_thread(aino, 2)
    with transaction() as session:
        session.delete(session.get_one(Mailbox, box))
    again = a_mailbox(aino, "again@crm.test")
    for name, *references in (["c", "a", "b"], ["b", "a"], ["a"]):
        arrive(again, name, *references)
    assert together(aino) == {"a", "b c"}


def test_a_merge_holds_and_moves_links_and_notifications(aino: Actor, box: int) -> None:
    person = a_person(aino, "Mika", "mika@saimaa.test")
    deal = a_deal(aino, person=person)
    a, x = arrive(box, "a"), arrive(box, "x")
    link.apply_rules()
    link.link_thread(aino, thread_of(x), deal_id=deal.card.id)
    with transaction() as session:
        session.add(Notification(user_id=aino.user_id, kind="open", thread_id=thread_of(x), message_id=x))
    into = thread_of(a)

    merged = manual.merge_threads(aino, thread_of(x), into)

    assert together(aino) == {"a x"}
    assert merged.messages == (x,)
    view = threads.open_thread(aino, into)
    assert {(each.kind, each.target_id) for each in view.links} == {
        ("person", person.card.id), ("deal", deal.card.id),
    }  # fmt: skip
    with reading() as session:
        assert session.exec(select(Notification.thread_id)).one() == into
    arrive(box, "y", "x")
    arrive(box, "b", "a")
    assert together(aino) == {"a b x y"}

    made = manual.separate(aino, merged)

    assert together(aino) == {"a b y", "x"}
    arrive(box, "z", "x")
    assert together(aino) == {"a b y", "x z"}
    with reading() as session:
        assert session.exec(select(Notification.thread_id)).one() == made
    assert {each.kind for each in threads.open_thread(aino, made).links} == {"person", "deal"}


def test_undoing_a_split_is_a_merge(aino: Actor, box: int) -> None:
    a, b = arrive(box, "a"), arrive(box, "b", "a")
    manual.merge_threads(aino, manual.split_thread(aino, b), thread_of(a))
    assert together(aino) == {"a b"}
    arrive(box, "c", "a", "b")
    assert together(aino) == {"a b c"}


def test_a_split_off_part_keeps_what_it_is_linked_to(aino: Actor, box: int) -> None:
    """M30: what a person unlinked stays unlinked on both sides."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    deal = a_deal(aino, person=person)
    a, b = arrive(box, "a"), arrive(box, "b", "a")
    link.apply_rules()
    link.link_thread(aino, thread_of(a), deal_id=deal.card.id)
    link.unlink(aino, next(each.id for each in threads.open_thread(aino, thread_of(a)).links if each.kind == "person"))
    made = manual.split_thread(aino, b)
    assert [each.kind for each in threads.open_thread(aino, made).links] == ["deal"]
    arrive(box, "c", "b")
    link.apply_rules()
    assert [each.kind for each in threads.open_thread(aino, made).links] == ["deal"]


def test_what_can_not_be_split_or_merged(aino: Actor, box: int) -> None:
    a = arrive(box, "a")
    arrive(box, "b", "a")
    with pytest.raises(UserError, match="Nothing would be left"):
        manual.split_thread(aino, a)
    with pytest.raises(UserError, match="this conversation itself"):
        manual.merge_threads(aino, thread_of(a), thread_of(a))
    threads.delete(aino, thread_of(a))
    with pytest.raises(NotFound):
        manual.split_thread(aino, a)


def test_nobody_else_splits_or_merges(aino: Actor, box: int) -> None:
    """Not a stranger, not an administrator, not a colleague who may read it."""
    deal = a_deal(aino)
    a, b = arrive(box, "a"), arrive(box, "b", "a")
    x = arrive(box, "x")
    link.link_thread(aino, thread_of(a), deal_id=deal.card.id)
    threads.set_visibility(aino, thread_of(a), "shared")
    for other in (a_user("Bob"), a_user("Root", admin=True)):
        assert threads.open_thread(other, thread_of(a)).messages
        theirs = arrive(a_mailbox(other), "theirs")
        for verb in (
            lambda who=other: manual.split_thread(who, b),
            lambda who=other: manual.merge_threads(who, thread_of(x), thread_of(a)),
            lambda who=other, mine=theirs: manual.merge_threads(who, thread_of(mine), thread_of(a)),
            lambda who=other: manual.merge_threads(who, thread_of(a), thread_of(a)),
            lambda who=other, mine=theirs: manual.merge_threads(who, thread_of(a), thread_of(mine)),
            lambda who=other: manual.separate(who, manual.Merged(thread_of(a), (b,), (), ())),
        ):
            with pytest.raises(NotFound):
                verb()
    assert together(aino) == {"a b", "x"}


def test_one_user_s_pins_are_not_another_s(aino: Actor, box: int) -> None:
    bob = a_user("Bob")
    his = a_mailbox(bob)
    for each in (box, his):
        arrive(each, "a")
    b = arrive(box, "b", "a")
    manual.split_thread(aino, b)
    arrive(his, "b", "a")
    assert (together(aino), together(bob)) == ({"a", "b"}, {"a b"})
    with reading() as session:
        assert not session.exec(
            select(ThreadReference).where(ThreadReference.user_id == bob.user_id, ThreadReference.pinned)
        ).all()
