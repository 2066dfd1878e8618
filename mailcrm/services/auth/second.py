"""Two-step sign-in: an authenticator app beside the password, and codes for the day when its phone is gone.

    off ──begin(password)──▶ waiting (a secret, not asked for yet) ──confirm(code)──▶ on ──turn_off(password)──▶ off

A code works once, a recovery code too, and guesses are throttled as passwords are. The secret is sealed for its user,
recovery codes are kept as SHA-256 of 80 random bits. REST tokens don't ask for codes: they are made signed in.
Does not open sessions (sessions.py).
"""

from __future__ import annotations

import base64
import secrets
import time
from dataclasses import dataclass
from typing import Any, cast

import segno
from sqlalchemy import update
from sqlmodel import Session, col, delete, func, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import AccountTicket, RecoveryCode, SecondFactor, User, Workspace, utcnow
from mailcrm.services import access, audit, crypto
from mailcrm.services.access import Actor
from mailcrm.services.auth import account_letters, proof, throttle, totp
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import run

RECOVERY_CODES = 10
_RECOVERY_BYTES = 10  # 80 bits, 16 letters


@dataclass(frozen=True)
class SecondView:
    """Whether two-step sign-in is on, and how many recovery codes are left."""

    on: bool
    codes_left: int


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator app needs, once: the secret to type, and its QR code as an SVG data address."""

    secret: str
    picture: str


def state(actor: Actor) -> SecondView:
    """Return how the actor signs in."""
    with reading() as session:
        left = select(func.count()).select_from(RecoveryCode)
        left = left.where(RecoveryCode.user_id == actor.user_id, col(RecoveryCode.used_at).is_(None))
        is_it = is_on(session, actor.user_id)
        return SecondView(is_it, session.exec(left).one() if is_it else 0)


def begin(actor: Actor, password: str) -> Enrolment:
    """Make a secret for the actor's app; nothing is asked for until `confirm`. An earlier one that waits is replaced.

    Raises as `proof.check` does, and UserError("auth.second_on").
    """
    proof.check(actor, password)
    secret = secrets.token_bytes(totp.SECRET_BYTES)
    with transaction() as session:
        if is_on(session, actor.user_id):
            raise UserError("auth.second_on")
        session.exec(delete(SecondFactor).where(col(SecondFactor.user_id) == actor.user_id))
        session.add(SecondFactor(user_id=actor.user_id, secret=_seal(actor.user_id, secret)))
        user, space = session.get_one(User, actor.user_id), session.get(Workspace, 1)
        address = totp.uri(secret, user.email, f"mailcrm {space.name}" if space else "mailcrm")
    picture = segno.make(address, error="m").svg_data_uri(scale=4, border=3, dark="#000", light="#fff")
    return Enrolment(totp.written(secret), picture)


def confirm(actor: Actor, code: str) -> tuple[str, ...]:
    """Switch two-step sign-in on with the app's first code; return the recovery codes, this once.

    Raises UserError("auth.code_wrong" | "auth.locked" | "auth.second_on" | "auth.second_off").
    """
    left, codes = _count(actor.user_id, ""), tuple[str, ...]()
    with transaction() as session:
        row = session.get(SecondFactor, actor.user_id, with_for_update=True)
        if row is None or row.confirmed_at is not None:
            raise UserError("auth.second_off" if row is None else "auth.second_on")
        fits = _take_code(session, row, _plain(code))
        if fits:
            row.confirmed_at = utcnow()
            session.add(row)
            codes = _fresh_codes(session, actor.user_id)
            throttle.take_back(session, _subject(actor.user_id), "")
            audit.record(session, actor, "second_on", "user", actor.user_id)
            account_letters.write(session, "second_on", session.get_one(User, actor.user_id).email)
    if not fits:
        raise UserError("auth.code_wrong", left=left)
    account_letters.wake()
    return codes


def renew_codes(actor: Actor, password: str) -> tuple[str, ...]:
    """Make new recovery codes; the old ones end. Raises as `proof.check` does, and UserError("auth.second_off")."""
    proof.check(actor, password)
    with transaction() as session:
        if not is_on(session, actor.user_id):
            raise UserError("auth.second_off")
        audit.record(session, actor, "renew_codes", "user", actor.user_id)
        return _fresh_codes(session, actor.user_id)


def turn_off(actor: Actor, password: str) -> None:
    """Ask for no codes any more. Raises as `proof.check` does, and UserError("auth.second_off")."""
    proof.check(actor, password)
    with transaction() as session:
        if not _remove(session, actor.user_id):
            raise UserError("auth.second_off")
        audit.record(session, actor, "second_off", "user", actor.user_id)
        account_letters.write(session, "second_off", session.get_one(User, actor.user_id).email)
    account_letters.wake()


def reset(actor: Actor, user_id: int) -> None:
    """Switch off a colleague's two-step sign-in, whose phone is gone; they are told by letter. Administrators only."""
    access.require_admin(actor)
    with transaction() as session:
        user = session.get(User, user_id)
        if user is None or not _remove(session, user_id):
            raise NotFound
        audit.record(session, actor, "second_reset", "user", user_id)
        account_letters.write(session, "second_reset", user.email)
    account_letters.wake()


