"""Connected mailboxes, their folders, and what is known of every UID of every folder.

The ledger's promise (B01) is kept by these tables: for the folder's current UIDVALIDITY each UID the server listed
has exactly one row in `pending_uids`, `message_locations`, `skipped_uids` or `quarantine`.
A *folder* is what RFC 3501 calls a mailbox.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from mailcrm.models.base import BigId, Table, json_column, key, moment, one_of

SECURITY = ("ssl", "starttls", "none")
ROLES = ("inbox", "sent", "drafts", "archive", "junk", "trash", "all", "flagged", "other")


class Mailbox(Table, table=True):
    """A connected email account of one user, with its sync lease and its last outcome."""

    __tablename__ = "mailboxes"
    __table_args__ = (
        UniqueConstraint("user_id", "address"),
        UniqueConstraint("id", "user_id"),  # lets rows below prove their owner by a foreign key
        one_of("imap_security", *SECURITY),
        one_of("smtp_security", *SECURITY),
        one_of("status", "active", "paused", "needs_reconnect"),
        one_of("default_visibility", "private", "shared"),
        one_of("deal_link_policy", "ask", "newest", "all", "none"),
        one_of("watch", "", "idle", "poll"),
        one_of("kind", "imap", "ews", "bcc"),
        one_of("auth", "password", "google", "microsoft"),
    )

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    address: str
    display_name: str = ""
    provider: str = "generic"
    #: How it is read: over IMAP, over Exchange's web services, or not at all: it holds the user's Smart Bcc mail.
    kind: str = "imap"

    imap_host: str
    imap_port: int
    imap_security: str
    imap_username: str
    smtp_host: str
    smtp_port: int
    smtp_security: str
    smtp_username: str
    #: AES-GCM box of {"imap": …, "smtp": …}, or of an OAuth grant; bound to this row's id (services/crypto.py).
    secret: bytes
    #: How it signs in: a password of its own, or the grant of a provider.
    auth: str = "password"
    #: Which account granted it (the provider's own id, "sub"): a grant of another is refused, it would mix mailboxes.
    grant_subject: str = ""
    token_expires_at: datetime | None = moment(nullable=True)
    #: One refresh at a time, over all processes.
    token_lease_owner: str = ""
    token_lease_until: datetime | None = moment(nullable=True)
    #: When the user was told that the mailbox needs to be connected again (M10); None while all is well.
    reconnect_told_at: datetime | None = moment(nullable=True)

    status: str = "active"
    history_days: int | None = None  # None: everything
    #: Whether folders that appear on the server are synced by themselves (M14: everything, or only chosen folders).
    sync_all: bool = True
    contacts_only: bool = False  # settled question 9: store only mail with a known person
    hide_gone: bool = False  # settled question 6: hide linked mail that was deleted on the server
    # What is written back to the server, each asked for by its user (M15, M16, settled question 5).
    write_read: bool = True
    write_archive: bool = False
    write_delete: bool = False
    #: A copy of each draft in the server's Drafts folder (outbox/draft_copy.py).
    write_drafts: bool = False
    default_visibility: str = "private"
    track_opens: bool = False
    track_clicks: bool = False
    track_notify: bool = False
    #: One copy for each recipient, so that opens are known by recipient (B04).
    track_copies: bool = False
    #: Links are tracked in the plain text part, too, where they can be seen to be.
    track_text: bool = False
    auto_link_deals: bool = True
    deal_link_policy: str = "ask"

    # To-do and lease columns of the sync job.
    sync_requested_at: datetime | None = moment(nullable=True)
    lease_owner: str = ""
    lease_until: datetime | None = moment(nullable=True)
    next_try_at: datetime | None = moment(nullable=True, index=True)
    last_success_at: datetime | None = moment(nullable=True)
    failures: int = 0
    error_code: str = ""
    error_params: dict[str, Any] = json_column()
    #: When the running (else the last) pass began and how many messages it stored: rate and time left.
    pass_started_at: datetime | None = moment(nullable=True)
    pass_stored: int = 0
    #: What the server offers after sign-in, space-separated, in upper case; "" before the first pass.
    capabilities: str = ""
    #: How new mail is noticed: "" (not watched), "idle", "poll"; the watcher's last proof of life.
    watch: str = ""
    watched_at: datetime | None = moment(nullable=True)
    #: The comparison with the server, message by message (B01): asked for, held until, how far, what it found last.
    verify_requested_at: datetime | None = moment(nullable=True)
    verify_until: datetime | None = moment(nullable=True)
    verify_done: int = 0
    verify_total: int = 0
    verify_report: dict[str, Any] = json_column()
    created_at: datetime = moment(now=True)


class MailboxAlias(Table, table=True):
    """Another own address of a mailbox."""

    __tablename__ = "mailbox_aliases"
    __table_args__ = (UniqueConstraint("mailbox_id", "address"),)

    id: int | None = key()
    mailbox_id: int = key(foreign="mailboxes.id")
    address: str


class OAuthAttempt(Table, table=True):
    """A sign-in at a provider that began here: its state is used once and expires within minutes."""

    __tablename__ = "oauth_attempts"
    __table_args__ = (one_of("provider", "google", "microsoft"),)

    id: int | None = key()
    user_id: int = key(foreign="users.id")
    provider: str
    state_hash: str = Field(unique=True)
    #: AES-GCM box of the PKCE verifier and nonce, bound to the state.
    secret: bytes
    #: The mailbox that is connected again; None for a new one.
    mailbox_id: int | None = key(foreign="mailboxes.id", nullable=True)
    address: str = ""
    created_at: datetime = moment(now=True)
    expires_at: datetime = moment(index=True)
    used_at: datetime | None = moment(nullable=True)


class Folder(Table, table=True):
    """A folder on the server with its cursor. `role` is RFC 6154's special use."""

    __tablename__ = "folders"
    __table_args__ = (
        UniqueConstraint("mailbox_id", "name"),
        one_of("role", *ROLES),
        one_of("phase", "initial", "incremental", "resync"),
    )

    id: int | None = key()
    mailbox_id: int = key(foreign="mailboxes.id")
    name: str
    delimiter: str = "/"
    role: str = "other"
    selectable: bool = True
    chosen: bool = True
    #: Whether the watcher holds IDLE on this folder too (INBOX always).
    watched: bool = False
    gone_at: datetime | None = moment(nullable=True)
    #: OBJECTID's MAILBOXID (RFC 8474), "" where the server has none: a renamed folder keeps it.
    remote_id: str = ""

    # The cursor; moves only in the transaction that stored what it passed (rule 7).
    phase: str = "initial"
    uidvalidity: int | None = Field(default=None, sa_type=BigId)
    uidnext: int = Field(default=1, sa_type=BigId)
    highestmodseq: int | None = Field(default=None, sa_type=BigId)
    server_count: int = 0
    flags_checked_at: datetime | None = moment(nullable=True)
    #: Without CONDSTORE: the round over all flags goes downwards; the lowest UID it reached, None between rounds.
    flags_below: int | None = Field(default=None, sa_type=BigId)
    flags_round_at: datetime | None = moment(nullable=True)
    #: The last `verify`: when, and how many differences it found and mended.
    verified_at: datetime | None = moment(nullable=True)
    verify_mended: int = 0

    last_success_at: datetime | None = moment(nullable=True)
    next_try_at: datetime | None = moment(nullable=True)
    error_code: str = ""
    error_params: dict[str, Any] = json_column()


