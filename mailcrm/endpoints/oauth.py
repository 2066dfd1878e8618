"""Signing in at Google and Microsoft: /oauth/{provider}/start leaves for it, /oauth/{provider}/callback comes back.

    GET /oauth/google/start?address=…&mailbox=…&history=…   ──303──▶ the provider's page
    GET /oauth/google/callback?code=…&state=…               ──303──▶ /settings/email-sync?connected=ID (&new=1)
                                                                      or ?error=oauth.… with the sentence's parameters

The whole page goes there and back, no popup: nothing to be blocked, nothing left open, and telephones do it too. Both are
authorised by the session's cookie, and the way back needs the very session that left. Never shows or logs a code.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mailcrm import routes
from mailcrm.errors import MailcrmError, UserError
from mailcrm.services import told
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions
from mailcrm.services.mail.oauth import flow

MOST_PARAM = 4096  # characters of one query parameter; Microsoft's codes have some 1,500


async def start(request: Request) -> Response:
    """Leave for the provider."""
    cookie = request.headers.get("cookie", "")
    actor = await asyncio.to_thread(sessions.actor_of_cookie, cookie)
    if actor is None:
        return _to(routes.LOGIN, {})
    try:
        # A link on another site must not begin one: it would end in an account of that site's choice.
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise UserError("auth.bad_origin")
        url = await asyncio.to_thread(
            flow.begin,
            actor,
            sessions.secret_of_cookie(cookie) or "",
            request.path_params["provider"],
            address=_text(request, "address", 254),
            mailbox_id=_number(request, "mailbox"),
            history_days=_number(request, "history"),
        )
    except MailcrmError as error:
        return _wrong(error, actor)
    return _to(url, {})


async def callback(request: Request) -> Response:
    """Come back from the provider: connect the mailbox, and go on to the settings."""
    cookie = request.headers.get("cookie", "")
    actor = await asyncio.to_thread(sessions.actor_of_cookie, cookie)
    if actor is None:
        return _to(routes.LOGIN, {})
    names = ("code", "state", "error", "error_description", "iss", "client_info")
    params = {name: value for name in names if (value := _text(request, name, MOST_PARAM))}
    try:
        arrival = await asyncio.to_thread(
            flow.finish, actor, sessions.secret_of_cookie(cookie) or "", request.path_params["provider"], params
        )
    except MailcrmError as error:
        return _wrong(error, actor)
    found = {"connected": str(arrival.mailbox.id)} | ({"new": "1"} if arrival.is_new else {})
    return _to(routes.SETTINGS_SYNC, found)


ROUTES = [
    Route(routes.OAUTH_START, start, methods=["GET"]),
    Route(routes.OAUTH_CALLBACK, callback, methods=["GET"]),
]


def _wrong(error: MailcrmError, actor: Actor) -> Response:
    return _to(routes.SETTINGS_SYNC, told.query_of(error, actor.user_id))


def _to(url: str, query: dict[str, str]) -> Response:
    response = RedirectResponse(url + (f"?{urlencode(query)}" if query else ""), status_code=303)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"  # the code stands in our address
    return response


def _text(request: Request, name: str, most: int) -> str:
    return request.query_params.get(name, "")[:most]


def _number(request: Request, name: str) -> int | None:
    value = _text(request, name, 12)
    return int(value) if value.isascii() and value.isdecimal() else None
