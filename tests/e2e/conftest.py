"""The built app in Chromium: one server with a data folder of its own for each test module.

Screenshots go to `test-results/`; on a failure the server's log is printed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from mailcrm.services.mail.providers.values import ServerSpec
from tests.conftest import ROOT, needs
from tests.servers.dovecot import free_port

RESULTS = ROOT / "test-results"
START_S = 120  # the interface may have to be built first on a slow machine
expect.set_options(timeout=20_000)


#: Files that take minutes, the longest first: each runs as one, and who begins with one last works alone in the end.
LONGEST = ("two_users", "story", "oauth", "live", "tracking", "editor_keeps", "accessibility", "connect", "templates")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files (with `--no-loadscope-reorder`, else they are ordered by their number of tests)."""
    places = {f"test_{name}": place for place, name in enumerate(LONGEST)}

    def place(item: pytest.Item) -> int:
        return next((at for name, at in places.items() if item.path.name.startswith(name)), len(places))

    items.sort(key=place)


class App:
    """A running mailcrm without a row in its database: a copy of `migrated`, else one that it makes itself."""

    def __init__(self, folder: Path, migrated: Path | None = None) -> None:
        self.folder = folder
        if migrated is not None:
            (folder / "data").mkdir(mode=0o700)
            shutil.copy(migrated, folder / "data" / "mailcrm.sqlite3")
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.log = folder / "serve.log"
        self.environment = os.environ | {
            "MAILCRM_DATA_DIR": str(folder / "data"),
            "MAILCRM_PORT": str(self.port),
            "MAILCRM_PUBLIC_URL": self.url,
            "MAILCRM_TRACKING_URL": self.url,
        }

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mailcrm", "serve"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        ends = time.monotonic() + START_S
        while time.monotonic() < ends:
            if self.process.poll() is not None:
                raise RuntimeError(f"serve ended with {self.process.returncode}:\n{self.log.read_text()[-4000:]}")
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.__exit__()
        raise RuntimeError(f"serve was not ready in {START_S} s:\n{self.log.read_text()[-4000:]}")

    def __exit__(self, *_exc: object) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise

    def command(self, *arguments: str, stdin: str = "") -> str:
        """Run `python -m mailcrm …` against this app's data; return its output."""
        done = subprocess.run(
            [sys.executable, "-m", "mailcrm", *arguments],
            cwd=ROOT,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[App]:
    """A fresh mailcrm: nothing set up."""
    with App(tmp_path_factory.mktemp("app"), migrated_sqlite) as running:
        failed = True
        try:
            yield running
            failed = False
        finally:
            if failed:
                print(running.log.read_text()[-6000:])


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, headless."""
    path = needs("chromium")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One person's browser at the size of the design pictures."""
    opened = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    yield opened
    opened.close()


def snap(page: Page, name: str) -> None:
    """Keep a screenshot to look at."""
    RESULTS.mkdir(exist_ok=True)
    page.wait_for_timeout(300)  # let transitions end; nothing is asserted on this
    page.screenshot(path=str(RESULTS / f"{name}.png"))


def undo(page: Page, said: str) -> None:
    """Take back what this toast says; others may still stand beside it, or in front of it on a slow machine."""
    toast = page.locator('[data-sonner-toast][data-removed="false"]', has_text=said).first  # the newest
    toast.get_by_role("button", name="Undo").click()


def make_administrator(page: Page, app: App, address: str, password: str) -> None:
    """Fill the set-up page in: the first administrator, called Ann Hall, is signed in afterwards."""
    page.goto(app.url)
    page.get_by_test_id("setup-name").fill("Ann Hall")
    page.get_by_test_id("setup-email").fill(address)
    page.get_by_test_id("setup-password").fill(password)
    page.get_by_test_id("setup-submit").click()
    page.wait_for_url(re.compile(r"/(inbox|settings)"))


def add_mailbox(app: App, address: str, imap: ServerSpec, smtp: ServerSpec, password: str) -> None:
    """Connect a mailbox of the user who has this address, from the command line."""
    app.command(
        "mailbox", "add", "--user", address, "--address", address, "--password-stdin",
        "--imap-host", imap.host, "--imap-port", str(imap.port), "--imap-security", "none",
        "--smtp-host", smtp.host, "--smtp-port", str(smtp.port), "--smtp-security", "none",
        stdin=f"{password}\n",
    )  # fmt: skip
