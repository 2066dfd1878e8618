"""The queue: carries the name of a job and its arguments to a worker. SQLite by default, Redis or PostgreSQL by URL.

Two lanes, so that a long first sync never holds up a mail that somebody just sent. A job is a wake-up and may be lost
or come twice (rule 3): verbs decide from rows, and the sweep finds what a lost one left.
Does not know what jobs do (tasks.py) and runs nothing (worker.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import structlog
from huey import Huey, RedisHuey, SqliteHuey  # pyright: ignore[reportMissingTypeStubs]
from huey.api import PostgresHuey  # pyright: ignore[reportMissingTypeStubs]

from mailcrm.config import config
from mailcrm.errors import ConfigError

LANES = ("sync", "quick")
SYNC_JOBS = frozenset(
    {"sync_mailbox", "verify_mailbox", "smart_bcc", "drop_mailbox", "webhooks", "renew_token"}
)  # those that wait for others' servers
TASK = "mailcrm.job"  # the stored name; a rename of the function must not orphan queued jobs

log = structlog.get_logger()
_runner: Callable[[str, dict[str, int | str]], None] | None = None


def enqueue(job: str, **args: int | str) -> None:
    """Wake a worker up for a job, after the commit of the rows that it will look at. Never raises.

    When the queue can't be reached the job is found by the sweep within seconds, so the caller's work stands.
    """
    try:
        task = _task(config().queue_url, lane_of(job))
        task(job, args)
    except Exception as error:  # any backend's error: the caller has committed and must not fail now
        log.warning("a wake-up was lost; the sweep will find the work", job=job, error=str(error))


def lane_of(job: str) -> str:
    """The lane a job travels in."""
    return "sync" if job in SYNC_JOBS else "quick"


def lane(name: str) -> Huey:
    """Return the Huey instance of a lane, with the one task registered."""
    _task(config().queue_url, name)
    return _huey(config().queue_url, name)


def answers() -> bool:
    """True when the queue's storage answers (readiness)."""
    try:
        _size("quick")
    except Exception:  # any backend's error means the same: not ready
        return False
    return True


def waiting() -> dict[str, int]:
    """How many jobs wait in each lane."""
    return {name: _size(name) for name in LANES}


def _size(name: str) -> int:
    huey: Any = _huey(config().queue_url, name)  # Huey has no types
    return int(huey.storage.queue_size())


@functools.cache
def _huey(url: str, name: str) -> Huey:
    options: dict[str, Any] = {"name": f"mailcrm-{name}", "results": False, "utc": True}
    scheme = urlsplit(url).scheme
    if scheme == "sqlite" and url.startswith("sqlite:///"):
        made: Any = SqliteHuey(filename=url.removeprefix("sqlite:///"), timeout=15, **options)
        made.storage.conn.execute("PRAGMA synchronous=NORMAL")  # a wake-up may be lost; waiting for the disk costs 2 ms
        return made
    if scheme in ("redis", "rediss"):
        return RedisHuey(url=url, **options)
    if scheme in ("postgresql", "postgresql+psycopg"):
        return PostgresHuey(dsn=url.replace("+psycopg", "", 1), **options)
    raise ConfigError("queue.url")


@functools.cache
def _task(url: str, name: str) -> Any:
    huey: Any = _huey(url, name)
    return huey.task(name=TASK)(_run)


def run_with(runner: Callable[[str, dict[str, int | str]], None]) -> None:
    """Say what runs jobs in this process (the worker's tasks). Handed in, so that services may import this module."""
    global _runner
    _runner = runner


def _run(job: str, args: dict[str, int | str]) -> None:
    if _runner is None:
        raise RuntimeError("this process is not a worker")
    _runner(job, args)
