"""`/export/{kinds}`: rows of the CRM as CSV, what the token's user may see. Imports: imports.py."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from mailcrm.endpoints.api.common import Who
from mailcrm.endpoints.transfer import KINDS, as_csv
from mailcrm.services.crm.transfer.export import export

router = APIRouter()


@router.get("/export/{kinds}", tags=["export"], response_class=Response, responses={200: {"content": {"text/csv": {}}}})
def get_export(kinds: Literal["persons", "organizations", "deals", "leads"], who: Who, excel: bool = False) -> Response:
    """All of them as CSV in UTF-8; `excel` marks it as such, as Excel wants it. It can be imported again."""
    return as_csv(export(who, KINDS[kinds], bom=excel), f"{kinds}.csv")
