"""Connecting a mailbox, and connecting it again after its password changed (M09, M10, M13), in a browser.

The provider is recognised while the address is typed; the test of the servers shows its steps. Then the mail server gets
another password: the banner comes within a minute, on every page; with the new password the mail that came meanwhile is
there, and what was queued is sent. Last, an Exchange server is connected through its web services.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import App, make_administrator, snap
from tests.servers.dovecot import DovecotServer
from tests.servers.ews import EwsServer
from tests.servers.smtp_sink import SmtpSink

ANN = "ann.connect@tidewater.example"
PASSWORD, FIRST, SECOND = "correct horse battery", "mailbox secret 7", "another secret 8"
MINUTE = 60_000  # milliseconds; M10


@dataclass
class World:
    """The app, the servers outside it, and Ann's browser."""

    app: App
    page: Page
    dovecot: DovecotServer
    smtp: SmtpSink

    def deliver(self, subject: str) -> None:
        raw = (
            f"From: Lena <lena@n.example>\r\nTo: {ANN}\r\nSubject: {subject}\r\nMessage-ID: <{subject}@n>\r\n\r\nx\r\n"
        )
        self.dovecot.deliver(ANN, raw.encode())

    def change_password(self, password: str) -> None:
        self.dovecot.add_user(ANN, password)
        self.smtp.users[ANN] = password
        time.sleep(1.5)  # Dovecot looks at most once a second


@pytest.fixture(scope="module")
def world(app: App, chromium: Browser, dovecot: DovecotServer) -> Iterator[World]:
    sink = SmtpSink()
    sink.start()
    sink.add_user(ANN, FIRST)
    dovecot.add_user(ANN, FIRST)
    dovecot.maildir(ANN, "Sent")
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    make_administrator(page, app, ANN, PASSWORD)
    yield World(app, page, dovecot, sink)
    context.close()
    sink.stop()
    assert not problems, problems


def test_the_provider_is_recognised_while_the_address_is_typed(world: World) -> None:
    """M09: the table first; each provider has instructions of its own."""
    page = world.page
    page.goto(f"{world.app.url}/settings/email-sync")
    expect(page.get_by_test_id("provider-tile")).to_have_count(26)
    hint = page.get_by_test_id("mailbox-recognised")
    page.get_by_test_id("mailbox-address").press_sequentially("ann@gmx.de", delay=20)
    expect(hint).to_have_attribute("data-provider", "gmx")
    expect(page.get_by_test_id("mailbox-start")).to_contain_text("Continue with GMX")
    expect(page.locator('[data-provider="gmx"][aria-pressed="true"]')).to_have_count(1)
    snap(page, "connect-recognised")
    page.get_by_test_id("mailbox-start").click()
    expect(page.get_by_test_id("mailbox-password")).to_be_visible()
    expect(page.get_by_test_id("mailbox-imap-host")).to_have_value("imap.gmx.net")
    expect(page.get_by_test_id("mailbox-imap-host")).not_to_be_visible()  # behind "Servers and user name"
    expect(page.get_by_test_id("mailbox-secret-link")).to_have_attribute(
        "href", "https://www.gmx.net/mail/imap/imap-einstellungen/"
    )
    snap(page, "connect-instructions")
    page.get_by_role("button", name="Back to the address").click()

    page.locator('[data-testid="provider-tile"][data-provider="icloud"]').click()  # chosen by hand
    expect(page.get_by_test_id("mailbox-secret-link")).to_contain_text("Make an app password")
    expect(page.get_by_test_id("mailbox-username")).to_have_value("ann")
    page.get_by_role("button", name="Back to the address").click()

    page.locator('[data-testid="provider-tile"][data-provider="microsoft365"]').click()
    expect(page.get_by_test_id("mailbox-sign-in-missing")).to_contain_text("MAILCRM_MICROSOFT_CLIENT_ID")
    expect(page.get_by_test_id("mailbox-password")).to_have_count(0)  # Microsoft takes none
    snap(page, "connect-not-set-up")
    page.get_by_role("button", name="Back to the address").click()


def test_the_test_shows_its_steps_and_the_first_email_arrives_behind_it(world: World) -> None:
    page = world.page
    world.deliver("First-light")
    page.goto(f"{world.app.url}/settings/email-sync")
    page.get_by_test_id("mailbox-address").fill(ANN)
    page.get_by_test_id("mailbox-start").click()
    for kind, spec in (("imap", world.dovecot.spec(ANN)), ("smtp", world.smtp.spec(ANN))):
        page.get_by_test_id(f"mailbox-{kind}-host").fill(spec.host)
        page.get_by_test_id(f"mailbox-{kind}-port").fill(str(spec.port))
        page.get_by_test_id(f"mailbox-{kind}-security").select_option("none")
    page.get_by_test_id("mailbox-password").fill(FIRST)
    page.get_by_test_id("mailbox-connect").click()
    fresh = page.get_by_test_id("mailbox-fresh")
    expect(fresh).to_contain_text("is connected", timeout=MINUTE)
    # Folders and history are asked while the first email comes in: nothing waits for the answers.
    sent = page.locator('[data-testid="folder-check"][data-folder="Sent"]')
    expect(sent).to_be_checked(timeout=MINUTE)
    page.get_by_test_id("folders-chosen").click()
    expect(sent).to_be_enabled()
    sent.click()
    expect(sent).not_to_be_checked()
    page.get_by_test_id("history").select_option("365")
    snap(page, "connect-fresh")
    page.get_by_test_id("mailbox-fresh-continue").click()
    page.get_by_test_id("sharing-shared").click()
    expect(page.get_by_test_id("sharing-shared")).to_be_checked()
    snap(page, "connect-defaults")
    page.get_by_test_id("mailbox-fresh-done").click()
    expect(fresh).to_have_count(0)
    expect(page.get_by_test_id("mailbox-status")).to_have_attribute("data-kind", "ok", timeout=MINUTE)
    expect(page.get_by_test_id("history")).to_have_value("365")
    expect(sent).not_to_be_checked()
    expect(page.get_by_test_id("sharing-shared")).to_be_checked()


