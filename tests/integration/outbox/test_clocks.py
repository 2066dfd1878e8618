"""Clocks that are wrong, jump, and are changed twice a year: nothing is missed, nothing is sent twice (security.md 29)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col, update

from mailcrm.models import Mailbox, Outbox
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import sweep
from mailcrm.services.mail.outbox import lease, queue, schedule
from tests.clock import Clock
from tests.integration.outbox.conftest import Desk

#: A zone, and the local days on which its clocks go forward and back; Lord Howe by half an hour only.
ZONES = {
    "Europe/Helsinki": ("2027-03-28", "2027-10-31"),
    "America/New_York": ("2027-03-14", "2027-11-07"),
    "Australia/Lord_Howe": ("2027-10-03", "2027-04-04"),
    "America/Santiago": ("2027-09-05", "2027-04-04"),
    "Africa/Cairo": ("2027-04-30", "2027-10-29"),
    "Europe/London": ("2027-03-28", "2027-10-31"),
}
HOURS = ("00:30", "01:30", "02:15", "02:30", "03:00", "09:00")
STEP = timedelta(minutes=30)
one_database = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


@one_database
@pytest.mark.parametrize("zone", ZONES)
def test_the_nights_on_which_clocks_change(desk: Desk, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each email leaves once, at the first look after its moment, never before it, both ways."""
    for day in ZONES[zone]:
        begins = schedule.moment_of(f"{day}T00:00", zone) - timedelta(hours=2)
        with monkeypatch.context() as patch:
            clock = Clock(patch, begins)
            wanted: dict[int, datetime] = {}
            for at in HOURS:
                made = desk.draft(subject=f"{zone} {day} {at}")
                queue.send(desk.actor, made.id, send_local=f"{day}T{at}", send_zone=zone)
                wanted[made.id] = schedule.moment_of(f"{day}T{at}", zone)
            left: dict[int, datetime] = {}
            while clock.now() < begins + timedelta(hours=14):
                desk.work()
                for each in wanted:
                    if each not in left and desk.look(each).state == "sent":
                        left[each] = clock.now()
                clock.jump(STEP)
        assert set(left) == set(wanted), "none is missed"
        for each, at in left.items():
            assert wanted[each] <= at < wanted[each] + STEP
    subjects = [str(each["subject"]) for each in desk.received() if str(each["subject"]).startswith(zone)]
    assert len(subjects) == len(set(subjects)) == len(HOURS) * 2, "none twice"


@one_database
@pytest.mark.parametrize("jump", [-25, -1, 1, 25], ids=lambda hours: f"{hours:+} h")
def test_a_clock_that_jumps(desk: Desk, jump: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set forward or back while emails wait, and while a process holds one that it will never give back."""
    clock = Clock(monkeypatch)
    before = len(desk.received())
    waits, held = desk.draft(subject="waits"), desk.draft(subject="held")
    for each in (waits, held):
        queue.send(desk.actor, each.id, delay_s=0)
    assert lease.take(held.id, "a process that is killed now")
    clock.jump(timedelta(hours=jump))
    desk.work()
    if jump < 0:
        assert desk.look(held.id).state == "sent", "its lease ends tomorrow: that is no lease"
    clock.jump(timedelta(hours=-jump) + timedelta(minutes=2))  # and it is put right
    desk.work()
    assert [desk.look(each.id).state for each in (waits, held)] == ["sent", "sent"]
    assert len(desk.received()) == before + 2


@one_database
def test_a_mailbox_seen_tomorrow_is_looked_at_today(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that was a day ahead for a while: mailboxes waited for that day, under leases that ended then."""
    now = datetime.now(UTC)
    with transaction() as session:
        ahead = {
            "last_success_at": now + timedelta(days=1),
            "lease_until": now + timedelta(days=1),
            "lease_owner": "gone",
        }
        session.exec(update(Mailbox).where(col(Mailbox.id) == desk.mailbox_id).values(**ahead))  # type: ignore[call-overload]
    with reading() as session:
        assert sweep.due_mailboxes(session, now) == [desk.mailbox_id]
    from mailcrm.services.mail.sync import lease as of_sync

    assert of_sync.acquire(desk.mailbox_id, of_sync.new_owner(), now)
    with reading() as session:
        assert sweep.due_mailboxes(session, now) == [], "the control: it is somebody's now"
        assert session.get_one(Mailbox, desk.mailbox_id).lease_until < now + timedelta(hours=1)  # type: ignore[operator]
        assert session.get(Outbox, 0) is None


def test_a_full_disk_while_an_email_is_put_together(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    """It waits and says why, instead of failing as a defect of ours; with room it goes out (27)."""
    import errno

    from mailcrm.services.mail.outbox import outgoing

    made = desk.draft()
    queue.send(desk.actor, made.id, delay_s=0)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = len(desk.received())
    with monkeypatch.context() as patch:
        patch.setattr(outgoing, "prepare", full)
        desk.work()
    assert (desk.look(made.id).state, desk.look(made.id).error_code) == ("queued", "outbox.disk_full")
    assert desk.work_later(made.id).state == "sent"
    assert len(desk.received()) == before + 1
