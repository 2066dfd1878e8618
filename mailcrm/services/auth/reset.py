"""A forgotten password: a link, by mail or from the server's command line, sets a new one.

Asking says the same, after the same work, for every address: a letter is noted down for what was typed, and only the
worker looks whose it is. The link works once, for an hour; a new one ends the earlier. All sessions end with the old
password. A second factor stays: the link proves a mailbox, not a person. No administrator ever sees a link: whoever has
one can read what is private (M25).
"""

from __future__ import annotations

from sqlmodel import Session, select

from mailcrm import routes
from mailcrm.config import config
from mailcrm.errors import NotFound, UserError
from mailcrm.models import AccountTicket, User, utcnow
from mailcrm.services import access, audit, crypto
from mailcrm.services.access import Actor
from mailcrm.services.auth import account_letters, passwords, sessions, throttle
from mailcrm.services.auth.users import checked_email
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import letters

ASKS = 3  # for one address, in a quarter of an hour: nobody's mailbox is flooded from here
ASKS_BY_NETWORK = 20


def can_mail() -> bool:
    """Whether this server sends letters; else whoever runs it makes the link."""
    return letters.is_set_up()


def ask(email: str, *, network: str = "") -> None:
    """Note that somebody wants a link for an address.

    Raises UserError("auth.no_letters" | "auth.email_invalid" | "auth.locked"), none of which depends on whether the
    address has an account.
    """
    if not can_mail():
        raise UserError("auth.no_letters")
    address = checked_email(email)
    limits = {throttle.subject_of(f"reset of {address}"): ASKS}
    if network:
        limits[throttle.subject_of("resets from", throttle.network_subject(network))] = ASKS_BY_NETWORK
    with transaction() as session:
        until = throttle.full_until(session, limits)
        if until is not None:
            raise UserError("auth.locked", until=until.strftime("%H:%M UTC"))
        throttle.count_all(session, limits)
        account_letters.write(session, "reset", address)
    account_letters.wake()


def send_link(actor: Actor, user_id: int) -> str:
    """Have an administrator send a link to a colleague's own address, which is returned; only they see the link.

    Raises UserError("auth.no_letters") where the server sends none.
    """
    access.require_admin(actor)
    with transaction() as session:
        user = _working(session, user_id)
        if not can_mail():
            raise UserError("auth.no_letters")
        audit.record(session, actor, "ask_reset_link", "user", user_id)
        account_letters.write(session, "reset", user.email)
        email = user.email
    account_letters.wake()
    return email


def make_link(user_id: int) -> str:
    """Return the address of a page that sets a user's password; they are told by letter. For the command line only."""
    with transaction() as session:
        user = _working(session, user_id)
        secret = account_letters.ticket(session, user_id)
        audit.record(session, None, "make_reset_link", "user", user_id)
        account_letters.write(session, "link", user.email)
    account_letters.wake()
    return config().public_url.rstrip("/") + routes.reset(secret)


def offer(secret: str) -> str:
    """Return the address of the account that a link is for; changes nothing. Raises UserError("auth.reset_invalid")."""
    with reading() as session:
        return _standing(session, secret)[1].email


def use(secret: str, password: str) -> str:
    """Set the new password, end all sessions, and return the account's address. Raises as `offer` does."""
    offer(secret)  # a link that no longer works says so before the password is judged
    passwords.check_strength(password)
    hashed = passwords.hash_password(password)
    with transaction() as session:
        row, user = _standing(session, secret, alone=True)
        row.used_at = utcnow()
        user.password_hash = hashed
        session.add_all((row, user))
        sessions.end_all(session, row.user_id)
        audit.record(session, None, "reset_password", "user", row.user_id)
        account_letters.write(session, "password", user.email)
        email = user.email
    account_letters.wake()
    return email


def _standing(session: Session, secret: str, *, alone: bool = False) -> tuple[AccountTicket, User]:
    query = select(AccountTicket).where(
        AccountTicket.token_hash == crypto.digest(secret), AccountTicket.kind == "reset"
    )
    row = session.exec(query).first()
    user = session.get(User, row.user_id, with_for_update=alone) if row is not None else None
    if alone:  # the user first, as whoever changes a password does; then the link as it is now
        row = session.exec(query.with_for_update(), execution_options={"populate_existing": True}).first()
    if row is None or user is None or user.disabled_at or row.used_at is not None or row.expires_at <= utcnow():
        raise UserError("auth.reset_invalid")
    return row, user


def _working(session: Session, user_id: int) -> User:
    user = session.get(User, user_id)
    if user is None or user.disabled_at is not None:
        raise NotFound
    return user
