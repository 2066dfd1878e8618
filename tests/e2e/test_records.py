"""What is kept with a record, in a browser: notes, activities, labels, fields of the workspace's own, and their settings.

Rows are seeded over REST; what is asserted is what a person sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import App, make_administrator, snap
from tests.e2e.test_deals import Rest, undo

ANN = "ann.deals@tidewater.example"  # whom Rest asks as
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def page(app: App, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    opened = context.new_page()
    make_administrator(opened, app, ANN, PASSWORD)
    yield opened
    context.close()


@pytest.fixture(scope="module")
def deal(app: App, page: Page) -> dict[str, Any]:
    api = Rest(app)
    person = {"name": "Lena Vogt", "addresses": ["lena@nordlicht.example"], "organization": "Nordlicht Aquakultur"}
    lena = api("POST", "/persons", person)["id"]
    made = api("POST", "/deals", {"title": "Büsum expansion", "value_minor": 4_820_000, "person_id": lena})
    return {"id": made["id"], "person_id": lena, "api": api}


def items(page: Page, kind: str) -> Any:
    return page.locator(f'[data-testid="timeline-item"][data-type="{kind}"]')


def test_notes(page: Page, app: App, deal: dict[str, Any]) -> None:
    page.goto(f"{app.url}/deal/{deal['id']}")
    page.get_by_test_id("tab-note").click()
    page.get_by_test_id("note-save").click()
    expect(page.locator(".writer .wrong")).to_contain_text("Note is empty")
    page.get_by_test_id("note-text").fill("Jörg’s capex limit is €50k per site.\nAnything above goes to the board.")
    page.get_by_test_id("note-save").click()
    note = items(page, "note")
    expect(note).to_contain_text("capex limit")
    expect(note).to_contain_text("Ann Hall")
    expect(page.get_by_test_id("note-text")).to_have_value("")
    note.hover()
    note.get_by_test_id("note-edit").click()
    page.get_by_test_id("note-edit-text").fill("Jörg’s capex limit is €60k per site.")
    page.get_by_test_id("note-edit-save").click()
    expect(note).to_contain_text("€60k")
    expect(note).to_contain_text("edited")
    note.hover()
    note.get_by_test_id("note-pin").click()
    expect(note).to_contain_text("Pinned")
    note.hover()
    note.get_by_test_id("note-delete").click()
    expect(note).to_have_count(0)
    undo(page, "Note deleted")
    expect(note).to_have_count(1)


def test_activities(page: Page, app: App, deal: dict[str, Any]) -> None:
    page.goto(f"{app.url}/deal/{deal['id']}")
    page.get_by_test_id("tab-activity").click()
    page.get_by_test_id("activity-subject").fill("Confirm delivery window")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    page.get_by_test_id("activity-day").fill(tomorrow)
    page.get_by_test_id("activity-hour").fill("10:00")
    page.get_by_test_id("activity-minutes").fill("15")
    page.get_by_test_id("activity-save").click()
    planned = page.get_by_test_id("focus-item")
    expect(planned).to_contain_text("Call: Confirm delivery window")
    expect(planned).to_contain_text("Tomorrow 10:00, 15 min · Ann Hall")
    snap(page, "deal-records-1440")
    planned.get_by_test_id("activity-move").click()
    page.get_by_test_id("move-day").fill((datetime.now(UTC) - timedelta(days=3)).date().isoformat())
    page.get_by_test_id("move-save").click()
    expect(planned).to_contain_text("Late")
    planned.get_by_test_id("activity-done").click()
    expect(planned).to_have_count(0)
    expect(items(page, "activity")).to_contain_text("Confirm delivery window")
    undo(page, "Activity done")
    expect(planned).to_have_count(1)
    planned.get_by_test_id("activity-done").click()
    expect(items(page, "activity")).to_have_count(1)
    page.get_by_test_id("show-notes").click()
    expect(items(page, "activity")).to_have_count(0)
    expect(items(page, "note")).to_have_count(1)
    page.get_by_test_id("show-changes").click()
    expect(page.get_by_test_id("timeline-item")).to_have_count(1)
    page.goto(f"{app.url}/person/{deal['person_id']}")
    expect(items(page, "note")).to_contain_text("Büsum expansion")  # what is about their deal, with the deal's name


def test_labels_and_fields(page: Page, app: App, deal: dict[str, Any]) -> None:
    page.goto(f"{app.url}/settings/labels-and-fields")
    page.get_by_test_id("kind-deal").click()
    page.get_by_test_id("label-create").click()
    page.get_by_test_id("new-label-name").fill("Site visit")
    page.get_by_test_id("new-label-save").click()
    expect(page.get_by_test_id("label-row")).to_contain_text("Site visit")
    page.get_by_test_id("label-color").select_option("jade")
    expect(page.get_by_test_id("label-row").locator(".chip-label")).to_have_attribute("data-color", "jade")
    for type_, name, options in (
        ("number", "Probes", ""),
        ("choice", "Source", "Fair\nReferral"),
        ("money", "Budget", ""),
    ):
        page.get_by_test_id("field-create").click()
        page.get_by_test_id("new-field-name").fill(name)
        page.get_by_test_id("new-field-type").select_option(type_)
        if options:
            page.get_by_test_id("new-field-options").fill(options)
        page.get_by_test_id("new-field-save").click()
        expect(page.get_by_test_id("new-field-save")).to_have_count(0)
    expect(page.get_by_test_id("field-row")).to_have_count(3)
    snap(page, "settings-records-1440")

    page.goto(f"{app.url}/deal/{deal['id']}")
    page.get_by_test_id("labels-open").click()
    page.get_by_test_id("label-choice").click()
    expect(page.get_by_test_id("record-labels")).to_contain_text("Site visit")
    page.get_by_test_id("label-name").fill("Urgent")
    page.get_by_test_id("label-add").click()
    expect(page.get_by_test_id("record-labels")).to_contain_text("Urgent")
    page.keyboard.press("Escape")
    probes = page.get_by_test_id("record-side").get_by_label("Probes")
    probes.fill("many")
    probes.press("Enter")
    expect(page.get_by_test_id("field-wrong")).to_contain_text("“many” doesn’t fit Probes")
    probes.fill("24,5")
    probes.press("Enter")
    expect(page.get_by_test_id("field-wrong")).to_have_count(0)
    expect(probes).to_have_value("24.5")
    probes.fill("7")
    probes.press("Escape")
    expect(probes).to_have_value("24.5")
    page.get_by_test_id("record-side").get_by_label("Source").select_option(label="Referral")
    budget = page.get_by_test_id("record-side").get_by_label("Budget")
    budget.fill("48.200,50")
    budget.press("Enter")
    expect(budget).to_have_value("48200.50")
    snap(page, "deal-fields-1440")
    page.reload()
    expect(page.get_by_test_id("record-side").get_by_label("Source")).to_have_value("2")
    values = deal["api"]("GET", f"/deals/{deal['id']}")
    assert {"minor": 4_820_050, "currency": "EUR"} in values["custom_fields"].values()

    page.goto(f"{app.url}/settings/labels-and-fields")
    page.get_by_test_id("kind-deal").click()
    page.get_by_test_id("field-delete").first.click()
    expect(page.get_by_test_id("field-row")).to_have_count(2)
    undo(page, "Field deleted")
    expect(page.get_by_test_id("field-row")).to_have_count(3)


def test_a_phone_shows_it_all(page: Page, app: App, deal: dict[str, Any]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app.url}/deal/{deal['id']}")
    page.get_by_test_id("tab-activity").click()
    expect(page.get_by_test_id("activity-save")).to_be_visible()
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), "nothing sticks out"
    snap(page, "deal-records-390")
    page.goto(f"{app.url}/settings/labels-and-fields")
    page.get_by_test_id("kind-deal").click()
    expect(page.get_by_test_id("label-row").first).to_be_visible()
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), "nothing sticks out"
    snap(page, "settings-records-390")
