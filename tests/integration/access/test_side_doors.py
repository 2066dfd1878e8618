"""Ways around who may see what, and around what a person undid, each found by somebody who tried."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound
from mailcrm.models import Link, Message
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.auth import teams
from mailcrm.services.crm import activities, deal_list, deals, leads, merge, notes
from mailcrm.services.crm.linking import earlier, link, why
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blocking, threads
from tests.builders import NOON, a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def aino() -> Actor:
    return a_user("Aino")


@pytest.fixture
def box(aino: Actor) -> int:
    return a_mailbox(aino, "aino@crm.test")


def again(actor: Actor) -> Actor:
    with reading() as session:
        return access.actor_for(session, actor.user_id)


def only_own(kind: str, colleague: Actor) -> Actor:
    """Let members see only their own rows of a kind."""
    teams.set_scope(a_user("Root", admin=True), "member", kind, "own")
    return again(colleague)


def standing(thread_id: int) -> set[tuple[str, int]]:
    """(kind, id) of the links that stand."""
    link.apply_rules()
    with reading() as session:
        found = session.exec(select(Link).where(Link.thread_id == thread_id)).all()
    return {
        (kind, row_id)
        for each in found
        if each.unlinked_at is None
        for kind, row_id in (("person", each.person_id), ("deal", each.deal_id), ("lead", each.lead_id))
        if row_id is not None
    }


def test_why_does_not_name_who_takes_part_in_a_private_message_only(aino: Actor, box: int) -> None:
    """M25, B06: the reason of a deal's link is a person whom only a private message of the conversation names."""
    secret = a_person(aino, "Secret Buyer", "secret@buyer.test")
    deal = a_deal(aino, "One", person=secret)
    hidden = a_message(box, sender="Secret Buyer <secret@buyer.test>")
    open_to_all = a_message(box, sender="Mika <mika@saimaa.test>", thread_id=hidden.thread_id, visibility="shared")
    assert ("deal", deal.card.id) in standing(hidden.thread_id)
    noor = a_user("Noor")
    assert [each.id for each in threads.open_thread(noor, hidden.thread_id).messages] == [open_to_all.id]
    assert [each.person for each in why.why(aino, hidden.thread_id) if each.kind == "deal"] == ["Secret Buyer"]
    assert "Secret" not in repr(why.why(noor, hidden.thread_id))


def test_the_offer_of_earlier_email_counts_no_blocked_mail(aino: Actor, box: int) -> None:
    """M19: blocked mail is in no count."""
    a_message(box)
    person = a_person(aino, "Mika", "mika@saimaa.test")
    assert earlier.earlier(aino, person_id=person.card.id).linked == 1
    blocking.block(aino, "address", "mika@saimaa.test")
    assert earlier.earlier(aino, person_id=person.card.id).linked == 0


def test_filters_do_not_tell_of_rows_out_of_reach(aino: Actor) -> None:
    """A note, an activity and a deal that Noor may see are also about a person she may not: no filter says so."""
    person = a_person(aino, "Secret Buyer", "secret@buyer.test")
    deal = a_deal(aino, "One", person=person)
    about: dict[str, Any] = {"deal_id": deal.card.id, "person_id": person.card.id}
    notes.create_note(aino, "Called.", **about)
    activities.create_activity(aino, kind="call", subject="Call", **about)
    noor = only_own("person", a_user("Noor"))
    assert len(notes.list_notes(noor, deal_id=deal.card.id).rows) == 1
    assert notes.list_notes(noor, person_id=person.card.id).rows == ()
    assert activities.list_activities(noor, person_id=person.card.id).rows == ()
    assert deal_list.page_of_deals(noor, deal_list.Filter(person_id=person.card.id)).rows == ()
    with pytest.raises(NotFound):
        threads.list_threads(noor, person_id=person.card.id)


def test_undoing_an_unlink_forgets_no_other(aino: Actor, box: int) -> None:
    """M30: what was unlinked since, in the place of what comes back, stays unlinked for the rules."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    one = a_deal(aino, "One", person=person)
    thread = a_message(box).thread_id
    assert ("deal", one.card.id) in standing(thread)
    link.unlink(aino, link_of(thread, one.card.id))
    deals.lose(aino, one.card.id)
    two = a_deal(aino, "Two", person=person)
    assert ("deal", two.card.id) in standing(thread)
    link.unlink(aino, link_of(thread, two.card.id))
    link.relink(aino, link_of(thread, one.card.id))
    link.unlink(aino, link_of(thread, one.card.id))
    assert {each for each in standing(thread) if each[0] == "deal"} == set()


def test_undoing_a_link_forgets_no_unlink(aino: Actor, box: int) -> None:
    """M30: linked by hand, unlinked by hand, and then the first act's Undo."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    thread = a_message(box).thread_id
    link.apply_rules()
    deal = a_deal(aino, "One", person=person)
    done = link.link_thread(aino, thread, deal_id=deal.card.id)
    link.unlink(aino, link_of(thread, deal.card.id))
    link.undo_link(aino, done)
    assert ("deal", deal.card.id) not in standing(thread)


