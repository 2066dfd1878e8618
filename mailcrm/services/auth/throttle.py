"""The rate limit of sign-in: tries are rows, so every process and a restart see the same count.

Three counts run side by side. An address from one network is stopped soon; the address from anywhere later, so that a
stranger cannot keep a colleague out with five wrong tries; a network last. A try is counted before its password is
looked at, so tries sent at once are counted too; the right password takes its address's tries back.

Who tries is named with a kind before what was typed ("address ann@x.example", "code of 5"): a name that a stranger types
is never another count's.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, func, select

from mailcrm.models import LoginAttempt, utcnow

WINDOW = timedelta(minutes=15)
TRIES = 5  # of one address from one network; then wait: 480 a day at most
TRIES_BY_ADDRESS = 25  # from all networks together
TRIES_BY_NETWORK = 50  # an office behind one address signs in on Monday morning


def locked_until(session: Session, who: str, network: str) -> datetime | None:
    """Return when the next try is allowed, None when it is allowed now."""
    return full_until(session, _limits(who, network))


def full_until(session: Session, limits: Mapping[str, int]) -> datetime | None:
    """The same, for any subjects with the most tries of each."""
    ends: list[datetime] = []
    for subject, most in limits.items():
        times = session.exec(
            select(LoginAttempt.at)
            .where(LoginAttempt.subject == subject, col(LoginAttempt.at) > utcnow() - WINDOW)
            .order_by(col(LoginAttempt.at).desc())
            .limit(most)
        ).all()
        if len(times) >= most:
            ends.append(times[-1] + WINDOW)
    return max(ends, default=None)


def count(session: Session, who: str, network: str) -> int:
    """Count a try; return how many are left from this network."""
    limits = _limits(who, network)
    count_all(session, limits)
    subject, most = next(iter(limits.items()))
    used = select(func.count()).select_from(LoginAttempt)
    used = used.where(LoginAttempt.subject == subject, col(LoginAttempt.at) > utcnow() - WINDOW)
    return max(0, most - session.exec(used).one())


def count_all(session: Session, subjects: Iterable[str]) -> None:
    """Count a try for each subject; those that no longer matter are forgotten."""
    session.exec(delete(LoginAttempt).where(col(LoginAttempt.at) < utcnow() - 2 * WINDOW))
    session.add_all(LoginAttempt(subject=subject) for subject in subjects)
    session.flush()


def take_back(session: Session, who: str, network: str) -> None:
    """Forget the tries of who it is, and the network's last one."""
    limits, whole = _limits(who, network), network_subject(network)
    own = [subject for subject in limits if subject != whole]
    session.exec(delete(LoginAttempt).where(col(LoginAttempt.subject).in_(own)))
    for subject in limits.keys() - set(own):
        last = select(func.max(LoginAttempt.id)).where(LoginAttempt.subject == subject).scalar_subquery()
        session.exec(delete(LoginAttempt).where(col(LoginAttempt.id) == last))


def subject_of(*names: str) -> str:
    """Return the key that something is counted under: a hash, so that the table names nobody."""
    plain = json.dumps([name.strip().lower() for name in names])
    return hashlib.sha256(plain.encode()).hexdigest()[:32]


def network_subject(address: str) -> str:
    """Return the key of a network: an address, and of IPv6 all 2^64 that one line of somebody's has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return subject_of("network", address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is None:
        address = str(ipaddress.ip_network((int(ip), 64), strict=False))
    return subject_of("network", address)


def _limits(who: str, network: str) -> dict[str, int]:
    """What a try counts for, the narrowest first, with the most tries of each."""
    if not network:
        return {subject_of(who): TRIES}
    whole = network_subject(network)
    return {
        subject_of(who, whole): TRIES,
        subject_of(who): TRIES_BY_ADDRESS,
        whole: TRIES_BY_NETWORK,
    }
