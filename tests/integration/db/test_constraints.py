"""Wrong states are impossible in the database itself, whatever the code does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import Session, SQLModel

from mailcrm.models import (
    Blob,
    Deal,
    Lead,
    Link,
    Mailbox,
    Message,
    Outbox,
    Pipeline,
    Stage,
    Thread,
    User,
    utcnow,
)
from mailcrm.services.db import transaction


def user(email: str) -> User:
    return User(email=email, name="A", password_hash="x")


def mailbox(owner: Any) -> Mailbox:
    return Mailbox(
        user_id=owner.id,
        address=owner.email,
        imap_host="h",
        imap_port=993,
        imap_security="ssl",
        imap_username="u",
        smtp_host="h",
        smtp_port=465,
        smtp_security="ssl",
        smtp_username="u",
        secret=b"x",
    )


def saved(session: Session, row: SQLModel) -> Any:
    session.add(row)
    session.flush()
    return row


def refused(*rows: SQLModel) -> None:
    with pytest.raises(IntegrityError), transaction() as session:
        for row in rows:
            saved(session, row)


def message(box: Any, owner: Any, thread: Any, **changes: Any) -> Message:
    values: dict[str, Any] = {
        "direction": "in",
        "visibility": "private",
        "sort_at": utcnow(),
        "size": 1,
        "blob_sha": "0" * 64,
    }
    return Message(mailbox_id=box.id, user_id=owner.id, thread_id=thread.id, **(values | changes))


def test_a_message_belongs_to_the_owner_of_its_mailbox(db: str) -> None:
    """security.md 30: no row under the wrong owner, asserted by a foreign key."""
    with transaction() as session:
        ann, bob = saved(session, user("a@x.example")), saved(session, user("b@x.example"))
        box = saved(session, mailbox(ann))
        saved(session, Blob(sha256="0" * 64, size=1))
        anns, bobs = (saved(session, Thread(user_id=who.id, last_at=utcnow())) for who in (ann, bob))
    refused(message(box, bob, bobs))
    refused(message(box, ann, bobs))
    with transaction() as session:
        saved(session, message(box, ann, anns))
    refused(message(box, ann, anns))  # the same bytes twice in one mailbox


def test_a_deal_is_closed_exactly_when_it_is_won_or_lost(db: str) -> None:
    with transaction() as session:
        one, two = saved(session, Pipeline(name="1")), saved(session, Pipeline(name="2"))
        stage = saved(session, Stage(pipeline_id=one.id, name="s", position=0))
    refused(Deal(title="d", pipeline_id=one.id, stage_id=stage.id, status="won"))
    refused(Deal(title="d", pipeline_id=one.id, stage_id=stage.id, closed_at=utcnow()))
    refused(Deal(title="d", pipeline_id=two.id, stage_id=stage.id))
    refused(Deal(title="d", pipeline_id=one.id, stage_id=stage.id, currency="EU"))
    refused(Lead(title="l", status="converted"))


def test_a_link_has_one_source_and_one_target(db: str) -> None:
    with transaction() as session:
        ann = saved(session, user("a@x.example"))
        thread = saved(session, Thread(user_id=ann.id, last_at=utcnow()))
        pipeline = saved(session, Pipeline(name="1"))
        stage = saved(session, Stage(pipeline_id=pipeline.id, name="s", position=0))
        deal = saved(session, Deal(title="d", pipeline_id=pipeline.id, stage_id=stage.id))
        lead = saved(session, Lead(title="l"))
        saved(session, Link(thread_id=thread.id, deal_id=deal.id, origin="manual"))
    refused(Link(thread_id=thread.id, origin="manual"))
    refused(Link(deal_id=deal.id, origin="manual"))
    refused(Link(thread_id=thread.id, deal_id=deal.id, lead_id=lead.id, origin="manual"))
    refused(Link(thread_id=thread.id, deal_id=deal.id, origin="rule"))  # linked already
    refused(Link(thread_id=thread.id, lead_id=lead.id, origin="magic"))


def test_queued_mail_has_its_message_id(db: str) -> None:
    with transaction() as session:
        ann = saved(session, user("a@x.example"))
        box = saved(session, mailbox(ann))
    refused(Outbox(user_id=ann.id, mailbox_id=box.id, state="queued"))


def test_times_are_aware_and_come_back_as_utc(db: str) -> None:
    with transaction() as session:
        ann = saved(session, user("a@x.example"))
    with transaction() as session:
        found = session.get(User, ann.id)
        assert found is not None
        assert found.created_at.utcoffset() is not None
        assert abs((found.created_at - ann.created_at).total_seconds()) < 1
    with pytest.raises((StatementError, ValueError)), transaction() as session:
        saved(session, Thread(user_id=ann.id, last_at=datetime(2026, 1, 1)))
