"""The pixel and the click redirect (T01): the only routes that strangers' mail programs call.

The pixel's answer is the same 43 bytes whatever the token. A click leads to the destination kept in the database, never
to one from the URL; a token that is not ours gets one neutral page. No cookies, nothing cached, HEAD counts nothing.
Does not decide what counts (services/tracking).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mailcrm.config import config
from mailcrm.endpoints.origin import allowed_origins
from mailcrm.services.auth import sessions
from mailcrm.services.i18n import best_language, gettext
from mailcrm.services.tracking import record

#: A transparent GIF of one pixel.
PIXEL = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
MAX_TOKEN = 200  # characters; ours have 55

_HEADERS = {
    "Cache-Control": "no-store, no-cache, must-revalidate, private, max-age=0",
    "Pragma": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Resource-Policy": "cross-origin",  # webmail under COEP may show it
}


async def open_pixel(request: Request) -> Response:
    """Answer the pixel, and note the fetch when the token is ours."""
    token = request.path_params["token"].removesuffix(".gif")
    if len(token) <= MAX_TOKEN:
        record.open_pixel(token, _fetch(request))  # verifies and queues: microseconds, no query
    headers = {**_HEADERS, "Content-Length": str(len(PIXEL))}
    body = b"" if request.method == "HEAD" else PIXEL
    return Response(body, media_type="image/gif", headers=headers)


async def click(request: Request) -> Response:
    """Redirect to a link's destination; the neutral page for anything else."""
    token = request.path_params["token"]
    location = None
    if len(token) <= MAX_TOKEN:
        location = await asyncio.to_thread(record.click, token, _fetch(request))
    if location is None:
        return _unknown(request)
    return Response(status_code=302, headers={**_HEADERS, "Location": location})


def _unknown(request: Request) -> Response:
    language = best_language(request.headers.get("accept-language", ""))
    text = gettext(language, "This link leads nowhere. Ask the sender for a new one.")
    page = (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>404</title></head><body style="font-family:sans-serif;margin:4rem auto;'
        f'max-width:30rem">{text}</body></html>'
    )
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
    return HTMLResponse(page, status_code=404, headers={**_HEADERS, **policy})


def _fetch(request: Request) -> record.Fetch:
    headers = request.headers
    purpose = f"{headers.get('sec-purpose', '')} {headers.get('purpose', '')} {headers.get('x-moz', '')}".lower()
    return record.Fetch(
        user_agent=headers.get("user-agent", ""),
        method=request.method,
        address=_address(request),
        prefetch="prefetch" in purpose or "prerender" in purpose,
        opted_out=headers.get("dnt") == "1" or headers.get("sec-gpc") == "1",
        is_own=_is_own(headers.get("cookie", ""), headers.get("referer", "")),
    )


def _is_own(cookie: str, referer: str) -> Callable[[], bool]:
    """Whether a user of this workspace fetched it: a session of any of them, or a page of ours. Asked off the request."""
    if referer:
        parts = urlsplit(referer) if "[" not in referer else None
        if parts is not None and f"{parts.scheme}://{parts.netloc}" in allowed_origins(config().public_url):
            return lambda: True
    if sessions.cookie_name() not in cookie:
        return lambda: False
    return lambda: sessions.actor_of_cookie(cookie) is not None


def _address(request: Request) -> str:
    """The client's address, behind as many proxies as the setting says."""
    hops = config().proxy_hops
    forwarded = [each.strip() for each in request.headers.get("x-forwarded-for", "").split(",") if each.strip()]
    if hops and len(forwarded) >= hops:
        return forwarded[-hops]
    return request.client.host if request.client else ""


ROUTES = [
    Route("/t/o/{token:path}", open_pixel, methods=["GET", "HEAD"]),
    Route("/t/c/{token:path}", click, methods=["GET", "HEAD"]),
]
