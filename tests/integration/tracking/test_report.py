"""The tracking report (B03, T05): rates filtered and raw, by template, person, hour and link; only mail one may see."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session, col, select, update

from mailcrm.errors import NotFound, UserError
from mailcrm.models import (
    Mailbox,
    Message,
    Outbox,
    TrackedLink,
    TrackedMessage,
    TrackingEvent,
    User,
    utcnow,
)
from mailcrm.services.access import actor_for
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.tracking import report_export, report_rates
from mailcrm.services.tracking.report_views import Figures, Scope
from mailcrm.services.writing import templates
from tests.builders import a_deal, a_mailbox, a_message, a_person, a_user

pytestmark = pytest.mark.usefixtures("db")


class Sender:
    """A user with a mailbox who sends tracked email."""

    def __init__(self, name: str = "Aino") -> None:
        self.actor = a_user(name)
        self.address = f"{name.lower()}{self.actor.user_id}@crm.test"
        self.box = a_mailbox(self.actor, self.address)

    def send(
        self,
        *,
        to: str = "Mika <mika@x.test>",
        subject: str = "Offer",
        ago: timedelta = timedelta(hours=30),
        opens: list[tuple[str, float]] | None = None,
        clicks: list[tuple[str, float]] | None = None,
        opens_on: bool = True,
        clicks_on: bool = True,
        copies: tuple[str, ...] = ("",),
        template_id: int | None = None,
        replied: bool = False,
        shared: bool = False,
    ) -> Message:
        """`opens`, `clicks`: (class, hours after sending)."""
        at = utcnow() - ago
        message = a_message(
            self.box, sender=self.address, to=to, subject=subject, at=at, visibility="shared" if shared else "private"
        )
        with transaction() as session:
            row = Outbox(
                user_id=self.actor.user_id, mailbox_id=self.box, state="sent", rfc_message_id=f"o{message.id}@x",
                message_id=message.id, sent_at=at, template_id=template_id,
            )  # fmt: skip
            session.add(row)
            session.flush()
            for copy in copies:
                tracked = TrackedMessage(
                    user_id=self.actor.user_id, message_id=message.id, outbox_id=row.id, nonce=f"n{message.id}{copy}",
                    opens_on=opens_on, clicks_on=clicks_on, sent_at=at, recipient=copy,
                    replied_at=at + timedelta(hours=5) if replied else None,
                )  # fmt: skip
                session.add(tracked)
                session.flush()
                self.record(session, tracked, at, opens or [], clicks or [])
                opens, clicks = None, None  # the first copy's
        return message

    def record(
        self,
        session: Session,
        tracked: TrackedMessage,
        at: datetime,
        opens: list[tuple[str, float]],
        clicks: list[tuple[str, float]],
    ) -> None:
        made = TrackedLink(tracked_id=tracked.id or 0, position=1, url="https://x.test/plan", text="The plan")
        session.add(made)
        session.flush()
        for action, events in (("open", opens), ("click", clicks)):
            for kind, hours in events:
                when = at + timedelta(hours=hours)
                session.add(
                    TrackingEvent(
                        tracked_id=tracked.id or 0, action=action, kind=kind, at=when,
                        link_id=made.id if action == "click" else None,
                    )
                )  # fmt: skip
                if kind not in ("person", "unknown"):
                    continue
                if action == "open":
                    tracked.opens += 1
                    tracked.first_opened_at = min(tracked.first_opened_at or when, when)
                    tracked.last_opened_at = max(tracked.last_opened_at or when, when)
                else:
                    tracked.clicks += 1
                    tracked.last_clicked_at = max(tracked.last_clicked_at or when, when)
        session.add(tracked)


def test_rates_are_filtered_and_raw() -> None:
    """B03: machines are in the raw figures only, own views in none."""
    sender = Sender()
    sender.send(opens=[("person", 1), ("unknown", 2), ("proxy", 0.1)], clicks=[("person", 3)], replied=True)
    sender.send(opens=[("proxy", 0)])
    sender.send(opens=[("own", 1)], clicks=[("scanner", 0)])
    sender.send(opens_on=False, clicks=[])
    sender.send(ago=timedelta(days=40), opens=[("person", 2)])
    found = report_rates.summary(sender.actor, Scope(days=28))
    assert found.now == Figures(
        tracked=4, opens_on=3, clicks_on=4, opened=1, clicked=1, replied=1, recorded_opens=2, recorded_clicks=2
    )
    assert found.before == Figures(tracked=1, opens_on=1, clicks_on=1, opened=1, recorded_opens=1)
    assert found.sent == 4
    assert found.first_open is not None
    assert abs(found.first_open - timedelta(hours=1)) < timedelta(seconds=1)
    assert found.first_open_before is not None
    assert abs(found.first_open_before - timedelta(hours=2)) < timedelta(seconds=1)
    assert sum((bucket.figures for bucket in found.course), Figures()) == found.now
    assert (len(found.course), found.course[-1].last) == (14, utcnow().date())


def test_copies_of_one_email_are_one_email() -> None:
    """B04: the email counts once, each person by their own copy."""
    sender = Sender()
    mika = a_person(sender.actor, "Mika", "mika@x.test")
    lena = a_person(sender.actor, "Lena", "lena@x.test")
    sender.send(
        to="Mika <mika@x.test>, Lena <lena@x.test>", copies=("mika@x.test", "lena@x.test"), opens=[("person", 1)]
    )
    found = report_rates.summary(sender.actor, Scope())
    assert (found.now.tracked, found.now.opened, found.sent) == (1, 1, 1)
    people = {line.id: line.figures for line in report_rates.details(sender.actor, Scope()).people}
    assert (people[mika.card.id].opened, people[lena.card.id].opened) == (1, 0)
    (row,) = report_export.export(sender.actor, Scope())
    assert (row.opens, row.recorded_opens, row.recipients) == (1, 1, "mika@x.test, lena@x.test")


def test_copies_on_both_sides_of_a_bound_are_one_email() -> None:
    """B04: it counts where its first copy left, beside email without copies, and with its template."""
    sender = Sender()
    mine = templates.create(sender.actor, name="Pilot pricing", subject="s", html="<p>x</p>")
    message = sender.send(copies=("mika@x.test", "lena@x.test"), ago=timedelta(days=9), template_id=mine.line.id)
    sender.send(ago=timedelta(days=9), opens=[("person", 1)])
    with transaction() as session:
        last = select(TrackedMessage).where(
            TrackedMessage.message_id == message.id, TrackedMessage.recipient == "lena@x.test"
        )
        copy = session.exec(last).one()
        copy.sent_at, copy.opens, copy.first_opened_at = utcnow() - timedelta(days=5), 1, utcnow()
        session.add(copy)
    for days, before in ((28, 0), (7, 2)):
        found = report_rates.summary(sender.actor, Scope(days=days))
        assert (found.now.tracked, found.now.opened) == (2 - before, 2 - before)
        assert (found.before.tracked, found.before.opened) == (before, before)
        assert sum((bucket.figures for bucket in found.course), Figures()) == found.now
        assert [(line.name, line.figures.tracked) for line in found.templates] == (
            [("Pilot pricing", 1), ("", 1)] if not before else []
        )


def test_templates_are_named_for_those_who_may_see_them() -> None:
    sender = Sender()
    mine = templates.create(sender.actor, name="Pilot pricing", subject="s", html="<p>x</p>")
    sender.send(template_id=mine.line.id, opens=[("person", 1)])
    sender.send(template_id=mine.line.id)
    sender.send()
    lines = report_rates.summary(sender.actor, Scope()).templates
    assert [(line.name, line.figures.tracked, line.figures.opened) for line in lines] == [
        ("Pilot pricing", 2, 1), ("", 1, 0),
    ]  # fmt: skip


def test_a_colleague_counts_what_they_may_read_and_nothing_else() -> None:
    """M24, M25: shared and linked mail only; neither numbers, links, persons, members nor exports tell of the rest."""
    sender, other = Sender("Aino"), Sender("Boris")
    deal = a_deal(sender.actor)
    seen = sender.send(subject="Shared", opens=[("person", 1)], clicks=[("person", 2)], shared=True)
    tied = link.link_thread(sender.actor, seen.thread_id, deal_id=deal.card.id)
    sender.send(subject="Secret", opens=[("person", 1)], clicks=[("person", 2)])
    sender.send(subject="Not linked", opens=[("person", 1)], shared=True)
    assert report_rates.summary(sender.actor, Scope()).now.tracked == 3
    found = report_rates.summary(other.actor, Scope())
    assert (found.now.tracked, found.sent) == (1, 1)
    details = report_rates.details(other.actor, Scope())
    assert [line.clicks for line in details.links] == [1]
    assert sum(map(sum, details.hours)) == 1
    assert [row.subject for row in report_export.export(other.actor, Scope())] == ["Shared"]
    assert [name for _, name in report_rates.choices(other.actor).members] == ["Aino"]
    assert report_rates.summary(other.actor, Scope(member_id=other.actor.user_id)).now.tracked == 0
    with pytest.raises(NotFound):
        report_rates.summary(other.actor, Scope(mailbox_id=sender.box))
    with pytest.raises(NotFound):
        report_rates.details(other.actor, Scope(mailbox_id=sender.box))
    with pytest.raises(NotFound):
        report_export.export(other.actor, Scope(mailbox_id=sender.box))
    link.unlink(sender.actor, tied.made[0])
    assert report_rates.summary(other.actor, Scope()).now.tracked == 0


def test_narrowed_to_a_mailbox_and_a_period() -> None:
    sender = Sender()
    second = a_mailbox(sender.actor, f"second{sender.actor.user_id}@crm.test")
    sender.send()
    sender.send(ago=timedelta(days=20))
    assert report_rates.summary(sender.actor, Scope(days=7)).now.tracked == 1
    assert report_rates.summary(sender.actor, Scope(days=28)).now.tracked == 2
    assert report_rates.summary(sender.actor, Scope(mailbox_id=second)).now.tracked == 0
    assert {name for _, name in report_rates.choices(sender.actor).mailboxes} == {
        sender.address, f"second{sender.actor.user_id}@crm.test",
    }  # fmt: skip
    for days in (0, 8, -28, 10**9):
        with pytest.raises(UserError):
            report_rates.summary(sender.actor, Scope(days=days))


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Asia/Kathmandu", "America/St_Johns"])
def test_hours_are_the_readers(zone: str) -> None:
    sender = Sender()
    with transaction() as session:
        session.exec(update(User).where(col(User.id) == sender.actor.user_id).values(time_zone=zone))
    with reading() as session:
        actor = actor_for(session, sender.actor.user_id)
    sender.send(opens=[("person", 1), ("proxy", 2)])
    with reading() as session:
        at = session.exec(select(TrackingEvent.at).where(TrackingEvent.kind == "person")).one()
    local = at.astimezone(ZoneInfo(zone))
    hours = report_rates.details(actor, Scope()).hours
    assert {(day, hour) for day in range(7) for hour in range(24) if hours[day][hour]} == {
        (local.weekday(), local.hour)
    }


def test_links_are_joined_over_emails() -> None:
    sender = Sender()
    sender.send(clicks=[("person", 1), ("person", 2), ("scanner", 0)])
    sender.send(clicks=[("unknown", 1)])
    (line,) = report_rates.details(sender.actor, Scope()).links
    assert (line.url, line.text, line.clicks, line.emails) == ("https://x.test/plan", "The plan", 3, 2)


def test_every_number_agrees_with_a_plain_count() -> None:
    """Against sums made one by one in Python, over mail of three users, half of it out of sight."""
    chance = random.Random(5)
    senders = [Sender(name) for name in ("Aino", "Boris", "Chloe")]
    reader = senders[0].actor
    deal = a_deal(reader)
    expected, opens_at = Figures(), 0
    kinds = ("person", "unknown", "proxy", "scanner", "own")
    for _ in range(40):
        sender = chance.choice(senders)
        shared, linked = chance.random() < 0.6, chance.random() < 0.6
        opens = [(chance.choice(kinds), chance.random() * 10) for _ in range(chance.randrange(4))]
        clicks = [(chance.choice(kinds), chance.random() * 10) for _ in range(chance.randrange(3))]
        replied = chance.random() < 0.3
        message = sender.send(opens=opens, clicks=clicks, shared=shared, replied=replied)
        if linked:
            link.link_thread(sender.actor, message.thread_id, deal_id=deal.card.id)
        if sender is not senders[0] and not (shared and linked):
            continue
        is_open = any(kind in ("person", "unknown") for kind, _ in opens)
        is_click = any(kind in ("person", "unknown") for kind, _ in clicks)
        opens_at += sum(kind in ("person", "unknown") for kind, _ in opens)
        expected += Figures(
            1, 1, 1, is_open, is_click, replied,
            any(kind != "own" for kind, _ in opens), any(kind != "own" for kind, _ in clicks),
        )  # fmt: skip
    assert report_rates.summary(reader, Scope()).now == expected
    assert len(list(report_export.export(reader, Scope()))) == expected.tracked
    assert sum(map(sum, report_rates.details(reader, Scope()).hours)) == opens_at


def test_smart_bcc_holders_are_no_mailboxes() -> None:
    sender = Sender()
    hidden = a_mailbox(sender.actor, "holder@crm.test", kind="bcc")
    assert hidden not in {each for each, _ in report_rates.choices(sender.actor).mailboxes}
    with reading() as session:
        assert session.get_one(Mailbox, hidden).kind == "bcc"
