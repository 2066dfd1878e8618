"""What the composer asks while somebody types, as JSON: GET /compose/people?q=… completes names and addresses,
GET /compose/templates?q=… finds templates.

By session cookie, for the actor alone. Over HTTP and not as an event, because an answer that comes too late is dropped by
the browser, and nothing on the page is drawn again for it.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mailcrm.services.auth import sessions
from mailcrm.services.mail.outbox import correspondents
from mailcrm.services.writing import templates as kept

MOST_TEMPLATES = 30
_HEADERS = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def people(request: Request) -> Response:
    """Answer who fits what was typed, at most eight."""
    actor = await asyncio.to_thread(sessions.actor_of_cookie, request.headers.get("cookie", ""))
    if actor is None:
        return JSONResponse([], 401, headers=_HEADERS)
    found = await asyncio.to_thread(correspondents.complete, actor, request.query_params.get("q", ""))
    return JSONResponse(
        [{"name": each.name, "address": each.address, "known": each.person_id is not None} for each in found],
        headers=_HEADERS,
    )


async def templates(request: Request) -> Response:
    """Answer the templates that hold what was typed, those with it in their name first."""
    actor = await asyncio.to_thread(sessions.actor_of_cookie, request.headers.get("cookie", ""))
    if actor is None:
        return JSONResponse([], 401, headers=_HEADERS)
    found = await asyncio.to_thread(kept.search, actor, request.query_params.get("q", "")[:200])
    return JSONResponse(
        [{"id": each.id, "name": each.name, "folder": each.folder} for each in found[:MOST_TEMPLATES]],
        headers=_HEADERS,
    )


ROUTES = [Route("/compose/people", people), Route("/compose/templates", templates)]
