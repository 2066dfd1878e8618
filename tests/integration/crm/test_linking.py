"""Linking in the database: the rules' job, links by hand, what is remembered, and the panel beside a conversation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import AlternativeAddress, Link, LiveEvent, MailboxAlias, Message, Outbox, PersonAddress, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.crm import deals, leads, organizations, people
from mailcrm.services.crm.linking import link, rules
from mailcrm.services.crm.linking.panel import panel, search_deals
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import threads
from mailcrm.services.mail.views import LinkView
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def aino() -> Actor:
    return a_user("Aino")


@pytest.fixture
def box(aino: Actor) -> int:
    return a_mailbox(aino, "aino@crm.test")


def links(actor: Actor, thread_id: int) -> dict[str, LinkView]:
    return {found.kind: found for found in threads.open_thread(actor, thread_id).links}


def test_received_and_sent_mail_links_to_the_person_and_the_only_deal(aino: Actor, box: int) -> None:
    """M02, M27, M28, B06: each link says what made it."""
    person = a_person(aino, "Mika", "Mika@Saimaa.test")
    deal = a_deal(aino, person=person)
    came = a_message(box)
    went = a_message(box, sender="aino@crm.test", to="mika@saimaa.test")
    assert link.apply_rules() == 2
    for message in (came, went):
        found = links(aino, message.thread_id)
        assert (found["person"].target_id, found["person"].title) == (person.card.id, "Mika")
        assert (found["person"].origin, found["person"].reason, found["person"].detail) == (
            "rule",
            "address",
            "mika@saimaa.test",
        )
        assert (found["deal"].target_id, found["deal"].reason) == (deal.card.id, "one_open_deal")


def test_running_the_rules_again_changes_nothing(aino: Actor, box: int) -> None:
    a_person(aino, "Mika", "mika@saimaa.test")
    a_message(box)
    assert link.apply_rules() == 1
    assert link.apply_rules() == 0
    with transaction() as session:
        for message in session.exec(select(Message)):
            message.link_pending = True
    assert link.apply_rules() == 1
    with reading() as session:
        assert len(session.exec(select(Link)).all()) == 1


def test_two_workers_at_once_make_each_link_once(aino: Actor, box: int) -> None:
    person = a_person(aino, "Mika", "mika@saimaa.test")
    a_deal(aino, person=person)
    for _ in range(30):
        a_message(box)
    with ThreadPoolExecutor(4) as pool:
        looked_at = list(pool.map(lambda _: link.apply_rules(), range(4)))
    assert sum(looked_at) == 30
    with reading() as session:
        assert len(session.exec(select(Link)).all()) == 60


def test_own_addresses_and_colleagues_never_match(aino: Actor, box: int) -> None:
    """Vocabulary: own = address, aliases, confirmed alternatives; colleagues = every user's. Unconfirmed ones count."""
    noor = a_user("Noor", email="noor@crm.test")
    a_mailbox(noor, "sales@crm.test")
    with transaction() as session:
        session.add(MailboxAlias(mailbox_id=box, address="Alias@crm.test"))
        session.add(AlternativeAddress(user_id=aino.user_id, address="aino@home.test", confirmed_at=utcnow()))
        session.add(AlternativeAddress(user_id=aino.user_id, address="not-mine@home.test"))
    # A contact with a colleague's address can't be made; one whose address became a colleague's can be there.
    ours = ("aino@crm.test", "alias@crm.test", "aino@home.test", "noor@crm.test", "sales@crm.test")
    people_of = {address: a_person(aino, address).card.id for address in (*ours, "not-mine@home.test")}
    with transaction() as session:
        session.add_all([PersonAddress(person_id=person, address=address) for address, person in people_of.items()])
    inside = a_message(box, sender="noor@crm.test", to=", ".join(ours), cc="not-mine@home.test")
    link.apply_rules()
    assert [found.title for found in threads.open_thread(aino, inside.thread_id).links] == ["not-mine@home.test"]


def test_an_address_added_later_links_earlier_mail(aino: Actor, box: int) -> None:
    """M27: re-run when a person gets a new address; also when the person is new."""
    first = a_message(box)
    second = a_message(box, sender="private@mika.test")
    link.apply_rules()
    assert links(aino, first.thread_id) == {}
    person = a_person(aino, "Mika", "mika@saimaa.test")
    link.apply_rules()
    assert links(aino, first.thread_id)["person"].target_id == person.card.id
    people.add_address(aino, person.card.id, " Private@Mika.test ")
    assert link.apply_rules() == 1
    assert links(aino, second.thread_id)["person"].target_id == person.card.id


