"""Sends a person to a provider to sign in, and takes what comes back: a mailbox, new or connected again.

    begin ──▶ attempt: state (hashed, with the session's), sealed verifier and nonce ──▶ the provider's page
    finish ──▶ attempt used, once, within ten minutes ──▶ code exchanged ──▶ right account? ──▶ live test ──▶ saved

An attempt belongs to one user, one browser session and one provider: a code that another user or another sign-in
brought back finds none (security.md 10). PKCE (S256) and the nonce are never optional. Nothing is stored of a grant
that is refused here.
Does not read cookies or answer requests (endpoints/oauth.py) and renews nothing (tokens.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import delete, update
from sqlmodel import col, select

from mailcrm import routes
from mailcrm.config import OAuthApp, config, mail_server
from mailcrm.errors import MailcrmError, UserError
from mailcrm.models import Mailbox, OAuthAttempt, utcnow
from mailcrm.services import access, crypto
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import mailboxes, scope
from mailcrm.services.mail.mailboxes import MailboxInput, MailboxView
from mailcrm.services.mail.oauth import libraries, refusals
from mailcrm.services.mail.oauth.values import NAMES, Grant, Granted, Provider, app_of, known, redirect_uri
from mailcrm.services.mail.providers.values import AccessToken, ServerSpec
from mailcrm.services.mail.signing_in import security
from mailcrm.services.rows import run

LIFETIME = timedelta(minutes=10)
KEPT_FOR = timedelta(days=1)  # used and expired attempts, whose state must not be taken again
MOST_OPEN = 20  # attempts of one user at a time
_SAME = {"googlemail.com": "gmail.com"}


@dataclass(frozen=True, slots=True)
class Arrival:
    """What came of a sign-in: the mailbox, and whether it is new."""

    mailbox: MailboxView
    is_new: bool


def offered() -> tuple[Provider, ...]:
    """Return the providers whose app the operator has registered: the others are not offered to anybody."""
    apps: dict[Provider, OAuthApp] = {"google": config().google, "microsoft": config().microsoft}
    return tuple(name for name, app in apps.items() if app.is_set_up)


def start_url(
    actor: Actor, provider: str, *, address: str = "", mailbox_id: int | None = None, history_days: int | None = None
) -> str:
    """Return the path that a browser opens (as its whole page) to sign in at a provider.

    `address` is offered there as the account; `mailbox_id` connects that mailbox again; `history_days` is for a new one
    (None: everything). Raises PermanentError("oauth.not_set_up"), NotFound for a mailbox that is not the actor's.
    """
    app_of(known(provider))
    if mailbox_id is not None:
        with reading() as session:
            address = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor)).address
    return routes.oauth_start(provider, address=address, mailbox_id=mailbox_id, history_days=history_days)


def begin(
    actor: Actor,
    session_secret: str,
    provider: str,
    *,
    address: str = "",
    mailbox_id: int | None = None,
    history_days: int | None = None,
) -> str:
    """Note an attempt and return the address of the provider's page. Raises as `start_url` does, and UserError."""
    name = known(provider)
    app = app_of(name)
    scope.check_history(history_days)
    address = address.strip()[:254]
    state = crypto.token()
    journey = libraries.of(name).begin(app, state, address)
    key = _key(state, session_secret)
    now = utcnow()
    with transaction() as session:
        if mailbox_id is not None:
            access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        run(session, delete(OAuthAttempt).where(col(OAuthAttempt.expires_at) < now - KEPT_FOR))
        _keep_few(session, actor)
        session.add(
            OAuthAttempt(
                user_id=actor.user_id,
                provider=name,
                state_hash=key,
                secret=crypto.seal({"kept": journey.kept, "history": history_days}, context=f"oauth:{key}"),
                mailbox_id=mailbox_id,
                address=address.lower(),
                expires_at=now + LIFETIME,
            )
        )
    return journey.url


def finish(actor: Actor, session_secret: str, provider: str, params: Mapping[str, str]) -> Arrival:
    """Take what the provider sent back with the browser (`code` and `state`, or `error`) and save the mailbox.

    Takes up to a minute: both mail servers are tried. Raises UserError, PermanentError or TransientError with a sentence;
    nothing is stored then.
    """
    name = known(provider)
    attempt, kept, history = _use(actor, session_secret, name, params.get("state", ""))
    app = app_of(name)
    if params.get("error"):
        words = params.get("error_description", "")
        raise refusals.of_answer(name, params["error"], words, renewing=False, redirect_uri=redirect_uri(name))
    if (
        not params.get("code")
        or params.get("iss", app.authorize_url).split("/")[2:3] != app.authorize_url.split("/")[2:3]
    ):
        raise UserError("oauth.expired")  # RFC 9207: an answer of another provider
    grant = libraries.of(name).finish(app, kept, params)
    return _save(actor, name, app, attempt, grant, history)


