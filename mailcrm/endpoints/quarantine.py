"""`/quarantine/{id}/raw`: the bytes of a message that could not be read, to its mailbox's user alone, for download.

Plain text for a program's eyes: never shown inside the browser, whatever it holds. Absent, foreign and malformed ids
answer alike. Does not decide who may read: `services/mail/quarantine.py` does.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mailcrm.errors import NotFound
from mailcrm.services.auth import sessions
from mailcrm.services.i18n import sentence, sentence_of
from mailcrm.services.mail import quarantine

_HEADERS = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def as_file(data: bytes, item_id: int) -> Response:
    """Answer a message's bytes as a download that no browser opens."""
    disposition = f'attachment; filename="quarantined-{item_id}.txt"'
    return Response(
        data, headers={**_HEADERS, "Content-Type": "text/plain; charset=utf-8", "Content-Disposition": disposition}
    )


async def raw(request: Request) -> Response:
    """Answer the message as the server sent it."""
    cookie = request.headers.get("cookie", "")
    text = str(request.path_params.get("item_id"))
    item_id = int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0

    def work() -> Response:
        actor = sessions.actor_of_cookie(cookie)
        if actor is None:
            return PlainTextResponse(sentence_of("auth.signed_out", "en"), 401, headers=_HEADERS)
        try:
            return as_file(quarantine.raw(actor, item_id), item_id)
        except NotFound as error:
            return PlainTextResponse(sentence(error, actor.language), 404, headers=_HEADERS)

    return await asyncio.to_thread(work)


ROUTES = [Route("/quarantine/{item_id}/raw", raw, methods=["GET"])]
