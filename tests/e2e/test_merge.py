"""Merging two contacts and bringing back what was deleted, in a browser: every destructive act can be undone."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.conftest import App, make_administrator, snap

ANN, PASSWORD = "ann.merge@tidewater.example", "correct horse battery"


@pytest.fixture
def page(app: App, context: BrowserContext) -> Page:
    """Ann's browser, signed in."""
    opened = context.new_page()
    make_administrator(opened, app, ANN, PASSWORD)
    return opened


def test_merge_undo_delete_and_restore(app: App, page: Page) -> None:
    """The result is shown first; Undo brings both back; the trash brings back what was deleted."""
    token = next(word for word in app.command("token", "create", "--user", ANN).split() if word.startswith("mcrm_"))

    def add(path: str, **body: Any) -> int:
        request = urllib.request.Request(
            f"{app.url}/api/v1/{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["id"]

    kept = add("persons", name="Mika Aaltonen", addresses=["mika@saimaa.example"], phones=["+358 40 123 4567"])
    other = add(
        "persons",
        name="M. Aaltonen",
        addresses=["m.aaltonen@saimaa.example"],
        phones=["00358 401234567"],
        organization="Saimaa Energy",
        job_title="Buyer",
    )
    add("deals", title="Tide gauges", person_id=other)

    page.goto(f"{app.url}/person/{kept}")
    _menu(page, "person-merge")
    candidate = page.get_by_test_id("merge-candidate")
    expect(candidate).to_contain_text("Same phone number")
    snap(page, "merge-choose")
    candidate.click()
    preview = page.get_by_test_id("merge-preview")
    for text in ("Saimaa Energy", "Buyer", "m.aaltonen@saimaa.example", "1 deal"):
        expect(preview).to_contain_text(text)
    snap(page, "merge-preview")
    page.get_by_test_id("merge-confirm").click()
    expect(page.get_by_text("M. Aaltonen is merged into Mika Aaltonen")).to_be_visible()
    expect(page.get_by_test_id("person-deal")).to_contain_text("Tide gauges")
    snap(page, "merge-done")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_test_id("person-deal")).to_have_count(0)
    page.goto(f"{app.url}/person/{other}")
    expect(page.get_by_test_id("person-deal")).to_contain_text("Tide gauges")

    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.wait_for_url("**/people")
    page.goto(f"{app.url}/settings/trash")
    row = page.get_by_test_id("trash-row")
    expect(row).to_contain_text("M. Aaltonen")
    snap(page, "trash")
    row.get_by_test_id("trash-restore").click()
    expect(page.get_by_text("The trash is empty")).to_be_visible()
    page.goto(f"{app.url}/person/{other}")
    expect(page.get_by_test_id("person-deal")).to_contain_text("Tide gauges")


def _menu(page: Page, item: str) -> None:
    page.get_by_role("button", name="More actions").click()
    page.get_by_test_id(item).click()
