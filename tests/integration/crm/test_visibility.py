"""Who sees mail in timelines: M24 (shared and linked), M25 (private: nobody else), M26 (at any time), M13 and M30."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailcrm.errors import NotFound
from mailcrm.models import TrackedMessage, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.crm import deals, leads, organizations, people, timeline
from mailcrm.services.crm.linking import link
from mailcrm.services.crm.linking.panel import panel
from mailcrm.services.crm.views import DealView, PersonView
from mailcrm.services.db import transaction
from mailcrm.services.mail import threads
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user
from tests.integration.crm.counting import counting

pytestmark = pytest.mark.usefixtures("db")


class Story:
    """Aino's mail with Mika, linked to Mika and the deal; a colleague; an administrator."""

    def __init__(self) -> None:
        self.aino, self.noor, self.root = a_user("Aino"), a_user("Noor"), a_user("Root", admin=True)
        self.box = a_mailbox(self.aino, "aino@crm.test")
        self.person: PersonView = a_person(self.aino, "Mika", "mika@saimaa.test", organization="Saimaa")
        self.deal: DealView = a_deal(self.aino, person=self.person)

    def timelines(self) -> list[Callable[[Actor], timeline.TimelinePage]]:
        organization = self.person.card.organization_id or 0
        return [
            lambda actor: timeline.person_timeline(actor, self.person.card.id),
            lambda actor: timeline.deal_timeline(actor, self.deal.card.id),
            lambda actor: timeline.organization_timeline(actor, organization),
        ]

    def seen_by(self, actor: Actor) -> list[list[int]]:
        """The messages in each timeline."""
        return [[item.ref for item in read(actor).items if item.kind == "thread_message"] for read in self.timelines()]


@pytest.fixture
def story() -> Story:
    return Story()


def test_private_mail_is_its_owners_alone(story: Story) -> None:
    """M25: administrators included; no count, no card, no tracking mark gives it away."""
    private = a_message(story.box, sender="aino@crm.test", to="mika@saimaa.test", tracked=True)
    with transaction() as session:
        row = session.get_one(TrackedMessage, 1)
        row.opens, row.last_opened_at, row.clicks, row.last_clicked_at = 3, utcnow(), 1, utcnow()
    link.apply_rules()
    assert story.seen_by(story.aino) == [[private.id]] * 3
    for stranger in (story.noor, story.root):
        assert story.seen_by(stranger) == [[]] * 3
        for read in story.timelines():
            assert {item.kind for item in read(stranger).items} <= {"created", "stage"}
        card = deals.get_deal(stranger, story.deal.card.id).card
        assert (card.last_email_at, card.tracking) == (None, None)
        (board_card,) = deals.board(stranger).columns[0].cards
        assert board_card == card
        with pytest.raises(NotFound):
            threads.open_thread(stranger, private.thread_id)
    own_card = deals.get_deal(story.aino, story.deal.card.id).card
    assert own_card.last_email_at == private.sort_at
    assert own_card.tracking is not None
    assert own_card.tracking.opens == 3


def test_shared_mail_is_seen_where_it_is_linked(story: Story) -> None:
    """M24: every colleague, in every timeline; in the conversation only what is shared."""
    first = a_message(story.box, visibility="shared")
    a_message(story.box, thread_id=first.thread_id, visibility="private", subject="between us")
    unlinked = a_message(story.box, sender="stranger@x.test", visibility="shared")
    link.apply_rules()
    for reader in (story.noor, story.root):
        assert story.seen_by(reader) == [[first.id]] * 3
        view = threads.open_thread(reader, first.thread_id)
        assert [message.id for message in view.messages] == [first.id]
        assert (view.own, view.messages[0].own, view.messages[0].owner_name) == (False, False, "Aino")
        assert threads.thread_of_message(reader, first.id or 0) == first.thread_id
        assert threads.list_threads(reader, folder="all").rows == (), "the Mail tab is one's own"
        with pytest.raises(NotFound):
            threads.open_thread(reader, unlinked.thread_id)


def test_the_subject_of_a_shared_message_is_its_own(story: Story) -> None:
    """M25: the thread's subject comes from its first message, which may be private."""
    first = a_message(story.box, subject="Secret salary talk")
    shared = a_message(story.box, thread_id=first.thread_id, subject="Re: offer", visibility="shared")
    link.apply_rules()
    assert threads.open_thread(story.aino, shared.thread_id).subject == "Secret salary talk"
    assert threads.open_thread(story.noor, shared.thread_id).subject == "Re: offer"


