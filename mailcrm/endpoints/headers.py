"""Security headers and caching for everything that is served, static files included: one ASGI wrapper.

A response that already carries a policy of its own (message bodies, files) keeps it. Does not touch the socket beyond
refusing one that another site opened (Reflex refuses it too; this holds if its setting is ever lost).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailcrm.config import config
from mailcrm.endpoints.origin import allowed_origins
from mailcrm.endpoints.sockets import Sockets

YEAR_S = 31_536_000
#: Bytes of a request body; the largest is a composer's upload. Attachments of 25 MB are 34 MB in base64.
MOST_BODY = 40_000_000
# Reflex evaluates server-sent toasts and scripts (state.js), emotion writes inline styles, and pages carry an inline
# hydration script: hence 'unsafe-inline' and 'unsafe-eval'. Mail never meets this policy: it has its own frame.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' {sockets}; frame-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


class SecurityHeaders:
    """Wrap the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        """Keep the wrapped application."""
        self.app = app
        self.sockets = Sockets(app)
        own = allowed_origins(config().public_url)
        self.own = frozenset(own)
        # a policy has no spelling for an IPv6 address; there 'self' does, in browsers that count ws as the same site
        sockets = " ".join(origin.replace("http", "ws", 1) for origin in own if "[" not in origin)
        self.policy = POLICY.format(sockets=sockets)
        self.secure = config().secure_cookies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, with the headers added."""
        if scope["type"] == "websocket" and Headers(scope=scope).get("origin", "") not in self.own:
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "websocket":
            await self.sockets(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        if scope["path"].startswith("/_upload") or (length.isdigit() and int(length) > MOST_BODY):
            await _refuse(send)  # Reflex's upload route takes any handler's name and any token (reflex.md §2)
            return

        async def decorated(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._decorate(scope, message)
            await send(message)

        await self.app(scope, receive, decorated)

    def _decorate(self, scope: Scope, message: Message) -> None:
        path = scope["path"]
        headers = MutableHeaders(scope=message)
        if location := headers.get("location"):
            slash = f"{path}/" if message["status"] == 307 else ""  # Starlette's own, to a final "/"
            headers["location"] = _without_host(location, Headers(scope=scope).get("host", ""), slash)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "same-origin")  # not no-referrer: it would make our forms' Origin "null"
        headers.setdefault("Content-Security-Policy", self.policy)
        headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        if self.secure:
            headers.setdefault("Strict-Transport-Security", f"max-age={YEAR_S}")
        if path.startswith("/assets/") and message["status"] == 200:
            headers["Cache-Control"] = f"public, max-age={YEAR_S}, immutable"  # the build names files by content
        elif "cache-control" not in headers:
            # Files of the interface have an ETag, and are everybody's; what a route answers is somebody's.
            headers["Cache-Control"] = "no-cache" if "etag" in headers else "no-store"


def _without_host(location: str, host: str, slash: str) -> str:
    """Take a host off that is only what the request calls us, or, of the path `slash`, what the framework takes for us.

    Its scheme is that of the proxy's connection, and its host may be a stranger's words that a cache would keep.
    """
    try:
        parts = urlsplit(location)
    except ValueError:
        return location
    if not parts.netloc or (parts.netloc != host and parts.path != slash):
        return location
    return urlunsplit(("", "", "/" + parts.path.lstrip("/\\"), parts.query, parts.fragment))


async def _refuse(send: Any) -> None:
    headers = [(b"content-type", b"text/plain"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": b"Too large.\n"})
