"""Refuses bodies that are too large, while they arrive, before anything is parsed."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 40 * 1024 * 1024  # 25 MB of attachments in base64, and some


class LimitBody:
    """ASGI middleware: 413 as a problem document once more than `MOST_BYTES` came or were announced."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > MOST_BYTES:
            await _refuse(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MOST_BYTES:
                raise HTTPException(413)  # FastAPI lets this one through; problems.py words it
            return message

        await self.app(scope, counted, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    problem = {
        "type": "urn:mailcrm:problem:too_large",
        "title": "The request is too large.",
        "status": 413,
        "code": "too_large",
    }
    await JSONResponse(problem, 413, media_type="application/problem+json")(scope, receive, send)
