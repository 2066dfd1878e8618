"""/oauth/{provider}/start and /callback over HTTP: whose session, from which site, and what comes back to the settings."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mailcrm.config import config
from mailcrm.endpoints import oauth
from mailcrm.models import Mailbox, OAuthAttempt
from mailcrm.services import told
from mailcrm.services.auth import sessions
from mailcrm.services.db import reading, transaction
from tests.builders import a_user
from tests.integration.oauth.conftest import Loop, query

PROVIDERS = pytest.mark.parametrize("provider", ["google", "microsoft"])


@pytest.fixture
def browser(loop: Loop) -> Iterator[TestClient]:
    """Ann's browser, signed in."""
    with TestClient(Starlette(routes=oauth.ROUTES), follow_redirects=False) as client:
        client.cookies = a_session(loop.actor.user_id)
        yield client


def a_session(user_id: int) -> dict[str, str]:
    with transaction() as session:
        return {sessions.cookie_name(): sessions.start(session, user_id)}


def attempts() -> int:
    with reading() as session:
        return len(session.exec(select(OAuthAttempt)).all())


@PROVIDERS
def test_there_and_back(loop: Loop, browser: TestClient, provider: str) -> None:
    left = browser.get(f"/oauth/{provider}/start", params={"address": loop.address, "history": "30"})
    assert left.status_code == 303
    assert left.headers["location"].startswith(f"{loop.oidc.url}/auth?")
    assert left.headers["referrer-policy"] == "no-referrer"
    params = loop.oidc.walk(left.headers["location"], loop.address)
    back = browser.get(f"/oauth/{provider}/callback", params=params)
    assert back.status_code == 303
    assert back.headers["cache-control"] == "no-store"
    place = urlsplit(back.headers["location"])
    assert "error" not in query(back.headers["location"]), back.headers["location"]
    with reading() as session:
        row = session.exec(select(Mailbox)).one()
    assert (place.path, query(back.headers["location"])) == (
        "/settings/email-sync", {"connected": str(row.id), "new": "1"},
    )  # fmt: skip
    assert (row.history_days, row.auth) == (30, provider)
    again = browser.get(f"/oauth/{provider}/callback", params=params)
    assert query(again.headers["location"])["error"] == "oauth.expired"
    assert params["code"] not in again.headers["location"]


def test_nobody_begins_or_ends_without_a_session(loop: Loop, browser: TestClient) -> None:
    left = browser.get("/oauth/google/start", params={"address": loop.address})
    params = loop.oidc.walk(left.headers["location"], loop.address)
    browser.cookies.clear()
    for path in ("start", "callback"):
        assert browser.get(f"/oauth/google/{path}", params=params).headers["location"] == "/login"
    # Another session of the same person, and another person: the code is of no use to either.
    for user_id in (loop.actor.user_id, a_user("Eve").user_id):
        browser.cookies = a_session(user_id)
        answer = browser.get("/oauth/google/callback", params=params)
        assert query(answer.headers["location"])["error"] == "oauth.expired"
    with reading() as session:
        assert session.exec(select(Mailbox)).all() == []


@pytest.mark.parametrize(
    ("site", "begins"), [("cross-site", False), ("same-site", False), ("same-origin", True), ("none", True)]
)
def test_another_site_begins_nothing(loop: Loop, browser: TestClient, site: str, begins: bool) -> None:
    answer = browser.get("/oauth/google/start", headers={"sec-fetch-site": site})
    assert answer.headers["location"].startswith(loop.oidc.url) is begins
    assert attempts() == begins


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD"])
def test_only_get(browser: TestClient, method: str) -> None:
    answer = browser.request(method, "/oauth/google/callback")
    assert answer.status_code in (405, 303)
    assert attempts() == 0


def test_what_is_no_provider_or_no_number_is_said(loop: Loop, browser: TestClient) -> None:
    for path in (
        "/oauth/yahoo/start",
        "/oauth/yahoo/callback",
        "/oauth/google/start?history=0",
        "/oauth/google/start?mailbox=99",
    ):
        answer = browser.get(path)
        assert answer.status_code == 303
        assert urlsplit(answer.headers["location"]).path == "/settings/email-sync"
        said = told.read(query(answer.headers["location"]), loop.actor.user_id)
        assert said is not None
        assert "yahoo" not in str(said), "text of an address is not repeated"


def test_an_app_that_is_not_set_up_is_said(loop: Loop, browser: TestClient) -> None:
    with loop.oidc.in_charge(MAILCRM_GOOGLE_CLIENT_ID="", MAILCRM_GOOGLE_CLIENT_SECRET=""):
        assert not config().google.is_set_up
        answer = browser.get("/oauth/google/start")
        said = query(answer.headers["location"])
        assert said.keys() == {"error", "provider", "sign"}
        assert told.read(said, loop.actor.user_id) == ("oauth.not_set_up", {"provider": "Google"})


def test_the_way_back_is_the_public_address_whatever_proxy_asked(loop: Loop, browser: TestClient) -> None:
    """Works behind a reverse proxy: the Host that arrives here is not where people came from."""
    answer = browser.get("/oauth/google/start", headers={"host": "10.0.0.7:8000", "x-forwarded-host": "evil.test"})
    assert query(answer.headers["location"])["redirect_uri"] == f"{config().public_url}/oauth/google/callback"


def test_one_person_holds_few_open_attempts(loop: Loop, browser: TestClient) -> None:
    for _ in range(25):
        browser.get("/oauth/google/start")
    assert attempts() <= 20
