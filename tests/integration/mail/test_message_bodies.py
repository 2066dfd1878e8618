"""`/m/{id}/…` for those who may read, and only them; hostile bodies and names (threats 5, 12, 13, 20; F5)."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from mailcrm.endpoints.messages import ROUTES, disposition
from mailcrm.errors import NotFound
from mailcrm.models import Blob, Link, Mailbox, Message, Person, Thread, User, utcnow
from mailcrm.services import access
from mailcrm.services.auth import sessions
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs, messages
from mailcrm.services.mail.render import render_body
from mailcrm.services.mail.render_pool import Pool, WorkerFailed
from tests.corpus.bombs import BOMBS

CORPUS = Path(__file__).parents[2] / "corpus"


class Client:
    """Asks the routes as a browser with that Cookie header."""

    def __init__(self, cookie: str = "") -> None:
        self.headers = {"cookie": cookie} if cookie else {}

    def get(self, path: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(Starlette(routes=ROUTES))
            async with httpx.AsyncClient(transport=transport, base_url="http://mail.test") as client:
                return await client.get(path, headers=self.headers)

        return asyncio.run(ask())


@dataclass
class Reader:
    """A signed-in user with a mailbox."""

    user_id: int
    mailbox_id: int
    client: Client

    def receive(self, raw: bytes, visibility: str = "private") -> int:
        sha = blobs.put(raw)
        with transaction() as session:
            session.merge(Blob(sha256=sha, size=len(raw)))
            thread = Thread(user_id=self.user_id, last_at=utcnow())
            session.add(thread)
            session.flush()
            row = Message(
                mailbox_id=self.mailbox_id, user_id=self.user_id, thread_id=thread.id, blob_sha=sha, size=len(raw),  # pyright: ignore[reportArgumentType]
                direction="in", visibility=visibility, sort_at=utcnow(),
            )  # fmt: skip
            session.add(row)
            session.flush()
            assert row.id is not None
            return row.id


def signed_in(email: str) -> Reader:
    with transaction() as session:
        user = User(email=email, name="A", password_hash="x")
        session.add(user)
        session.flush()
        box = Mailbox(
            user_id=user.id, address=email, imap_host="h", imap_port=993, imap_security="ssl", imap_username="u",  # pyright: ignore[reportArgumentType]
            smtp_host="h", smtp_port=465, smtp_security="ssl", smtp_username="u", secret=b"x",
        )  # fmt: skip
        session.add(box)
        session.flush()
        secret = sessions.start(session, user.id)  # pyright: ignore[reportArgumentType]
        found = (user.id, box.id)
    return Reader(found[0], found[1], Client(f"{sessions.cookie_name()}={secret}"))  # pyright: ignore[reportArgumentType]


@pytest.fixture
def ann(sqlite_db: Path) -> Reader:
    return signed_in("ann@x.example")


@pytest.fixture
def bob(ann: Reader) -> Reader:
    return signed_in("bob@x.example")


def own(name: str) -> bytes:
    return (CORPUS / f"{name}.eml").read_bytes()


def test_a_body_is_served_under_its_own_policy(ann: Reader) -> None:
    answer = ann.client.get(f"/m/{ann.receive(own('newsletter_alternative'))}/body")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-same-origin" in policy
    assert "allow-scripts" not in policy
    assert "https:" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-mailcrm-blocked-images"] == "1"
    assert "Spring offers" in answer.text
    assert "img.example" not in answer.text
    assert "<script" not in answer.text


def test_remote_images_once(ann: Reader) -> None:
    """Threat 2: allowing them for one view does not change the next."""
    path = f"/m/{ann.receive(own('newsletter_alternative'))}/body"
    allowed = ann.client.get(path + "?remote=1")
    assert 'src="image?u=' in allowed.text, "through our proxy, never by the browser"
    assert "img.example" not in allowed.text
    assert "https:" not in allowed.headers["content-security-policy"]
    assert "image?u=" not in ann.client.get(path).text


def test_themes(ann: Reader) -> None:
    plain, designed = ann.receive(own("html_only")), ann.receive(own("newsletter_alternative"))
    assert 'data-theme="dark"' in ann.client.get(f"/m/{plain}/body?theme=dark").text
    paper = ann.client.get(f"/m/{designed}/body?theme=dark").text
    assert 'data-theme="light" class="paper"' in paper, "designed mail keeps white paper"
    assert 'lang="ja"' in ann.client.get(f"/m/{ann.receive(own('japanese_iso_2022_jp'))}/body").text


def test_inline_image(ann: Reader) -> None:
    message = ann.receive(own("inline_cid_image"))
    body = ann.client.get(f"/m/{message}/body").text
    (source,) = re.findall(r'src="([^"]+)"', body)
    answer = ann.client.get(f"/m/{message}/{source}")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith("inline;")
    assert answer.content.startswith(b"\x89PNG")


def test_equal_content_of_two_messages_keeps_its_own_attachments(ann: Reader, bob: Reader) -> None:
    """The cache is by content: nothing in it may name a message."""
    first, second = ann.receive(own("inline_cid_image")), bob.receive(own("inline_cid_image"))
    assert ann.client.get(f"/m/{first}/body").text == bob.client.get(f"/m/{second}/body").text


@pytest.mark.parametrize(
    "kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/pdf", "image/png"]
)
def test_nothing_but_raster_images_is_shown_inline(ann: Reader, kind: str) -> None:
    """Threat 5: an image only when the bytes say so too."""
    raw = f"Content-Type: {kind}\r\nContent-Disposition: attachment; filename=a\r\n\r\n<svg onload=alert(1)>".encode()
    answer = ann.client.get(f"/m/{ann.receive(raw)}/attachments/1?inline=1")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] in ("application/octet-stream", "application/pdf", "image/png")


@pytest.mark.parametrize(
    "name",
    [
        'a"b',
        "a\r\nX: y",
        "../../etc/passwd",
        "\0",
        "見積.pdf",
        "\u202egpj.exe",
        "x" * 400,
        "a;b=c",
        "%00",
        "'",
        "ü",
        "",
    ],
)
def test_no_name_breaks_out_of_the_header(name: str) -> None:
    """Threat 5."""
    value = disposition(name, inline=False)
    assert re.fullmatch(
        r'attachment; filename="[A-Za-z0-9 ._()+-]{1,120}"; filename\*=UTF-8\'\'[A-Za-z0-9%._~-]*', value
    )


def test_raw_message(ann: Reader) -> None:
    raw = own("html_only")
    answer = ann.client.get(f"/m/{ann.receive(raw)}/raw")
    assert answer.content == raw
    assert answer.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize("path", ["body", "attachments/1", "raw"])
def test_absent_foreign_and_malformed_ids_answer_alike(ann: Reader, bob: Reader, path: str) -> None:
    """Threats 12, 13: private mail of another user can't be told from none."""
    foreign = ann.receive(own("inline_cid_image"))
    answers = [
        bob.client.get(f"/m/{which}/{path}") for which in (foreign, 999_999, "x", "-1", "0", "1e3", "9" * 40, "%00")
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1


def test_without_a_session(ann: Reader) -> None:
    message = ann.receive(own("html_only"))
    nobody = Client()
    assert {nobody.get(f"/m/{message}/{path}").status_code for path in ("body", "attachments/1", "raw")} == {401}


def test_shared_mail_needs_a_link(ann: Reader, bob: Reader) -> None:
    """M24, M25."""
    message = ann.receive(own("html_only"), "shared")
    assert bob.client.get(f"/m/{message}/body").status_code == 404
    with transaction() as session:
        person = Person(name="P", owner_id=ann.user_id)
        session.add(person)
        session.flush()
        session.add(Link(message_id=message, person_id=person.id, origin="manual"))
    assert bob.client.get(f"/m/{message}/body").status_code == 200


def test_the_verbs_authorise_themselves(ann: Reader, bob: Reader) -> None:
    message = ann.receive(own("inline_cid_image"))
    with reading() as session:
        actor = access.actor_for(session, bob.user_id)
    for verb in (messages.load_raw, messages.load_body):
        with pytest.raises(NotFound):
            verb(actor, message)
    with pytest.raises(NotFound):
        messages.load_attachment(actor, message, 1)


def test_what_cannot_be_parsed_is_said_and_can_be_downloaded(ann: Reader) -> None:
    """Threat 20."""
    raw = BOMBS["multipart_100"]()
    message = ann.receive(raw)
    answer = ann.client.get(f"/m/{message}/body")
    assert answer.status_code == 200
    assert "can’t be displayed" in answer.text
    assert ann.client.get(f"/m/{message}/raw").content == raw


@pytest.mark.parametrize(
    "name", ["html_p", "html_attributes", "html_dl", "html_entities", "html_style_parens", "html_10mb"]
)
def test_html_bombs_fall_back_to_text_and_the_next_message_is_shown(ann: Reader, name: str) -> None:
    """F4, F5: the worker is killed at 2 s of CPU and replaced."""
    bomb, normal = ann.receive(BOMBS[name]()), ann.receive(own("html_only"))
    answer = ann.client.get(f"/m/{bomb}/body")
    assert answer.status_code == 200
    assert answer.headers["x-mailcrm-fallback"] == ("0" if name == "html_style_parens" else "1")
    after = ann.client.get(f"/m/{normal}/body")
    assert after.headers["x-mailcrm-fallback"] == "0"
    assert "Second &amp; last" in after.text


def test_a_worker_that_does_not_answer_is_replaced() -> None:
    pool = Pool(size=1, wall_s=0.0)
    try:
        for _ in range(3):
            with pytest.raises(WorkerFailed):
                pool.ask({"html": "x", "remote_images": False, "cids": {}})
        assert not pool.processes()
    finally:
        pool.close()


def test_many_readers_at_once() -> None:
    """Answers are never mixed up between callers."""
    wrong: list[int] = []

    def read(number: int) -> None:
        html = f"<p>message {number}</p>"
        shown = render_body(
            html, "", content_hash=f"many-{number}", remote_images=False, attachment_url=lambda _cid: None
        )
        if f"message {number}<" not in shown.document:
            wrong.append(number)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
