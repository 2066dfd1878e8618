"""Merging duplicate persons: what wins, what moves, undo, loops, and who may (issue: nothing half done)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import col, select

from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.models import AuditEntry, ImportedRow, Link, Message, Person, PersonMerge, RoleAccess
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm import (
    activities,
    custom_fields,
    deals,
    duplicates,
    labels,
    leads,
    merge,
    notes,
    people,
    timeline,
    trash,
)
from mailcrm.services.crm.linking import link, rules
from mailcrm.services.crm.views import PersonView
from mailcrm.services.db import reading, transaction
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def aino() -> Actor:
    return a_user("Aino", admin=True)


def pair(actor: Actor) -> tuple[PersonView, PersonView]:
    kept = people.create_person(
        actor, name="Mika Aaltonen", addresses=["mika@saimaa.test"], phones=["+358 40 123 4567"]
    )
    other = people.create_person(
        actor,
        name="M. Aaltonen",
        addresses=["m.aaltonen@saimaa.test", "mika@saimaa.test"],
        phones=["00358401234567", "+358 9 7654321"],
        organization="Saimaa Energy",
        job_title="Buyer",
    )
    return kept, other


def everything() -> dict[str, list[Any]]:
    """Every row that says whose something is, as it stands."""
    from mailcrm.models import (
        Activity,
        CustomValue,
        Deal,
        DealParticipant,
        LabelUse,
        Lead,
        Note,
        PersonAddress,
        PersonPhone,
    )

    found: dict[str, list[Any]] = {}
    with reading() as session:
        for model in (Activity, CustomValue, Deal, LabelUse, Lead, Link, Note, PersonAddress, PersonPhone):
            table: Any = model
            extra = (
                [row.unlinked_at for row in session.exec(select(Link).order_by(col(Link.id)))] if model is Link else []
            )
            found[model.__name__] = [
                (row.id, row.person_id) for row in session.exec(select(table).order_by(table.id))
            ] + extra
        found["part"] = sorted((row.deal_id, row.person_id) for row in session.exec(select(DealParticipant)))
        found["import"] = sorted((row.id, row.row_id) for row in session.exec(select(ImportedRow)))
        found["persons"] = [
            (row.id, row.name, row.job_title, row.organization_id, row.consent, row.consent_at, row.deleted_at)
            for row in session.exec(select(Person).order_by(col(Person.id)))
        ]
    return found


def furnish(actor: Actor, person: PersonView, name: str) -> None:
    """Give a person something of everything."""
    person_id = person.card.id
    deal = a_deal(actor, f"Deal of {name}", person=person)
    leads.create_lead(actor, title=f"Lead of {name}", person_id=person_id)
    notes.create_note(actor, f"Note on {name}", person_id=person_id)
    activities.create_activity(actor, kind="call", subject=f"Call {name}", person_id=person_id)
    label = labels.create_label(actor, "person", f"Label {name}")
    labels.put(actor, "person", person_id, label.id, True)
    field = custom_fields.create_field(actor, "person", "text", f"Field {name}")
    custom_fields.set_values(actor, "person", person_id, {field.id: name})
    with transaction() as session:
        session.add(ImportedRow(kind="person", source="csv", external_id=name, row_id=person_id))
    deals.change_deal(actor, a_deal(actor, "Taken part in").card.id, participants=[person_id])
    del deal


def test_the_preview_says_what_the_merge_does(aino: Actor) -> None:
    kept, other = pair(aino)
    furnish(aino, other, "B")
    people.set_consent(aino, kept.card.id, "granted", "by mail")
    people.set_consent(aino, other.card.id, "refused", "by phone")
    box = a_mailbox(aino)
    message = a_message(box, sender="M <m.aaltonen@saimaa.test>")
    with transaction() as session:
        session.get_one(Message, message.id).link_pending = True
    rules.apply_rules()
    seen = merge.preview(aino, kept.card.id, other.card.id)
    assert (seen.name, seen.job_title, seen.organization, seen.consent) == (
        "Mika Aaltonen", "Buyer", "Saimaa Energy", "refused",
    )  # fmt: skip
    assert seen.addresses == ("mika@saimaa.test", "m.aaltonen@saimaa.test")
    assert seen.phones == ("+358 40 123 4567", "+358 9 7654321"), "one number in two spellings is one"
    assert seen.moves == {
        "deals": 1, "leads": 1, "activities": 1, "notes": 1, "addresses": 1, "phones": 1, "labels": 1, "fields": 1,
        "links": 1, "participants": 1,
    }  # fmt: skip
    before = everything()
    merge.merge(aino, kept.card.id, other.card.id)
    after = people.get_person(aino, kept.card.id)
    assert (after.card.name, after.card.job_title, after.card.organization) == (
        seen.name,
        seen.job_title,
        seen.organization,
    )
    assert (after.addresses, after.phones) == (seen.addresses, seen.phones)
    assert (after.consent, after.consent_source) == ("refused", "by phone")
    assert {deal.title for deal in after.deals} == {"Deal of B", "Taken part in"}
    kinds = {item.kind for item in timeline.page_of(aino, "person", kept.card.id).items}
    assert {"note", "thread_message", "change"} <= kinds
    with pytest.raises(NotFound):
        people.get_person(aino, other.card.id)
    assert before != everything()


@pytest.mark.parametrize("both", [False, True])
def test_undo_gives_everything_back(aino: Actor, both: bool) -> None:
    kept, other = pair(aino)
    furnish(aino, other, "B")
    if both:
        furnish(aino, kept, "A")
    people.set_consent(aino, other.card.id, "refused")
    before = everything()
    merge_id = merge.merge(aino, kept.card.id, other.card.id)
    changed = everything()
    assert changed["Deal"] != before["Deal"]
    assert merge.merges_of(aino, kept.card.id)[0].id == merge_id
    assert merge.undo(aino, merge_id) == other.card.id
    assert everything() == before
    assert merge.merges_of(aino, kept.card.id) == ()
    with pytest.raises(UserError, match="undone already"):
        merge.undo(aino, merge_id)
    merge.merge(aino, kept.card.id, other.card.id)
    again = everything()
    for state in (again, changed):
        state.pop("persons")  # the moment of deletion differs
    assert again == changed, "and may be merged again"


def test_undo_leaves_alone_what_people_changed_since(aino: Actor) -> None:
    kept, other = pair(aino)
    furnish(aino, other, "B")
    merge_id = merge.merge(aino, kept.card.id, other.card.id)
    people.change_person(aino, kept.card.id, job_title="Head of buying")
    third = a_person(aino, "Third")
    deal_id = next(deal.id for deal in people.get_person(aino, kept.card.id).deals if deal.title == "Deal of B")
    deals.change_deal(aino, deal_id, person_id=third.card.id)
    people.remove_address(aino, kept.card.id, "m.aaltonen@saimaa.test")
    merge.undo(aino, merge_id)
    assert people.get_person(aino, kept.card.id).card.job_title == "Head of buying"
    assert [deal.title for deal in people.get_person(aino, third.card.id).deals] == ["Deal of B"]
    assert people.get_person(aino, other.card.id).addresses == ("mika@saimaa.test",)


def test_loops_of_merges_are_clear_errors(aino: Actor) -> None:
    """A into itself, into what was merged, back again, along a chain: a sentence, and nothing is changed."""
    one, two, three = (a_person(aino, name) for name in ("One", "Two", "Three"))
    a, b, c = one.card.id, two.card.id, three.card.id
    with pytest.raises(UserError, match="itself"):
        merge.merge(aino, a, a)
    first = merge.merge(aino, b, a)  # One into Two
    before = everything()
    for kept, merged in ((a, b), (b, a), (c, a), (a, c)):
        for verb in (merge.merge, merge.preview):
            with pytest.raises(UserError, match="One was merged into Two already"):
                verb(aino, kept, merged)
    assert everything() == before
    second = merge.merge(aino, c, b)  # a chain: Two, with One in it, into Three
    with pytest.raises(UserError, match="Two was merged further"):
        merge.undo(aino, first)
    with pytest.raises(UserError, match="merged into another"):
        people.restore(aino, a)
    merge.undo(aino, second)
    merge.undo(aino, first)
    assert {person.name for person in people.list_people(aino).rows} == {"One", "Two", "Three"}
    for kept, merged in ((10**9, a), (a, 10**9), ("x", a), (a, True), (a, -1), (a, 10**30)):
        with pytest.raises(NotFound):
            merge.merge(aino, kept, merged)  # type: ignore[arg-type]


def test_the_trash_undoes_a_merge(aino: Actor) -> None:
    kept, other = pair(aino)
    before = everything()
    merge.merge(aino, kept.card.id, other.card.id)
    row = trash.page_of_trash(aino, "person").rows[0]
    assert (row.id, row.merged_into) == (other.card.id, "Mika Aaltonen")
    trash.restore(aino, "person", other.card.id)
    assert everything() == before


def test_a_deleted_person_is_not_merged(aino: Actor) -> None:
    kept, other = pair(aino)
    people.delete(aino, other.card.id)
    for first, second in ((kept, other), (other, kept)):
        with pytest.raises(NotFound):
            merge.merge(aino, first.card.id, second.card.id)


@pytest.mark.parametrize(
    ("kept_is", "merged_is", "stands"),
    [
        ("rule", "unlinked", False),  # a person took it off the duplicate: no rule links it again (M30)
        ("unlinked", "rule", False),
        ("rule", "rule", True),
        ("unlinked", "by hand", True),  # made by hand wins over taken off, as when threads merge
        ("by hand", "unlinked", True),
    ],
)
def test_of_links_a_persons_decision_wins(aino: Actor, kept_is: str, merged_is: str, stands: bool) -> None:
    """M30: what was unlinked by hand is not linked by merging; the thread keeps one link."""
    kept, other = pair(aino)
    box = a_mailbox(aino)
    message = a_message(box, sender="Mika <mika@saimaa.test>", link_pending=True)
    rules.apply_rules()
    with transaction() as session:
        for link_row in session.exec(select(Link)):
            session.delete(link_row)
        session.flush()
        for person in (kept, other):
            session.add(Link(thread_id=message.thread_id, person_id=person.card.id, origin="rule"))
    for person, state in ((kept, kept_is), (other, merged_is)):
        with reading() as session:
            found = session.exec(select(Link.id).where(Link.person_id == person.card.id)).one() or 0
        if state in ("unlinked", "by hand"):
            link.unlink(aino, found)
        if state == "by hand":
            link.link_thread(aino, message.thread_id, person_id=person.card.id)
    before = everything()
    merge_id = merge.merge(aino, kept.card.id, other.card.id)
    rules.apply_rules()
    with reading() as session:
        row = session.exec(select(Link).where(Link.person_id == kept.card.id)).one()
        assert (row.unlinked_at is None) == stands
    merge.undo(aino, merge_id)
    assert everything() == before


def test_mail_follows_the_merge_and_its_undoing(aino: Actor) -> None:
    """M27: mail with the merged person's address is the kept one's; what comes meanwhile goes back with the address."""
    kept, other = pair(aino)
    box = a_mailbox(aino)
    a_message(box, sender="M <m.aaltonen@saimaa.test>", link_pending=True, subject="Before")
    rules.apply_rules()
    merge_id = merge.merge(aino, kept.card.id, other.card.id)
    a_message(box, sender="M <m.aaltonen@saimaa.test>", link_pending=True, subject="Meanwhile")
    rules.apply_rules()

    def subjects(person: PersonView) -> list[str]:
        items = timeline.page_of(aino, "person", person.card.id, shown="emails").items
        return sorted(item.message.subject for item in items if item.message)

    assert subjects(kept) == ["Before", "Meanwhile"]
    merge.undo(aino, merge_id)
    rules.apply_rules()
    assert (subjects(kept), subjects(other)) == ([], ["Before", "Meanwhile"])


def test_nothing_is_half_done(aino: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transaction each way: a failure at its end leaves every row as it was."""
    kept, other = pair(aino)
    furnish(aino, other, "B")
    before = everything()
    with monkeypatch.context() as broken:
        broken.setattr("mailcrm.services.audit.record", _fail)
        with pytest.raises(RuntimeError):
            merge.merge(aino, kept.card.id, other.card.id)
    assert everything() == before
    merge_id = merge.merge(aino, kept.card.id, other.card.id)
    merged = everything()
    with monkeypatch.context() as broken:
        broken.setattr("mailcrm.services.audit.record", _fail)
        with pytest.raises(RuntimeError):
            merge.undo(aino, merge_id)
    assert everything() == merged


