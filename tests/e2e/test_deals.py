"""What is being sold, in a browser (issue 4, Deliver 1 and 2): board by mouse and keys, table, a deal's page, leads, pipelines.

Rows are seeded over REST; what is asserted is what a person sees.
"""

from __future__ import annotations

import json
import re
import sqlite3
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import App, make_administrator, snap, undo

ANN = "ann.deals@tidewater.example"
PASSWORD = "correct horse battery"
DEALS = (
    ("Vltava Water monitoring", 1_800_000, 0),
    ("Fucino aquifer study", 940_000, 0),
    ("Loire pumping stations", 2_650_000, 1),
    ("Rhône Hydro rollout", 3_800_000, 2),
    ("Büsum expansion, 24 probes", 4_820_000, 4),
)


class Rest:
    """The API with Ann's token."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.token = app.command("token", "create", "--user", ANN).strip().split()[-1]

    def __call__(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.app.url}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or b"null")


@pytest.fixture(scope="module")
def page(app: App, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    opened = context.new_page()
    make_administrator(opened, app, ANN, PASSWORD)
    yield opened
    context.close()


@pytest.fixture(scope="module")
def rest(app: App, page: Page) -> Rest:
    api = Rest(app)
    stages = [stage["id"] for stage in api("GET", "/pipelines")["items"][0]["stages"]]
    lena = api(
        "POST",
        "/persons",
        {"name": "Lena Vogt", "addresses": ["lena@nordlicht.example"], "organization": "Nordlicht Aquakultur"},
    )
    for title, value, at in DEALS:
        api("POST", "/deals", {"title": title, "value_minor": value, "stage_id": stages[at], "person_id": lena["id"]})
    api("POST", "/persons", {"name": "Jörg Petersen"})
    made = {deal["title"]: deal["id"] for deal in api("GET", "/deals")["items"]}
    for title, days in (("Loire pumping stations", -2), ("Rhône Hydro rollout", 0), ("Vltava Water monitoring", 5)):
        due = (datetime.now(UTC).date() + timedelta(days=days)).isoformat()
        step = {"kind": "call", "subject": "Intro call", "due_on": due, "deal_id": made[title]}
        api("POST", "/activities", step)
    api("PATCH", f"/stages/{stages[4]}", {"quiet_days": 3})
    with sqlite3.connect(app.folder / "data" / "mailcrm.sqlite3") as database:  # nobody waits three days for a test
        old = (datetime.now(UTC) - timedelta(days=4)).strftime("%Y-%m-%d %H:%M:%S.%f")
        database.execute("UPDATE deal_stages SET entered_at = ? WHERE stage_id = ?", (old, stages[4]))
    return api


def stage(page: Page, name: str) -> Locator:
    return page.locator(f'[data-stage="{name}"]')


def cards(page: Page, name: str) -> Locator:
    return stage(page, name).get_by_test_id("deal-card")


def test_the_board_works_by_mouse_and_by_keys(page: Page, app: App, rest: Rest) -> None:
    page.goto(f"{app.url}/deals")
    expect(cards(page, "Qualified")).to_have_count(2)
    expect(page.get_by_test_id("board-summary")).to_contain_text("5 open deals · €140,100")
    expect(cards(page, "Qualified").filter(has_text="Fucino")).to_contain_text("No next step")
    expect(cards(page, "Contact made").locator('[data-tone="late"]')).to_have_text("2 days late")
    expect(cards(page, "Demo").locator('[data-tone="today"]')).to_have_text("Intro call, today")
    expect(cards(page, "Negotiation").first).to_have_attribute("data-quiet", "true")
    expect(cards(page, "Negotiation").first).to_have_attribute("aria-label", re.compile("quiet for too long"))
    snap(page, "board-1440")

    card = cards(page, "Contact made").filter(has_text="Loire")
    card.drag_to(stage(page, "Demo"))
    expect(cards(page, "Demo")).to_have_count(2)
    undo(page, "Moved to Demo")
    expect(cards(page, "Contact made")).to_have_count(1)

    # Space lifts, arrows choose, Space drops; Escape puts back.
    cards(page, "Contact made").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#board-said")).to_have_text("Proposal")
    page.keyboard.press("Space")
    expect(cards(page, "Proposal")).to_contain_text(["Loire"])
    expect(cards(page, "Proposal").first).to_be_focused()

    # Arrows move the focus, M opens the card's menu, which gives it back.
    page.keyboard.press("ArrowRight")
    expect(cards(page, "Negotiation").first).to_be_focused()
    page.keyboard.press("m")
    expect(page.get_by_role("menuitem", name="Won")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("menuitem", name="Won")).to_have_count(0)
    expect(cards(page, "Negotiation").first).to_be_focused()

    # W wins, Shift L asks why.
    page.keyboard.press("w")
    expect(cards(page, "Negotiation")).to_have_count(0)
    undo(page, "is won")
    expect(cards(page, "Negotiation")).to_have_count(1)
    cards(page, "Negotiation").first.focus()
    page.keyboard.press("Shift+L")
    expect(page.get_by_test_id("lost-reason")).to_be_visible()
    page.keyboard.press("Escape")

    # The menu deletes, Undo brings back; the search narrows.
    stage(page, "Demo").locator(".deal-slot").hover()
    stage(page, "Demo").get_by_test_id("deal-menu").click()
    page.get_by_role("menuitem", name="Delete").click()
    expect(cards(page, "Demo")).to_have_count(0)
    undo(page, "deleted")
    expect(cards(page, "Demo")).to_have_count(1)
    page.get_by_test_id("deal-search").fill("loire")
    expect(page.get_by_test_id("deal-card")).to_have_count(1)
    page.get_by_test_id("deal-search").fill("")
    expect(page.get_by_test_id("deal-card")).to_have_count(5)


def test_the_table_filters_and_changes_many(page: Page, app: App, rest: Rest) -> None:
    page.goto(f"{app.url}/deals")
    page.get_by_test_id("deals-table").click()
    expect(page.get_by_test_id("deal-row")).to_have_count(5)
    expect(page.get_by_test_id("deals-total")).to_have_text("5 deals · €140,100")
    snap(page, "deals-table-1440")
    page.get_by_test_id("deals-sort-value").click()
    expect(page.get_by_test_id("deal-row").first).to_contain_text("Büsum")
    page.get_by_test_id("deals-filter-query").fill("a")
    page.get_by_test_id("deals-filter-stage").select_option(label="Qualified")
    expect(page.get_by_test_id("deal-row")).to_have_count(2)
    for box in page.get_by_test_id("deal-pick").all():
        box.click()
        expect(box).to_be_checked()  # the server answers, so the box changes a moment later
    page.get_by_test_id("deals-bulk-stage").select_option(label="Demo")
    expect(page.get_by_test_id("deal-row")).to_have_count(0)
    undo(page, "2 deals changed")
    expect(page.get_by_test_id("deal-row")).to_have_count(2)
    page.get_by_test_id("deals-clear").click()
    expect(page.get_by_test_id("deal-row")).to_have_count(5)
    page.get_by_test_id("deals-columns").click()
    page.get_by_test_id("deals-column-owner").click()
    page.keyboard.press("Escape")
    expect(page.locator("th", has_text="Owner")).to_have_count(0)
    page.reload()
    expect(page.get_by_test_id("deal-row")).to_have_count(5)
    expect(page.locator("th", has_text="Owner")).to_have_count(0)
    page.get_by_test_id("deals-board").click()
    expect(page.get_by_test_id("deal-card")).to_have_count(5)


def test_a_deal_is_edited_where_it_stands(page: Page, app: App, rest: Rest) -> None:
    page.goto(f"{app.url}/deals")
    page.get_by_test_id("deals-board").click()
    page.get_by_test_id("deal-card").filter(has_text="Büsum").click()
    page.wait_for_url(re.compile(r"/deal/\d+"))
    title = page.get_by_test_id("deal-edit-title")
    expect(title).to_have_value("Büsum expansion, 24 probes")
    snap(page, "deal-1440")
    title.fill("Something else")
    title.press("Escape")
    expect(title).to_have_value("Büsum expansion, 24 probes")
    title.fill("Büsum expansion, 32 probes")
    title.press("Enter")
    value = page.get_by_test_id("deal-edit-value")
    value.fill("much")
    value.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("doesn’t fit")
    value.fill("52,000")
    value.press("Enter")
    expect(page.locator(".record-head")).to_contain_text("€52,000")
    page.get_by_test_id("deal-edit-close").fill("2027-03-01")
    page.get_by_test_id("deal-edit-close").press("Enter")
    page.get_by_test_id("pick-participant").click()
    page.get_by_test_id("pick-search").fill("Jörg")
    expect(page.get_by_test_id("pick-found")).to_have_count(1)
    page.get_by_test_id("pick-found").click()
    expect(page.get_by_test_id("participant")).to_contain_text("Jörg Petersen")
    page.get_by_test_id("participant-remove").click()
    expect(page.get_by_test_id("participant")).to_have_count(0)
    undo(page, "taken off the deal")
    expect(page.get_by_test_id("participant")).to_have_count(1)
    page.get_by_test_id("deal-stage").filter(has_text="Demo").click()
    expect(page.locator('.chevron[aria-current="step"]')).to_contain_text("Demo")
    undo(page, "Moved to Demo")
    expect(page.locator('.chevron[aria-current="step"]')).to_contain_text("Negotiation")
    page.reload()
    expect(page.get_by_test_id("deal-edit-title")).to_have_value("Büsum expansion, 32 probes")
    expect(page.get_by_test_id("deal-edit-close")).to_have_value("2027-03-01")


def test_a_lead_becomes_a_deal_and_a_lead_again(page: Page, app: App, rest: Rest) -> None:
    page.goto(f"{app.url}/leads")
    page.get_by_test_id("lead-create").click()
    page.get_by_test_id("lead-name").fill("Coastal Municipal pilot")
    page.get_by_test_id("lead-value").fill("31,500")
    page.get_by_test_id("lead-person").fill("Lena")
    page.get_by_test_id("lead-person-option").click()
    page.get_by_test_id("lead-save").click()
    page.wait_for_url(re.compile(r"/lead/\d+"))
    expect(page.get_by_test_id("lead-row")).to_contain_text("Coastal Municipal pilot")
    page.get_by_test_id("tab-note").click()
    page.get_by_test_id("note-text").fill("Budget in spring")
    page.get_by_test_id("note-save").click()
    expect(page.get_by_test_id("deal-timeline")).to_contain_text("Budget in spring")
    snap(page, "leads-1440")
    page.get_by_test_id("lead-edit").click()
    page.get_by_test_id("lead-value").fill("32,500")
    page.get_by_test_id("lead-save").click()
    expect(page.locator(".lead-head")).to_contain_text("€32,500")
    page.get_by_test_id("lead-convert").click()
    page.wait_for_url(re.compile(r"/deal/\d+"))
    expect(page.get_by_test_id("deal-edit-title")).to_have_value("Coastal Municipal pilot")
    expect(page.get_by_test_id("deal-timeline")).to_contain_text("Budget in spring")
    undo(page, "is a deal now")
    page.wait_for_url(re.compile(r"/lead/\d+"))
    expect(page.get_by_test_id("lead-convert")).to_be_visible()
    page.get_by_test_id("lead-archive").click()
    expect(page.get_by_test_id("lead-row")).to_have_count(0)
    page.get_by_test_id("lead-filter-archived").click()
    expect(page.get_by_test_id("lead-row")).to_have_count(1)
    page.get_by_test_id("lead-bring-back").click()
    page.get_by_test_id("lead-filter-open").click()
    expect(page.get_by_test_id("lead-row")).to_have_count(1)


def test_labels_people_and_organizations_narrow(page: Page, app: App, rest: Rest) -> None:
    """On the board, in the table, among leads; a lead wears labels; a deal says who reads its email (M24)."""
    deal = next(each for each in rest("GET", "/deals")["items"] if each["title"] == "Loire pumping stations")["id"]
    hot = rest("POST", "/labels", {"kind": "deal", "name": "Key account", "color": "plum"})["id"]
    rest("PATCH", f"/deals/{deal}", {"labels": [hot]})
    rest("POST", "/persons", {"name": "Edda Without"})
    rest("POST", "/notes", {"text": "Ask for the tide tables first.", "deal_id": deal, "pinned": True})
    rest("PATCH", f"/deals/{deal}", {"owner_id": None})
    page.goto(f"{app.url}/deals")
    page.get_by_test_id("deals-board").click()
    page.get_by_test_id("deal-label-filter").select_option(label="Key account")
    expect(page.get_by_test_id("deal-card")).to_have_count(1)
    snap(page, "deals-board-label")
    page.get_by_test_id("deal-label-filter").select_option("")
    page.get_by_test_id("deals-table").click()
    page.get_by_test_id("deals-filter-label").select_option(label="Key account")
    rows = page.get_by_test_id("deal-row")
    expect(rows).to_have_count(1)
    page.get_by_test_id("deals-clear").click()
    page.get_by_test_id("deals-more-filters").click()
    page.get_by_test_id("deals-filter-person").fill("Edda Without")
    expect(page.get_by_text("No deal matches")).to_be_visible()
    page.get_by_test_id("deals-filter-person").fill("Lena Vogt (lena@nordlicht.example)")
    expect(rows).not_to_have_count(0)
    page.get_by_test_id("deals-filter-organization").fill("nordlicht aquakultur")
    expect(rows).not_to_have_count(0)
    snap(page, "deals-table-more-filters")
    page.keyboard.press("Escape")
    page.get_by_test_id("deals-clear").click()
    page.get_by_test_id("deals-board").click()
    expect(page.get_by_test_id("deal-card").first).to_be_visible()

    page.goto(f"{app.url}/deal/{deal}")
    expect(page.get_by_test_id("deal-mail-linked")).to_have_text("No email yet")
    expect(page.get_by_test_id("deal-mail-who")).to_contain_text("everybody who sees this deal")
    expect(page.get_by_test_id("timeline-pinned")).to_contain_text("tide tables")
    expect(page.get_by_test_id("note")).to_have_count(1)  # above the timeline, and not in it again
    expect(page.get_by_test_id("show-notes")).to_have_text("Notes1")
    page.get_by_test_id("show-changes").click()
    expect(page.get_by_text("Ann Hall left it without an owner")).to_be_visible()
    expect(page.get_by_test_id("timeline-pinned")).to_have_count(0)
    page.get_by_test_id("show-all").click()
    snap(page, "deal-mail-pinned")

    lead = rest("GET", "/leads")["items"][0]["id"]
    rest("POST", "/leads", {"title": "Another one"})
    page.goto(f"{app.url}/lead/{lead}")
    page.get_by_test_id("labels-open").click()
    page.get_by_test_id("label-name").fill("Warm")
    page.get_by_test_id("label-add").click()
    expect(page.get_by_test_id("record-labels")).to_contain_text("Warm")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("lead-row")).to_have_count(2)
    page.get_by_test_id("lead-label-filter").select_option(label="Warm")
    expect(page.get_by_test_id("lead-row")).to_have_count(1)
    snap(page, "lead-labels")
    page.get_by_test_id("lead-label-filter").select_option("")


def test_stages_are_edited_in_the_settings(page: Page, app: App, rest: Rest) -> None:
    page.goto(f"{app.url}/settings/pipelines")
    row = page.get_by_test_id("stage-row")
    expect(row).to_have_count(5)
    snap(page, "pipelines-1440")
    row.nth(2).get_by_test_id("stage-name").fill("Showing")
    row.nth(2).get_by_test_id("stage-name").press("Tab")
    row.nth(0).get_by_test_id("stage-quiet").fill("14")
    row.nth(0).get_by_test_id("stage-quiet").press("Tab")
    row.nth(4).get_by_test_id("stage-up").click()
    expect(row.nth(3).get_by_test_id("stage-name")).to_have_value("Negotiation")
    row.nth(0).get_by_test_id("stage-delete").click()
    page.get_by_test_id("stage-target").select_option(label="Main pipeline › Showing")
    page.get_by_test_id("stage-move-delete").click()
    expect(row).to_have_count(4)
    undo(page, "deleted")
    expect(row).to_have_count(5)
    page.reload()
    expect(row.nth(0).get_by_test_id("stage-quiet")).to_have_value("14")
    expect(row.nth(2).get_by_test_id("stage-name")).to_have_value("Showing")


@pytest.mark.parametrize(("name", "width", "height"), [("1024", 1024, 768), ("phone", 390, 844)])
def test_the_pages_fit_smaller_windows(page: Page, app: App, rest: Rest, name: str, width: int, height: int) -> None:
    """Nothing is wider than the window (DESIGN.md §8: reflows)."""
    page.set_viewport_size({"width": width, "height": height})
    lead = rest("GET", "/leads")["items"][0]["id"]
    deal = rest("GET", "/deals")["items"][0]["id"]
    for path in ("/deals", f"/deal/{deal}", "/leads", f"/lead/{lead}", "/settings/pipelines"):
        page.goto(f"{app.url}{path}")
        page.wait_for_timeout(800)  # for the picture; what is asserted holds at any time
        snap(page, f"{path.strip('/').replace('/', '-')}-{name}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 1440, "height": 900})


def test_the_dark_pages_are_drawn(page: Page, app: App, rest: Rest) -> None:
    page.goto(f"{app.url}/deals")
    page.locator(".nav-me").click()
    page.get_by_test_id("toggle-theme").click()
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    deal, lead = (rest("GET", f"/{kind}")["items"][0]["id"] for kind in ("deals", "leads"))
    for path in ("/deals", f"/deal/{deal}", f"/lead/{lead}"):
        page.goto(f"{app.url}{path}")
        page.wait_for_timeout(800)  # for the picture
        snap(page, f"{path.strip('/').replace('/', '-')}-dark")
        expect(page.locator("html")).to_have_class(re.compile("dark"))
