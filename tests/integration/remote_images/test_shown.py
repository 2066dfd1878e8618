"""Threat 2 through the routes: hidden until asked, for whom it was asked, signed, once; choices come and go."""

from __future__ import annotations

import asyncio
import html
import re
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import httpx
import pytest
from starlette.applications import Starlette

from mailcrm.endpoints.messages import ROUTES
from mailcrm.errors import NotFound, UserError
from mailcrm.models import Message
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.remote_images import cache, choices, fetch, shown, signing
from mailcrm.services.mail.remote_images.fetch import Fetched, NotFetched, Way
from tests.integration.mail.test_message_bodies import Reader, signed_in

IMAGE = Fetched("image/png", b"\x89PNG\r\n\x1a\n and more")
RAW = (
    "From: Shop <news@shop.test>\r\nContent-Type: text/html\r\n\r\n<p>Spring</p>{marker}"
    '<img src="https://cdn.shop.test/a.png?x=1&amp;y=2"><img src="https://cdn.shop.test/a.png?x=1&amp;y=2">'
    '<img src="http://cdn.shop.test/b.png" alt="b"><img src="https://u1.ct.sendgrid.net/wf/open?upn=a">'
)


class Outside(Way):
    """A network with one image; counts who asks."""

    asked: list[str] = []  # noqa: RUF012  set anew by the fixture

    def fetch(self, url: str) -> Fetched:
        self.asked.append(url)
        if "closed" in url:
            raise NotFetched
        return IMAGE


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    Outside.asked = []
    monkeypatch.setattr(shown.load, "__kwdefaults__", {"way": Outside()})
    monkeypatch.setattr(shown, "_failed", {})
    return Outside.asked


@pytest.fixture
def ann(sqlite_db: Path) -> Reader:
    return signed_in("ann@x.example")


@pytest.fixture
def bob(ann: Reader) -> Reader:
    return signed_in("bob@x.example")


def actor(reader: Reader) -> Actor:
    with reading() as session:
        return access.actor_for(session, reader.user_id)


def receive(reader: Reader, sender: str = "news@shop.test", *, junk: bool = False, marker: str = "") -> int:
    made = reader.receive(RAW.format(marker=marker or sender).replace("news@shop.test", sender).encode())
    with transaction() as session:
        row = session.get(Message, made)
        assert row is not None
        row.from_address, row.junk = sender, junk
    return made


def images(reader: Reader, message: int, *, once: bool = True) -> list[str]:
    text = reader.client.get(f"/m/{message}/body" + ("?remote=1" if once else "")).text
    return [html.unescape(found) for found in re.findall(r'src="(image\?[^"]+)"', text)]


def test_hidden_until_asked_then_only_through_us(ann: Reader, outside: list[str]) -> None:
    """Nothing is fetched by showing the email; each image once, however often it is looked at."""
    message = receive(ann)
    answer = ann.client.get(f"/m/{message}/body")
    assert images(ann, message, once=False) == []
    assert (answer.headers["x-mailcrm-blocked-images"], answer.headers["x-mailcrm-blocked-trackers"]) == ("3", "1")
    assert 'data-trackers="1 tracker blocked"' in answer.text
    found = images(ann, message)
    assert len(found) == 3
    assert outside == [], "none before display"
    for path in [*found, *found]:
        got = ann.client.get(f"/m/{message}/{path}")
        assert (got.status_code, got.content) == (200, IMAGE.content)
        assert got.headers["content-type"] == "image/png"
        assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in got.headers
    assert outside == ["https://cdn.shop.test/a.png?x=1&y=2", "http://cdn.shop.test/b.png"]
    assert images(ann, message, once=False) == [], "once does not persist"


def test_only_what_was_signed_for_this_reader_and_message(ann: Reader, bob: Reader, outside: list[str]) -> None:
    """Threat 6: without a valid MAC, of another message or of another user: refused, and nothing is fetched."""
    message, other = receive(ann), receive(ann, "b@shop.test")
    path = images(ann, message)[0]
    query = {name: value[0] for name, value in parse_qs(path.partition("?")[2]).items()}
    elsewhere = signing.query(actor(bob).user_id, message, "https://cdn.shop.test/a.png")
    wrong = [
        f"/m/{other}/{path}",
        f"/m/{message}/image",
        f"/m/{message}/image?u={query['u']}",
        f"/m/{message}/image?" + urlencode({"u": query["u"], "s": "A" * 22}),
        f"/m/{message}/image?" + urlencode({"u": query["u"] + "A", "s": query["s"]}),
        f"/m/{message}/image?" + urlencode({"u": "é", "s": "\x00"}),
        f"/m/{message}/image?" + urlencode({"u": "A" * 20_000, "s": query["s"]}),
        f"/m/{message}/image?{elsewhere}",
    ]
    assert {ann.client.get(each).status_code for each in wrong} == {404}
    assert bob.client.get(f"/m/{message}/{path}").status_code == 404, "another user"
    assert bob.client.get(f"/m/{message}/image?{elsewhere}").status_code == 404, "signed, but not to be seen"
    assert ann.client.__class__().get(f"/m/{message}/{path}").status_code == 401
    assert outside == []


def test_a_failure_says_nothing_and_is_not_tried_at_once_again(ann: Reader, outside: list[str]) -> None:
    message = receive(ann)
    path = "image?" + signing.query(ann.user_id, message, "https://closed.test/a")
    answers = [ann.client.get(f"/m/{message}/{path}") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.text for answer in answers} == {"This image could not be loaded."}
    assert outside == ["https://closed.test/a"]


