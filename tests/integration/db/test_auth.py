"""Accounts: set-up once, sign-in with a rate limit, sessions that end at once, invitations, tokens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mailcrm.errors import NotFound, UserError
from mailcrm.models import UserSession, utcnow
from mailcrm.services import crypto
from mailcrm.services.auth import sessions, throttle, users
from mailcrm.services.db import transaction

PASSWORD = "correct horse battery"


@pytest.fixture
def ann(db: str) -> users.Actor:
    return users.set_up(name="Ann", email="Ann@X.example ", password=PASSWORD, workspace_name="Tidewater")[0]


def test_set_up_works_once(ann: users.Actor) -> None:
    assert ann.admin
    assert users.is_set_up()
    assert users.workspace().name == "Tidewater"
    with pytest.raises(UserError) as refused:
        users.set_up(name="Eve", email="eve@x.example", password=PASSWORD)
    assert refused.value.code == "auth.setup_done"


@pytest.mark.parametrize(
    ("password", "code"),
    [("short", "auth.password_short"), ("password1234", "auth.password_common"), ("a" * 2000, "input.too_long")],
)
def test_weak_passwords_are_refused(db: str, password: str, code: str) -> None:
    with pytest.raises(UserError) as refused:
        users.set_up(name="Ann", email="a@x.example", password=password)
    assert refused.value.code == code
    assert not users.is_set_up()


def test_a_session_names_its_user_until_sign_out(ann: users.Actor) -> None:
    secret = sessions.sign_in("ann@x.example", PASSWORD)
    cookie = f"other=1; {sessions.cookie_name()}={secret}"
    found = sessions.actor_of_cookie(cookie)
    assert found is not None
    assert found.user_id == ann.user_id
    assert sessions.sign_out(cookie) == ann.user_id
    assert sessions.actor_of_cookie(cookie) is None


def test_the_database_holds_no_session_secret(ann: users.Actor) -> None:
    secret = sessions.sign_in("ann@x.example", PASSWORD)
    with transaction() as session:
        assert session.get(UserSession, secret) is None
        assert session.get(UserSession, crypto.digest(secret)) is not None


def test_an_expired_session_is_nobody(ann: users.Actor) -> None:
    secret = sessions.sign_in("ann@x.example", PASSWORD)
    with transaction() as session:
        row = session.get(UserSession, crypto.digest(secret))
        assert row is not None
        row.expires_at = utcnow()
    assert sessions.actor_of_secret(secret) is None


@pytest.mark.parametrize("cookie", ["", "sid=", "sid=forged", "sid", "\x00=;;;", "sid=" + "a" * 100_000])
def test_hostile_cookies_are_nobody(ann: users.Actor, cookie: str) -> None:
    assert sessions.actor_of_cookie(cookie) is None


def test_wrong_passwords_are_throttled_by_address(ann: users.Actor) -> None:
    """security.md 14: many tries a minute are stopped, even with the right password, and the message says until when."""
    for left in range(throttle.TRIES - 1, -1, -1):
        with pytest.raises(UserError) as refused:
            sessions.sign_in("ann@x.example", "wrong", network="192.0.2.1")
        assert (refused.value.code, refused.value.params["left"]) == ("auth.wrong", left)
    with pytest.raises(UserError) as refused:
        sessions.sign_in("ann@x.example", PASSWORD, network="192.0.2.1")
    assert refused.value.code == "auth.locked"
    assert sessions.sign_in("ann@x.example", PASSWORD, network="192.0.2.2"), "a stranger can't keep Ann out"


def test_an_address_is_stopped_from_many_networks_too(ann: users.Actor) -> None:
    for number in range(throttle.TRIES_BY_ADDRESS):
        with pytest.raises(UserError):
            sessions.sign_in("ann@x.example", "wrong", network=f"192.0.2.{number}")
    with pytest.raises(UserError) as refused:
        sessions.sign_in("ann@x.example", PASSWORD, network="198.51.100.1")
    assert refused.value.code == "auth.locked"


def test_a_network_is_stopped_over_all_addresses(ann: users.Actor) -> None:
    for number in range(throttle.TRIES_BY_NETWORK):
        with pytest.raises(UserError):
            sessions.sign_in(f"{number}@x.example", "wrong", network="192.0.2.1")
    with pytest.raises(UserError) as refused:
        sessions.sign_in("ann@x.example", PASSWORD, network="192.0.2.1")
    assert refused.value.code == "auth.locked"


def test_tries_that_arrive_at_once_are_counted(ann: users.Actor) -> None:
    """security.md 14: the count stands before the password is looked at."""

    def attempt(_number: int) -> str:
        try:
            sessions.sign_in("ann@x.example", "wrong", network="192.0.2.1")
        except UserError as error:
            return error.code
        return "in"

    with ThreadPoolExecutor(12) as pool:
        codes = list(pool.map(attempt, range(24)))
    assert "in" not in codes
    assert codes.count("auth.wrong") == throttle.TRIES


def test_a_right_password_forgets_the_failures(ann: users.Actor) -> None:
    for _ in range(throttle.TRIES - 1):
        with pytest.raises(UserError):
            sessions.sign_in("ann@x.example", "wrong")
    sessions.sign_in("ann@x.example", PASSWORD)
    with pytest.raises(UserError) as refused:
        sessions.sign_in("ann@x.example", "wrong")
    assert refused.value.params["left"] == throttle.TRIES - 1


def test_an_unknown_address_reads_like_a_wrong_password(ann: users.Actor) -> None:
    with pytest.raises(UserError) as refused:
        sessions.sign_in("nobody@x.example", PASSWORD)
    assert refused.value.code == "auth.wrong"


def test_an_invitation_works_once(ann: users.Actor) -> None:
    secret = users.invite(ann, email="bob@x.example")
    assert users.invited_email(secret) == "bob@x.example"
    bob, _ = users.accept_invite(secret, name="Bob", email="eve@evil.example", password=PASSWORD)
    assert not bob.admin
    assert users.me(bob).email == "bob@x.example"  # the invited address, not the one that was sent along
    with pytest.raises(UserError) as refused:
        users.accept_invite(secret, name="Eve", email="eve@evil.example", password=PASSWORD)
    assert refused.value.code == "auth.invite_invalid"


def test_members_can_neither_invite_nor_disable(ann: users.Actor) -> None:
    bob, _ = users.accept_invite(users.invite(ann), name="Bob", email="bob@x.example", password=PASSWORD)
    for act in (lambda: users.invite(bob), lambda: users.disable(bob, ann.user_id)):
        with pytest.raises(UserError) as refused:
            act()
        assert refused.value.code == "auth.admin_only"


def test_disabling_ends_sessions_and_tokens_at_once(ann: users.Actor) -> None:
    bob, secret = users.accept_invite(users.invite(ann), name="Bob", email="bob@x.example", password=PASSWORD)
    token = users.create_token(bob)
    assert users.actor_of_token(token) == bob
    users.disable(ann, bob.user_id)
    assert sessions.actor_of_secret(secret) is None
    assert users.actor_of_token(token) is None
    with pytest.raises(UserError) as refused:
        sessions.sign_in("bob@x.example", PASSWORD)
    assert refused.value.code == "auth.disabled"


def test_the_last_administrator_stays(ann: users.Actor) -> None:
    with pytest.raises(UserError) as refused:
        users.disable(ann, ann.user_id)
    assert refused.value.code == "auth.last_admin"
    with pytest.raises(NotFound):
        users.disable(ann, 999)


@pytest.mark.parametrize("email", ["", "x", "a@b c", "a@b\r\nBcc: e@e.e", "<a@b.example>", "a" * 70 + "@x.example"])
def test_addresses_that_are_none_are_refused(ann: users.Actor, email: str) -> None:
    with pytest.raises(UserError) as refused:
        users.create(name="Eve", email=email, password=PASSWORD)
    assert refused.value.code == "auth.email_invalid"


def test_an_address_has_one_account(ann: users.Actor) -> None:
    with pytest.raises(UserError) as refused:
        users.create(name="Ann 2", email="ANN@x.example", password=PASSWORD)
    assert refused.value.code == "auth.email_taken"
