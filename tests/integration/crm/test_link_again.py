"""When the rules look again, what merging conversations does to links, many links at once, and their undo."""

from __future__ import annotations

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Link, MailboxAlias, Message, Person, PersonAddress
from mailcrm.services.access import Actor
from mailcrm.services.crm import deals, leads, people
from mailcrm.services.crm.linking import link, rules
from mailcrm.services.crm.views import DealView
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import mailboxes, threads
from mailcrm.services.mail.thread import manual
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def aino() -> Actor:
    return a_user("Aino")


@pytest.fixture
def box(aino: Actor) -> int:
    return a_mailbox(aino, "aino@crm.test")


def linked(actor: Actor, message: Message) -> set[tuple[str, str, str]]:
    """(kind, title, origin) of what stands."""
    link.apply_rules()
    with reading() as session:
        thread_id = session.get_one(Message, message.id).thread_id
    return {(each.kind, each.title, each.origin) for each in threads.open_thread(actor, thread_id).links}


def deal_titles(actor: Actor, message: Message) -> set[str]:
    return {title for kind, title, _ in linked(actor, message) if kind == "deal"}


def test_a_deal_that_opens_takes_the_mail_that_waited(aino: Actor, box: int) -> None:
    """M28 whatever the order: the mail first, or the deal first."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    came = a_message(box)
    assert deal_titles(aino, came) == set()
    a_deal(aino, "One", person=person)
    assert deal_titles(aino, came) == {"One"}


def test_a_deal_that_closes_leaves_one_to_choose(aino: Actor, box: int) -> None:
    """M28, M29: with one left there is nothing to guess; what was linked stays when another opens again."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    one, _two = a_deal(aino, "One", person=person), a_deal(aino, "Two", person=person)
    came = a_message(box)
    assert deal_titles(aino, came) == set()
    deals.win(aino, one.card.id)
    assert deal_titles(aino, came) == {"Two"}
    deals.reopen(aino, one.card.id)
    assert deal_titles(aino, came) == {"Two"}, "never unlinked by itself"


def trashed(aino: Actor, deal: DealView) -> None:
    deals.delete(aino, deal.card.id)


def given_away(aino: Actor, deal: DealView) -> None:
    deals.change_deal(aino, deal.card.id, person_id=None)


@pytest.mark.parametrize("act", [trashed, given_away])
def test_other_ends_of_a_choice(aino: Actor, box: int, act: object) -> None:
    person = a_person(aino, "Mika", "mika@saimaa.test")
    one, _two = a_deal(aino, "One", person=person), a_deal(aino, "Two", person=person)
    came = a_message(box)
    assert deal_titles(aino, came) == set()
    act(aino, one)  # type: ignore[operator]
    assert deal_titles(aino, came) == {"Two"}


