"""Contacts in a browser: added from their email, edited where they stand, found, changed with many (M02, M03, M27)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.conftest import App, add_mailbox, make_administrator, snap, undo
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink

ANN = "ann.people@tidewater.example"
PASSWORD, BOX_PASSWORD = "correct horse battery", "mailbox secret 7"
LENA = "lena.vogt@nordlicht.example"
SIGNATURE = "-- \nLena Vogt\nHead of Operations\nNordlicht Aquakultur GmbH\nTel. +49 4834 555 0142\n"


@pytest.fixture(scope="module")
def page(app: App, chromium: Browser, dovecot: DovecotServer) -> Iterator[Page]:
    """Ann's browser, with an email of somebody nobody knows yet; every test starts where the last one ended."""
    sink = SmtpSink()
    sink.start()
    sink.add_user(ANN, BOX_PASSWORD)
    dovecot.add_user(ANN, BOX_PASSWORD)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = f"Lena Vogt <{LENA}>", ANN, "Site plan and tide tables"
    message["Message-ID"], message["Date"] = "<people-1@nordlicht.example>", datetime.now(UTC)
    message.set_content(f"Hallo Ann,\n\nthe plan is attached.\n\n{SIGNATURE}")
    dovecot.deliver(ANN, message.as_bytes(), when=datetime.now(UTC))
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    make_administrator(opened, app, ANN, PASSWORD)
    add_mailbox(app, ANN, dovecot.spec(ANN), sink.spec(ANN), BOX_PASSWORD)
    yield opened
    context.close()
    sink.stop()
    assert not problems, problems


def test_a_sender_becomes_a_contact(page: Page, app: App) -> None:
    """The form holds what the header, the signature and the domain say."""
    page.goto(f"{app.url}/inbox")
    row = page.get_by_test_id("thread-row").filter(has_text="Lena Vogt")
    expect(row).to_be_visible(timeout=60_000)
    row.click()
    page.get_by_test_id("add-contact").click()
    expect(page.locator("#contact-name")).to_have_value("Lena Vogt")
    expect(page.locator("#contact-address")).to_have_value(LENA)
    expect(page.locator("#contact-organization")).to_have_value("Nordlicht Aquakultur GmbH")
    expect(page.locator("#contact-job")).to_have_value("Head of Operations")
    expect(page.locator("#contact-phone")).to_have_value("+49 4834 555 0142")
    snap(page, "people-add-contact")
    page.get_by_test_id("add-contact-save").click()
    expect(page.get_by_text("Contact added")).to_be_visible()


def test_a_person_is_edited_where_it_stands(page: Page, app: App) -> None:
    """Addresses come, go first, go to somebody else and come back; each can be undone."""
    page.goto(f"{app.url}/people")
    page.get_by_test_id("person-create").click()
    page.get_by_test_id("person-name").fill("Jörg Petersen")
    page.get_by_test_id("person-save").click()
    page.wait_for_url(re.compile(r"/person/\d+"))
    page.goto(f"{app.url}/people")
    page.get_by_test_id("person-row").filter(has_text="Lena Vogt").get_by_role("link").click()
    page.wait_for_url(re.compile(r"/person/\d+"))
    expect(page.get_by_test_id("figures")).to_contain_text("1 in, 0 out")

    job = page.get_by_test_id("person-edit-job")
    expect(job).to_have_value("Head of Operations")
    _reload_with_keys_first(page)
    expect(page.get_by_test_id("figures")).to_contain_text("1 in, 0 out")
    job.fill("Something else")
    job.press("Escape")
    expect(job).to_have_value("Head of Operations")
    page.wait_for_timeout(500)  # a value that was saved by mistake would have come back by now
    expect(job).to_have_value("Head of Operations")
    job.fill("Director")
    job.press("Enter")
    expect(page.locator(".person-head")).to_contain_text("Director")

    added = page.get_by_test_id("address-add")
    added.fill(ANN)
    added.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()  # an own address is nobody's
    added.fill("l.vogt@buesum.example")
    added.press("Enter")
    addresses = page.get_by_test_id("person-address")
    expect(addresses).to_have_text([LENA, "l.vogt@buesum.example"])
    page.get_by_test_id("address-menu").nth(1).click()
    page.get_by_test_id("address-primary").click()
    expect(addresses).to_have_text(["l.vogt@buesum.example", LENA])

    expect(page.get_by_role("menu")).to_have_count(0)  # the one before is still closing, and takes the click
    page.get_by_test_id("address-menu").first.click()
    page.get_by_test_id("address-move").click()
    page.get_by_test_id("move-search").fill("Jörg")
    page.get_by_test_id("move-found").click()
    expect(addresses).to_have_text([LENA])
    undo(page, "’s now")
    expect(addresses).to_have_text([LENA, "l.vogt@buesum.example"])
    page.get_by_test_id("address-menu").nth(1).click()
    page.get_by_test_id("address-remove").click()
    expect(addresses).to_have_text([LENA])

    number = page.get_by_test_id("phone-add")
    number.fill("+49 170 555 0199")
    number.press("Enter")
    expect(page.get_by_test_id("person-phone-edit")).to_have_count(2)
    page.get_by_test_id("person-phone-edit").nth(1).fill("")
    page.get_by_test_id("person-phone-edit").nth(1).press("Enter")
    expect(page.get_by_test_id("person-phone-edit")).to_have_count(1)
    snap(page, "people-person")


