"""Connected mailboxes: try, connect, change, reconnect, remove, and ask for a sync.

Secrets are sealed for the mailbox's own row and leave only through `credentials`, for the worker. Nothing is saved
unless the servers answered. Does not sync (services/mail/sync) and does not know providers' presets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import update
from sqlmodel import Session, col, delete, func, select

from mailcrm.config import config
from mailcrm.errors import NotFound, PermanentError, UserError
from mailcrm.models import (
    Folder,
    Mailbox,
    Message,
    Outbox,
    Thread,
    ThreadReference,
    utcnow,
)
from mailcrm.services import access, audit, crypto, i18n, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail import hidden, scope
from mailcrm.services.mail.outbox.addresses import clean
from mailcrm.services.mail.providers.probe import ProbeResult, ProbeStep, probe_mailbox
from mailcrm.services.mail.providers.values import Security, ServerSpec
from mailcrm.services.mail.writeback import queue as writeback

#: Stands for a setting that is not given, where None is a value.
KEEP: Any = object()
_ADDRESS = re.compile(r"[^\s@<>\x00-\x1f\x7f]{1,64}@[^\s@<>\x00-\x1f\x7f]{1,253}")


@dataclass(frozen=True)
class MailboxInput:
    """What a person enters to connect a mailbox; the passwords are kept out of repr.

    `smtp_password` None: the same as for IMAP. `history_days` None: everything. `folders` empty: all of them.
    """

    address: str
    imap: ServerSpec
    smtp: ServerSpec
    password: str
    smtp_password: str | None = None
    display_name: str = ""
    history_days: int | None = None
    folders: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"MailboxInput(address={self.address!r}, imap={self.imap!r}, smtp={self.smtp!r})"


@dataclass(frozen=True)
class MailboxView:
    """A mailbox as its user sees it; `error` is the last failure's code, "" after a success."""

    id: int
    address: str
    display_name: str
    provider: str
    status: str
    default_visibility: str
    track_opens: bool
    track_clicks: bool
    track_notify: bool
    auto_link_deals: bool
    write_read: bool
    write_archive: bool
    write_delete: bool
    hide_gone: bool
    last_success_at: datetime | None
    next_try_at: datetime | None
    error: str
    created_at: datetime
    error_sentence: str = ""
    imap_host: str = ""
    smtp_host: str = ""
    history_days: int | None = None
    contacts_only: bool = False
    sync_all: bool = True


@dataclass(frozen=True)
class Credentials:
    """What a connection needs; only for the worker and the outbox."""

    imap: ServerSpec
    imap_password: str
    smtp: ServerSpec
    smtp_password: str

    def __repr__(self) -> str:
        return f"Credentials(imap={self.imap!r}, smtp={self.smtp!r})"

    def __iter__(self) -> Iterator[ServerSpec | str]:
        """Unpack as (imap, its password, smtp, its password)."""
        return iter((self.imap, self.imap_password, self.smtp, self.smtp_password))


def test_connection(
    actor: Actor, given: MailboxInput, on_step: Callable[[ProbeStep], None] | None = None
) -> ProbeResult:
    """Try both servers, step by step; saves nothing. Takes up to a minute with servers that hang."""
    del actor  # any user may connect mailboxes of their own
    return probe_mailbox(
        given.imap,
        given.password,
        given.smtp,
        given.password if given.smtp_password is None else given.smtp_password,
        allow_private=config().allow_private_hosts,
        on_step=on_step,
    )


def connect(actor: Actor, given: MailboxInput, *, probe: bool = True) -> MailboxView:
    """Try the servers, then save the mailbox and ask for its first sync.

    Raises UserError with the failing step's sentence, and saves nothing then. `probe=False` is for the demo, whose
    servers may still be starting.
    """
    address = _address(given.address)
    scope.check_history(given.history_days)
    with reading() as session:
        _not_taken(session, actor, address)
    found = test_connection(actor, given) if probe else None
    if found is not None and found.failure is not None:
        raise _as_user_error(found)
    with transaction() as session:
        _not_taken(session, actor, address)
        row = Mailbox(
            user_id=actor.user_id,
            address=address,
            display_name=clean(given.display_name)[:120],
            imap_host=given.imap.host,
            imap_port=given.imap.port,
            imap_security=given.imap.security,
            imap_username=given.imap.username,
            smtp_host=given.smtp.host,
            smtp_port=given.smtp.port,
            smtp_security=given.smtp.security,
            smtp_username=given.smtp.username,
            secret=b"",
            history_days=given.history_days,
            sync_all=not given.folders,
            sync_requested_at=utcnow(),
        )
        session.add(row)
        session.flush()
        mailbox_id = row.id or 0
        row.secret = _seal(mailbox_id, given.password, given.smtp_password)
        if given.folders and found is not None:
            _choose(session, mailbox_id, found, given.folders)
        audit.record(session, actor, "connect", "mailbox", mailbox_id, address=address)
        live.hint(session, actor.user_id, "sync", mailbox_id)
        view = _view(row, actor)
    queue.enqueue("sync_mailbox", mailbox_id=mailbox_id)
    return view


