"""`/healthz` the process answers, `/readyz` it can work (database, migrations, queue), `/metrics` for Prometheus.

Public, so they tell nothing about anybody: numbers of the whole installation only.
"""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from mailcrm.services import db, figures
from mailcrm.services.jobs import queue

STARTED = time.time()


async def healthz(_request: Request) -> Response:
    """Answer as soon as the process serves requests; touches nothing else."""
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})


async def readyz(_request: Request) -> Response:
    """Say whether the database (at this version's migrations) and the queue answer: 200 or 503."""
    database, waiting = await asyncio.gather(asyncio.to_thread(db.is_ready), asyncio.to_thread(queue.answers))
    checks = {"database": "ok" if database else "not ready", "queue": "ok" if waiting else "not ready"}
    return JSONResponse(checks, 200 if database and waiting else 503, headers={"Cache-Control": "no-store"})


async def metrics(_request: Request) -> Response:
    """Answer Prometheus."""
    found = await asyncio.to_thread(_exposition)
    return Response(found, media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


routes: list[BaseRoute] = [
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
]


class _Figures(Collector):
    """Reads the figures when it is asked, so that every process tells the same."""

    def collect(self):  # type: ignore[no-untyped-def]
        for name, help_text, samples in figures.collect():
            family = GaugeMetricFamily(f"mailcrm_{name}", help_text, labels=["kind"])
            for kind, value in samples.items():
                family.add_metric([kind], value)
            yield family


_registry = CollectorRegistry()
_registry.register(_Figures())
Gauge("mailcrm_start_time_seconds", "When this web process started.", registry=_registry).set(STARTED)


def _exposition() -> bytes:
    return generate_latest(_registry)
