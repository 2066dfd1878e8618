"""`serve`: migrates, builds, then keeps the web process, the worker, the watcher and the demo's mail servers running.

     prepare ──▶ start children ──▶ watch ──signal──▶ SIGTERM ──8 s──▶ SIGKILL ──▶ done
                        ▲             │ a child died
                        └──back-off───┘

Each child leads a process group of its own, so that Ctrl-C reaches the supervisor alone and a stop reaches a child's
own children too. A child ends by itself when its parent is gone, even after `kill -9` (mailcrm/parent.py).
Does not contain application logic: web.py and services/jobs/worker.py are what the children run.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import DBAPIError

from mailcrm import build
from mailcrm.config import Config, config
from mailcrm.errors import ConfigError
from mailcrm.parent import PARENT
from mailcrm.services import db, demo
from mailcrm.services.jobs import queue

WATCH_S = 0.2
STOP_S = 8.0  # a sync batch is under a second; Granian closes sockets within 3
EVERY_V4 = "0.0.0.0"  # noqa: S104  compared with, not listened on
REACH_S = 5.0
STEADY_S = 60.0  # a child that lived this long starts again at once
BACKOFF_S = (0.5, 1, 2, 5, 10, 30)

log = structlog.get_logger()


@dataclass
class Child:
    """One supervised process and its restart schedule."""

    name: str
    runs: str
    extra: dict[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    due: float = field(default=0.0)

    def start(self, env: dict[str, str]) -> None:
        """Start it in a process group of its own."""
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mailcrm.processes", self.runs],
            env=env | self.extra, cwd=build.ROOT, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def watch(self, env: dict[str, str]) -> None:
        """Start it when it is due; note its end and when to try again."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.due:
                self.start(env)
            return
        code = self.process.poll()
        if code is None:
            return
        self.signal(signal.SIGKILL)  # what it may have left of its group
        self.process = None
        self.failures = 0 if now - self.started > STEADY_S else self.failures + 1
        wait = BACKOFF_S[min(self.failures, len(BACKOFF_S) - 1)]
        self.due = now + wait
        log.error("a process ended; it is started again", child=self.name, exit_code=code, in_seconds=wait)

    def signal(self, number: int) -> None:
        """Send a signal to its whole group; nothing when it is gone."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except (ProcessLookupError, PermissionError):  # macOS says EPERM of a group of zombies
                pass


def run(host: str | None = None, port: int | None = None, *, before_start: Callable[[], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Raises ConfigError, before anything is started, when that can't work."""
    settings = config()
    host, port = host or settings.host, port or settings.port
    check_address(host, port)
    if settings.bcc.port:
        from mailcrm.services.smart_bcc import listener  # aiosmtpd, only where somebody listens

        listener.check(settings.bcc)
    check_services(settings)
    prepare()
    if before_start is not None:
        before_start()
        db.dispose()
    _supervise(settings, host, port, _children(settings), with_demo=True)


def run_tracking_only(host: str | None = None, port: int | None = None) -> None:
    """Serve pixels, links and the opt-out page until SIGINT or SIGTERM; see endpoints/tracking_only.py.

    Migrates and builds nothing: /readyz says so until mailcrm itself has. Raises ConfigError, as `run` does.
    """
    settings = config()
    host, port = host or settings.host, port or settings.port
    check_address(host, port)
    try:
        db.check_not_newer()
    except DBAPIError as error:
        raise ConfigError("serve.database", why=_why(error)) from error
    finally:
        db.dispose()
    _supervise(settings, host, port, [Child("tracking", "tracking"), Child("recorder", "recorder")])


def prepare() -> None:
    """Bring the database and the interface up to date. Raises ConfigError with the reason when that fails."""
    try:
        db.migrate()
    except DBAPIError as error:
        raise ConfigError("serve.database", why=_why(error)) from error
    finally:
        db.dispose()
    build.ensure(lambda words: print(words, flush=True))


def _why(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig else type(error).__name__


def check_services(settings: Config) -> None:
    """Raise ConfigError unless queue and Redis answer: said now, not by children that restart for ever."""
    queue.lane("quick")
    if not queue.answers():
        raise ConfigError("serve.queue")
    if settings.redis_url:
        from redis import Redis, RedisError  # only where somebody has it

        try:
            with Redis.from_url(settings.redis_url, socket_connect_timeout=REACH_S, socket_timeout=REACH_S) as client:
                client.ping()
        except (RedisError, ValueError, OSError) as error:
            raise ConfigError("serve.redis") from error


def check_address(host: str, port: int) -> None:
    """Raise ConfigError unless the address can be listened on."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        code = "serve.port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "serve.address"
        raise ConfigError(code, host=host, port=port) from error


def _children(settings: Config) -> list[Child]:
    children = [Child("web", "web")]
    if settings.worker == "embedded":
        children.append(Child("worker", "worker"))
        children.append(watcher())
    if settings.bcc.port:
        children.append(Child("smart bcc", "smart-bcc"))
    return children


def _supervise(settings: Config, host: str, port: int, children: list[Child], *, with_demo: bool = False) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stop.set())
    env = dict(os.environ)
    env.update(
        {
            PARENT: str(os.getpid()),
            "MAILCRM_DATA_DIR": str(settings.data_dir),  # children run in the checkout
            "MAILCRM_HOST": host,
            "MAILCRM_PORT": str(port),
            "PYTHONUNBUFFERED": "1",
        }
    )
    demo_server = Child("demo mail server", "demo-server")
    threading.Thread(target=_announce, args=(host, port, stop), daemon=True).start()
    try:
        while not stop.is_set():
            if with_demo and demo_server not in children and demo.is_made(settings.data_dir):
                children.insert(0, demo_server)
            for child in children:
                child.watch(env)
            stop.wait(WATCH_S)
    finally:
        print("\nStopping …", flush=True)
        _stop(children)


def watcher() -> Child:
    """The process that holds IDLE on every mailbox. Where several are started, one works and the others stand by."""
    return Child("watcher", "watcher", {"MALLOC_ARENA_MAX": "2"})  # thousands of small buffers from few threads


def keep_watcher() -> None:
    """Keep a watcher beside this process (a worker that was started by hand); it ends with it."""
    child, env = watcher(), os.environ | {PARENT: str(os.getpid()), "PYTHONUNBUFFERED": "1"}

    def keep() -> None:
        while True:
            child.watch(env)
            time.sleep(WATCH_S)

    threading.Thread(target=keep, name="watcher", daemon=True).start()


def _stop(children: list[Child]) -> None:
    for child in children:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_S
    for child in children:
        if child.process is not None:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("a process did not stop in time and was killed", child=child.name)
            child.signal(signal.SIGKILL)
            child.process.wait()


def _announce(host: str, port: int, stop: threading.Event) -> None:
    """Say where the page is, once it answers."""
    name = {EVERY_V4: "localhost", "::": "localhost", "127.0.0.1": "localhost"}.get(host, host)
    asked = {EVERY_V4: "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    while not stop.wait(WATCH_S):
        try:
            with urllib.request.urlopen(f"http://{asked}:{port}/healthz", timeout=2):
                print(f"mailcrm is at http://{name}:{port} — Ctrl-C stops it.", flush=True)
                return
        except (urllib.error.URLError, OSError):
            continue
