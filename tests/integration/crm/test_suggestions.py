"""What a list proposes, why something is linked, and the offer to link earlier mail."""

from __future__ import annotations

import pytest

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Message, OrganizationDomain
from mailcrm.services.access import Actor
from mailcrm.services.crm import deals, organizations, people
from mailcrm.services.crm.linking import link
from mailcrm.services.crm.linking.earlier import earlier, link_earlier
from mailcrm.services.crm.linking.suggest import Suggestion, for_threads
from mailcrm.services.crm.linking.why import why
from mailcrm.services.db import transaction
from mailcrm.services.mail import mailboxes, threads
from mailcrm.services.mail.views import LinkView
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user
from tests.integration.crm.counting import counting

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def aino() -> Actor:
    return a_user("Aino")


@pytest.fixture
def box(aino: Actor) -> int:
    return a_mailbox(aino, "aino@crm.test")


def suggested(actor: Actor, *messages: Message) -> list[Suggestion | None]:
    link.apply_rules()
    found = for_threads(actor, [each.thread_id for each in messages])
    return [found.get(each.thread_id) for each in messages]


def test_several_open_deals_are_the_suggestion(aino: Actor, box: int) -> None:
    """M29: the user sees the candidates; what was taken off is none; with a deal there is nothing to suggest."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    one, two = a_deal(aino, "One", person=person), a_deal(aino, "Two", person=person)
    waits, done, off = a_message(box), a_message(box), a_message(box)
    link.apply_rules()
    link.link_thread(aino, done.thread_id, deal_id=one.card.id)
    link.link_thread(aino, off.thread_id, deal_id=one.card.id)
    link.unlink(aino, next(e.id for e in threads.open_thread(aino, off.thread_id).links if e.kind == "deal"))
    assert suggested(aino, waits, done, off) == [
        Suggestion("deals", ((two.card.id, "Two"), (one.card.id, "One"))),
        None,
        Suggestion("deals", ((two.card.id, "Two"),)),
    ]


def test_a_stranger_may_be_added_with_the_organization_of_the_domain(aino: Actor, box: int) -> None:
    """By domain, or one above it; free mail never, even where somebody gave an organization that domain."""
    organizations.create_organization(aino, name="Saimaa Oy", domains=["saimaa.fi"])
    free_mail = organizations.create_organization(aino, name="Not Gmail").card.id
    with transaction() as session:  # from before such domains were refused
        session.add(OrganizationDomain(organization_id=free_mail, domain="gmail.com"))
    known = a_message(box, sender="Mika Aaltonen <mika@mail.saimaa.fi>")
    free = a_message(box, sender="Mika <mika@gmail.com>")
    assert suggested(aino, known, free) == [
        Suggestion("person", name="Mika Aaltonen", address="mika@mail.saimaa.fi", organization="Saimaa Oy"),
        Suggestion("person", name="Mika", address="mika@gmail.com"),
    ]


def test_nobody_is_suggested_who_is_known_a_colleague_or_a_machine(aino: Actor, box: int) -> None:
    a_user("Noor", email="noor@crm.test")
    hidden = a_person(aino, "Taken off", "off@x.test")
    taken = a_message(box, sender="off@x.test")
    link.apply_rules()
    link.unlink(aino, threads.open_thread(aino, taken.thread_id).links[0].id)
    robot = a_message(box, sender="no-reply@shop.test")
    automatic = a_message(box, sender="away@x.test", auto_submitted=True)
    inside = a_message(box, sender="noor@crm.test")
    out = a_message(box, sender="aino@crm.test", to="stranger@x.test")
    assert suggested(aino, taken, robot, automatic, inside, out) == [None] * 5
    assert hidden.card.id


def test_only_own_conversations_get_suggestions(aino: Actor, box: int) -> None:
    noor = a_user("Noor", admin=True)
    came = a_message(box, visibility="shared")
    assert for_threads(noor, [came.thread_id, 999]) == {}
    assert for_threads(aino, []) == {}


def test_a_page_of_suggestions_costs_the_same_for_one_and_for_many(aino: Actor, box: int) -> None:
    """Cheap: a constant number of statements for a page of the list."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    a_deal(aino, "One", person=person)
    a_deal(aino, "Two", person=person)

    def both() -> list[int]:
        return [a_message(box).thread_id, a_message(box, sender="s@stranger.test").thread_id]

    some = both()
    many = some + [each for _ in range(8) for each in both()]
    link.apply_rules()
    with counting() as first:
        for_threads(aino, some)
    with counting() as second:
        assert len(for_threads(aino, many)) == 18
    assert len(first) == len(second) <= 12


