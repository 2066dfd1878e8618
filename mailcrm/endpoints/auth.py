"""Sign in, its second step, sign out, set up, invitations, forgotten passwords: native form posts of the gate's pages.

Each is POST only, refused when it comes from another site, and answers 303. Failures go back to the form with an
error code in the address; its sentence is in the catalogue. Does not check passwords (services/auth).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mailcrm import routes
from mailcrm.config import config
from mailcrm.endpoints.client import address_of
from mailcrm.endpoints.origin import is_own
from mailcrm.errors import CodeNeeded, MailcrmError, UserError
from mailcrm.services import i18n
from mailcrm.services.auth import reset as resets
from mailcrm.services.auth import sessions, users

MOST_BODY = 16_384  # bytes; five short fields
#: What may go back into the address beside a code; never a password.
KEPT = ("name", "address")


async def login(request: Request) -> Response:
    """Open a session for an address and a password."""
    try:
        return await _answer(request, routes.LOGIN, routes.INBOX, _login)
    except CodeNeeded as needed:
        response = RedirectResponse(routes.LOGIN_CODE, status_code=303)
        _set_cookie(response, sessions.ticket_cookie_name(), needed.ticket, sessions.CODE_WITHIN)
        return response


async def code(request: Request) -> Response:
    """Take the code of the second step and open the session."""
    response = await _answer(request, routes.LOGIN_CODE, routes.INBOX, _code)
    if "set-cookie" in response.headers or "auth.code_late" in response.headers["location"]:
        _drop_cookie(response, sessions.ticket_cookie_name())
    return response


async def forgot(request: Request) -> Response:
    """Note that somebody wants a link to a new password; says the same for every address."""
    return await _answer(request, routes.FORGOT, f"{routes.FORGOT}?done=asked", _forgot)


async def reset(request: Request) -> Response:
    """Set a new password with a link's secret."""
    return await _answer(request, routes.reset, f"{routes.LOGIN}?done=reset", _reset)


async def setup(request: Request) -> Response:
    """Make the first administrator, then connect a mailbox."""
    return await _answer(request, routes.SETUP, routes.SETTINGS_SYNC, _setup)


async def demo(request: Request) -> Response:
    """Make the demo workspace and sign in to it."""
    return await _answer(request, routes.SETUP, routes.INBOX, _demo)


async def invite(request: Request) -> Response:
    """Make the invited colleague's account."""
    return await _answer(request, routes.invite, routes.SETTINGS_SYNC, _invite)


async def logout(request: Request) -> Response:
    """End the session."""
    if not is_own(request.headers, config().public_url):
        return _back(routes.LOGIN, UserError("auth.bad_origin"), {})
    await asyncio.to_thread(sessions.sign_out, request.headers.get("cookie", ""))
    response = RedirectResponse(routes.LOGIN, status_code=303)
    _drop_cookie(response, sessions.cookie_name())
    return response


ROUTES = [
    Route(routes.AUTH_LOGIN, login, methods=["POST"]),
    Route(routes.AUTH_CODE, code, methods=["POST"]),
    Route(routes.AUTH_FORGOT, forgot, methods=["POST"]),
    Route(routes.AUTH_RESET, reset, methods=["POST"]),
    Route(routes.AUTH_LOGOUT, logout, methods=["POST"]),
    Route(routes.AUTH_SETUP, setup, methods=["POST"]),
    Route(routes.AUTH_DEMO, demo, methods=["POST"]),
    Route(routes.AUTH_INVITE, invite, methods=["POST"]),
]


