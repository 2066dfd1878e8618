"""Browser sessions: sign in, who a cookie belongs to, sign out.

The cookie holds 256 random bits; the database their SHA-256. A session is checked on every event and request, so
signing out, disabling a user or an expiry works at once. Does not set cookies (endpoints/auth.py).
"""

from __future__ import annotations

import hmac
import ipaddress
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie

from sqlmodel import Session, col, delete, select

from mailcrm.config import config
from mailcrm.errors import CodeNeeded, NotFound, UserError
from mailcrm.models import AccountTicket, User, UserSession, utcnow
from mailcrm.services import access, audit, crypto, live
from mailcrm.services.access import Actor
from mailcrm.services.auth import passwords, second, throttle
from mailcrm.services.auth.devices import coarse_network
from mailcrm.services.db import reading, transaction

LIFETIME = timedelta(days=30)
CODE_WITHIN = timedelta(minutes=10)  # between the password and the code of the second step
TOUCH_EVERY = timedelta(hours=1)  # how stale `seen_at` may be; a write on each event would cost more than it tells


def cookie_name() -> str:
    """The cookie's name: `__Host-` binds it to this host on https."""
    return "__Host-sid" if config().secure_cookies else "sid"


def sign_in(email: str, password: str, *, network: str = "", user_agent: str = "") -> str:
    """Check the password and return a new session's secret for the cookie.

    Raises UserError("auth.locked" | "auth.wrong" | "auth.disabled"), and CodeNeeded where the account has a second
    step: `finish` takes its ticket with the code.
    """
    email = email.strip().lower()
    who = f"address {email}"
    with transaction() as session:
        # The lock makes tries that arrive at once wait for each other's count.
        user = session.exec(select(User).where(User.email == email).with_for_update()).first()
        until = throttle.locked_until(session, who, network)
        left = throttle.count(session, who, network) if until is None else 0
        stored = user.password_hash if user else None
    if until is not None:
        raise UserError("auth.locked", until=until.strftime("%H:%M UTC"))
    fits = passwords.verify(stored, password)  # outside the transaction: it takes tens of milliseconds
    with transaction() as session:
        if fits:  # and fits still: what ended all sessions meanwhile ends this one too
            user = session.exec(select(User).where(User.email == email).with_for_update()).first()
        if not fits or user is None or user.id is None or user.password_hash != stored:
            failure = UserError("auth.wrong", left=left)
        elif user.disabled_at:
            failure = UserError("auth.disabled")
        else:
            throttle.take_back(session, who, network)
            if not second.is_on(session, user.id):
                return _open(session, user.id, user_agent, network)
            failure = CodeNeeded(_ticket(session, user.id))
    raise failure


def finish(ticket: str, code: str, *, network: str = "", user_agent: str = "") -> str:
    """Take the code of a sign-in whose password was right; return the new session's secret.

    Raises UserError("auth.code_late" | "auth.code_wrong" | "auth.locked").
    """
    with reading() as session:
        user_id = _waiting(session, ticket).user_id
    second.check(user_id, code, network=network)
    with transaction() as session:
        session.delete(_waiting(session, ticket, alone=True))
        return _open(session, user_id, user_agent, network)


def _open(session: Session, user_id: int, user_agent: str, network: str) -> str:
    audit.record(session, access.actor_for(session, user_id), "sign_in", "user", user_id)
    return start(session, user_id, user_agent, network)


def _ticket(session: Session, user_id: int) -> str:
    secret = crypto.token()
    session.exec(delete(AccountTicket).where(col(AccountTicket.expires_at) < utcnow()))
    session.add(
        AccountTicket(kind="code", user_id=user_id, token_hash=crypto.digest(secret), expires_at=utcnow() + CODE_WITHIN)
    )
    return secret


def _waiting(session: Session, ticket: str, *, alone: bool = False) -> AccountTicket:
    query = select(AccountTicket).where(AccountTicket.token_hash == crypto.digest(ticket), AccountTicket.kind == "code")
    row = session.exec(query.with_for_update() if alone else query).first()
    if row is None or row.expires_at <= utcnow():
        raise UserError("auth.code_late")
    try:
        access.actor_for(session, row.user_id)
    except NotFound:
        raise UserError("auth.disabled") from None
    return row


