"""What the routes share: who asks, strict input models, lists with cursors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Generic, TypeVar, cast

from fastapi import Depends, Path, Query, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from mailcrm.endpoints.api.problems import Unauthorized
from mailcrm.errors import UserError
from mailcrm.services.access import Actor
from mailcrm.services.auth import users

Item = TypeVar("Item")


class Input(BaseModel):
    """A request's body: unknown fields are refused, so that a typing mistake never passes for a change."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class Page(BaseModel, Generic[Item]):
    """A list: `next_cursor` asks for the next page, None on the last one."""

    items: list[Item]
    next_cursor: str | None = None


def actor_of(request: Request) -> Actor:
    """Return whose bearer token came; answers 401 otherwise."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    actor = users.actor_of_token(token.strip()) if scheme.lower() == "bearer" and token.strip() else None
    if actor is None:
        raise Unauthorized
    request.state.language = actor.language
    return actor


def known_parameters(request: Request) -> None:
    """Refuse a query parameter that the operation does not have: a filter that is ignored gives too much."""
    route = request.scope.get("route")
    known = {found.alias for found in route.dependant.query_params} if isinstance(route, APIRoute) else set[str]()
    for name in request.query_params:
        if name not in known:
            raise UserError("input.invalid", value=name[:40], field="query")


Who = Annotated[Actor, Depends(actor_of)]
RowId = Annotated[int, Path(ge=1, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=1500)]  # holds a name of 200 characters, four bytes each, in base64


def page(rows: Sequence[Any], next_cursor: str | None = None) -> dict[str, Any]:
    """Build a list's answer from views."""
    return {"items": [plain(row) for row in rows], "next_cursor": next_cursor}


def plain(view: Any) -> Any:
    """Turn a view into JSON's types; a view's nested `card` is lifted to its level."""
    if is_dataclass(view) and not isinstance(view, type):
        found: dict[str, Any] = {}
        for field in fields(view):
            if not field.metadata.get("rest", True):
                continue
            value = plain(getattr(view, field.name))
            if field.name == "card":
                found = value | found
            else:
                found[field.name] = value
        return found
    if isinstance(view, (list, tuple)):
        return [plain(each) for each in cast("Sequence[Any]", view)]
    if isinstance(view, Mapping):
        return {str(name): plain(value) for name, value in cast("Mapping[Any, Any]", view).items()}
    return view


def given(body: BaseModel) -> dict[str, Any]:
    """The fields that were sent: an absent field changes nothing, null empties."""
    return body.model_dump(exclude_unset=True)


class Answer(BaseModel):
    """Base of documented answers; fields that are added later don't break older clients."""

    model_config = ConfigDict(extra="allow")
