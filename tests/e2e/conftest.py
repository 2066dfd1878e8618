"""The built app in Chromium: one server with a data folder of its own for each test module.

Screenshots go to `test-results/`; on a failure the server's log is printed.
"""

from __future__ import annotations

import os
import re
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


class App:
    """A running mailcrm with an empty data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A fresh mailcrm: nothing set up."""
    with App(tmp_path_factory.mktemp("app")) as running:
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
