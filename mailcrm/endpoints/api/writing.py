"""`/templates` and `/signatures`: what you write with (M07, M08).

Shared templates are seen by everybody, changed by their owner and administrators. Files are sent as base64; the bytes
of a file come from the web interface's own routes.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from mailcrm.endpoints.api.common import Answer, Input, Page, RowId, Who, given, page, plain
from mailcrm.errors import UserError
from mailcrm.services.writing import signatures, templates
from mailcrm.services.writing.views import TemplateView

router = APIRouter(tags=["writing"])

Name = Annotated[str, Field(min_length=1, max_length=400)]
Folder = Annotated[str, Field(max_length=400)]
Subject = Annotated[str, Field(max_length=4000)]
Html = Annotated[str, Field(max_length=1_000_000)]


class NewFile(Input):
    """A file; `content` is base64. An inline one is an image that `html` shows as `cid:` + its content_id."""

    filename: Annotated[str, Field(min_length=1, max_length=255)]
    content_type: Annotated[str, Field(max_length=200)] = "application/octet-stream"
    content: str
    inline: bool = False


class NewTemplate(Input):
    """A template. Merge fields are written `{{ person.first_name | default("there") }}`."""

    name: Name
    subject: Subject = ""
    html: Html = ""
    folder: Folder = ""
    shared: bool = False
    files: Annotated[list[NewFile], Field(max_length=50)] = []


class TemplateChange(Input):
    """What is left out stays. `before_id` moves it before another template, null behind all."""

    name: Name | None = None
    subject: Subject | None = None
    html: Html | None = None
    folder: Folder | None = None
    shared: bool | None = None
    before_id: int | None = None


class KeptFile(Answer):
    """A file of a template or signature."""

    n: int
    filename: str
    content_type: str
    size: int
    inline: bool
    content_id: str


class TemplateLine(Answer):
    """A template in the list; `changeable` says whether you may change it."""

    id: int
    name: str
    folder: str
    shared: bool
    subject: str
    snippet: str
    owner_id: int
    owner: str
    mine: bool
    changeable: bool
    updated_at: datetime


class Template(TemplateLine):
    """A template with its text and files."""

    html: str
    files: list[KeptFile]


class NewSignature(Input):
    """A signature; its images are added in the interface."""

    name: Name
    html: Html = ""


class Use(Input):
    """A mailbox whose new emails, or replies and forwards, begin with the signature."""

    mailbox_id: Annotated[int, Field(ge=1, lt=2**63)]
    use: Literal["new", "reply"]


class SignatureChange(Input):
    """What is left out stays; `uses` adds to where it is used."""

    name: Name | None = None
    html: Html | None = None
    uses: Annotated[list[Use], Field(max_length=200)] | None = None


class UseAnswer(Answer):
    """A mailbox that begins with the signature."""

    mailbox_id: int
    use: Literal["new", "reply"]


class Signature(Answer):
    """A signature and where it is used."""

    id: int
    name: str
    html: str
    position: int
    files: list[KeptFile]
    uses: list[UseAnswer]


@router.get("/templates", response_model=Page[TemplateLine])
def list_templates(who: Who, q: Annotated[str, Field(max_length=200)] = "") -> Any:
    """The templates you may use, shared ones first, in folders and order; `q` finds words in them."""
    return page(templates.search(who, q) if q.strip() else templates.list_templates(who))


@router.post("/templates", status_code=201, response_model=Template)
def create_template(body: NewTemplate, who: Who) -> Any:
    """Make a template, last in its folder."""
    files = [(each, _decoded(each.content)) for each in body.files]
    made = templates.create(
        who, name=body.name, subject=body.subject, html=body.html, folder=body.folder, shared=body.shared
    )
    try:
        for each, data in files:
            templates.add_file(who, made.line.id, each.filename, each.content_type, data, inline=each.inline)
    except UserError:
        templates.delete(who, made.line.id)  # all of it or nothing
        raise
    return _template(templates.get(who, made.line.id))


@router.get("/templates/{template_id}", response_model=Template)
def get_template(template_id: RowId, who: Who) -> Any:
    """One template."""
    return _template(templates.get(who, template_id))


@router.patch("/templates/{template_id}", response_model=Template)
def change_template(template_id: RowId, body: TemplateChange, who: Who) -> Any:
    """Change a template, or move it."""
    wanted = given(body)
    moves, before_id = "before_id" in wanted, wanted.pop("before_id", None)
    for name, value in wanted.items():
        if value is None:
            raise UserError("input.missing", field=name)
    found = templates.change(who, template_id, **wanted) if wanted else templates.get(who, template_id)
    if moves:
        templates.move(who, template_id, before_id=before_id)
        found = templates.get(who, template_id)
    return _template(found)


@router.delete("/templates/{template_id}", status_code=204)
def delete_template(template_id: RowId, who: Who) -> None:
    """Put a template in the trash."""
    templates.delete(who, template_id)


@router.get("/signatures", response_model=Page[Signature])
def list_signatures(who: Who) -> Any:
    """Your signatures, in order."""
    return page([_signature(each) for each in signatures.list_signatures(who)])


@router.post("/signatures", status_code=201, response_model=Signature)
def create_signature(body: NewSignature, who: Who) -> Any:
    """Make a signature, last in the order."""
    return _signature(signatures.create(who, name=body.name, html=body.html))


@router.get("/signatures/{signature_id}", response_model=Signature)
def get_signature(signature_id: RowId, who: Who) -> Any:
    """One of yours."""
    return _signature(signatures.get(who, signature_id))


@router.patch("/signatures/{signature_id}", response_model=Signature)
def change_signature(signature_id: RowId, body: SignatureChange, who: Who) -> Any:
    """Change a signature, or where it is used."""
    wanted = given(body)
    for name, value in wanted.items():
        if value is None:
            raise UserError("input.missing", field=name)
    signatures.change(who, signature_id, name=wanted.get("name"), html=wanted.get("html"))
    for each in body.uses or ():
        signatures.set_default(who, each.mailbox_id, each.use, signature_id)
    return _signature(signatures.get(who, signature_id))


@router.delete("/signatures/{signature_id}", status_code=204)
def delete_signature(signature_id: RowId, who: Who) -> None:
    """Put a signature in the trash."""
    signatures.delete_signature(who, signature_id)


def _template(view: TemplateView) -> dict[str, Any]:
    found = plain(view)
    return {**found.pop("line"), **found}


def _signature(view: Any) -> dict[str, Any]:
    found = plain(view)
    found["uses"] = [{"mailbox_id": mailbox_id, "use": use} for mailbox_id, use in found["uses"]]
    return found


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UserError("input.invalid", value=content[:20], field="content") from error