def test_why_names_the_address_the_person_and_the_deal(aino: Actor, box: int) -> None:
    """B06: "Linked because mika@… is Mika, whose only open deal is …"."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    deal = a_deal(aino, "One", person=person)
    came = a_message(box)
    link.apply_rules()
    of_person, of_deal = why(aino, came.thread_id)
    assert (of_person.code, of_person.address, of_person.person) == ("address", "mika@saimaa.test", "Mika")
    assert (of_deal.code, of_deal.address, of_deal.person, of_deal.title) == (
        "one_open_deal",
        "mika@saimaa.test",
        "Mika",
        "One",
    )
    assert of_deal.can_unlink
    link.unlink(aino, of_deal.link_id)
    link.link_thread(aino, came.thread_id, deal_id=deal.card.id)
    by_hand = why(aino, came.thread_id)[1]
    assert (by_hand.code, by_hand.by, by_hand.mine) == ("manual", "Aino", True)


def test_why_tells_a_colleague_no_address_they_may_not_see(aino: Actor, box: int) -> None:
    """M25: who takes part in what is kept private stays private; and unlinking is the owner's."""
    noor = a_user("Noor")
    person = a_person(aino, "Mika", "mika@saimaa.test")
    a_deal(aino, "One", person=person)
    private = a_message(box)
    a_message(box, sender="other@x.test", thread_id=private.thread_id, visibility="shared")
    link.apply_rules()
    seen = why(noor, private.thread_id)
    assert [(each.kind, each.address, each.can_unlink) for each in seen] == [("deal", "", False)]
    with pytest.raises(NotFound):
        why(noor, a_message(box).thread_id)


def test_earlier_mail_is_offered_to_a_new_deal_where_the_rules_left_it(aino: Actor, box: int) -> None:
    """Settled question 8, M29: several deals are asked about; a conversation's own deal is left alone; Undo."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    one = a_deal(aino, "One", person=person)
    linked, old = a_message(box), a_message(box)
    off = a_message(box)
    link.apply_rules()
    link.unlink(aino, next(e.id for e in why_deals(aino, old)))
    link.unlink(aino, next(e.id for e in why_deals(aino, off)))
    two = a_deal(aino, "Two", person=person)
    link.apply_rules()
    link.link_thread(aino, off.thread_id, deal_id=two.card.id)
    link.unlink(aino, next(e.id for e in why_deals(aino, off)))
    offered = earlier(aino, deal_id=two.card.id)
    assert offered.thread_ids == (old.thread_id,), "not one with a deal, nor one it was taken off"
    assert earlier(aino, deal_id=one.card.id).linked == 1
    done = link_earlier(aino, two.card.id)
    assert done is not None
    assert [e.title for e in why_deals(aino, old)] == ["Two"]
    assert link_earlier(aino, two.card.id) is None
    link.undo_link(aino, done)
    assert earlier(aino, deal_id=two.card.id).thread_ids == (old.thread_id,)
    assert linked.id


def test_earlier_mail_of_the_only_deal_and_of_a_person_is_linked_by_rule(aino: Actor, box: int) -> None:
    """M27, M28: nothing to ask; the answer says how many."""
    for _ in range(3):
        a_message(box)
    person = a_person(aino, "Mika", "mika@saimaa.test")
    assert earlier(aino, person_id=person.card.id).linked == 3
    deal = a_deal(aino, person=person)
    found = earlier(aino, deal_id=deal.card.id)
    assert (found.linked, found.thread_ids) == (3, ())


def test_earlier_asks_for_one_target_that_the_actor_may_see(aino: Actor, box: int) -> None:
    person = a_person(aino, "Mika", "mika@saimaa.test")
    deal = a_deal(aino, person=person)
    people.delete(aino, person.card.id)
    deals.delete(aino, deal.card.id)
    for wrong in ({"person_id": person.card.id}, {"deal_id": deal.card.id}, {"deal_id": 999}):
        with pytest.raises(NotFound):
            earlier(aino, **wrong)
    with pytest.raises(UserError):
        earlier(aino)


def why_deals(actor: Actor, message: Message) -> list[LinkView]:
    return [each for each in threads.open_thread(actor, message.thread_id).links if each.kind == "deal"]


def test_a_mailbox_that_wants_no_answer_is_not_asked(aino: Actor, box: int) -> None:
    """M29, policy "none": several deals are no question there; one deal, or another mailbox's copy, still is one."""
    other = a_mailbox(aino, "aino2@crm.test", auto_link_deals=False)
    person = a_person(aino, "Mika", "mika@saimaa.test")
    one, two = a_deal(aino, "One", person=person), a_deal(aino, "Two", person=person)
    mailboxes.change(aino, box, deal_link_policy="none")
    quiet, copied = a_message(box), a_message(box)
    a_message(other, thread_id=copied.thread_id)
    both = Suggestion("deals", ((two.card.id, "Two"), (one.card.id, "One")))
    assert suggested(aino, quiet, copied) == [None, both]
    mailboxes.change(aino, box, auto_link_deals=False)
    deals.lose(aino, two.card.id)
    assert suggested(aino, quiet) == [Suggestion("deals", ((one.card.id, "One"),))]
    mailboxes.change(aino, box, deal_link_policy="ask")
    deals.reopen(aino, two.card.id)
    assert suggested(aino, quiet) == [both]
