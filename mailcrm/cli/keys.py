"""`keys rotate`, `keys list`: the keys that secrets in the database are sealed with."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mailcrm.cli import common
from mailcrm.services import keys

app = typer.Typer(no_args_is_help=True)


@app.command()
def rotate(
    new: Annotated[bool, typer.Option(help="Put a new key into the key file first.")] = True,
) -> None:
    """Make a new key and seal every stored secret with it, while everything runs."""
    common.open_database()
    if new and not keys.add_key():
        print("The keys are in MAILCRM_SECRET_KEY: put a new one in front of it yourself, and restart. Sealing again.")
    done, broken = keys.rotate()
    print(f"{done} secrets were sealed again.")
    if broken:
        print(f"{broken} could not be opened with any key. Their mailboxes have to be connected again.")
    print("Keep the old keys in the file: links in mail that was sent, and people's opt-outs, are known by them.")
    if broken:
        raise typer.Exit(1)


@app.command(name="list")
def list_keys(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List the keys by what they are recognised by, with how many secrets each of them seals."""
    common.open_database()
    found = keys.counts()
    if as_json:
        print(json.dumps(found))
        return
    for number, (name, count) in enumerate(found.items()):
        print(f"{name}  {count} secrets" + ("  (seals now)" if number == 0 else ""))
