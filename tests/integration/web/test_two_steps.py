"""The second step and the forgotten password over HTTP: what each form answers, and which cookies it leaves."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from mailcrm.config import config
from mailcrm.services.access import Actor
from mailcrm.services.auth import reset, second, sessions, users
from tests.integration.auth.test_reset import server, sink  # noqa: F401  fixtures
from tests.integration.auth.test_second import Phone
from tests.integration.web.test_sign_in import Browser, problem
from tests.servers.smtp_sink import SmtpSink

PASSWORD = "correct horse battery"
FRESH = "a different phrase altogether"


@pytest.fixture
def ann(sqlite_db: object) -> Actor:
    return users.set_up(name="Ann", email="ann@x.example", password=PASSWORD)[0]


def signed_in(browser: Browser) -> bool:
    secret = browser.cookies.get(sessions.cookie_name())
    return secret is not None and sessions.actor_of_secret(secret) is not None


def log_in(browser: Browser, password: str = PASSWORD) -> str:
    answer = browser.post("/auth/login", data={"email": "ann@x.example", "password": password})
    return urlsplit(answer.headers["location"]).path


def test_the_password_leads_to_the_code_and_the_code_inside(ann: Actor) -> None:
    phone, browser = Phone(second.begin(ann, PASSWORD)), Browser()
    second.confirm(ann, phone.code())
    assert log_in(browser) == "/login-code"
    assert not signed_in(browser)
    ticket = browser.cookies[sessions.ticket_cookie_name()]
    wrong = browser.post("/auth/code", data={"code": phone.code()})
    assert problem(wrong) == "auth.code_wrong"
    assert phone.code() not in wrong.headers["location"]
    done = browser.post("/auth/code", data={"code": phone.code(1)})
    assert urlsplit(done.headers["location"]).path == "/inbox"
    cookies = done.headers.get_list("set-cookie")
    assert all("HttpOnly" in each and "SameSite=lax" in each for each in cookies)
    assert signed_in(browser)
    assert sessions.ticket_cookie_name() not in browser.cookies
    browser.cookies.set(sessions.ticket_cookie_name(), ticket)
    assert problem(browser.post("/auth/code", data={"code": phone.code(1)})) == "auth.code_late"


@pytest.mark.parametrize("cookie", ["", "forged", "é", "x" * 3000])
def test_a_code_without_a_password_opens_nothing(ann: Actor, cookie: str) -> None:
    phone, browser = Phone(second.begin(ann, PASSWORD)), Browser()
    second.confirm(ann, phone.code())
    headers = {"cookie": f"{sessions.ticket_cookie_name()}={cookie}".encode()} if cookie else {}
    answer = browser.post("/auth/code", data={"code": phone.code(1)}, headers=headers)
    assert problem(answer) == "auth.code_late"
    assert not signed_in(browser)


def test_forgot_answers_the_same_for_everybody(ann: Actor, sink: SmtpSink) -> None:  # noqa: F811
    """Bytes and headers; that the work is the same is test_reset's."""

    def answer(address: str) -> tuple[int, bytes, list[tuple[str, str]]]:
        got = Browser().post("/auth/forgot", data={"email": address})
        return got.status_code, got.content, sorted(got.headers.items())

    assert answer("ann@x.example") == answer("bob@x.example")
    assert answer("ann@x.example")[0] == 303


def test_a_link_sets_a_password_and_signs_nobody_in(ann: Actor) -> None:
    here, browser = Browser(), Browser()
    log_in(here)
    secret = reset.make_link(ann.user_id).rpartition("/")[2]
    refused = browser.post("/auth/reset", data={"token": secret, "password": "short"})
    assert urlsplit(refused.headers["location"]).path == f"/reset/{secret}"
    assert problem(refused) == "auth.password_short"
    done = browser.post("/auth/reset", data={"token": secret, "password": FRESH})
    assert done.headers["location"] == "/login?done=reset"
    assert not signed_in(browser)
    assert not signed_in(here)
    assert log_in(browser) == "/login"
    assert log_in(browser, FRESH) == "/inbox"
    again = browser.post("/auth/reset", data={"token": secret, "password": PASSWORD})
    assert problem(again) == "auth.reset_invalid"


@pytest.mark.parametrize("path", ["/auth/code", "/auth/forgot", "/auth/reset"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_other_sites_can_not_post(ann: Actor, path: str, origin: str) -> None:
    answer = Browser().post(path, data={"email": "ann@x.example"}, headers={"origin": origin})
    assert problem(answer) == "auth.bad_origin"
    assert urlsplit(answer.headers["location"]).netloc == ""
    assert Browser().get(path).status_code == 405
    assert config().public_url


@pytest.mark.parametrize("token", ["//evil.example", "../../x", "\r\nSet-Cookie: a=b", "", "?x#y"])
def test_a_hostile_token_leads_nowhere_else(ann: Actor, token: str) -> None:
    answer = Browser().post("/auth/reset", data={"token": token, "password": FRESH})
    parts = urlsplit(answer.headers["location"])
    assert parts.netloc == ""
    assert parts.path.startswith("/reset/")
    assert parse_qs(parts.query)["error"] == ["auth.reset_invalid"]
