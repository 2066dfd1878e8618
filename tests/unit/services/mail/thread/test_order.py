"""Messages of one second stand in the order in which they answer each other (M03)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mailcrm.models import Message
from mailcrm.services.mail.thread.order import in_order

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def a(row: int, name: str, answers: str | None = None, seconds: int = 0) -> Message:
    return Message(
        id=row, mailbox_id=1, user_id=1, thread_id=1, blob_sha="", size=0, direction="in", visibility="private",
        rfc_message_id=name, in_reply_to=answers, sort_at=NOON + timedelta(seconds=seconds),
    )  # fmt: skip


def ids(*messages: Message) -> list[int | None]:
    return [each.id for each in in_order(messages)]


def test_an_answer_of_the_same_second_stands_behind_its_question() -> None:
    """Fetched newest first, the answer has the smaller id."""
    assert ids(a(1, "third", "second"), a(2, "second", "first"), a(3, "first")) == [3, 2, 1]


def test_time_counts_before_anything_else() -> None:
    """An answer that is dated before its question stays where its date puts it."""
    assert ids(a(1, "answer", "question"), a(2, "question", seconds=1)) == [1, 2]


def test_rings_and_messages_that_answer_themselves_all_stay() -> None:
    assert sorted(each or 0 for each in ids(a(1, "x", "y"), a(2, "y", "x"), a(3, "z", "z"))) == [1, 2, 3]
    assert ids(a(1, "same"), a(2, "same", "same")) == [1, 2]