def start(session: Session, user_id: int, user_agent: str = "", address: str = "") -> str:
    """Open a session in the caller's transaction; return its secret. Of the address only a hash is kept, for a day."""
    secret = crypto.token()
    session.exec(delete(UserSession).where(col(UserSession.expires_at) < utcnow()))
    session.add(
        UserSession(
            id_hash=crypto.digest(secret),
            user_id=user_id,
            expires_at=utcnow() + LIFETIME,
            user_agent=user_agent[:200],
            address=address_hash(address, utcnow()),
            network=coarse_network(address),
        )
    )
    return secret


def actor_of_cookie(cookie_header: str, address: str = "") -> Actor | None:
    """Return whose session a Cookie header carries; None when it is absent, unknown or expired.

    `address`: where the request came from, where that is known; tracking takes its fetches for own views.
    """
    secret = secret_of_cookie(cookie_header)
    return actor_of_secret(secret, address) if secret else None


def ticket_cookie_name() -> str:
    """The name of the cookie that stands for a right password until its code came."""
    return "__Host-step" if config().secure_cookies else "step"


def secret_of_cookie(cookie_header: str) -> str | None:
    """Return the session secret in a Cookie header."""
    try:
        morsel = SimpleCookie(cookie_header).get(cookie_name())
    except CookieError:
        return None
    return morsel.value if morsel else None


def actor_of_secret(secret: str, address: str = "") -> Actor | None:
    """Return the actor of a session secret; refreshes `seen_at` once an hour."""
    now = utcnow()
    hashed = address_hash(address, now)
    with reading() as session:
        row = session.get(UserSession, crypto.digest(secret))
        if row is None or row.expires_at <= now:
            return None
        stale = now - row.seen_at > TOUCH_EVERY or (hashed != "" and hashed != row.address)
        try:
            actor = access.actor_for(session, row.user_id)
        except NotFound:
            return None
    if stale:
        with transaction() as session:
            kept = session.get(UserSession, crypto.digest(secret))
            if kept is not None:
                kept.seen_at = now
                kept.expires_at = now + LIFETIME
                kept.address = hashed or kept.address
                kept.network = coarse_network(address) or kept.network
    return actor


def is_live(digest: str) -> bool:
    """Whether a user's session has this digest (`crypto.digest` of its secret); changes nothing of it."""
    with reading() as session:
        row = session.get(UserSession, digest)
        if row is None or row.expires_at <= utcnow():
            return False
        try:
            access.actor_for(session, row.user_id)
        except NotFound:
            return False
    return True


def address_hash(address: str, at: datetime) -> str:
    """Return a salted hash of a public address, with the day's salt; "" for what is none.

    Addresses of this machine or a private network say nothing of who asks: behind a proxy everybody has the same.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if not ip.is_global:
        return ""
    key = crypto.derive(config().secret_keys[0], f"session address {at:%Y-%m-%d}")
    return hmac.digest(key, ip.packed, "sha256").hex()[:24]


def sign_out(cookie_header: str) -> int | None:
    """End the session of a Cookie header; return whose it was, None when there was none."""
    secret = secret_of_cookie(cookie_header)
    if not secret:
        return None
    with transaction() as session:
        row = session.get(UserSession, crypto.digest(secret))
        if row is None:
            return None
        session.delete(row)
        live.hint(session, row.user_id, "session")
        return row.user_id


def end_all(session: Session, user_id: int, *, but: str = "") -> int:
    """End a user's sessions (disabled, password changed) in the caller's transaction, and say how many.

    `but`: the digest of the one that stays. A sign-in that waits for its code ends too. Open tabs are told to look.
    """
    ended = select(UserSession).where(UserSession.user_id == user_id, UserSession.id_hash != but)
    rows = session.exec(ended).all()
    for row in rows:
        session.delete(row)
    waiting = delete(AccountTicket).where(col(AccountTicket.user_id) == user_id, col(AccountTicket.kind) == "code")
    session.exec(waiting)
    live.hint(session, user_id, "session")
    return len(rows)
