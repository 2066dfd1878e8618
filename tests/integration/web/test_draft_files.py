"""Files of a draft over HTTP and as verbs (M06): whose they are, what is refused by content, what comes back."""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from mailcrm.config import config
from mailcrm.endpoints import drafts as routes
from mailcrm.endpoints.headers import SecurityHeaders
from mailcrm.errors import NotFound, UserError
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions
from mailcrm.services.db import transaction
from mailcrm.services.mail import blobs
from mailcrm.services.mail.outbox import draft as drafts
from mailcrm.services.mail.outbox import files
from mailcrm.services.mail.outbox.views import DraftInput
from mailcrm.services.mail.providers import sizes
from tests.builders import a_mailbox, a_user

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def png(width: int = 3, height: int = 2) -> bytes:
    """A PNG that says this size; its pixels fit only a small one."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\x00" + b"\x7f" * width * 3) * min(height, 50))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


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
        self, draft: int, data: bytes, name: str = "a.bin", *, inline: bool = False, **more: Any
    ) -> httpx.Response:
        body = {"inline": "1" if inline else "0"}
        return self.ask("POST", f"/drafts/{draft}/files", data=body, files={"file": (name, data)}, **more)


def a_draft(actor: Actor, **mailbox: Any) -> int:
    a_mailbox(actor, **mailbox)
    return drafts.new_draft(actor).id


def test_a_picture_is_kept_by_its_content_and_shown_to_its_owner_alone(db: str) -> None:
    """M06: the name says nothing; the type comes from the bytes; a colleague or an administrator sees nothing."""
    actor, other = a_user("Aino"), a_user("Sana", admin=True)
    draft = a_draft(actor)
    made = Browser(actor).upload(draft, png(), "evil.html", inline=True)
    assert made.status_code == 201
    said = made.json()
    assert (said["content_type"], said["width"], said["height"]) == ("image/png", 3, 2)
    path = f"/drafts/{draft}/pictures/{said['cid']}"
    shown = Browser(actor).ask("GET", path)
    assert (shown.status_code, shown.content, shown.headers["content-type"]) == (200, png(), "image/png")
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in shown.headers["content-security-policy"]
    assert shown.headers["content-disposition"] == "inline"
    for browser, expected in ((Browser(other), 404), (Browser(None), 401)):
        assert browser.ask("GET", path).status_code == expected
    assert [each.inline for each in drafts.get(actor, draft).attachments] == [True]
    assert drafts.get(actor, draft).attachments[0].filename == "evil.png"
    assert Browser(actor).ask("GET", f"/drafts/{draft}/files").json()["files"] == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (SVG, "image.not_one"),
        (b"<html>", "image.not_one"),
        (b"\x89PNG\r\n\x1a\n", "image.not_one"),
        (png(30_000, 30_000), "image.too_large"),
        (png(0, 5), "image.not_one"),
        (b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + b"\x00" * 40, "image.too_large"),
    ],
)
def test_what_is_no_picture_or_a_bomb_is_refused(sqlite_db: object, data: bytes, code: str) -> None:
    actor = a_user()
    draft = a_draft(actor)
    answer = Browser(actor).upload(draft, data, "p.png", inline=True)
    assert answer.status_code in (413, 422)
    assert answer.json()["code"] == code
    assert drafts.get(actor, draft).attachments == ()


def test_attachments_of_any_kind_come_back_only_as_downloads(sqlite_db: object) -> None:
    actor = a_user()
    draft = a_draft(actor)
    browser = Browser(actor)
    assert browser.upload(draft, SVG, "../../見積書 😀.svg").json()["filename"] == "見積書 😀.svg"
    assert browser.upload(draft, b"MZ", "photo.png").json()["content_type"] == "application/octet-stream"
    answer = browser.ask("GET", f"/drafts/{draft}/files/1")
    assert (answer.content, answer.headers["content-type"]) == (SVG, "application/octet-stream")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]


def test_uploads_of_others_and_from_other_sites_are_refused(db: str) -> None:
    """A draft is its user's alone; a form on another site posts nothing into it."""
    actor, other = a_user("Aino"), a_user("Sana", admin=True)
    draft = a_draft(actor)
    a_mailbox(other)
    assert Browser(other).upload(draft, b"x").status_code == 404
    assert Browser(None).upload(draft, b"x").status_code == 401
    for origin in ("https://evil.example", "null"):
        assert Browser(actor).upload(draft, b"x", headers={"origin": origin}).status_code == 403
    for which in ("0", "x", "999999999999999999999", "-1"):
        assert Browser(actor).upload(which, b"x").status_code == 404  # type: ignore[arg-type]
    assert Browser(actor).ask("POST", f"/drafts/{draft}/files", content=b"no form").status_code == 422
    assert Browser(actor).upload(draft, b"").json()["code"] == "outbox.empty_file"
    assert drafts.get(actor, draft).attachments == ()
    made = Browser(actor).upload(draft, b"mine").json()
    for method, path in (("GET", f"files/{made['n']}"), ("DELETE", f"files/{made['n']}"), ("GET", "files")):
        assert Browser(other).ask(method, f"/drafts/{draft}/{path}").status_code == 404
    assert len(drafts.get(actor, draft).attachments) == 1


