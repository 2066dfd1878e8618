"""Connected mailboxes: try, connect, change, reconnect, remove, and ask for a sync.

Secrets are sealed for the mailbox's own row and leave only through `signing_in.py`, for the worker. Nothing is saved
unless the servers answered. Does not sync (services/mail/sync) and does not know providers' presets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import update
from sqlmodel import Session, col, delete, func, select

from mailcrm.config import config
from mailcrm.errors import UserError
from mailcrm.models import (
    Folder,
    Mailbox,
    MailboxAlias,
    Message,
    Thread,
    ThreadReference,
    utcnow,
)
from mailcrm.services import access, audit, crypto, i18n, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail import hidden, outages, own_changes, scope
from mailcrm.services.mail.oauth import tokens
from mailcrm.services.mail.oauth.values import Granted
from mailcrm.services.mail.outbox import draft_copy, moving
from mailcrm.services.mail.outbox.addresses import clean
from mailcrm.services.mail.providers import table
from mailcrm.services.mail.providers.probe import ProbeResult, ProbeStep, probe_exchange, probe_mailbox
from mailcrm.services.mail.providers.values import Secret, ServerSpec
from mailcrm.services.mail.signing_in import Credentials, credentials, specs
from mailcrm.services.mail.writeback import queue as writeback

__all__ = ["Credentials", "credentials"]  # read through this module, too

#: Stands for a setting that is not given, where None is a value.
KEEP: Any = object()
DEAL_POLICIES = ("ask", "newest", "all", "none")  # what to do with several open deals (M29)
_ADDRESS = re.compile(r"[^\s@<>\x00-\x1f\x7f]{1,64}@[^\s@<>\x00-\x1f\x7f]{1,253}")


@dataclass(frozen=True)
class MailboxInput:
    """What a person enters to connect a mailbox; the passwords are kept out of repr.

    `smtp_password` None: the same as for IMAP. `history_days` None: everything. `folders` empty: all of them.
    """

    address: str
    imap: ServerSpec
    smtp: ServerSpec
    password: Secret
    smtp_password: str | None = None
    display_name: str = ""
    history_days: int | None = None
    folders: tuple[str, ...] = ()
    #: The row of providers.toml that was chosen; "" for the one whose server it is.
    provider: str = ""
    #: "ews": `imap` is where Exchange's web services are, for reading and sending; `smtp` is the same.
    kind: Literal["imap", "ews"] = "imap"

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
    deal_link_policy: str
    write_read: bool
    write_archive: bool
    write_delete: bool
    write_drafts: bool
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
    auth: str = "password"
    track_copies: bool = False
    track_text: bool = False


def test_connection(
    actor: Actor,
    given: MailboxInput,
    on_step: Callable[[ProbeStep], None] | None = None,
    *,
    vouched: bool = False,
) -> ProbeResult:
    """Try both servers, step by step; saves nothing. Takes up to a minute with servers that hang.

    Members are told of this machine's mail servers alone, not which other ports are open; `vouched`: the operator chose
    the servers, or they are a mailbox's already.
    """
    discreet = not (vouched or actor.admin or config().allow_private_hosts)
    if given.kind == "ews":
        return probe_exchange(
            given.imap,
            given.address,
            given.password,
            allow_private=config().allow_private_hosts,
            discreet=discreet,
            on_step=on_step,
        )
    return probe_mailbox(
        given.imap,
        given.password,
        given.smtp,
        given.password if given.smtp_password is None else given.smtp_password,
        allow_private=config().allow_private_hosts,
        discreet=discreet,
        on_step=on_step,
    )


def connect(
    actor: Actor, given: MailboxInput, *, probe: bool = True, granted: Granted | None = None, vouched: bool = False
) -> MailboxView:
    """Try the servers, then save the mailbox and ask for its first sync.

    Raises UserError with the failing step's sentence, and saves nothing then. `probe=False` is for the demo, whose
    servers may still be starting. `granted` takes the place of a password; `given.password` is its access token.
    `vouched` as in `test_connection`.
    """
    address = _address(given.address)
    scope.check_history(given.history_days)
    with reading() as session:
        _not_taken(session, actor, address)
    found = test_connection(actor, given, vouched=vouched or granted is not None) if probe else None
    if found is not None and found.failure is not None:
        raise _as_user_error(found)
    with transaction() as session:
        _not_taken(session, actor, address)
        row = Mailbox(
            user_id=actor.user_id,
            address=address,
            display_name=clean(given.display_name)[:120],
            provider=_provider(given),
            kind=given.kind,
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
        _keep_secret(row, given.password, given.smtp_password, granted)
        if given.folders and found is not None:
            _choose(session, mailbox_id, found, given.folders)
        own_changes.settle(session, gained=(address,))
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


def senders(actor: Actor) -> tuple[tuple[int, str, str], ...]:
    """Return what the actor may write from: (mailbox id, alias or "", address), each mailbox before its aliases."""
    with reading() as session:
        boxes = session.exec(select(Mailbox).where(access.own_mailbox(actor)).order_by(col(Mailbox.id))).all()
        ids = [each.id or 0 for each in boxes]
        query = select(MailboxAlias).where(col(MailboxAlias.mailbox_id).in_(ids)).order_by(col(MailboxAlias.address))
        aliases = session.exec(query).all()
        found: list[tuple[int, str, str]] = []
        for box in boxes:
            found.append((box.id or 0, "", box.address))
            found += [(box.id or 0, a.address, a.address) for a in aliases if a.mailbox_id == box.id]
        return tuple(found)


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
    track_copies: bool | None = None,
    track_text: bool | None = None,
    track_notify: bool | None = None,
    default_visibility: str | None = None,
    auto_link_deals: bool | None = None,
    deal_link_policy: str | None = None,
    write_read: bool | None = None,
    write_archive: bool | None = None,
    write_delete: bool | None = None,
    write_drafts: bool | None = None,
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
    if deal_link_policy not in (None, *DEAL_POLICIES):
        raise UserError("input.invalid", value=str(deal_link_policy)[:40], field="Linking")
    flags = {
        "track_opens": track_opens,
        "track_clicks": track_clicks,
        "track_copies": track_copies,
        "track_text": track_text,
        "track_notify": track_notify,
        "auto_link_deals": auto_link_deals,
        "deal_link_policy": deal_link_policy,
        "write_read": write_read,
        "write_archive": write_archive,
        "write_delete": write_delete,
        "write_drafts": write_drafts,
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
        if write_drafts:
            draft_copy.check_possible(session, mailbox_id)
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


def reconnect(
    actor: Actor,
    mailbox_id: int,
    password: Secret,
    smtp_password: str | None = None,
    *,
    granted: Granted | None = None,
    servers: tuple[ServerSpec, ServerSpec] | None = None,
) -> MailboxView:
    """Replace the password after trying it, and take sync up again (M10). Raises UserError when it doesn't work.

    `granted` takes the place of a password; `password` is its access token, and `servers` those of its provider.
    """
    with reading() as session:
        row = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        imap, smtp = servers or specs(row)
        address, kind = row.address, "ews" if row.kind == "ews" else "imap"
    entered = MailboxInput(address, imap, smtp, password, smtp_password, kind=kind)
    found = test_connection(actor, entered, vouched=True)
    if found.failure is not None:
        raise _as_user_error(found)
    with transaction(durable=granted is not None) as session:
        row = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        _keep_secret(row, password, smtp_password, granted)
        if servers is not None:
            _keep_servers(row, imap, smtp)
        outages.restored(session, row)
        audit.record(session, actor, "reconnect", "mailbox", mailbox_id)
        live.hint(session, actor.user_id, "sync", mailbox_id)
        view = _view(row, actor)
    queue.enqueue("sync_mailbox", mailbox_id=mailbox_id)
    return view


def remove(actor: Actor, mailbox_id: int, *, stop_waiting: int = 0) -> None:
    """Disconnect a mailbox: its stored mail and secrets are removed here, nothing changes on the server.

    Drafts move to another mailbox of the user, or are deleted with it (outbox/moving.py). Raises UserError:
    "mailbox.waiting" when more than `stop_waiting` emails wait to be sent, "mailbox.sending" while one is sent.
    Afterwards a grant is taken back at its provider where that can be done; it is gone from here in any case.
    """
    with transaction() as session:
        row = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        address = row.address
        auth, box, subject = row.auth, row.secret, row.grant_subject
        threads = select(Message.thread_id).where(Message.mailbox_id == mailbox_id)
        touched = set(session.exec(threads))
        aliases = session.exec(select(MailboxAlias.address).where(MailboxAlias.mailbox_id == mailbox_id)).all()
        moving.move_out(session, row, stop_waiting)
        session.delete(row)
        session.flush()
        own_changes.settle(session, lost=(address, *aliases))
        _drop_empty_threads(session, touched)
        audit.record(session, actor, "remove", "mailbox", mailbox_id, address=address)
        live.hint(session, actor.user_id, "mail")
        live.hint(session, actor.user_id, "sync", mailbox_id)
    if auth != "password":
        tokens.revoke(mailbox_id, auth, box, subject)


def request_sync(actor: Actor, mailbox_id: int) -> None:
    """Ask for a sync now, whatever a failure's back-off says."""
    with transaction() as session:
        row = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        row.sync_requested_at, row.next_try_at = utcnow(), None
        session.add(row)
        live.hint(session, actor.user_id, "sync", mailbox_id)
    queue.enqueue("sync_mailbox", mailbox_id=mailbox_id)


