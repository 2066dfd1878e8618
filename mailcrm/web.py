"""The web process: Granian with the built interface, one port, without Node.

`run` is Granian's supervisor, `asgi` what each of its workers calls. Several workers need Redis for Reflex's state
(decision 9), so without MAILCRM_REDIS_URL there is exactly one.
"""

from __future__ import annotations

import os
from typing import Any

from mailcrm import build, logs, parent
from mailcrm.config import config

WORKERS_WITH_REDIS = 4
CLOSE_S = 3  # for open sockets on a stop
#: Reflex's switches for serving a build (reflex.md §4). The double underscore marks them as its own; the version is
#: pinned, and tests/integration/serve would see a change.
PRODUCTION = {
    "REFLEX_ENV_MODE": "prod",
    "__REFLEX_SKIP_COMPILE": "1",
    "__REFLEX_MOUNT_FRONTEND_COMPILED_APP": "1",
    "REFLEX_CHECK_LATEST_VERSION": "false",
    "REFLEX_TELEMETRY_ENABLED": "false",
}


def run() -> None:
    """Serve until SIGTERM; the address is MAILCRM_HOST and MAILCRM_PORT."""
    os.environ.update(PRODUCTION)
    os.chdir(build.ROOT)
    _serve("mailcrm.web:asgi", WORKERS_WITH_REDIS if config().redis_url else 1)


def run_tracking_only() -> None:
    """Serve pixels, links and the opt-out page until SIGTERM; without the interface and its libraries."""
    _serve("mailcrm.web:tracking_only", 1)


def _serve(target: str, workers: int) -> None:
    from granian.constants import Interfaces
    from granian.server import Server

    settings = config()
    server = Server(
        target,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=workers,
        workers_kill_timeout=CLOSE_S,
        log_enabled=False,  # ours is set up already, and has secrets struck out
        respawn_failed_workers=True,
    )
    server.serve()


def asgi() -> Any:
    """Make the ASGI application; called once in each of Granian's workers."""
    logs.setup("web")
    parent.end_with_parent(os.getppid())
    from mailcrm.endpoints.tracking import First
    from mailcrm.mailcrm import app

    application = First(app())
    logs.setup("web")  # Reflex puts handlers of its own on its loggers when it starts
    return application


def tracking_only() -> Any:
    """Make the ASGI application of `serve --tracking-only`."""
    logs.setup("tracking")
    parent.end_with_parent(os.getppid())
    from mailcrm.endpoints import tracking_only as endpoints

    return endpoints.application()
