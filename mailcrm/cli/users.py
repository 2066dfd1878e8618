"""`user create | list | disable | link`."""

from __future__ import annotations

from typing import Annotated

import typer

from mailcrm.cli import common
from mailcrm.services.auth import reset, users

app = typer.Typer(no_args_is_help=True)


@app.command()
def create(
    email: Annotated[str, typer.Option(help="The address to sign in with.")],
    name: Annotated[str, typer.Option(help="The name that colleagues see.")],
    admin: Annotated[bool, typer.Option("--admin", help="May manage users.")] = False,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from a pipe.")] = False,
) -> None:
    """Make an account."""
    common.open_database()
    made = users.create(name=name, email=email, password=common.read_password(password_stdin), admin=admin)
    print(f"{made.name} <{made.email}> can sign in now, as {'administrator' if admin else 'member'}.")


@app.command("list")
def listing(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """List the accounts."""
    common.open_database()
    rows = [
        {"id": user.id, "email": user.email, "name": user.name, "role": user.role, "disabled": user.disabled}
        for user in users.all_users(common.OPERATOR)
    ]
    common.show(rows, as_json=as_json)


@app.command()
def disable(email: Annotated[str, typer.Argument(help="Whose account.")]) -> None:
    """Switch an account off and end its sessions."""
    common.open_database()
    users.disable(None, common.actor_of(email).user_id)
    print(f"{email} can no longer sign in.")


@app.command()
def link(email: Annotated[str, typer.Argument(help="Whose account.")]) -> None:
    """Print a link that sets a new password; it works once, for an hour."""
    common.open_database()
    print(reset.make_link(common.actor_of(email).user_id))
