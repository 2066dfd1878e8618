"""A person's tracking data: all of it erased, what one may see exported, links alive (T09, T10, security.md 31)."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from email import message_from_bytes

import pytest
from sqlmodel import col, func, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import AuditEntry, Notification, TrackedMessage, TrackingEvent, WebhookDelivery, Workspace, utcnow
from mailcrm.services import telling
from mailcrm.services.access import Actor
from mailcrm.services.crm import people
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.outbox import draft, queue
from mailcrm.services.tracking import personal, policy, raw, record, report, retention, tokens
from mailcrm.services.webhooks import webhooks
from tests.builders import a_person, a_user
from tests.integration.outbox.conftest import Desk, desk, html_of  # noqa: F401  the fixture

MIKA, BO = "mika@saimaa.test", "bo@x.test"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def send(desk: Desk, to: str, *, copies: bool = False, bcc: str = "") -> int:  # noqa: F811
    """Send a tracked email; let each copy be opened once and its link be clicked once. Its message id."""
    desk.sink.messages.clear()
    mailboxes.change(desk.actor, desk.mailbox_id, track_opens=True, track_clicks=True, track_copies=copies)
    made = desk.draft(
        to=to,
        bcc=bcc,
        html='<p><a href="https://x.test/a">a</a></p>',
        track_opens=True,
        track_clicks=True,
        track_copies=copies,
    )
    queue.send(desk.actor, made.id, delay_s=0)
    desk.work()
    for each in desk.sink.messages:
        page = html_of(message_from_bytes(each.raw))
        for token in re.findall(r"/t/o/([A-Za-z0-9_-]+)\.gif", page):
            record.open_pixel(token, record.Fetch(user_agent=BROWSER, address="192.0.2.1"))
        for token in re.findall(r"/t/c/([A-Za-z0-9_-]+)", page):
            assert record.click(token, record.Fetch(user_agent=BROWSER, address="192.0.2.1")) == "https://x.test/a"
    record.flush()
    return draft.get(desk.actor, made.id).message_id or 0


def count() -> int:
    with reading() as session:
        return session.exec(select(func.count()).select_from(TrackingEvent)).one()


def tokens_of(desk: Desk) -> list[str]:  # noqa: F811
    return [
        t
        for each in desk.sink.messages
        for t in re.findall(r"/t/c/([A-Za-z0-9_-]+)", html_of(message_from_bytes(each.raw)))
    ]


def test_export_has_all_and_erase_leaves_none(desk: Desk) -> None:  # noqa: F811
    mika = a_person(desk.actor, "Mika", MIKA).card.id
    people.set_consent(desk.actor, mika, "granted", "phone", "Ticket 12")
    webhooks.create_webhook(desk.actor, "https://hook.test/", ("message.opened", "message.clicked"))
    alone, both = send(desk, f"Mika <{MIKA.upper()}>"), send(desk, f"{MIKA}, {BO}")
    found = personal.export(desk.actor, mika)
    assert json.loads(json.dumps(found)) == found
    assert found["consent"]["history"][0]["proof"] == "Ticket 12"
    by_id = {each["message_id"]: each for each in found["emails"]}
    assert set(by_id) == {alone, both}
    assert [each["certainly_this_person"] for each in found["emails"]] == [True, False]
    assert sum(len(each["events"]) for each in found["emails"]) == count() == 4
    assert {each["link"] for email in found["emails"] for each in email["events"]} == {"", "https://x.test/a"}
    assert "192.0.2.1" not in json.dumps(found)
    links = tokens_of(desk)
    assert personal.erase(desk.actor, mika) == 4
    assert count() == 0
    with reading() as session:
        for each in session.exec(select(TrackedMessage)):
            assert (each.opens, each.clicks, each.first_opened_at, each.last_opened_at, each.last_clicked_at) == (
                0,
                0,
                None,
                None,
                None,
            )
        assert session.exec(select(Notification).where(col(Notification.kind).in_(("open", "click")))).all() == []
        assert session.exec(select(WebhookDelivery)).all() == []
        entry = session.exec(select(AuditEntry).where(AuditEntry.verb == "erase_tracking")).one()
        assert (entry.actor_id, entry.object_id) == (desk.actor.user_id, mika)
    for token in links:  # T10
        assert record.click(token, record.Fetch(user_agent=BROWSER)) == "https://x.test/a"
    assert people.get_person(desk.actor, mika).consent == "granted"


def test_what_was_purged_and_summed_up_is_erased_too(desk: Desk) -> None:  # noqa: F811
    """Threat 31: neither counts that outlived their events nor a digest's; and what comes later is recorded."""
    mika = a_person(desk.actor, "Mika", MIKA).card.id
    mailboxes.change(desk.actor, desk.mailbox_id, track_notify=True)
    telling.change_choices(desk.actor, kinds={"open": "digest", "click": "digest"})
    message, other = send(desk, MIKA), send(desk, BO)
    with transaction() as session:
        workspace = session.get(Workspace, 1) or Workspace(name="w")
        workspace.tracking_days = 30
        session.add(workspace)
        for event in session.exec(select(TrackingEvent)):
            event.at = utcnow() - timedelta(days=40)
    retention.tidy()
    send(desk, MIKA)
    personal.erase(desk.actor, mika)
    with reading() as session:
        digest = session.exec(select(Notification).where(Notification.kind == "digest")).one()
        assert (set(digest.params["by"]), digest.count) == ({str(other)}, 1)
        row = session.exec(select(TrackedMessage).where(TrackedMessage.message_id == message)).one()
        nonce = row.nonce
        assert (row.opens, row.clicks, row.purged_opens, row.purged_clicks) == (0, 0, 0, 0)
    record.click(tokens.make("click", nonce, 1), record.Fetch(user_agent=BROWSER), utcnow() + timedelta(hours=1))
    record.flush()
    assert (report.marks(desk.actor, message).opens_counted, report.marks(desk.actor, message).clicks_counted) == (1, 1)


