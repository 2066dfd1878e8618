"""Consent and webhooks in the browser: rules, proof, erasing, the opt-out page by keyboard, a webhook's secret (T09)."""

from __future__ import annotations

import http.server
import json
import re
import sqlite3
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.conftest import App, make_administrator, snap

ANN, PASSWORD = "ann@crm.test", "correct horse battery"


@pytest.fixture(scope="module")
def receiver() -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A program that is told; its address and what came."""
    got: list[dict[str, object]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hook", got
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def ann(chromium: Browser, app: App) -> Iterator[Page]:
    """The administrator, signed in."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    make_administrator(page, app, ANN, PASSWORD)
    yield page
    context.close()


@pytest.fixture(scope="module", autouse=True)
def private_hosts() -> Iterator[None]:
    """Webhooks may reach this machine, as a test's receiver is here."""
    patch = pytest.MonkeyPatch()
    patch.setenv("MAILCRM_ALLOW_PRIVATE_HOSTS", "1")
    yield
    patch.undo()


def rows(app: App, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(app.folder / "data" / "mailcrm.sqlite3") as connection:
        return connection.execute(query).fetchall()


def test_the_rules_save_at_once(ann: Page, app: App) -> None:
    ann.goto(f"{app.url}/settings/tracking")
    ann.get_by_test_id("policy-only_granted").click()
    expect(ann.get_by_text("Saved")).to_be_visible()
    ann.get_by_test_id("tracking-footer").click()
    ann.get_by_test_id("tracking-days").select_option("365")
    ann.get_by_test_id("tracking-network_days").select_option("7")
    expect(ann.get_by_test_id("tracking-network_days")).to_have_value("7")
    snap(ann, "settings-tracking")
    ann.reload()
    expect(ann.get_by_test_id("policy-only_granted")).to_be_checked()
    expect(ann.get_by_test_id("tracking-days")).to_have_value("365")
    assert rows(app, "SELECT tracking_policy, tracking_footer, tracking_days, network_days FROM workspace") == [
        ("only_granted", 1, 365, 7)
    ]


def test_a_webhook_is_made_tested_and_deleted(
    ann: Page, app: App, receiver: tuple[str, list[dict[str, object]]]
) -> None:
    url, got = receiver
    ann.goto(f"{app.url}/settings/webhooks")
    expect(ann.get_by_text("No webhooks yet")).to_be_visible()
    ann.get_by_test_id("webhook-add").click()
    ann.get_by_test_id("webhook-url").fill("https://169.254.169.254/latest")
    ann.get_by_test_id("webhook-save").click()
    expect(ann.get_by_text("inside a private network")).to_be_visible()
    ann.get_by_test_id("webhook-url").fill(url)
    snap(ann, "settings-webhooks-new")
    ann.get_by_test_id("webhook-save").click()
    expect(ann.get_by_test_id("webhook-secret")).to_have_value(re.compile("whsec_.{40,}"))
    snap(ann, "settings-webhooks-secret")
    ann.keyboard.press("Escape")
    ann.get_by_test_id("webhook-menu").click()
    ann.get_by_test_id("webhook-test").click()
    expect(ann.get_by_text("The server took the test event.")).to_be_visible()
    assert got[-1]["type"] == "webhook.test"
    ann.get_by_test_id("webhook-log").click()
    expect(ann.get_by_test_id("webhook-delivery")).to_contain_text("webhook.test")
    snap(ann, "settings-webhooks")
    ann.get_by_test_id("webhook-menu").click()
    ann.get_by_test_id("webhook-delete").click()
    ann.get_by_test_id("webhook-delete-yes").click()
    expect(ann.get_by_text("No webhooks yet")).to_be_visible()


def test_a_person_s_answer_has_proof_and_their_data_goes(ann: Page, app: App) -> None:
    ann.goto(f"{app.url}/people")
    rows(app, "SELECT 1")
    with sqlite3.connect(app.folder / "data" / "mailcrm.sqlite3") as connection:
        connection.execute(
            "INSERT INTO persons (id, name, job_title, consent, consent_source, created_at) "
            "VALUES (901, 'Mika Aaltonen', '', 'unknown', '', '2026-11-20 10:00:00')"
        )
        connection.execute(
            "INSERT INTO person_addresses (person_id, address, position) VALUES (901, 'mika@saimaa.test', 0)"
        )
    ann.goto(f"{app.url}/person/901")
    ann.get_by_test_id("consent-change").click()
    ann.get_by_test_id("consent-state").select_option("granted")
    ann.get_by_test_id("consent-source").fill("By phone")
    ann.get_by_test_id("consent-proof").fill("Ticket 12")
    ann.get_by_test_id("consent-save").click()
    expect(ann.get_by_test_id("consent")).to_contain_text("Ticket 12")
    snap(ann, "person-consent")
    ann.get_by_role("button", name="More actions").first.click()
    with ann.expect_download() as caught:
        ann.get_by_test_id("person-tracking-export").click()
    found = json.loads(caught.value.path().read_text())
    assert found["consent"]["history"][0]["proof"] == "Ticket 12"
    ann.get_by_role("button", name="More actions").first.click()
    ann.get_by_test_id("person-tracking-erase").click()
    ann.get_by_test_id("person-tracking-erase-yes").click()
    expect(ann.get_by_text("0 opens and clicks are erased")).to_be_visible()


def test_the_opt_out_page_without_a_session(context: BrowserContext, app: App) -> None:
    page = context.new_page()
    page.goto(f"{app.url}/t/x/junk")
    expect(page.get_by_role("heading", name="Email tracking")).to_be_visible()
    page.get_by_label("Your email address").fill("zoe@stranger.test")
    snap(page, "opt-out")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("your choice holds")
    assert rows(app, "SELECT count(*) FROM address_consents") == [(0,)]
