"""The download of a person's tracking data: `/person/{id}/tracking-data`, for whoever is signed in and may see them."""

from __future__ import annotations

import asyncio
import json

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mailcrm.errors import MailcrmError, NotFound
from mailcrm.services.auth import sessions
from mailcrm.services.i18n import sentence, sentence_of
from mailcrm.services.tracking import personal

_HEADERS = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


async def tracking_data(request: Request) -> Response:
    """Answer it as a JSON file."""
    cookie, text = request.headers.get("cookie", ""), str(request.path_params["person_id"])
    person_id = int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0

    def work() -> Response:
        actor = sessions.actor_of_cookie(cookie)
        if actor is None:
            return PlainTextResponse(sentence_of("auth.signed_out", "en"), 401, headers=_HEADERS)
        try:
            found = personal.export(actor, person_id)
        except MailcrmError as error:
            status = 404 if isinstance(error, NotFound) else 422
            return PlainTextResponse(sentence(error, actor.language), status, headers=_HEADERS)
        name = f'attachment; filename="tracking-data-{person_id}.json"'
        body = json.dumps(found, ensure_ascii=False, indent=2).encode()
        return Response(body, media_type="application/json", headers={**_HEADERS, "Content-Disposition": name})

    return await asyncio.to_thread(work)


ROUTES = [Route("/person/{person_id}/tracking-data", tracking_data, methods=["GET"])]
