"""Figures of a person's email, and the person's leads: counted once, and only what the viewer may see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col, select

from mailcrm.errors import NotFound
from mailcrm.models import TrackedMessage
from mailcrm.services.access import Actor
from mailcrm.services.crm import leads, people
from mailcrm.services.crm.correspondence import Correspondence, correspondence
from mailcrm.services.crm.linking import link
from mailcrm.services.db import transaction
from tests.builders import a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")
MIKA = "mika@saimaa.test"
START = datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.fixture
def aino() -> Actor:
    return a_user("Aino")


def _conversation(actor: Actor, person_id: int, address: str, *, visibility: str = "private") -> int:
    """Two of ours, each answered after an hour and after three; the first is tracked and was opened."""
    box = a_mailbox(actor, address)
    first = a_message(
        box, sender=address, to=MIKA, at=START, tracked=True, rfc_message_id="one@x.test", visibility=visibility
    )
    thread_id = first.thread_id
    for hours, sender, to, name in (
        (1, MIKA, address, "two@x.test"),
        (2, address, MIKA, "three@x.test"),
        (5, MIKA, address, "four@x.test"),
        (6, "other@saimaa.test", address, "five@x.test"),
    ):
        at = START + timedelta(hours=hours)
        a_message(box, sender=sender, to=to, at=at, thread_id=thread_id, rfc_message_id=name, visibility=visibility)
    link.link_thread(actor, thread_id, person_id=person_id)
    with transaction() as session:
        row = session.exec(select(TrackedMessage).where(col(TrackedMessage.message_id) == first.id)).one()
        row.opens = 2
        session.add(row)
    return thread_id


def test_a_persons_email_in_figures(aino: Actor) -> None:
    person_id = a_person(aino, "Mika", MIKA).card.id
    assert correspondence(aino, person_id) == Correspondence()
    _conversation(aino, person_id, "aino@mail.test")
    assert correspondence(aino, person_id) == Correspondence(
        last_reply_at=START + timedelta(hours=5),
        received=2,
        sent=2,
        opens_on=1,
        opened=1,
        clicks_on=1,
        clicked=0,
        reply_after=timedelta(hours=2),
    )


def test_copies_of_one_email_count_once_and_others_not_at_all(aino: Actor) -> None:
    """B04: what went out as a copy for each recipient is one email, and another's open is not this person's."""
    person_id = a_person(aino, "Mika", MIKA).card.id
    _conversation(aino, person_id, "aino@mail.test")
    with transaction() as session:
        row = session.exec(select(TrackedMessage)).one()
        row.recipient, row.opens = MIKA, 0
        session.add(row)
        for n, (recipient, opens) in enumerate(((MIKA, 0), ("other@saimaa.test", 3))):
            session.add(
                TrackedMessage(
                    user_id=aino.user_id, message_id=row.message_id, nonce=f"n{n}", opens_on=True, clicks_on=True,
                    recipient=recipient, opens=opens,
                )
            )  # fmt: skip
    found = correspondence(aino, person_id)
    assert (found.opens_on, found.opened, found.clicks_on) == (1, 0, 1)


def test_a_colleague_counts_nothing_of_private_email(aino: Actor) -> None:
    """M25: a figure would tell that there is mail, and when."""
    person_id = a_person(aino, "Mika", MIKA).card.id
    _conversation(aino, person_id, "aino@mail.test")
    assert correspondence(a_user("Noor"), person_id) == Correspondence()
    assert correspondence(a_user("Boss", admin=True), person_id) == Correspondence()


def test_an_email_that_two_mailboxes_hold_counts_once(aino: Actor) -> None:
    """M13."""
    person_id = a_person(aino, "Mika", MIKA).card.id
    _conversation(aino, person_id, "aino@mail.test", visibility="shared")
    noor = a_user("Noor")
    box = a_mailbox(noor, "noor@mail.test")
    copy = a_message(box, sender=MIKA, to="aino@mail.test", at=START + timedelta(hours=1), rfc_message_id="two@x.test")
    link.link_thread(noor, copy.thread_id, person_id=person_id)
    found = correspondence(noor, person_id)
    assert (found.received, found.sent) == (2, 2)


def test_a_deleted_person_has_no_figures(aino: Actor) -> None:
    person_id = a_person(aino, "Mika", MIKA).card.id
    people.delete(aino, person_id)
    with pytest.raises(NotFound):
        correspondence(aino, person_id)


def test_a_persons_open_leads(aino: Actor) -> None:
    mika, noor = a_person(aino, "Mika", MIKA), a_person(aino, "Noor")
    leads.create_lead(aino, title="Wells", person_id=mika.card.id)
    kept = leads.create_lead(aino, title="Pumps", person_id=mika.card.id)
    leads.create_lead(aino, title="Pipes", person_id=noor.card.id)
    leads.archive(aino, kept.id)
    assert [each.title for each in leads.page_of_leads(aino, person_id=mika.card.id).rows] == ["Wells"]