def list_mailboxes(actor: Actor) -> tuple[MailboxView, ...]:
    """List the actor's mailboxes, oldest first."""
    with reading() as session:
        rows = session.exec(select(Mailbox).where(access.own_mailbox(actor)).order_by(col(Mailbox.id)))
        return tuple(_view(row, actor) for row in rows)


def get(actor: Actor, mailbox_id: int) -> MailboxView:
    """Return one of the actor's mailboxes; NotFound for anybody else's."""
    with reading() as session:
        return _view(access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor)), actor)


def change(
    actor: Actor,
    mailbox_id: int,
    *,
    track_opens: bool | None = None,
    track_clicks: bool | None = None,
    track_notify: bool | None = None,
    default_visibility: str | None = None,
    auto_link_deals: bool | None = None,
    write_read: bool | None = None,
    write_archive: bool | None = None,
    write_delete: bool | None = None,
    hide_gone: bool | None = None,
    history_days: int | None = KEEP,
    contacts_only: bool | None = None,
    display_name: str | None = None,
    paused: bool | None = None,
) -> MailboxView:
    """Change the settings that are given. `paused=False` takes sync up again at once.

    A `write_…` that is switched off cancels what waits to be done on the server of that kind (M15, M16).
    `history_days` None stores everything; what is stored is widened and narrowed by services/mail/scope.py.
    """
    if default_visibility not in (None, "private", "shared"):
        raise UserError("input.invalid", value=str(default_visibility)[:40], field="Visibility")
    flags = {
        "track_opens": track_opens,
        "track_clicks": track_clicks,
        "track_notify": track_notify,
        "auto_link_deals": auto_link_deals,
        "write_read": write_read,
        "write_archive": write_archive,
        "write_delete": write_delete,
        "hide_gone": hide_gone,
        "default_visibility": default_visibility,
        "display_name": clean(display_name)[:120] if display_name is not None else None,
    }
    with transaction() as session:
        row = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        for name, value in flags.items():
            if value is not None:
                setattr(row, name, value)
        writeback.cancel_switched_off(session, row)
        if hide_gone is not None:
            session.flush()
            hidden.settle(session, mailbox_id)
        widened = history_days is not KEEP and scope.change_history(session, row, history_days)
        if contacts_only is not None:
            widened = scope.change_contacts_only(session, row, contacts_only) or widened
        if paused is not None and row.status != "needs_reconnect":
            row.status = "paused" if paused else "active"
            if not paused:
                row.sync_requested_at, row.next_try_at = utcnow(), None
        session.add(row)
        flags |= {"history_days": None if history_days is KEEP else widened, "contacts_only": contacts_only}
        changed = sorted(name for name, value in flags.items() if value is not None)
        audit.record(session, actor, "change", "mailbox", mailbox_id, fields=changed)
        live.hint(session, actor.user_id, "sync", mailbox_id)
        view = _view(row, actor)
    if paused is False or widened:
        queue.enqueue("sync_mailbox", mailbox_id=mailbox_id)
    return view


def reconnect(actor: Actor, mailbox_id: int, password: str, smtp_password: str | None = None) -> MailboxView:
    """Replace the password after trying it, and take sync up again (M10). Raises UserError when it doesn't work."""
    with reading() as session:
        row = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        imap, smtp = _specs(row)
        address = row.address
    found = test_connection(actor, MailboxInput(address, imap, smtp, password, smtp_password))
    if found.failure is not None:
        raise _as_user_error(found)
    with transaction() as session:
        row = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        row.secret = _seal(mailbox_id, password, smtp_password)
        row.status, row.failures, row.error_code, row.error_params = "active", 0, "", {}
        row.next_try_at, row.sync_requested_at = None, utcnow()
        session.add(row)
        audit.record(session, actor, "reconnect", "mailbox", mailbox_id)
        live.hint(session, actor.user_id, "sync", mailbox_id)
        view = _view(row, actor)
    queue.enqueue("sync_mailbox", mailbox_id=mailbox_id)
    return view


def remove(actor: Actor, mailbox_id: int) -> None:
    """Disconnect a mailbox: its stored mail and secrets are removed here, nothing changes on the server."""
    with transaction() as session:
        row = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        address = row.address
        threads = select(Message.thread_id).where(Message.mailbox_id == mailbox_id)
        touched = set(session.exec(threads))
        session.exec(delete(Outbox).where(col(Outbox.mailbox_id) == mailbox_id))
        session.delete(row)
        session.flush()
        _drop_empty_threads(session, touched)
        audit.record(session, actor, "remove", "mailbox", mailbox_id, address=address)
        live.hint(session, actor.user_id, "mail")
        live.hint(session, actor.user_id, "sync", mailbox_id)


