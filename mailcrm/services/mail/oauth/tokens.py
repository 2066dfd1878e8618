"""The token a mailbox signs in with: renewed ahead of its end, by one process at a time, and never lost on the way.

    fresh ──5 min before its end, or refused by the mail server──▶ leased ──answer──▶ stored, then used
                                                                    │ endpoint fails: waits, the old token goes on
                                                                    │ "invalid_grant": needs_reconnect, at once
                                                                    └ killed: the lease of a dead process is taken over

What is stored is the last refresh token that an endpoint is known to have given. An answer is written, and on the disk,
before anybody gets its token. Between the endpoint's answer and that commit a kill loses the answer, never the grant:
Google's refresh token stays the same; Microsoft's former one goes on to work; endpoints that take a former one for
stolen allow it again for some time (RFC 9700 §4.14.2; 30 seconds and more are usual) because answers also get lost on
the network, and a dead process's lease is taken over at once on the same machine, after `LEASE` from another.

The refresh token is not sent twice at a time: who does not get the lease goes on with the old token while it is good,
else waits for the new one. Times are compared with this machine's clock; a token that the mail server refuses before
its time (clocks differ, it was revoked) is renewed once, whatever the clock says (`services/mail/signing_in.py`).
Does not talk to mail servers and sends nobody anywhere (flow.py).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from sqlalchemy import and_, or_, update
from sqlmodel import Session, col, select

from mailcrm.errors import GrantLost, MailcrmError, NotFound, PermanentError, TransientError
from mailcrm.models import Mailbox, utcnow
from mailcrm.services import crypto
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import outages
from mailcrm.services.mail.oauth import libraries
from mailcrm.services.mail.oauth.values import NAMES, Grant, Provider, app_of, known
from mailcrm.services.mail.providers.values import AccessToken
from mailcrm.services.mail.sync.lease import is_dead, new_owner
from mailcrm.services.rows import run

EARLY = timedelta(minutes=5)  # ahead of its end: clocks differ by minutes, and a sync outlives its sign-in
LEASE = timedelta(seconds=45)  # longer than an endpoint may take (http.py: 15 s to connect, 15 s to answer)
WAIT_S = 40.0  # for another process's answer
LOOK_S = 0.1
FIRST_WAIT_S, MOST_WAIT_S = 15.0, 300.0  # between two tries of an endpoint that fails

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Kept:
    """The grant as its row has it."""

    provider: Provider
    refresh: str = field(repr=False)
    access: str = field(repr=False)
    expires_at: datetime
    owner: str
    until: datetime | None

    def is_good(self, not_this: str, margin: timedelta) -> bool:
        """Whether its token may be used: another than the one refused, and not about to end."""
        return bool(self.access) and self.access != not_this and self.expires_at - utcnow() > margin


def seal(mailbox_id: int, grant: Grant) -> bytes:
    """Seal a grant for its mailbox's row."""
    return crypto.seal({"refresh": grant.refresh, "access": grant.access}, context=f"mailbox:{mailbox_id}")


def access_token(mailbox_id: int, *, not_this: str = "") -> AccessToken:
    """Return a token that is good for some minutes, renewed if need be; `not_this` was refused by the mail server.

    May wait for the endpoint, or for another process that asks it. Raises GrantLost (the row says so then), NotFound,
    PermanentError, TransientError.
    """
    deadline = time.monotonic() + WAIT_S
    while True:
        kept = _load(mailbox_id)
        if kept.is_good(not_this, EARLY):
            return AccessToken(kept.access)
        owner = new_owner()
        if _take(mailbox_id, kept, owner):
            return _renew(mailbox_id, owner, not_this)
        if kept.is_good(not_this, timedelta(seconds=30)):
            return AccessToken(kept.access)  # somebody renews it, or the endpoint is asked again later
        left = (kept.until - utcnow()).total_seconds() if kept.until else 0.0
        if kept.owner.startswith("wait:"):
            raise TransientError("oauth.unavailable", provider=NAMES[kept.provider], retry_after=max(left, 1.0))
        if time.monotonic() > deadline:
            raise TransientError("oauth.busy", provider=NAMES[kept.provider], retry_after=5.0)
        time.sleep(LOOK_S)


def due(session: Session, now: datetime) -> list[int]:
    """Ids of the mailboxes whose token ends soon and that nobody renews now: so a grant that is gone is noticed."""
    free = or_(col(Mailbox.token_lease_until).is_(None), col(Mailbox.token_lease_until) <= now)
    query = select(Mailbox.id).where(
        col(Mailbox.auth) != "password",
        col(Mailbox.status) == "active",
        col(Mailbox.token_expires_at) <= now + EARLY,
        free,
    )
    return [mailbox_id for mailbox_id in session.exec(query.limit(100)) if mailbox_id is not None]


def renew_due(mailbox_id: int) -> None:
    """Renew a mailbox's token ahead of its end (the sweep's job); failures stay in its row and the log."""
    try:
        access_token(mailbox_id)
    except NotFound:
        return
    except MailcrmError as error:
        log.info("a token was not renewed", mailbox_id=mailbox_id, code=error.code)