def test_several_open_deals_wait_for_a_choice_that_holds(aino: Actor, box: int) -> None:
    """M29."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    one, two = a_deal(aino, "One", person=person), a_deal(aino, "Two", person=person)
    came = a_message(box)
    link.apply_rules()
    seen = panel(aino, came.thread_id)
    assert seen.deal is None
    assert [card.title for card in seen.candidates] == ["Two", "One"]

    link.link_thread(aino, came.thread_id, deal_id=one.card.id)
    deals.lose(aino, one.card.id, "too late")
    a_message(box, thread_id=came.thread_id)
    link.apply_rules()
    chosen = panel(aino, came.thread_id)
    assert chosen.deal is not None
    assert (chosen.deal.id, chosen.candidates) == (one.card.id, ()), "the choice holds, though only Two is open now"

    link.link_thread(aino, came.thread_id, deal_id=two.card.id)
    assert links(aino, came.thread_id)["deal"].target_id == two.card.id


@pytest.mark.parametrize(("policy", "titles"), [("newest", {"Two"}), ("all", {"One", "Two"}), ("none", set())])
def test_the_mailbox_says_what_to_do_with_several(aino: Actor, policy: str, titles: set[str]) -> None:
    """M29."""
    box = a_mailbox(aino, deal_link_policy=policy)
    person = a_person(aino, "Mika", "mika@saimaa.test")
    a_deal(aino, "One", person=person)
    a_deal(aino, "Two", person=person)
    came = a_message(box)
    link.apply_rules()
    found = threads.open_thread(aino, came.thread_id).links
    assert {one.title for one in found if one.kind == "deal"} == titles


def test_deals_are_left_alone_when_the_mailbox_says_so(aino: Actor) -> None:
    """M28: a toggle."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    a_deal(aino, person=person)
    came = a_message(a_mailbox(aino, auto_link_deals=False))
    link.apply_rules()
    assert set(links(aino, came.thread_id)) == {"person"}


def test_unlinked_is_remembered_and_undone(aino: Actor, box: int) -> None:
    """M30: later mail of the thread does not bring it back; a person does."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    a_deal(aino, person=person)
    came = a_message(box)
    link.apply_rules()
    made = links(aino, came.thread_id)
    link.unlink(aino, made["deal"].id)
    link.unlink(aino, made["person"].id)
    link.unlink(aino, made["person"].id)
    a_message(box, thread_id=came.thread_id)
    link.apply_rules()
    assert links(aino, came.thread_id) == {}
    assert threads.open_thread(aino, came.thread_id).messages, "the message stays"

    link.relink(aino, made["person"].id)
    assert links(aino, came.thread_id)["person"].origin == "rule"
    link.link_thread(aino, came.thread_id, deal_id=made["deal"].target_id)
    assert links(aino, came.thread_id)["deal"].origin == "manual"


def test_the_deal_chosen_in_the_composer_is_linked(aino: Actor, box: int) -> None:
    """B06: origin composer; before any rule guesses, and also when the row is matched by its Message-ID alone."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    a_deal(aino, "Other", person=person)
    chosen = a_deal(aino, "Chosen")
    with transaction() as session:
        session.add(
            Outbox(user_id=aino.user_id, mailbox_id=box, state="sent", rfc_message_id="sent@x", deal_id=chosen.card.id)
        )
    went = a_message(box, sender="aino@crm.test", to="mika@saimaa.test", rfc_message_id="sent@x")
    link.apply_rules()
    found = [one for one in threads.open_thread(aino, went.thread_id).links if one.kind == "deal"]
    assert [(one.title, one.origin) for one in found] == [("Chosen", "composer")]


def test_links_tell_the_open_tabs(aino: Actor, box: int) -> None:
    a_person(aino, "Mika", "mika@saimaa.test")
    came = a_message(box)
    a_message(box, sender="stranger@x.test")
    with transaction() as session:
        for event in session.exec(select(LiveEvent)):
            session.delete(event)
    link.apply_rules()
    with reading() as session:
        hints = [(event.user_id, event.topic, event.ref) for event in session.exec(select(LiveEvent))]
    assert sorted(hints, key=str) == sorted([(aino.user_id, "mail", came.thread_id), (None, "crm", None)], key=str)