def test_who_is_on_private_messages_of_a_shared_conversation_stays_private(story: Story) -> None:
    """M25: neither as a link's person nor as the address that a link's reason names."""
    lawyer = a_person(story.aino, "Lawyer", "lawyer@law.test")
    first = a_message(story.box, sender="lawyer@law.test")
    a_message(story.box, thread_id=first.thread_id, visibility="shared")
    link.apply_rules()
    with_lawyer = {found.title for found in threads.open_thread(story.aino, first.thread_id).links}
    assert with_lawyer == {"Lawyer", "Mika", "Saimaa phase 2"}
    seen = panel(story.noor, first.thread_id)
    for links in (threads.open_thread(story.noor, first.thread_id).links, seen.links):
        assert {found.title for found in links} == {"Mika", "Saimaa phase 2"}
        assert "lawyer" not in str(links).lower()
    assert seen.person is not None
    assert seen.person.name == "Mika"
    link.link_thread(story.aino, first.thread_id, person_id=lawyer.card.id)
    assert "lawyer" not in str(panel(story.noor, first.thread_id).recent).lower()


def test_visibility_changes_at_any_time(story: Story) -> None:
    """M26: message by message, or the whole conversation."""
    first = a_message(story.box)
    second = a_message(story.box, thread_id=first.thread_id)
    link.apply_rules()
    threads.set_message_visibility(story.aino, second.id or 0, "shared")
    assert story.seen_by(story.noor) == [[second.id]] * 3
    threads.set_visibility(story.aino, first.thread_id, "shared")
    assert story.seen_by(story.noor) == [[second.id, first.id]] * 3
    threads.set_visibility(story.aino, first.thread_id, "private")
    assert story.seen_by(story.noor) == [[]] * 3


def test_losing_the_last_link_ends_the_colleagues_view(story: Story) -> None:
    """M24 needs a link that stands to a row that stands."""
    shared = a_message(story.box, visibility="shared")
    link.apply_rules()
    people.delete(story.aino, story.person.card.id)
    deals.delete(story.aino, story.deal.card.id)
    with pytest.raises(NotFound):
        threads.open_thread(story.noor, shared.thread_id)
    people.restore(story.aino, story.person.card.id)
    assert threads.open_thread(story.noor, shared.thread_id).messages
    for found in threads.open_thread(story.aino, shared.thread_id).links:
        link.unlink(story.aino, found.id)
    with pytest.raises(NotFound):
        threads.open_thread(story.noor, shared.thread_id)
    assert threads.open_thread(story.aino, shared.thread_id).messages


def test_deleting_removes_from_timelines_and_restoring_brings_back(story: Story) -> None:
    """M30."""
    shared = a_message(story.box, visibility="shared")
    link.apply_rules()
    threads.delete(story.aino, shared.thread_id)
    assert story.seen_by(story.aino) == story.seen_by(story.noor) == [[]] * 3
    assert deals.get_deal(story.aino, story.deal.card.id).card.last_email_at is None
    threads.restore(story.aino, shared.thread_id)
    assert story.seen_by(story.noor) == [[shared.id]] * 3


def test_copies_are_shown_once_if_any_is_visible(story: Story) -> None:
    """M13, settled question 2: each copy keeps its own visibility; a reader sees their own copy where they have one."""
    ainos = a_message(story.box, rfc_message_id="same@x", to="aino@crm.test, noor@crm.test")
    noors = a_message(
        a_mailbox(story.noor, "noor@crm.test"), rfc_message_id="same@x", to="aino@crm.test, noor@crm.test"
    )
    link.apply_rules()
    assert story.seen_by(story.aino) == [[ainos.id]] * 3
    assert story.seen_by(story.noor) == [[noors.id]] * 3
    assert story.seen_by(story.root) == [[]] * 3

    threads.set_message_visibility(story.noor, noors.id or 0, "shared")
    assert story.seen_by(story.aino) == [[ainos.id]] * 3
    assert story.seen_by(story.root) == [[noors.id]] * 3
    threads.set_message_visibility(story.aino, ainos.id or 0, "shared")
    assert story.seen_by(story.root) == [[ainos.id]] * 3
    threads.set_message_visibility(story.noor, noors.id or 0, "private")
    assert story.seen_by(story.root) == [[ainos.id]] * 3, "one copy made private does not hide the other"


def test_a_message_linked_twice_is_shown_once(story: Story) -> None:
    """An organization reaches a message through its person and through its deal."""
    a_message(story.box)
    link.apply_rules()
    assert [len(found) for found in story.seen_by(story.aino)] == [1, 1, 1]


