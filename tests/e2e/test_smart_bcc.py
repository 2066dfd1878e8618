"""Smart Bcc in a browser (issue 8): another address is confirmed by its mail's link, a Bcc is in the deal while one looks."""

from __future__ import annotations

import email
import email.policy
import re
import smtplib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import App, make_administrator, snap
from tests.e2e.test_deals import Rest as _Rest
from tests.integration.smart_bcc.world import a_mail, publish, sign
from tests.servers.dovecot import free_port
from tests.servers.names import NameServer
from tests.servers.smtp_sink import SmtpSink

ANN, HOME = "ann.bcc@tidewater.example", "ann@home.test"
PASSWORD = "correct horse battery"


@dataclass
class Stage:
    """The app with Smart Bcc on, and what is around it."""

    app: App
    port: int
    sink: SmtpSink

    def link_of_mail(self) -> str:
        """Wait for the confirmation and return its link."""
        ends = time.monotonic() + 30
        while not self.sink.messages:
            assert time.monotonic() < ends, "no confirmation was sent"
            time.sleep(0.1)
        letter = email.message_from_bytes(self.sink.messages[-1].raw, policy=email.policy.default)
        assert letter["To"] == HOME
        found = re.search(r"http\S+/confirm-address/\S+", letter.get_content())
        assert found is not None
        return found[0]

    def post(self, raw: bytes, to: str) -> None:
        """Hand a message over, as its sender's server would."""
        with smtplib.SMTP("127.0.0.1", self.port) as client:
            client.sendmail(HOME, [to], raw)


class Rest(_Rest):
    """The API with Ann's token."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.token = app.command("token", "create", "--user", ANN).strip().split()[-1]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A fresh mailcrm that listens for bcc.test, asks the tests' own name server, and sends through a sink."""
    names, sink, port = NameServer(), SmtpSink(auth=False), free_port()
    names.start()
    sink.start()
    publish(names, "home.test")
    publish(names, "tidewater.example")
    app = App(tmp_path_factory.mktemp("app"))
    app.environment |= {
        "MAILCRM_BCC_DOMAIN": "bcc.test",
        "MAILCRM_BCC_LISTEN": f"127.0.0.1:{port}",
        "MAILCRM_BCC_RESOLVER": f"127.0.0.1:{names.port}",
        "MAILCRM_SMTP_HOST": "127.0.0.1",
        "MAILCRM_SMTP_PORT": str(sink.port),
        "MAILCRM_SMTP_SECURITY": "none",
        "MAILCRM_SMTP_FROM": "crm@tidewater.example",
    }
    try:
        with app:
            yield Stage(app, port, sink)
    finally:
        print(app.log.read_text()[-4000:])
        sink.stop()
        names.stop()


@pytest.fixture(scope="module")
def page(stage: Stage, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    opened = context.new_page()
    make_administrator(opened, stage.app, ANN, PASSWORD)
    yield opened
    context.close()


def test_the_story_of_a_bcc(page: Page, stage: Stage) -> None:
    """M21, M22: add an address, follow the link of its mail, Bcc a deal, see it in the deal's timeline live."""
    rest = Rest(stage.app)
    lena = rest("POST", "/persons", {"name": "Lena Vogt", "addresses": ["lena@nordlicht.example"]})
    made = rest("POST", "/deals", {"title": "Vltava Water monitoring", "person_id": lena["id"]})

    page.goto(f"{stage.app.url}/settings/smart-bcc")
    expect(page.get_by_test_id("bcc-workspace")).to_have_value(re.compile(r"^[a-z2-7]{20}@bcc\.test$"))
    page.get_by_test_id("alternative-address").fill(HOME)
    page.get_by_test_id("alternative-add").click()
    row = page.locator(f'[data-testid="alternative-row"][data-address="{HOME}"]')
    expect(row).to_have_attribute("data-state", "waiting")
    snap(page, "smart-bcc-waiting")

    other = page.context.new_page()
    other.goto(stage.link_of_mail())
    snap(other, "smart-bcc-confirm")
    other.get_by_test_id("confirm-address").click()
    expect(other.get_by_role("heading")).to_contain_text("is confirmed")
    other.goto(stage.link_of_mail())
    expect(other.get_by_role("heading")).to_have_text("This link does not work")
    other.close()
    expect(row).to_have_attribute("data-state", "confirmed")  # without a reload

    page.goto(f"{stage.app.url}/deal/{made['id']}")
    page.get_by_test_id("bcc-address-show").click()
    field = page.get_by_test_id("bcc-address")
    expect(field).to_have_value(re.compile(r"@bcc\.test$"))
    to = field.input_value()
    raw = a_mail(f"Ann <{HOME}>", "Lena Vogt <lena@nordlicht.example>", "Probe prices", "As promised: 4,200 a probe.")
    stage.post(sign(raw, "home.test"), to)
    expect(page.get_by_test_id("deal-timeline")).to_contain_text("Probe prices")  # without a reload
    snap(page, "smart-bcc-deal")


def test_what_is_forged_is_set_aside_and_told(page: Page, stage: Stage) -> None:
    """Spoofed mail is never linked; its user is told, an administrator sees why, lets it in or deletes it with Undo."""
    page.goto(f"{stage.app.url}/settings/smart-bcc")
    to = page.get_by_test_id("bcc-workspace").input_value()
    expect(page.locator('[data-testid="arrival-row"][data-state="stored"]')).to_have_count(1)
    stage.post(a_mail(f"Ann <{HOME}>", "lena@nordlicht.example", "Forged prices"), to)
    aside = page.locator('[data-testid="arrival-row"][data-state="quarantined"]')
    expect(aside).to_contain_text("Nothing proves that this email is from")
    page.get_by_test_id("arrivals-set_aside").click()
    expect(page.get_by_test_id("arrival-row")).to_have_count(1)
    snap(page, "smart-bcc-aside")
    page.get_by_test_id("notification-bell").click()
    expect(page.get_by_test_id("notification-item").first).to_contain_text("Forged prices")
    page.keyboard.press("Escape")
    page.get_by_test_id("arrival-delete").click()
    expect(aside).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(aside).to_have_count(1)
    page.get_by_test_id("arrival-release").click()
    page.get_by_test_id("arrivals-all").click()
    expect(page.locator('[data-testid="arrival-row"][data-state="stored"]')).to_have_count(2)
