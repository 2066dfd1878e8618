"""Pictures, files and previews of templates and signatures over HTTP: whose they are, what is refused, under which policy."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from mailcrm.config import config
from mailcrm.endpoints import kept as routes
from mailcrm.endpoints.headers import SecurityHeaders
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions
from mailcrm.services.db import transaction
from mailcrm.services.writing import signatures, templates
from tests.builders import a_person, a_user
from tests.integration.writing.pictures import PNG

pytestmark = pytest.mark.usefixtures("db")


class Browser:
    """The routes as a browser with a session meets them."""

    def __init__(self, actor: Actor | None) -> None:
        self.app = SecurityHeaders(Starlette(routes=routes.ROUTES))
        secret = ""
        if actor:
            with transaction() as session:
                secret = sessions.start(session, actor.user_id)
        self.headers = {"cookie": f"{sessions.cookie_name()}={secret}"} if secret else {}

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **request: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=config().public_url) as client:
                origin = {"origin": config().public_url}
                return await client.request(method, path, headers=origin | self.headers | (headers or {}), **request)

        return asyncio.run(send())

    def upload(
        self, path: str, data: bytes, name: str = "a.bin", *, inline: bool = False, **more: Any
    ) -> httpx.Response:
        return self.ask("POST", path, data={"inline": "1" if inline else "0"}, files={"file": (name, data)}, **more)


@pytest.mark.parametrize("kind", ["templates", "signatures"])
def test_a_picture_is_kept_by_its_content_and_shown_to_its_owner_alone(kind: str) -> None:
    aino, root = a_user(), a_user("Root", admin=True)
    row_id = templates.create(aino, name="T").line.id if kind == "templates" else signatures.create(aino, name="S").id
    mine, theirs, nobody = Browser(aino), Browser(root), Browser(None)
    made = mine.upload(f"/{kind}/{row_id}/pictures", PNG, "x.html", inline=True)
    assert made.status_code == 201
    assert (made.json()["content_type"], made.json()["width"]) == ("image/png", 1)
    path = f"/{kind}/{row_id}/pictures/{made.json()['cid']}"
    shown = mine.ask("GET", path)
    assert (shown.content, shown.headers["content-type"]) == (PNG, "image/png")
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    for who, status in ((theirs, 404), (nobody, 401)):
        assert who.ask("GET", path).status_code == status
        assert who.ask("GET", f"/{kind}/{row_id}/preview").status_code == status
        assert who.upload(f"/{kind}/{row_id}/pictures", PNG, inline=True).status_code == status
    foreign = {"origin": "https://evil.test"}
    assert mine.upload(f"/{kind}/{row_id}/pictures", PNG, inline=True, headers=foreign).status_code == 403
    for data in (b"<svg onload=x>", b"", PNG[:16] + b"\x00\x01\x00\x00" * 2 + PNG[24:]):
        assert mine.upload(f"/{kind}/{row_id}/pictures", data, "x.png", inline=True).status_code in (413, 422)
    for bad in (
        f"/{kind}/0/preview",
        f"/{kind}/{10**18}/preview",
        f"/{kind}/x/preview",
        f"/{kind}/{row_id}/pictures/no",
    ):
        assert mine.ask("GET", bad).status_code == 404


def test_a_file_of_a_shared_template_is_downloaded_and_never_opened_here() -> None:
    aino, bo = a_user(), a_user("Bo")
    row_id = templates.create(aino, name="T", shared=True).line.id
    made = Browser(aino).upload(f"/templates/{row_id}/files", b"<script>x</script>", "x.html")
    got = Browser(bo).ask("GET", f"/templates/{row_id}/files/{made.json()['n']}")
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"].startswith("attachment")
    refused = Browser(bo).upload(f"/templates/{row_id}/files", b"x", "y.txt")
    assert (refused.status_code, refused.json()["code"]) == (422, "template.not_yours")
    large = {"content-length": str(10**9)}
    assert Browser(aino).ask("POST", f"/templates/{row_id}/files", headers=large, content=b"").status_code == 413


def test_a_preview_is_somebodys_email_under_a_policy_of_its_own() -> None:
    """M06: values escaped, pictures from our own routes, nothing from elsewhere, no script."""
    aino = a_user()
    maja = a_person(aino, "Maja <img src=x onerror=y>", "maja@x.test")
    row_id = templates.create(
        aino, name="T", html='<p>Hi {{ person.name }} {{ deal.title }}<img src="cid:a@b"></p>'
    ).line.id
    shown = Browser(aino).ask("GET", f"/templates/{row_id}/preview?person={maja.card.id}")
    assert "Maja &lt;img src=x onerror=y&gt;" in shown.text
    assert '<span class="mc-missing">Deal title</span>' in shown.text
    assert f'src="/templates/{row_id}/pictures/a%40b"' in shown.text
    policy = shown.headers["content-security-policy"]
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy
    assert Browser(aino).ask("GET", f"/templates/{row_id}/preview?person=99999").status_code == 404
