"""The storing half of a pass: what it refuses to write."""

from __future__ import annotations

from sqlmodel import select

from mailcrm.models import Folder, PendingUid, SkippedUid
from mailcrm.services.db import reading, transaction
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
