"""Real mail rewritten and read back: the text is the same, every link leads to its exact original (issue 6).

Done when: 200 HTML messages of the corpora; each tracked link is followed through the real route. How they look is
compared in a browser (tests/integration/browser/test_tracked_mail.py).
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
from selectolax.lexbor import LexborHTMLParser, LexborNode
from sqlmodel import Session, func, select
from starlette.applications import Starlette

from mailcrm.endpoints.tracking import ROUTES
from mailcrm.models import TrackedLink, TrackedMessage, TrackingEvent
from mailcrm.services.db import reading, transaction
from mailcrm.services.tracking import record, tokens
from mailcrm.services.tracking.destinations import safe_location
from mailcrm.services.tracking.outgoing import click_url, pixel_url
from mailcrm.services.tracking.rewrite import Rewritten, rewrite
from tests.builders import a_user
from tests.tracked_mail import SHAPES, html_bodies

WEB = re.compile(r"\s*https?://[^\s/?#\\]", re.IGNORECASE)
SAID = re.compile(r"unsubscri|opt[-_ ]?out|abmelden|désabonn|配信停止|退订", re.IGNORECASE)


def test_two_hundred_messages_read_back_the_same(sqlite_db: Path, corpora: Path) -> None:
    """T01: nothing but destinations changes, byte for byte and in the tree; and no link of the new text is left out."""
    bodies = {**html_bodies(corpora), **SHAPES}
    actor = a_user("Aino")
    made: dict[str, tuple[str, Rewritten]] = {}
    with transaction() as session:
        for name, body in bodies.items():
            made[name] = tracked(session, actor.user_id, body)
    links = 0
    for name, (nonce, found) in made.items():
        before, after = bodies[name], found.html
        restored = without_pixel(after, nonce)
        for link in found.links:
            assert restored.count(click_url(nonce, link.position)) == 1, name
        assert_bytes(before, restored, [click_url(nonce, link.position) for link in found.links])
        assert attributes_of(before) == attributes_of(restored, nonce, found), name
        assert text_of(before) == text_of(restored), name
        assert_complete(name, before, restored, found)
        links += len(found.links)
    assert links >= 150
    follow_all([(nonce, found) for nonce, found in made.values()])


def tracked(session: Session, user_id: int, body: str) -> tuple[str, Rewritten]:
    row = TrackedMessage(user_id=user_id, nonce=tokens.new_nonce(), opens_on=True, clicks_on=True)
    session.add(row)
    session.flush()
    made = rewrite(body, pixel=pixel_url(row.nonce), link=lambda n: click_url(row.nonce, n))
    for link in made.links:
        session.add(TrackedLink(tracked_id=row.id or 0, position=link.position, url=link.url, text=link.text))
    return row.nonce, made


def without_pixel(document: str, nonce: str) -> str:
    images = re.findall(rf'<img src="{re.escape(pixel_url(nonce))}"[^>]*>', document)
    assert len(images) == 1
    return document.replace(images[0], "")


def assert_bytes(before: str, after: str, urls: list[str]) -> None:
    """Between the destinations every byte is where it was; an address without quotes may have got some."""
    before, rest, at = before.replace('"', ""), after.replace('"', ""), 0
    for url in urls:
        part, _, rest = rest.partition(url)
        found = before.index(part, at)
        assert at == 0 or re.fullmatch(r"\s*https?://\S.*", before[at:found], re.IGNORECASE | re.DOTALL)
        assert at > 0 or found == 0
        at = found + len(part)
    assert before.endswith(rest)
    assert not urls or re.fullmatch(
        r"\s*https?://\S.*", before[at : len(before) - len(rest)], re.IGNORECASE | re.DOTALL
    )


def nodes(document: str) -> list[LexborNode]:
    return list(LexborHTMLParser(document).css("*"))


def attributes_of(
    document: str, nonce: str = "", found: Rewritten | None = None
) -> list[tuple[str | None, dict[str, str | None]]]:
    """Every element with its attributes, a tracked link's destination put back as a browser would read it."""
    by_url = {click_url(nonce, link.position): link.url for link in found.links} if found else {}
    read: list[tuple[str | None, dict[str, str | None]]] = []
    for node in nodes(document):
        attributes = dict(node.attributes)
        href = attributes.get("href")
        if node.tag in ("a", "area") and href is not None:
            attributes["href"] = by_url.get(href, re.sub(r"[\t\n\r]", "", href).strip() if WEB.match(href) else href)
        read.append((node.tag, attributes))
    return read


def text_of(document: str) -> str:
    return LexborHTMLParser(document).root.text(deep=True)  # type: ignore[union-attr]


def assert_complete(name: str, before: str, after: str, found: Rewritten) -> None:
    """What was left alone has a reason that can be seen in the tree."""
    left = [
        node for node in LexborHTMLParser(after).css("a[href],area[href]")
        if WEB.match(node.attributes["href"] or "") and "/t/c/" not in (node.attributes["href"] or "")
    ]  # fmt: skip
    unexplained = [node.html for node in left if not SAID.search(node.html or "") and not is_quoted(node)]
    assert unexplained == [], name


def is_quoted(node: LexborNode) -> bool:
    at = node.parent
    while at is not None:
        attributes = at.attributes if at.tag and at.tag[0] not in "-_" else {}
        marks = f"{attributes.get('class')} {attributes.get('type')}"
        if at.tag in ("blockquote", "div") and re.search(r"mailcrm-quote|cite|gmail_quote", marks):
            return True
        at = at.parent
    return False


def follow_all(made: list[tuple[str, Rewritten]]) -> None:
    async def run() -> None:
        transport = httpx.ASGITransport(Starlette(routes=ROUTES))
        async with httpx.AsyncClient(transport=transport, base_url="http://track.test") as client:
            for nonce, found in made:
                for link in found.links:
                    answer = await client.get(f"/t/c/{tokens.make('click', nonce, link.position)}")
                    assert answer.status_code == 302
                    assert answer.headers["location"] == safe_location(link.url)
                    if link.url.isascii() and not re.search(r'[\s"<>]', link.url):
                        assert answer.headers["location"] == link.url  # byte for byte

    asyncio.run(run())
    record.flush()
    with reading() as session:
        assert session.exec(select(func.count()).select_from(TrackingEvent)).one() == sum(len(m.links) for _, m in made)
