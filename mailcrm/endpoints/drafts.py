"""Files of a draft over HTTP: uploads with progress, pictures of the text, attachments to look at.

    GET    /drafts/{id}/files              what goes along, and how much may still come, as JSON
    POST   /drafts/{id}/files              a form with `file`, and `inline`=1 for a picture of the text; 201 with JSON
    GET    /drafts/{id}/files/{n}          the attachment, as a download
    DELETE /drafts/{id}/files/{n}          takes it away; JSON with the note that brings it back
    POST   /drafts/{id}/files/restore      a form with `note`; 201 with JSON
    GET    /drafts/{id}/pictures/{cid}     a picture of the text

For the composer of the draft's owner, by session cookie; whatever changes something must come from our own pages.
A failure is JSON with one sentence. Does not judge files: services/mail/outbox/files.py does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mailcrm.config import config
from mailcrm.endpoints import compose
from mailcrm.endpoints.messages import disposition
from mailcrm.endpoints.origin import is_own
from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions
from mailcrm.services.i18n import sentence, sentence_of
from mailcrm.services.mail.outbox import files
from mailcrm.services.mail.providers import sizes

Answer = TypeVar("Answer")

#: Of one file: the largest that any provider takes in one email, and a form's frame around it.
MOST_FILE = sizes.COMMON
MOST_BODY = MOST_FILE + 20_000
_HEADERS = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


async def listing(request: Request) -> Response:
    """Answer what goes along."""
    return await _answered(request, lambda actor, draft_id: asdict(files.listing(actor, draft_id)))


async def upload(request: Request) -> Response:
    """Take one file in."""
    actor = await _own_actor(request)
    if isinstance(actor, Response):
        return actor
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > MOST_BODY:  # without a length nobody knows where it ends
        return _refused(UserError("outbox.too_large", most=MOST_FILE // sizes.MB), actor.language, 413)
    try:
        form = await request.form(max_files=1, max_fields=2)
    except HTTPException:
        return _refused(UserError("outbox.empty_file", name=files.NAMELESS), actor.language)
    try:
        file, inline = form.get("file"), form.get("inline") == "1"
        if not isinstance(file, UploadFile):
            return _refused(UserError("outbox.empty_file", name=files.NAMELESS), actor.language)
        data = await file.read(MOST_FILE + 1)
        name, said = file.filename or "", file.content_type or ""
    finally:
        await form.close()

    def take(actor: Actor, draft_id: int) -> dict[str, Any]:
        if len(data) > MOST_FILE:
            raise UserError("outbox.too_large", most=MOST_FILE // sizes.MB)
        if inline:
            return asdict(files.add_picture(actor, draft_id, name, data))
        return asdict(files.add(actor, draft_id, name, said, data))

    return await _answered(request, take, status=201)


async def download(request: Request) -> Response:
    """Answer an attachment, to be kept and never opened in our origin."""
    n = _number(request.path_params.get("n"))
    found = await _loaded(request, lambda actor, draft_id: files.load(actor, draft_id, n))
    if isinstance(found, Response):
        return found
    view, data = found
    headers = {**_HEADERS, "Content-Disposition": disposition(view.filename, inline=False)}
    return Response(data, media_type="application/octet-stream", headers=headers)


async def picture(request: Request) -> Response:
    """Answer a picture of the text; a raster image by its bytes, whatever it was called."""
    cid = str(request.path_params.get("cid"))[:200]
    found = await _loaded(request, lambda actor, draft_id: files.load_picture(actor, draft_id, cid))
    if isinstance(found, Response):
        return found
    kind, data = found
    # named by a random id and never changed, so the browser may keep it while the tab lives
    headers = {**_HEADERS, "Cache-Control": "private, max-age=3600", "Content-Disposition": "inline"}
    return Response(data, headers={**headers, "Content-Type": kind})


async def remove(request: Request) -> Response:
    """Take an attachment away."""
    actor = await _own_actor(request)
    if isinstance(actor, Response):
        return actor
    n = _number(request.path_params.get("n"))
    return await _answered(request, lambda actor, draft_id: {"note": files.remove(actor, draft_id, n)})


async def restore(request: Request) -> Response:
    """Bring a removed attachment back."""
    actor = await _own_actor(request)
    if isinstance(actor, Response):
        return actor
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > 20_000:
        return _refused(NotFound(), actor.language)
    form = await request.form(max_files=0, max_fields=1)
    note = form.get("note")
    await form.close()
    if not isinstance(note, str):
        return _refused(NotFound(), actor.language)
    return await _answered(request, lambda actor, draft_id: asdict(files.restore(actor, draft_id, note)), status=201)


ROUTES = [
    *compose.ROUTES,
    Route("/drafts/{draft_id}/files", listing, methods=["GET"]),
    Route("/drafts/{draft_id}/files", upload, methods=["POST"]),
    Route("/drafts/{draft_id}/files/restore", restore, methods=["POST"]),
    Route("/drafts/{draft_id}/files/{n}", download, methods=["GET"]),
    Route("/drafts/{draft_id}/files/{n}", remove, methods=["DELETE"]),
    Route("/drafts/{draft_id}/pictures/{cid}", picture, methods=["GET"]),
]


async def _own_actor(request: Request) -> Actor | Response:
    """The session's actor for a request that changes something, or why there is none."""
    if not is_own(request.headers, config().public_url):
        return _refused(UserError("auth.bad_origin"), "en", 403)
    actor = await asyncio.to_thread(sessions.actor_of_cookie, request.headers.get("cookie", ""))
    return actor if actor is not None else _signed_out()


async def _answered(request: Request, work: Callable[[Actor, int], dict[str, Any]], *, status: int = 200) -> Response:
    found = await _loaded(request, work)
    return found if isinstance(found, Response) else JSONResponse(found, status, headers=_HEADERS)


async def _loaded(request: Request, work: Callable[[Actor, int], Answer]) -> Answer | Response:
    """Run `work` for the session's actor and the path's draft in a thread; a refusal is a response."""
    cookie, draft_id = request.headers.get("cookie", ""), _number(request.path_params.get("draft_id"))

    def act() -> Answer | Response:
        actor = sessions.actor_of_cookie(cookie)
        if actor is None:
            return _signed_out()
        try:
            return work(actor, draft_id)
        except MailcrmError as error:
            return _refused(error, actor.language)

    return await asyncio.to_thread(act)


def _number(text: object) -> int:
    """Read an id from a path; anything else becomes 0, which no row has."""
    value = str(text)
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0


def _signed_out() -> Response:
    return JSONResponse({"error": sentence_of("auth.signed_out", "en")}, 401, headers=_HEADERS)


def _refused(error: MailcrmError, language: str, status: int = 0) -> Response:
    code = status or (404 if isinstance(error, NotFound) else 413 if error.code.endswith("too_large") else 422)
    return JSONResponse({"error": sentence(error, language), "code": error.code}, code, headers=_HEADERS)
