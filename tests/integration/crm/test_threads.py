"""The lists of the Mail tab and one conversation: own mail only, keyset pages, a constant number of statements."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Message, Outbox, TrackedMessage, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import link
from mailcrm.services.db import transaction
from mailcrm.services.mail import threads
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user
from tests.integration.crm.counting import counting

pytestmark = pytest.mark.usefixtures("db")


def subjects(page: threads.ThreadPage) -> list[str]:
    return [row.subject for row in page.rows]


def test_a_row_says_who_what_and_when() -> None:
    aino = a_user()
    box = a_mailbox(aino, "aino@crm.test")
    person = a_person(aino, "Mika Aaltonen", "mika@saimaa.test")
    deal = a_deal(aino, person=person)
    first = a_message(box, attachment="certificate.pdf")
    reply = a_message(box, sender="aino@crm.test", to="mika@saimaa.test", thread_id=first.thread_id, tracked=True)
    link.apply_rules()

    (row,) = threads.list_threads(aino).rows

    assert (row.id, row.subject, row.names) == (first.thread_id, "Calibration certificates", "Mika Aaltonen")
    assert row.addresses == ("mika@saimaa.test",)
    assert (row.message_count, row.unread, row.has_attachments) == (2, True, True)
    assert (row.direction_last, row.last_at, row.visibility, row.own) == ("out", reply.sort_at, "private", True)
    assert (row.person_id, row.deal_id, row.deal_title) == (person.card.id, deal.card.id, "Saimaa phase 2")
    assert row.last_outbound_message_id == reply.id
    assert row.tracking is not None
    assert (row.tracking.on_opens, row.tracking.opens) == (True, 0)


def test_sent_shows_recipients() -> None:
    aino = a_user()
    box = a_mailbox(aino, "aino@crm.test")
    a_message(box, sender="aino@crm.test", to="Mika <mika@saimaa.test>, Noor <noor@delta.test>")
    assert [row.names for row in threads.list_threads(aino, folder="sent").rows] == ["Mika, Noor"]


def test_folders_hold_what_belongs_there() -> None:
    aino = a_user()
    box = a_mailbox(aino, "aino@crm.test")
    came = a_message(box, subject="came")
    a_message(box, subject="went", sender="aino@crm.test", to="mika@saimaa.test")
    a_message(box, subject="filed", folder="archive")
    a_message(box, subject="gone from the server", folder=None)
    assert subjects(threads.list_threads(aino)) == ["came"]
    assert subjects(threads.list_threads(aino, folder="sent")) == ["went"]
    assert subjects(threads.list_threads(aino, folder="archive")) == ["filed"]
    assert subjects(threads.list_threads(aino, folder="all")) == ["gone from the server", "filed", "went", "came"]

    threads.archive(aino, came.thread_id)
    assert subjects(threads.list_threads(aino)) == []
    assert subjects(threads.list_threads(aino, folder="archive")) == ["filed", "came"]
    threads.archive(aino, came.thread_id, archived=False)
    threads.archive(aino, came.thread_id)
    a_message(box, thread_id=came.thread_id)
    assert subjects(threads.list_threads(aino)) == ["came"], "a later message brings the conversation back"


def test_unread_counts_conversations_of_the_folder() -> None:
    aino = a_user()
    box = a_mailbox(aino)
    first = a_message(box, subject="one")
    a_message(box, thread_id=first.thread_id)
    a_message(box, subject="two", read=True)
    page = threads.list_threads(aino)
    assert (page.total_unread, threads.counts(aino).inbox_unread) == (1, 1)
    assert subjects(threads.list_threads(aino, unread=True)) == ["one"]

    threads.mark_read(aino, first.thread_id, True)
    assert threads.counts(aino).inbox_unread == 0
    threads.mark_read(aino, first.thread_id, False)
    view = threads.open_thread(aino, first.thread_id)
    assert [message.read for message in view.messages] == [True, False], "only the newest becomes unread again"


def test_filters_combine() -> None:
    aino = a_user()
    box = a_mailbox(aino, "aino@crm.test")
    person = a_person(aino, "Mika", "mika@saimaa.test")
    deal = a_deal(aino, person=person)
    with_mika = a_message(box, subject="with Mika", attachment="a.pdf")
    other = a_message(box, subject="other", sender="noor@delta.test")
    sent = a_message(box, sender="aino@crm.test", to="noor@delta.test", thread_id=other.thread_id, tracked=True)
    link.apply_rules()

    def found(**filters: object) -> list[str]:
        return subjects(threads.list_threads(aino, folder="all", **filters))  # type: ignore[arg-type]

    assert found(person_id=person.card.id) == found(deal_id=deal.card.id) == found(open_deal=True) == ["with Mika"]
    assert found(has_attachment=True) == ["with Mika"]
    assert found(tracked=True) == found(not_opened=True) == ["other"]
    assert found(opened=True) == found(clicked=True) == []
    with transaction() as session:
        row = session.get_one(TrackedMessage, 1)
        assert row.message_id == sent.id
        row.opens, row.last_opened_at = 1, utcnow()
    assert found(opened=True) == ["other"]
    assert found(opened=True, has_attachment=True) == found(not_opened=True) == []
    assert found(mailbox_id=box) == ["other", "with Mika"]
    assert found(mailbox_id=a_mailbox(aino)) == []
    link.unlink(aino, threads.open_thread(aino, with_mika.thread_id).links[0].id)
    assert found(person_id=person.card.id) == []


def test_search_takes_every_character_literally() -> None:
    aino = a_user()
    box = a_mailbox(aino)
    a_message(box, subject="100% sure_thing", sender="見積 <a@x.test>", text="お見積りの件")
    a_message(box, subject="1000 surething")
    assert subjects(threads.list_threads(aino, query="100%")) == ["100% sure_thing"]
    assert subjects(threads.list_threads(aino, query="SURE_thing")) == ["100% sure_thing"]
    assert subjects(threads.list_threads(aino, query="見積")) == ["100% sure_thing"]
    assert subjects(threads.list_threads(aino, query="sure mika")) == ["1000 surething"]
    assert subjects(threads.list_threads(aino, query="\\ \x00 '")) == []


def test_pages_follow_each_other_without_gap_or_repeat() -> None:
    """Equal moments included: the cursor names the moment and the id."""
    aino = a_user()
    box = a_mailbox(aino)
    moment = a_message(box, subject="0").sort_at
    for number in range(1, 7):
        a_message(box, subject=str(number), at=moment)
    seen: list[str] = []
    cursor = None
    while True:
        page = threads.list_threads(aino, cursor=cursor, limit=2)
        seen += subjects(page)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


def test_a_broken_cursor_is_refused() -> None:
    aino = a_user()
    for cursor in ("x", "W10", "!!", "WyIyMDI2IiwgMV0", "WyJhIiwgIjEiXQ", "é"):
        with pytest.raises(UserError):
            threads.list_threads(aino, cursor=cursor)


def test_a_page_costs_the_same_number_of_statements_whatever_it_holds() -> None:
    aino = a_user()
    box = a_mailbox(aino, "aino@crm.test")
    a_person(aino, "Mika", "mika@saimaa.test")

    def cost() -> int:
        with counting() as sent:
            threads.list_threads(aino, folder="all")
        return len(sent)

    for size in (1, 20):
        for _ in range(size):
            first = a_message(box)
            a_message(box, sender="aino@crm.test", to="mika@saimaa.test", thread_id=first.thread_id, tracked=True)
        link.apply_rules()
        if size == 1:
            alone = cost()
    assert cost() == alone
    assert alone <= 12

    with counting() as opening:
        threads.open_thread(aino, first.thread_id)
    for _ in range(10):
        a_message(box, thread_id=first.thread_id)
    with counting() as again:
        threads.open_thread(aino, first.thread_id)
    assert len(again) == len(opening)


def test_one_conversation_is_whole_and_in_order() -> None:
    aino = a_user("Aino")
    box = a_mailbox(aino, "aino@crm.test")
    person = a_person(aino, "Mika", "mika@saimaa.test")
    first = a_message(box, cc="Noor <noor@delta.test>", attachment="certificate.pdf")
    a_message(box, sender="aino@crm.test", to="mika@saimaa.test", thread_id=first.thread_id)
    view = threads.open_thread(aino, first.thread_id)
    assert [message.direction for message in view.messages] == ["in", "out"]
    came = view.messages[0]
    assert (came.sender.name, came.sender.person_id) == ("Mika Aaltonen", person.card.id)
    assert [one.label for one in came.cc] == ["Noor"]
    assert [file.filename for file in came.attachments] == ["certificate.pdf"]
    assert (came.own, came.owner_name, came.gone) == (True, "Aino", False)
    assert {one.address for one in view.participants} == {"mika@saimaa.test", "noor@delta.test", "aino@crm.test"}


def test_two_copies_in_two_own_mailboxes_are_one_message() -> None:
    """M13: one conversation, the message once, counted once."""
    aino = a_user()
    first = a_message(a_mailbox(aino), rfc_message_id="same@x")
    a_message(a_mailbox(aino), rfc_message_id="same@x", thread_id=first.thread_id)
    assert len(threads.open_thread(aino, first.thread_id).messages) == 1
    (row,) = threads.list_threads(aino).rows
    assert row.message_count == 1


def test_deleting_hides_and_restoring_brings_back() -> None:
    aino = a_user()
    first = a_message(a_mailbox(aino))
    threads.delete(aino, first.thread_id)
    assert threads.list_threads(aino, folder="all").rows == ()
    assert threads.counts(aino).inbox_unread == 0
    with pytest.raises(NotFound):
        threads.open_thread(aino, first.thread_id)
    threads.restore(aino, first.thread_id)
    assert [row.id for row in threads.list_threads(aino).rows] == [first.thread_id]


def test_counts_tell_where_action_waits() -> None:
    aino, noor = a_user("Aino"), a_user("Noor")
    box = a_mailbox(aino)
    with transaction() as session:
        for number, state in enumerate(("draft", "draft", "queued", "failed", "sent")):
            session.add(Outbox(user_id=aino.user_id, mailbox_id=box, state=state, rfc_message_id=f"{number}@x"))
    assert (threads.counts(aino).drafts, threads.counts(aino).outbox) == (2, 2)
    assert (threads.counts(noor).drafts, threads.counts(noor).outbox) == (0, 0)


def test_the_row_says_that_a_reply_failed() -> None:
    aino = a_user()
    box = a_mailbox(aino)
    came = a_message(box)
    with transaction() as session:
        session.add(
            Outbox(
                user_id=aino.user_id,
                mailbox_id=box,
                state="failed",
                rfc_message_id="r@x",
                reply_to_message_id=came.id,
                error_code="smtp.refused",
            )
        )
    assert threads.list_threads(aino).rows[0].failed == "smtp.refused"


def test_wrong_words_are_refused() -> None:
    aino = a_user()
    came = a_message(a_mailbox(aino))
    with pytest.raises(UserError):
        threads.list_threads(aino, folder="junk; DROP TABLE threads")
    with pytest.raises(UserError):
        threads.set_visibility(aino, came.thread_id, "public")


#: What somebody may try with another one's mail.
VERBS: tuple[Callable[[Actor, Message], object], ...] = (
    lambda actor, message: threads.open_thread(actor, message.thread_id),
    lambda actor, message: threads.thread_of_message(actor, message.id or 0),
    lambda actor, message: threads.mark_read(actor, message.thread_id, True),
    lambda actor, message: threads.archive(actor, message.thread_id),
    lambda actor, message: threads.delete(actor, message.thread_id),
    lambda actor, message: threads.restore(actor, message.thread_id),
    lambda actor, message: threads.set_visibility(actor, message.thread_id, "shared"),
    lambda actor, message: threads.set_message_visibility(actor, message.id or 0, "shared"),
    lambda actor, message: threads.list_threads(actor, mailbox_id=message.mailbox_id),
)


def test_hostile_ids_are_not_found() -> None:
    aino = a_user()
    assert a_message(a_mailbox(aino)).thread_id == 1, "there is a conversation that True and 1.0 could be taken for"
    for bad in (0, -1, 2**63, True, "1", None, 1.0):
        with pytest.raises(NotFound):
            threads.open_thread(aino, bad)  # type: ignore[arg-type]


def test_another_users_mail_is_not_found() -> None:
    """M25: for a colleague and for an administrator alike, and nothing changes."""
    aino = a_user("Aino")
    message = a_message(a_mailbox(aino))
    strangers = (a_user("Noor"), a_user("Root", admin=True))
    for verb, stranger in itertools.product(VERBS, strangers):
        with pytest.raises(NotFound):
            verb(stranger, message)
    for stranger in strangers:
        assert threads.list_threads(stranger, folder="all").rows == ()
    (untouched,) = threads.open_thread(aino, message.thread_id).messages
    assert (untouched.read, untouched.visibility, untouched.archived) == (False, "private", False)
