"""Links under a person's hands: what the list suggests, why something is linked, off and on again, many at once.

Runs in the demo workspace. Omar Haddad's email is from nobody's address at first.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.conftest import ROOT
from tests.e2e.conftest import App, snap, undo

OMAR = "omar.haddad@gulf-desalination.example"
LIST_ENDS = 590  # pixels from the left, at 1440 (DESIGN §6)
#: Two deals at once: a single one would be linked before the second is there.
TWO_DEALS = f"""
from mailcrm.services.auth import users
from mailcrm.services.crm import deals, people
sana = users.by_email("sana@tidewater.example")
omar = people.create_person(sana, name="Omar Haddad", organization="Gulf Desalination").card.id
for title in ("Jubail intakes", "Yanbu retrofit"):
    deals.create_deal(sana, title=title, person_id=omar)
people.add_address(sana, omar, "{OMAR}")
"""


@pytest.fixture(scope="module")
def page(app: App, chromium: Browser) -> Iterator[Page]:
    """Sana's browser, signed in to the demo by its one button."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.goto(app.url)
    opened.get_by_test_id("setup-demo").click()
    expect(row(opened, "Büsum")).to_be_visible(timeout=60_000)
    expect(row(opened, "Calibration certificates").locator(".chip")).to_contain_text("Saimaa phase 2", timeout=60_000)
    yield opened
    context.close()
    assert not problems, problems


def row(page: Page, text: str) -> Locator:
    return page.get_by_test_id("thread-row").filter(has_text=text).first


def test_a_stranger_is_suggested_with_their_organization(page: Page) -> None:
    """DESIGN (c), Deliver 3: "add this sender as a person", the organization known by its domain."""
    chip = row(page, "عمر").get_by_test_id("suggestion")
    expect(chip).to_contain_text("Add")
    snap(page, "linking-suggested")
    chip.click()
    expect(page.locator("#contact-organization")).to_have_value("Gulf Desalination")
    expect(page.locator("#contact-address")).to_have_value(OMAR)
    snap(page, "linking-add")
    page.get_by_role("button", name="Cancel").click()


def test_a_deal_is_picked_from_the_suggestion_and_it_can_be_undone(app: App, page: Page) -> None:
    """M29: several open deals are never guessed; the user picks one, and the row shows it."""
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEALS], env=app.environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    omar = row(page, "عمر")
    expect(omar.get_by_test_id("suggestion")).to_have_text("Which deal?")
    omar.get_by_test_id("suggestion").click()
    options = page.locator(".crm-pane").get_by_test_id("link-deal-option")
    expect(options).to_have_count(2)
    snap(page, "linking-several")
    options.filter(has_text="Yanbu").click()
    expect(omar.locator(".chip")).to_contain_text("Yanbu retrofit")
    expect(omar.get_by_test_id("suggestion")).to_have_count(0)
    undo(page, "Deal linked")
    expect(omar.get_by_test_id("suggestion")).to_have_text("Which deal?")


def test_why_it_is_linked_and_off_and_on_again(page: Page) -> None:
    """B06: the sentence names the address, the person and the rule; one click takes it off, one brings it back."""
    mika = row(page, "Calibration certificates")
    mika.click()
    expect(page.locator("#conversation .subject")).to_have_text(re.compile("Calibration"))
    page.locator("#conversation").get_by_test_id("why-linked").click()
    texts = page.get_by_test_id("why-text")
    expect(texts.first).to_have_text(re.compile("^Linked because mika.aaltonen@saimaa-vesi.example is Mika Aaltonen"))
    expect(texts.last).to_contain_text("is Mika Aaltonen, whose only open deal this is.")
    snap(page, "linking-why")
    page.get_by_test_id("why-unlink").last.click()
    expect(mika.locator(".chip")).to_have_count(0)
    undo(page, "unlinked")
    expect(mika.locator(".chip")).to_contain_text("Saimaa phase 2")
    page.get_by_test_id("linked-deal").click()
    page.get_by_test_id("timeline-open").first.click()
    page.get_by_test_id("timeline-item").get_by_test_id("why-linked").first.click()
    expect(page.get_by_test_id("why-text").last).to_contain_text("whose only open deal this is.")
    snap(page, "linking-why-timeline")
    page.keyboard.press("Escape")


def test_several_conversations_are_linked_at_once(app: App, page: Page) -> None:
    """Deliver 3, DESIGN §6: X picks, L links, Undo takes all of it back."""
    page.goto(f"{app.url}/inbox")
    omar, tom = row(page, "عمر"), row(page, "Invoice 2214")
    expect(tom).to_be_visible()
    before = tom.locator(".chip").all_inner_texts()
    omar.focus()
    page.keyboard.press("x")
    expect(page.get_by_test_id("pick-count")).to_have_text("1 selected")
    tom.hover()
    page.get_by_test_id("pick").nth(page.get_by_test_id("thread-row").all_inner_texts().index(tom.inner_text())).click()
    expect(page.get_by_test_id("pick-count")).to_have_text("2 selected")
    snap(page, "linking-picked")
    page.keyboard.press("l")
    page.get_by_test_id("pick-search").fill("Nordlicht")
    option = page.get_by_test_id("pick-option").filter(has_text="Nordlicht service contract")
    expect(option).to_be_visible()
    snap(page, "linking-bulk")
    option.click()
    for each in (omar, tom):
        expect(each.locator(".chip")).to_contain_text("Nordlicht service contract")
    undo(page, "2 conversations linked")
    expect(omar.get_by_test_id("suggestion")).to_have_text("Which deal?")
    if before:
        expect(tom.locator(".chip")).to_have_text(before)
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("pick-count")).to_have_count(0)


def test_a_range_is_archived_at_once_and_comes_back_with_one_undo(app: App, page: Page) -> None:
    """Shift J picks on, however fast; the bar acts on all of them, and Undo brings all of them back."""
    page.goto(f"{app.url}/inbox")
    rows = page.get_by_test_id("thread-row")
    expect(rows.first).to_be_visible()
    before = rows.count()
    rows.first.focus()
    for _ in range(2):
        page.keyboard.press("Shift+J")
    expect(page.get_by_test_id("pick-count")).to_have_text("3 selected")
    for name in ("archive", "delete", "read", "unread", "snooze", "link"):  # all of the bar is within the list
        edge = page.get_by_test_id(f"pick-{name}").bounding_box()
        assert edge is not None
        assert edge["x"] + edge["width"] <= LIST_ENDS
    snap(page, "bulk-bar")
    page.get_by_test_id("pick-archive").click()
    expect(rows).to_have_count(before - 3)
    undo(page, "3 conversations archived")
    expect(rows).to_have_count(before)