def test_a_big_backlog_is_done_in_batches(aino: Actor, box: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "BATCH", 3)
    for _ in range(7):
        a_message(box)
    assert link.apply_rules(limit=5) == 5
    assert link.apply_rules() == 2


def test_linking_by_hand_takes_exactly_one_target(aino: Actor, box: int) -> None:
    came = a_message(box)
    person = a_person(aino)
    deal = a_deal(aino)
    with pytest.raises(UserError):
        link.link_thread(aino, came.thread_id)
    with pytest.raises(UserError):
        link.link_thread(aino, came.thread_id, person_id=person.card.id, deal_id=deal.card.id)
    link.link_thread(aino, came.thread_id, person_id=person.card.id)
    link.link_thread(aino, came.thread_id, person_id=person.card.id)
    assert set(links(aino, came.thread_id)) == {"person"}


def test_a_target_in_the_trash_or_unknown_is_not_found(aino: Actor, box: int) -> None:
    came = a_message(box)
    person, deal = a_person(aino), a_deal(aino)
    lead = leads.create_lead(aino, title="Maybe")
    people.delete(aino, person.card.id)
    deals.delete(aino, deal.card.id)
    leads.delete(aino, lead.id)
    for target in ({"person_id": person.card.id}, {"deal_id": deal.card.id}, {"lead_id": lead.id}, {"deal_id": 999}):
        with pytest.raises(NotFound):
            link.link_thread(aino, came.thread_id, **target)


def test_another_users_conversation_is_not_found(aino: Actor, box: int) -> None:
    """M25, and linking belongs to the owner (M04): a shared conversation can be read by a colleague, not changed."""
    noor = a_user("Noor", admin=True)
    deal = a_deal(noor)
    came = a_message(box, visibility="shared")
    with pytest.raises(NotFound):
        panel(noor, came.thread_id)
    link.link_thread(aino, came.thread_id, deal_id=deal.card.id)
    link_id = links(aino, came.thread_id)["deal"].id
    assert panel(noor, came.thread_id).can_change is False
    for verb in (
        lambda: link.link_thread(noor, came.thread_id, deal_id=deal.card.id),
        lambda: link.unlink(noor, link_id),
        lambda: link.relink(noor, link_id),
    ):
        with pytest.raises(NotFound):
            verb()
    assert links(aino, came.thread_id)["deal"].origin == "manual"


def test_the_panel_offers_to_add_an_unknown_sender(aino: Actor, box: int) -> None:
    came = a_message(box, sender='"Aaltonen, Mika" <mika@saimaa-energy.fi>'.replace(",", ""))
    seen = panel(aino, came.thread_id)
    assert seen.person is None
    assert seen.unknown is not None
    assert (seen.unknown.address, seen.prefill_name) == ("mika@saimaa-energy.fi", "Aaltonen Mika")
    assert seen.prefill_organization == "Saimaa Energy"
    assert seen.can_change
    organizations.create_organization(aino, name="Saimaa Oy", domains=["saimaa-energy.fi"])
    assert panel(aino, came.thread_id).prefill_organization == "Saimaa Oy"
    free = a_message(box, sender="Mika <mika@gmail.com>")
    assert panel(aino, free.thread_id).prefill_organization == ""


def test_the_panel_shows_person_deal_and_recent_mail(aino: Actor, box: int) -> None:
    person = a_person(aino, "Mika", "mika@saimaa.test", organization="Saimaa")
    deal = a_deal(aino, person=person)
    a_message(box, subject="earlier")
    came = a_message(box)
    link.apply_rules()
    seen = panel(aino, came.thread_id)
    assert seen.person == person.card
    assert seen.unknown is None
    assert seen.deal is not None
    assert seen.deal.id == deal.card.id
    assert [step.state for step in seen.deal_steps] == ["current", "ahead", "ahead", "ahead", "ahead"]
    assert [item.message.subject for item in seen.recent if item.message] == ["Calibration certificates", "earlier"]
    assert {one.kind for one in seen.links} == {"person", "deal"}


def test_deals_are_found_to_link_to(aino: Actor) -> None:
    a_deal(aino, "Saimaa phase 2", person=a_person(aino, "Mika", organization="Saimaa Energy"))
    a_deal(aino, "Delta retrofit")
    assert [card.title for card in search_deals(aino, "energy phase")] == ["Saimaa phase 2"]
    assert [card.title for card in search_deals(aino, "")] == ["Delta retrofit", "Saimaa phase 2"]
