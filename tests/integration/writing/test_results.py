"""What became of emails sent with a template: one's own only, and only what is known (T02, M25)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailcrm.models import Outbox, TrackedMessage, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.db import transaction
from mailcrm.services.writing import results, templates
from mailcrm.services.writing.views import TemplateResults
from tests.builders import a_mailbox, a_message, a_user

pytestmark = pytest.mark.usefixtures("db")


def sent(
    actor: Actor,
    box: int,
    template_id: int,
    *,
    opens: int | None = None,
    clicks: int = 0,
    answered: bool = False,
    days: int = 1,
) -> None:
    """An email that left with a template; `opens` None is untracked."""
    at = utcnow() - timedelta(days=days)
    message = a_message(box, sender="x@crm.test", at=at, direction="out")
    with transaction() as session:
        row = Outbox(
            user_id=actor.user_id, mailbox_id=box, state="sent", template_id=template_id, sent_at=at,
            rfc_message_id=f"{message.id}@crm.test", message_id=message.id,
        )  # fmt: skip
        session.add(row)
        session.flush()
        if opens is not None:
            session.add(
                TrackedMessage(
                    user_id=actor.user_id, outbox_id=row.id, nonce=f"n{row.id}", opens_on=True, clicks_on=True,
                    opens=opens, clicks=clicks,
                )
            )  # fmt: skip
    if answered:
        a_message(box, thread_id=message.thread_id, at=at + timedelta(hours=1))


def test_emails_are_counted_once_each_and_only_ones_own() -> None:
    aino, bo = a_user(), a_user("Bo")
    box, theirs = a_mailbox(aino), a_mailbox(bo)
    first = templates.create(aino, name="First", shared=True).line.id
    second = templates.create(aino, name="Second").line.id
    sent(aino, box, first, opens=5, clicks=2, answered=True)
    sent(aino, box, first, opens=0)
    sent(aino, box, first)
    sent(aino, box, first, opens=3, days=91)
    sent(aino, box, second, answered=True)
    sent(bo, theirs, first, opens=1)
    assert results.results(aino) == {
        first: TemplateResults(first, sent=3, tracked=2, opened=1, clicked=1, replied=1),
        second: TemplateResults(second, sent=1, tracked=0, opened=0, clicked=0, replied=1),
    }
    assert results.results(bo)[first].sent == 1
    with transaction() as session:  # a draft, and one that failed, were never sent
        session.add(Outbox(user_id=bo.user_id, mailbox_id=theirs, template_id=second))
    assert second not in results.results(bo)
