"""The page behind the link that confirms an alternative address: `/confirm-address/{token}` (M22).

GET changes nothing, whoever follows the link: programs that look at links in mail must confirm nothing. One button
sends a POST, which confirms, once. Without a session, a cookie or a script: who has the link has the address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mailcrm import routes
from mailcrm.config import config
from mailcrm.endpoints.origin import is_own
from mailcrm.errors import MailcrmError, UserError
from mailcrm.services import i18n
from mailcrm.services.i18n import gettext
from mailcrm.services.smart_bcc import alternatives
from mailcrm.services.smart_bcc.alternatives import Offer

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,'Hiragino Sans','Noto Sans JP',sans-serif;max-width:28rem;margin:12vh auto;"
    "padding:0 20px;color:#1c2024;background:#fff}h1{font-size:20px;line-height:1.3;margin:0 0 8px}"
    "p{overflow-wrap:anywhere}button,a{font:inherit;font-weight:600;display:inline-block;margin:16px 0 0;padding:9px 18px;"
    "border:1px solid #1c2024;border-radius:6px;background:#1c2024;color:#fff;cursor:pointer;text-decoration:none}"
    ":focus-visible{outline:2px solid #3e63dd;outline-offset:2px}"
    "@media(prefers-color-scheme:dark){body{background:#111113;color:#edeef0}button,a{background:#edeef0;color:#111113;"
    "border-color:#edeef0}}"
)


async def show(request: Request) -> Response:
    """Say what the link would confirm, with the button that does."""
    return await _answer(request, alternatives.offer, _ask)


async def confirm(request: Request) -> Response:
    """Confirm the address."""
    if not is_own(request.headers, config().public_url):
        return _page(request, 403, _sentence(request, UserError("auth.bad_origin")), "", "")
    return await _answer(request, alternatives.confirm, _done)


ROUTES = [
    Route(routes.CONFIRM_ADDRESS, show, methods=["GET", "HEAD"]),
    Route(routes.CONFIRM_ADDRESS, confirm, methods=["POST"]),
]


async def _answer(
    request: Request, verb: Callable[[str], Offer], words: Callable[[str, Offer], tuple[str, str, str]]
) -> Response:
    try:
        found = await asyncio.to_thread(verb, str(request.path_params["token"])[:200])
    except MailcrmError as error:
        return _page(
            request, 410, gettext(_language(request), "This link does not work"), _sentence(request, error), ""
        )
    return _page(request, 200, *words(_language(request), found))


def _ask(language: str, found: Offer) -> tuple[str, str, str]:
    text = gettext(
        language,
        "{name} ({login}) wants to send email to mailcrm from {address}, which is then kept as theirs.",
        name=found.name,
        login=found.login,
        address=found.address,
    )
    label = escape(gettext(language, "Confirm address"))
    button = f'<form method="post"><button type="submit" data-testid="confirm-address">{label}</button></form>'
    return gettext(language, "Confirm {address}", address=found.address), text, button


def _done(language: str, found: Offer) -> tuple[str, str, str]:
    text = gettext(language, "Email from this address can go to Smart Bcc addresses from now on.")
    link = f'<a href="{routes.SETTINGS_BCC}">{escape(gettext(language, "Open mailcrm"))}</a>'
    return gettext(language, "{address} is confirmed", address=found.address), text, link


def _language(request: Request) -> str:
    return i18n.best_language(request.headers.get("accept-language", ""))


def _sentence(request: Request, error: MailcrmError) -> str:
    return i18n.sentence(error, _language(request))


def _page(request: Request, status: int, title: str, text: str, act: str) -> Response:
    page = (
        f'<!DOCTYPE html><html lang="{escape(_language(request))}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>mailcrm</title><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1><p>{escape(text)}</p>{act}</main></body></html>"
    )
    return HTMLResponse(page, status, _HEADERS)
