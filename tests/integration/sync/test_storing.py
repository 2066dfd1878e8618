"""The storing half of a pass: what it refuses to write."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from sqlmodel import Session, select

from mailcrm.models import Folder, PendingUid, SkippedUid
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.sync import fetch, storing
from mailcrm.services.mail.sync.apply import Skipped
from mailcrm.services.mail.sync.outcome import SyncReport
from mailcrm.services.mail.sync.storing import Origin, Storer
from tests.integration.sync.conftest import Box, raw


def test_a_batch_from_before_another_uidvalidity_is_dropped(box: Box) -> None:
    """Its UIDs name other messages now, which are pending and stay it."""
    box.deliver(raw(1))
    box.sync()
    with transaction() as session:
        folder = session.exec(select(Folder).where(Folder.name == "INBOX")).one()
        folder_id, validity = folder.id or 0, folder.uidvalidity or 0
        session.add(PendingUid(folder_id=folder_id, uid=77))

    def left() -> tuple[list[int], list[int]]:
        with reading() as session:
            return list(session.exec(select(PendingUid.uid))), list(session.exec(select(SkippedUid.uid)))

    with Storer(box.mailbox_id, transaction, SyncReport(box.mailbox_id)) as storer:
        storer.settled(Origin(folder_id, validity + 1, None, False), [Skipped(77, "too_large")])
        storer.settle()
        assert left() == ([77], [])
        storer.settled(Origin(folder_id, validity, None, False), [Skipped(77, "too_large")])
        storer.settle()
        assert left() == ([], [77])


class _Held:
    """Transactions, counted; the first one waits until it is told to go on."""

    def __init__(self) -> None:
        self.count, self.begun, self.go_on = 0, threading.Event(), threading.Event()

    @contextmanager
    def writing(self) -> Generator[Session]:
        self.count += 1
        self.begun.set()
        assert self.go_on.wait(60)
        with transaction() as session:
            yield session


def _inbox(box: Box, uids: range) -> Origin:
    """A folder that was opened, with these UIDs pending."""
    box.deliver(raw(1))
    box.sync()
    with transaction() as session:
        folder = session.exec(select(Folder).where(Folder.name == "INBOX")).one()
        session.add_all([PendingUid(folder_id=folder.id or 0, uid=uid) for uid in uids])
        return Origin(folder.id or 0, folder.uidvalidity, None, False)


def _skipped() -> list[int]:
    with reading() as session:
        return sorted(session.exec(select(SkippedUid.uid)))


@pytest.mark.parametrize(("stored", "most", "transactions"), [(1, 250, 4), (1, 1, 5), (0, 250, 5)])
def test_batches_that_wait_are_stored_together(
    box: Box, monkeypatch: pytest.MonkeyPatch, stored: int, most: int, transactions: int
) -> None:
    """Up to a number of messages, never those of another choice, and the first of a pass alone."""
    monkeypatch.setattr(storing, "TOGETHER", most)
    origin = _inbox(box, range(71, 76))
    other = Origin(origin.folder_id, (origin.uidvalidity or 0) + 1, None, False)
    held = _Held()
    report = SyncReport(box.mailbox_id, stored=stored)
    with Storer(box.mailbox_id, held.writing, report) as storer:
        storer.settled(origin, [Skipped(71, "too_large")])
        assert held.begun.wait(60)
        for uid, whose in ((72, origin), (73, origin), (74, other), (75, origin)):
            storer.settled(whose, [Skipped(uid, "too_large")])
        held.go_on.set()
        storer.settle()
    assert held.count == transactions
    assert _skipped() == [71, 72, 73, 75]


def test_what_went_wrong_with_a_batch_is_told_and_those_beside_it_are_stored(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise MemoryError

    origin = _inbox(box, range(71, 74))
    monkeypatch.setattr(fetch, "outcomes_of", broken)
    held = _Held()
    report = SyncReport(box.mailbox_id, stored=1)
    with Storer(box.mailbox_id, held.writing, report) as storer:
        storer.settled(origin, [Skipped(71, "too_large")])
        assert held.begun.wait(60)
        storer.settled(origin, [Skipped(72, "too_large")])
        storer.fetched(origin, [], {})
        storer.settled(origin, [Skipped(73, "too_large")])
        held.go_on.set()
        with pytest.raises(MemoryError):
            storer.settle()
        storer.settle()
    assert _skipped() == [71, 72, 73]
