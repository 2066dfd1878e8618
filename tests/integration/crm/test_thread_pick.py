"""Walking and sets find the same conversations, whatever is asked for (services/mail/thread_pick.py)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import col

from mailcrm.models import Message
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading
from mailcrm.services.mail import thread_pick
from mailcrm.services.mail.search import index
from mailcrm.services.mail.thread_pick import Filter
from mailcrm.services.rows import pick, rows
from tests.builders import NOON, a_deal, a_mailbox, a_message, a_user

EVERY = [
    Filter(folder=folder, unread=unread, query=query, open_deal=open_deal, has_attachment=files)
    for folder in thread_pick.FOLDERS
    for unread, query, open_deal, files in (
        (False, "", False, False),
        (True, "", False, False),
        (False, "pump", False, False),
        (True, "offer 7", False, False),
        (False, "", True, False),
        (False, "", False, True),
    )
]


def some_mail(actor: Actor) -> int:
    """Thirty conversations in three folders, of which some are linked to a deal, in a mailbox beside another one."""
    box, other = a_mailbox(actor, "aino@own.test"), a_mailbox(actor, "sales@own.test")
    deal = a_deal(actor)
    for n in range(30):
        at = NOON + timedelta(hours=n)
        sender = "Aino <aino@own.test>" if n % 5 == 0 else f"Mika <mika{n}@saimaa.test>"
        message = a_message(
            box if n % 3 else other, sender=sender, subject="Pumps" if n % 4 else f"Offer {n}", at=at, read=n % 2 == 0,
            folder="archive" if n % 6 == 1 else "", attachment="a.pdf" if n % 7 == 0 else "", archived=n % 8 == 2,
            deleted_at=at if n == 11 else None,
        )  # fmt: skip
        if n % 9 == 4:
            link.link_thread(actor, message.thread_id, deal_id=deal.card.id)
    return box


def ids(actor: Actor, wanted: Filter, walk: int, cursor: str | None = None) -> list[int]:
    with reading() as session:
        return [row.id for row in thread_pick.found(session, actor, wanted, cursor, 8, walk=walk)]


def test_however_far_walking_goes_the_page_is_the_same(db: str) -> None:
    """0 conversations: everything by sets; 1,000: all by walking; 12: some pages fill, others don't."""
    aino = a_user()
    box = some_mail(aino)
    some = 0
    for wanted in EVERY:
        for each in (
            wanted,
            replace(wanted, mailbox_id=box),
        ):
            walked = ids(aino, each, 1000)
            some += bool(walked)
            assert ids(aino, each, 0) == walked, each
            assert ids(aino, each, 12) == walked, each
    assert some > len(EVERY), "hardly anything was found"


@pytest.mark.parametrize(
    "question", ["pump", "pumps", "pum", "offer 4", "mika2", "saimaa.test", "offer!", "見積", "見"]
)
def test_words_are_found_alike_with_the_index_and_without(db: str, question: str) -> None:
    """The last word of a question may go on, unless a sign ends it; words stand together within one field."""
    aino = a_user()
    some_mail(aino)
    box = a_mailbox(aino)
    a_message(box, subject="御見積書の件", text="Offer")
    a_message(box, subject="Re: offer", text="4 pumps")
    with reading() as session:
        by_index = [row[0] for row in rows(session, pick(Message.id).where(index.found_by(session, question)))]
        one_by_one = [row[0] for row in rows(session, pick(Message.id).where(index.has_words(session, question)))]
        everything = [row[0] for row in rows(session, pick(col(Message.id)))]
    assert sorted(by_index) == sorted(one_by_one)
    assert 0 < len(by_index) < len(everything)