class PendingUid(Table, table=True):
    """A message on the server that is not stored yet; `tries` counts fetches that brought nothing."""

    __tablename__ = "pending_uids"

    folder_id: int = Field(primary_key=True, foreign_key="folders.id", ondelete="CASCADE", sa_type=BigId)
    uid: int = Field(primary_key=True, sa_type=BigId)
    tries: int = 0


class SkippedUid(Table, table=True):
    """A message left on the server on purpose, with the reason (history window, contacts only …)."""

    __tablename__ = "skipped_uids"
    __table_args__ = (one_of("reason", "history", "contacts_only", "too_large"),)

    folder_id: int = Field(primary_key=True, foreign_key="folders.id", ondelete="CASCADE", sa_type=BigId)
    uid: int = Field(primary_key=True, sa_type=BigId)
    reason: str


class Quarantined(Table, table=True):
    """A message that could not be stored or parsed: kept raw where it could be fetched, with its reason (B02)."""

    __tablename__ = "quarantine"
    __table_args__ = (UniqueConstraint("folder_id", "uid"),)

    id: int | None = key()
    folder_id: int = key(foreign="folders.id")
    uid: int = Field(sa_type=BigId)
    blob_sha: str | None = Field(default=None, foreign_key="blobs.sha256")
    #: A code of `sentences.SENTENCES` ("quarantine.…") with its parameters; a sentence in rows of version 0.1.
    reason: str
    reason_params: dict[str, Any] = json_column()
    #: The mailcrm that failed on it: another version tries again once, by itself.
    version: str = ""
    tries: int = 1
    created_at: datetime = moment(now=True)
    tried_at: datetime = moment(now=True)


