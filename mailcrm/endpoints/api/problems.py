"""Errors as RFC 9457 problem documents: `code` is stable, `detail` is the sentence a person would see."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mailcrm.errors import MailcrmError, NotFound, PermanentError, TransientError
from mailcrm.services import i18n

log = structlog.get_logger()

#: The rest is 422: the request is understood and can't be done as it is.
STATUS = {
    "auth.admin_only": 403,
    "mailbox.taken": 409,
    "import.began": 409,
    "import.not_done": 409,
    "import.most_drafts": 409,
    "import.too_large": 413,
    "outbox.too_late": 409,
    "outbox.not_draft": 409,
    "outbox.not_failed": 409,
    "outbox.key_used": 409,
    "draft.newer": 409,
}
DOCUMENTED: dict[str, Any] = {
    "description": "Problem",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "code"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "code": {"type": "string"},
                    "errors": {"type": "array", "items": {"type": "object"}},
                },
            }
        }
    },
}


class Unauthorized(Exception):
    """No token, or one that is unknown or revoked."""


def install(app: FastAPI) -> None:
    """Answer every failure of the API with a problem document."""
    app.add_exception_handler(MailcrmError, _of_ours)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Unauthorized, _unauthorized)
    app.add_exception_handler(Exception, _of_anything)


def problem(status: int, code: str, detail: str = "", **more: Any) -> JSONResponse:
    """Build a problem document."""
    body: dict[str, Any] = {
        "type": f"urn:mailcrm:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
    }
    if detail:
        body["detail"] = detail
    return JSONResponse(
        body | more, status, media_type="application/problem+json", headers={"Cache-Control": "no-store"}
    )


async def _of_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, MailcrmError)
    language = getattr(request.state, "language", "en")
    detail = i18n.sentence(error, language)
    if isinstance(error, NotFound):
        return problem(404, error.code, detail)
    if isinstance(error, TransientError):
        return problem(503, error.code, detail)
    if isinstance(error, PermanentError):
        return problem(502, error.code, detail)
    return problem(STATUS.get(error.code, 422), error.code, detail)


async def _of_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # What was sent is left out: it may be a password.
    found = [{"at": list(each["loc"]), "message": each["msg"], "type": each["type"]} for each in error.errors()]
    return problem(422, "input.invalid", "The request doesn’t fit: see errors.", errors=found)


async def _of_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(error.status_code, "http")
    return problem(error.status_code, code, str(error.detail) if error.detail else "")


async def _unauthorized(_request: Request, _error: Exception) -> JSONResponse:
    answer = problem(401, "auth.token", "Send a token: Authorization: Bearer …")
    answer.headers["WWW-Authenticate"] = 'Bearer realm="mailcrm"'
    return answer


async def _of_anything(request: Request, error: Exception) -> JSONResponse:
    log.error("a request broke", method=request.method, path=request.url.path, exc_info=error)
    return problem(500, "internal", "Something went wrong on our side. It is in the server’s log.")
