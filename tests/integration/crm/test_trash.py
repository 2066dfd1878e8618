"""The trash of all kinds at once: the last deleted first, page by page, as far as the actor may see."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Deal, Lead, Organization, Person, RoleAccess
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.crm import deals, leads, merge, organizations, people, trash
from mailcrm.services.db import reading, transaction
from tests.builders import a_deal, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def aino() -> Actor:
    return a_user("Aino", admin=True)


def fill(actor: Actor) -> None:
    """Two deleted rows of each kind: the first ones all at one moment, the others a minute apart."""
    made: list[tuple[type[Person | Organization | Deal | Lead], int]] = []
    for at in range(2):
        made += [
            (Person, a_person(actor, f"Person {at}").card.id),
            (Organization, organizations.create_organization(actor, name=f"Organization {at}").card.id),
            (Deal, a_deal(actor, f"Deal {at}").card.id),
            (Lead, leads.create_lead(actor, title=f"Lead {at}").id),
        ]
    with transaction() as session:
        for at, (model, row_id) in enumerate(made):
            row = session.get_one(model, row_id)
            row.deleted_at = NOON + timedelta(minutes=max(0, at - 3))
            session.add(row)


def test_pages_hold_every_row_once(aino: Actor) -> None:
    """Rows of several kinds deleted at one moment are neither lost nor shown twice at the seam of pages."""
    fill(aino)
    for size in (1, 2, 3, 5, 200):
        pages_hold_every_row_once(aino, size)


def pages_hold_every_row_once(aino: Actor, size: int) -> None:
    seen: list[tuple[str, int]] = []
    cursor = None
    while True:
        page = trash.page_of_trash(aino, cursor=cursor, limit=size)
        assert len(page.rows) <= size
        seen += [(row.kind, row.id) for row in page.rows]
        if (cursor := page.next_cursor) is None:
            break
    assert len(seen) == len(set(seen)) == 8
    moments = [row.deleted_at for row in trash.page_of_trash(aino, limit=200).rows]
    assert moments == sorted(moments, reverse=True)
    assert [kind for kind, _ in seen[:4]] == ["lead", "deal", "organization", "person"]


def test_restore_of_each_kind(aino: Actor) -> None:
    fill(aino)
    for row in trash.page_of_trash(aino).rows:
        trash.restore(aino, row.kind, row.id)
        with pytest.raises(NotFound):
            trash.restore(aino, row.kind, row.id)
    assert trash.page_of_trash(aino).rows == ()
    assert len(people.list_people(aino).rows) == len(deals.list_deals(aino)) == 2


def test_what_is_out_of_reach_is_absent(aino: Actor) -> None:
    fill(aino)
    bob = a_user("Bob")
    with transaction() as session:
        for kind in ("person", "organization", "deal", "lead"):
            session.add(RoleAccess(role="member", kind=kind, scope="own"))
    with reading() as session:
        bob = access.actor_for(session, bob.user_id)
    assert trash.page_of_trash(bob).rows == ()
    for row in trash.page_of_trash(aino).rows:
        with pytest.raises(NotFound):
            trash.restore(bob, row.kind, row.id)


def test_wrong_cursors_are_refused(aino: Actor) -> None:
    for cursor in ("x", "person.", "person.x", ".", "user.WyJ4Il0", "\x00", "person." + "9" * 900):
        with pytest.raises(UserError):
            trash.page_of_trash(aino, cursor=cursor)


def test_merged_ones_come_back_last_first(aino: Actor) -> None:
    """Of two merges into one person, the later is undone first: a sentence, and nothing changes."""
    kept, one, two = (a_person(aino, name, f"{name.lower()}@saimaa.test") for name in ("Kept", "One", "Two"))
    merge.merge(aino, kept.card.id, one.card.id)
    merge.merge(aino, kept.card.id, two.card.id)
    with pytest.raises(UserError, match="merged further"):
        trash.restore(aino, "person", one.card.id)
    trash.restore(aino, "person", two.card.id)
    trash.restore(aino, "person", one.card.id)
    assert people.get_person(aino, kept.card.id).addresses == ("kept@saimaa.test",)
    assert people.get_person(aino, one.card.id).addresses == ("one@saimaa.test",)


def test_forms_that_write_phones_anew_lose_none(aino: Actor) -> None:
    """Saving the kept person's form rewrites the phones; undoing gives the merged one's back all the same."""
    kept = people.create_person(aino, name="Kept", phones=["+358 40 1111111"])
    other = people.create_person(aino, name="Other", phones=["+358 40 2222222"])
    merge_id = merge.merge(aino, kept.card.id, other.card.id)
    people.change_person(aino, kept.card.id, phones=["+358 40 2222222", "+358 40 1111111", "+358 40 3333333"])
    merge.undo(aino, merge_id)
    assert people.get_person(aino, other.card.id).phones == ("+358 40 2222222",)
    assert people.get_person(aino, kept.card.id).phones == ("+358 40 1111111", "+358 40 3333333")


def test_a_consent_comes_back_whole(aino: Actor) -> None:
    """T09: who recorded it, when and how go together, and a newer answer stays."""
    kept, other = a_person(aino, "Kept"), a_person(aino, "Other")
    people.set_consent(aino, kept.card.id, "granted", "by mail")
    people.set_consent(aino, other.card.id, "refused", "by phone")
    first = merge.merge(aino, kept.card.id, other.card.id)
    seen = people.get_person(aino, kept.card.id)
    assert (seen.consent, seen.consent_source, seen.consent_withdrawn) == ("refused", "by phone", True)
    merge.undo(aino, first)
    assert people.get_person(aino, kept.card.id).consent_source == "by mail"
    second = merge.merge(aino, kept.card.id, other.card.id)
    people.set_consent(aino, kept.card.id, "granted", "by phone")
    merge.undo(aino, second)
    seen = people.get_person(aino, kept.card.id)
    assert (seen.consent, seen.consent_source) == ("granted", "by phone")
