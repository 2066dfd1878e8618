"""`sync`: one full pass in the foreground, to completion, and the ledger after it (contract.md)."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailcrm import logs
from mailcrm.cli import common, ledger
from mailcrm.services import db

if TYPE_CHECKING:  # the commands import what they need, so that `serve` starts without the mail engine
    from mailcrm.services.mail.mailboxes import MailboxView
    from mailcrm.services.mail.sync.engine import SyncReport

BAR = 30  # characters
LEASE_WAIT_S = 1.0


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(sync)


def sync(mailbox: Annotated[str, typer.Option(help="One mailbox; all of them otherwise.")] = "") -> None:
    """Sync in the foreground, to completion, and print the ledger."""
    from mailcrm.services.mail import mailboxes as verbs

    logs.setup("sync")
    common.open_database()
    failed = False
    rows: list[dict[str, Any]] = []
    for actor, box in ledger.boxes(mailbox):
        failed |= not to_completion(box)
        rows += ledger.rows(verbs.get(actor, box.id), ledger.health_of(actor, box))
    ledger.table(rows)
    if failed:
        raise typer.Exit(1)


def to_completion(box: MailboxView) -> bool:
    """Sync one mailbox until nothing is pending; say why on standard error when that can't be."""
    from mailcrm.services.mail.sync import engine

    bar = _Bar(box)
    while True:
        report = engine.sync_mailbox(box.id, progress=bar.show)
        bar.end()
        if report.busy:
            bar.waiting()
            time.sleep(LEASE_WAIT_S)
            continue
        if report.error is not None:
            print(f"{box.address}: {report.error}", file=sys.stderr)
            return False
        for folder, error in report.folder_errors.items():
            print(f"{box.address}, {folder}: {error}", file=sys.stderr)
        if report.complete or report.folder_errors:
            return report.complete


class _Bar:
    """What happens, on a terminal; silent in a pipe."""

    def __init__(self, box: MailboxView) -> None:
        self.box = box
        self.shown = False
        self.told = False

    def show(self, _report: SyncReport) -> None:
        """Draw what is done of what there is."""
        if not sys.stderr.isatty():
            return
        from mailcrm.services.mail.sync import ledger as counts

        with db.reading() as session:
            lines = counts.lines(session, self.box.id)
        left = sum(line.pending for line in lines)
        total = sum(line.stored + line.skipped + line.quarantined for line in lines) + left
        filled = BAR * (total - left) // max(total, 1)
        bar = "█" * filled + "·" * (BAR - filled)
        print(f"\r{self.box.address}  [{bar}] {total - left:,} of {total:,}", end="", file=sys.stderr, flush=True)
        self.shown = True

    def end(self) -> None:
        """Leave the line."""
        if self.shown:
            print(file=sys.stderr)
            self.shown = False

    def waiting(self) -> None:
        """Say once that a worker has the mailbox."""
        if not self.told:
            print(f"{self.box.address}: a worker is syncing it; waiting for it.", file=sys.stderr)
            self.told = True
