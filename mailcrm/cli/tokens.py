"""`token create`."""

from __future__ import annotations

from typing import Annotated

import typer

from mailcrm.cli import common
from mailcrm.services.auth import users

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `create` a command of its own although it is the only one."""


@app.command()
def create(
    user: Annotated[str, typer.Option(help="Whose token: it sees what this user sees.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a token and print it, this once."""
    common.open_database()
    print(users.create_token(common.actor_of(user), name))
