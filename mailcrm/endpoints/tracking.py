"""The pixel and the click redirect (T01): the only routes that strangers' mail programs call.

The pixel's answer is the same 43 bytes whatever the token, the method or the headers. A click leads to the destination
kept in the database, never to one from the URL; a token that is not ours gets one neutral page. No cookies, nothing
cached, no validators and no ranges, so every conditional or partial request gets the whole answer.
Written to the ASGI interface itself, and asked before any router (`First`): these are asked most, and by machines. Does
not decide what counts (services/tracking).
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mailcrm.config import config
from mailcrm.endpoints.client import address_in, is_sure
from mailcrm.endpoints.origin import allowed_origins
from mailcrm.services.auth import sessions
from mailcrm.services.crypto import digest
from mailcrm.services.i18n import best_language, gettext
from mailcrm.services.tracking import record

#: A transparent GIF of one pixel.
PIXEL = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
MAX_TOKEN = 200  # characters; ours have 54
MAX_COOKIE = 8192  # bytes; what browsers send of one host's
MAX_SECRET = 200  # characters; ours have 43
MAX_ADDRESS = 60  # characters; an IPv6 address with its zone

_HEADERS = [
    (b"cache-control", b"no-store, no-cache, must-revalidate, private, max-age=0"),
    (b"pragma", b"no-cache"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-robots-tag", b"noindex, nofollow"),
    (b"cross-origin-resource-policy", b"cross-origin"),  # webmail under COEP may show it
]
_NOTHING = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_FOLLOWS = ("GET", "HEAD")  # who follows a link, and who only looks where it leads; a form's POST leads nowhere
_GIF = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"image/gif"),
        (b"content-length", str(len(PIXEL)).encode()),
        _NOTHING,
        *_HEADERS,
    ],
}
_GIF_BODY = {"type": "http.response.body", "body": PIXEL}
_NO_BODY = {"type": "http.response.body", "body": b""}
_PAGE = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    *_HEADERS,
]
_PREFIX = len("/t/o/")
_FORESEES = frozenset((b"sec-purpose", b"purpose", b"x-moz"))
_READ = frozenset(
    (
        b"user-agent",
        b"cookie",
        b"referer",
        b"sec-purpose",
        b"purpose",
        b"x-moz",
        b"dnt",
        b"sec-gpc",
        b"accept-language",
        b"x-forwarded-for",
    )
)


class OpenPixel:
    """Answer the pixel, and note the fetch when the token is ours."""

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Verifies and queues: microseconds, no query."""
        token = _rest(scope).removesuffix(".gif")
        if len(token) <= MAX_TOKEN:
            record.open_pixel(token, _fetch(scope, _headers(scope)))
        await send(_GIF)
        await send(_NO_BODY if scope["method"] == "HEAD" else _GIF_BODY)


class Click:
    """Redirect to a link's destination; the neutral page for anything else."""

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Asks the database the first time that a message's links are followed; off the loop where that may take time."""
        token = _rest(scope)
        headers = _headers(scope)
        location = None
        if len(token) <= MAX_TOKEN and scope["method"] in _FOLLOWS:
            fetch = _fetch(scope, headers)
            known, location = record.known_click(token, fetch)
            if not known:
                location = await asyncio.to_thread(record.click, token, fetch)
        if location is None:
            page = _unknown(best_language(headers.get(b"accept-language", b"").decode("latin-1")))
            length = (b"content-length", str(len(page)).encode())
            await _send(send, 404, [length, *_PAGE], b"" if scope["method"] == "HEAD" else page)
            return
        found = [(b"location", location.encode("ascii")), (b"content-length", b"0"), _NOTHING, *_HEADERS]
        await _send(send, 302, found, b"")


@asynccontextmanager
async def recording(_app: object = None) -> AsyncGenerator[None]:
    """Hold for as long as a process serves these routes: what waits when it ends is written."""
    yield
    await asyncio.to_thread(record.close)


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@functools.lru_cache(maxsize=8)
def _unknown(language: str) -> bytes:
    text = gettext(language, "This link leads nowhere. Ask the sender for a new one.")
    page = (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>404</title></head><body style="font-family:sans-serif;margin:4rem auto;'
        f'max-width:30rem">{text}</body></html>'
    )
    return page.encode()


def _rest(scope: Scope) -> str:
    """What stands behind /t/o/ or /t/c/; "" where that is all there is."""
    return str(scope["path"])[_PREFIX:]


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return {name: value for name, value in scope["headers"] if name in _READ}


def _fetch(scope: Scope, headers: dict[bytes, bytes]) -> record.Fetch:
    get = headers.get
    forwarded = get(b"x-forwarded-for", b"").decode("latin-1")
    cookie, referer = get(b"cookie"), get(b"referer")
    return record.Fetch(
        # Fetches wait in memory: no more of one than is kept.
        get(b"user-agent", b"")[: record.MAX_AGENT].decode("latin-1"),
        scope["method"][:10],
        address_in(forwarded, scope["client"][0] if scope.get("client") else "")[:MAX_ADDRESS],
        not _FORESEES.isdisjoint(headers) and _is_prefetch(headers),
        get(b"dnt") == b"1" or get(b"sec-gpc") == b"1",
        referer is not None and _origin(referer.decode("latin-1")) in _own_origins(config().public_url),
        "" if cookie is None else _session(cookie),
        is_sure(forwarded),
    )


def _is_prefetch(headers: dict[bytes, bytes]) -> bool:
    purpose = b" ".join(headers[name] for name in _FORESEES if name in headers).lower()
    return b"prefetch" in purpose or b"prerender" in purpose


def _session(cookie: bytes) -> str:
    """The digest of the session that a cookie claims; whether a user of this workspace has it is asked later."""
    if len(cookie) > MAX_COOKIE or sessions.cookie_name().encode() not in cookie:
        return ""
    secret = sessions.secret_of_cookie(cookie.decode("latin-1"))
    return digest(secret) if secret and len(secret) <= MAX_SECRET else ""


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # "http://a]": a browser sends none of these, a stranger any
        return ""
    return f"{parts.scheme}://{parts.netloc}"


@functools.lru_cache(maxsize=8)
def _own_origins(public_url: str) -> frozenset[str]:
    return frozenset(allowed_origins(public_url))


_PIXEL, _CLICK = OpenPixel(), Click()


class First:
    """Wrap an application: pixels and links are answered before its routers and middleware are asked."""

    def __init__(self, app: ASGIApp) -> None:
        """Keep the wrapped application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        if scope["type"] == "http":
            start = scope["path"][:_PREFIX]
            if start == "/t/o/":
                return await _PIXEL(scope, receive, send)
            if start == "/t/c/":
                return await _CLICK(scope, receive, send)
        return await self.app(scope, receive, send)


def _route(path: str, app: OpenPixel | Click) -> Route:
    """A route for any method and any rest of the path, line breaks included, so that nothing gets another's answer."""
    route = Route(path + "{token:path}", app)
    route.path_regex = re.compile(f"^{path}(?P<token>.*)$", re.DOTALL)
    return route


#: What is no GET is noted as what it is, of pixels and HEAD of links; a mail program never gets an error for a picture.
ROUTES: list[BaseRoute] = [_route("/t/o/", _PIXEL), _route("/t/c/", _CLICK)]
