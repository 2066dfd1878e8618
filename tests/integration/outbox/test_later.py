"""Send later, undo window, aliases, revisions and plain text: what the composer builds on (B10, B13, M26)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Link, MailboxAlias, Outbox, User, utcnow
from mailcrm.services.crm import leads
from mailcrm.services.db import engine, reading, transaction
from mailcrm.services.mail.outbox import draft, later, queue, schedule
from mailcrm.services.mail.outbox.views import DraftInput, DraftNewer
from mailcrm.services.mail.parse.message import parse_message
from tests.builders import a_mailbox, a_person, a_user
from tests.integration.outbox.conftest import Desk


def in_days(days: int, zone: str = "Europe/Helsinki") -> str:
    return f"{(datetime.now(ZoneInfo(zone)) + timedelta(days=days)).date()}T09:00"


def test_later_by_the_wall_clock(desk: Desk) -> None:
    """B10: nothing leaves before; the view says how it was said and when that is."""
    made = desk.draft()
    local = in_days(3)
    view = queue.send(desk.actor, made.id, send_local=local, send_zone="Europe/Helsinki", remind_days=4)
    assert (view.state, view.send_local, view.send_zone, view.remind_days) == ("queued", local, "Europe/Helsinki", 4)
    assert view.send_at == schedule.moment_of(local, "Europe/Helsinki")
    assert desk.row(made.id).dated_at == view.send_at
    assert desk.work() == 0
    back = queue.undo(desk.actor, made.id)
    assert (back.state, back.send_at, back.send_local) == ("draft", None, "")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"send_local": "2020-01-01T09:00", "send_zone": "UTC"}, "outbox.in_past"),
        ({"send_at": datetime(2020, 1, 1, tzinfo=UTC)}, "outbox.in_past"),
        ({"send_local": "2020-01-01T09:00", "send_zone": "Nowhere"}, "outbox.bad_zone"),
        ({"send_local": "soon", "send_zone": "UTC"}, "outbox.bad_time"),
        ({"send_at": datetime(2999, 1, 1, tzinfo=UTC)}, "outbox.too_far"),
        ({"remind_days": 0}, "input.invalid"),
        ({"remind_days": 9999}, "input.invalid"),
    ],
)
def test_what_is_refused_leaves_the_draft(desk: Desk, given: dict[str, object], code: str) -> None:
    made = desk.draft()
    with pytest.raises(UserError) as caught:
        queue.send(desk.actor, made.id, **given)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert desk.look(made.id).state == "draft"


def test_zone_rules_that_change_move_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A government keeps summer time after all: nine o'clock stays nine o'clock, forward and back."""
    made = desk.draft()
    queue.send(desk.actor, made.id, send_local=in_days(3), send_zone="Europe/Helsinki")
    at = desk.row(made.id).send_at
    assert at is not None
    zone = ZoneInfo("Asia/Tokyo")  # seven hours earlier on the same morning
    monkeypatch.setattr(schedule, "rules_of", lambda _name: zone)
    assert later.read_again() == 1
    assert desk.row(made.id).send_at == desk.row(made.id).dated_at == schedule.moment_of(in_days(3), "x")
    assert later.read_again() == 0
    with transaction() as session:  # it looks due by the old rules, and is not by the new ones
        row = session.get_one(Outbox, made.id)
        row.send_at = row.next_try_at = utcnow() - timedelta(minutes=1)
        session.add(row)
    assert desk.work() == 0
    assert desk.look(made.id).state == "queued"
    assert desk.sink.messages == []


def test_another_time_and_now(desk: Desk) -> None:
    made = desk.draft()
    queue.send(desk.actor, made.id, send_local=in_days(3), send_zone="UTC")
    assert queue.reschedule(desk.actor, made.id, send_local=in_days(5), send_zone="UTC").send_local == in_days(5)
    view = queue.reschedule(desk.actor, made.id)
    assert (view.send_local, view.send_zone) == ("", "")
    assert desk.work() == 1
    assert desk.look(made.id).state == "sent"
    with pytest.raises(UserError) as caught:
        queue.reschedule(desk.actor, made.id)
    assert caught.value.code == "outbox.too_late"
    with pytest.raises(NotFound):
        queue.reschedule(a_user("Other"), made.id)


@pytest.mark.parametrize("seconds", [0, 10, 30])
def test_the_undo_window_is_the_users(desk: Desk, seconds: int) -> None:
    with transaction() as session:
        session.get_one(User, desk.actor.user_id).undo_seconds = seconds
    before = utcnow()
    view = queue.send(desk.actor, desk.draft().id)
    assert view.send_at is not None
    assert timedelta(0) <= view.send_at - before - timedelta(seconds=seconds) < timedelta(seconds=5)


