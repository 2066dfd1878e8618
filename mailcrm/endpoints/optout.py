"""The opt-out page (T09): `/t/x/{token}`, for strangers, without a login, a cookie or a script.

GET changes nothing, whoever follows the link; one button sends a POST. A token that is not ours gets the page of an
email with several recipients, and the same answer. English and Japanese by Accept-Language. Does not decide whose
choice it is (services/tracking/optout).
"""

from __future__ import annotations

import asyncio
from html import escape
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from mailcrm.services.i18n import N_, best_language, gettext
from mailcrm.services.tracking import optout

MAX_TOKEN = 200  # characters; ours have 55
MAX_BODY = 4096  # bytes of a form with one address

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
}
_STYLE = (
    "body{font:16px/1.5 system-ui,'Hiragino Sans','Noto Sans JP',sans-serif;max-width:28rem;margin:12vh auto;"
    "padding:0 20px;color:#1c2024;background:#fff}h1{font-size:20px;line-height:1.3;margin:0 0 8px}"
    "label{display:block;margin:16px 0 6px;font-weight:600}input{font:inherit;width:100%;box-sizing:border-box;"
    "padding:9px 12px;border:1px solid #80838d;border-radius:6px;background:none;color:inherit}"
    "button{font:inherit;font-weight:600;margin:16px 8px 0 0;padding:9px 18px;border:1px solid #1c2024;border-radius:6px;"
    "background:#1c2024;color:#fff;cursor:pointer}button.quiet{background:none;color:inherit;border-color:#80838d}"
    ":focus-visible{outline:2px solid #3e63dd;outline-offset:2px}"
    "@media(prefers-color-scheme:dark){body{background:#111113;color:#edeef0}button{background:#edeef0;color:#111113;"
    "border-color:#edeef0}}"
)

_TITLE = N_("Email tracking")
_ADDRESS = N_("Your email address")
_OFF, _ON = N_("Turn tracking off"), N_("Turn tracking on again")
_IS_ON = N_("The sender can see when you open this email and which links you follow.")
_IS_OFF = N_("Tracking is off for your address. Emails to you from this sender’s company carry none.")
_SEVERAL = N_(
    "The sender can see when this email is opened and which links are followed. You decide about your address."
)
_KEPT = N_("If an email with this link went to that address, your choice holds from now on.")


async def page(request: Request) -> Response:
    """Show what holds and the button that changes it."""
    token = _token(request)
    return _shown(request, await asyncio.to_thread(optout.look, token))


async def choose(request: Request) -> Response:
    """Keep the choice, then show what holds."""
    form = await _form(request)
    choice: optout.Choice = "granted" if form.get("choice") == "granted" else "refused"
    token = _token(request)
    await asyncio.to_thread(optout.choose, token, choice, form.get("address", ""))
    standing = await asyncio.to_thread(optout.look, token)
    if standing.asks:
        return _shown(request, standing, done=True)
    return RedirectResponse(request.url.path, 303, _HEADERS)  # so that going back and reloading send nothing


def _token(request: Request) -> str:
    token = str(request.path_params["token"])
    return token if len(token) <= MAX_TOKEN else ""


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            return {}
    found = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10) if body.count(b"&") < 10 else {}
    return {name: values[0] for name, values in found.items()}


def _shown(request: Request, standing: optout.Standing, *, done: bool = False) -> Response:
    language = best_language(request.headers.get("accept-language", ""))

    def say(msgid: str) -> str:
        return escape(gettext(language, msgid))

    def button(choice: str, msgid: str, kind: str = "") -> str:
        return f'<button name="choice" value="{choice}"{kind}>{say(msgid)}</button>'

    says = _KEPT if done else _SEVERAL if standing.asks else _IS_OFF if standing.off else _IS_ON
    off, on = button("refused", _OFF), button("granted", _ON, ' class="quiet"')
    if standing.asks:
        inside = (
            f'<label for="a">{say(_ADDRESS)}</label><input id="a" name="address" type="email" autocomplete="email" '
            f'maxlength="{optout.MOST_ADDRESS}" required>{off}'
        )
    else:
        inside = on if standing.off else off
    title = say(_TITLE)
    text = (
        f'<!DOCTYPE html><html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{title}</title><style>{_STYLE}</style></head><body><main>'
        f'<h1>{title}</h1><p role="status">{say(says)}</p><form method="post" action="">{inside}</form></main></body></html>'
    )
    return HTMLResponse(text, headers=_HEADERS)


ROUTES = [
    Route("/t/x/{token:path}", page, methods=["GET", "HEAD"]),
    Route("/t/x/{token:path}", choose, methods=["POST"]),
]
