"""Lists and timelines of records: changes of many, what filters find, counts, pinned notes, new owners (M03, M24)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailcrm.errors import NotFound
from mailcrm.models import Link, Message, RoleAccess
from mailcrm.services.access import Actor, actor_for
from mailcrm.services.crm import (
    activities,
    custom_fields,
    deal_list,
    deals,
    labels,
    leads,
    notes,
    organization_list,
    organizations,
    timeline,
    timeline_counts,
)
from mailcrm.services.db import reading, transaction
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user
from tests.integration.crm.counting import counting

BEGIN = datetime(2026, 3, 1, 9, tzinfo=UTC)


def linked(mailbox_id: int, deal_id: int, n: int, **columns: object) -> Message:
    row = a_message(mailbox_id, at=BEGIN + timedelta(minutes=n), **columns)  # type: ignore[arg-type]
    with transaction() as session:
        session.add(Link(message_id=row.id, deal_id=deal_id, origin="manual"))
    return row


def restricted(actor: Actor, *kinds: str) -> Actor:
    """The actor, whose role sees its own rows of these kinds only."""
    with transaction() as session:
        for kind in kinds:
            session.merge(RoleAccess(role="member", kind=kind, scope="own"))
    with reading() as session:
        return actor_for(session, actor.user_id)


def test_counts_are_what_the_timeline_shows(db: str) -> None:
    """Own and shared mail counts once each; a colleague's private mail counts nowhere (M24)."""
    aino, otso = a_user(), a_user("Otso")
    deal = a_deal(aino).card.id
    hers, his = a_mailbox(aino), a_mailbox(otso)
    linked(hers, deal, 1, visibility="private")
    linked(hers, deal, 2, visibility="shared", rfc_message_id="both@x.test", has_attachments=True)
    linked(his, deal, 3, visibility="private", rfc_message_id="both@x.test", has_attachments=True)
    linked(his, deal, 4, visibility="private")
    linked(his, deal, 5, visibility="shared")
    notes.create_note(aino, "A note", deal_id=deal, pinned=True)
    activities.set_done(aino, activities.create_activity(aino, kind="call", subject="Rang", deal_id=deal).id)
    activities.create_activity(aino, kind="call", subject="Ring", deal_id=deal)
    seen = timeline_counts.of(aino, "deal", deal)
    assert seen == timeline_counts.Counts(emails=3, files=1, private=1, notes=1, activities=1)
    seen = timeline_counts.of(otso, "deal", deal)
    assert (seen.emails, seen.files, seen.private) == (3, 1, 1)  # of "both", a colleague reads the shared copy
    for actor in (aino, otso):
        counted = timeline_counts.of(actor, "deal", deal)
        for shown in ("emails", "files", "notes", "activities"):
            assert len(timeline.page_of(actor, "deal", deal, shown=shown).items) == getattr(counted, shown), shown
    hidden = restricted(otso, "deal")
    with pytest.raises(NotFound):
        timeline_counts.of(hidden, "deal", deal)
    with pytest.raises(NotFound):
        timeline.pinned_notes(hidden, "deal", deal)


def test_counting_stops(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline_counts, "MOST", 3)
    aino = a_user()
    deal, box = a_deal(aino).card.id, a_mailbox(aino)
    for n in range(3):
        linked(box, deal, n)
    assert not timeline_counts.of(aino, "deal", deal).many
    linked(box, deal, 9)
    assert timeline_counts.of(aino, "deal", deal).many


def test_files_are_found_behind_other_mail(db: str) -> None:
    aino = a_user()
    deal, box = a_deal(aino).card.id, a_mailbox(aino)
    old = linked(box, deal, 0, has_attachments=True)
    for n in range(1, 12):
        linked(box, deal, n)
    page = timeline.page_of(aino, "deal", deal, shown="files", limit=2)
    assert ([item.ref for item in page.items], page.next_cursor) == ([old.id], None)


def test_pinned_notes_stand_apart(db: str) -> None:
    aino = a_user()
    deal = a_deal(aino).card.id
    first = notes.create_note(aino, "First", deal_id=deal, pinned=True).id
    notes.create_note(aino, "Second", deal_id=deal)
    third = notes.create_note(aino, "Third", deal_id=deal, pinned=True).id
    assert [item.ref for item in timeline.pinned_notes(aino, "deal", deal)] == [third, first]
    below = timeline.page_of(aino, "deal", deal, shown="notes", pinned=False)
    assert [item.note.text for item in below.items if item.note] == ["Second"]
    assert len(timeline.page_of(aino, "deal", deal, shown="notes").items) == 3
    notes.delete(aino, first)
    assert [item.ref for item in timeline.pinned_notes(aino, "deal", deal)] == [third]


