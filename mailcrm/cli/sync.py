"""`sync` and `status`: one full pass in the foreground, and the ledger (contract.md)."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailcrm import logs
from mailcrm.cli import common, mailboxes
from mailcrm.services import db

if TYPE_CHECKING:  # the commands import what they need, so that `serve` starts without the mail engine
    from mailcrm.services.access import Actor
    from mailcrm.services.mail.mailboxes import MailboxView
    from mailcrm.services.mail.sync.engine import SyncReport

BAR = 30  # characters
QUARANTINE_MOST = 20  # messages that status names; quarantine list names all
LEASE_WAIT_S = 1.0


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(sync)
    app.command()(status)


def sync(mailbox: Annotated[str, typer.Option(help="One mailbox; all of them otherwise.")] = "") -> None:
    """Sync in the foreground, to completion, and print the ledger."""
    from mailcrm.services.mail import mailboxes as verbs

    logs.setup("sync")
    common.open_database()
    failed = False
    rows: list[dict[str, Any]] = []
    for actor, box in _boxes(mailbox):
        failed |= not _one(box)
        rows += _ledger(actor, verbs.get(actor, box.id))
    common.show(rows, as_json=False)
    if failed:
        raise typer.Exit(1)


def status(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Print the ledger: what the servers hold, and what became of each message."""
    common.open_database()
    boxes = _boxes("")
    common.show([row for actor, box in boxes for row in _ledger(actor, box)], as_json=as_json)
    if not as_json:
        _show_quarantine(boxes)


def _boxes(address: str) -> list[tuple[Actor, MailboxView]]:
    from mailcrm.services.mail import mailboxes as verbs

    if address:
        return [mailboxes.find(address)]
    return [(actor, box) for _email, actor in common.every_actor() for box in verbs.list_mailboxes(actor)]


def _one(box: MailboxView) -> bool:
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


def _ledger(actor: Actor, box: MailboxView) -> list[dict[str, Any]]:
    """The mailbox's lines; what keeps the whole mailbox from syncing is each line's error, too."""
    from mailcrm.services.mail.sync import ledger

    lines = ledger.ledger(actor, box.id) or [
        # Its folders are not known yet: never synced, or it failed before it could list them.
        ledger.FolderLedger("", "", 0, 0, 0, 0, 0, box.last_success_at, box.next_try_at, "", "")
    ]
    return [
        {
            "mailbox": box.address,
            **asdict(line),
            "error": line.error or box.error_sentence,
            "code": line.code or box.error,
        }
        for line in lines
    ]


def _show_quarantine(boxes: list[tuple[Actor, MailboxView]]) -> None:
    from mailcrm.services.mail import quarantine

    found = [item for actor, box in boxes for item in quarantine.list_quarantine(actor, box.id)]
    if not found:
        return
    print("\nQuarantined: kept on the server, could not be read.")
    common.show(
        [{"mailbox": i.mailbox, "folder": i.folder, "uid": i.uid, "reason": i.reason} for i in found[:QUARANTINE_MOST]],
        as_json=False,
    )
    if len(found) > QUARANTINE_MOST:
        print(f"And {len(found) - QUARANTINE_MOST} more: quarantine list.")


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
        from mailcrm.services.mail.sync import ledger

        with db.reading() as session:
            lines = ledger.lines(session, self.box.id)
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
