"""The card of one message: events with class and reason, by recipient, and what can't be known (T05, T06, B03, B04)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailcrm.errors import NotFound
from mailcrm.models import Participant, TrackedLink, TrackedMessage, TrackingEvent, utcnow
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import message_views, threads
from mailcrm.services.tracking import followed, report
from tests.builders import a_deal, a_mailbox, a_message, a_user

pytestmark = pytest.mark.usefixtures("db")


def test_copies_are_told_apart_and_a_secret_recipient_only_to_the_sender() -> None:
    """B04: Mika opened, Nele clicked; Nele stands in Bcc (in ASCII), which a colleague never learns."""
    sender, colleague = a_user("Aino"), a_user("Boris")
    box = a_mailbox(sender, "aino@crm.test")
    message = a_message(box, sender="aino@crm.test", to="Mika <mika@x.test>", visibility="shared", text="x")
    sent = utcnow() - timedelta(hours=2)
    with transaction() as session:
        session.add(
            Participant(message_id=message.id or 0, role="bcc", position=0, name="", address="nele@xn--kse-qla.test")
        )
        for address, action in (("mika@x.test", "open"), ("nele@käse.test", "click")):
            row = TrackedMessage(
                user_id=sender.user_id, message_id=message.id, nonce=address, opens_on=True, clicks_on=True,
                recipient=address, sent_at=sent, opens=1, clicks=int(action == "click"),
                first_opened_at=sent + timedelta(minutes=5), last_opened_at=sent + timedelta(minutes=5),
            )  # fmt: skip
            session.add(row)
            session.flush()
            made = TrackedLink(tracked_id=row.id or 0, position=1, url="https://x.test/a", text="The plan")
            session.add(made)
            session.flush()
            for kind, code in (("person", "agent_of_person"), ("scanner", "agent")):
                session.add(
                    TrackingEvent(
                        tracked_id=row.id or 0, action=action, kind=kind, at=sent + timedelta(minutes=5),
                        link_id=made.id if action == "click" else None, reasons={"codes": [code]},
                        rules_version=2, user_agent="Mozilla/5.0 Firefox/130.0",
                    )
                )  # fmt: skip
    assert followed.followed(sender, message.id or 0) == {"https://x.test/a": 1}  # the scanner's does not count
    assert followed.followed(a_user("Cleo"), message.id or 0) == {}
    mine = report.marks(sender, message.id or 0)
    assert [(each.address, each.opens, each.clicks) for each in mine.by_recipient] == [
        ("mika@x.test", 1, 0), ("nele@käse.test", 1, 1),
    ]  # fmt: skip
    assert mine.by_recipient[0].name == "Mika"
    assert (mine.opens_counted, mine.clicks_counted, mine.opens_all, mine.clicks_all) == (2, 1, 2, 2)
    assert (mine.opens_person, mine.clicks_person) == (1, 1)
    click = next(each for each in mine.clicks if each.counted)
    assert (click.text, click.url, click.recipient, click.agent, click.reasons, click.rules_version) == (
        "The plan", "https://x.test/a", "nele@käse.test", "Firefox", ("agent_of_person",), 2,
    )  # fmt: skip
    assert "several_recipients" not in mine.limits
    with reading() as session:
        marks = message_views.tracking_of(session, [message.id or 0])[message.id or 0]
    row = threads.list_threads(sender, folder="sent").rows[0]
    assert row.tracking is not None
    for view in (marks, row.tracking):
        assert (view.opens, view.clicks) == (2, 1)
    with pytest.raises(NotFound):
        report.marks(colleague, message.id or 0)
    link.link_thread(sender, message.thread_id, deal_id=a_deal(sender).card.id)
    theirs = report.marks(colleague, message.id or 0)
    assert (theirs.opens_counted, theirs.clicks_counted) == (2, 1)
    assert [each.address for each in theirs.by_recipient] == ["mika@x.test"]
    assert "nele" not in repr(theirs)


@pytest.mark.parametrize(
    ("columns", "limits"),
    [
        ({"recipients": 3}, {"several_recipients", "images_blocked", "forwarded"}),
        ({"clicks": 1, "opens": 1}, {"inferred", "images_blocked", "forwarded"}),
        ({"opens": 1, "replied_at": utcnow()}, {"inferred_reply", "images_blocked", "forwarded"}),
        ({"opens_on": False}, {"opens_off", "forwarded"}),
    ],
)
def test_what_cannot_be_known_is_said(columns: dict[str, object], limits: set[str]) -> None:
    """T06, B05."""
    sender = a_user("Aino")
    message = a_message(a_mailbox(sender, "aino@crm.test"), sender="aino@crm.test", to="mika@x.test")
    given = {"opens_on": True, "clicks_on": True, "sent_at": utcnow()} | columns
    with transaction() as session:
        session.add(TrackedMessage(user_id=sender.user_id, message_id=message.id, nonce="n", **given))  # type: ignore[arg-type]
    assert set(report.marks(sender, message.id or 0).limits) == limits
