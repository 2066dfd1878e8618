"""`/imports`: a CSV file in, how it is read, a dry run, the import, its errors, and taking it back.

The file is the request's body (`text/csv`) or the field `file` of a form. Everything else is JSON. What is read, decided
and authorised is services/crm/transfer's; the page of the interface does the same (state/importing.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from mailcrm.endpoints.api.common import Answer, Input, Page, RowId, Who, given, page, plain
from mailcrm.endpoints.transfer import KINDS, as_csv
from mailcrm.errors import UserError
from mailcrm.services.crm.transfer import imports as verbs
from mailcrm.services.crm.transfer import reading

router = APIRouter(prefix="/imports", tags=["imports"])

Kinds = Literal["persons", "organizations", "deals", "leads"]
Word = Annotated[str, Query(max_length=40)]
_FILE = {"type": "string", "format": "binary"}
_FORM = {"schema": {"type": "object", "required": ["file"], "properties": {"file": _FILE}}}
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"text/csv": {"schema": _FILE}, "multipart/form-data": _FORM}}
}


class Column(Answer):
    """A column of the file, its first values, and the field it becomes ("" for none)."""

    at: int
    name: str
    samples: list[str]
    key: str


class Import(Answer):
    """An import. `wants_order`: say in `order` whether days are written dmy, mdy or ymd, before it can start."""

    id: int
    kind: str
    filename: str
    state: Literal["draft", "running", "done", "stopped", "undone"]
    encoding: str
    delimiter: str
    header: bool
    order: str
    wants_order: bool
    decimals: str
    change: bool
    make_stages: bool
    rows: int
    done: int
    made: int
    changed: int
    same: int
    wrong: int
    error: str
    created_at: datetime
    ended_at: datetime | None


class ImportChange(Input):
    """How a draft is read; what is left out stays. `mapping`: fields by the names of columns, "" leaves one out."""

    encoding: Annotated[str, Field(max_length=40)] | None = None
    delimiter: Literal["comma", "semicolon", "tab", "bar"] | None = None
    header: bool | None = None
    mapping: Annotated[dict[str, Annotated[str, Field(max_length=80)]], Field(max_length=200)] | None = None
    order: Literal["", "dmy", "mdy", "ymd"] | None = None
    decimals: Literal["", ".", ","] | None = None
    change: bool | None = None
    make_stages: bool | None = None


class Problem(Answer):
    """A line that is left out, and what to do about it."""

    line: int
    sentence: str


class DryRun(Answer):
    """What the import would do; nothing was written. `also`: rows made because lines name them, by kind."""

    made: int
    changed: int
    same: int
    wrong: int
    also: dict[str, int]
    problems: list[Problem]


@router.post("", status_code=201, response_model=Import, openapi_extra=_BODY)
async def create_import(
    request: Request,
    who: Who,
    kind: Kinds,
    filename: Annotated[str, Query(max_length=200)] = "",
    encoding: Word = "",
    delimiter: Word = "",
) -> Any:
    """Take a CSV file in and propose how it is read; nothing is imported yet."""
    data, name = await _file(request)
    made = await run_in_threadpool(
        verbs.upload, who, KINDS[kind], filename or name, data, encoding=encoding, delimiter=delimiter
    )
    return plain(made)


@router.get("", response_model=Page[Import])
def list_imports(who: Who, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Any:
    """List your imports, newest first."""
    return page(verbs.list_imports(who, limit))


@router.get("/{import_id}", response_model=Import)
def get_import(import_id: RowId, who: Who) -> Any:
    """One of your imports: its state and how far it is."""
    return plain(verbs.get_import(who, import_id))


@router.get("/{import_id}/columns", response_model=Page[Column])
def get_columns(import_id: RowId, who: Who) -> Any:
    """The file's columns, and what they become."""
    return page(verbs.columns(who, import_id))


@router.patch("/{import_id}", response_model=Import)
def change_import(import_id: RowId, body: ImportChange, who: Who) -> Any:
    """Say how a draft is read. Making fields and stages on the way is for administrators."""
    said = {name: value for name, value in given(body).items() if value is not None}
    return plain(verbs.change_import(who, import_id, **said))


@router.post("/{import_id}/dry-run", response_model=DryRun)
def dry_run(import_id: RowId, who: Who) -> Any:
    """Say what the import would do, line by line, without doing it."""
    found = plain(verbs.preview(who, import_id))
    return found | {"also": dict(found["also"])}


@router.post("/{import_id}/start", status_code=202, response_model=Import)
def start(import_id: RowId, who: Who) -> Any:
    """Import in the background; lines with errors don't stop the others."""
    return plain(verbs.start(who, import_id))


@router.get("/{import_id}/errors", response_model=Page[Problem])
def errors(import_id: RowId, who: Who, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> Any:
    """The lines that were left out, in order."""
    return page(verbs.problems(who, import_id, limit))


@router.get("/{import_id}/bad-lines", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def bad_lines(import_id: RowId, who: Who) -> Response:
    """The same as CSV, to mend and import again."""
    return as_csv(verbs.bad_lines(who, import_id), f"import-{import_id}-bad-lines.csv")


@router.post("/{import_id}/undo", response_model=Import)
def undo(import_id: RowId, who: Who) -> Any:
    """Put what the import made into the trash; idempotent."""
    return plain(verbs.undo(who, import_id))


@router.delete("/{import_id}", status_code=204)
def discard(import_id: RowId, who: Who) -> None:
    """Forget a draft and its file."""
    verbs.discard(who, import_id)


async def _file(request: Request) -> tuple[bytes, str]:
    """The body, or the file of a form, with its name. Larger ones than an import takes are refused while they arrive."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await _read(request), ""
    try:
        form = await request.form(max_files=1, max_fields=1)
    except HTTPException as error:
        if error.status_code == 413:
            raise
        raise UserError("import.empty") from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise UserError("import.empty")
        return await file.read(reading.MOST_BYTES + 1), file.filename or ""
    finally:
        await form.close()


async def _read(request: Request) -> bytes:
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > reading.MOST_BYTES:
            raise UserError("import.too_large", most=reading.MOST_BYTES // 1_000_000)
    return bytes(found)
