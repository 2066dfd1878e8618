"""Keeps out of a process what libraries import only because it is installed.

structlog takes rich and greenlet, Huey redis and psycopg, and SQLAlchemy a whole dialect to ask which words PostgreSQL's
indexes know: 19 MB in a worker, and in the watcher, whose memory is for connections, alembic's 6 MB more. Called
before anything else is imported.
"""

from __future__ import annotations

import sys
from typing import ClassVar

from mailcrm.config import config


def keep_lean(*also: str) -> None:
    """Make these packages, and those of `also`, look absent unless the settings need them."""
    settings = config()
    unused = {"rich", "greenlet", *also}
    with_postgresql = any(url.startswith("postgresql") for url in (settings.queue_url, settings.database_url))
    if not any(url.startswith(("redis://", "rediss://")) for url in (settings.queue_url, settings.redis_url)):
        unused.add("redis")
    if not with_postgresql:
        unused |= {"psycopg", "psycopg2"}
    for name in unused - set(sys.modules):
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it then fails as if it were not installed
    if not with_postgresql:
        from sqlalchemy.dialects import registry

        registry.register("postgresql", __name__, "AnyWords")


class AnyWords:
    """Stands for PostgreSQL's dialect where there is none: what tables say to it is not looked at."""

    construct_arguments: ClassVar[None] = None