def test_undoing_many_links_leaves_a_later_choice(aino: Actor, box: int) -> None:
    """M29: a deal chosen since holds; the one from before does not come back beside it, elsewhere it does."""
    old, many, later = (a_deal(aino, title).card.id for title in ("Old", "Many", "Later"))
    first, second = (a_message(box, sender=f"{name}@x.test").thread_id for name in "ab")
    link.link_threads(aino, (first, second), deal_id=old)
    done = link.link_threads(aino, (first, second), deal_id=many)
    link.link_thread(aino, first, deal_id=later)
    link.undo_link(aino, done)
    assert standing(first) == {("deal", later)}
    assert standing(second) == {("deal", old)}


def test_a_deal_made_of_an_unlinked_lead_stays_unlinked(aino: Actor, box: int) -> None:
    """M30: the deal is what the lead became."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    lead = leads.create_lead(aino, title="Perhaps", person_id=person.card.id)
    thread = a_message(box).thread_id
    assert ("lead", lead.id) in standing(thread)
    with reading() as session:
        row = session.exec(select(Link.id).where(Link.lead_id == lead.id)).one()
    link.unlink(aino, row or 0)
    leads.convert(aino, lead.id)
    assert {kind for kind, _ in standing(thread)} == {"person"}


def link_of(thread_id: int, deal_id: int) -> int:
    with reading() as session:
        return session.exec(select(Link.id).where(Link.thread_id == thread_id, Link.deal_id == deal_id)).one() or 0


@pytest.mark.parametrize("way", ["thread", "message"])
def test_what_is_made_private_while_it_is_not_shown_stays_private(aino: Actor, box: int, way: str) -> None:
    """M25, M26: blocked, in a folder that is not synced, or in the trash: "private" is said of these emails as well."""
    person = a_person(aino, "Mika", "mika@saimaa.test")
    shown = a_message(box, sender="Sana <sana@x.test>", visibility="shared", rfc_message_id="same@x.test")
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("same@x.test", {"hidden": True}),
        ("same@x.test" if way == "message" else "b@x.test", {"blocked": True}),
        ("same@x.test" if way == "message" else "c@x.test", {"deleted_at": NOON}),
    )
    others = [
        a_message(box, thread_id=shown.thread_id, visibility="shared", rfc_message_id=name, **columns)
        for name, columns in kinds
    ]
    link.link_thread(aino, shown.thread_id, person_id=person.card.id)
    if way == "thread":
        threads.set_visibility(aino, shown.thread_id, "private")
    else:
        threads.set_message_visibility(aino, shown.id or 0, "private")
    with transaction() as session:
        for each in others:
            row = session.get_one(Message, each.id)
            row.hidden, row.blocked, row.deleted_at = False, False, None
            session.add(row)
    with pytest.raises(NotFound):
        threads.open_thread(a_user("Noor"), shown.thread_id)


def test_sharing_shares_only_what_its_owner_sees(aino: Actor, box: int) -> None:
    """M25: an email that is not shown is not shared along with its conversation."""
    shown = a_message(box)
    hidden = a_message(box, thread_id=shown.thread_id, hidden=True)
    threads.set_visibility(aino, shown.thread_id, "shared")
    with reading() as session:
        assert session.get_one(Message, shown.id).visibility == "shared"
        assert session.get_one(Message, hidden.id).visibility == "private"


def test_undoing_private_shares_no_more_than_before(aino: Actor, box: int) -> None:
    """M25: of a conversation that was shared in part, and nobody else's."""
    shared = a_message(box, visibility="shared")
    private = a_message(box, thread_id=shared.thread_id)
    changed = threads.set_visibility(aino, shared.thread_id, "private")
    threads.share_again(a_user("Noor"), (*changed, private.id or 0))
    threads.share_again(aino, changed)
    with reading() as session:
        assert session.get_one(Message, shared.id).visibility == "shared"
        assert session.get_one(Message, private.id).visibility == "private"


def test_what_was_unlinked_of_a_merged_person_stays_unlinked_when_they_part(aino: Actor, box: int) -> None:
    """M30: both take part in the conversation; it is taken off while they are one person."""
    mika, twin = a_person(aino, "Mika", "mika@saimaa.test"), a_person(aino, "M. Aaltonen", "m@saimaa.test")
    thread = a_message(box, cc="m@saimaa.test").thread_id
    assert len(standing(thread)) == 2
    merged = merge.merge(aino, twin.card.id, mika.card.id)
    with reading() as session:
        of_twin = session.exec(select(Link.id).where(Link.person_id == twin.card.id)).one()
    link.unlink(aino, of_twin or 0)
    merge.undo(aino, merged)
    assert standing(thread) == set()
