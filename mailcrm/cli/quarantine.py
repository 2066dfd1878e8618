"""`quarantine list | retry | raw`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailcrm.cli import common
from mailcrm.errors import NotFound

if TYPE_CHECKING:
    from mailcrm.services.mail.quarantine import QuarantineView

app = typer.Typer(no_args_is_help=True)


def everybodys() -> list[QuarantineView]:
    """Every user's quarantined messages, in English."""
    from mailcrm.services.mail import quarantine

    return [
        item
        for _email, actor in common.every_actor()
        for item in quarantine.list_quarantine(replace(actor, language="en"))
    ]


@app.command("list")
def listing(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List the messages that could not be read, each with its reason."""
    common.open_database()
    rows = [
        {
            "id": item.id,
            "mailbox": item.mailbox,
            "folder": item.folder,
            "uid": item.uid,
            "sender": item.sender,
            "subject": item.subject,
            "size": item.size,
            "reason": item.reason,
            "tries": item.tries,
            "tried_at": item.tried_at,
        }
        for item in everybodys()
    ]
    common.show(rows, as_json=as_json)


@app.command()
def retry(
    item_id: Annotated[int | None, typer.Argument(help="One message's id; all of them otherwise.")] = None,
) -> None:
    """Fetch them again at the next sync."""
    from mailcrm.services.mail import quarantine

    common.open_database()
    count = sum(quarantine.retry(actor, item_id) for _email, actor in common.every_actor())
    print(f"{count} will be fetched again.")


@app.command()
def raw(
    item_id: Annotated[int, typer.Argument(help="The message's id.")],
    file: Annotated[Path, typer.Argument(help="Where to write it; must not exist.")],
) -> None:
    """Write a message's bytes, as the server sent them, into a file."""
    from mailcrm.services.mail import quarantine

    common.open_database()
    for _email, actor in common.every_actor():
        try:
            data = quarantine.raw(actor, item_id)
        except NotFound:
            continue
        with file.open("xb") as handle:
            handle.write(data)
        print(f"{len(data):,} bytes are in {file}.")
        return
    raise NotFound