def test_the_provider_s_limit_holds_for_all_files_together(sqlite_db: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is said before, and holds for what goes along: a picture that left the text counts no more."""
    actor = a_user()
    draft = a_draft(actor)
    view = drafts.get(actor, draft)
    monkeypatch.setattr(sizes, "_HOSTS", ((_smtp_host(actor), 1000),))
    assert files.listing(actor, draft).most == 1000
    image = files.add_picture(actor, draft, "p.png", png())
    html = f'<p><img src="cid:{image.cid}" alt=""></p>'
    drafts.save(actor, draft, DraftInput(view.mailbox_id, html=html))
    files.add(actor, draft, "a.bin", "", b"x" * (1000 - image.size))
    with pytest.raises(UserError, match="MB in all"):
        files.add(actor, draft, "b.bin", "", b"y")
    drafts.save(actor, draft, DraftInput(view.mailbox_id, html="<p>gone</p>"))
    assert files.listing(actor, draft).used == 1000 - image.size
    files.add(actor, draft, "b.bin", "", b"y")
    too_long = Browser(actor).ask("POST", f"/drafts/{draft}/files", headers={"content-length": "60000000"})
    assert too_long.status_code == 413


def _smtp_host(actor: Actor) -> str:
    from sqlmodel import select

    from mailcrm.models import Mailbox
    from mailcrm.services.db import reading

    with reading() as session:
        return session.exec(select(Mailbox.smtp_host).where(Mailbox.user_id == actor.user_id)).one()


def test_a_removed_file_comes_back_and_only_where_it_was(db: str) -> None:
    actor, other = a_user("Aino"), a_user("Sana")
    draft, second, foreign = a_draft(actor), drafts.new_draft(actor).id, a_draft(other)
    browser = Browser(actor)
    browser.upload(draft, b"one", "one.txt")
    browser.upload(draft, b"two", "two.txt")
    note = browser.ask("DELETE", f"/drafts/{draft}/files/1").json()["note"]
    assert [each.filename for each in drafts.get(actor, draft).attachments] == ["two.txt"]
    assert browser.ask("DELETE", f"/drafts/{draft}/files/1").status_code == 404
    with pytest.raises(NotFound):
        files.restore(actor, second, note)
    with pytest.raises(NotFound):
        files.restore(other, foreign, note)
    for wrong in ("", "x", note[:-6], "ü"):
        with pytest.raises(NotFound):
            files.restore(actor, draft, wrong)
    assert browser.ask("POST", f"/drafts/{draft}/files/restore", data={"note": note}).status_code == 201
    assert [each.filename for each in drafts.get(actor, draft).attachments] == ["one.txt", "two.txt"]


def test_a_file_that_vanished_from_the_disk_is_said(sqlite_db: object) -> None:
    """Issue 5, bad input: the chip says so before it is sent, and the download does not break."""
    actor = a_user()
    draft = a_draft(actor)
    files.add(actor, draft, "plan.pdf", "application/pdf", b"%PDF plan")
    assert [each.lost for each in files.listing(actor, draft).files] == [False]
    blobs.path_of(blobs.digest(b"%PDF plan")).unlink()
    assert [each.lost for each in files.listing(actor, draft).files] == [True]
    assert Browser(actor).ask("GET", f"/drafts/{draft}/files/1").json()["code"] == "outbox.file_lost"


def test_nothing_is_added_once_it_is_on_its_way(sqlite_db: object) -> None:
    actor = a_user()
    draft = a_draft(actor)
    view = drafts.get(actor, draft)
    drafts.save(actor, draft, DraftInput(view.mailbox_id, to="lena@nordlicht.test", subject="s", html="<p>x</p>"))
    from mailcrm.services.mail.outbox import queue

    queue.send(actor, draft, delay_s=60)
    with pytest.raises(UserError, match="on its way"):
        files.add(actor, draft, "late.txt", "", b"late")