def _fail(*_args: object, **_kwargs: object) -> None:
    raise RuntimeError("the disk is full")


def test_who_may_merge_and_what_the_preview_counts(aino: Actor) -> None:
    """A person out of reach is NotFound; counts tell nothing of private mail and of others' deals (M25)."""
    bob = a_user("Bob")
    kept, other = a_person(bob, "Mika"), a_person(bob, "M.", "m@saimaa.test")
    hidden = a_person(aino, "Hidden")
    a_deal(aino, "Secret", person=other)
    a_message(a_mailbox(aino), sender="M <m@saimaa.test>", link_pending=True)
    rules.apply_rules()
    assert merge.preview(aino, kept.card.id, other.card.id).moves == {"addresses": 1, "deals": 1, "links": 1}
    with transaction() as session:
        for kind in ("person", "deal"):
            session.add(RoleAccess(role="member", kind=kind, scope="own"))
    with reading() as session:
        bob = access.actor_for(session, bob.user_id)
    assert merge.preview(bob, kept.card.id, other.card.id).moves == {"addresses": 1}
    for act in (
        lambda: merge.preview(bob, kept.card.id, hidden.card.id),
        lambda: merge.merge(bob, hidden.card.id, kept.card.id),
        lambda: merge.merge(bob, kept.card.id, hidden.card.id),
        lambda: merge.merges_of(bob, hidden.card.id),
        lambda: duplicates.duplicates_of(bob, hidden.card.id),
    ):
        with pytest.raises(NotFound):
            act()
    merge_id = merge.merge(aino, hidden.card.id, a_person(aino, "Hidden").card.id)
    with pytest.raises(MailcrmError):
        merge.undo(bob, merge_id)
    with reading() as session:
        assert session.get_one(PersonMerge, merge_id).undone_at is None