def users_with(actor: Actor) -> frozenset[int]:
    """Return whose sign-in has two steps; administrators only."""
    access.require_admin(actor)
    with reading() as session:
        return frozenset(session.exec(select(SecondFactor.user_id).where(col(SecondFactor.confirmed_at).is_not(None))))


def is_on(session: Session, user_id: int) -> bool:
    """Whether signing in as this user needs a code."""
    row = session.get(SecondFactor, user_id)
    return row is not None and row.confirmed_at is not None


def check(user_id: int, code: str, *, network: str) -> None:
    """Take a code of the app, or a recovery code; it is used up.

    Raises UserError("auth.code_wrong" | "auth.locked"); a user without a second factor has no code that fits.
    """
    left = _count(user_id, network)
    with transaction() as session:
        row = session.get(SecondFactor, user_id, with_for_update=True)
        given = _plain(code)
        fits = row is not None and row.confirmed_at is not None
        fits = fits and (
            _take_code(session, cast("SecondFactor", row), given) or _take_recovery(session, user_id, given)
        )
        if fits:
            throttle.take_back(session, _subject(user_id), network)
    if not fits:
        raise UserError("auth.code_wrong", left=left)


def _count(user_id: int, network: str) -> int:
    subject = _subject(user_id)
    with transaction() as session:
        session.get(User, user_id, with_for_update=True)  # tries that arrive at once wait for each other's count
        until = throttle.locked_until(session, subject, network)
        if until is not None:
            raise UserError("auth.locked", until=until.strftime("%H:%M UTC"))
        return throttle.count(session, subject, network)


def _subject(user_id: int) -> str:
    return f"code of {user_id}"


def _take_code(session: Session, row: SecondFactor, given: str) -> bool:
    sealed: Any = crypto.unseal(row.secret, context=f"second_factor:{row.user_id}")
    step = totp.step_of(given, bytes.fromhex(str(sealed)), time.time(), after=row.last_step)
    if step is None:
        return False
    # The database decides between two of the same code at once.
    mine = update(SecondFactor).where(col(SecondFactor.user_id) == row.user_id, col(SecondFactor.last_step) < step)
    return run(session, mine.values(last_step=step)).rowcount == 1


def _take_recovery(session: Session, user_id: int, given: str) -> bool:
    mine = update(RecoveryCode).where(
        col(RecoveryCode.user_id) == user_id,
        col(RecoveryCode.code_hash) == crypto.digest(given.upper()),
        col(RecoveryCode.used_at).is_(None),
    )
    used = run(session, mine.values(used_at=utcnow())).rowcount == 1
    if used:
        audit.record(session, None, "use_recovery_code", "user", user_id)
    return used


def _fresh_codes(session: Session, user_id: int) -> tuple[str, ...]:
    session.exec(delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
    made = [base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode() for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(user_id=user_id, code_hash=crypto.digest(each)) for each in made)
    return tuple("-".join(each[start : start + 4] for start in range(0, 16, 4)) for each in made)


def _remove(session: Session, user_id: int) -> bool:
    session.exec(delete(RecoveryCode).where(col(RecoveryCode.user_id) == user_id))
    waiting = delete(AccountTicket).where(col(AccountTicket.user_id) == user_id, col(AccountTicket.kind) == "code")
    session.exec(waiting)
    gone = run(session, delete(SecondFactor).where(col(SecondFactor.user_id) == user_id))
    return gone.rowcount == 1


def _seal(user_id: int, secret: bytes) -> bytes:
    return crypto.seal(secret.hex(), context=f"second_factor:{user_id}")


def _plain(code: str) -> str:
    return "".join(char for char in code[:64] if char.isalnum())
