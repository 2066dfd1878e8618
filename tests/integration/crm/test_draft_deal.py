"""The composer's proposal: the conversation's deal, or the recipients' only open one (M28, M29, M30)."""

from __future__ import annotations

import pytest

from mailcrm.errors import NotFound
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.auth import teams
from mailcrm.services.crm import deals
from mailcrm.services.crm.linking import link
from mailcrm.services.crm.linking.for_draft import DraftDeal, for_draft
from mailcrm.services.db import reading
from mailcrm.services.mail import threads
from mailcrm.services.mail.outbox import draft
from mailcrm.services.mail.outbox.views import DraftInput
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def aino() -> Actor:
    return a_user("Aino")


@pytest.fixture
def box(aino: Actor) -> int:
    return a_mailbox(aino, "aino@crm.test")


def test_the_only_open_deal_of_a_recipient_is_offered_until_one_is_linked(aino: Actor, box: int) -> None:
    mika = a_person(aino, "Mika Aaltonen", "mika@saimaa.test")
    deal = a_deal(aino, "Saimaa phase 2", person=mika)
    view = draft.new_draft(aino, mailbox_id=box, to="Mika.Other@saimaa.test")
    assert for_draft(aino, view.id) is None
    draft.save(aino, view.id, DraftInput(box, to="MIKA@saimaa.test, aino@crm.test"))
    assert for_draft(aino, view.id) == DraftDeal("open", deal.card.id, "Saimaa phase 2")
    other = a_deal(aino, "Saimaa phase 3", person=mika)
    assert for_draft(aino, view.id) is None  # M29: several, no guess
    deals.win(aino, other.card.id)
    assert for_draft(aino, view.id) is not None
    draft.save(aino, view.id, DraftInput(box, to="mika@saimaa.test", deal_id=deal.card.id))
    assert for_draft(aino, view.id) is None


def test_a_reply_shows_its_conversations_deal_and_offers_none_that_was_taken_off(aino: Actor, box: int) -> None:
    mika = a_person(aino, "Mika Aaltonen", "mika@saimaa.test")
    first = a_deal(aino, "Saimaa phase 2", person=mika)
    message = a_message(box)
    link.apply_rules()
    a_deal(aino, "Saimaa phase 3", person=mika)
    view = draft.new_draft(aino, reply_to_message_id=message.id, mode="reply")
    assert for_draft(aino, view.id) == DraftDeal("thread", first.card.id, "Saimaa phase 2")
    deals.delete(aino, next(each.id for each in deals.list_deals(aino, "phase 3")))
    view_of = threads.open_thread(aino, message.thread_id)
    link.unlink(aino, next(each.id for each in view_of.links if each.kind == "deal"))
    assert for_draft(aino, view.id) is None  # M30: never proposed again for this conversation


def test_it_names_no_deal_that_the_writer_may_not_see(aino: Actor, box: int) -> None:
    noor = a_user("Noor")
    a_deal(noor, "Noor's secret", person=a_person(aino, "Mika Aaltonen", "mika@saimaa.test"))
    view = draft.new_draft(aino, mailbox_id=box, to="mika@saimaa.test")
    assert for_draft(aino, view.id) is not None
    teams.set_scope(a_user("Root", admin=True), "member", "deal", "own")
    with reading() as session:
        again = access.actor_for(session, aino.user_id)
    assert for_draft(again, view.id) is None
    with pytest.raises(NotFound):
        for_draft(noor, view.id)
