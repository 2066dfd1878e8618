"""What the commands share: the database at this version, passwords from a pipe, tables and JSON."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from getpass import getpass
from typing import Any

from mailcrm.errors import NotFound, UserError
from mailcrm.services import db
from mailcrm.services.access import Actor
from mailcrm.services.auth import users

#: The operator of this machine, for lists of users only; owns no rows.
OPERATOR = Actor(0, admin=True, scopes={})


def open_database() -> None:
    """Bring the database to this version, as `migrate` does; refuses a newer one."""
    if db.current_revision() != db.head_revision():
        db.migrate()


def actor_of(email: str) -> Actor:
    """Return the actor of an address; UserError when there is none."""
    try:
        return users.by_email(email)
    except NotFound as error:
        raise UserError("cli.no_user", email=email) from error


def every_actor() -> list[tuple[str, Actor]]:
    """Address and actor of each enabled user."""
    return [(user.email, users.by_email(user.email)) for user in users.all_users(OPERATOR) if not user.disabled]


def read_password(from_stdin: bool) -> str:
    """Read a password: the first line of standard input, or asked for without echo on a terminal."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = getpass("Password: ")
    else:
        password = ""
    if not password:
        raise UserError("cli.no_password")
    return password


def show(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print rows as a JSON list, or as columns under their names."""
    if as_json:
        print(json.dumps(list(rows), default=_plain, ensure_ascii=False, indent=2))
        return
    if not rows:
        print("None.")
        return
    names = list(rows[0])
    cells = [[_word(row[name]) for name in names] for row in rows]
    widths = [max(len(name), *(_columns(line[at]) for line in cells)) for at, name in enumerate(names)]
    for line in ([name.replace("_", " ") for name in names], *cells):
        padded = (cell + " " * (width - _columns(cell)) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


def _columns(text: str) -> int:
    """How wide a terminal shows a text: East Asian characters take two columns, marks that combine none."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def _word(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else str(value)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
