"""Uploads, bad lines and exports over HTTP and REST: whose they are, what is refused, how they are answered."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from mailcrm.config import config
from mailcrm.endpoints import api, transfer
from mailcrm.endpoints.headers import SecurityHeaders
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions, users
from mailcrm.services.crm import people
from mailcrm.services.crm.transfer import imports, run
from mailcrm.services.db import transaction
from tests.builders import a_user

FILE = "Name,Email\nMika,mika@saimaa.test\nBad,=cmd\n".encode("utf-16")


class Browser:
    """The application as a browser with a session meets it."""

    def __init__(self, actor: Actor | None) -> None:
        self.app = SecurityHeaders(Starlette(routes=[*transfer.ROUTES, Mount(api.PREFIX, api.app)]))
        secret = ""
        if actor:
            with transaction() as session:
                secret = sessions.start(session, actor.user_id)
        self.headers = {"cookie": f"{sessions.cookie_name()}={secret}"} if secret else {}

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **request: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app), base_url=config().public_url
            ) as client:
                origin = {"origin": config().public_url}
                return await client.request(method, path, headers=origin | self.headers | (headers or {}), **request)

        return asyncio.run(send())

    def upload(self, data: bytes = FILE, kind: str = "person", **options: Any) -> httpx.Response:
        return self.ask("POST", "/imports", data={"kind": kind}, files={"file": ("../p.csv", data)}, **options)


def asked(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 303
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def test_an_upload_opens_its_import(db: str) -> None:
    actor = a_user()
    made = int(asked(Browser(actor).upload())["import"])
    view = imports.get_import(actor, made)
    assert (view.state, view.filename, view.encoding, view.rows) == ("draft", "p.csv", "UTF-16 LE", 2)


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [(b"", "person", "import.empty"), (b"PK\x03\x04", "person", "import.workbook"), (FILE, "users", "input.invalid")],
)
def test_what_can_not_be_read_comes_back_as_a_code(db: str, data: bytes, kind: str, code: str) -> None:
    assert asked(Browser(a_user()).upload(data, kind))["error"] == code


def test_only_numbers_of_an_error_come_back_in_the_address(db: str) -> None:
    answer = asked(Browser(a_user()).upload(b"Name\nAnn\n\xff\xfe\x81\n"))
    assert answer == {"error": "import.encoding", "line": "3"}


def test_uploads_of_nobody_and_of_other_sites_are_refused(db: str) -> None:
    actor = a_user()
    assert Browser(None).upload().headers["location"] == "/login"
    for origin in ("https://evil.example", "null"):
        assert asked(Browser(actor).upload(headers={"origin": origin}))["error"] == "auth.bad_origin"
    assert (
        asked(Browser(actor).ask("POST", "/imports", headers={"content-length": "30000000"}))["error"]
        == "import.too_large"
    )
    assert asked(Browser(actor).ask("POST", "/imports", content=b"no form"))["error"] == "import.empty"
    assert imports.list_imports(actor) == ()


def test_bad_lines_are_their_users_alone(db: str) -> None:
    actor, other = a_user("Aino"), a_user("Sana", admin=True)
    made = int(asked(Browser(actor).upload())["import"])
    imports.start(actor, made)
    run.run_import(made)
    answer = Browser(actor).ask("GET", f"/imports/{made}/bad-lines")
    assert answer.status_code == 200
    assert '"Bad","\'=cmd"' in answer.text
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "sandbox" in answer.headers["content-security-policy"]
    for browser, which in (
        (Browser(other), made),
        (Browser(actor), 999),
        (Browser(actor), "x"),
        (Browser(actor), "1e1"),
    ):
        assert browser.ask("GET", f"/imports/{which}/bad-lines").status_code == 404
    assert Browser(None).ask("GET", f"/imports/{made}/bad-lines").status_code == 401


def test_exports(db: str) -> None:
    actor = a_user()
    people.create_person(actor, name="山田 太郎", addresses=["yamada@tokyo.test"])
    answer = Browser(actor).ask("GET", "/export/persons.csv?excel=1")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert "山田 太郎" in answer.text
    assert Browser(actor).ask("GET", "/export/users.csv").status_code == 404
    assert Browser(None).ask("GET", "/export/persons.csv").status_code == 401


def test_exports_over_rest(db: str) -> None:
    actor = a_user()
    people.create_person(actor, name="Mika")
    token = {"authorization": f"Bearer {users.create_token(actor, '')}"}
    browser = Browser(None)
    answer = browser.ask("GET", "/api/v1/export/persons", headers=token)
    assert answer.status_code == 200
    assert "Mika" in answer.text
    assert browser.ask("GET", "/api/v1/export/users", headers=token).status_code == 422
    assert browser.ask("GET", "/api/v1/export/persons").status_code == 401