def test_a_deal_that_comes_back_or_gets_people(aino: Actor, box: int) -> None:
    """Restored from the trash; given to a person; joined by one."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    noor = a_person(aino, "Noor", "noor@saimaa.test")
    came, hers = a_message(box), a_message(box, sender="noor@saimaa.test")
    one = a_deal(aino, "One")
    deals.delete(aino, one.card.id)
    deals.restore(aino, one.card.id)
    assert deal_titles(aino, came) == set()
    deals.change_deal(aino, one.card.id, person_id=person.card.id)
    assert deal_titles(aino, came) == {"One"}
    deals.change_deal(aino, one.card.id, participants=[noor.card.id])
    assert deal_titles(aino, hers) == {"One"}


def test_leads_open_and_close_too(aino: Actor, box: int) -> None:
    person = a_person(aino, "Mika", "mika@saimaa.test")
    came = a_message(box)
    assert linked(aino, came) == {("person", "Mika", "rule")}
    first = leads.create_lead(aino, title="First", person_id=person.card.id)
    second = leads.create_lead(aino, title="Second", person_id=person.card.id)
    assert linked(aino, came) == {("person", "Mika", "rule")}
    leads.archive(aino, first.id)
    assert ("lead", "Second", "rule") in linked(aino, came)
    assert second.id


def test_a_person_in_the_trash_brings_no_deal(aino: Actor, box: int) -> None:
    """Of two persons with a deal each one is left: then there is one deal; restoring takes nothing away."""
    mika, noor = a_person(aino, "Mika", "mika@saimaa.test"), a_person(aino, "Noor", "noor@saimaa.test")
    a_deal(aino, "His", person=mika)
    a_deal(aino, "Hers", person=noor)
    came = a_message(box, cc="noor@saimaa.test")
    assert deal_titles(aino, came) == set()
    people.delete(aino, mika.card.id)
    assert deal_titles(aino, came) == {"Hers"}
    people.restore(aino, mika.card.id)
    assert deal_titles(aino, came) == {"Hers"}


def test_merging_unites_links_and_what_was_taken_off(aino: Actor, box: int) -> None:
    """M30: an unlink wins over what a rule made, in either conversation and either direction."""
    a_person(aino, "Mika", "mika@saimaa.test")
    a_person(aino, "Noor", "noor@saimaa.test")
    one, two = a_message(box), a_message(box, cc="noor@saimaa.test")
    linked(aino, one)
    person = next(each for each in threads.open_thread(aino, one.thread_id).links if each.title == "Mika")
    link.unlink(aino, person.id)
    into_two = manual.merge_threads(aino, one.thread_id, two.thread_id)
    assert linked(aino, two) == {("person", "Noor", "rule")}
    made = manual.separate(aino, into_two)
    assert linked(aino, two) == {("person", "Noor", "rule"), ("person", "Mika", "rule")}, "undone: as it was"
    assert linked(aino, one) == set()
    manual.merge_threads(aino, two.thread_id, made)
    assert linked(aino, one) == {("person", "Noor", "rule")}


def test_what_a_person_linked_wins_when_conversations_merge(aino: Actor, box: int) -> None:
    mika = a_person(aino, "Mika", "mika@saimaa.test")
    one, two = a_message(box), a_message(box, sender="stranger@x.test")
    linked(aino, one)
    link.unlink(aino, threads.open_thread(aino, one.thread_id).links[0].id)
    link.link_thread(aino, two.thread_id, person_id=mika.card.id)
    manual.merge_threads(aino, one.thread_id, two.thread_id)
    assert linked(aino, two) == {("person", "Mika", "manual")}


def test_a_choice_holds_and_can_be_undone(aino: Actor, box: int) -> None:
    """M29, DESIGN 5: link many, each gets it; another deal steps back; Undo puts everything as it was."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    one, two = a_deal(aino, "One", person=person), a_deal(aino, "Two", person=person)
    came = [a_message(box) for _ in range(3)]
    link.apply_rules()
    link.link_thread(aino, came[0].thread_id, deal_id=one.card.id)
    before = [linked(aino, each) for each in came]
    done = link.link_threads(aino, [each.thread_id for each in came], deal_id=two.card.id)
    assert done.count == 3
    assert [deal_titles(aino, each) for each in came] == [{"Two"}] * 3
    link.undo_link(aino, done)
    assert [linked(aino, each) for each in came] == before
    with reading() as session:
        assert not session.exec(select(Link).where(Link.deal_id == two.card.id)).all(), "not remembered as unlinked"


def test_many_at_once_is_all_or_nothing(aino: Actor, box: int) -> None:
    """Rule 1: one conversation that isn't one's own, and none is linked."""
    noor = a_user("Noor")
    deal = a_deal(aino)
    mine, hers = a_message(box), a_message(a_mailbox(noor), visibility="shared")
    for several in ([mine.thread_id, hers.thread_id], [mine.thread_id, 999], [], ["x"], [True], [2**70]):
        with pytest.raises(NotFound):
            link.link_threads(aino, several, deal_id=deal.card.id)  # type: ignore[arg-type]
    with pytest.raises(UserError):
        link.link_threads(aino, range(1, 2000), deal_id=deal.card.id)
    assert linked(aino, mine) == set()
    done = link.link_threads(aino, [mine.thread_id], deal_id=deal.card.id)
    with pytest.raises(NotFound):
        link.undo_link(noor, done)
    assert deal_titles(aino, mine) == {"Saimaa phase 2"}


def test_undoing_an_unlink_removes_what_took_its_place(aino: Actor, box: int) -> None:
    """A closed deal is taken off, the one that is open comes in its place; Undo leaves one deal, the first."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    one = a_deal(aino, "One", person=person)
    came = a_message(box)
    assert deal_titles(aino, came) == {"One"}
    deals.win(aino, one.card.id)
    a_deal(aino, "Two", person=person)
    assert deal_titles(aino, came) == {"One"}, "the conversation keeps its own"
    gone = next(each.id for each in threads.open_thread(aino, came.thread_id).links if each.kind == "deal")
    link.unlink(aino, gone)
    assert deal_titles(aino, came) == {"Two"}
    link.relink(aino, gone)
    assert deal_titles(aino, came) == {"One"}


def test_smart_bcc_names_a_deal_before_the_rules_guess(aino: Actor, box: int) -> None:
    """Issue 4, Deliver 3: after the conversation's own, before the single open deal."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    a_deal(aino, "Only", person=person)
    named = a_deal(aino, "Named")
    came = a_message(box)
    with transaction() as session:
        assert link.link_by_smart_bcc(session, came.thread_id, deal_id=named.card.id)
    assert {each for each in linked(aino, came) if each[0] == "deal"} == {("deal", "Named", "smart_bcc")}
    with transaction() as session:
        assert not link.link_by_smart_bcc(session, came.thread_id, deal_id=named.card.id)