def _reload_with_keys_first(page: Page) -> None:
    """Load the page anew; the interface begins to listen after the shortcuts do, as it does at times by itself."""
    held: list[Route] = []
    page.route("**/entry.client-*.js", lambda route: held.append(route))  # noqa: PLW0108  a built-in can’t be marked
    page.reload(wait_until="domcontentloaded")  # deferred scripts have run by then
    assert held, "the interface's first script has another name"
    for route in held:
        route.continue_()
    page.unroute("**/entry.client-*.js")


def test_an_organization_has_a_page(page: Page, app: App) -> None:
    """M03: its people and their email; a domain for free mail is refused."""
    page.get_by_test_id("person-organization-link").click()
    page.wait_for_url(re.compile(r"/organization/\d+"))
    expect(page.get_by_test_id("organization-person")).to_contain_text("Lena Vogt")
    expect(page.get_by_test_id("timeline-item").first).to_be_visible()
    expect(page.get_by_text("Site plan and tide tables").first).to_be_visible()
    page.get_by_test_id("organization-domain").fill("gmail.com")
    page.get_by_test_id("organization-domain-add").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_test_id("organization-domain").fill("buesum.example")
    page.get_by_test_id("organization-domain-add").click()
    expect(page.get_by_test_id("organization-domain-row").filter(has_text="buesum.example")).to_be_visible()
    name, postal = page.get_by_test_id("organization-edit-name"), page.get_by_test_id("organization-edit-address")
    kept = name.input_value()
    name.fill("")
    name.press("Enter")
    expect(page.locator(".record-head .wrong")).to_contain_text("Name is empty")
    name.fill(f"{kept} KG")
    name.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_accessible_name(f"{kept} KG")
    expect(page.locator(".record-head .wrong")).to_have_count(0)
    postal.fill("Am Hafen 4, Büsum")
    postal.press("Enter")
    expect(page.get_by_test_id("organization-details").get_by_role("alert")).to_have_count(0)
    page.reload()
    expect(name).to_have_value(f"{kept} KG")
    expect(postal).to_have_value("Am Hafen 4, Büsum")
    name.fill(kept)  # later steps know it by its first name
    name.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_accessible_name(kept)
    snap(page, "people-organization")


