"""One's own sessions: listed, ended one by one and together, never anybody else's (threat 14; ASVS 7.4, 7.5)."""

from __future__ import annotations

import pytest
from sqlmodel import select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import LiveEvent
from mailcrm.services.auth import browsers, password_change, sessions, users
from mailcrm.services.db import reading

PASSWORD = "correct horse battery"
FRESH = "a different phrase altogether"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"


def cookie(secret: str) -> str:
    return f"{sessions.cookie_name()}={secret}"


@pytest.fixture
def ann(sqlite_db: object) -> users.Actor:
    return users.set_up(name="Ann", email="ann@x.example", password=PASSWORD)[0]


def sign_in(network: str = "203.0.113.77") -> str:
    return cookie(sessions.sign_in("ann@x.example", PASSWORD, network=network, user_agent=AGENT))


def test_the_list_names_device_and_network_and_which_is_this_one(ann: users.Actor) -> None:
    first, second = sign_in(), sign_in("2001:db8:1:2::9")
    found = browsers.list_sessions(ann, first)
    assert [view.here for view in found] == [True, False, False]  # the one of set-up too
    assert (found[0].device.browser, found[0].device.system) == ("Firefox", "Linux")
    assert found[0].network == "203.0.113.0/24"
    assert {view.network for view in browsers.list_sessions(ann, second)[:1]} == {"2001:db8:1::/48"}
    assert "203.0.113.77" not in repr(found)


def test_one_that_is_ended_is_nobody_and_its_tabs_are_told(ann: users.Actor) -> None:
    here, other = sign_in(), sign_in()
    handle = next(view.handle for view in browsers.list_sessions(ann, other) if view.here)
    browsers.end(ann, handle)
    assert sessions.actor_of_cookie(other) is None
    assert sessions.actor_of_cookie(here) is not None
    with reading() as session:
        assert ("session", ann.user_id) in session.exec(select(LiveEvent.topic, LiveEvent.user_id)).all()


def test_a_handle_is_no_cookie_and_no_key_to_others(ann: users.Actor) -> None:
    """Threat 13: another user's handle, an own one used twice, and nonsense are not found."""
    here = sign_in()
    ben = users.by_email(users.create(name="Ben", email="ben@x.example", password=PASSWORD).email)
    handle = browsers.list_sessions(ann, here)[0].handle
    assert handle not in here
    for actor, given in ((ben, handle), (ann, ""), (ann, handle[:-1]), (ann, "0" * 24)):
        with pytest.raises(NotFound):
            browsers.end(actor, given)
    assert sessions.actor_of_cookie(here) is not None
    browsers.end(ann, handle)
    with pytest.raises(NotFound):
        browsers.end(ann, handle)


def test_sign_out_everywhere_else_keeps_this_one_and_other_people(ann: users.Actor) -> None:
    users.create(name="Ben", email="ben@x.example", password=PASSWORD)
    ben = cookie(sessions.sign_in("ben@x.example", PASSWORD))
    here, others = sign_in(), [sign_in(), sign_in()]
    assert browsers.end_others(ann, here) == 3  # with the one of set-up
    assert [sessions.actor_of_cookie(each) for each in others] == [None, None]
    assert sessions.actor_of_cookie(here) is not None
    assert sessions.actor_of_cookie(ben) is not None


def test_a_new_password_ends_the_others(ann: users.Actor) -> None:
    here, other = sign_in(), sign_in()
    assert password_change.change(ann, PASSWORD, FRESH, cookie=here) == 2
    assert sessions.actor_of_cookie(other) is None
    assert sessions.actor_of_cookie(here) is not None
    with pytest.raises(UserError, match="don’t match"):
        sessions.sign_in("ann@x.example", PASSWORD)
    assert sessions.sign_in("ann@x.example", FRESH)


def test_a_new_password_needs_the_old_one_and_guesses_are_counted(ann: users.Actor) -> None:
    here = sign_in()
    codes = []
    for _ in range(7):
        with pytest.raises(UserError) as refused:
            password_change.change(ann, "wrong guess", FRESH, cookie=here)
        codes.append(refused.value.code)
    assert codes == ["auth.current_wrong"] * 5 + ["auth.locked"] * 2
    with pytest.raises(UserError, match="Too many"):
        password_change.change(ann, PASSWORD, FRESH, cookie=here)
    assert sessions.sign_in("ann@x.example", PASSWORD)  # the sign-in page counts by itself


def test_a_weak_password_changes_nothing(ann: users.Actor) -> None:
    here, other = sign_in(), sign_in()
    with pytest.raises(UserError):
        password_change.change(ann, PASSWORD, "short", cookie=here)
    assert sessions.actor_of_cookie(other) is not None
