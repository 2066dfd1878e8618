"""Persons and organizations as people keep them: addresses, owners, lists, domains, and the form from a message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Label, LabelUse, Person
from mailcrm.services.access import Actor
from mailcrm.services.crm import organizations, people, person_addresses
from mailcrm.services.crm.draft_person import draft_person
from mailcrm.services.crm.linking import link
from mailcrm.services.crm.people_list import Narrowed, page_of_people
from mailcrm.services.db import transaction
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def aino() -> Actor:
    return a_user("Aino")


def test_addresses_change_places_and_persons(aino: Actor) -> None:
    mika = a_person(aino, "Mika", "a@saimaa.test", "b@saimaa.test")
    noor = a_person(aino, "Noor", "noor@saimaa.test")
    assert people.make_primary(aino, mika.card.id, "B@saimaa.test").addresses == ("b@saimaa.test", "a@saimaa.test")
    assert people.move_address(aino, mika.card.id, "b@saimaa.test", noor.card.id).addresses == ("a@saimaa.test",)
    assert people.get_person(aino, noor.card.id).addresses == ("noor@saimaa.test", "b@saimaa.test")
    with pytest.raises(NotFound):
        people.make_primary(aino, mika.card.id, "b@saimaa.test")
    with pytest.raises(NotFound):
        people.move_address(aino, mika.card.id, "a@saimaa.test", 999)
    assert people.get_person(aino, mika.card.id).addresses == ("a@saimaa.test",), "nothing half done"


@pytest.mark.parametrize(
    "bad",
    [
        "Boss <ceo@saimaa.test>",
        "ceo@saimaa.test <evil@x.test>",
        '"ceo@saimaa.test" <evil@x.test>',
        '"a b"@saimaa.test',
        "a@b@saimaa.test",
        "a@saimaa.test,b@saimaa.test",
        "@saimaa.test",
    ],
)
def test_what_is_no_address_is_refused(aino: Actor, bad: str) -> None:
    mika = a_person(aino, "Mika", "mika@saimaa.test")
    with pytest.raises(UserError):
        people.add_address(aino, mika.card.id, bad)
    assert people.get_person(aino, mika.card.id).addresses == ("mika@saimaa.test",)


def test_spellings_of_one_address_are_one_and_tags_are_not(aino: Actor) -> None:
    """IDN, SMTPUTF8, case, plus-tags: the whole address counts, however its domain is spelled."""
    made = people.create_person(
        aino, name="Jörg", addresses=["JÖRG@bücher.test", "jörg@xn--bcher-kva.test", "jörg+news@bücher.test"]
    )
    assert made.addresses == ("jörg@bücher.test", "jörg+news@bücher.test")
    found = people.find_by_address(aino, "jörg@xn--bcher-kva.test")
    assert found is not None
    assert found.id == made.card.id
    assert people.remove_address(aino, made.card.id, "jörg@XN--BCHER-KVA.test").addresses == ("jörg+news@bücher.test",)


def test_a_colleagues_address_is_refused(aino: Actor) -> None:
    a_user("Noor", email="noor@tidewater.test")
    box = a_mailbox(aino, "aino.sales@tidewater.test")
    mika = a_person(aino, "Mika")
    for address in ("Noor@tidewater.test", "aino.sales@tidewater.test"):
        with pytest.raises(UserError, match="belongs to somebody"):
            people.add_address(aino, mika.card.id, address)
        with pytest.raises(UserError, match="belongs to somebody"):
            a_person(aino, "Twin", address)
    assert box
    assert [row.name for row in people.list_people(aino).rows] == ["Mika"]


def test_ten_thousand_addresses_are_too_many(aino: Actor) -> None:
    with pytest.raises(UserError, match="50 addresses"):
        a_person(aino, "Many", *(f"a{n}@x.test" for n in range(10_000)))
    made = a_person(aino, "Many", *(f"a{n}@x.test" for n in range(50)))
    with pytest.raises(UserError, match="50 addresses"):
        people.add_address(aino, made.card.id, "one.more@x.test")


def test_two_may_share_an_address_and_the_form_can_warn(aino: Actor) -> None:
    mika = a_person(aino, "Mika", "info@saimaa.test")
    noor = a_person(aino, "Noor", "info@saimaa.test")
    both = person_addresses.holders(aino, ["INFO@saimaa.test".lower()])
    assert {card.id for card in both} == {mika.card.id, noor.card.id}
    assert [card.id for card in person_addresses.holders(aino, [], name="mika")] == [mika.card.id]
    assert [card.id for card in person_addresses.holders(aino, ["info@saimaa.test"], but=mika.card.id)] == [
        noor.card.id
    ]


def test_owners_change_for_many_and_back(aino: Actor) -> None:
    noor = a_user("Noor")
    first, second = a_person(aino, "First").card.id, a_person(noor, "Second").card.id
    before = people.hand_over(aino, {first: noor.user_id, second: None})
    assert before == {first: aino.user_id, second: noor.user_id}
    assert people.get_person(aino, first).owner == "Noor"
    assert page_of_people(aino, narrowed=Narrowed(owner_id=0)).rows[0].card.id == second
    people.hand_over(aino, before)
    assert people.get_person(aino, first).owner_id == aino.user_id
    for wrong in ({first: 999}, {999: noor.user_id, first: noor.user_id}):
        with pytest.raises(NotFound):
            people.hand_over(aino, wrong)  # type: ignore[arg-type]
    assert people.get_person(aino, first).owner_id == aino.user_id, "all or none"


def test_many_go_to_the_trash_and_come_back(aino: Actor) -> None:
    ids = [a_person(aino, f"P{n}").card.id for n in range(3)]
    with pytest.raises(NotFound):
        people.delete_many(aino, [*ids, 999])
    assert len(people.list_people(aino).rows) == 3
    people.delete_many(aino, ids)
    assert people.list_people(aino).rows == ()
    people.restore_many(aino, ids)
    assert len(people.list_people(aino).rows) == 3


def test_the_list_says_narrows_and_sorts(aino: Actor) -> None:
    mika = people.create_person(
        aino, name="Mika", addresses=["mika@saimaa.test"], phones=["+358 40-123 45"], organization="Saimaa"
    )
    sato = people.create_person(aino, name="佐藤 健", organization="三浦精機株式会社", job_title="購買部")
    a_deal(aino, person=mika)
    people.set_consent(aino, mika.card.id, "granted")
    thread = a_message(
        a_mailbox(aino, "aino@tidewater.test"), sender="Mika <mika@saimaa.test>", at=datetime.now(UTC)
    ).thread_id
    link.link_thread(aino, thread, person_id=mika.card.id)
    with transaction() as session:
        session.add(label := Label(kind="person", name="Decision maker", color="jade"))
        session.flush()
        session.add(LabelUse(label_id=label.id or 0, person_id=mika.card.id))
    line = page_of_people(aino, "mika").rows[0]
    assert (line.owner, line.open_deals, line.phones) == ("Aino", 1, ("+358 40-123 45",))
    assert line.last_email_at is not None
    assert [each.name for each in line.labels] == ["Decision maker"]
    noor = a_user("Noor")
    assert page_of_people(noor, "mika").rows[0].last_email_at is None, "private mail is nobody else's (M25)"
    for query in ("佐藤", "三浦", "購買"):
        assert [row.card.id for row in page_of_people(aino, query).rows] == [sato.card.id]
    for query in ("4012345", "358-40-123", "SAIMAA.test"):
        assert [row.card.id for row in page_of_people(aino, query).rows] == [mika.card.id], query
    for narrowed, expected in (
        (Narrowed(label_id=label.id), "Mika"),
        (Narrowed(consent="granted"), "Mika"),
        (Narrowed(organization_id=sato.card.organization_id), "佐藤 健"),
        (Narrowed(owner_id=noor.user_id), None),
        (Narrowed(quiet_days=1), None),
    ):
        assert [row.card.name for row in page_of_people(aino, narrowed=narrowed).rows] == (
            [expected] if expected else []
        )
    for sort, first in (("name", "Mika"), ("-name", "佐藤 健"), ("newest", "佐藤 健")):
        page = page_of_people(aino, sort=sort, limit=1)
        rest = page_of_people(aino, sort=sort, limit=1, cursor=page.next_cursor)
        assert page.rows[0].card.name == first
        assert rest.rows[0].card.name != first
        assert rest.next_cursor is None


def test_nothing_happened_for_days(aino: Actor) -> None:
    quiet, busy = a_person(aino, "Quiet"), a_person(aino, "Busy", "busy@x.test")
    with transaction() as session:
        for each in (quiet, busy):
            row = session.get_one(Person, each.card.id)
            row.created_at = datetime.now(UTC) - timedelta(days=90)
            session.add(row)
    thread = a_message(a_mailbox(aino, "aino@tidewater.test"), sender="busy@x.test", at=datetime.now(UTC)).thread_id
    link.link_thread(aino, thread, person_id=busy.card.id)
    names = [row.card.name for row in page_of_people(aino, narrowed=Narrowed(quiet_days=30)).rows]
    assert names == ["Quiet"]


def test_consent_names_its_recorder_and_a_withdrawal(aino: Actor) -> None:
    """T09, DESIGN (g)."""
    mika = a_person(aino)
    granted = people.set_consent(aino, mika.card.id, "granted", "by phone")
    assert (granted.consent_by, granted.consent_withdrawn) == ("Aino", False)
    withdrawn = people.set_consent(a_user("Noor"), mika.card.id, "refused", "in a reply")
    assert (withdrawn.consent_by, withdrawn.consent_withdrawn) == ("Noor", True)


def test_an_organization_has_domains_and_sums(aino: Actor) -> None:
    made = organizations.create_organization(
        aino, name="Bücher", domains=["bücher.test", "XN--BCHER-KVA.test"], address="Kai 3"
    )
    assert (made.card.domains, made.address, made.owner) == (("xn--bcher-kva.test",), "Kai 3", "Aino")
    assert organizations.add_domain(aino, made.card.id, "@mail.buecher.test").card.domains[1] == "mail.buecher.test"
    for free in ("gmail.com", "yahoo.co.jp", "x@gmx.de"):
        with pytest.raises(UserError, match="Anybody can have"):
            organizations.add_domain(aino, made.card.id, free)
    assert organizations.remove_domain(aino, made.card.id, "xn--bcher-kva.test").card.domains == ("mail.buecher.test",)
    with pytest.raises(UserError, match="50 domains"):
        organizations.change_organization(aino, made.card.id, domains=[f"d{n}.test" for n in range(51)])


def test_a_form_starts_from_the_signature(aino: Actor) -> None:
    box = a_mailbox(aino, "aino@tidewater.test")
    text = "Hallo,\n\nMit freundlichen Grüßen\nLena Vogt\nEinkauf\nNordlicht Aqua GmbH\nTel.: +49 4834 5550142\n"
    thread = a_message(box, sender="Lena Vogt <lena@nordlicht.test>", text=text).thread_id
    draft = draft_person(aino, thread, "Lena@nordlicht.test")
    assert (draft.name, draft.phone, draft.job_title) == ("Lena Vogt", "+49 4834 5550142", "Einkauf")
    assert (draft.organization, draft.organization_known, draft.alike) == ("Nordlicht Aqua GmbH", False, ())
    organizations.create_organization(aino, name="Nordlicht", domains=["nordlicht.test"])
    twin = a_person(aino, "Lena Vogt", "l.vogt@other.test")
    draft = draft_person(aino, thread, "lena@nordlicht.test")
    assert (draft.organization, draft.organization_known) == ("Nordlicht", True)
    assert [card.id for card in draft.alike] == [twin.card.id]
    with pytest.raises(NotFound):
        draft_person(a_user("Noor"), thread, "lena@nordlicht.test")
