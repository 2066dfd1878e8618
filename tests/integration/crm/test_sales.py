"""Pipelines are edited and put back, deals filtered and changed many at once, leads converted and taken back."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Activity, Deal, DealStage, Label, LabelUse, Note, Stage, Workspace, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.crm import deal_list, deals, leads, pipelines
from mailcrm.services.crm.deal_list import Filter
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def ann() -> Actor:
    return a_user("Ann", admin=True)


def stages_of(actor: Actor, at: int = 0) -> list[int]:
    return [stage.id for stage in pipelines.list_pipelines(actor)[at].stages]


def stage_of(actor: Actor, deal_id: int) -> int:
    return deals.get_deal(actor, deal_id).card.stage_id


def test_a_pipeline_is_made_changed_and_ordered(ann: Actor) -> None:
    main = pipelines.list_pipelines(ann)[0]
    made = pipelines.create_pipeline(ann, " Renewals ", ["Due", "Asked"])
    assert [stage.name for stage in made.stages] == ["Due", "Asked"]
    assert next(stage.name for stage in pipelines.create_pipeline(ann, "Third").stages) == "Qualified"
    assert pipelines.rename_pipeline(ann, made.id, "Renewal").name == "Renewal"
    due, asked = (stage.id for stage in made.stages)
    grown = pipelines.add_stage(ann, made.id, name="Signed", probability=95, quiet_days=3)
    signed = grown.stages[-1]
    assert (signed.name, signed.probability, signed.quiet_days) == ("Signed", 95, 3)
    changed = pipelines.change_stage(ann, signed.id, name="Done", probability=100, quiet_days=None)
    assert (changed.stages[-1].name, changed.stages[-1].quiet_days) == ("Done", None)
    assert [each.id for each in pipelines.order_stages(ann, made.id, [signed.id, due, asked]).stages] == [
        signed.id,
        due,
        asked,
    ]
    third = pipelines.list_pipelines(ann)[2].id
    assert [each.id for each in pipelines.order_pipelines(ann, [made.id, third, main.id])] == [made.id, third, main.id]
    for wrong in ([due, asked], [due, asked, due], [due, asked, 999]):
        with pytest.raises(UserError):
            pipelines.order_stages(ann, made.id, wrong)
    refused: tuple[dict[str, Any], ...] = ({"probability": 101}, {"quiet_days": 0}, {"name": " "})
    for values in refused:
        with pytest.raises(UserError):
            pipelines.change_stage(ann, signed.id, **values)


def test_only_administrators_change_pipelines(ann: Actor) -> None:
    main, aino = pipelines.list_pipelines(ann)[0], a_user("Aino")
    stage = main.stages[0].id
    for act in (
        lambda: pipelines.create_pipeline(aino, "Mine"),
        lambda: pipelines.rename_pipeline(aino, main.id, "Mine"),
        lambda: pipelines.order_pipelines(aino, [main.id]),
        lambda: pipelines.add_stage(aino, main.id, name="Mine"),
        lambda: pipelines.change_stage(aino, stage, name="Mine"),
        lambda: pipelines.order_stages(aino, main.id, stages_of(aino)),
        lambda: pipelines.delete_stage(aino, stage),
        lambda: pipelines.delete_pipeline(aino, main.id),
        lambda: pipelines.put_back(aino, pipelines.Removed(None, (stage,), {}, None)),
        lambda: pipelines.deal_counts(aino),
    ):
        with pytest.raises(UserError, match="administrator"):
            act()
    assert pipelines.list_pipelines(aino) == (main,)


def test_a_stage_goes_with_its_deals_moved_and_comes_back_with_them(ann: Actor) -> None:
    first, second, third, *_ = stages_of(ann)
    stays, leaves, trashed = (a_deal(ann, title).card.id for title in ("Stays", "Leaves", "Trashed"))
    deals.delete(ann, trashed)
    with pytest.raises(UserError, match=r"2"):
        pipelines.delete_stage(ann, first)
    with pytest.raises(NotFound):
        pipelines.delete_stage(ann, first, first)
    removed = pipelines.delete_stage(ann, first, second)
    assert first not in stages_of(ann)
    assert (stage_of(ann, stays), stage_of(ann, leaves)) == (second, second)
    assert pipelines.deal_counts(ann) == {second: 2}
    deals.move_to_stage(ann, leaves, third)
    pipelines.put_back(ann, removed)
    assert stages_of(ann)[0] == first
    assert (stage_of(ann, stays), stage_of(ann, leaves)) == (first, third), "what moved on stays"
    with reading() as session:
        current = session.exec(select(DealStage.deal_id).where(DealStage.left_at.is_(None))).all()  # type: ignore[union-attr]
    assert sorted(current) == sorted([stays, leaves, trashed])


def test_a_deal_comes_back_from_the_trash_though_its_stage_is_gone(ann: Actor) -> None:
    first, second, *_ = stages_of(ann)
    deal = a_deal(ann).card.id
    deals.delete(ann, deal)
    pipelines.delete_stage(ann, first)
    deals.restore(ann, deal)
    assert stage_of(ann, deal) == second


def test_the_last_stage_and_the_last_pipeline_stay(ann: Actor) -> None:
    main = pipelines.list_pipelines(ann)[0]
    with pytest.raises(UserError, match="only pipeline"):
        pipelines.delete_pipeline(ann, main.id)
    other = pipelines.create_pipeline(ann, "Other", ["One"])
    with pytest.raises(UserError, match="no stage left"):
        pipelines.delete_stage(ann, other.stages[0].id)
    deal = a_deal(ann).card.id
    removed = pipelines.delete_pipeline(ann, main.id, other.stages[0].id)
    assert [each.id for each in pipelines.list_pipelines(ann)] == [other.id]
    assert stage_of(ann, deal) == other.stages[0].id
    pipelines.put_back(ann, removed)
    assert stage_of(ann, deal) == main.stages[0].id


def test_the_first_pipeline_speaks_the_workspaces_language(ann: Actor) -> None:
    with transaction() as session:
        space = session.get(Workspace, 1) or Workspace(id=1, name="海")
        space.language = "ja"
        session.add(space)
    names = [stage.name for stage in pipelines.list_pipelines(ann)[0].stages]
    assert "Qualified" not in names
    assert len(set(names)) == 5


def test_deals_are_found_by_every_filter(ann: Actor) -> None:
    noor, mika = a_user("Noor"), a_person(ann, organization="Saimaa")
    deals.create_deal(ann, title="Small", value_minor=100, expected_close=date(2026, 5, 1), person_id=mika.card.id)
    large = deals.create_deal(noor, title="Large", value_minor=900, currency="SEK", stage_id=stages_of(ann)[1])
    deals.add_participant(ann, large.card.id, mika.card.id)
    won = a_deal(ann, "Won")
    deals.win(ann, won.card.id)
    with transaction() as session:
        session.add(label := Label(kind="deal", name="Hot", color="red"))
        session.flush()
        label_id = label.id or 0
        session.add(LabelUse(label_id=label_id, deal_id=large.card.id))

    def titles(**wanted: object) -> set[str]:
        return {card.title for card in deal_list.page_of_deals(ann, Filter(**wanted)).rows}  # type: ignore[arg-type]

    assert titles() == {"Small", "Large"}
    assert titles(status="all") == {"Small", "Large", "Won"}
    assert titles(query="saim") == {"Small"}
    assert titles(owner_id=noor.user_id) == {"Large"}
    assert titles(stage_id=stages_of(ann)[1]) == {"Large"}
    assert titles(pipeline_id=999) == set()
    assert titles(label_id=label_id) == {"Large"}
    assert titles(person_id=mika.card.id) == {"Small", "Large"}, "who takes part counts"
    assert titles(organization_id=mika.card.organization_id) == {"Small"}
    assert titles(value_from=101) == {"Large"}
    assert titles(value_to=100) == {"Small"}
    assert titles(close_from=date(2026, 5, 1), close_to=date(2026, 5, 1)) == {"Small"}
    assert titles(close_from=date(2026, 5, 2)) == set()
    assert [card.labels[0].name for card in deal_list.page_of_deals(ann, Filter(label_id=label_id)).rows] == ["Hot"]
    assert deal_list.totals(ann) == (deal_list.Total("EUR", 1, 100), deal_list.Total("SEK", 1, 900))
    board = deals.board(ann, owner_id=noor.user_id, label_id=label_id, query="lar")
    assert [card.title for column in board.columns for card in column.cards] == ["Large"]


@pytest.mark.parametrize("order", deal_list.ORDERS)
def test_pages_follow_each_other_in_every_order(ann: Actor, order: str) -> None:
    for at in range(7):
        close = date(2026, 5, 1 + at % 2) if at % 3 else None
        deals.create_deal(ann, title=f"T{at % 4}", value_minor=at % 3, expected_close=close)
    whole = [card.id for card in deal_list.page_of_deals(ann, order=order).rows]
    seen: list[int] = []
    cursor = None
    while True:
        page = deal_list.page_of_deals(ann, order=order, cursor=cursor, limit=2)
        seen += [card.id for card in page.rows]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == whole
    assert len(set(seen)) == 7
    if order != "title":
        other = deal_list.page_of_deals(ann, order="title", limit=2).next_cursor
        with pytest.raises(UserError):
            deal_list.page_of_deals(ann, order=order, cursor=other)


def test_a_deal_is_quiet_when_nothing_happened_for_longer_than_its_stage_allows(ann: Actor) -> None:
    first = stages_of(ann)[0]
    pipelines.change_stage(ann, first, quiet_days=5)
    box, mika = a_mailbox(ann), a_person(ann, "Mika", "mika@saimaa.test")
    new, old, mailed, called = (a_deal(ann, title, person=mika).card.id for title in ("New", "Old", "Mailed", "Called"))
    long_ago = utcnow() - timedelta(days=9)
    with transaction() as session:
        for deal_id in (old, mailed, called):
            session.get_one(Deal, deal_id).created_at = long_ago
            stay = session.exec(select(DealStage).where(DealStage.deal_id == deal_id)).one()
            stay.entered_at = long_ago
            session.add(stay)
        done = utcnow() - timedelta(days=1)
        session.add(Activity(kind="call", subject="Called", deal_id=called, done_at=done))
    message = a_message(box, at=utcnow() - timedelta(days=1))
    link.link_thread(ann, message.thread_id, deal_id=mailed)
    quiet = {card.id for card in deal_list.page_of_deals(ann, Filter(quiet=True)).rows}
    assert quiet == {old}
    assert {card.id for card in deal_list.page_of_deals(ann).rows if card.quiet} == {old}
    seen = {card.id for card in deal_list.page_of_deals(a_user("Noor"), Filter(quiet=True)).rows}
    assert seen == {old, mailed}, "a colleague's private email says nothing (M25)"
    pipelines.change_stage(ann, first, quiet_days=None)
    assert not deal_list.page_of_deals(ann, Filter(quiet=True)).rows
    assert new not in quiet


def test_the_next_step_is_the_open_activity_due_first(ann: Actor) -> None:
    deal = a_deal(ann).card.id
    with transaction() as session:
        session.add(Activity(kind="task", subject="Some day", deal_id=deal))
        session.add(Activity(kind="call", subject="Later", deal_id=deal, due_on=date(2026, 6, 2)))
        session.add(Activity(kind="call", subject="First", deal_id=deal, due_on=date(2026, 6, 1)))
        session.add(Activity(kind="call", subject="Done", deal_id=deal, due_on=date(2026, 5, 1), done_at=utcnow()))
        session.add(Activity(kind="call", subject="Gone", deal_id=deal, due_on=date(2026, 5, 1), deleted_at=utcnow()))
    step = deals.get_deal(ann, deal).card.next_step
    assert step is not None
    assert (step.subject, step.on) == ("First", date(2026, 6, 1))


def test_many_deals_change_at_once_or_none_and_go_back(ann: Actor) -> None:
    noor, stages = a_user("Noor"), stages_of(ann)
    one, two = a_deal(ann, "One").card.id, a_deal(ann, "Two").card.id
    deals.move_to_stage(ann, two, stages[3])
    with pytest.raises(NotFound):
        deal_list.change_many(ann, [one, 999], stage_id=stages[1])
    with pytest.raises(NotFound):
        deal_list.change_many(ann, [one], owner_id=999)
    assert stage_of(ann, one) == stages[0]
    before = deal_list.change_many(ann, [one, two], stage_id=stages[1], owner_id=noor.user_id)
    cards = deal_list.page_of_deals(ann, Filter(owner_id=noor.user_id, stage_id=stages[1])).rows
    assert {card.id for card in cards} == {one, two}
    deal_list.put_back(ann, before)
    assert (stage_of(ann, one), stage_of(ann, two)) == (stages[0], stages[3])
    assert deals.get_deal(ann, one).card.owner_id == ann.user_id


def test_people_take_part_in_a_deal_and_leave(ann: Actor) -> None:
    mika, yuki = a_person(ann, "Mika"), a_person(ann, "Yuki")
    deal = a_deal(ann, person=mika).card.id
    for _ in range(2):
        found = deals.add_participant(ann, deal, yuki.card.id)
    assert [each.name for each in found.participants] == ["Yuki"]
    assert deals.add_participant(ann, deal, mika.card.id).participants == found.participants, (
        "its person is there already"
    )
    with pytest.raises(NotFound):
        deals.add_participant(ann, deal, 999)
    assert not deals.remove_participant(ann, deal, yuki.card.id).participants


def test_a_change_must_not_lose_its_own_row(ann: Actor) -> None:
    aino = a_user("Aino")
    narrow = Actor(aino.user_id, scopes={"deal": "own", "lead": "own"})
    deal, lead = a_deal(narrow).card.id, leads.create_lead(narrow, title="L").id
    with pytest.raises(UserError, match="could not see it"):
        deals.change_deal(narrow, deal, owner_id=ann.user_id)
    with pytest.raises(UserError, match="could not see it"):
        leads.change_lead(narrow, lead, owner_id=ann.user_id)
    assert deals.get_deal(narrow, deal).card.owner_id == aino.user_id


def test_a_lead_is_changed_found_and_set_aside(ann: Actor) -> None:
    noor, mika = a_user("Noor"), a_person(ann, organization="Saimaa")
    lead = leads.create_lead(ann, title="Maybe")
    changed = leads.change_lead(
        ann, lead.id, title="Surely", value_minor=500, currency="SEK", person_id=mika.card.id, owner_id=noor.user_id
    )
    assert (changed.title, changed.value_minor, changed.currency, changed.owner) == ("Surely", 500, "SEK", "Noor")
    assert leads.change_lead(ann, lead.id, value_minor=None, person_id=None).value_minor is None
    leads.change_lead(ann, lead.id, person_id=mika.card.id)
    assert [each.id for each in leads.page_of_leads(ann, "mika", owner_id=noor.user_id).rows] == [lead.id]
    assert not leads.page_of_leads(ann, owner_id=ann.user_id).rows
    leads.archive(ann, lead.id)
    assert not leads.list_leads(ann)
    assert leads.archive(ann, lead.id, archived=False).status == "open"


def test_converting_takes_everything_along_and_is_undone(ann: Actor) -> None:
    box, mika = a_mailbox(ann), a_person(ann, "Mika", "mika@saimaa.test")
    lead = leads.create_lead(ann, title="Pilot", value_minor=700, person_id=mika.card.id)
    message = a_message(box)
    link.link_thread(ann, message.thread_id, lead_id=lead.id)
    with transaction() as session:
        session.add(Note(text="Warm", lead_id=lead.id))
        session.add(Activity(kind="call", subject="Call", lead_id=lead.id))
    deal_id = leads.convert(ann, lead.id)
    card = deals.get_deal(ann, deal_id).card
    assert (card.title, card.value_minor, card.person_id) == ("Pilot", 700, mika.card.id)
    assert card.last_email_at == message.sort_at
    assert card.next_step is not None
    with reading() as session:
        assert session.exec(select(Note)).one().deal_id == deal_id
    back = leads.revert(ann, lead.id)
    assert (back.status, back.deal_id) == ("open", None)
    with pytest.raises(NotFound):
        deals.get_deal(ann, deal_id)
    with reading() as session:
        note, activity = session.exec(select(Note)).one(), session.exec(select(Activity)).one()
        assert (note.lead_id, note.deal_id, activity.lead_id, activity.deal_id) == (lead.id, None, lead.id, None)
    assert leads.convert(ann, lead.id) != deal_id


def test_stages_of_a_deleted_pipeline_take_no_deals(ann: Actor) -> None:
    deal = a_deal(ann).card.id
    other = pipelines.create_pipeline(ann, "Other", ["One"])
    pipelines.delete_pipeline(ann, other.id)
    with pytest.raises(NotFound):
        deals.move_to_stage(ann, deal, other.stages[0].id)
    with reading() as session:
        assert session.get_one(Stage, other.stages[0].id).deleted_at is None
