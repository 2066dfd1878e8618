"""`mailbox add | list | change | folders | writes | remove | reconnect`."""

from __future__ import annotations

import enum
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from mailcrm.cli import common
from mailcrm.errors import NotFound, UserError
from mailcrm.services.mail.providers.values import ServerSpec

if TYPE_CHECKING:  # the commands import what they need, so that `serve` starts without the mail engine
    from mailcrm.services.access import Actor
    from mailcrm.services.mail.mailboxes import MailboxView

app = typer.Typer(no_args_is_help=True)

IMAP_PORTS = {"ssl": 993, "starttls": 143, "none": 143}  # RFC 8314 section 3.2, RFC 9051
SMTP_PORTS = {"ssl": 465, "starttls": 587, "none": 25}  # RFC 8314 section 3.3, RFC 6409


class SecurityChoice(enum.StrEnum):
    """How a connection is encrypted."""

    ssl = "ssl"
    starttls = "starttls"
    none = "none"


@app.command()
def add(
    user: Annotated[str, typer.Option(help="Whose mailbox.")],
    address: Annotated[str, typer.Option(help="The mailbox's address.")],
    imap_host: Annotated[str, typer.Option(help="IMAP server; that of a known provider otherwise.")] = "",
    imap_port: Annotated[int | None, typer.Option(min=1, max=65535)] = None,
    imap_security: Annotated[SecurityChoice | None, typer.Option()] = None,
    smtp_host: Annotated[str, typer.Option(help="SMTP server; the IMAP server otherwise.")] = "",
    smtp_port: Annotated[int | None, typer.Option(min=1, max=65535)] = None,
    smtp_security: Annotated[SecurityChoice | None, typer.Option()] = None,
    username: Annotated[str, typer.Option(help="User name; the address otherwise.")] = "",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from a pipe.")] = False,
    folder: Annotated[list[str] | None, typer.Option(help="A folder to sync; all of them otherwise.")] = None,
    since: Annotated[str, typer.Option(help="How far back: 30d, or all.")] = "all",
) -> None:
    """Connect a mailbox: its servers are tried first, and nothing is saved when they refuse."""
    from mailcrm.services.mail import mailboxes
    from mailcrm.services.mail.providers import recognise

    found = None if imap_host else recognise.recognise(address)
    if found is not None and found.how == "guess":
        raise UserError("cli.servers_missing", address=address)
    days = _since(since)
    common.open_database()
    actor = common.actor_of(user)
    name = username or address
    if found is not None:
        imap, smtp = found.imap, found.smtp
        if username:
            imap, smtp = replace(imap, username=username), replace(smtp, username=username)
    else:
        imap = _spec(imap_host, imap_port, imap_security, name, IMAP_PORTS)
        smtp = _spec(smtp_host or imap_host, smtp_port, smtp_security, name, SMTP_PORTS)
    given = mailboxes.MailboxInput(
        address=address,
        imap=imap,
        smtp=smtp,
        password=common.read_password(password_stdin),
        history_days=days,
        folders=tuple(folder or ()),
    )
    made = mailboxes.connect(actor, given, vouched=True)
    print(
        f"{made.address} is connected. Its mail arrives while serve or worker runs, or with: sync --mailbox {made.address}"
    )


