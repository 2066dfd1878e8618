"""Sign-in over HTTP, as a browser does it: forms, cookies, redirects, and what is refused."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.applications import Starlette

from mailcrm.config import config
from mailcrm.endpoints import auth
from mailcrm.endpoints.headers import SecurityHeaders
from mailcrm.services.auth import sessions, users

ADMIN = {
    "name": "Sana Okafor",
    "email": "sana@tidewater.example",
    "password": "correct horse battery",
    "workspace": "Tidewater",
}


class Browser:
    """Posts forms to the application as a browser does; keeps its cookies."""

    def __init__(self) -> None:
        self.app = SecurityHeaders(Starlette(routes=auth.ROUTES))
        self.cookies = httpx.Cookies()

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {"origin": config().public_url} | request.pop("headers", {})

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url=config().public_url, cookies=self.cookies
            ) as client:
                answer = await client.request(method, path, headers=headers, **request)
                self.cookies = client.cookies
                return answer

        return asyncio.run(send())

    def get(self, path: str) -> httpx.Response:
        return self.ask("GET", path)

    def post(self, path: str, **request: Any) -> httpx.Response:
        return self.ask("POST", path, **request)


@pytest.fixture
def client(db: object) -> Browser:
    return Browser()


def problem(answer: httpx.Response) -> str:
    """The error code that a redirect carries."""
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    return query.get("error", [""])[0]


def test_the_first_visitor_becomes_the_administrator(client: Browser) -> None:
    """Item 5: set-up makes the administrator, signs them in, and closes for ever."""
    answer = client.post("/auth/setup", data=ADMIN)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/settings/email-sync"
    actor = sessions.actor_of_cookie(f"{sessions.cookie_name()}={answer.cookies[sessions.cookie_name()]}")
    assert actor is not None
    assert actor.admin
    again = client.post("/auth/setup", data=ADMIN | {"email": "eve@evil.example"})
    assert problem(again) == "auth.setup_done"
    assert [user.email for user in users.all_users(actor)] == [ADMIN["email"]]


def test_the_cookie_can_not_be_read_by_scripts(client: Browser) -> None:
    """Decision 8: HttpOnly, SameSite=Lax, the whole site, and no secret in the address."""
    answer = client.post("/auth/setup", data=ADMIN)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert answer.headers["cache-control"] == "no-store"
    assert ADMIN["password"] not in answer.headers["location"]


def test_a_wrong_password_says_how_many_tries_are_left(client: Browser) -> None:
    """Item 5: rate-limited with a clear message; the password never comes back in the address."""
    client.post("/auth/setup", data=ADMIN)
    client.cookies.clear()
    wrong = {"email": ADMIN["email"], "password": "not this one either"}
    first = client.post("/auth/login", data=wrong)
    assert problem(first) == "auth.wrong"
    assert "left=4" in first.headers["location"]
    assert "not+this" not in first.headers["location"]
    codes = [problem(client.post("/auth/login", data=wrong)) for _ in range(5)]
    assert codes[-1] == "auth.locked"
    right = client.post("/auth/login", data={"email": ADMIN["email"], "password": ADMIN["password"]})
    assert problem(right) == "auth.locked", "the right password must not get past the limit either"


def test_signing_in_and_out(client: Browser) -> None:
    """A session ends when its user signs out, on the server too."""
    client.post("/auth/setup", data=ADMIN)
    client.cookies.clear()
    answer = client.post("/auth/login", data={"email": ADMIN["email"].upper(), "password": ADMIN["password"]})
    assert answer.headers["location"] == "/inbox"
    header = f"{sessions.cookie_name()}={answer.cookies[sessions.cookie_name()]}"
    assert sessions.actor_of_cookie(header) is not None
    out = client.post("/auth/logout")
    assert out.headers["location"] == "/login"
    assert sessions.actor_of_cookie(header) is None


@pytest.mark.parametrize("path", ["/auth/login", "/auth/setup", "/auth/invite", "/auth/demo", "/auth/logout"])
def test_another_site_can_not_post(client: Browser, path: str) -> None:
    """F16: a form on another site changes nothing, with or without a session."""
    made = client.post("/auth/setup", data=ADMIN)
    header = f"{sessions.cookie_name()}={made.cookies[sessions.cookie_name()]}"
    for origin in ("https://evil.example", "null", ""):
        answer = client.post(path, data=ADMIN, headers={"origin": origin})
        assert answer.status_code == 303
        assert problem(answer) == "auth.bad_origin"
        assert "set-cookie" not in answer.headers
    assert sessions.actor_of_cookie(header) is not None


@pytest.mark.parametrize("path", ["/auth/login", "/auth/logout", "/auth/setup"])
def test_nothing_changes_by_following_a_link(client: Browser, path: str) -> None:
    """State-changing routes answer POST alone."""
    assert client.get(path).status_code == 405


def test_a_colleague_joins_by_invitation(client: Browser) -> None:
    """Item 5: the link works once and gives the role it was made for."""
    client.post("/auth/setup", data=ADMIN)
    admin = users.by_email(ADMIN["email"])
    secret = users.invite(admin, email="bob@tidewater.example")
    client.cookies.clear()
    form = {"token": secret, "name": "Bob", "email": "other@evil.example", "password": "another long phrase"}
    answer = client.post("/auth/invite", data=form)
    assert answer.headers["location"] == "/settings/email-sync"
    bob = users.by_email("bob@tidewater.example")
    assert not bob.admin
    again = client.post("/auth/invite", data=form | {"email": "third@tidewater.example"})
    assert problem(again) == "auth.invite_invalid"
    assert urlsplit(again.headers["location"]).path == f"/invite/{secret}"


@pytest.mark.parametrize("token", ["../../evil", "//evil.example", "x" * 5000, "\r\nSet-Cookie: a=b", ""])
def test_a_made_up_invitation_leads_nowhere_else(client: Browser, token: str) -> None:
    """A redirect stays on this server whatever the form says."""
    client.post("/auth/setup", data=ADMIN)
    answer = client.post(
        "/auth/invite",
        data={"token": token, "name": "Eve", "email": "eve@evil.example", "password": "some long phrase"},
    )
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/invite/")
    assert "evil.example" not in urlsplit(answer.headers["location"]).path
    assert "set-cookie" not in answer.headers


def test_a_huge_form_is_refused(client: Browser) -> None:
    """The form is a few short fields; argon2 and the parser never see more."""
    answer = client.post("/auth/login", data={"email": "a@b.example", "password": "x" * 50_000})
    assert problem(answer) == "input.too_long"


def test_every_answer_carries_the_policy(client: Browser) -> None:
    """F16: headers on pages; nothing may frame the app, and uploads through Reflex's route are closed."""
    answer = client.get("/auth/login")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.post("/_upload", content=b"x").status_code == 413
