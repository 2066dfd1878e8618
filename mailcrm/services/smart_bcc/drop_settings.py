"""The drop mailbox as an administrator sets it up, changes it and takes it away. Tried before it is saved.

The mailbox belongs to the workspace, not to a user: no person's mail should lie in it. Nothing there is changed, also
not when it is taken away here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from mailcrm.config import config
from mailcrm.errors import NotFound, UserError
from mailcrm.models import DropMailbox
from mailcrm.services import access, audit, crypto, i18n, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail.imap import client
from mailcrm.services.mail.outbox.addresses import is_address
from mailcrm.services.mail.providers.values import ServerSpec
from mailcrm.services.mail.signing_in import security
from mailcrm.services.smart_bcc.drop import CONTEXT


@dataclass(frozen=True)
class DropInput:
    """What an administrator enters; the password is kept out of repr. `catch_all`: every address of the domain."""

    address: str
    host: str
    username: str
    password: str = field(repr=False)
    port: int = 993
    security: str = "ssl"
    catch_all: bool = False
    folder: str = "INBOX"


@dataclass(frozen=True, slots=True)
class DropView:
    """The drop mailbox; `error_sentence` "" while all is well."""

    address: str
    catch_all: bool
    host: str
    port: int
    security: str
    username: str
    folder: str
    last_success_at: datetime | None
    next_try_at: datetime | None
    error_sentence: str


def get(actor: Actor) -> DropView | None:
    """Return the drop mailbox, None without one. Administrators only."""
    access.require_admin(actor)
    with reading() as session:
        row = session.get(DropMailbox, 1)
        return _view(row, actor) if row is not None else None


def connect(actor: Actor, given: DropInput) -> DropView:
    """Try the server, then save. Mail that lies there already is left alone. Raises with the server's sentence."""
    access.require_admin(actor)
    address = given.address.strip().lower()
    if not is_address(address):
        raise UserError("mailbox.address", address=given.address.strip()[:80])
    # Of a catch-all only the domain counts, and is all that is kept: own_addresses.py makes addresses of it in SQL.
    kept = "@" + address.rpartition("@")[2] if given.catch_all else address
    if not given.host.strip() or not 0 < given.port < 65536:
        raise UserError("input.missing", field="Server")
    spec = ServerSpec(given.host.strip(), given.port, security(given.security), given.username.strip() or address)
    folder = given.folder.strip() or "INBOX"
    with client.connect(spec, given.password, allow_private=config().allow_private_hosts) as connection:
        status = connection.examine(folder)
    values: dict[str, Any] = {
        "address": kept, "catch_all": given.catch_all, "host": spec.host, "port": spec.port,
        "security": spec.security, "username": spec.username, "folder": folder,
        "secret": crypto.seal({"imap": given.password}, context=CONTEXT),
    }  # fmt: skip
    with transaction() as session:
        row = session.get(DropMailbox, 1)
        same = row is not None and (row.address, row.host, row.username, row.folder, row.uidvalidity) == (
            kept, spec.host, spec.username, folder, status.uidvalidity,
        )  # fmt: skip
        if row is None:
            row = DropMailbox(**values)
        for name, value in values.items():
            setattr(row, name, value)
        if not same:
            row.uidvalidity, row.uidnext = status.uidvalidity, max(1, status.uidnext)
        row.lease_owner, row.lease_until, row.next_try_at = "", None, None
        row.error_code, row.error_params = "", {}
        session.add(row)
        audit.record(session, actor, "connect", "drop_mailbox", 1, address=address)
        live.hint(session, None, "smart_bcc")
        view = _view(row, actor)
    queue.enqueue("drop_mailbox")
    return view


def remove(actor: Actor) -> None:
    """Take the drop mailbox away; its password is deleted here, nothing changes there."""
    access.require_admin(actor)
    with transaction() as session:
        row = session.get(DropMailbox, 1)
        if row is None:
            raise NotFound
        audit.record(session, actor, "remove", "drop_mailbox", 1, address=row.address)
        session.delete(row)
        live.hint(session, None, "smart_bcc")


def _view(row: DropMailbox, actor: Actor) -> DropView:
    params = cast("dict[str, object]", row.error_params)
    return DropView(
        address=row.address, catch_all=row.catch_all, host=row.host, port=row.port, security=row.security,
        username=row.username, folder=row.folder, last_success_at=row.last_success_at, next_try_at=row.next_try_at,
        error_sentence=i18n.kept_sentence(row.error_code, params, actor.language) if row.error_code else "",
    )  # fmt: skip
