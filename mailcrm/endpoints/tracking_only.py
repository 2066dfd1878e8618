"""`serve --tracking-only`: what strangers' mail programs and readers ask for, and nothing else, so that the rest of
mailcrm can stay on a private network (MAILCRM_TRACKING_URL).

Pixel, links, the opt-out page, and whether it is alive and ready. No interface, no REST, no sign-in; everything else
is one short 404. Needs the database and the secret key; it does not migrate, mailcrm itself does.
"""

from __future__ import annotations

import asyncio
import gc

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mailcrm.endpoints import health, optout, tracking
from mailcrm.endpoints.headers import SecurityHeaders
from mailcrm.services import db


async def readyz(_request: Request) -> Response:
    """Say whether the database answers and is at this version's migrations: 200 or 503."""
    ready = await asyncio.to_thread(db.is_ready)
    return JSONResponse(
        {"database": "ok" if ready else "not ready"}, 200 if ready else 503, headers={"Cache-Control": "no-store"}
    )


def application() -> ASGIApp:
    """Make the ASGI application of one process."""
    routes = [
        *optout.ROUTES,
        Route("/healthz", health.healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
    ]
    made = tracking.First(SecurityHeaders(Starlette(routes=routes, lifespan=tracking.recording)))
    gc.collect()
    gc.freeze()  # what is loaded now stays; to look through it again and again would hold answers up
    return made
