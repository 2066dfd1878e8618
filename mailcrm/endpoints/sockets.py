"""How many event sockets may be open without a session: each holds memory, and a stranger opens as many as they like.

Whoever is signed in is not counted. The pages before sign-in need one socket each, for as long as they are looked at.
Beyond the limit a socket is refused; the page says that it can't connect, and tries again by itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mailcrm.endpoints.client import address_in
from mailcrm.services.auth import sessions, throttle

#: Of one network: an office that opens its browsers behind one address.
BY_NETWORK = 100
#: Of everybody: half a megabyte each.
IN_ALL = 500


class Sockets:
    """Wrap the application's websockets."""

    def __init__(self, app: ASGIApp) -> None:
        """Keep the wrapped application; nobody is there yet."""
        self.app = app
        self.open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the socket through, counted while it is open; refuse one too many."""
        headers = Headers(scope=scope)
        if await asyncio.to_thread(sessions.actor_of_cookie, headers.get("cookie", "")):
            await self.app(scope, receive, send)
            return
        peer = scope["client"][0] if scope.get("client") else ""
        network = throttle.network_subject(address_in(headers.get("x-forwarded-for", ""), peer))
        if self.open[network] >= BY_NETWORK or self.open.total() >= IN_ALL:
            structlog.get_logger().warning("too many sockets without a session", of_network=self.open[network])
            await send({"type": "websocket.close", "code": 1013})
            return
        self.open[network] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.open[network] -= 1
            if not self.open[network]:
                del self.open[network]
