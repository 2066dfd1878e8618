"""The machine's clock is set while a sync runs: nothing is lost, doubled, or ordered by it (threat 29)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import col, select

from mailcrm.models import Mailbox
from mailcrm.services.db import reading
from mailcrm.services.mail.sync import apply, slices
from tests.clock import Clock
from tests.integration.sync.conftest import Box, raw

MAIL = 120
HOURS = (1, -1, 24, -24, 365 * 24, -365 * 24)


def test_a_clock_that_jumps_during_a_sync(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour, a day, a year, forth and back, at each batch; new mail comes meanwhile, and the next pass adds nothing."""
    start = datetime(2024, 2, 1, 10, tzinfo=UTC)
    for n in range(MAIL):
        box.deliver(raw(n), when=start + timedelta(minutes=n))
    clock, jumps, store = Clock(monkeypatch), iter(HOURS * 100), apply.save_batch

    def jumping(*arguments: object, **options: object) -> object:
        clock.jump(timedelta(hours=next(jumps)))
        return store(*arguments, **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(apply, "save_batch", jumping)
    monkeypatch.setattr(slices, "SLICES", (20, 10, 5, 1))
    for late in range(len(HOURS)):
        box.deliver(raw(1000 + late), when=start + timedelta(days=1, minutes=late))
        clock.jump(timedelta(hours=HOURS[late]))
        box.sync()
    found = {message.rfc_message_id: message for message in box.messages()}
    assert len(found) == len(box.messages()) == MAIL + len(HOURS)
    assert box.ledger()["INBOX"].stored == MAIL + len(HOURS)
    ordered = sorted(found.values(), key=lambda message: message.received_at or start)
    assert [int((each.rfc_message_id or "").partition("@")[0]) for each in ordered] == [
        *range(MAIL),
        *range(1000, 1000 + len(HOURS)),
    ]
    with reading() as session:
        mailbox = session.exec(select(Mailbox).where(col(Mailbox.id) == box.mailbox_id)).one()
        assert mailbox.status == "active"
        assert mailbox.lease_until is None
