"""Our own pixels and links in mail that comes back are neither shown nor quoted on (issue 6, Deliver 2; B03, T10)."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from mailcrm.models import Blob, TrackedLink, TrackedMessage
from mailcrm.services.db import transaction
from mailcrm.services.mail import blobs, messages
from mailcrm.services.mail.outbox import draft
from mailcrm.services.mail.parse.links import OWN_SHAPE, is_own_pixel
from mailcrm.services.mail.render import render_body
from mailcrm.services.tracking import tokens
from mailcrm.services.tracking.outgoing import click_url, pixel_url
from tests.builders import a_mailbox, a_message, a_user

URL = "https://shop.test/?a=1&b=ü"


def a_nonce(url: str = URL) -> str:
    with transaction() as session:
        row = TrackedMessage(nonce=tokens.new_nonce(), opens_on=True, clicks_on=True)
        session.add(row)
        session.flush()
        session.add(TrackedLink(tracked_id=row.id or 0, position=1, url=url))
        return row.nonce


def stored(html: str) -> str:
    head = "From: mika@x.test\r\nTo: aino@crm.test\r\nSubject: Re: x\r\nMessage-ID: <r@x.test>\r\nMIME-Version: 1.0\r\n"
    raw = f"{head}Content-Type: text/html; charset=utf-8\r\n\r\n{html}".encode()
    sha = blobs.put(raw)
    with transaction() as session:
        session.merge(Blob(sha256=sha, size=len(raw)))
    return sha


def test_a_pixel_of_ours_is_known_on_whatever_host() -> None:
    """Also one of a tracking URL that we had before, and what mail programs make of it when they quote it."""
    token = tokens.make("open", tokens.new_nonce())
    for url in (
        f"https://old.example/t/o/{token}.gif",
        f"https://crm.example/sub/t/o/{token}",
        f"https://ci3.googleusercontent.com/meips/ADKq_x=s0-d-e1-ft#https://t.example/t/o/{token}.gif",
        f"https://proxy.example/?u={quote(f'https://t.example/t/o/{token}.gif', safe='')}",
    ):
        assert is_own_pixel(url), url
    assert not is_own_pixel("https://shop.test/logo.gif?to=1")


def test_every_token_has_the_shape() -> None:
    for n in range(200):
        token = tokens.make("click", tokens.new_nonce(), n, secret=f"{n:040}")
        assert re.fullmatch(OWN_SHAPE, token)


def test_a_reply_shows_the_destination_and_no_pixel(db: str) -> None:
    """Followed from here it would count as a click of the first recipient."""
    nonce = a_nonce()
    actor = a_user("Aino")
    box = a_mailbox(actor, "aino@crm.test")
    wrapped = f"https://nam.safelinks.test/?url={quote(click_url(nonce, 1), safe='')}&amp;data=1"
    body = (
        f'<p>Yes</p><blockquote><a href="{click_url(nonce, 1)}">shop</a> <a href="{wrapped}">w</a>'
        f'<img src="{pixel_url(nonce)}"></blockquote>'
    )
    message = a_message(box, sender="mika@x.test", to="aino@crm.test", blob_sha=stored(body))
    content = messages.load_body(actor, message.id or 0)
    assert content.parsed is not None
    shown = render_body(
        content.parsed.html, content.parsed.text, content_hash=content.content_hash, remote_images=True,
        attachment_url=lambda _cid: None,
    ).document  # fmt: skip
    assert "/t/c/" not in shown
    assert "/t/o/" not in shown
    assert 'href="https://shop.test/?a=1&amp;b=ü"' in shown
    assert quote(URL, safe="") in shown


def test_what_is_quoted_on_has_the_destination(db: str) -> None:
    nonce = a_nonce()
    actor = a_user("Aino")
    box = a_mailbox(actor, "aino@crm.test")
    text = f"> see shop <{click_url(nonce, 1)}>.\nYes."
    message = a_message(box, sender="mika@x.test", to="aino@crm.test", text=text)
    found = draft.new_draft(actor, mode="forward", reply_to_message_id=message.id)
    assert "/t/c/" not in found.html
    assert "https://shop.test/?a=1&amp;b=ü" in found.html


def test_what_is_not_ours_stays(db: str) -> None:
    """A token that nobody made is another's business, and so is a destination that only looks like one."""
    actor = a_user("Aino")
    box = a_mailbox(actor, "aino@crm.test")
    strange = f"https://shop.test/t/c/{tokens.make('click', tokens.new_nonce(), 1)} https://shop.test/t/c/abc"
    message = a_message(box, sender="mika@x.test", to="aino@crm.test", text=strange)
    parsed = messages.load_body(actor, message.id or 0).parsed
    assert parsed is not None
    assert parsed.text.strip() == strange


def test_a_destination_is_text_and_never_markup(sqlite_db: Path) -> None:
    nonce = a_nonce('https://shop.test/"><img src=x onerror=alert(1)>')
    actor = a_user("Aino")
    box = a_mailbox(actor, "aino@crm.test")
    body = f'<a href="{click_url(nonce, 1)}">shop</a>'
    message = a_message(box, sender="mika@x.test", to="aino@crm.test", blob_sha=stored(body))
    parsed = messages.load_body(actor, message.id or 0).parsed
    assert parsed is not None
    assert parsed.html is not None
    assert "<img" not in parsed.html
