"""`/blocked-addresses`: what you do not want to see, personal to you (M19, M20)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from mailcrm.endpoints.api.common import Answer, Input, Page, RowId, Who, given, page, plain
from mailcrm.errors import UserError
from mailcrm.services.mail import blocking

router = APIRouter(prefix="/blocked-addresses", tags=["mail"])
Scope = Literal["address", "domain", "subdomains"]
Text = Annotated[str, Field(min_length=1, max_length=1000)]


class Pattern(Input):
    """An address ("name@domain"), or a domain ("@domain"), with or without its subdomains."""

    scope: Scope = "address"
    pattern: Text


class PatternChange(Input):
    """Another scope or pattern: what it hid is shown again, what it hides now goes."""

    scope: Scope | None = None
    pattern: Text | None = None


class Blocked(Answer):
    """`hides`: how many of your emails it takes part in hiding now."""

    id: int
    scope: Scope
    pattern: str
    shown: str
    hides: int
    created_at: datetime


class Preview(Answer):
    """`hides`: how many of your emails blocking would hide; `blocked` when it is blocked already."""

    scope: Scope
    pattern: str
    shown: str
    hides: int
    blocked: bool


@router.get("", response_model=Page[Blocked])
def listing(who: Who) -> Any:
    """What you block, newest first; all of it."""
    return page(blocking.list_blocked(who))


@router.post("", status_code=201, response_model=Blocked)
def add(body: Pattern, who: Who) -> Any:
    """Hide email of which every counterparty is blocked, past and future."""
    return plain(blocking.block(who, body.scope, body.pattern))


@router.post("/preview", response_model=Preview)
def preview(body: Pattern, who: Who) -> Any:
    """How many emails blocking would hide; changes nothing."""
    return plain(blocking.preview(who, body.scope, body.pattern))


@router.get("/{blocked_id}", response_model=Blocked)
def one(blocked_id: RowId, who: Who) -> Any:
    """One of them."""
    return plain(blocking.get(who, blocked_id))


@router.patch("/{blocked_id}", response_model=Blocked)
def change(blocked_id: RowId, body: PatternChange, who: Who) -> Any:
    """Replace it; it gets another id."""
    before = blocking.get(who, blocked_id)
    if not any(given(body).values()):
        raise UserError("input.missing", field="pattern")
    made = blocking.block(who, body.scope or before.scope, body.pattern or before.pattern)
    if made.id != blocked_id:
        blocking.unblock(who, blocked_id)
    return plain(blocking.get(who, made.id))


@router.delete("/{blocked_id}", status_code=204)
def remove(blocked_id: RowId, who: Who) -> None:
    """Unblock: the email is shown again, unless others hide it too."""
    blocking.unblock(who, blocked_id)
