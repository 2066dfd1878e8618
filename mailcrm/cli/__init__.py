"""The command line (contract.md, "Command line"): serve, worker, users, mailboxes, sync, status, doctor.

Exit codes: 0 done, 1 failed, 2 wrong use. A failure is one sentence on standard error, never a traceback.
Commands act as the operator of this machine, so they reach every user's mailboxes; they print no mail.
"""

from __future__ import annotations

import sys

import typer
from sqlalchemy.exc import DBAPIError

from mailcrm.cli import backups, keys, ledger, mailboxes, quarantine, running, sync, tokens, tracking, transfer, users
from mailcrm.errors import MailcrmError

FAILED, WRONG_USE = 1, 2
OPTIONS = frozenset({"cli.since", "cli.servers_missing"})  # about an option that was given wrong or left out

app = typer.Typer(
    name="mailcrm",
    help="A self-hosted CRM that lives in your mail.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
running.register(app)
sync.register(app)
ledger.register(app)
backups.register(app)
app.add_typer(users.app, name="user", help="People who sign in.")
app.add_typer(tokens.app, name="token", help="Tokens of the REST interface.")
app.add_typer(keys.app, name="keys", help="Keys that stored passwords and tokens are sealed with.")
app.add_typer(mailboxes.app, name="mailbox", help="Connected mailboxes.")
app.add_typer(transfer.importing, name="import", help="Bring rows of the CRM in from CSV files.")
app.add_typer(transfer.exporting, name="export", help="Write rows of the CRM as CSV.")
app.add_typer(tracking.app, name="tracking", help="Opens and clicks of tracked mail.")
app.add_typer(quarantine.app, name="quarantine", help="Messages that could not be read.")


def main() -> None:
    """Run one command and exit with its code."""
    try:
        app(prog_name="python -m mailcrm")
    except MailcrmError as error:
        fail(str(error), WRONG_USE if error.code in OPTIONS else FAILED)
    except DBAPIError as error:
        fail(f"The database refused: {str(error.orig or error).strip().splitlines()[0]}")
    except KeyboardInterrupt:
        fail("Stopped.")
    except BrokenPipeError:
        sys.stderr.close()  # `… | head`: nobody reads any more
        sys.exit(1)
    except Exception as error:
        fail(f"Something went wrong: {type(error).__name__}: {error}")


def fail(sentence: str, code: int = FAILED) -> None:
    """Print one sentence on standard error and exit with the code."""
    print(sentence, file=sys.stderr)
    sys.exit(code)
