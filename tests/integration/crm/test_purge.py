"""What has lain in the trash for 30 days is deleted for good, and nothing else with it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import col, select

from mailcrm import config
from mailcrm.errors import NotFound
from mailcrm.models import (
    Activity,
    CustomField,
    Deal,
    ImportedRow,
    Label,
    Lead,
    Link,
    Message,
    Note,
    Organization,
    Person,
    PersonAddress,
    utcnow,
)
from mailcrm.services.access import Actor
from mailcrm.services.crm import (
    activities,
    custom_fields,
    deals,
    labels,
    leads,
    merge,
    notes,
    organizations,
    people,
    purge,
    timeline,
    trash,
)
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import tasks
from mailcrm.services.rows import pick, rows
from mailcrm.services.writing import signatures, templates
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")
MODELS: dict[str, Any] = {"person": Person, "organization": Organization, "deal": Deal, "lead": Lead}
LATER = timedelta(days=30, minutes=1)


@pytest.fixture
def aino() -> Actor:
    return a_user("Aino", admin=True)


def ids(model: Any) -> set[int]:
    with reading() as session:
        return {row[0] for row in rows(session, pick(model.id))}


def in_a_month() -> datetime:
    return utcnow() + LATER


def test_old_rows_of_every_kind_go_and_young_ones_stay(aino: Actor) -> None:
    """Before the 30 days nothing goes, afterwards all of it; what is not in the trash is never asked."""
    person = a_person(aino, "Mika", "mika@saimaa.test", organization="Saimaa").card
    (organization,) = organizations.list_organizations(aino)
    deal = a_deal(aino, "One").card.id
    lead = leads.create_lead(aino, title="Perhaps").id
    stays = a_deal(aino, "Stays").card.id
    note = notes.create_note(aino, "Alone.", deal_id=stays).id
    call = activities.create_activity(aino, kind="call", subject="Call", deal_id=stays).id
    template = templates.create(aino, name="Offer", html="<p>Hello</p>").line.id
    signature = signatures.create(aino, name="Work").id
    for verb, row_id in (
        (notes.delete, note), (activities.delete, call), (deals.delete, deal), (leads.delete, lead),
        (people.delete, person.id), (organizations.delete, organization.id),
        (templates.delete, template), (signatures.delete_signature, signature),
    ):  # fmt: skip
        verb(aino, row_id)
    assert purge.purge() == purge.purge(now=utcnow() + timedelta(days=29)) == 0
    assert {each.kind for each in trash.page_of_trash(aino).rows} == set(trash.KINDS)
    assert purge.purge(now=in_a_month()) == len(trash.KINDS)
    assert trash.page_of_trash(aino).rows == ()
    assert [ids(model) & {row_id} for model, row_id in ((Person, person.id), (Deal, deal), (Note, note))] == [set()] * 3
    assert purge.purge(now=in_a_month()) == 0, "twice changes nothing"
    with pytest.raises(NotFound):
        trash.restore(aino, "person", person.id)
    assert [card.title for card in deals.list_deals(aino)] == ["Stays"]


def test_templates_and_signatures_come_back_to_whom_they_belong(aino: Actor) -> None:
    """M07, M08: the trash lists one's own; a colleague's shared template is its owner's and administrators'."""
    noor, jo = a_user("Noor"), a_user("Jo")
    shared = templates.create(noor, name="Shared", shared=True).line.id
    own = templates.create(noor, name="Own").line.id
    signature = signatures.create(noor, name="Work").id
    templates.delete(noor, shared)
    templates.delete(noor, own)
    signatures.delete_signature(noor, signature)

    def listed(actor: Actor) -> set[str]:
        return {each.name for each in trash.page_of_trash(actor).rows}

    assert (listed(noor), listed(aino), listed(jo)) == ({"Shared", "Own", "Work"}, {"Shared"}, set())
    for kind, row_id in (("template", shared), ("template", own), ("signature", signature)):
        with pytest.raises(NotFound):
            trash.restore(jo, kind, row_id)
        trash.restore(noor, kind, row_id)
    assert {each.name for each in templates.list_templates(noor)} == {"Shared", "Own"}
    assert [each.name for each in signatures.list_signatures(noor)] == ["Work"]


def test_labels_and_fields_go_with_what_was_kept_in_them(aino: Actor) -> None:
    """A deleted label or custom field can be undone for a while; afterwards its values are gone from the rows, too."""
    person = a_person(aino, "Mika").card.id
    field = custom_fields.create_field(aino, "person", "text", "Tier").id
    custom_fields.set_values(aino, "person", person, {field: "gold"})
    label = labels.create_label(aino, "person", "VIP").id
    labels.put(aino, "person", person, label, True)
    custom_fields.delete_field(aino, field)
    labels.delete_label(aino, label)
    assert purge.purge(now=utcnow() + timedelta(days=29)) == 0
    assert purge.purge(now=in_a_month()) == 2
    assert (ids(CustomField), ids(Label), ids(Person)) == (set(), set(), {person})


def test_what_is_also_about_something_else_stays_there(aino: Actor) -> None:
    """A note about a person and a deal is the deal's when the person is gone; their mail is nobody's to delete."""
    box = a_mailbox(aino)
    message = a_message(box)
    person = a_person(aino, "Mika", "mika@saimaa.test")
    deal = a_deal(aino, "One", person=person).card.id
    link.apply_rules()
    both = notes.create_note(aino, "Both.", deal_id=deal, person_id=person.card.id).id
    call = activities.create_activity(aino, kind="call", subject="C", deal_id=deal, person_id=person.card.id).id
    alone = notes.create_note(aino, "Alone.", person_id=person.card.id).id
    people.delete(aino, person.card.id)
    assert purge.purge(now=in_a_month()) == 1
    assert (ids(Note), ids(Activity), alone in ids(Note)) == ({both}, {call}, False)
    assert deals.get_deal(aino, deal).person is None
    assert ids(Message) == {message.id}
    with reading() as session:
        assert session.exec(select(PersonAddress)).all() == []
        assert [row.deal_id for row in session.exec(select(Link)).all()] == [deal]
    again = a_person(aino, "Mika", "mika@saimaa.test").card.id
    link.apply_rules()
    shown = [item.ref for item in timeline.person_timeline(aino, again).items if item.kind == "thread_message"]
    assert shown == [message.id], "whoever comes with the address later has the mail"


def test_a_deal_takes_the_lead_along_that_became_it(aino: Actor) -> None:
    """A converted lead is nothing without its deal."""
    lead = leads.create_lead(aino, title="Perhaps")
    deal = leads.convert(aino, lead.id)
    deals.delete(aino, deal)
    assert purge.purge(now=in_a_month()) == 1
    assert (ids(Lead), ids(Deal)) == (set(), set())


def test_a_merged_person_is_gone_and_the_history_says_so_still(aino: Actor) -> None:
    """The merge can't be undone any more; the contact that stayed loses nothing."""
    kept, other = a_person(aino, "Mika", "mika@saimaa.test"), a_person(aino, "M. A.", "m@saimaa.test")
    merged = merge.merge(aino, kept.card.id, other.card.id)
    assert purge.purge(now=in_a_month()) == 1
    view = people.get_person(aino, kept.card.id)
    assert set(view.addresses) == {"mika@saimaa.test", "m@saimaa.test"}
    assert timeline.person_timeline(aino, kept.card.id).items
    assert merge.merges_of(aino, kept.card.id) == ()
    with pytest.raises(NotFound):
        merge.undo(aino, merged)