def test_messages_without_a_message_id_are_never_taken_for_copies(story: Story) -> None:
    for _ in range(2):
        message = a_message(story.box)
        with transaction() as session:
            session.merge(message).rfc_message_id = None
    link.apply_rules()
    assert [len(found) for found in story.seen_by(story.aino)] == [2, 2, 2]


def test_a_timeline_tells_the_whole_story_newest_first(story: Story) -> None:
    sent = a_message(
        story.box, sender="aino@crm.test", to="mika@saimaa.test", subject="Offer", tracked=True, at=utcnow()
    )
    link.apply_rules()
    stages = story.deal.stages
    deals.move_to_stage(story.aino, story.deal.card.id, stages[2].id)
    with transaction() as session:
        row = session.get_one(TrackedMessage, 1)
        row.opens, row.last_opened_at = 2, utcnow()
    deals.lose(story.aino, story.deal.card.id, "no budget")
    items = timeline.deal_timeline(story.aino, story.deal.card.id).items
    assert [(item.kind, item.text_code) for item in items] == [
        ("lost", "lost"),
        ("tracking", "opened"),
        ("stage", "moved"),
        ("thread_message", ""),
        ("created", "created"),
    ]
    assert items[0].params["reason"] == "no budget"
    assert (items[1].params["subject"], items[1].params["count"]) == ("Offer", 2)
    assert items[2].params["stage"] == "Demo"
    assert items[3].message is not None
    assert items[3].message.id == sent.id


def test_pages_of_a_timeline_follow_each_other(story: Story) -> None:
    """Keyset over all kinds of items, equal moments included."""
    moment = utcnow()
    for number in range(5):
        a_message(story.box, at=moment, subject=str(number), rfc_message_id=f"m{number}@x")
        a_message(story.box, at=moment, subject="copy", rfc_message_id=f"m{number}@x", text="another body")
    link.apply_rules()
    for stage in story.deal.stages[1:4]:
        deals.move_to_stage(story.aino, story.deal.card.id, stage.id)
    whole = timeline.deal_timeline(story.aino, story.deal.card.id).items
    assert len(whole) == 9
    for size in (1, 2, 3):
        paged: list[timeline.TimelineItem] = []
        cursor = None
        while True:
            page = timeline.deal_timeline(story.aino, story.deal.card.id, limit=size, cursor=cursor)
            paged += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        assert tuple(paged) == whole


def test_timelines_and_the_board_cost_the_same_whatever_they_hold(story: Story) -> None:
    """Deals with and without mail, one message or many: no statement for each row."""

    def cost() -> list[int]:
        found: list[int] = []
        for read in (*story.timelines(), deals.board, lambda actor: panel(actor, first.thread_id)):
            with counting() as sent:
                read(story.noor)
            found.append(len(sent))
        return found

    first = a_message(story.box, sender="aino@crm.test", to="mika@saimaa.test", tracked=True, visibility="shared")
    link.apply_rules()

    def more(count: int) -> None:
        for _ in range(count):
            a_message(story.box, sender="aino@crm.test", to="mika@saimaa.test", tracked=True, visibility="shared")
            a_message(
                story.box,
                thread_id=first.thread_id,
                cc="Mika <mika@saimaa.test>",
                visibility="shared",
                attachment="a.pdf",
            )
        link.apply_rules()
        for _ in range(count):
            a_deal(story.aino, person=a_person(story.aino, organization="Saimaa"))

    alone = cost()
    more(5)
    some = cost()
    assert all(later <= before + 2 for before, later in zip(alone, some, strict=True)), "what looks further is bounded"
    more(15)
    assert cost() == some
    assert max(some) <= 36


def test_a_leads_timeline(story: Story) -> None:
    lead = leads.create_lead(story.aino, title="Maybe")
    came = a_message(story.box, visibility="shared")
    link.link_thread(story.aino, came.thread_id, lead_id=lead.id)
    assert [item.kind for item in timeline.lead_timeline(story.noor, lead.id).items] == ["created", "thread_message"]


def test_rows_in_the_trash_have_no_timeline(story: Story) -> None:
    lead = leads.create_lead(story.aino, title="Maybe")
    people.delete(story.aino, story.person.card.id)
    deals.delete(story.aino, story.deal.card.id)
    leads.delete(story.aino, lead.id)
    organizations.delete(story.aino, story.person.card.organization_id or 0)
    for read in (*story.timelines(), lambda actor: timeline.lead_timeline(actor, lead.id)):
        with pytest.raises(NotFound):
            read(story.aino)