def test_two_mailboxes_of_one_conversation_keep_their_policies(aino: Actor, box: int) -> None:
    """M29 is by mailbox: the one that says "newest" decides, the other one waits."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    a_deal(aino, "One", person=person)
    a_deal(aino, "Two", person=person)
    other = a_mailbox(aino, "other@crm.test", deal_link_policy="newest")
    came = a_message(box)
    assert deal_titles(aino, came) == set()
    a_message(other, thread_id=came.thread_id)
    assert deal_titles(aino, came) == {"Two"}


def test_a_mailbox_changes_its_mind_for_mail_from_then_on(aino: Actor, box: int) -> None:
    """M29: the setting is checked; conversations that wait are left until something happens in them."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    a_deal(aino, "One", person=person)
    a_deal(aino, "Two", person=person)
    came = a_message(box)
    assert deal_titles(aino, came) == set()
    assert mailboxes.change(aino, box, deal_link_policy="newest").deal_link_policy == "newest"
    assert deal_titles(aino, came) == set()
    assert deal_titles(aino, a_message(box)) == {"Two"}
    for wrong in ("", "NEWEST", "ask; drop"):
        with pytest.raises(UserError):
            mailboxes.change(aino, box, deal_link_policy=wrong)
    with pytest.raises(NotFound):
        mailboxes.change(a_user("Noor"), box, deal_link_policy="all")


TRICKS = {
    "a name that looks like an address": ('"mika@saimaa.test" <evil@x.test>', False),
    "a tag": ("mika+news@saimaa.test", False),
    "another host below": ("mika@saimaa.test.evil.test", False),
    "Cyrillic letters": ("mikа@saimaa.test", False),
    "capitals": ("MIKA@Saimaa.TEST", True),
    "quotes that are not needed": ('"mika"@saimaa.test', True),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_address_tricks(aino: Actor, box: int, trick: str) -> None:
    """Bad input: exactly the address counts, in whatever spelling of the same."""
    a_person(aino, "Mika", "mika@saimaa.test")
    sender, matches = TRICKS[trick]
    came = a_message(box, sender=sender)
    assert bool(linked(aino, came)) is matches


@pytest.mark.parametrize(
    ("given", "written"),
    [("mika@bücher.test", "mika@xn--bcher-kva.test"), ("mika@xn--bcher-kva.test", "mika@bücher.test")],
)
@pytest.mark.parametrize("first", ["person", "message"])
def test_a_domain_in_two_spellings(aino: Actor, box: int, given: str, written: str, first: str) -> None:
    """IDN: whichever is known first, and however it is written."""
    if first == "person":
        a_person(aino, "Mika", given)
    came = a_message(box, sender=written)
    link.apply_rules()
    if first == "message":
        a_person(aino, "Mika", given)
    assert linked(aino, came) == {("person", "Mika", "rule")}


def test_a_person_with_a_colleagues_address_is_never_linked(aino: Actor, box: int) -> None:
    """Bad input: own and colleagues' addresses never match, in any spelling."""
    noor = a_user("Noor", email="noor@bücher.test")
    a_mailbox(noor, "noor2@crm.test")
    with transaction() as session:
        session.add(MailboxAlias(mailbox_id=box, address="Me@Bücher.test"))
    theirs = {"noor@xn--bcher-kva.test": "Colleague", "noor2@crm.test": "Colleague", "me@xn--bcher-kva.test": "Myself"}
    with transaction() as session:  # such a contact can't be made, but is there when the colleague comes later
        for address, name in theirs.items():
            person = Person(name=name)
            session.add(person)
            session.flush()
            session.add(PersonAddress(person_id=person.id or 0, address=address))
    came = a_message(
        box, sender="noor@xn--bcher-kva.test", to="me@xn--bcher-kva.test, aino@crm.test", cc="noor2@crm.test"
    )
    assert linked(aino, came) == set()


def test_ten_thousand_participants_in_bounded_work(aino: Actor, box: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bad input: batches shrink to what fits; each message is looked at once, whole."""
    crowd = [f"p{n}@crowd.test" for n in range(10_000)]
    last = a_person(aino, "Last", crowd[-1])
    came = a_message(box, to=",".join(crowd))
    after = a_message(box, sender=crowd[-1])
    assert linked(aino, came) == {("person", "Last", "rule")}
    assert linked(aino, after) == {("person", "Last", "rule")}
    monkeypatch.setattr(rules, "PARTICIPANTS", 5)
    for _ in range(4):
        a_message(box, cc="x@x.test")  # three each: one fits
    with transaction() as session:
        session.exec(select(Message)).first()
        for message in session.exec(select(Message).where(Message.id != came.id)):
            message.link_pending = True
            session.add(message)
    assert link.apply_rules() == 5
    assert link.apply_rules() == 0
    assert last.card.id