def test_the_merge_is_audited_without_texts(aino: Actor) -> None:
    kept, other = pair(aino)
    merge.undo(aino, merge.merge(aino, kept.card.id, other.card.id))
    with reading() as session:
        verbs = [row.verb for row in session.exec(select(AuditEntry).order_by(col(AuditEntry.id)))]
    assert verbs[-2:] == ["merge", "unmerge"]
    texts = [item.text_code for item in timeline.page_of(aino, "person", kept.card.id, shown="changes").items]
    assert texts == ["unmerged", "merged", "created"]


def test_likely_duplicates(aino: Actor) -> None:
    """The same name in the same organization or domain, or the same phone; free mail and short numbers tell nothing."""
    one = a_person(aino, "Mika Aaltonen", "mika@saimaa.test")
    two = a_person(aino, "mika aaltonen", "m.a@saimaa.test")
    a_person(aino, "Mika Aaltonen", "mika@gmail.com")
    a_person(aino, "Lena Vogt", "lena@gmail.com")
    a_person(aino, "Lena Vogt", "vogt@gmail.com")
    three = people.create_person(aino, name="Noor", phones=["+358 40 123 4567", "112"])
    four = people.create_person(aino, name="N. A.", phones=["00358 401234567", "112"])
    a_person(aino, "Ted", organization="Saimaa")
    a_person(aino, "Ted", organization="Other")
    five, six = a_person(aino, "Sana", organization="Saimaa"), a_person(aino, "Sana", organization="Saimaa")
    found = {(each.kept.id, each.other.id, each.reason) for each in duplicates.suggestions(aino)}
    assert found == {
        (one.card.id, two.card.id, "name"),
        (three.card.id, four.card.id, "phone"),
        (five.card.id, six.card.id, "name"),
    }
    of_two = duplicates.duplicates_of(aino, two.card.id)
    assert [(each.kept.id, each.other.id) for each in of_two] == [(two.card.id, one.card.id)]
    merge.merge(aino, one.card.id, two.card.id)
    assert duplicates.duplicates_of(aino, one.card.id) == ()
