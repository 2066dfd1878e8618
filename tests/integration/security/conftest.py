"""One served application for all security tests, with two users, mail that must not be seen, and secrets to look for.

The web process alone is started (no worker: nothing here needs a mail server), on the last built interface: the
sockets and routes under attack are the same whatever the bundle's age.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from mailcrm import build
from mailcrm.services import db as database
from mailcrm.services.access import Actor
from mailcrm.services.auth import sessions, users
from mailcrm.services.db import transaction
from tests.builders import a_mailbox, a_message
from tests.conftest import ROOT, _settings
from tests.integration.security.wire import Tab
from tests.servers.dovecot import free_port

START_S = 60
PASSWORD = "horse-staple-planted-password"


@dataclass
class Person:
    """A user with a browser and a token."""

    actor: Actor
    email: str
    secret: str
    token: str

    @property
    def cookie(self) -> str:
        return f"sid={self.secret}"


class Served:
    """The running web process and its data folder."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.log = folder / "web.log"
        self.environment = os.environ | {
            "MAILCRM_DATA_DIR": str(self.data),
            "MAILCRM_PORT": str(self.port),
            "MAILCRM_HOST": "127.0.0.1",
            "MAILCRM_PUBLIC_URL": self.url,
            "MAILCRM_TRACKING_URL": self.url,
            "MAILCRM_DATABASE_URL": f"sqlite:///{self.data / 'mailcrm.sqlite3'}",
            **settings,
        }
        forgets = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # each request says itself whose it is
        self.client = httpx.Client(base_url=self.url, timeout=30, follow_redirects=False, cookies=forgets)

    def __enter__(self) -> Self:
        if not build.ENTRY.is_file():
            build.ensure()
        self.data.mkdir(mode=0o700)
        with self.inside():
            database.migrate()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mailcrm.processes", "web"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        ends = time.monotonic() + START_S
        while time.monotonic() < ends:
            if self.process.poll() is not None:
                raise RuntimeError(f"the web process ended:\n{self.log.read_text()[-4000:]}")
            try:
                if self.client.get("/healthz").status_code == 200:
                    return self
            except httpx.HTTPError:
                time.sleep(0.1)
        raise RuntimeError(f"the web process was not ready:\n{self.log.read_text()[-4000:]}")

    def __exit__(self, *_exc: object) -> None:
        self.client.close()
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This process's services work on the served database meanwhile."""
        with _settings(self.data, f"sqlite:///{self.data / 'mailcrm.sqlite3'}"):
            yield

    def person(self, name: str, *, admin: bool = False) -> Person:
        """Make a user with a session and an API token."""
        email = f"{name.lower()}-{os.urandom(3).hex()}@crm.test"
        with self.inside():
            view = users.create(name=name, email=email, password=PASSWORD, admin=admin)
            actor = users.by_email(email)
            assert actor.user_id == view.id
            return Person(actor, email, self.session(actor), users.create_token(actor))

    def session(self, actor: Actor) -> str:
        """Open another session of a user; only to be called inside."""
        with transaction() as session:
            return sessions.start(session, actor.user_id)

    def tab(self, person: Person | None = None, **options: Any) -> Tab:
        """Open a browser tab, signed in as somebody or nobody."""
        given: dict[str, Any] = {"cookie": person.cookie if person else ""} | options
        return Tab(self.url, **given)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Post a form as a page of ours does."""
        return self.client.post(path, data=fields, headers={"Origin": self.url} | headers)

    def rest(self, person: Person, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the REST interface."""
        headers = {"Authorization": f"Bearer {person.token}"} | options.pop("headers", {})
        return self.client.request(method, f"/api/v1{path}", headers=headers, **options)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The web process; its log is printed when it held a traceback nobody asked about."""
    with Served(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="session")
def aino(served: Served) -> Person:
    """A member with private mail."""
    return served.person("Aino")


@pytest.fixture(scope="session")
def bob(served: Served) -> Person:
    """Another member."""
    return served.person("Bob")


@pytest.fixture(scope="session")
def boss(served: Served) -> Person:
    """An administrator, who sees no more mail than anybody else (M25)."""
    return served.person("Boss", admin=True)


@pytest.fixture(scope="session")
def secret_mail(served: Served, aino: Person) -> int:
    """A private message of Aino's, with a canary; its id."""
    with served.inside():
        return a_message(a_mailbox(aino.actor), subject="CANARYGATE is private", attachment="a.pdf").id or 0
