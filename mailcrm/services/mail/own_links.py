"""Links that we rewrote and that come back in answers: shown and quoted with the destination they had (T01, T10).

Followed from here, or by whomever an answer is forwarded to, they would count as clicks of the first recipient. A link
of ours is known by its token's shape, on whatever host (there may have been other tracking URLs), and by its nonce,
which nobody can guess, in the database. Pixels are left out by the cleaner (parse/html.py). Changes nothing stored.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import replace
from html import escape
from urllib.parse import quote

from sqlmodel import col

from mailcrm.models import TrackedLink, TrackedMessage
from mailcrm.services.db import reading
from mailcrm.services.mail.parse.links import OWN_SHAPE
from mailcrm.services.mail.parse.values import ParsedMessage
from mailcrm.services.rows import chunks, pick, rows

MOST = 2_000  # links of one message that are looked up
_HEAD_BYTES, _NONCE_BYTES = 8, 16  # of a token (tracking/tokens.py): version, key, purpose, position; then the nonce
#: As it stands in text and attributes, or inside another URL (gateways wrap links: ?url=https%3A%2F%2F…).
_LINK = re.compile(
    rf"https?(?:://[^\s\"'<>()\[\]\\]{{1,300}}?/t/c/|%3A%2F%2F[^\s\"'<>()&?#/]{{1,300}}?%2Ft%2Fc%2F)(?P<token>(?-i:{OWN_SHAPE}))(?![\w-])",
    re.IGNORECASE,
)

Link = tuple[str, int]  # nonce, position


def restored(parsed: ParsedMessage) -> ParsedMessage:
    """Return the message with our links led back to their destinations; the same object when there are none."""
    text, html = parsed.text or "", parsed.html or ""
    found = {key for source in (text, html) for key in _keys(source)}
    if not found:
        return parsed
    known = _destinations(found)
    if not known:
        return parsed
    return replace(
        parsed,
        text=_led_back(text, known, html=False),
        html=_led_back(html, known, html=True) if parsed.html else parsed.html,
    )


def _keys(source: str) -> Iterable[Link]:
    if "/t/c/" not in source and "%2ft%2fc%2f" not in source.lower():
        return []
    return [key for match in _LINK.finditer(source) if (key := _read(match["token"])) is not None][:MOST]


def _read(token: str) -> Link | None:
    """Return what a token names. Not verified: whoever knows a nonce has the link anyway."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return None
    nonce = base64.urlsafe_b64encode(raw[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES]).rstrip(b"=").decode()
    return nonce, int.from_bytes(raw[_HEAD_BYTES - 2 : _HEAD_BYTES])


def _destinations(found: set[Link]) -> dict[Link, str]:
    known: dict[Link, str] = {}
    with reading() as session:
        for part in chunks(sorted({nonce for nonce, _ in found})):
            query = (
                pick(TrackedMessage.nonce, TrackedLink.position, TrackedLink.url)
                .join(TrackedLink, col(TrackedLink.tracked_id) == col(TrackedMessage.id))
                .where(col(TrackedMessage.nonce).in_(part))
            )
            known.update({(nonce, position): url for nonce, position, url in rows(session, query)})
    return known


def _led_back(source: str, known: dict[Link, str], *, html: bool) -> str:
    def one(match: re.Match[str]) -> str:
        key = _read(match["token"])
        url = known.get(key) if key is not None else None
        if url is None:
            return match[0]
        if "://" not in match[0]:
            return quote(url, safe="")
        return escape(url) if html else url

    return _LINK.sub(one, source)
