"""Keeps out of a process what libraries import only because it is installed.

structlog takes rich, Huey takes redis and psycopg: 15 MB in a worker, and in the watcher, whose memory is for
connections, alembic's 6 MB more. Called before anything else is imported.
"""

from __future__ import annotations

import sys

from mailcrm.config import config


def keep_lean(*also: str) -> None:
    """Make these packages, and those of `also`, look absent unless the settings need them."""
    settings = config()
    unused = {"rich", *also}
    if not any(url.startswith(("redis://", "rediss://")) for url in (settings.queue_url, settings.redis_url)):
        unused.add("redis")
    if not any(url.startswith("postgresql") for url in (settings.queue_url, settings.database_url)):
        unused |= {"psycopg", "psycopg2"}
    for name in unused - set(sys.modules):
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it then fails as if it were not installed
