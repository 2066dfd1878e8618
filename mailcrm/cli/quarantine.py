"""`quarantine list | retry`."""

from __future__ import annotations

from typing import Annotated

import typer

from mailcrm.cli import common

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def listing(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List the messages that could not be read, each with its reason."""
    from mailcrm.services.mail import quarantine

    common.open_database()
    rows = [
        {
            "id": item.id,
            "mailbox": item.mailbox,
            "folder": item.folder,
            "uid": item.uid,
            "reason": item.reason,
            "tries": item.tries,
            "tried_at": item.tried_at,
        }
        for _email, actor in common.every_actor()
        for item in quarantine.list_quarantine(actor)
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
    if item_id is not None and not count:
        raise typer.Exit(1)