def test_many_change_at_once_and_back(page: Page, app: App) -> None:
    """Filters, order, owner and delete for many, each with Undo (DESIGN §5)."""
    page.goto(f"{app.url}/people")
    rows = page.get_by_test_id("person-row")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Jörg Petersen")
    page.get_by_test_id("people-sort").select_option("-name")
    expect(rows.first).to_contain_text("Lena Vogt")
    page.get_by_test_id("people-filter-organization").fill("nordlicht aquakultur gmbh")
    expect(rows).to_have_count(1)
    page.get_by_test_id("people-clear").click()
    expect(rows).to_have_count(2)
    page.get_by_test_id("people-filter-consent").select_option("granted")
    expect(page.get_by_text("Nobody matches these filters")).to_be_visible()
    page.get_by_test_id("people-clear").click()

    page.get_by_test_id("people-pick-all").click()
    expect(page.get_by_test_id("people-bulk")).to_contain_text("2 chosen")
    snap(page, "people-bulk")
    page.get_by_test_id("people-bulk-owner").select_option("0")
    page.get_by_test_id("people-filter-owner").select_option("0")
    expect(rows).to_have_count(2)
    undo(page, "people have a new owner")
    expect(page.get_by_text("Nobody matches these filters")).to_be_visible()
    page.get_by_test_id("people-clear").click()
    page.get_by_test_id("person-pick").first.click()
    page.get_by_test_id("people-bulk-delete").click()
    expect(rows).to_have_count(1)
    undo(page, "person deleted")
    expect(rows).to_have_count(2)


def test_many_organizations_change_at_once_and_back(page: Page, app: App) -> None:
    """Owner, label and delete for many, each with Undo; the owner of one on its page (DESIGN §5)."""
    page.goto(f"{app.url}/organizations")
    rows = page.get_by_test_id("organization-row")
    expect(rows).to_have_count(1)
    rows.get_by_role("link").click()
    page.wait_for_url(re.compile(r"/organization/\d+"))
    page.get_by_test_id("labels-open").click()
    page.get_by_test_id("label-name").fill("Key account")
    page.get_by_test_id("label-add").click()
    expect(page.get_by_test_id("record-labels")).to_contain_text("Key account")
    page.keyboard.press("Escape")
    page.get_by_test_id("organization-owner").select_option("0")
    expect(page.get_by_text("Owner changed")).to_be_visible()
    snap(page, "organization-owner")
    page.goto(f"{app.url}/organizations")
    expect(rows).to_have_count(1)
    page.get_by_test_id("organization-create").click()
    page.get_by_test_id("organization-name").fill("Saimaa Water Utility")
    page.get_by_test_id("organization-save").click()
    page.wait_for_url(re.compile(r"/organization/\d+"))
    page.goto(f"{app.url}/organizations")
    expect(rows).to_have_count(2)
    page.get_by_test_id("organizations-filter-owner").select_option("0")
    expect(rows).to_have_count(1)
    page.get_by_test_id("organizations-clear").click()
    expect(rows).to_have_count(2)
    page.get_by_test_id("organizations-pick-all").click()
    expect(page.get_by_test_id("organizations-bulk")).to_contain_text("2 chosen")
    snap(page, "organizations-bulk")
    page.get_by_test_id("organizations-bulk-label").select_option(label="Key account")
    expect(rows.nth(1)).to_contain_text("Key account")
    undo(page, "organizations changed")
    expect(rows.nth(1)).not_to_contain_text("Key account")
    expect(rows.first).to_contain_text("Key account")  # it wore the label before
    page.get_by_test_id("organizations-pick-all").click()
    page.get_by_test_id("organizations-bulk-owner").select_option(label="Ann Hall")
    expect(rows.first).to_contain_text("Ann Hall")
    page.get_by_test_id("organization-pick").nth(1).click()
    page.get_by_test_id("organizations-bulk-delete").click()
    expect(rows).to_have_count(1)
    undo(page, "organization deleted")
    expect(rows).to_have_count(2)
    snap(page, "organizations-1440")


def test_contacts_fit_a_phone(page: Page, app: App) -> None:
    """DESIGN §7: one pane, nothing to scroll sideways."""
    page.set_viewport_size({"width": 390, "height": 844})
    for path, name in (("/people", "people"), ("/organizations", "organizations")):
        page.goto(f"{app.url}{path}")
        expect(page.locator("tbody tr").first).to_be_visible()
        snap(page, f"people-phone-{name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto(f"{app.url}/people")
    page.get_by_test_id("person-row").filter(has_text="Lena Vogt").get_by_role("link").click()
    expect(page.get_by_test_id("figures")).to_be_visible()
    snap(page, "people-phone-person")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
