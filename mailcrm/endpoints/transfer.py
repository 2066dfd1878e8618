"""Files in and out over HTTP: the upload of an import, its bad lines, exports.

    POST /imports                  a form with `kind`, `encoding` and `file`; answers 303 to the page of the import
    GET  /imports/{id}/bad-lines   the lines that could not be imported, as CSV
    GET  /export/{kinds}.csv       what the session's user may see; ?excel=1 marks it as UTF-8 for Excel

Reflex's own upload route is switched off (endpoints/headers.py). Does not read what is in a file and does not decide
who may see what: services/crm/transfer does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from mailcrm import routes
from mailcrm.config import config
from mailcrm.endpoints.messages import disposition
from mailcrm.endpoints.origin import is_own
from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions
from mailcrm.services.crm.transfer import imports, reading
from mailcrm.services.crm.transfer.export import export
from mailcrm.services.i18n import sentence, sentence_of

#: Over a file's own limit: the form's other fields and its boundaries.
MOST_BODY = reading.MOST_BYTES + 10_000
KINDS = {"persons": "person", "organizations": "organization", "deals": "deal", "leads": "lead"}
_HEADERS = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def as_csv(parts: Iterator[bytes], filename: str) -> Response:
    """Answer a CSV as a download that no browser opens."""
    headers = {**_HEADERS, "Content-Disposition": disposition(filename, inline=False)}
    return StreamingResponse(parts, media_type="text/csv; charset=utf-8", headers=headers)


async def upload(request: Request) -> Response:
    """Take a file in and show how it would be read."""
    cookie = request.headers.get("cookie", "")
    try:
        if not is_own(request.headers, config().public_url):
            raise UserError("auth.bad_origin")
        actor = await asyncio.to_thread(sessions.actor_of_cookie, cookie)
        if actor is None:
            return RedirectResponse(routes.LOGIN, status_code=303)
        length = request.headers.get("content-length", "")
        if not length.isdigit() or int(length) > MOST_BODY:  # without a length nobody knows where it ends
            raise UserError("import.too_large", most=reading.MOST_BYTES // 1_000_000)
        made = await _taken(request, actor)
    except MailcrmError as error:
        numbers = {name: value for name, value in error.params.items() if isinstance(value, int)}
        return RedirectResponse(
            f"{routes.SETTINGS_IMPORT}?{urlencode({'error': error.code, **numbers})}", status_code=303
        )
    return RedirectResponse(f"{routes.SETTINGS_IMPORT}?import={made}", status_code=303)


async def bad_lines(request: Request) -> Response:
    """Answer the lines of an import that are to be mended."""
    text = str(request.path_params.get("import_id"))
    import_id = int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0
    return await _file(request, lambda actor: imports.bad_lines(actor, import_id), f"import-{import_id}-bad-lines.csv")


async def exported(request: Request) -> Response:
    """Answer the rows of a kind."""
    kinds = str(request.path_params.get("kinds"))
    excel = request.query_params.get("excel") == "1"

    def load(actor: Actor) -> Iterator[bytes]:
        if kinds not in KINDS:
            raise NotFound
        return export(actor, KINDS[kinds], bom=excel)

    return await _file(request, load, f"{kinds}.csv")


ROUTES = [
    Route("/imports", upload, methods=["POST"]),
    Route("/imports/{import_id}/bad-lines", bad_lines, methods=["GET"]),
    Route("/export/{kinds}.csv", exported, methods=["GET"]),
]


async def _taken(request: Request, actor: Actor) -> int:
    try:
        form = await request.form(max_files=1, max_fields=4)
    except HTTPException:  # no form, or one with more in it
        raise UserError("import.empty") from None
    try:
        file, kind, encoding = (form.get(name) for name in ("file", "kind", "encoding"))
        if not isinstance(file, UploadFile):
            raise UserError("import.empty")
        data, name = await file.read(reading.MOST_BYTES + 1), file.filename or ""
    finally:
        await form.close()
    made = await asyncio.to_thread(imports.upload, actor, str(kind), name, data, encoding=str(encoding or ""))
    return made.id


async def _file(request: Request, load: Callable[[Actor], Iterator[bytes]], filename: str) -> Response:
    cookie = request.headers.get("cookie", "")

    def work() -> Response:
        actor = sessions.actor_of_cookie(cookie)
        if actor is None:
            return PlainTextResponse(sentence_of("auth.signed_out", "en"), 401, headers=_HEADERS)
        try:
            return as_csv(load(actor), filename)
        except MailcrmError as error:
            return PlainTextResponse(sentence(error, actor.language), 404, headers=_HEADERS)

    return await asyncio.to_thread(work)
