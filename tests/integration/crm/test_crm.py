"""Persons, organizations, pipelines, deals and leads through their verbs: what they keep, refuse and tell."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import AuditEntry, DealStage, Pipeline, Stage
from mailcrm.services.access import Actor
from mailcrm.services.crm import deals, leads, organizations, people, pipelines, timeline
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import threads
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def aino() -> Actor:
    return a_user("Aino")


def test_a_person_is_kept_as_given_and_tidied(aino: Actor) -> None:
    made = people.create_person(
        aino,
        name="  Mika\n Aaltonen\x00 ",
        addresses=["Mika@Saimaa.TEST", " mika@saimaa.test", "", "second@saimaa.test"],
        phones=["+358 40 123", " "],
        organization="Saimaa Energy",
        job_title="Buyer",
    )
    assert made == people.get_person(aino, made.card.id)
    assert (made.card.name, made.card.job_title, made.card.organization) == ("Mika Aaltonen", "Buyer", "Saimaa Energy")
    assert (made.addresses, made.card.address) == (("mika@saimaa.test", "second@saimaa.test"), "mika@saimaa.test")
    assert (made.phones, made.card.phone) == (("+358 40 123",), "+358 40 123")
    assert made.organization is not None
    assert (made.organization.name, made.organization.people) == ("Saimaa Energy", 1)
    noor = a_user("Noor")
    assert people.get_person(noor, made.card.id) == made, "colleagues share persons"


def test_an_organization_is_made_once_whatever_its_case(aino: Actor) -> None:
    first = a_person(aino, "Mika", organization="Saimaa Energy")
    second = a_person(aino, "Noor", organization="  saimaa  ENERGY ")
    assert first.card.organization_id == second.card.organization_id
    assert a_person(aino, "Alone").card.organization_id is None


@pytest.mark.parametrize(
    "bad",
    [
        {"name": " \x00 "},
        {"name": "x" * 201},
        {"name": "Mika", "addresses": ["not an address"]},
        {"name": "Mika", "addresses": ["a@b, c@d"]},
        {"name": "Mika", "addresses": ["a@b.test\nBcc: x@y.test"]},
        {"name": "Mika", "addresses": ["a@" + "b" * 250 + ".test"]},
        {"name": "Mika", "phones": ["1" * 61]},
    ],
)
def test_a_person_that_makes_no_sense_is_refused(aino: Actor, bad: dict[str, object]) -> None:
    with pytest.raises(UserError):
        people.create_person(aino, **bad)  # type: ignore[arg-type]
    assert people.list_people(aino).rows == ()


def test_a_person_changes(aino: Actor) -> None:
    made = a_person(aino, "Mika", "mika@saimaa.test", organization="Saimaa")
    changed = people.change_person(aino, made.card.id, name="Mika A.", organization="", phones=["1", "2"])
    assert (changed.card.name, changed.card.organization, changed.phones) == ("Mika A.", "", ("1", "2"))
    assert people.add_address(aino, made.card.id, "NEW@saimaa.test").addresses == (
        "mika@saimaa.test",
        "new@saimaa.test",
    )
    assert people.add_address(aino, made.card.id, "new@saimaa.test").addresses == (
        "mika@saimaa.test",
        "new@saimaa.test",
    )
    assert people.remove_address(aino, made.card.id, "Mika@saimaa.test").card.address == "new@saimaa.test"


def test_consent_carries_its_date_and_source(aino: Actor) -> None:
    """T09."""
    made = a_person(aino)
    assert (made.consent, made.consent_at) == ("unknown", None)
    granted = people.set_consent(aino, made.card.id, "granted", "asked on the phone")
    assert (granted.card.consent, granted.consent_source) == ("granted", "asked on the phone")
    assert granted.consent_at is not None
    assert people.set_consent(aino, made.card.id, "unknown").consent_at is None
    with pytest.raises(UserError):
        people.set_consent(aino, made.card.id, "perhaps")


def test_who_has_an_address(aino: Actor) -> None:
    first = a_person(aino, "First", "info@saimaa.test")
    a_person(aino, "Second", "info@saimaa.test")
    found = people.find_by_address(aino, " INFO@saimaa.test")
    assert found == first.card
    people.delete(aino, first.card.id)
    again = people.find_by_address(aino, "info@saimaa.test")
    assert again is not None
    assert again.name == "Second"
    assert people.find_by_address(aino, "nobody@x.test") is None


def test_pages_of_people_by_name_in_any_script(aino: Actor) -> None:
    names = ["Ämma", "anna", "Anna", "Bo", "佐藤", "Émile", "bo", "Zoë", "İnci", "straße"]
    for name in names:
        a_person(aino, name)
    seen: list[str] = []
    cursor = None
    while True:
        page = people.list_people(aino, cursor=cursor, limit=3)
        seen += [card.name for card in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(names)


def test_people_are_found_by_name_organization_and_address(aino: Actor) -> None:
    a_person(aino, "Mika Aaltonen", "mika@saimaa.test", organization="Saimaa Energy")
    a_person(aino, "Noor", "noor@delta.test")
    for query in ("aalto", "ENERGY mika", "saimaa.test"):
        assert [card.name for card in people.list_people(aino, query).rows] == ["Mika Aaltonen"]
    assert people.list_people(aino, "%").rows == ()
    assert len(people.list_people(aino, " ").rows) == 2


def test_a_fresh_workspace_has_one_pipeline(aino: Actor) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: pipelines.list_pipelines(aino), range(4)))
    assert all(one == found[0] for one in found)
    (pipeline,) = found[0]
    assert (pipeline.name, [stage.name for stage in pipeline.stages]) == (
        "Main pipeline",
        ["Qualified", "Contact made", "Demo", "Proposal", "Negotiation"],
    )
    with reading() as session:
        assert len(session.exec(select(Pipeline)).all()) == 1


def test_a_deal_begins_on_the_first_stage(aino: Actor) -> None:
    person = a_person(aino, "Mika", organization="Saimaa")
    made = deals.create_deal(
        aino, title="Phase 2", value_minor=1_000_00, person_id=person.card.id, expected_close=date(2026, 12, 1)
    )
    card = made.card
    assert made == deals.get_deal(aino, card.id)
    assert (card.stage, card.status, card.currency, card.owner) == ("Qualified", "open", "EUR", "Aino")
    assert (card.person, card.organization, card.expected_close) == ("Mika", "Saimaa", date(2026, 12, 1))
    assert made.person == person.card
    assert [step.state for step in made.stages] == ["current", "ahead", "ahead", "ahead", "ahead"]
    assert people.get_person(aino, person.card.id).deals == (card,)
    organization = organizations.get_organization(aino, person.card.organization_id or 0)
    assert (organization.card.open_deals, organization.deals, organization.people) == (1, (card,), (person.card,))


@pytest.mark.parametrize(
    "bad", [{"title": " "}, {"title": "x", "currency": "euro"}, {"title": "x", "value_minor": 10**16}]
)
def test_a_deal_that_makes_no_sense_is_refused(aino: Actor, bad: dict[str, object]) -> None:
    with pytest.raises(UserError):
        deals.create_deal(aino, **bad)  # type: ignore[arg-type]
    assert deals.list_deals(aino) == ()


def test_moving_keeps_every_stay(aino: Actor) -> None:
    made = a_deal(aino)
    demo = made.stages[2].id
    moved = deals.move_to_stage(aino, made.card.id, demo)
    again = deals.move_to_stage(aino, made.card.id, demo)
    assert [step.state for step in again.stages] == ["done", "done", "current", "ahead", "ahead"]
    assert moved.card.stage == again.card.stage == "Demo"
    with transaction() as session:
        stays = session.exec(select(DealStage).order_by(DealStage.id)).all()  # type: ignore[arg-type]
        assert [stay.left_at is None for stay in stays] == [False, True]
        stays[1].entered_at = datetime.now(UTC) - timedelta(days=3, hours=1)
        session.add(stays[1])
    seen = deals.get_deal(aino, made.card.id)
    assert (seen.card.days_in_stage, [step.days for step in seen.stages]) == (3, [0, 0, 3, 0, 0])


def test_closing_and_reopening(aino: Actor) -> None:
    made = a_deal(aino)
    lost = deals.lose(aino, made.card.id, "no budget")
    assert (lost.card.status, lost.lost_reason) == ("lost", "no budget")
    won = deals.win(aino, made.card.id)
    assert (won.card.status, won.lost_reason) == ("won", "")
    assert [step.state for step in won.stages] == ["current", "done", "done", "done", "done"]
    assert deals.list_deals(aino) == ()
    assert [card.status for card in deals.list_deals(aino, status="won")] == ["won"]
    assert deals.reopen(aino, made.card.id).card.status == "open"
    with reading() as session:
        verbs = [entry.verb for entry in session.exec(select(AuditEntry)) if entry.object_kind == "deal"]
    assert verbs == ["create", "lose", "win", "reopen"]


def test_a_deal_changes_and_empties_fields(aino: Actor) -> None:
    person, other = a_person(aino, "Mika"), a_person(aino, "Noor")
    made = a_deal(aino, person=person)
    changed = deals.change_deal(
        aino, made.card.id, title="Phase 3", value_minor=5, currency="jpy", participants=[other.card.id, other.card.id]
    )
    assert (changed.card.title, changed.card.value_minor, changed.card.currency) == ("Phase 3", 5, "JPY")
    assert changed.card.person == "Mika", "what is not given stays"
    assert changed.participants == (other.card,)
    emptied = deals.change_deal(aino, made.card.id, person_id=None, expected_close=None, participants=[])
    assert (emptied.person, emptied.participants) == (None, ())


def test_the_board_adds_up_one_currency_at_a_time(aino: Actor) -> None:
    for value, currency in ((100, "EUR"), (200, "EUR"), (9_999, "JPY")):
        deals.create_deal(aino, title="x", value_minor=value, currency=currency)
    deals.win(aino, deals.create_deal(aino, title="won").card.id)
    board = deals.board(aino)
    first = board.columns[0]
    assert (board.pipeline, first.count, first.total_minor, first.currency, first.mixed) == (
        "Main pipeline",
        3,
        300,
        "EUR",
        True,
    )
    assert [column.count for column in board.columns] == [3, 0, 0, 0, 0]
    with pytest.raises(NotFound):
        deals.board(aino, pipeline_id=999)


def test_a_stage_in_the_trash_takes_no_deals(aino: Actor) -> None:
    made = a_deal(aino)
    with transaction() as session:
        session.get_one(Stage, made.stages[3].id).deleted_at = datetime.now(UTC)
    for bad in (made.stages[3].id, 999):
        with pytest.raises(NotFound):
            deals.move_to_stage(aino, made.card.id, bad)
        with pytest.raises(NotFound):
            deals.create_deal(aino, title="x", stage_id=bad)


def test_a_lead_becomes_a_deal_with_its_mail(aino: Actor) -> None:
    person = a_person(aino, "Mika", organization="Saimaa")
    lead = leads.create_lead(aino, title="Maybe", value_minor=700, person_id=person.card.id)
    assert (lead.person, lead.organization, lead.owner, lead.status) == ("Mika", "Saimaa", "Aino", "open")
    assert threads.counts(aino).leads == 1
    came = a_message(a_mailbox(aino))
    link.link_thread(aino, came.thread_id, lead_id=lead.id)

    deal_id = leads.convert(aino, lead.id)

    assert leads.convert(aino, lead.id) == deal_id
    card = deals.get_deal(aino, deal_id).card
    assert (card.title, card.value_minor, card.person, card.organization) == ("Maybe", 700, "Mika", "Saimaa")
    assert [item.ref for item in timeline.deal_timeline(aino, deal_id).items if item.message] == [came.id]
    assert (leads.get_lead(aino, lead.id).status, leads.get_lead(aino, lead.id).deal_id) == ("converted", deal_id)
    assert (leads.list_leads(aino), threads.counts(aino).leads) == ((), 0)
    assert leads.archive(aino, lead.id).status == "converted"


def test_leads_are_archived_and_found(aino: Actor) -> None:
    lead = leads.create_lead(aino, title="Rooftop 100%")
    assert [found.id for found in leads.list_leads(aino, "100%")] == [lead.id]
    assert leads.archive(aino, lead.id).status == "archived"
    assert leads.list_leads(aino) == ()
    assert leads.archive(aino, lead.id, archived=False).status == "open"


def test_organizations(aino: Actor) -> None:
    made = organizations.create_organization(aino, name="Saimaa", domains=["@Saimaa.FI", "saimaa.fi", " "])
    assert made.card.domains == ("saimaa.fi",)
    assert organizations.change_organization(aino, made.card.id, name="Saimaa Oy").card.name == "Saimaa Oy"
    assert [card.name for card in organizations.list_organizations(aino, "oy")] == ["Saimaa Oy"]
    for bad in ("nodot", "a b.fi", "http://saimaa.fi"):
        with pytest.raises(UserError):
            organizations.create_organization(aino, name="x", domains=[bad])


TRASHED: list[tuple[str, Callable[[Actor, int], object]]] = [
    ("person", people.get_person),
    ("person", lambda actor, row: people.change_person(actor, row, name="x")),
    ("person", lambda actor, row: people.add_address(actor, row, "x@y.test")),
    ("person", lambda actor, row: people.remove_address(actor, row, "x@y.test")),
    ("person", lambda actor, row: people.set_consent(actor, row, "granted")),
    ("person", people.delete),
    ("person", lambda actor, row: deals.create_deal(actor, title="x", person_id=row)),
    ("person", lambda actor, row: leads.create_lead(actor, title="x", person_id=row)),
    ("person", lambda actor, row: threads.list_threads(actor, person_id=row)),
    ("organization", organizations.get_organization),
    ("organization", lambda actor, row: organizations.change_organization(actor, row, name="x")),
    ("organization", organizations.delete),
    ("organization", lambda actor, row: deals.create_deal(actor, title="x", organization_id=row)),
    ("organization", lambda actor, row: leads.create_lead(actor, title="x", organization_id=row)),
    ("deal", deals.get_deal),
    ("deal", lambda actor, row: deals.change_deal(actor, row, title="x")),
    ("deal", lambda actor, row: deals.move_to_stage(actor, row, 1)),
    ("deal", deals.win),
    ("deal", lambda actor, row: deals.lose(actor, row, "")),
    ("deal", deals.reopen),
    ("deal", deals.delete),
    ("deal", lambda actor, row: threads.list_threads(actor, deal_id=row)),
    ("lead", leads.get_lead),
    ("lead", leads.convert),
    ("lead", leads.archive),
    ("lead", leads.delete),
]


def test_what_is_in_the_trash_or_unknown_is_not_found(aino: Actor) -> None:
    """Every verb; for its owner and for an administrator. Restoring is the only way back."""
    rows = {
        "person": a_person(aino).card.id,
        "organization": organizations.create_organization(aino, name="x").card.id,
        "deal": a_deal(aino).card.id,
        "lead": leads.create_lead(aino, title="x").id,
    }
    modules = {"person": people, "organization": organizations, "deal": deals, "lead": leads}
    for kind, module in modules.items():
        with pytest.raises(NotFound):
            module.restore(aino, rows[kind])  # it stands: nothing to restore
        module.delete(aino, rows[kind])
    for actor in (aino, a_user("Root", admin=True)):
        for kind, verb in TRASHED:
            for row_id in (rows[kind], 999_999, 0, -1, 2**70):
                with pytest.raises(NotFound):
                    verb(actor, row_id)
    for kind, module in modules.items():
        module.restore(aino, rows[kind])
    assert people.get_person(aino, rows["person"])
    assert organizations.get_organization(aino, rows["organization"])
    assert deals.get_deal(aino, rows["deal"])
    assert leads.get_lead(aino, rows["lead"])