def test_a_new_owner_stands_in_the_timeline(db: str) -> None:
    """One by one, many at once, by undo; and not where nothing changed."""
    aino, otso = a_user(), a_user("Otso")

    def told(kind: str, row_id: int) -> list[tuple[str, str]]:
        items = timeline.page_of(aino, kind, row_id, shown="changes").items
        return [(str(each.params["who"]), str(each.params["name"])) for each in items if each.text_code == "owner"]

    deal, lead = a_deal(aino).card.id, leads.create_lead(aino, title="Inlet").id
    deals.change_deal(aino, deal, owner_id=aino.user_id, title="Saimaa phase 3")
    assert told("deal", deal) == []
    before = deal_list.change_many(aino, [deal], owner_id=otso.user_id)
    deal_list.put_back(aino, before)
    deals.change_deal(aino, deal, owner_id=None)
    assert told("deal", deal) == [("Aino", ""), ("Aino", "Aino"), ("Aino", "Otso")]
    leads.change_lead(aino, lead, owner_id=otso.user_id)
    assert told("lead", lead) == [("Aino", "Otso")]


def test_a_label_for_many_and_back(db: str) -> None:
    """All or none; undo takes it off those that got it, not off those that had it."""
    aino, otso = a_user(), a_user("Otso")
    one, two, three = (organizations.create_organization(aino, name=each).card.id for each in ("One", "Two", "Three"))
    label = labels.create_label(aino, "organization", "Key").id
    labels.put(aino, "organization", one, label, True)
    changed = labels.put_many(aino, "organization", [one, two, two], label, True)
    assert changed == (two,)

    def found() -> list[str]:
        return [row.card.name for row in organization_list.page_of_lines(aino, label_id=label).rows]

    assert found() == ["One", "Two"]
    labels.put_many(aino, "organization", changed, label, False)
    assert found() == ["One"]
    theirs = organizations.create_organization(otso, name="Theirs").card.id
    mine = restricted(aino, "organization")
    with pytest.raises(NotFound):
        labels.put_many(mine, "organization", [three, theirs], label, True)
    with pytest.raises(NotFound):
        labels.put_many(aino, "organization", [three], labels.create_label(aino, "deal", "Hot").id, True)
    assert found() == ["One"]


def test_the_list_of_organizations(db: str) -> None:
    """Narrowed by owner and label, a page at a time, at a constant cost; many go to the trash and come back."""
    aino, otso = a_user(), a_user("Otso")
    ids = [organizations.create_organization(aino, name=f"Org {n}").card.id for n in range(5)]
    organizations.hand_over(aino, {ids[0]: otso.user_id, ids[1]: None})
    page = organization_list.page_of_lines(aino, limit=3)
    rest = organization_list.page_of_lines(aino, limit=3, cursor=page.next_cursor)
    assert [row.card.id for row in (*page.rows, *rest.rows)] == ids
    assert [row.owner for row in page.rows] == ["Otso", "", "Aino"]
    assert [row.card.id for row in organization_list.page_of_lines(aino, owner_id=0).rows] == [ids[1]]
    assert [row.card.id for row in organization_list.page_of_lines(aino, owner_id=otso.user_id).rows] == [ids[0]]
    with counting() as few:
        organization_list.page_of_lines(aino, limit=1)
    with counting() as many:
        organization_list.page_of_lines(aino, limit=5)
    assert len(few) == len(many)
    mine = restricted(aino, "organization")
    assert ids[0] not in [row.card.id for row in organization_list.page_of_lines(mine).rows]
    with pytest.raises(NotFound):
        organization_list.delete_many(mine, [ids[2], ids[0]])
    organization_list.delete_many(aino, ids[2:])
    assert [row.card.id for row in organization_list.page_of_lines(aino).rows] == ids[:2]
    organization_list.restore_many(aino, ids[2:])
    assert len(organization_list.page_of_lines(aino).rows) == 5


def test_fields_of_a_page_cost_one_question(db: str) -> None:
    """Values of rows that are out of sight stay out of sight."""
    aino, otso = a_user(admin=True), a_user("Otso")
    people = [a_person(aino, f"Person {n}").card.id for n in range(4)]
    size, note = (custom_fields.create_field(aino, "person", "text", name).id for name in ("Size", "Note"))
    custom_fields.set_values(aino, "person", people[0], {size: "L"})
    custom_fields.set_values(aino, "person", people[3], {note: "Yes"})
    with counting() as few:
        custom_fields.values_of_many(aino, "person", people[:1])
    with counting() as many:
        found = custom_fields.values_of_many(aino, "person", people)
    assert len(few) == len(many)
    assert found[people[0]] == {size: "L", note: None}
    assert found[people[3]] == {size: None, note: "Yes"}
    assert custom_fields.values_of_many(restricted(otso, "person"), "person", people)[people[0]] == {
        size: None,
        note: None,
    }
