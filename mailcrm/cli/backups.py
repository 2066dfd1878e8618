"""`backup` and `restore` (contract.md): a whole server in one file, while it runs, and back into an empty data folder."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from mailcrm.cli import common
from mailcrm.errors import UserError
from mailcrm.services import db


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(backup)
    app.command()(restore)


def backup(
    file: Annotated[Path, typer.Argument(help="Where to; a file that is not there yet.")],
    with_key: Annotated[bool, typer.Option("--with-key", help="Put the key in, under a passphrase.")] = False,
    from_stdin: Annotated[bool, typer.Option("--passphrase-stdin", help="Read the passphrase from a pipe.")] = False,
) -> None:
    """Write the whole server into one file, while it runs. It holds everybody's mail: keep it as safe as the server."""
    from mailcrm.services.backup import make

    passphrase = _passphrase(from_stdin, twice=True) if with_key or from_stdin else ""
    common.open_database()
    made = make.backup(file, passphrase=passphrase, progress=_bar)
    _end()
    print(f"{made.path}: {made.rows:,} rows, {made.blobs:,} emails and files, {made.size / 1e6:,.1f} MB.")
    if made.missing:
        print(
            f"The bytes of {made.missing:,} emails or files are lost. The next sync fetches what the servers still have."
        )
    if made.with_key:
        print("The key is in it, under your passphrase. Without the passphrase it can’t be read.")
    else:
        print("The key is not in it. Keep a copy of secret.key (or MAILCRM_SECRET_KEY) in another place: without it")
        print("no password and no grant in the backup can be read, and it can’t be restored.")


def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    from_stdin: Annotated[bool, typer.Option("--passphrase-stdin", help="Read the passphrase from a pipe.")] = False,
) -> None:
    """Make a server of a backup, in an empty data folder and an empty database. Sends nothing."""
    from mailcrm.services.backup import restore as verbs

    passphrase = _passphrase(True) if from_stdin else ""
    try:
        done = verbs.restore(file, passphrase=passphrase)
    except UserError as error:
        if error.code != "backup.passphrase_missing" or not sys.stdin.isatty():
            raise
        done = verbs.restore(file, passphrase=_passphrase(False))
    finally:
        db.dispose()
    print(
        f"Restored as it was at {done.made_at:%Y-%m-%d %H:%M:%S %Z}: {done.rows:,} rows, {done.blobs:,} emails and files."
    )
    print(f"{done.held:,} emails were waiting to go out. None is sent by itself: their users are asked in the Outbox.")
    print("Everybody has to sign in again.")
    if done.tokens:
        print(f"{done.tokens:,} API tokens work, also those that were revoked since. Revoke what you do not know.")
    if done.missing:
        print(f"The bytes of {done.missing:,} emails or files were not in the backup. Run verify to fetch them again.")
    if done.unreadable:
        print(f"{done.unreadable:,} stored passwords can’t be read. Their mailboxes have to be connected again.")
    if done.mailboxes:
        print("Start the server: the next sync fetches what came since. Mailboxes whose sign-in has ended ask for it.")


def _passphrase(from_stdin: bool, *, twice: bool = False) -> str:
    if from_stdin:
        said = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        said = getpass("Passphrase: ")
        if twice and getpass("The same again: ") != said:
            raise UserError("backup.passphrases_differ")
    else:
        said = ""
    if not said:
        raise UserError("backup.no_passphrase")
    return said


def _bar(name: str, _size: int) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{name[:70]}", end="", file=sys.stderr, flush=True)


def _end() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
