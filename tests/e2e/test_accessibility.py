"""Every page for people who read by ear, by keys or with low sight: axe's WCAG 2.2 A and AA rules, light and dark (DESIGN §8).

Runs in the demo workspace. What no rule can judge (order, focus, what a key does) is checked by hand below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import App, snap

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
PAGES = (
    "/inbox", "/drafts", "/outbox", "/sent", "/archive", "/deals", "/people", "/settings/email-sync",
    "/settings/people", "/settings/profile",
)  # fmt: skip


@pytest.fixture(scope="module")
def signed_in(app: App, chromium: Browser) -> Iterator[Page]:
    """Sana's browser in the demo, with its mail and its tracking history."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.goto(app.url)
    page.get_by_test_id("setup-demo").click()
    expect(page.get_by_test_id("thread-row").filter(has_text="Büsum")).to_be_visible(timeout=60_000)
    opened = page.get_by_test_id("thread-row").filter(has_text="Pilot pricing").get_by_test_id("tracking-open-icon")
    expect(opened).to_have_text("2", timeout=60_000)
    yield page
    context.close()


def violations(page: Page) -> str:
    page.wait_for_timeout(400)  # a fading element has the colours of neither state
    found = Axe().run(page, options=RULES).response["violations"]
    return "\n".join(f"{page.url} {each['id']}: {each['nodes'][0]['html'][:300]}" for each in found)


def ready(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.get_by_test_id("sync-status")).not_to_be_empty()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_break_no_rule(app: App, signed_in: Page, theme: str) -> None:
    """DESIGN §8: 0 violations on every page, with menus, the hover card and the composer open."""
    page = signed_in
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
    found: list[str] = []
    for path in PAGES:
        ready(page, app.url + path)
        expect(page.locator("html")).to_have_class(re.compile(theme))
        found.append(violations(page))
    ready(page, f"{app.url}/inbox")
    page.get_by_test_id("notification-bell").click()
    expect(page.get_by_test_id("notification-item").first).to_be_visible()
    found.append(violations(page))
    page.keyboard.press("Escape")
    page.get_by_test_id("thread-row").filter(has_text="Büsum").click()
    page.locator(".msg-fold").nth(1).click()
    card = page.get_by_test_id("tracking-card")
    for _ in range(5):  # a push that draws the conversation again while the pointer comes in starts the hover anew
        page.mouse.move(2, 2)
        page.locator(".mark-pill").first.hover()
        with suppress(AssertionError):
            expect(card).to_be_visible(timeout=2000)
            break
    expect(card).to_contain_text("17 minutes after sending")
    snap(page, f"tracking-card-{theme}")
    found.append(violations(page))
    page.mouse.move(2, 2)
    page.get_by_test_id("compose-open").click()
    expect(page.get_by_test_id("compose-body")).to_be_visible()
    found.append(violations(page))
    page.get_by_test_id("compose-discard").click()
    expect(page.get_by_test_id("compose-body")).to_have_count(0)
    page.get_by_test_id("linked-deal").click()
    expect(page.get_by_test_id("timeline-item").first).to_be_visible()
    found.append(violations(page))
    ready(page, f"{app.url}/people")
    page.get_by_role("link", name="Lena Vogt").first.click()
    expect(page.get_by_test_id("timeline-item").first).to_be_visible()
    found.append(violations(page))
    assert not any(found), "\n".join(filter(None, found))


def test_tab_meets_skip_links_first_and_one_row_of_the_list(app: App, signed_in: Page) -> None:
    """DESIGN §8: skip links, then a roving tabindex: a list of any length is one stop, arrows move within it."""
    page = signed_in
    ready(page, f"{app.url}/inbox")
    rows = page.get_by_test_id("thread-row")
    expect(rows.first).to_have_attribute("tabindex", "0")
    assert page.locator('.thread-row[tabindex="0"]').count() == 1
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the page")).to_be_in_viewport()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # to the list
    page.keyboard.press("Tab")
    expect(rows.first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    assert page.locator('.thread-row[tabindex="0"]').count() == 1
    page.keyboard.press("Enter")
    expect(rows.nth(1)).to_have_attribute("aria-current", "true")


def test_the_composer_takes_the_focus_and_gives_it_back(app: App, signed_in: Page) -> None:
    """DESIGN §8: overlays return focus; a new email begins at To."""
    page = signed_in
    ready(page, f"{app.url}/inbox")
    row = page.get_by_test_id("thread-row").nth(2)
    row.focus()
    page.keyboard.press("c")
    expect(page.get_by_test_id("compose-to")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("compose-to")).to_have_count(0)
    expect(row).to_be_focused()


def test_rarer_filters_fold_into_a_menu(app: App, signed_in: Page) -> None:
    """DESIGN §3c: All to Open deal stand in the row; the menu has the rest, and the one that is on can be seen and left."""
    page = signed_in
    ready(page, f"{app.url}/inbox")
    everything = page.get_by_test_id("thread-row").count()
    page.get_by_test_id("filter-menu").click()
    page.get_by_test_id("filter-waiting").click()
    expect(page.get_by_test_id("thread-row")).to_have_count(1)
    expect(page.get_by_test_id("thread-row")).to_contain_text("Incheon")
    page.get_by_test_id("filter-on").click()
    expect(page.get_by_test_id("thread-row")).to_have_count(everything)
    page.get_by_test_id("filter-clicked").click()
    expect(page.get_by_test_id("thread-row")).to_have_count(2)


def test_the_filter_of_tracked_mail_stands_beside_the_others(app: App, signed_in: Page) -> None:
    """T07: one click away, in sight at every width of the list, and named though it shows only a mark."""
    page = signed_in
    ready(page, f"{app.url}/inbox")
    page.get_by_test_id("filter-all").click()  # the tab remembers the filter of the test before
    expect(page.get_by_test_id("thread-row").filter(has_text="Calibration")).to_be_visible()
    everything = page.get_by_test_id("thread-row").count()
    tracked = page.get_by_test_id("filter-tracked")
    for width in (1440, 1200, 1024):
        page.set_viewport_size({"width": width, "height": 900})
        row, button = page.locator(".list-filters").bounding_box(), tracked.bounding_box()
        assert row is not None
        assert button is not None
        assert button["x"] + button["width"] <= row["x"] + row["width"], width
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(tracked).to_have_accessible_name("Tracking on")
    tracked.click()
    expect(tracked).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_test_id("thread-row")).not_to_have_count(everything)
    expect(page.get_by_test_id("tracking-open-icon").first).to_be_visible()
    page.get_by_test_id("filter-all").click()
    expect(page.get_by_test_id("thread-row")).to_have_count(everything)
