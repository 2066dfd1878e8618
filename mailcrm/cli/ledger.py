"""`status` and `verify`: the ledger as it stands, and as the servers say it should be (contract.md; B01, M31)."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mailcrm import logs
from mailcrm.cli import common, mailboxes
from mailcrm.sentences import SENTENCES
from mailcrm.services import i18n

if TYPE_CHECKING:  # the commands import what they need, so that `serve` starts without the mail engine
    from mailcrm.services.access import Actor
    from mailcrm.services.mail.health import Health
    from mailcrm.services.mail.mailboxes import MailboxView
    from mailcrm.services.mail.sync.verify import VerifyReport

QUARANTINE_MOST = 20  # messages that status names; quarantine list names all
WAIT_S = 1.0
#: The table's columns; --json has more.
COLUMNS = (
    "mailbox", "folder", "server", "stored", "skipped", "quarantined", "pending", "last_success_at", "next_try_at", "error",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(status)
    app.command()(verify)


def boxes(address: str) -> list[tuple[Actor, MailboxView]]:
    """One mailbox by address, or everybody's."""
    from mailcrm.services.mail import mailboxes as verbs

    if address:
        return [mailboxes.find(address)]
    return [(actor, box) for _email, actor in common.every_actor() for box in verbs.list_mailboxes(actor)]


def status(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Print the ledger: what the servers hold, and what became of each message."""
    _warn()
    common.open_database()
    found = [(box, health_of(actor, box)) for actor, box in boxes("")]
    lines = [line for box, one in found for line in rows(box, one)]
    if as_json:
        common.show(lines, as_json=True)
        return
    table(lines)
    for _box, one in found:
        print(in_words(one))
    _show_quarantine()


def _warn() -> None:
    """Say on standard error what keeps everything from working: a damaged database, a full disk."""
    from mailcrm.services import soundness

    last = soundness.last()
    if last is not None and last.damage:
        print(SENTENCES["database.damaged"].format(what=last.damage), file=sys.stderr)
    if full := soundness.disk():
        print(full, file=sys.stderr)


def health_of(actor: Actor, box: MailboxView) -> Health:
    """How a mailbox's sync goes, in English: the command line speaks no other language."""
    from mailcrm.services.mail import health

    return health.health(replace(actor, language="en"), box.id)


def rows(box: MailboxView, one: Health) -> list[dict[str, Any]]:
    """The mailbox's lines; what keeps the whole mailbox from syncing is each line's error, too."""
    from mailcrm.services.mail.sync.ledger import FolderLedger

    whole = {
        "state": one.state,
        "rate": round(one.rate, 1) if one.rate else None,
        "seconds_left": one.seconds_left,
        "live": one.live,
        "write_waiting": one.write_waiting,
        "write_failed": one.write_failed,
    }
    # Its folders are not known yet: never synced, or it failed before it could list them.
    lines = one.folders or (FolderLedger("", "", 0, 0, 0, 0, 0, one.last_success_at, one.next_try_at, "", ""),)
    made: list[dict[str, Any]] = []
    for line in lines:
        row = {"mailbox": box.address, **asdict(line), **whole}
        if one.trouble and not line.error:
            row |= {
                "error": one.trouble.sentence,
                "code": box.error,
                "kind": one.trouble.kind,
                "button": one.trouble.button,
            }
        made.append(row)
    return made


def table(lines: list[dict[str, Any]]) -> None:
    """Print the contract's columns; an error that several folders of a mailbox share is said at the first."""
    said: set[tuple[str, str]] = set()
    shown: list[dict[str, Any]] = []
    for line in lines:
        error = (line["mailbox"], line["error"])
        shown.append(
            {name: line[name] for name in COLUMNS} | ({"error": "the same"} if line["error"] and error in said else {})
        )
        said.add(error)
    common.show(shown, as_json=False)


def in_words(one: Health) -> str:
    """Say in one line how a mailbox's sync goes."""
    said = [f"{one.address}: {one.state}"]
    if one.pending:
        said.append(f"{one.percent} % done")
    if one.rate:
        said.append(f"{one.rate:,.0f} messages a second")
    if one.seconds_left is not None:
        said.append(f"about {i18n.span('en', timedelta(seconds=max(1, one.seconds_left)))} left")
    said.append({"idle": "watched live", "poll": "watched by polling"}.get(one.live, "not watched"))
    if one.write_waiting or one.write_failed:
        said.append(f"waiting to be done on the server: {one.write_waiting}, failed: {one.write_failed}")
    return ", ".join(said) + "."


def verify(
    mailbox: Annotated[str, typer.Option(help="One mailbox; all of them otherwise.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Compare the ledger with the server, message by message, and mend what differs; fails when something stays wrong."""
    from mailcrm.cli.sync import to_completion

    logs.setup("verify")
    common.open_database()
    failed = False
    made: list[dict[str, Any]] = []
    for _actor, box in boxes(mailbox):
        report = _verified(box)
        whole = report.state != "failed"
        if report.findings:
            whole = to_completion(box) and whole  # what was missing is fetched now
        if "renewed" in report.findings:
            report = _verified(box)
            whole = report.state != "failed"
        failed |= not whole
        made.append(_told(box, report, whole=whole))
    if as_json:
        print(json.dumps(made, ensure_ascii=False, indent=2))
    else:
        for one in made:
            print(
                "\n".join([f"{one['mailbox']}: {one['said']}", *(f"  {each['sentence']}" for each in one["findings"])])
            )
    if failed:
        raise typer.Exit(1)


def _verified(box: MailboxView) -> VerifyReport:
    from mailcrm.services.mail.sync import verify as engine

    told = False
    while True:
        report = engine.verify_mailbox(box.id, progress=lambda done, total: _bar(box, done, total))
        if sys.stderr.isatty():
            print(file=sys.stderr)
        if not report.busy:
            return report
        if not told:
            print(f"{box.address}: a worker is verifying it; waiting for it.", file=sys.stderr)
            told = True
        time.sleep(WAIT_S)


def _bar(box: MailboxView, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{box.address}  {done:,} of {max(done, total):,} compared", end="", file=sys.stderr, flush=True)


def _told(box: MailboxView, report: VerifyReport, *, whole: bool) -> dict[str, Any]:
    from mailcrm.services.mail.sync import findings

    number = f"{report.checked:,} compared"
    said = f"sound: {number}, nothing differs." if not report.findings else f"mended: {number}."
    if not whole:
        said = f"not whole: {number}. {report.error or 'See below.'}"
    return {
        "mailbox": box.address,
        "state": report.state if whole else "failed",
        "checked": report.checked,
        "error": str(report.error) if report.error else "",
        "said": said,
        "findings": [
            {"kind": kind, "count": count, "mended": mended, "sentence": findings.sentence(kind, count, mended, "en")}
            for kind, (count, mended) in report.findings.items()
        ],
    }


def _show_quarantine() -> None:
    from mailcrm.cli.quarantine import everybodys

    found = everybodys()
    if not found:
        return
    print("\nQuarantined: kept on the server, could not be read.")
    common.show(
        [{"mailbox": i.mailbox, "folder": i.folder, "uid": i.uid, "reason": i.reason} for i in found[:QUARANTINE_MOST]],
        as_json=False,
    )
    if len(found) > QUARANTINE_MOST:
        print(f"And {len(found) - QUARANTINE_MOST} more: quarantine list.")