def test_of_copies_only_their_own_goes(desk: Desk) -> None:  # noqa: F811
    """B04: Bo's copy is Bo's."""
    mika = a_person(desk.actor, "Mika", MIKA).card.id
    message = send(desk, f"{MIKA}, {BO}", copies=True)
    (email,) = personal.export(desk.actor, mika)["emails"]
    assert (email["certainly_this_person"], email["recipients"], len(email["events"])) == (True, 1, 2)
    assert personal.erase(desk.actor, mika) == 2
    assert {each.recipient for each in raw.events(desk.actor, message).rows} == {BO}


def test_private_mail_of_colleagues_is_erased_and_not_exported(desk: Desk) -> None:  # noqa: F811
    """M25 and threat 31 at once: a colleague erases all of a person they may see, and learns nothing of it."""
    mika = a_person(desk.actor, "Mika", MIKA).card.id
    send(desk, MIKA)
    root = a_user("Root", admin=True)
    assert personal.export(root, mika)["emails"] == []
    assert personal.erase(root, mika) == 0
    assert count() == 0


def test_only_of_persons_one_may_see(desk: Desk) -> None:  # noqa: F811
    mika = a_person(desk.actor, "Mika", MIKA).card.id
    send(desk, MIKA)
    stranger = Actor(a_user("Bo").user_id)  # reaches its own rows only
    for verb in (personal.export, personal.erase):
        with pytest.raises(NotFound):
            verb(stranger, mika)
    assert count() == 2


def test_raw_events_page_by_page_and_no_blind_recipient_for_colleagues(desk: Desk) -> None:  # noqa: F811
    """B03, threat 17."""
    from mailcrm.services.crm.linking import link
    from mailcrm.services.mail import threads
    from tests.builders import a_deal

    message = send(desk, f"{MIKA}, eva@x.test", copies=True, bcc=BO)
    first = raw.events(desk.actor, message, limit=4)
    rest = raw.events(desk.actor, message, first.next_cursor, limit=4)
    found = [*first.rows, *rest.rows]
    assert len({each.id for each in found}) == 6
    assert {each.recipient for each in found} == {MIKA, "eva@x.test", BO}
    assert all(each.reasons is not None and each.rules_version > 0 for each in found)
    other = a_user("Bo")
    with pytest.raises(NotFound):
        raw.events(other, message)
    threads.set_message_visibility(desk.actor, message, "shared")
    thread_id = threads_of(desk, message)
    link.link_thread(desk.actor, thread_id, deal_id=a_deal(other).card.id)
    assert {each.recipient for each in raw.events(other, message).rows} == {MIKA, "eva@x.test", ""}
    card = report.marks(other, message)
    assert BO not in repr(card)
    assert BO in repr(report.marks(desk.actor, message))


def threads_of(desk: Desk, message_id: int) -> int:  # noqa: F811
    from mailcrm.models import Message

    with reading() as session:
        return session.get_one(Message, message_id).thread_id


@pytest.mark.usefixtures("db")
def test_only_administrators_change_the_rules() -> None:
    """T09: audited; every value within its bounds."""
    with transaction() as session:
        session.add(Workspace(name="w"))
    member, admin = a_user("Aino"), a_user("Root", admin=True)
    with pytest.raises(UserError) as caught:
        policy.change(member, policy="only_granted")
    assert caught.value.code == "auth.admin_only"
    assert policy.get(member) == policy.PolicyView()
    assert policy.change(admin, policy="only_granted", footer=True, days=90, network_days=0) == policy.PolicyView(
        "only_granted", True, 90, 0
    )
    assert policy.change(admin, days=None).days is None
    assert policy.change(admin, footer=False) == policy.PolicyView("only_granted", False, None, 0)
    for wrong in ({"policy": "all"}, {"days": 0}, {"days": 99_999}, {"network_days": -1}, {"network_days": 9999}):
        with pytest.raises(UserError):
            policy.change(admin, **wrong)  # type: ignore[arg-type]
    with reading() as session:
        entries = session.exec(select(AuditEntry).where(AuditEntry.verb == "change_tracking_policy")).all()
        assert entries[0].detail == {"policy": "only_granted", "footer": True, "days": 90, "network_days": 0}
