"""Whose open tabs are told that a mark changed, and who is told of an answer (T05, T08, M24, B05)."""

from __future__ import annotations

import pytest
from sqlmodel import select

from mailcrm.models import LiveEvent, Message, TrackedMessage
from mailcrm.services import notifications
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.tracking import replies, viewers
from tests.builders import a_deal, a_mailbox, a_message, a_user

pytestmark = pytest.mark.usefixtures("db")


def told() -> set[int | None]:
    with reading() as session:
        return set(session.exec(select(LiveEvent.user_id).where(LiveEvent.topic == "tracking")).all())


def test_only_those_who_may_read_it_are_told() -> None:
    sender, colleague = a_user("Aino"), a_user("Boris")
    box = a_mailbox(sender, "aino@crm.test")
    deal = a_deal(sender)
    private = a_message(box, sender="aino@crm.test", to="mika@x.test")
    unlinked = a_message(box, sender="aino@crm.test", to="mika@x.test", visibility="shared")
    shared = a_message(box, sender="aino@crm.test", to="mika@x.test", visibility="shared")
    link.link_thread(sender, private.thread_id, deal_id=deal.card.id)
    link.link_thread(sender, shared.thread_id, deal_id=deal.card.id)
    with transaction() as session:
        viewers.hint(session, sender.user_id, [private.id, unlinked.id, None])
    assert told() == {sender.user_id}
    with transaction() as session:
        viewers.hint(session, sender.user_id, [private.id, shared.id])
    assert told() == {sender.user_id, colleague.user_id}


@pytest.mark.parametrize("notify", [True, False])
def test_an_answer_is_told_once(notify: bool) -> None:
    sender = a_user("Aino")
    box = a_mailbox(sender, "aino@crm.test")
    sent = a_message(box, sender="aino@crm.test", to="mika@x.test", subject="Offer", tracked=True)
    with transaction() as session:
        row = session.exec(select(TrackedMessage)).one()
        row.notify = notify
        session.add(row)
    answer = a_message(
        box, sender="Mika <mika@x.test>", to="aino@crm.test", subject="Re: Offer", thread_id=sent.thread_id,
        in_reply_to=sent.rfc_message_id,
    )  # fmt: skip
    for _ in range(2):
        with transaction() as session:
            replies.settle(session, [answer.id or 0])
    found = [(row.kind, row.detail, row.thread_id) for row in notifications.list_notifications(sender)]
    assert found == ([("replied", "Offer", sent.thread_id)] if notify else [])
    with reading() as session:
        assert session.exec(select(TrackedMessage.replied_at)).one() is not None
        assert session.get_one(Message, answer.id).direction == "in"
