"""The rate limit of sign-in: failures are rows, so every process and a restart see the same count."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, func, select

from mailcrm.models import LoginAttempt, utcnow

WINDOW = timedelta(minutes=15)
TRIES_BY_ADDRESS = 5  # then wait: an attacker gets 480 tries a day at most
TRIES_BY_NETWORK = 50  # an office behind one address signs in on Monday morning


def locked_until(session: Session, email: str, network: str) -> datetime | None:
    """Return when the next try is allowed, None when it is allowed now."""
    ends: list[datetime] = []
    for subject, most in ((_subject(email), TRIES_BY_ADDRESS), (_subject(network), TRIES_BY_NETWORK)):
        times = session.exec(
            select(LoginAttempt.at)
            .where(LoginAttempt.subject == subject, col(LoginAttempt.at) > utcnow() - WINDOW)
            .order_by(col(LoginAttempt.at).desc())
            .limit(most)
        ).all()
        if len(times) >= most:
            ends.append(times[-1] + WINDOW)
    return max(ends, default=None)


def failed(session: Session, email: str, network: str) -> int:
    """Record a failure; return how many tries the address has left."""
    session.add(LoginAttempt(subject=_subject(email)))
    if network:
        session.add(LoginAttempt(subject=_subject(network)))
    session.flush()
    session.exec(delete(LoginAttempt).where(col(LoginAttempt.at) < utcnow() - 2 * WINDOW))
    used = session.exec(
        select(func.count())
        .select_from(LoginAttempt)
        .where(LoginAttempt.subject == _subject(email), col(LoginAttempt.at) > utcnow() - WINDOW)
    ).one()
    return max(0, TRIES_BY_ADDRESS - used)


def succeeded(session: Session, email: str) -> None:
    """Forget the address's failures."""
    session.exec(delete(LoginAttempt).where(col(LoginAttempt.subject) == _subject(email)))


def _subject(value: str) -> str:
    return hashlib.sha256(value.strip().lower().encode()).hexdigest()[:32]