def test_an_import_makes_anew_what_is_gone_for_good(aino: Actor) -> None:
    """An ID of another system that led to a purged row leads nowhere; the row's number may be taken again."""
    person = a_person(aino, "Mika").card.id
    with transaction() as session:
        session.add(ImportedRow(kind="person", source="pipedrive", external_id="11", row_id=person))
        session.add(ImportedRow(kind="deal", source="pipedrive", external_id="11", row_id=person))
    people.delete(aino, person)
    purge.purge(now=in_a_month())
    with reading() as session:
        assert [row.kind for row in session.exec(select(ImportedRow)).all()] == ["deal"]


def test_more_than_a_batch_and_a_stop(aino: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch by batch; who stops is stopped between two."""
    monkeypatch.setattr(purge, "BATCH", 2)
    people.delete_many(aino, [a_person(aino, f"P{n}").card.id for n in range(5)])
    assert purge.purge(lambda: True, now=in_a_month()) == 0
    assert purge.purge(now=in_a_month()) == 5


def test_the_setting_counts(aino: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer days, or for ever; the worker's job does it."""
    people.delete(aino, a_person(aino, "Mika").card.id)
    with transaction() as session:
        row = session.exec(select(Person).where(col(Person.deleted_at).is_not(None))).one()
        row.deleted_at = utcnow() - timedelta(days=8)
    for days, left in (("0", 1), ("30", 1), ("7", 0)):
        monkeypatch.setenv("MAILCRM_TRASH_DAYS", days)
        config.reset()
        assert purge.kept_days() == int(days)
        tasks.tidy()
        assert len(ids(Person)) == left, days
    config.reset()