async def _answer(
    request: Request,
    form_page: str | Callable[[str], str],
    next_page: str,
    verb: Callable[[Request, dict[str, str]], str | None],
) -> Response:
    """Do what a form asks; the secret that its verb returns, if any, signs the browser in.

    `form_page`: where a refusal is said, or how that page is called for the token of a link.
    """
    page = form_page if isinstance(form_page, str) else routes.LOGIN
    fields: dict[str, str] = {}
    try:
        if not is_own(request.headers, config().public_url):
            raise UserError("auth.bad_origin")
        fields = await _fields(request)
        if not isinstance(form_page, str):
            page = form_page(_path_part(fields.get("token", "")))
        secret = await asyncio.to_thread(verb, request, fields)
    except CodeNeeded:
        raise
    except MailcrmError as error:
        return _back(page, error, fields)
    response = RedirectResponse(next_page, status_code=303)
    response.headers["Cache-Control"] = "no-store"
    if secret:
        # The session that this browser had ends: nobody could end it by its cookie any more, and it may be a colleague's.
        await asyncio.to_thread(sessions.sign_out, request.headers.get("cookie", ""))
        _set_cookie(response, sessions.cookie_name(), secret, sessions.LIFETIME)
    return response


def _set_cookie(response: Response, name: str, secret: str, lifetime: timedelta) -> None:
    response.set_cookie(
        name, secret, max_age=int(lifetime.total_seconds()), path="/", secure=config().secure_cookies, httponly=True,
        samesite="lax",
    )  # fmt: skip
    response.headers["Cache-Control"] = "no-store"


def _drop_cookie(response: Response, name: str) -> None:
    response.delete_cookie(name, path="/", secure=config().secure_cookies, httponly=True, samesite="lax")


def _login(request: Request, fields: dict[str, str]) -> str:
    return sessions.sign_in(
        fields.get("email", ""),
        fields.get("password", ""),
        network=address_of(request),
        user_agent=request.headers.get("user-agent", ""),
    )


def _code(request: Request, fields: dict[str, str]) -> str:
    return sessions.finish(
        request.cookies.get(sessions.ticket_cookie_name(), ""),
        fields.get("code", ""),
        network=address_of(request),
        user_agent=request.headers.get("user-agent", ""),
    )


def _forgot(request: Request, fields: dict[str, str]) -> None:
    resets.ask(fields.get("email", ""), network=address_of(request))


def _reset(_request: Request, fields: dict[str, str]) -> None:
    resets.use(fields.get("token", ""), fields.get("password", ""))


def _setup(_request: Request, fields: dict[str, str]) -> str:
    _actor, secret = users.set_up(
        name=fields.get("name", ""),
        email=fields.get("email", ""),
        password=fields.get("password", ""),
        workspace_name=fields.get("workspace", ""),
        language=i18n.best_language(fields.get("language", "")),
        time_zone=fields.get("time_zone", "") or "UTC",
    )
    return secret


def _demo(request: Request, _fields: dict[str, str]) -> str:
    from mailcrm.services.demo import make_demo  # imports the demo's mail servers: only when asked for

    _actor, secret = make_demo(language=i18n.best_language(request.headers.get("accept-language", "")))
    return secret


def _invite(_request: Request, fields: dict[str, str]) -> str:
    _actor, secret = users.accept_invite(
        fields.get("token", ""),
        name=fields.get("name", ""),
        email=fields.get("email", ""),
        password=fields.get("password", ""),
    )
    return secret


async def _fields(request: Request) -> dict[str, str]:
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > MOST_BODY:
        raise UserError("input.too_long", field=i18n.N_("The form"), most=MOST_BODY)
    form = await request.form(max_files=0, max_fields=20)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _back(form_page: str, error: MailcrmError, fields: dict[str, str]) -> Response:
    query = {"error": error.code} | {name: str(value)[:80] for name, value in error.params.items()}
    query |= {"address": fields["email"][:254]} if fields.get("email") else {}
    query |= {"name": fields["name"][:120]} if fields.get("name") else {}
    response = RedirectResponse(f"{form_page}?{urlencode(query)}", status_code=303)
    response.headers["Cache-Control"] = "no-store"
    return response


def _path_part(token: str) -> str:
    return "".join(char for char in token if char.isalnum() or char in "-_")[:200] or "none"
