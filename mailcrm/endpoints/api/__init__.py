"""REST, version 1 (contract.md): FastAPI under `/api/v1`, for bearer tokens; sees exactly what its user sees.

`app` is mounted by the composition root. Cookies are not looked at, so no other site can make a browser call it.
Does not authorise rows: every route calls a service verb with the token's actor.
"""

from __future__ import annotations

from fastapi import Depends, FastAPI

from mailcrm.endpoints.api import (
    alternatives,
    blocked,
    crm,
    docs,
    folders,
    imports,
    mail,
    mailboxes,
    notifications,
    outbox,
    problems,
    quarantine,
    records,
    sales,
    teams,
    transfer,
    webhooks,
    writes,
    writing,
)
from mailcrm.endpoints.api.common import known_parameters
from mailcrm.endpoints.api.limits import LimitBody

PREFIX = "/api/v1"

app = FastAPI(
    title="mailcrm",
    version="1",
    summary="What the interface can do, for programs.",
    docs_url=None,  # FastAPI's page loads scripts from a CDN; docs.py serves one without
    redoc_url=None,
    openapi_url="/openapi.json",
    servers=[{"url": PREFIX}],
    root_path_in_servers=False,
    responses=dict.fromkeys(("401", "404", "422"), problems.DOCUMENTED),
)
for part in (
    mailboxes,
    folders,
    writes,
    quarantine,
    mail,
    blocked,
    alternatives,
    outbox,
    records,
    crm,
    sales,
    notifications,
    teams,
    transfer,
    imports,
    writing,
    webhooks,
    docs,
):
    app.include_router(part.router, dependencies=[Depends(known_parameters)])
problems.install(app)
app.add_middleware(LimitBody)