def request_sync(actor: Actor, mailbox_id: int) -> None:
    """Ask for a sync now, whatever a failure's back-off says."""
    with transaction() as session:
        row = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        row.sync_requested_at, row.next_try_at = utcnow(), None
        session.add(row)
        live.hint(session, actor.user_id, "sync", mailbox_id)
    queue.enqueue("sync_mailbox", mailbox_id=mailbox_id)


def credentials(mailbox_id: int) -> Credentials:
    """Unseal what the worker needs to connect. Not for views; raises NotFound, PermanentError("secret.unreadable")."""
    with reading() as session:
        row = session.get(Mailbox, mailbox_id)
        if row is None:
            raise NotFound
        imap, smtp = _specs(row)
        box = row.secret
    secret: Any = crypto.unseal(box, context=f"mailbox:{mailbox_id}")
    if not isinstance(secret, dict) or "imap" not in secret:
        raise PermanentError("secret.unreadable")
    sealed = cast("dict[str, Any]", secret)
    return Credentials(imap, str(sealed["imap"]), smtp, str(sealed.get("smtp", sealed["imap"])))


def _seal(mailbox_id: int, password: str, smtp_password: str | None) -> bytes:
    secret = {"imap": password, "smtp": password if smtp_password is None else smtp_password}
    return crypto.seal(secret, context=f"mailbox:{mailbox_id}")


def _choose(session: Session, mailbox_id: int, found: ProbeResult, chosen: Sequence[str]) -> None:
    """Keep which folders to sync; the sync engine fills in the rest of their rows."""
    for folder in found.folders:
        session.add(
            Folder(
                mailbox_id=mailbox_id,
                name=folder.name,
                delimiter=folder.delimiter or "",
                role=folder.role or "other",
                selectable=folder.selectable,
                chosen=folder.name in chosen,
            )
        )


def _drop_empty_threads(session: Session, thread_ids: set[int]) -> None:
    for thread_id in thread_ids:
        left = session.exec(select(func.count()).select_from(Message).where(Message.thread_id == thread_id)).one()
        if left:
            session.exec(update(Thread).where(col(Thread.id) == thread_id).values(message_count=left))
        else:
            session.exec(delete(ThreadReference).where(col(ThreadReference.thread_id) == thread_id))
            session.exec(delete(Thread).where(col(Thread.id) == thread_id))


def _not_taken(session: Session, actor: Actor, address: str) -> None:
    taken = select(Mailbox.id).where(access.own_mailbox(actor), Mailbox.address == address)
    if session.exec(taken).first() is not None:
        raise UserError("mailbox.taken", address=address)


def _as_user_error(found: ProbeResult) -> UserError:
    step = found.failure
    if step is None or step.error is None:
        return UserError("internal")
    error = UserError(step.error.code, **step.error.params)
    error.__cause__ = step.error
    return error


def _address(value: str) -> str:
    address = value.strip().lower()
    if not _ADDRESS.fullmatch(address):
        raise UserError("mailbox.address", address=value.strip()[:80])
    return address


def _security(value: str) -> Security:
    if value == "ssl" or value == "starttls" or value == "none":
        return value
    raise UserError("input.invalid", value=value[:40], field="Security")


def _specs(row: Mailbox) -> tuple[ServerSpec, ServerSpec]:
    return (
        ServerSpec(row.imap_host, row.imap_port, _security(row.imap_security), row.imap_username),
        ServerSpec(row.smtp_host, row.smtp_port, _security(row.smtp_security), row.smtp_username),
    )


def _view(row: Mailbox, actor: Actor) -> MailboxView:
    return MailboxView(
        id=row.id or 0,
        address=row.address,
        display_name=row.display_name,
        provider=row.provider,
        status=row.status,
        default_visibility=row.default_visibility,
        track_opens=row.track_opens,
        track_clicks=row.track_clicks,
        track_notify=row.track_notify,
        auto_link_deals=row.auto_link_deals,
        write_read=row.write_read,
        write_archive=row.write_archive,
        write_delete=row.write_delete,
        hide_gone=row.hide_gone,
        last_success_at=row.last_success_at,
        next_try_at=row.next_try_at,
        error=row.error_code,
        created_at=row.created_at,
        error_sentence=i18n.kept_sentence(row.error_code, row.error_params, actor.language),
        imap_host=row.imap_host,
        smtp_host=row.smtp_host,
        history_days=row.history_days,
        contacts_only=row.contacts_only,
        sync_all=row.sync_all,
    )