def _provider(given: MailboxInput) -> str:
    found = table.of_server(given.imap.host)
    if given.provider and table.get(given.provider).key == given.provider != table.GENERIC:
        return given.provider
    return found.key if found else table.GENERIC


def _keep_secret(row: Mailbox, password: Secret, smtp_password: str | None, granted: Granted | None) -> None:
    """Seal what the mailbox signs in with from now on; a renewal under way of what it had before is void."""
    mailbox_id = row.id or 0
    row.token_lease_owner, row.token_lease_until = "", None
    if granted is not None:
        row.auth, row.grant_subject = granted.provider, granted.grant.subject
        row.token_expires_at = granted.grant.expires_at
        row.secret = tokens.seal(mailbox_id, granted.grant)
        return
    secret = {"imap": password, "smtp": password if smtp_password is None else smtp_password}
    row.auth, row.grant_subject, row.token_expires_at = "password", "", None
    row.secret = crypto.seal(secret, context=f"mailbox:{mailbox_id}")


def _keep_servers(row: Mailbox, imap: ServerSpec, smtp: ServerSpec) -> None:
    row.imap_host, row.imap_port, row.imap_security, row.imap_username = (
        imap.host, imap.port, imap.security, imap.username
    )  # fmt: skip
    row.smtp_host, row.smtp_port, row.smtp_security, row.smtp_username = (
        smtp.host, smtp.port, smtp.security, smtp.username
    )  # fmt: skip


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


def _view(row: Mailbox, actor: Actor) -> MailboxView:
    return MailboxView(
        id=row.id or 0,
        address=row.address,
        display_name=row.display_name,
        provider=row.provider,
        auth=row.auth,
        status=row.status,
        default_visibility=row.default_visibility,
        track_opens=row.track_opens,
        track_clicks=row.track_clicks,
        track_copies=row.track_copies,
        track_text=row.track_text,
        track_notify=row.track_notify,
        auto_link_deals=row.auto_link_deals,
        deal_link_policy=row.deal_link_policy,
        write_read=row.write_read,
        write_archive=row.write_archive,
        write_delete=row.write_delete,
        write_drafts=row.write_drafts,
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