class ContactRequest(Table, table=True):
    """A to-do of a contacts-only mailbox: an address became a person's, its history is to be fetched."""

    __tablename__ = "contact_requests"
    __table_args__ = (UniqueConstraint("mailbox_id", "address"),)

    id: int | None = key()
    mailbox_id: int = key(foreign="mailboxes.id", index=False)
    address: str
    created_at: datetime = moment(now=True)


class ServerAction(Table, table=True):
    """Something the user did here that is to be done in the mailbox too (M15, M16): a durable queue, in order of id.

    `from_uid`/`to_uid` are UIDs under the `uidvalidity` noted beside them; an action whose message is not there any
    more is settled by the truth table of `services/mail/writeback/plan.py`. `not_before` holds the undo window.
    """

    __tablename__ = "server_actions"
    __table_args__ = (
        one_of("kind", "read", "unread", "archive", "unarchive", "delete", "undelete"),
        one_of("state", "queued", "done", "obsolete", "failed"),
        Index("ix_server_actions_due", "state", "mailbox_id", "not_before"),
    )

    id: int | None = key()
    mailbox_id: int = key(foreign="mailboxes.id", index=False)
    message_id: int = key(foreign="messages.id")
    kind: str
    state: str = "queued"
    not_before: datetime = moment(now=True)
    from_folder_id: int | None = key(foreign="folders.id", nullable=True, ondelete="SET NULL", index=False)
    from_uidvalidity: int | None = Field(default=None, sa_type=BigId)
    from_uid: int | None = Field(default=None, sa_type=BigId)
    to_folder_id: int | None = key(foreign="folders.id", nullable=True, ondelete="SET NULL", index=False)
    to_uidvalidity: int | None = Field(default=None, sa_type=BigId)
    to_uid: int | None = Field(default=None, sa_type=BigId)
    tries: int = 0
    next_try_at: datetime | None = moment(nullable=True)
    outcome: str = ""  # the truth table's word for what was found and done
    error_code: str = ""
    error_params: dict[str, Any] = json_column()
    created_at: datetime = moment(now=True)
    done_at: datetime | None = moment(nullable=True)


class Blob(Table, table=True):
    """Raw bytes in the blob store, named by their SHA-256 (hex); `size` in bytes before compression.

    Either a file of its own (`pack` ""), or `length` compressed bytes at `start` of a pack file: a batch is written
    and flushed to the disk once, however many messages it holds.
    """

    __tablename__ = "blobs"
    __table_args__ = (Index("ix_blobs_pack", "pack"),)

    sha256: str = Field(primary_key=True, max_length=64)
    size: int = Field(sa_type=BigId)
    pack: str = ""
    start: int = Field(default=0, sa_type=BigId)
    length: int = Field(default=0, sa_type=BigId)
    created_at: datetime = moment(now=True)
