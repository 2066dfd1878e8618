"""`/api/v1/docs`: the operations of openapi.json as one plain page, without scripts and without a CDN; and `/me`."""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from mailcrm.endpoints.api.common import Answer, Who, plain
from mailcrm.services.auth import users

router = APIRouter()

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2024 }
code { font: 13px/1.5 ui-monospace, monospace; background: #f0f1f3; padding: .1rem .3rem; border-radius: 4px }
li { margin: .4rem 0 } b { display: inline-block; min-width: 4.5rem }
@media (prefers-color-scheme: dark) { body { background: #111113; color: #edeef0 } code { background: #212225 } }
"""


class Me(Answer):
    """The token's user."""

    id: int
    email: str
    name: str
    role: str
    language: str
    time_zone: str


@router.get("/me", tags=["me"], response_model=Me)
def me(who: Who) -> Any:
    """Whose token this is."""
    return plain(users.me(who))


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    """List the operations."""
    found: dict[str, list[str]] = {}
    for path, methods in request.app.openapi()["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["other"])[0]
            names = [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"]
            asked = f" <small>?{escape('&'.join(names))}</small>" if names else ""
            found.setdefault(tag, []).append(
                f"<li><b>{method.upper()}</b><code>/api/v1{escape(path)}</code>{asked}<br>"
                f"{escape(operation.get('description') or operation.get('summary') or '')}</li>"
            )
    parts = "".join(f"<h2>{escape(tag)}</h2><ul>{''.join(lines)}</ul>" for tag, lines in sorted(found.items()))
    body = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>mailcrm REST, version 1</title><style>{_STYLE}</style>"
        "<h1>mailcrm REST, version 1</h1><p>Send <code>Authorization: Bearer mcrm_…</code>; make a token with "
        "<code>python -m mailcrm token create --user you@example.com</code>. The whole description, with every field: "
        f"<a href='/api/v1/openapi.json'>openapi.json</a>.</p>{parts}"
    )
    return HTMLResponse(body, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"})
