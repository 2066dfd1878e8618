"""What a mailbox's connections sign in with, password or token: the one place that knows (M09).

A token comes from `oauth/tokens.py`, which renews it ahead of its end. One that the mail server refuses all the same is
renewed once and tried once more: clocks differ, and grants are taken back (sync.md A4, "reauth"). Used by sync, watch,
write-back, sending and the copy in Sent; connects by itself only to where mail is read: IMAP, or Exchange (EWS).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from mailcrm.config import config
from mailcrm.errors import NeedsReconnect, NotFound, PermanentError, UserError
from mailcrm.models import Mailbox
from mailcrm.services import crypto
from mailcrm.services.db import reading
from mailcrm.services.mail.ews import client as ews
from mailcrm.services.mail.imap.client import ImapConnection, connect
from mailcrm.services.mail.imap.wire import Limits
from mailcrm.services.mail.oauth import tokens
from mailcrm.services.mail.providers.values import AccessToken, Secret, Security, ServerSpec
from mailcrm.services.mail.remote import MailConnection

T = TypeVar("T")


@dataclass(frozen=True)
class Credentials:
    """What a connection needs; only for the worker and the outbox."""

    imap: ServerSpec
    imap_password: Secret
    smtp: ServerSpec
    smtp_password: Secret
    mailbox_id: int = 0
    #: "imap", or "ews": then `imap` is where Exchange's web services are, for reading and sending.
    kind: str = "imap"
    address: str = ""

    def __repr__(self) -> str:
        return f"Credentials(imap={self.imap!r}, smtp={self.smtp!r})"

    def __iter__(self) -> Iterator[ServerSpec | Secret]:
        """Unpack as (imap, its password, smtp, its password)."""
        return iter((self.imap, self.imap_password, self.smtp, self.smtp_password))

    def with_token(self, token: AccessToken) -> Credentials:
        """Return the same with another token."""
        return replace(self, imap_password=token, smtp_password=token)


def credentials(mailbox_id: int) -> Credentials:
    """Unseal what the worker needs to connect; a token is renewed if need be, which may wait for its provider.

    Not for views. Raises NotFound, PermanentError("secret.unreadable"), and for a grant what `tokens.access_token` does.
    """
    with reading() as session:
        row = session.get(Mailbox, mailbox_id)
        if row is None:
            raise NotFound
        imap, smtp = specs(row)
        box, auth, kind, address = row.secret, row.auth, row.kind, row.address
    if auth != "password":
        token = tokens.access_token(mailbox_id)
        return Credentials(imap, token, smtp, token, mailbox_id)
    secret: Any = crypto.unseal(box, context=f"mailbox:{mailbox_id}")
    if not isinstance(secret, dict) or "imap" not in secret:
        raise PermanentError("secret.unreadable")
    sealed = cast("dict[str, Any]", secret)
    password, other = str(sealed["imap"]), str(sealed.get("smtp", sealed["imap"]))
    return Credentials(imap, password, smtp, other, mailbox_id, kind, address)


def open_imap(access: Credentials, limits: Limits | None = None) -> ImapConnection:
    """Connect to the mailbox's IMAP server and sign in. Raises as `imap.client.connect` and `credentials` do."""

    def attempt(current: Credentials) -> ImapConnection:
        return connect(current.imap, current.imap_password, allow_private=config().allow_private_hosts, limits=limits)

    return signed_in(access, attempt)


def open_mailbox(access: Credentials, limits: Limits | None = None, *, thorough: bool = False) -> MailConnection:
    """Connect to where the mailbox's mail is and sign in. Raises as `imap.client.connect` and `credentials` do.

    `thorough`: nothing that was noted before stands for what the server says; IMAP needs no such note.
    """

    def attempt(current: Credentials) -> MailConnection:
        if current.kind == "ews":
            return ews.connect(
                current.imap, current.address, current.imap_password, current.mailbox_id,
                allow_private=config().allow_private_hosts, limits=limits, thorough=thorough,
            )  # fmt: skip
        return open_imap(current, limits)

    return attempt(access) if access.kind == "imap" else signed_in(access, attempt)


def signed_in(access: Credentials, attempt: Callable[[Credentials], T]) -> T:
    """Call `attempt` with what to sign in with now; once more with a new token when the server refuses the first.

    `access` may be old, as that of a sync that takes hours. `attempt` must be safe to repeat after NeedsReconnect.
    """
    used = access.imap_password
    if not isinstance(used, AccessToken):
        return attempt(access)
    current = tokens.access_token(access.mailbox_id)
    try:
        return attempt(access.with_token(current))
    except NeedsReconnect:
        renewed = tokens.access_token(access.mailbox_id, not_this=current.value)
    return attempt(access.with_token(renewed))


def specs(row: Mailbox) -> tuple[ServerSpec, ServerSpec]:
    """Return how a mailbox's IMAP and SMTP servers are reached."""
    return (
        ServerSpec(row.imap_host, row.imap_port, security(row.imap_security), row.imap_username),
        ServerSpec(row.smtp_host, row.smtp_port, security(row.smtp_security), row.smtp_username),
    )


def security(value: str) -> Security:
    """Return `value` as one of the three. Raises UserError."""
    if value == "ssl" or value == "starttls" or value == "none":
        return value
    raise UserError("input.invalid", value=value[:40], field="Security")
