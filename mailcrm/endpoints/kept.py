"""Files and pictures of templates and signatures over HTTP, and previews for a frame.

    POST /templates/{id}/files              a form with `file`, and `inline`=1 for a picture of the text; 201 with JSON
    GET  /templates/{id}/files/{n}          a file, as a download
    GET  /templates/{id}/pictures/{cid}     a picture of the text; the same for /signatures, which have no files
    GET  /templates/{id}/preview            the text as `?person=` would get it, under its own policy
    GET  /signatures/{id}/preview

By session cookie; what changes something must come from our own pages. A failure is JSON with one sentence. Does not
judge files: services/writing/kept.py does.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from mailcrm.config import config
from mailcrm.endpoints.messages import disposition
from mailcrm.endpoints.origin import is_own
from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions
from mailcrm.services.i18n import sentence, sentence_of
from mailcrm.services.mail import render
from mailcrm.services.writing import fill, images, kept, signatures, templates
from mailcrm.services.writing.views import KeptFileView

Answer = TypeVar("Answer")
Kind = Literal["templates", "signatures"]

MOST_BODY = kept.MAX_KEPT + 20_000  # a file, and a form's frame around it
_HEADERS = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}
_FRAME_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; font-src 'self'; img-src 'self' data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
)
_STYLE = (
    ":root{color-scheme:light}body{margin:0;font:14px/22px Inter,-apple-system,'Segoe UI','Hiragino Sans','Noto Sans JP',Roboto,sans-serif;"
    "color:#1c2024;overflow-wrap:anywhere}p{margin:0 0 .6em}img{max-width:100%;height:auto}a{color:#3a5bc7}"
    "table{border-collapse:collapse}.mc-missing{background:#fff7c2;color:#7d4a00;border-bottom:1px solid #e2a336;"
    "border-radius:4px;padding:0 3px;font-weight:500}"
)
# a frame whose scheme is another than the page's gets white paper under it
_DARK = ":root{color-scheme:dark}body{color:#edeef0}a{color:#9eb1ff}.mc-missing{background:#302008;color:#ffe7b3;border-color:#8f6424}"
_CID = re.compile(r'src="cid:([^"]{1,200})"')


async def upload(request: Request) -> Response:
    """Take one file in."""
    if not is_own(request.headers, config().public_url):
        return _refused(UserError("auth.bad_origin"), "en", 403)
    actor = await asyncio.to_thread(sessions.actor_of_cookie, request.headers.get("cookie", ""))
    if actor is None:
        return _signed_out()
    too_large = UserError("template.files", most=kept.MAX_KEPT // 1024**2)
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > MOST_BODY:
        return _refused(too_large, actor.language, 413)
    try:
        form = await request.form(max_files=1, max_fields=2)
    except HTTPException:
        return _refused(NotFound(), actor.language)
    try:
        file, inline = form.get("file"), form.get("inline") == "1"
        if not isinstance(file, UploadFile):
            return _refused(NotFound(), actor.language)
        data = await file.read(kept.MAX_KEPT + 1)
        name, said = file.filename or "", file.content_type or ""
    finally:
        await form.close()
    if len(data) > kept.MAX_KEPT:
        return _refused(too_large, actor.language, 413)

    def take(actor: Actor, kind: Kind, row_id: int) -> Response:
        if kind == "signatures":
            if not inline:
                raise UserError("image.not_one", name=name[:80])
            made = signatures.add_image(actor, row_id, name, data)
        else:
            made = templates.add_file(actor, row_id, name, said, data, inline=inline)
        return JSONResponse(_said(made, data), 201, headers=_HEADERS)

    return await _loaded(request, take)


async def download(request: Request) -> Response:
    """Answer a file of a template, to be kept and never opened in our origin."""
    n = _number(request.path_params.get("n"))

    def give(actor: Actor, _kind: Kind, row_id: int) -> Response:
        view, data = templates.load_file(actor, row_id, n=n)
        headers = {**_HEADERS, "Content-Disposition": disposition(view.filename, inline=False)}
        return Response(data, media_type="application/octet-stream", headers=headers)

    return await _loaded(request, give)


async def picture(request: Request) -> Response:
    """Answer a picture of the text; what it is is told by its bytes."""
    cid = str(request.path_params.get("cid"))[:200]

    def give(actor: Actor, kind: Kind, row_id: int) -> Response:
        load = templates.load_file if kind == "templates" else signatures.image
        _, data = load(actor, row_id, content_id=cid) if cid else (None, b"")
        found = images.kind_of(data)
        if found is None:
            raise NotFound
        headers = {**_HEADERS, "Cache-Control": "private, max-age=3600", "Content-Disposition": "inline"}
        return Response(data, headers={**headers, "Content-Type": found.content_type})

    return await _loaded(request, give)


async def preview(request: Request) -> Response:
    """Answer a text as somebody would get it, for a frame."""
    person = _number(request.query_params.get("person")) or None
    dark = request.query_params.get("theme") == "dark"

    def give(actor: Actor, kind: Kind, row_id: int) -> Response:
        html = templates.get(actor, row_id).html if kind == "templates" else signatures.get(actor, row_id).html
        shown = fill.preview_with(actor, "", html, person_id=person).html
        shown = _CID.sub(lambda found: f'src="/{kind}/{row_id}/pictures/{quote(found[1])}"', shown)
        page = (
            f'<!DOCTYPE html><html lang="{actor.language}"><head><meta charset="utf-8"><base target="_blank">'
            f'<style>{render.FONTS}{_STYLE}{_DARK if dark else ""}</style></head><body dir="auto">{shown}</body></html>'
        )
        return HTMLResponse(page, headers={**_HEADERS, "Content-Security-Policy": _FRAME_POLICY})

    return await _loaded(request, give)


ROUTES = [
    Route("/templates/{row_id}/files", upload, methods=["POST"]),
    Route("/templates/{row_id}/files/{n}", download, methods=["GET"]),
    *(
        route
        for kind in ("templates", "signatures")
        for route in (
            Route(f"/{kind}/{{row_id}}/pictures", upload, methods=["POST"]),
            Route(f"/{kind}/{{row_id}}/pictures/{{cid}}", picture, methods=["GET"]),
            Route(f"/{kind}/{{row_id}}/preview", preview, methods=["GET"]),
        )
    ),
]


async def _loaded(request: Request, work: Callable[[Actor, Kind, int], Response]) -> Response:
    """Run `work` for the session's actor and the path's row in a thread; a refusal is a response."""
    cookie, row_id = request.headers.get("cookie", ""), _number(request.path_params.get("row_id"))
    kind: Kind = "signatures" if request.url.path.startswith("/signatures/") else "templates"

    def act() -> Response:
        actor = sessions.actor_of_cookie(cookie)
        if actor is None:
            return _signed_out()
        try:
            return work(actor, kind, row_id)
        except MailcrmError as error:
            return _refused(error, actor.language)

    return await asyncio.to_thread(act)


def _said(made: KeptFileView, data: bytes) -> dict[str, Any]:
    found = images.kind_of(data) if made.inline else None
    return {
        "n": made.n, "filename": made.filename, "cid": made.content_id, "content_type": made.content_type,
        "size": made.size, "width": found.width if found else 0, "height": found.height if found else 0,
    }  # fmt: skip


def _number(text: object) -> int:
    """Read an id from a path; anything else becomes 0, which no row has."""
    value = str(text)
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0


def _signed_out() -> Response:
    return JSONResponse({"error": sentence_of("auth.signed_out", "en")}, 401, headers=_HEADERS)


def _refused(error: MailcrmError, language: str, status: int = 0) -> Response:
    code = status or (404 if isinstance(error, NotFound) else 413 if error.code.endswith("too_large") else 422)
    return JSONResponse({"error": sentence(error, language), "code": error.code}, code, headers=_HEADERS)