def revoke(mailbox_id: int, provider: str, box: bytes, subject: str) -> bool:
    """Take the grant of a mailbox that is being removed back at its provider; return whether that was done.

    Never raises: the mailbox goes in any case. Google only (Microsoft has no endpoint for it), and only when no other
    mailbox here lives from the same account's grant: Google ends them all.
    """
    name = known(provider)
    with reading() as session:
        others = select(Mailbox.id).where(
            Mailbox.auth == provider, Mailbox.grant_subject == subject, col(Mailbox.id) != mailbox_id
        )
        if session.exec(others).first() is not None:
            return False
    try:
        return libraries.of(name).revoke(app_of(name), _open(mailbox_id, box)["refresh"])
    except MailcrmError as error:
        log.info("a grant was not revoked", mailbox_id=mailbox_id, code=error.code)
        return False


def _load(mailbox_id: int) -> _Kept:
    with reading() as session:
        row = session.get(Mailbox, mailbox_id)
        if row is None or row.auth == "password":
            raise NotFound
        provider, box, ends = known(row.auth), row.secret, row.token_expires_at
        owner, until = row.token_lease_owner, row.token_lease_until
    secret = _open(mailbox_id, box)
    return _Kept(provider, secret["refresh"], secret["access"], ends or utcnow(), owner, until)


def _open(mailbox_id: int, box: bytes) -> dict[str, str]:
    secret: Any = crypto.unseal(box, context=f"mailbox:{mailbox_id}")
    if not isinstance(secret, dict) or not secret.get("refresh"):  # pyright: ignore[reportUnknownMemberType]
        raise PermanentError("secret.unreadable")
    found = cast("dict[str, object]", secret)
    return {"refresh": str(found["refresh"]), "access": str(found.get("access", ""))}


def _take(mailbox_id: int, kept: _Kept, owner: str) -> bool:
    now = utcnow()
    free = or_(col(Mailbox.token_lease_until).is_(None), col(Mailbox.token_lease_until) <= now)
    if kept.owner and is_dead(kept.owner):
        free = or_(free, col(Mailbox.token_lease_owner) == kept.owner)
    with transaction() as session:
        taken = update(Mailbox).where(and_(col(Mailbox.id) == mailbox_id, free))
        return run(session, taken.values(token_lease_owner=owner, token_lease_until=now + LEASE)).rowcount == 1


def _renew(mailbox_id: int, owner: str, not_this: str) -> AccessToken:
    """Ask the endpoint while the lease is held; the answer is stored before it is used."""
    kept = _load(mailbox_id)  # once more: somebody may have renewed it before the lease was ours
    if kept.is_good(not_this, EARLY):
        _release(mailbox_id, owner)
        return AccessToken(kept.access)
    try:
        app = app_of(kept.provider)
        grant = libraries.of(kept.provider).refresh(app, kept.refresh)
    except GrantLost as error:
        _lost(mailbox_id, owner, error)
        raise
    except MailcrmError as error:
        wait = _later(mailbox_id, owner, kept.owner, error)
        if kept.is_good(not_this, timedelta(seconds=30)):
            return AccessToken(kept.access)
        if isinstance(error, TransientError) and error.retry_after is None:
            error.retry_after = wait
        raise
    except BaseException:
        _release(mailbox_id, owner)
        raise
    with transaction(durable=True) as session:
        # Whoever connected the mailbox again meanwhile has a newer grant: theirs stays.
        mine = and_(col(Mailbox.id) == mailbox_id, col(Mailbox.token_lease_owner) == owner)
        stored = update(Mailbox).where(mine).values(
            secret=seal(mailbox_id, grant), token_expires_at=grant.expires_at, token_lease_owner="",
            token_lease_until=None,
        )  # fmt: skip
        done = run(session, stored).rowcount == 1
    if not done:
        return AccessToken(_load(mailbox_id).access)
    return AccessToken(grant.access)


def _release(mailbox_id: int, owner: str) -> None:
    with transaction() as session:
        mine = and_(col(Mailbox.id) == mailbox_id, col(Mailbox.token_lease_owner) == owner)
        run(session, update(Mailbox).where(mine).values(token_lease_owner="", token_lease_until=None))


def _later(mailbox_id: int, owner: str, before: str, error: MailcrmError) -> float:
    """Let nobody ask the endpoint for a while, ever longer; return for how many seconds."""
    count = int(before.removeprefix("wait:") or 0) + 1 if before.startswith("wait:") else 1
    asked = error.retry_after if isinstance(error, TransientError) else None
    wait = max(asked or 0.0, min(FIRST_WAIT_S * 2 ** (count - 1), MOST_WAIT_S))
    with transaction() as session:
        mine = and_(col(Mailbox.id) == mailbox_id, col(Mailbox.token_lease_owner) == owner)
        values = {"token_lease_owner": f"wait:{min(count, 9)}", "token_lease_until": utcnow() + timedelta(seconds=wait)}
        run(session, update(Mailbox).where(mine).values(**values))
    return wait


def _lost(mailbox_id: int, owner: str, error: GrantLost) -> None:
    """The grant is gone for good: stop everything of this mailbox and tell its user, in one transaction (M10)."""
    with transaction() as session:
        row = session.get(Mailbox, mailbox_id, with_for_update=True)
        if row is None or row.token_lease_owner != owner:
            return  # connected again meanwhile
        row.token_lease_owner, row.token_lease_until = "", None
        outages.lost(session, row, error)