def _save(
    actor: Actor, provider: Provider, app: OAuthApp, attempt: OAuthAttempt, grant: Grant, history: int | None
) -> Arrival:
    granted = Granted(provider, grant)
    token = AccessToken(grant.access)
    address = grant.address
    with reading() as session:
        if attempt.mailbox_id is not None:
            row = access.load(session, Mailbox, attempt.mailbox_id, access.own_mailbox(actor))
        else:
            if attempt.address and not _is_same(attempt.address, address):
                if not _is_same(attempt.address, grant.claimed):
                    raise UserError("oauth.other_address", granted=grant.address, address=attempt.address)
                address = grant.claimed  # sign-in name and address differ: the servers say whether it is theirs
            own = select(Mailbox).where(access.own_mailbox(actor), Mailbox.address == address)
            row = session.exec(own).first()
        if row is not None:
            # Its mail is that of one account for ever: another one's would be mixed into it.
            same = row.grant_subject == grant.subject and row.auth == provider
            named = any(_is_same(row.address, each) for each in (grant.address, grant.claimed))
            if not same and (row.grant_subject or not named):
                raise UserError("oauth.other_account", granted=grant.address, address=row.address)
            address = row.address
        mailbox_id = row.id if row is not None else None
    servers = _servers(app, address)
    if mailbox_id is None:
        given = MailboxInput(address, *servers, token, history_days=history)
        return Arrival(mailboxes.connect(actor, given, granted=granted), True)
    view = mailboxes.reconnect(actor, mailbox_id, token, granted=granted, servers=servers)
    return Arrival(view, False)


def _servers(app: OAuthApp, address: str) -> tuple[ServerSpec, ServerSpec]:
    def spec(url: str) -> ServerSpec:
        host, port, secured = mail_server(url)
        return ServerSpec(host, port, security(secured), address)

    return spec(app.imap), spec(app.smtp)


def _use(
    actor: Actor, session_secret: str, provider: Provider, state: str
) -> tuple[OAuthAttempt, dict[str, Any], int | None]:
    """Take the attempt that `state` names; it can't be taken again. Raises UserError("oauth.expired")."""
    key = _key(state, session_secret)
    now = utcnow()
    mine = (
        col(OAuthAttempt.state_hash) == key,
        col(OAuthAttempt.user_id) == actor.user_id,
        col(OAuthAttempt.provider) == provider,
    )
    with transaction() as session:
        open_ones = update(OAuthAttempt).where(
            *mine, col(OAuthAttempt.used_at).is_(None), col(OAuthAttempt.expires_at) > now
        )
        taken = run(session, open_ones.values(used_at=now)).rowcount == 1
        attempt = session.exec(select(OAuthAttempt).where(*mine)).first() if taken else None
        if attempt is None:
            raise UserError("oauth.expired")
        box, attempt.secret = attempt.secret, b""
        session.add(attempt)
    try:
        secret = cast("dict[str, Any]", crypto.unseal(box, context=f"oauth:{key}"))
    except MailcrmError as error:
        raise UserError("oauth.expired") from error
    return attempt, secret["kept"], secret["history"]


def _keep_few(session: Any, actor: Actor) -> None:
    """Drop the oldest attempts of somebody who begins very many."""
    mine = select(OAuthAttempt.id).where(OAuthAttempt.user_id == actor.user_id, col(OAuthAttempt.used_at).is_(None))
    old = session.exec(mine.order_by(col(OAuthAttempt.id).desc()).offset(MOST_OPEN - 1)).all()
    if old:
        run(session, delete(OAuthAttempt).where(col(OAuthAttempt.id).in_(old)))


def _key(state: str, session_secret: str) -> str:
    return crypto.digest(f"{state}.{session_secret}")


def _is_same(one: str, other: str) -> bool:
    return _normal(one) == _normal(other)


def _normal(address: str) -> str:
    """Compare as the providers do: case never counts, and Gmail has two names and no dots."""
    local, _, domain = address.strip().lower().rpartition("@")
    domain = _SAME.get(domain, domain)
    return f"{local.replace('.', '') if domain == 'gmail.com' else local}@{domain}"


__all__ = ["NAMES", "Arrival", "begin", "finish", "offered", "start_url"]