def test_a_changed_password_is_said_on_every_page_and_mended_with_one_form(world: World) -> None:
    """M10: banner within a minute; then what came meanwhile, and the queued message."""
    page = world.page
    world.change_password(SECOND)
    world.deliver("Meanwhile")
    page.goto(f"{world.app.url}/settings/email-sync")
    page.get_by_role("button", name="Sync now").click()
    banner = page.get_by_test_id("reconnect-banner")
    expect(banner).to_be_visible(timeout=MINUTE)
    expect(banner).to_contain_text(ANN)
    page.goto(f"{world.app.url}/inbox")
    expect(banner).to_be_visible()
    expect(page.get_by_test_id("sync-status")).to_contain_text("Sign in again")
    snap(page, "reconnect-banner")

    page.get_by_test_id("compose-open").click()
    page.get_by_test_id("compose-to").fill("mika@saimaa.example")
    page.get_by_test_id("compose-to").press("Enter")
    page.get_by_test_id("compose-subject").fill("Waits for the password")
    page.get_by_test_id("compose-body").click()
    page.keyboard.type("Until then.")
    page.get_by_test_id("compose-send").click()
    expect(page.get_by_test_id("compose-send")).to_have_count(0)  # it is queued: leaving the page sends it all the same

    page.get_by_test_id("reconnect-go").click()
    expect(page.get_by_test_id("mailbox-new-password")).to_be_visible()  # the form, whatever the address looks like
    page.get_by_test_id("mailbox-new-password").fill("still wrong")
    page.get_by_test_id("mailbox-reconnect").click()
    expect(page.get_by_role("alert").filter(has_text="did not accept").last).to_be_visible(timeout=MINUTE)
    snap(page, "reconnect-form")
    page.get_by_test_id("mailbox-new-password").fill(SECOND)
    page.get_by_test_id("mailbox-reconnect").click()
    expect(banner).to_have_count(0, timeout=MINUTE)
    page.goto(f"{world.app.url}/inbox")
    expect(page.get_by_test_id("thread-row").filter(has_text="Meanwhile")).to_be_visible(timeout=MINUTE)
    ends = time.monotonic() + 60
    while not any(b"Waits for the password" in got.raw for got in world.smtp.messages):
        assert time.monotonic() < ends, "the queued message was not sent"
        page.wait_for_timeout(500)
    assert PASSWORD not in page.content()
    assert SECOND not in page.content()


def test_exchange_is_connected_through_its_web_services(world: World) -> None:
    """M09, M11: one server to name, tested step by step; its email is in the inbox."""
    page = world.page
    with EwsServer(user="ann.exchange@tidewater.example") as server:
        server.deliver(
            b"From: Ines <ines@n.example>\r\nTo: ann.exchange@tidewater.example\r\nSubject: Through Exchange\r\n"
            b"Message-ID: <ews@n>\r\n\r\nx\r\n"
        )
        page.goto(f"{world.app.url}/settings/email-sync")
        page.get_by_test_id("mailbox-add").click()
        page.get_by_test_id("mailbox-address").fill(server.user)
        expect(page.get_by_test_id("mailbox-recognised")).not_to_be_empty()
        page.locator('[data-testid="provider-tile"][data-provider="exchange"]').click()
        page.get_by_test_id("mailbox-protocol").select_option("ews")
        expect(page.get_by_test_id("mailbox-imap-host")).to_have_count(0)
        page.get_by_test_id("mailbox-ews-host").fill("localhost")
        page.get_by_test_id("mailbox-ews-port").fill(str(server.port))
        page.get_by_test_id("mailbox-ews-security").select_option("none")
        page.get_by_test_id("mailbox-username").fill(server.user)
        page.get_by_test_id("mailbox-password").fill(server.password)
        snap(page, "connect-exchange")
        page.get_by_test_id("mailbox-connect").click()
        expect(page.get_by_test_id("mailbox-fresh")).to_contain_text("is connected", timeout=MINUTE)
        page.goto(f"{world.app.url}/inbox")
        expect(page.get_by_test_id("thread-row").filter(has_text="Through Exchange")).to_be_visible(timeout=MINUTE)