def test_an_alias_is_who_it_is_from(desk: Desk) -> None:
    """From and MAIL FROM agree, so that SPF and DMARC of the alias's domain hold; the Message-ID is of its domain."""
    with transaction() as session:
        session.add(MailboxAlias(mailbox_id=desk.mailbox_id, address="Sales@alias.test"))
    made = desk.draft(from_address="sales@ALIAS.test")
    assert made.from_address == "Sales@alias.test"
    desk.send(made)
    (got,) = desk.sink.messages
    assert got.mail_from == "Sales@alias.test"
    parsed = parse_message(got.raw)
    assert parsed.from_[0].address == "Sales@alias.test"
    assert (parsed.rfc_message_id or "").endswith("@alias.test")


def test_a_strange_address_is_no_alias(desk: Desk) -> None:
    """Another mailbox's alias is as strange as any."""
    other = a_mailbox(desk.actor)
    with transaction() as session:
        session.add(MailboxAlias(mailbox_id=other, address="sales@alias.test"))
    made = desk.draft()
    for address in ("sales@alias.test", "ceo@bank.test", "a@b.test\r\nBcc: x@y.test"):
        with pytest.raises(UserError) as caught:
            desk.save(made, from_address=address)
        assert caught.value.code == "outbox.not_alias"
    assert desk.save(made, from_address=desk.address.upper()).from_address == desk.address


def test_an_alias_that_went_while_it_waited(desk: Desk) -> None:
    """The mail does not leave under another name: it comes back with the reason."""
    with transaction() as session:
        session.add(alias := MailboxAlias(mailbox_id=desk.mailbox_id, address="sales@alias.test"))
    made = desk.draft(from_address="sales@alias.test")
    queue.send(desk.actor, made.id, delay_s=0)
    with transaction() as session:
        session.delete(session.get_one(MailboxAlias, alias.id))
    desk.work()
    view = desk.look(made.id)
    assert (view.state, view.error_code) == ("failed", "outbox.not_alias")
    assert desk.sink.messages == []


def test_an_older_tab_does_not_save_over_a_newer(desk: Desk) -> None:
    made = desk.draft()
    entered = DraftInput(desk.mailbox_id, to="mika@saimaa.test", subject="One", revision=made.revision)
    one = draft.save(desk.actor, made.id, entered)
    assert one.revision == made.revision + 1
    with pytest.raises(DraftNewer) as caught:
        draft.save(desk.actor, made.id, DraftInput(desk.mailbox_id, subject="Two", revision=made.revision))
    assert (caught.value.code, caught.value.newer.subject) == ("draft.newer", "One")
    assert desk.look(made.id) == one
    assert draft.save(desk.actor, made.id, DraftInput(desk.mailbox_id, subject="Three")).subject == "Three"


def test_a_lead_is_linked(desk: Desk) -> None:
    lead = leads.create_lead(desk.actor, title="Spare parts", person_id=a_person(desk.actor).card.id)
    view = desk.send(lead_id=lead.id)
    with reading() as session:
        link = session.exec(select(Link).where(Link.lead_id == lead.id)).one()
        assert (link.thread_id, link.origin) == (view.thread_id, "composer")
    with pytest.raises(NotFound):
        desk.draft(lead_id=999)


def test_plain_text_goes_out_as_it_was_written(desk: Desk) -> None:
    """T02: no HTML part, no pixel, whatever the switches say; format=flowed."""
    desk.send(plain=True, track_opens=True, track_clicks=True, html="<p>Hello</p><p>" + "word " * 80 + "</p>")
    (got,) = desk.received()
    assert got.get_content_type() == "text/plain"
    assert got.get_param("format") == "flowed"
    body = got.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.count(b"word") == 80
    assert all(len(line) <= 74 for line in body.splitlines())


def test_what_must_not_be_lost_is_flushed(sqlite_db: object) -> None:
    """A power cut: queueing and the hand-over mark are on the disk before anything follows from them."""
    aino = a_user()
    mailbox = a_mailbox(aino)
    seen: list[tuple[str, int]] = []
    from sqlalchemy import event

    @event.listens_for(engine(), "commit")
    def note(connection: object) -> None:
        raw = connection.connection.driver_connection  # type: ignore[attr-defined]
        seen.append(("commit", raw.execute("PRAGMA synchronous").fetchone()[0]))

    normal, full = 1, 2
    made = draft.new_draft(aino, mailbox_id=mailbox, to="mika@saimaa.test")
    draft.save(aino, made.id, DraftInput(mailbox, to="mika@saimaa.test", subject="s"))
    assert {level for _, level in seen} == {normal}
    seen.clear()
    queue.send(aino, made.id, delay_s=0)
    assert seen[-1] == ("commit", full)
    from mailcrm.services.mail.outbox import lease

    assert lease.take(made.id, "me")
    seen.clear()
    lease.mark_handed_over(made.id, "me")
    assert seen == [("commit", full)]
    seen.clear()
    draft.new_draft(aino, mailbox_id=mailbox)
    assert {level for _, level in seen} == {normal}
