"""Attacks on accounts that were tried once and succeeded: each is a case here (threat 14; ASVS 6.3, 6.4, 7.4)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlmodel import Session, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import AccountTicket, Invite, User, UserSession, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.auth import account_letters, password_change, passwords, reset, sessions, throttle, users
from mailcrm.services.db import reading, transaction

PASSWORD = "correct horse battery"
FRESH = "a different phrase altogether"
postgres = pytest.mark.parametrize("db", ["postgresql"], indirect=True)


@pytest.fixture
def ann(db: str) -> Actor:
    return users.set_up(name="Ann", email="ann@x.example", password=PASSWORD)[0]


def link_for(actor: Actor) -> str:
    with transaction() as session:
        return account_letters.ticket(session, actor.user_id)


def meanwhile(hold: Callable[[Session], object], act: Callable[[], object]) -> object:
    """Run `act` while another transaction holds rows, and end that one when `act` waits for it; its result or error."""
    with ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            hold(session)
            session.flush()
            found = pool.submit(act)
            for _ in range(1000):
                if found.done() or waits():
                    break
                threading.Event().wait(0.01)
        try:
            return found.result(20)
        except Exception as error:
            return error


def waits() -> bool:
    asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with reading() as session:
        return bool(session.execute(text(asked)).scalar())


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_what_is_typed_as_an_address_is_counted_as_nothing_else(ann: Actor) -> None:
    """A stranger who types another count's name into the sign-in form keeps nobody from anything."""
    typed = [
        f"password of {ann.user_id}", f"code of {ann.user_id}", "reset of ann@x.example", "resets from 203.0.113.7",
        "ann@x.example 203.0.113.7", "203.0.113.7",
    ]  # fmt: skip
    with transaction() as session:
        before = [session_key(kind, ann) for kind in range(len(typed))]
        assert not any(throttle.locked_until(session, who, network) for who, network in before)
    for name in typed:
        for n in range(throttle.TRIES + 1):
            with pytest.raises(UserError):
                sessions.sign_in(name, "x", network=f"198.51.100.{n}")
    password_change.change(ann, PASSWORD, FRESH, cookie="")
    assert sessions.sign_in("ann@x.example", FRESH, network="203.0.113.7")
    with transaction() as session:
        assert not any(throttle.locked_until(session, who, network) for who, network in before)


def session_key(kind: int, ann: Actor) -> tuple[str, str]:
    """Subjects as they are counted for the accounts' owner."""
    return [
        (f"password of {ann.user_id}", ""), (f"code of {ann.user_id}", ""), (f"code of {ann.user_id}", "203.0.113.7"),
        ("address ann@x.example", "203.0.113.7"), ("address ann@x.example", ""), ("address bob@x.example", "203.0.113.7"),
    ][kind]  # fmt: skip


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_all_addresses_of_one_ipv6_network_are_one(ann: Actor) -> None:
    """Whoever has one address of IPv6 has 2^64 of them: a /64 is what an IPv4 address is."""
    tries = 0
    with pytest.raises(UserError) as refused:
        for tries in range(throttle.TRIES_BY_NETWORK + 5):
            with pytest.raises(UserError) as refused:
                sessions.sign_in(f"user{tries}@x.example", "x", network=f"2001:db8:1:2::{tries:x}")
            if refused.value.code == "auth.locked":
                raise refused.value
    assert refused.value.code == "auth.locked"
    assert tries == throttle.TRIES_BY_NETWORK
    with pytest.raises(UserError, match="don’t match"):
        sessions.sign_in("bob@x.example", "x", network="2001:db8:1:3::1")


def test_a_password_that_is_changed_while_it_is_checked_opens_nothing(
    ann: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signing in takes tens of milliseconds; what ends all sessions in them ends this one too."""
    true = passwords.verify

    def slowly(stored: str | None, password: str) -> bool:
        fits = true(stored, password)
        monkeypatch.setattr(passwords, "verify", true)
        reset.use(link_for(ann), FRESH)
        return fits

    monkeypatch.setattr(passwords, "verify", slowly)
    with pytest.raises(UserError) as refused:
        sessions.sign_in("ann@x.example", PASSWORD)
    assert refused.value.code == "auth.wrong"
    with reading() as session:
        assert not session.exec(select(UserSession).where(col(UserSession.user_id) == ann.user_id)).all()


def test_a_user_who_is_switched_off_while_they_sign_in_gets_no_session(
    ann: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No session waits for the day when they are switched on again."""
    bob = users.create(name="Bob", email="bob@x.example", password=PASSWORD)
    true = passwords.verify

    def slowly(stored: str | None, password: str) -> bool:
        users.disable(ann, bob.id)
        return true(stored, password)

    monkeypatch.setattr(passwords, "verify", slowly)
    with pytest.raises(UserError) as refused:
        sessions.sign_in("bob@x.example", PASSWORD)
    assert refused.value.code == "auth.disabled"
    with reading() as session:
        assert not session.exec(select(UserSession).where(col(UserSession.user_id) == bob.id)).all()


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_a_changed_password_ends_the_links_to_a_new_one(ann: Actor) -> None:
    """Whoever read the letter with the link has nothing once its user chose a password."""
    secret = link_for(ann)
    password_change.change(ann, PASSWORD, FRESH, cookie="")
    with pytest.raises(UserError) as refused:
        reset.offer(secret)
    assert refused.value.code == "auth.reset_invalid"


@postgres
def test_a_link_is_used_once_by_two_at_once(ann: Actor) -> None:
    """Of two who use one link at the same moment, one sets a password."""
    secret = link_for(ann)

    def used(session: Session) -> None:
        session.exec(select(AccountTicket).with_for_update()).one().used_at = utcnow()

    refused = meanwhile(used, lambda: reset.use(secret, FRESH))
    assert isinstance(refused, UserError), refused
    assert refused.code == "auth.reset_invalid"
    assert sessions.sign_in("ann@x.example", PASSWORD)


@postgres
def test_an_invitation_makes_one_account_of_two_at_once(ann: Actor) -> None:
    """A link for one colleague does not let two in who follow it at the same moment."""
    secret = users.invite(ann)

    def used(session: Session) -> None:
        session.exec(select(Invite).with_for_update()).one().used_at = utcnow()

    refused = meanwhile(used, lambda: users.accept_invite(secret, name="Eve", email="eve@x.example", password=PASSWORD))
    assert isinstance(refused, UserError), refused
    assert refused.code == "auth.invite_invalid"


@postgres
def test_two_administrators_can_not_switch_each_other_off(ann: Actor) -> None:
    """At the same moment neither: somebody must be left who can switch people on."""
    bob = users.create(name="Bob", email="bob@x.example", password=PASSWORD, admin=True)

    def off(session: Session) -> None:
        row = session.exec(select(User).where(User.email == "ann@x.example").with_for_update()).one()
        row.disabled_at = utcnow()

    refused = meanwhile(off, lambda: users.disable(ann, bob.id))
    assert isinstance(refused, (UserError, NotFound)), refused
