"""Who was written to in secret is its sender's secret, also where the email is shared (M24, M25)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailcrm.models import Blob, Message, Participant
from mailcrm.services.access import Actor
from mailcrm.services.crm import correspondence, deals, people_list, timeline, timeline_counts
from mailcrm.services.crm.linking import link, panel, why
from mailcrm.services.db import transaction
from mailcrm.services.mail import blobs, messages, single, threads
from mailcrm.services.mail.outbox import draft
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")

SECRET = "secret@buyer.test"
RAW = (
    b"From: aino@crm.test\r\nTo: mika@saimaa.test\r\nBcc: Secret Buyer <secret@buyer.test>\r\nSubject: Offer\r\n"
    b"Message-ID: <offer@crm.test>\r\nDate: Mon, 02 Mar 2026 12:00:00 +0000\r\n\r\nHere it is.\r\n"
)


def test_a_shared_sent_email_shows_its_bcc_to_its_owner_alone() -> None:
    aino, noor, root = a_user("Aino"), a_user("Noor"), a_user("Root", admin=True)
    box = a_mailbox(aino, "aino@crm.test")
    a_person(aino, "Secret Buyer", SECRET)
    mika = a_person(aino, "Mika Aaltonen", "mika@saimaa.test")
    deal = a_deal(aino, "Saimaa phase 2", person=mika)
    sent = a_message(
        box, sender="aino@crm.test", to="mika@saimaa.test", subject="Offer", visibility="shared",
        rfc_message_id="offer@crm.test", at=datetime(2026, 3, 2, 12, tzinfo=UTC),
    )  # fmt: skip
    with transaction() as session:
        sha = blobs.put(RAW)
        session.add(Blob(sha256=sha, size=len(RAW)))
        session.flush()
        session.get_one(Message, sent.id).blob_sha = sha
        session.add(Participant(message_id=sent.id or 0, role="bcc", position=0, name="Secret Buyer", address=SECRET))
    link.apply_rules()
    message_id = sent.id or 0

    own = threads.open_thread(aino, sent.thread_id)
    assert [each.address for each in own.messages[0].bcc] == [SECRET]
    assert {each.title for each in own.links} == {"Mika Aaltonen", "Secret Buyer", "Saimaa phase 2"}
    assert b"secret@buyer.test" in messages.load_raw(aino, message_id)

    for colleague in (noor, root):
        found = threads.open_thread(colleague, sent.thread_id)
        assert found.messages[0].to[0].address == "mika@saimaa.test"
        view, links = single.open_message(colleague, message_id)
        seen = (
            found,
            view,
            links,
            why.why(colleague, sent.thread_id),
            panel.panel(colleague, sent.thread_id),
            timeline.deal_timeline(colleague, deal.card.id),
            single.header_lines(messages.load_raw(colleague, message_id)),
            draft.new_draft(
                colleague, reply_to_message_id=message_id, mode="reply_all", mailbox_id=a_mailbox(colleague)
            ),
        )
        for each in seen:
            assert "ecret" not in repr(each), each
        assert messages.load_raw(colleague, message_id) == RAW.replace(
            b"Bcc: Secret Buyer <secret@buyer.test>\r\n", b""
        )


def test_histories_do_not_tell_who_was_written_to_in_secret() -> None:
    """M25: the blind recipient's page, organization and deal show a colleague nothing, until they take part openly."""
    aino, noor = a_user("Aino"), a_user("Noor")
    box = a_mailbox(aino, "aino@crm.test")
    blind = a_person(aino, "Secret Buyer", SECRET, organization="Buyer")
    deal = a_deal(aino, "Buyer's deal", person=blind)
    a_person(aino, "Mika Aaltonen", "mika@saimaa.test")
    sent = a_message(
        box, sender="aino@crm.test", to="mika@saimaa.test", subject="Offer", visibility="shared",
        at=datetime(2026, 3, 2, 12, tzinfo=UTC),
    )  # fmt: skip
    with transaction() as session:
        session.add(Participant(message_id=sent.id or 0, role="bcc", position=0, name="Secret Buyer", address=SECRET))
    link.apply_rules()
    organization_id = blind.card.organization_id or 0

    def told(actor: Actor) -> list[bool]:
        """Whether each place tells of the email."""
        lines = people_list.page_of_people(actor, "Secret").rows
        boards = [card for column in deals.board(actor).columns for card in column.cards]
        return [
            *(
                bool(timeline.page_of(actor, kind, row_id, shown="emails").items)
                for kind, row_id in (
                    ("person", blind.card.id), ("organization", organization_id), ("deal", deal.card.id)
                )
            ),
            timeline_counts.of(actor, "person", blind.card.id).emails > 0,
            correspondence.correspondence(actor, blind.card.id).sent > 0,
            lines[0].last_email_at is not None,
            boards[0].last_email_at is not None,
            threads.open_thread(actor, sent.thread_id).deal is not None,
            any(each.title != "Mika Aaltonen" for each in threads.open_thread(actor, sent.thread_id).links),
        ]  # fmt: skip

    assert told(aino) == [True] * 9
    assert told(noor) == [False] * 9
    assert timeline.person_timeline(noor, next(p.id for p in people_list.list_people(noor, "Mika").rows)).items

    a_message(
        box, sender=SECRET, to="aino@crm.test", subject="Re: Offer", visibility="shared", thread_id=sent.thread_id,
        at=datetime(2026, 3, 3, 12, tzinfo=UTC),
    )  # fmt: skip
    link.apply_rules()
    assert told(noor) == [True] * 9