@app.command("list")
def listing(
    user: Annotated[str, typer.Option(help="Only this user's.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List connected mailboxes."""
    from mailcrm.services.mail import mailboxes

    common.open_database()
    actors = [(user, common.actor_of(user))] if user else common.every_actor()
    rows = [
        {
            "id": box.id,
            "user": email,
            "address": box.address,
            "status": box.status,
            "imap": box.imap_host,
            "smtp": box.smtp_host,
            "last_success": box.last_success_at,
            "error": box.error_sentence,
        }
        for email, actor in actors
        for box in mailboxes.list_mailboxes(replace(actor, language="en"))  # the command line speaks English
    ]
    common.show(rows, as_json=as_json)


@app.command()
def change(
    address: Annotated[str, typer.Argument(help="Which mailbox.")],
    user: Annotated[str, typer.Option(help="Whose, when several users connected it.")] = "",
    since: Annotated[str, typer.Option(help="How far back: 30d, or all.")] = "",
    contacts_only: Annotated[
        bool | None, typer.Option("--contacts-only/--everybody", help="Store only mail with known people.")
    ] = None,
    folder: Annotated[list[str] | None, typer.Option(help="Sync only these folders.")] = None,
    all_folders: Annotated[bool, typer.Option("--all-folders", help="Sync everything.")] = False,
) -> None:
    """Change what of a mailbox is stored; emails that leave with it are counted, kept, and not shown."""
    from mailcrm.services.mail import folder_choice, mailboxes

    changes: dict[str, int | bool | None] = {"history_days": _since(since)} if since else {}
    if contacts_only is not None:
        changes["contacts_only"] = contacts_only
    actor, box = find(address, user)
    if changes:
        mailboxes.change(actor, box.id, **changes)  # type: ignore[arg-type]
    if folder or all_folders:
        chosen = _folder_ids(actor, box.id, folder or [])
        leaving = folder_choice.preview(actor, box.id, everything=all_folders, chosen=chosen)
        folder_choice.choose(actor, box.id, everything=all_folders, chosen=chosen)
        if leaving:
            print(f"{leaving:,} emails are hidden now; choosing their folders again brings them back.")
    print(f"{box.address} is changed.")


@app.command()
def folders(
    address: Annotated[str, typer.Argument(help="Which mailbox.")],
    user: Annotated[str, typer.Option(help="Whose, when several users connected it.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List a mailbox's folders, and which of them are synced and watched."""
    from mailcrm.services.mail import folder_choice

    actor, box = find(address, user)
    rows = [
        {
            "folder": node.name,
            "role": node.role,
            "synced": node.chosen,
            "watched": node.watched,
            "server": node.messages,
            "stored": node.stored,
        }
        for node in folder_choice.folders(actor, box.id).folders
        if node.selectable
    ]
    common.show(rows, as_json=as_json)


@app.command()
def writes(
    address: Annotated[str, typer.Argument(help="Which mailbox.")],
    user: Annotated[str, typer.Option(help="Whose, when several users connected it.")] = "",
    retry: Annotated[int | None, typer.Option(help="Try this one again now.")] = None,
    drop: Annotated[int | None, typer.Option(help="Let this failed one go.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List what was done here and could not yet be done on the server, each with its reason."""
    from mailcrm.services.mail.writeback import shown

    actor, box = find(address, user)
    actor = replace(actor, language="en")
    for action_id, verb in ((retry, shown.retry), (drop, shown.dismiss)):
        if action_id is not None:
            if shown.mailbox_of(actor, action_id) != box.id:
                raise NotFound
            verb(actor, action_id)
    rows = [
        {
            "id": view.id,
            "state": view.state,
            "what": view.kind,
            "subject": view.subject,
            "asked_at": view.created_at,
            "next_try_at": view.next_try_at,
            "reason": view.sentence,
        }
        for view in (*shown.failed(actor, box.id), *shown.pending_actions(actor, box.id))
    ]
    common.show(rows, as_json=as_json)


@app.command()
def remove(
    address: Annotated[str, typer.Argument(help="Which mailbox.")],
    user: Annotated[str, typer.Option(help="Whose, when several users connected it.")] = "",
    stop_waiting: Annotated[int, typer.Option(help="How many emails that wait to be sent may be stopped.")] = 0,
) -> None:
    """Disconnect a mailbox; its stored mail is removed here, nothing changes on the server."""
    from mailcrm.services.mail import mailboxes

    actor, box = find(address, user)
    mailboxes.remove(actor, box.id, stop_waiting=stop_waiting)
    print(f"{box.address} is disconnected.")


@app.command()
def reconnect(
    address: Annotated[str, typer.Argument(help="Which mailbox.")],
    user: Annotated[str, typer.Option(help="Whose, when several users connected it.")] = "",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from a pipe.")] = False,
) -> None:
    """Replace a mailbox's password, after trying it."""
    from mailcrm.services.mail import mailboxes

    actor, box = find(address, user)
    mailboxes.reconnect(actor, box.id, common.read_password(password_stdin))
    print(f"{box.address} is connected again.")


def find(address: str, user: str = "") -> tuple[Actor, MailboxView]:
    """Find a mailbox by address, of one user or of any; UserError when there is none."""
    from mailcrm.services.mail import mailboxes

    common.open_database()
    actors = [(user, common.actor_of(user))] if user else common.every_actor()
    for _email, actor in actors:
        for box in mailboxes.list_mailboxes(actor):
            if box.address == address.strip().lower():
                return actor, box
    raise UserError("cli.no_mailbox", address=address)


def _folder_ids(actor: Actor, mailbox_id: int, names: list[str]) -> list[int]:
    from mailcrm.services.mail import folder_choice

    known = {node.name: node.id for node in folder_choice.folders(actor, mailbox_id).folders}
    for name in names:
        if name not in known:
            raise UserError("cli.no_folder", folder=name)
    return [known[name] for name in names]


def _spec(
    host: str, port: int | None, security: SecurityChoice | None, username: str, ports: dict[str, int]
) -> ServerSpec:
    """Fill in what was left out: the port from the security, or the security from a well-known port."""
    if security is None:
        security = SecurityChoice.starttls if port in (ports["starttls"], ports["none"]) else SecurityChoice.ssl
    return ServerSpec(host, port or ports[security.value], security.value, username)


def _since(value: str) -> int | None:
    if value == "all":
        return None
    if not re.fullmatch(r"[1-9]\d{0,4}d", value):
        raise UserError("cli.since")
    return int(value[:-1])
