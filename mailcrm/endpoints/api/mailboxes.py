"""`/mailboxes`: connect, change, remove, sync, verify, ledger. Their folders are in folders.py."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field, SecretStr

from mailcrm.endpoints.api.common import Answer, Input, Page, RowId, Who, given, page, plain
from mailcrm.services.mail import health as healths
from mailcrm.services.mail import mailboxes as verbs
from mailcrm.services.mail.providers.values import ServerSpec
from mailcrm.services.mail.sync import verify as verifying

router = APIRouter(prefix="/mailboxes", tags=["mailboxes"])

Name = Annotated[str, Field(max_length=254)]


class Server(Input):
    """How to reach a mail server; `username` is the mailbox's address when left out."""

    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)]
    security: Literal["ssl", "starttls", "none"] = "ssl"
    username: Name | None = None


class NewMailbox(Input):
    """A mailbox to connect; its servers are tried before it is saved."""

    address: Name
    imap: Server
    smtp: Server
    password: SecretStr
    smtp_password: SecretStr | None = None
    display_name: Annotated[str, Field(max_length=120)] = ""
    history_days: Annotated[int, Field(ge=1, le=36500)] | None = None
    folders: Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=2000)] = []


class MailboxChange(Input):
    """Settings to change; what is left out stays."""

    display_name: Annotated[str, Field(max_length=120)] | None = None
    default_visibility: Literal["private", "shared"] | None = None
    track_opens: bool | None = None
    track_clicks: bool | None = None
    #: A copy of its own for each recipient, so that it is known who opened; at most 25, then one email for all.
    track_copies: bool | None = None
    #: Links of the plain text part, too.
    track_text: bool | None = None
    track_notify: bool | None = None
    auto_link_deals: bool | None = None
    deal_link_policy: Literal["ask", "newest", "all", "none"] | None = None
    write_read: bool | None = None
    write_archive: bool | None = None
    write_delete: bool | None = None
    write_drafts: bool | None = None
    hide_gone: bool | None = None
    #: How far back mail is stored, in days; null is everything. Further back fetches, less far deletes nothing.
    history_days: Annotated[int, Field(ge=1, le=36500)] | None = None
    contacts_only: bool | None = None
    paused: bool | None = None


class Mailbox(Answer):
    """A connected mailbox; `error` is the last failure's code."""

    id: int
    address: str
    display_name: str
    status: str
    default_visibility: str
    track_opens: bool
    track_clicks: bool
    track_copies: bool
    track_text: bool
    write_read: bool
    write_archive: bool
    write_delete: bool
    write_drafts: bool
    hide_gone: bool
    history_days: int | None
    contacts_only: bool
    sync_all: bool
    last_success_at: datetime | None
    next_try_at: datetime | None
    error: str
    created_at: datetime


class LedgerLine(Answer):
    """What became of a folder's messages: server = stored + skipped + quarantined + pending.

    `error` is a sentence, `code` its stable name, `kind` and `button` who can end it and how.
    """

    folder_id: int
    folder: str
    role: str
    server: int
    stored: int
    skipped: int
    skipped_reasons: dict[str, int]
    quarantined: int
    pending: int
    last_success_at: datetime | None
    next_try_at: datetime | None
    error: str
    code: str
    kind: str
    button: str
    verified_at: datetime | None
    verify_mended: int


class Trouble(Answer):
    """What is wrong with a whole mailbox: a sentence, and the one thing that helps."""

    kind: str
    sentence: str
    button: str


class Verification(Answer):
    """The comparison with the server: none, waiting, running, sound, mended or failed."""

    state: str
    done: int
    total: int
    checked: int
    finished_at: datetime | None
    findings: list[dict[str, Any]]
    error: str


class Health(Answer):
    """How a mailbox's sync goes: ok, syncing, waiting, trouble, reconnect or paused; `rate` in messages a second."""

    state: str
    server: int
    stored: int
    skipped: int
    quarantined: int
    pending: int
    rate: float | None
    seconds_left: int | None
    last_success_at: datetime | None
    next_try_at: datetime | None
    trouble: Trouble | None
    live: str
    watched_at: datetime | None
    write_waiting: int
    write_failed: int
    verification: Verification


class Ledger(Page[LedgerLine]):
    """A line for each folder that is synced, and how the mailbox goes as a whole."""

    health: Health


@router.get("", response_model=Page[Mailbox])
def list_mailboxes(who: Who) -> Any:
    """List your mailboxes."""
    return page(verbs.list_mailboxes(who))


@router.post("", status_code=201, response_model=Mailbox)
def connect(body: NewMailbox, who: Who) -> Any:
    """Connect a mailbox: both servers are tried first, and nothing is saved when they refuse."""
    return plain(
        verbs.connect(
            who,
            verbs.MailboxInput(
                address=body.address,
                imap=_spec(body.imap, body.address),
                smtp=_spec(body.smtp, body.address),
                password=body.password.get_secret_value(),
                smtp_password=body.smtp_password.get_secret_value() if body.smtp_password else None,
                display_name=body.display_name,
                history_days=body.history_days,
                folders=tuple(body.folders),
            ),
        )
    )


@router.get("/{mailbox_id}", response_model=Mailbox)
def get(mailbox_id: RowId, who: Who) -> Any:
    """One of your mailboxes."""
    return plain(verbs.get(who, mailbox_id))


@router.patch("/{mailbox_id}", response_model=Mailbox)
def change(mailbox_id: RowId, body: MailboxChange, who: Who) -> Any:
    """Change a mailbox's settings."""
    return plain(verbs.change(who, mailbox_id, **given(body)))


@router.delete("/{mailbox_id}", status_code=204)
def remove(mailbox_id: RowId, who: Who, stop_waiting: Annotated[int, Query(ge=0, le=100_000)] = 0) -> None:
    """Disconnect a mailbox; its stored mail is removed here, nothing changes on the server.

    Drafts move to another mailbox of yours, if there is one. `stop_waiting`: how many emails that wait to be sent you
    agree to stop; with more of them nothing is done (`mailbox.waiting`).
    """
    verbs.remove(who, mailbox_id, stop_waiting=stop_waiting)


@router.get("/{mailbox_id}/ledger", response_model=Ledger)
def ledger(mailbox_id: RowId, who: Who) -> Any:
    """What the server holds, and what became of each message."""
    found = healths.health(who, mailbox_id)
    whole = plain(found)
    whole.pop("folders")
    return page(found.folders) | {"health": whole}


@router.post("/{mailbox_id}/verify", status_code=202, response_model=Verification)
def verify(mailbox_id: RowId, who: Who) -> Any:
    """Ask for a comparison with the server, message by message; the ledger's health says how it goes."""
    verifying.request(who, mailbox_id)
    return plain(healths.health(who, mailbox_id).verification)


@router.post("/{mailbox_id}/sync", status_code=202, response_model=Mailbox)
def sync(mailbox_id: RowId, who: Who) -> Any:
    """Ask for a sync now."""
    verbs.request_sync(who, mailbox_id)
    return plain(verbs.get(who, mailbox_id))


def _spec(server: Server, address: str) -> ServerSpec:
    username = address if server.username is None else server.username
    return ServerSpec(server.host, server.port, server.security, username)
