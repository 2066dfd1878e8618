"""Browser sessions: sign in, who a cookie belongs to, sign out.

The cookie holds 256 random bits; the database their SHA-256. A session is checked on every event and request, so
signing out, disabling a user or an expiry works at once. Does not set cookies (endpoints/auth.py).
"""

from __future__ import annotations

from datetime import timedelta
from http.cookies import CookieError, SimpleCookie

from sqlmodel import Session, col, delete, select

from mailcrm.config import config
from mailcrm.errors import NotFound, UserError
from mailcrm.models import User, UserSession, utcnow
from mailcrm.services import access, crypto
from mailcrm.services.access import Actor
from mailcrm.services.auth import passwords, throttle
from mailcrm.services.db import reading, transaction

LIFETIME = timedelta(days=30)
TOUCH_EVERY = timedelta(hours=1)  # how stale `seen_at` may be; a write on each event would cost more than it tells


def cookie_name() -> str:
    """The cookie's name: `__Host-` binds it to this host on https."""
    return "__Host-sid" if config().secure_cookies else "sid"


def sign_in(email: str, password: str, *, network: str = "", user_agent: str = "") -> str:
    """Check the password and return a new session's secret for the cookie.

    Raises UserError("auth.locked" | "auth.wrong" | "auth.disabled").
    """
    email = email.strip().lower()
    with transaction() as session:
        # The lock makes tries that arrive at once wait for each other's count.
        user = session.exec(select(User).where(User.email == email).with_for_update()).first()
        until = throttle.locked_until(session, email, network)
        left = throttle.count(session, email, network) if until is None else 0
        stored = user.password_hash if user else None
    if until is not None:
        raise UserError("auth.locked", until=until.strftime("%H:%M UTC"))
    fits = passwords.verify(stored, password)  # outside the transaction: it takes tens of milliseconds
    with transaction() as session:
        if not fits or user is None or user.id is None:
            failure = UserError("auth.wrong", left=left)
        elif user.disabled_at:
            failure = UserError("auth.disabled")
        else:
            throttle.take_back(session, email, network)
            return start(session, user.id, user_agent)
    raise failure


def start(session: Session, user_id: int, user_agent: str = "") -> str:
    """Open a session in the caller's transaction; return its secret."""
    secret = crypto.token()
    session.exec(delete(UserSession).where(col(UserSession.expires_at) < utcnow()))
    session.add(
        UserSession(
            id_hash=crypto.digest(secret),
            user_id=user_id,
            expires_at=utcnow() + LIFETIME,
            user_agent=user_agent[:200],
        )
    )
    return secret


def actor_of_cookie(cookie_header: str) -> Actor | None:
    """Return whose session a Cookie header carries; None when it is absent, unknown or expired."""
    secret = secret_of_cookie(cookie_header)
    return actor_of_secret(secret) if secret else None


def secret_of_cookie(cookie_header: str) -> str | None:
    """Return the session secret in a Cookie header."""
    try:
        morsel = SimpleCookie(cookie_header).get(cookie_name())
    except CookieError:
        return None
    return morsel.value if morsel else None


def actor_of_secret(secret: str) -> Actor | None:
    """Return the actor of a session secret; refreshes `seen_at` once an hour."""
    now = utcnow()
    with reading() as session:
        row = session.get(UserSession, crypto.digest(secret))
        if row is None or row.expires_at <= now:
            return None
        stale = now - row.seen_at > TOUCH_EVERY
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
    return actor


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
        return row.user_id


def end_all(session: Session, user_id: int) -> None:
    """End every session of a user (disabled, password changed) in the caller's transaction."""
    session.exec(delete(UserSession).where(col(UserSession.user_id) == user_id))
