"""The watcher on a real Dovecot: every push is a sync asked for, at once and once (sync.md A3, issue 3 item 4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailcrm.models import Folder, Mailbox, utcnow
from mailcrm.services import live
from mailcrm.services.db import transaction
from mailcrm.services.mail.providers import pace
from mailcrm.services.mail.watch.watcher import Watcher
from tests.integration.sync.conftest import Box, connect, raw
from tests.integration.watch.conftest import Jobs, row, until
from tests.servers.dovecot import DovecotServer


@pytest.fixture
def box(db: str, dovecot: DovecotServer) -> Box:
    return connect(dovecot)


def change(box: Box, **columns: object) -> None:
    """Change the mailbox's row as a verb does: with a hint."""
    with transaction() as session:
        found = session.get_one(Mailbox, box.mailbox_id)
        for name, value in columns.items():
            setattr(found, name, value)
        session.add(found)
        live.hint(session, box.user_id, "sync", box.mailbox_id)


def test_mail_that_comes_in_wakes_the_sync(box: Box, watch: Callable[[], Watcher], jobs: Jobs) -> None:
    watch()
    until(lambda: row(box.mailbox_id).watch == "idle", "IDLE")
    until(lambda: jobs.syncs(box.mailbox_id) == 1, "the sync for what came while nobody watched")
    assert row(box.mailbox_id).watched_at is not None
    assert row(box.mailbox_id).sync_requested_at is not None
    for n in range(1, 4):
        before = jobs.syncs(box.mailbox_id)
        path = box.deliver(raw(n))
        jobs.next(box.mailbox_id, before)
    before = jobs.syncs(box.mailbox_id)
    path.rename(str(path) + "S")  # read in another program
    jobs.next(box.mailbox_id, before)


def test_a_storm_of_mail_is_few_syncs(box: Box, watch: Callable[[], Watcher], jobs: Jobs) -> None:
    watch()
    until(lambda: jobs.syncs(box.mailbox_id) == 1, "the first sync")
    for n in range(300):
        box.deliver(raw(n))
    until(lambda: jobs.syncs(box.mailbox_id) > 1, "a sync")
    assert jobs.syncs(box.mailbox_id) < 30


def test_paused_removed_and_connected_mailboxes_are_noticed(
    box: Box, watch: Callable[[], Watcher], jobs: Jobs, dovecot: DovecotServer
) -> None:
    watcher = watch()
    until(lambda: watcher.counts()["idle"] == 1, "IDLE")
    change(box, status="paused")
    until(lambda: watcher.counts() == {"idle": 0, "poll": 0, "waiting": 0}, "the end of the watch")
    until(lambda: row(box.mailbox_id).watch == "", "the row to say so")
    change(box, status="active")
    other = connect(dovecot)
    change(other)
    until(lambda: watcher.counts()["idle"] == 2, "both")
    with transaction() as session:
        session.delete(session.get_one(Mailbox, other.mailbox_id))
        live.hint(session, other.user_id, "sync", other.mailbox_id)
    until(lambda: watcher.counts()["idle"] == 1, "one again")


def test_a_new_password_is_tried_at_once(
    box: Box, watch: Callable[[], Watcher], jobs: Jobs, dovecot: DovecotServer
) -> None:
    """A refused password is not tried again by itself: accounts get locked. The sync says what is wrong, not the watcher."""
    from mailcrm.services import crypto

    context = f"mailbox:{box.mailbox_id}"
    change(box, secret=crypto.seal({"imap": "wrong", "smtp": "wrong"}, context=context))
    watcher = watch()
    until(lambda: any(each.failures for w in watcher._watches.values() for each in w.values()), "the refusal")
    assert row(box.mailbox_id).error_code == ""
    change(box, secret=crypto.seal({"imap": "secret", "smtp": "secret"}, context=context))
    until(lambda: row(box.mailbox_id).watch == "idle", "IDLE with the new password")


def test_chosen_folders_are_watched_too(box: Box, watch: Callable[[], Watcher], jobs: Jobs) -> None:
    """One connection for INBOX, one for `Projekte/Öl`; Dovecot bears two (pace.py), the third is asked for by STATUS."""
    for name in ("Projekte/Öl", "Zebra"):
        box.dovecot.maildir(box.user, name)
        with transaction() as session:
            session.add(Folder(mailbox_id=box.mailbox_id, name=name, watched=True))
    watcher = watch()
    until(lambda: watcher.counts()["idle"] == 2, "two connections")
    (inbox, oil) = watcher._watches[box.mailbox_id].values()
    assert (inbox.place, inbox.target.others) == (b'"INBOX"', (b'"Zebra"',))
    assert oil.place == b'"Projekte/&ANY-l"'
    until(lambda: jobs.syncs(box.mailbox_id) >= 1, "the first sync")
    before = jobs.syncs(box.mailbox_id)
    box.deliver(raw(1), "Projekte/Öl")
    jobs.next(box.mailbox_id, before)


def test_a_provider_without_idle_is_asked_for_counts(
    box: Box, watch: Callable[[], Watcher], jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "GENERIC", pace.Pace(idle=False, poll_s=0.3))
    watch()
    until(lambda: row(box.mailbox_id).watch == "poll", "polling")
    before = jobs.syncs(box.mailbox_id)
    box.deliver(raw(1))
    jobs.next(box.mailbox_id, before)


def test_what_an_earlier_watcher_left_in_the_rows_is_forgotten(
    box: Box, watch: Callable[[], Watcher], jobs: Jobs
) -> None:
    """The health page must not say that a mailbox is watched when its watcher was killed."""
    change(box, watch="idle", watched_at=utcnow(), status="paused")
    watch()
    until(lambda: row(box.mailbox_id).watch == "", "the row to say that nobody watches")
