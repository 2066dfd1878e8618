"""Activities, notes, labels, custom fields and the trash, through their verbs: kept, seen by whom, refused, undone."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from sqlmodel import select

from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.models import CustomField, CustomValue, LabelUse, RoleAccess
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm import (
    activities,
    custom_fields,
    deals,
    labels,
    leads,
    notes,
    organizations,
    people,
    timeline,
    trash,
)
from mailcrm.services.db import reading, transaction
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def aino() -> Actor:
    return a_user("Aino")


def only_own(*kinds: str) -> None:
    """Members see only their own rows of these kinds from now on."""
    with transaction() as session:
        for kind in kinds:
            session.add(RoleAccess(role="member", kind=kind, scope="own"))


def again(actor: Actor) -> Actor:
    with reading() as session:
        return access.actor_for(session, actor.user_id)


# ---- notes ----


def test_a_note_is_kept_tidied_changed_pinned_and_told(aino: Actor) -> None:
    person = a_person(aino)
    made = notes.create_note(aino, " Capex limit\r\nis 50k \x00", person_id=person.card.id)
    assert (made.text, made.author, made.edited_at) == ("Capex limit\nis 50k", "Aino", None)
    assert [(each.kind, each.name) for each in made.about] == [("person", "Mika Aaltonen")]
    assert notes.change_note(aino, made.id, pinned=True).edited_at is None, "pinning is no edit"
    changed = notes.change_note(aino, made.id, text="Capex limit is 60k")
    assert changed.edited_at is not None
    assert changed.pinned
    assert notes.list_notes(aino, person_id=person.card.id, pinned=True).rows == (changed,)
    notes.delete(aino, made.id)
    assert notes.list_notes(aino).rows == ()
    with pytest.raises(NotFound):
        notes.get_note(aino, made.id)
    notes.restore(aino, made.id)
    assert notes.restore(aino, made.id).text == "Capex limit is 60k", "twice is once"


def test_a_note_that_makes_no_sense_is_refused(aino: Actor) -> None:
    person = a_person(aino)
    for text in ("", " \x00\n ", "x" * 20_001):
        with pytest.raises(UserError):
            notes.create_note(aino, text, person_id=person.card.id)
    with pytest.raises(UserError):
        notes.create_note(aino, "about nothing")
    assert notes.list_notes(aino).rows == ()


def test_notes_and_activities_are_seen_with_what_they_are_about(aino: Actor) -> None:
    """A row that the actor may not see is NotFound, and so is what is written about it alone."""
    bob, person = a_user("Bob"), a_person(aino)
    deal = a_deal(aino, person=person)
    on_deal = notes.create_note(aino, "secret of the deal", deal_id=deal.card.id)
    on_both = notes.create_note(aino, "about both", deal_id=deal.card.id, person_id=person.card.id)
    task = activities.create_activity(aino, kind="task", subject="Call back", deal_id=deal.card.id)
    only_own("deal")
    bob = again(bob)
    assert [note.text for note in notes.list_notes(bob).rows] == ["about both"]
    assert [each.kind for each in notes.get_note(bob, on_both.id).about] == ["person"], "the deal's title stays hidden"
    assert activities.list_activities(bob).rows == ()
    for act in (
        lambda: notes.get_note(bob, on_deal.id),
        lambda: notes.change_note(bob, on_deal.id, text="x"),
        lambda: notes.delete(bob, on_deal.id),
        lambda: notes.restore(bob, on_deal.id),
        lambda: notes.create_note(bob, "x", deal_id=deal.card.id),
        lambda: notes.create_note(bob, "x", deal_id=deal.card.id, person_id=person.card.id),
        lambda: activities.get_activity(bob, task.id),
        lambda: activities.set_done(bob, task.id),
        lambda: activities.change_activity(bob, task.id, subject="x"),
        lambda: activities.delete(bob, task.id),
        lambda: activities.restore(bob, task.id),
        lambda: activities.create_activity(bob, kind="call", subject="x", deal_id=deal.card.id),
        lambda: activities.planned(bob, "deal", deal.card.id),
    ):
        with pytest.raises(NotFound):
            act()
    assert activities.planned(bob, "person", person.card.id) == ()
    items = timeline.page_of(bob, "person", person.card.id, shown="notes").items
    assert [item.note.text for item in items if item.note] == ["about both"]


# ---- activities ----


def test_an_activity_is_planned_done_and_undone(aino: Actor) -> None:
    person = a_person(aino)
    deal = a_deal(aino, person=person)
    at = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    call = activities.create_activity(
        aino, kind="call", subject="Confirm window", due_at=at, minutes=15, deal_id=deal.card.id
    )
    assert (call.due_on, call.due_at, call.owner) == (date(2026, 11, 30), at, "Aino")
    later = activities.create_activity(aino, kind="task", subject="No date", deal_id=deal.card.id)
    first = activities.create_activity(
        aino, kind="task", subject="Day", due_on=date(2026, 11, 30), deal_id=deal.card.id
    )
    planned = [each.id for each in activities.planned(aino, "deal", deal.card.id)]
    assert planned == [call.id, first.id, later.id], "an hour before the day's end, no date last"
    assert [each.id for each in activities.planned(aino, "person", person.card.id)] == planned, "of the person's deal"
    assert timeline.page_of(aino, "deal", deal.card.id, shown="activities").items == ()
    done = activities.set_done(aino, call.id)
    assert done.done_at is not None
    assert activities.set_done(aino, call.id) == done, "the first moment stays"
    items = timeline.page_of(aino, "deal", deal.card.id, shown="activities").items
    assert [item.activity for item in items] == [done]
    assert [each.id for each in activities.list_activities(aino, done=True).rows] == [call.id]
    activities.set_done(aino, call.id, False)
    assert call.id in {each.id for each in activities.planned(aino, "deal", deal.card.id)}


def test_a_day_is_where_the_owner_is() -> None:
    aino = a_user("Aino")
    with transaction() as session:
        from mailcrm.models import User

        session.get_one(User, aino.user_id).time_zone = "Asia/Tokyo"
    person = a_person(aino)
    at = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    made = activities.create_activity(aino, kind="call", subject="x", due_at=at, person_id=person.card.id)
    assert made.due_on == date(2026, 12, 1)


def test_an_activity_changes(aino: Actor) -> None:
    noor, person = a_user("Noor"), a_person(aino)
    at = datetime(2026, 11, 30, 9, tzinfo=UTC)
    made = activities.create_activity(aino, kind="call", subject="x", due_at=at, person_id=person.card.id)
    other = activities.change_activity(
        aino, made.id, kind="meeting", subject=" y ", minutes=30, owner_id=noor.user_id, due_on=date(2026, 12, 1)
    )
    assert (other.kind, other.subject, other.minutes, other.owner) == ("meeting", "y", 30, "Noor")
    assert (other.due_on, other.due_at) == (date(2026, 12, 1), None), "another day alone drops the hour"
    emptied = activities.change_activity(aino, made.id, due_on=None, minutes=None)
    assert (emptied.due_on, emptied.minutes) == (None, None)
    for bad in (
        {"kind": "party"},
        {"subject": " "},
        {"minutes": 0},
        {"minutes": 10**6},
        {"due_at": datetime(2026, 1, 1)},
    ):  # noqa: DTZ001  a naive moment is the point
        with pytest.raises(UserError):
            activities.change_activity(aino, made.id, **bad)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        activities.change_activity(aino, made.id, owner_id=10**9)


# ---- timeline ----


def test_one_timeline_of_mail_notes_activities_and_changes(aino: Actor) -> None:
    box, person = a_mailbox(aino), a_person(aino, "Mika", "mika@saimaa.test", organization="Saimaa")
    deal = a_deal(aino, person=person)
    from mailcrm.services.crm.linking import link

    message = a_message(box, sender="Mika <mika@saimaa.test>")
    link.link_thread(aino, message.thread_id, deal_id=deal.card.id)
    notes.create_note(aino, "A note", deal_id=deal.card.id)
    call = activities.create_activity(aino, kind="call", subject="Ring", deal_id=deal.card.id)
    activities.set_done(aino, call.id)
    deals.win(aino, deal.card.id)
    deals.reopen(aino, deal.card.id)
    of = ("deal", deal.card.id)
    kinds = [item.kind for item in timeline.page_of(aino, *of).items]
    assert kinds == ["change", "activity", "note", "created", "thread_message"]
    by = {shown: [item.kind for item in timeline.page_of(aino, *of, shown=shown).items] for shown in timeline.SHOWN}
    assert by == {
        "all": kinds,
        "emails": ["thread_message"],
        "notes": ["note"],
        "activities": ["activity"],
        "files": [],
        "changes": ["change", "created"],
    }
    for kind, row_id in (("person", person.card.id), ("organization", person.card.organization_id or 0)):
        wider = [item.kind for item in timeline.page_of(aino, kind, row_id).items]
        assert {"activity", "note"} <= set(wider), "what is about their deal stands with them"
    with pytest.raises(UserError):
        timeline.page_of(aino, *of, shown="everything")
    with pytest.raises(NotFound):
        timeline.page_of(aino, "mailbox", box)


@pytest.mark.parametrize("shown", timeline.SHOWN)
def test_pages_of_every_filter_follow_each_other(aino: Actor, shown: str) -> None:
    person = a_person(aino)
    for number in range(5):
        notes.create_note(aino, f"note {number}", person_id=person.card.id)
        made = activities.create_activity(aino, kind="call", subject=f"call {number}", person_id=person.card.id)
        activities.set_done(aino, made.id)
        people.set_consent(aino, person.card.id, ("granted", "refused")[number % 2])
    whole = timeline.page_of(aino, "person", person.card.id, shown=shown).items
    cursor, paged = None, list[timeline.TimelineItem]()
    for _ in range(len(whole) + 1):
        page = timeline.page_of(aino, "person", person.card.id, shown=shown, limit=2, cursor=cursor)
        paged += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert tuple(paged) == whole
    assert len(whole) == {"all": 16, "emails": 0, "notes": 5, "activities": 5, "files": 0, "changes": 6}[shown]


# ---- labels ----


def test_labels_are_made_worn_filtered_by_and_taken_off(aino: Actor) -> None:
    person, other = a_person(aino, "Mika"), a_person(aino, "Noor")
    vip = labels.create_label(aino, "person", " Decision  maker ", "jade")
    visit = labels.create_label(aino, "person", "Site visit")
    assert (vip.name, vip.color, visit.color) == ("Decision maker", "jade", "gray")
    worn = labels.set_labels(aino, "person", person.card.id, [visit.id, vip.id, vip.id])
    assert [mark.name for mark in worn] == ["Decision maker", "Site visit"], "in the labels' order"
    assert [label.used for label in labels.list_labels(aino, "person")] == [1, 1]
    labels.put(aino, "person", person.card.id, vip.id, False)
    assert [mark.id for mark in labels.labels_of(aino, "person", person.card.id)] == [visit.id]
    labels.delete_label(aino, visit.id)
    assert labels.labels_of(aino, "person", person.card.id) == ()
    labels.set_labels(aino, "person", person.card.id, [vip.id])
    labels.restore_label(aino, visit.id)
    assert {mark.id for mark in labels.labels_of(aino, "person", person.card.id)} == {vip.id, visit.id}
    assert labels.labels_of(aino, "person", other.card.id) == ()
    assert [each.id for each in labels.order_labels(aino, "person", [visit.id])] == [visit.id, vip.id]


def test_a_label_is_of_one_kind_and_its_name_is_its_own(aino: Actor) -> None:
    person, deal = a_person(aino), a_deal(aino)
    hot = labels.create_label(aino, "deal", "Hot")
    labels.create_label(aino, "lead", "Hot")
    with pytest.raises(UserError, match="already"):
        labels.create_label(aino, "deal", "hOT")
    for kind, row_id in (("person", person.card.id), ("deal", 10**9)):
        with pytest.raises(NotFound):
            labels.set_labels(aino, kind, row_id, [hot.id])
    for bad in (["x"], [True], [-1], [10**30], [None]):
        with pytest.raises(NotFound):
            labels.set_labels(aino, "deal", deal.card.id, bad)
    for name, color in (("", "gray"), ("x" * 41, "gray"), ("x", "black")):
        with pytest.raises(UserError):
            labels.create_label(aino, "deal", name, color)
    labels.delete_label(aino, hot.id)
    taken = labels.create_label(aino, "deal", "HOT")
    with pytest.raises(UserError, match="already"):
        labels.restore_label(aino, hot.id)
    assert labels.change_label(aino, taken.id, name="Hot", color="red").color == "red", "its own name in another case"


def test_labels_of_rows_that_others_own_are_out_of_reach(aino: Actor) -> None:
    person, vip = a_person(aino), labels.create_label(aino, "person", "VIP")
    labels.set_labels(aino, "person", person.card.id, [vip.id])
    bob = a_user("Bob")
    only_own("person")
    bob = again(bob)
    for act in (
        lambda: labels.labels_of(bob, "person", person.card.id),
        lambda: labels.set_labels(bob, "person", person.card.id, []),
    ):
        with pytest.raises(NotFound):
            act()
    assert [label.used for label in labels.list_labels(bob, "person")] == [0], "counts tell nothing either"


# ---- custom fields ----


@pytest.fixture
def boss() -> Actor:
    return a_user("Boss", admin=True)


def test_values_of_every_type(boss: Actor) -> None:
    deal = a_deal(boss)
    made = {
        type_: custom_fields.create_field(
            boss, "deal", type_, f"My {type_}", ("Red", "Blue")[: 2 * (type_ == "choice")]
        )
        for type_ in custom_fields.TYPES
    }
    given = {
        made["text"].id: " two\nlines ",
        made["number"].id: 0.1,
        made["money"].id: {"minor": -4_820_001, "currency": "jpy"},
        made["date"].id: "2026-02-28",
        made["choice"].id: 2,
    }
    found = {each.field.type: each.value for each in custom_fields.set_values(boss, "deal", deal.card.id, given)}
    assert found == {
        "text": "two\nlines",
        "number": 0.1,
        "money": {"minor": -4_820_001, "currency": "JPY"},
        "date": date(2026, 2, 28),
        "choice": 2,
    }
    custom_fields.set_values(boss, "deal", deal.card.id, {made["text"].id: " ", made["number"].id: None})
    left = {each.field.type: each.value for each in custom_fields.values_of(boss, "deal", deal.card.id)}
    assert left == found | {"text": None, "number": None}, "what is not named stays"
    with reading() as session:
        assert len(session.exec(select(CustomValue)).all()) == 3, "no row where it is empty"


def test_a_value_that_does_not_fit_is_refused_with_its_field(boss: Actor) -> None:
    person = a_person(boss)
    other = custom_fields.create_field(boss, "person", "text", "Other")
    fields = {
        type_: custom_fields.create_field(
            boss, "person", type_, f"Area {type_}", ("Red", "Blue") if type_ == "choice" else ()
        )
        for type_ in ("number", "money", "date", "choice", "text")
    }
    for type_, bad in (
        ("number", "abc"), ("number", True), ("number", float("nan")), ("number", float("inf")), ("number", "1e999"),
        ("number", 1234567890123456), ("number", "0.1234567890123456"), ("number", 10**400), ("number", [1]),
        ("money", 5), ("money", {"minor": 1.5, "currency": "EUR"}), ("money", {"minor": 1, "currency": "EURO"}),
        ("money", {"minor": 1}), ("money", {"minor": 10**16, "currency": "EUR"}),
        ("money", {"minor": 1, "currency": "EUR", "x": 1}), ("money", {"minor": True, "currency": "EUR"}),
        ("date", "2026-02-30"), ("date", 20260228), ("date", "soon"), ("date", datetime(2026, 1, 1, tzinfo=UTC)),
        ("choice", 99), ("choice", "Red"), ("choice", True), ("text", 5), ("text", "x" * 5001),
    ):  # fmt: skip
        with pytest.raises(UserError, match=rf"Area {type_}|Currency"):
            custom_fields.set_values(boss, "person", person.card.id, {other.id: "kept?", fields[type_].id: bad})
        kept = {each.value for each in custom_fields.values_of(boss, "person", person.card.id)}
        assert kept == {None}, f"all or none: {type_} {bad!r}"


def test_fifteen_digits_come_back_as_they_went(boss: Actor) -> None:
    person, field = a_person(boss), custom_fields.create_field(boss, "person", "number", "N")
    for number in (0, -0.0, 999_999_999_999_999, "123456789.012345", "-1e-10", 1e14):
        found = custom_fields.set_values(boss, "person", person.card.id, {field.id: number})[0].value
        assert float(found) == float(number)
        assert not str(found).startswith("-0") or found


def test_options_keep_their_ids(boss: Actor) -> None:
    person = a_person(boss)
    field = custom_fields.create_field(boss, "person", "choice", "Colour", ("Red", "Blue"))
    custom_fields.set_values(boss, "person", person.card.id, {field.id: 1})
    changed = custom_fields.change_field(boss, field.id, options=[(2, "Navy"), (None, "Green")])
    assert [(each.id, each.name, each.gone) for each in changed.options] == [
        (2, "Navy", False), (3, "Green", False), (1, "Red", True),
    ]  # fmt: skip
    assert custom_fields.values_of(boss, "person", person.card.id)[0].value == 1, "who has it keeps it"
    with pytest.raises(UserError):
        custom_fields.set_values(boss, "person", person.card.id, {field.id: 1})
    back = custom_fields.change_field(boss, field.id, options=[(2, "Navy"), (None, "red")])
    assert [(each.id, each.name, each.gone) for each in back.options] == [
        (2, "Navy", False), (1, "red", False), (3, "Green", True),
    ]  # fmt: skip
    assert custom_fields.change_field(boss, field.id, options=[(2, "Navy"), (None, "Pink")]).options[1].id == 4
    for bad in ([], [(2, " ")], [(2, "A"), (None, "a")]):
        with pytest.raises(UserError):
            custom_fields.change_field(boss, field.id, options=bad)
    with pytest.raises(NotFound):
        custom_fields.change_field(boss, field.id, options=[(77, "A")])


def test_fields_are_made_by_administrators_and_deleting_one_is_undone(boss: Actor) -> None:
    bob, person = a_user("Bob"), a_person(boss)
    field = custom_fields.create_field(boss, "person", "text", "Area")
    custom_fields.set_values(bob, "person", person.card.id, {field.id: "North"})
    for act in (
        lambda: custom_fields.create_field(bob, "person", "text", "X"),
        lambda: custom_fields.change_field(bob, field.id, name="X"),
        lambda: custom_fields.order_fields(bob, "person", [field.id]),
        lambda: custom_fields.delete_field(bob, field.id),
        lambda: custom_fields.restore_field(bob, field.id),
    ):
        with pytest.raises(UserError, match="administrator"):
            act()
    custom_fields.delete_field(boss, field.id)
    assert custom_fields.values_of(bob, "person", person.card.id) == ()
    with pytest.raises(NotFound):
        custom_fields.set_values(bob, "person", person.card.id, {field.id: "x"})
    custom_fields.restore_field(boss, field.id)
    assert custom_fields.values_of(bob, "person", person.card.id)[0].value == "North"
    with pytest.raises(UserError, match="already"):
        custom_fields.create_field(boss, "person", "number", "AREA")
    with reading() as session:
        assert [row.type for row in session.exec(select(CustomField))] == ["text"]


def test_values_of_rows_that_others_own_are_out_of_reach(boss: Actor) -> None:
    person, field = a_person(boss), custom_fields.create_field(boss, "person", "text", "Area")
    bob = a_user("Bob")
    only_own("person")
    bob = again(bob)
    for act in (
        lambda: custom_fields.values_of(bob, "person", person.card.id),
        lambda: custom_fields.set_values(bob, "person", person.card.id, {field.id: "x"}),
    ):
        with pytest.raises(NotFound):
            act()


# ---- trash ----


def test_everything_in_the_trash_comes_back(aino: Actor) -> None:
    person = a_person(aino, organization="Saimaa")
    deal, lead = a_deal(aino), leads.create_lead(aino, title="Maybe")
    note = notes.create_note(aino, "A note", deal_id=deal.card.id)
    task = activities.create_activity(aino, kind="task", subject="A task", deal_id=deal.card.id)
    organization_id = person.card.organization_id or 0
    gone = [
        ("note", note.id, notes.delete), ("activity", task.id, activities.delete), ("lead", lead.id, leads.delete),
        ("organization", organization_id, organizations.delete), ("person", person.card.id, people.delete),
    ]  # fmt: skip
    for kind, row_id, delete in gone:
        assert trash.page_of_trash(aino, kind).rows == ()
        delete(aino, row_id)
        assert [(each.kind, each.id) for each in trash.page_of_trash(aino, kind).rows] == [(kind, row_id)]
        trash.restore(aino, kind, row_id)
        assert trash.page_of_trash(aino, kind).rows == ()
    deals.delete(aino, deal.card.id)
    assert trash.page_of_trash(aino, "deal").rows[0].name == "Saimaa phase 2"
    assert notes.list_notes(aino).rows == (), "what is about a deleted deal goes along"
    trash.restore(aino, "deal", deal.card.id)
    assert len(notes.list_notes(aino).rows) == 1
    with pytest.raises(MailcrmError):
        trash.restore(aino, "mailbox", 1)
    with pytest.raises(UserError):
        trash.page_of_trash(aino, "mailbox")


def test_the_trash_of_others_is_theirs(aino: Actor) -> None:
    person, bob = a_person(aino), a_user("Bob")
    people.delete(aino, person.card.id)
    only_own("person")
    bob = again(bob)
    assert trash.page_of_trash(bob, "person").rows == ()
    with pytest.raises(NotFound):
        trash.restore(bob, "person", person.card.id)
    assert [each.id for each in trash.page_of_trash(again(aino), "person").rows] == [person.card.id]


def test_pages_of_the_trash(aino: Actor) -> None:
    ids = [a_person(aino, f"P{number}").card.id for number in range(5)]
    for row_id in ids:
        people.delete(aino, row_id)
    cursor, found = None, list[int]()
    while True:
        page = trash.page_of_trash(aino, "person", cursor, limit=2)
        found += [each.id for each in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == ids[::-1]


def test_labels_worn_are_one_row_each(aino: Actor) -> None:
    person, vip = a_person(aino), labels.create_label(aino, "person", "VIP")
    for _ in range(3):
        labels.set_labels(aino, "person", person.card.id, [vip.id])
    with reading() as session:
        assert len(session.exec(select(LabelUse)).all()) == 1
