"""The rate limit of sign-in: tries are rows, so every process and a restart see the same count.

Three counts run side by side. An address from one network is stopped soon; the address from anywhere later, so that a
stranger cannot keep a colleague out with five wrong tries; a network last. A try is counted before its password is
looked at, so tries sent at once are counted too; the right password takes its address's tries back.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, func, select

from mailcrm.models import LoginAttempt, utcnow

WINDOW = timedelta(minutes=15)
TRIES = 5  # of one address from one network; then wait: 480 a day at most
TRIES_BY_ADDRESS = 25  # from all networks together
TRIES_BY_NETWORK = 50  # an office behind one address signs in on Monday morning


def locked_until(session: Session, email: str, network: str) -> datetime | None:
    """Return when the next try is allowed, None when it is allowed now."""
    ends: list[datetime] = []
    for subject, most in _limits(email, network).items():
        times = session.exec(
            select(LoginAttempt.at)
            .where(LoginAttempt.subject == subject, col(LoginAttempt.at) > utcnow() - WINDOW)
            .order_by(col(LoginAttempt.at).desc())
            .limit(most)
        ).all()
        if len(times) >= most:
            ends.append(times[-1] + WINDOW)
    return max(ends, default=None)


def count(session: Session, email: str, network: str) -> int:
    """Count a try; return how many the address has left from this network."""
    session.exec(delete(LoginAttempt).where(col(LoginAttempt.at) < utcnow() - 2 * WINDOW))
    limits = _limits(email, network)
    session.add_all(LoginAttempt(subject=subject) for subject in limits)
    session.flush()
    subject, most = next(iter(limits.items()))
    used = select(func.count()).select_from(LoginAttempt)
    used = used.where(LoginAttempt.subject == subject, col(LoginAttempt.at) > utcnow() - WINDOW)
    return max(0, most - session.exec(used).one())


def take_back(session: Session, email: str, network: str) -> None:
    """Forget the address's tries, and the network's last one."""
    limits = _limits(email, network)
    address = [subject for subject in limits if subject != subject_of(network)]
    session.exec(delete(LoginAttempt).where(col(LoginAttempt.subject).in_(address)))
    for subject in limits.keys() - set(address):
        last = select(func.max(LoginAttempt.id)).where(LoginAttempt.subject == subject).scalar_subquery()
        session.exec(delete(LoginAttempt).where(col(LoginAttempt.id) == last))


def subject_of(value: str) -> str:
    """Return the key that an address or a network is counted under: a hash, so that the table names nobody."""
    return hashlib.sha256(value.strip().lower().encode()).hexdigest()[:32]


def _limits(email: str, network: str) -> dict[str, int]:
    """What a try counts for, the narrowest first, with the most tries of each."""
    if not network:
        return {subject_of(email): TRIES}
    return {
        subject_of(f"{email} {network}"): TRIES,
        subject_of(email): TRIES_BY_ADDRESS,
        subject_of(network): TRIES_BY_NETWORK,
    }
