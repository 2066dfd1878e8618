"""IDLE on four servers: each says in its own time and words that something changed, and the watcher asks for a sync."""

from __future__ import annotations

from collections.abc import Callable

from mailcrm.services.mail.watch.watcher import Watcher
from tests.integration.servers.conftest import Account
from tests.integration.sync.conftest import raw
from tests.integration.watch.conftest import Jobs, jobs, row, until, watch

__all__ = ["jobs", "watch"]  # fixtures


def test_new_mail_and_changed_flags_wake_the_sync(account: Account, watch: Callable[[], Watcher], jobs: Jobs) -> None:  # noqa: F811
    """Issue 3, item 4; and watching leaves `\\Seen` and the mail itself as they are."""
    account.deliver(raw(1))
    watch()
    until(lambda: row(account.mailbox_id).watch == "idle", "IDLE")
    until(lambda: jobs.syncs(account.mailbox_id) == 1, "the sync for what came while nobody watched")
    with account.program() as program:
        before = jobs.syncs(account.mailbox_id)
        program.append(raw(2))
        jobs.next(account.mailbox_id, before)
        before = jobs.syncs(account.mailbox_id)
        program.flag("INBOX", program.uids()[:1], "\\Flagged")
        jobs.next(account.mailbox_id, before)
        assert not [uid for uid, flags in program.flags().items() if "\\Seen" in flags]
    assert account.sync().stored == 2
    account.check()