@pytest.mark.parametrize("scope", choices.SCOPES)
def test_choices_show_what_they_cover_until_they_are_taken_back(ann: Reader, bob: Reader, scope: str) -> None:
    first, colleague, stranger = receive(ann), receive(ann, "tim@shop.test"), receive(ann, "x@notshop.test")
    foreign, junk = receive(bob), receive(ann, junk=True, marker="junk")
    made = choices.allow(actor(ann), scope, first)
    assert choices.allow(actor(ann), scope, first) == made, "again does nothing"
    expected = {"sender": [first], "domain": [first, colleague], "always": [first, colleague, stranger]}[scope]
    assert [each for each in (first, colleague, stranger) if images(ann, each, once=False)] == expected
    assert images(ann, junk, once=False) == [], "From is only a claim; what is in Junk is not believed"
    assert images(bob, foreign, once=False) == [], "a choice is its user's"
    with pytest.raises(NotFound):
        choices.revoke(actor(bob), made.id)
    gone = choices.revoke(actor(ann), made.id)
    assert images(ann, first, once=False) == []
    assert choices.again(actor(ann), gone.scope, gone.shown).shown == made.shown
    assert images(ann, first, once=False) != []
    assert [each.scope for each in choices.list_choices(actor(ann))] == [scope]


def test_choices_authorise_themselves(ann: Reader, bob: Reader) -> None:
    message = receive(ann)
    for scope in ("sender", "domain"):
        with pytest.raises(NotFound):
            choices.allow(actor(bob), scope, message)
    with pytest.raises(UserError):
        choices.allow(actor(ann), "everything", message)
    with pytest.raises(UserError):
        choices.allow(actor(ann), "sender", receive(ann, ""))
    assert choices.list_choices(actor(ann)) == ()


def test_the_store_is_bounded_and_can_be_damaged(ann: Reader) -> None:
    pictures = [Fetched("image/png", bytes([n]) * 1000) for n in range(20)]
    for n, each in enumerate(pictures):
        cache.put(cache.key_of("a" * 64, str(n)), each, most=10_000)
    kept = list((cache.folder() / "content").glob("*/*"))
    assert sum(path.stat().st_size for path in kept) <= 10_000
    assert cache.get(cache.key_of("a" * 64, "19")) == pictures[19]
    assert cache.get(cache.key_of("a" * 64, "0")) is None
    assert cache.get(cache.key_of("b" * 64, "19")) is None, "an entry is of one message"
    for path in kept:
        path.write_bytes(b"<svg onload=alert(1)>")
    assert cache.get(cache.key_of("a" * 64, "19")) is None, "what is not what was kept is not shown"


def test_slow_images_hold_up_nothing_but_themselves(ann: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """An email with many images on a server that never answers: pages, events and images that are kept go on."""
    began, ended = asyncio.Event(), threading.Event()

    class Hanging(Way):
        def fetch(self, url: str) -> Fetched:
            loop[0].call_soon_threadsafe(began.set)
            ended.wait(30)
            raise NotFetched

    loop: list[asyncio.AbstractEventLoop] = []
    message = receive(ann)
    seen = images(ann, message)[0]

    async def asked(client: httpx.AsyncClient, n: int) -> int:
        query = signing.query(ann.user_id, message, f"https://slow.test/{n}.png")
        return (await client.get(f"/m/{message}/image?{query}", headers=ann.client.headers)).status_code

    async def run() -> tuple[int, list[int]]:
        loop.append(asyncio.get_running_loop())
        monkeypatch.setattr(shown.load, "__kwdefaults__", {"way": Hanging()})
        app = httpx.ASGITransport(Starlette(routes=ROUTES))
        async with httpx.AsyncClient(transport=app, base_url="http://localhost") as client:
            slow = [asyncio.create_task(asked(client, n)) for n in range(60)]
            await began.wait()
            answer = await asyncio.wait_for(client.get(f"/m/{message}/{seen}", headers=ann.client.headers), 20)
            ended.set()
            return answer.status_code, await asyncio.gather(*slow)

    cache.put(cache.key_of(_sha(message), "https://cdn.shop.test/a.png?x=1&y=2"), IMAGE)
    found, slow = asyncio.run(run())
    assert found == 200
    assert set(slow) == {503}


def test_an_image_that_many_ask_for_at_once_is_fetched_once(ann: Reader, outside: list[str]) -> None:
    """Also when somebody comes in the moment when the first is done and the second waits."""
    with shown._alone("k"):  # pyright: ignore[reportPrivateUsage]
        first = shown._fetching["k"][0]  # pyright: ignore[reportPrivateUsage]
        waiting = threading.Thread(target=lambda: shown._alone("k").__enter__())  # pyright: ignore[reportPrivateUsage]
        waiting.start()
        while shown._fetching["k"][1] < 2:  # pyright: ignore[reportPrivateUsage]
            threading.Event().wait(0.005)
    waiting.join(5)
    assert shown._fetching["k"][0] is first, "who comes now waits at the same lock"  # pyright: ignore[reportPrivateUsage]
    shown._alone.__exit__(shown._alone("k"))  # pyright: ignore[reportPrivateUsage]
    assert "k" not in shown._fetching  # pyright: ignore[reportPrivateUsage]


def _sha(message: int) -> str:
    with reading() as session:
        return session.get_one(Message, message).blob_sha


def test_there_is_one_way_out_and_it_never_goes_inside() -> None:
    assert Way(open=fetch._open) == fetch.WAY  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(NotFetched):
        fetch.WAY.fetch("http://127.0.0.1/a.png")
