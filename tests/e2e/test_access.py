"""Who may see what, in browsers of two colleagues and an administrator (issue 4, points 1, 4 and 5; M19, M20, M23-M26).

Ann shares a conversation, sees by name who reads it, takes it back in time and too late; blocks a sender with a preview
and brings the mail back; the administrator makes a team and lets members see their own deals only.
"""

from __future__ import annotations

import re
import time
from base64 import b32decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from mailcrm.services.access import Actor
from mailcrm.services.auth import totp, users
from mailcrm.services.crm.linking import link
from tests.builders import a_deal, a_mailbox, a_message, a_person
from tests.conftest import _settings
from tests.e2e.conftest import App, snap

PASSWORD = "correct horse battery"
UNDO_MS = 8_000


@dataclass
class Story:
    """Ann's mail with Mika, about a deal; Ben, a colleague; Root, an administrator."""

    app: App
    open: Callable[[str], Page]
    ann: Actor
    thread_id: int
    deal_id: int


@contextmanager
def inside(app: App) -> Iterator[None]:
    data = app.folder / "data"
    with _settings(data, f"sqlite:///{data / 'mailcrm.sqlite3'}"):
        yield


@pytest.fixture(scope="module")
def story(app: App, chromium: Browser) -> Iterator[Story]:
    with inside(app):
        for name in ("Ann Hall", "Ben Ito", "Root Kivi"):
            email = f"{name.split()[0].lower()}@tidewater.test"
            users.create(name=name, email=email, password=PASSWORD, admin=name.startswith("Root"))
        ann = users.by_email("ann@tidewater.test")
        box = a_mailbox(ann, "ann@tidewater.test", status="paused")
        mika = a_person(ann, "Mika Aaltonen", "mika@saimaa.test", organization="Saimaa Hydro")
        deal = a_deal(ann, "Saimaa phase 2", person=mika).card.id
        first = a_message(box, sender="Mika Aaltonen <mika@saimaa.test>", subject="Calibration certificates")
        a_message(box, sender="Mika Aaltonen <mika@saimaa.test>", subject="Re: Calibration", thread_id=first.thread_id)
        for number in range(3):
            a_message(box, sender="Pump Weekly <news@pumpweekly.test>", subject=f"Issue {number}")
        link.apply_rules()
        link.link_thread(ann, first.thread_id, deal_id=deal)
    contexts = []

    def sign_in(name: str) -> Page:
        context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{app.url}/login")
        page.get_by_test_id("login-email").fill(f"{name}@tidewater.test")
        page.get_by_test_id("login-password").fill(PASSWORD)
        page.get_by_test_id("login-submit").click()
        page.wait_for_url(re.compile("/inbox"))
        return page

    yield Story(app, sign_in, ann, first.thread_id, deal)
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def ann(story: Story) -> Page:
    return story.open("ann")


@pytest.fixture(scope="module")
def ben(story: Story) -> Page:
    return story.open("ben")


@pytest.fixture(scope="module")
def root(story: Story) -> Page:
    return story.open("root")


def shared(page: Page) -> str | None:
    return page.get_by_test_id("visibility-toggle").get_attribute("data-visibility")


def test_sharing_waits_for_its_undo_and_names_its_readers(story: Story, ann: Page, ben: Page) -> None:
    """M24, M26, DESIGN.md §5: private until the eight seconds are over; then where it is linked, by name."""
    ben.goto(f"{story.app.url}/deal/{story.deal_id}")
    timeline = ben.get_by_test_id("deal-timeline")
    expect(timeline).to_be_visible()
    ann.goto(f"{story.app.url}/thread/{story.thread_id}")
    toggle = ann.get_by_test_id("visibility-toggle")
    expect(toggle).to_have_attribute("data-visibility", "private")
    ann.get_by_test_id("readers-open").click()
    expect(ann.get_by_test_id("readers-now")).to_contain_text("You")
    expect(ann.get_by_test_id("readers-would")).to_contain_text("Ben Ito")
    expect(ann.get_by_test_id("readers-would")).to_contain_text("Root Kivi")
    snap(ann, "access-readers-private")
    ann.keyboard.press("Escape")
    toggle.click()
    expect(toggle).to_have_attribute("data-waiting", "true")
    ann.get_by_role("button", name="Undo").click()
    expect(toggle).to_have_attribute("data-waiting", "false")
    ann.wait_for_timeout(UNDO_MS + 1_500)
    assert shared(ann) == "private", "undone in time, nothing was shared"
    expect(timeline.get_by_text("Calibration certificates")).to_have_count(0)
    toggle.click()
    expect(toggle).to_have_attribute("data-visibility", "shared", timeout=UNDO_MS + 10_000)
    expect(timeline.get_by_text("Calibration certificates").first).to_be_visible()
    ann.get_by_test_id("readers-open").click()
    expect(ann.get_by_test_id("readers-now")).to_contain_text("Ben Ito")
    snap(ann, "access-readers-shared")
    ann.keyboard.press("Escape")
    toggle.click()
    expect(toggle).to_have_attribute("data-visibility", "private")
    expect(timeline.get_by_text("Calibration certificates")).to_have_count(0)


def test_one_email_is_shared_alone(story: Story, ann: Page, ben: Page) -> None:
    """M26: the message's own menu; the rest of the conversation stays private."""
    ann.goto(f"{story.app.url}/thread/{story.thread_id}")
    ann.get_by_test_id("message-menu").last.click()
    ann.get_by_test_id("message-visibility").click()
    timeline = ben.get_by_test_id("deal-timeline")
    expect(timeline.get_by_text("Re: Calibration").first).to_be_visible(timeout=UNDO_MS + 10_000)
    expect(timeline.get_by_text("Calibration certificates")).to_have_count(0)


def test_a_sender_is_blocked_with_a_preview_and_comes_back(story: Story, ann: Page) -> None:
    """M19, settled question 3: the number first, then rows leave; Undo, and later Unblock, bring them back."""
    ann.goto(f"{story.app.url}/inbox")
    rows = ann.get_by_test_id("thread-row")
    news = rows.filter(has_text="Pump Weekly")
    expect(news).to_have_count(3)
    news.first.click()
    ann.get_by_test_id("message-menu").first.click()
    ann.get_by_test_id("block-sender").click()
    ways = ann.get_by_test_id("block-scope")
    expect(ways).to_have_count(3)
    expect(ann.get_by_role("dialog")).to_contain_text("Would hide 3 emails")
    snap(ann, "access-block")
    ways.nth(1).click()
    expect(ways.nth(1)).to_be_checked()
    ann.get_by_test_id("block-confirm").click()
    expect(news).to_have_count(0)
    ann.get_by_role("button", name="Undo").click()
    expect(news).to_have_count(3)
    ann.goto(f"{story.app.url}/settings/email-sync")
    ann.get_by_test_id("block-pattern").fill("@pumpweekly.test")
    expect(ann.get_by_test_id("block-effect")).to_contain_text("Would hide 3 emails")
    ann.get_by_test_id("block-add").click()
    expect(ann.get_by_test_id("block-row")).to_contain_text("3 hidden")
    ann.get_by_test_id("block-list").scroll_into_view_if_needed()
    snap(ann, "access-blocked-addresses")
    ann.get_by_test_id("block-pattern").fill("@%")
    ann.get_by_test_id("block-add").click()
    expect(ann.get_by_role("alert")).to_contain_text("isn’t a domain")
    ann.get_by_test_id("block-remove").click()
    expect(ann.get_by_test_id("block-row")).to_have_count(0)
    ann.goto(f"{story.app.url}/inbox")
    expect(news).to_have_count(3)


def test_members_see_their_own_deals_when_the_administrator_says_so(story: Story, root: Page, ben: Page) -> None:
    """Own, team, everyone: what a colleague has open changes by itself."""
    ben.goto(f"{story.app.url}/deals")
    card = ben.get_by_test_id("deal-card").filter(has_text="Saimaa phase 2")
    expect(card).to_have_count(1)
    root.goto(f"{story.app.url}/settings/people")
    rule = root.locator('[data-kind="deal"]').get_by_test_id("access-member")
    rule.select_option("own")
    expect(card).to_have_count(0)
    rule.select_option("team")
    root.get_by_test_id("team-add").click()
    root.get_by_test_id("team-name").fill("North")
    expect(root.get_by_test_id("team-member").nth(1)).to_be_visible()
    for box in root.get_by_test_id("team-member").all()[:2]:
        box.click()
        expect(box).to_be_checked()
    root.get_by_test_id("team-save").click()
    expect(root.get_by_test_id("team-row")).to_contain_text("Ann Hall, Ben Ito")
    expect(card).to_have_count(1)
    snap(root, "access-teams")
    root.get_by_test_id("team-delete").click()
    expect(card).to_have_count(0)
    root.get_by_role("button", name="Undo").click()
    expect(card).to_have_count(1)


def test_members_may_look_but_not_change(story: Story, ben: Page) -> None:
    """The controls are an administrator's."""
    ben.goto(f"{story.app.url}/settings/people")
    expect(ben.locator('[data-kind="deal"]').get_by_test_id("access-member")).to_be_disabled()
    expect(ben.get_by_test_id("team-add")).to_have_count(0)


def test_a_lost_browser_is_signed_out_and_the_next_sign_in_takes_two_steps(story: Story, root: Page) -> None:
    """Threat 14 and issue 10, part 4: the ended tab leaves by itself; a code opens the door; the log says who did it."""
    with inside(story.app):
        users.create(name="Dee Park", email="dee@tidewater.test", password=PASSWORD)
    dee, lost = story.open("dee"), story.open("dee")
    dee.goto(f"{story.app.url}/settings/account")
    expect(dee.get_by_test_id("session-row")).to_have_count(2)
    dee.get_by_test_id("session-end").click()
    expect(lost).to_have_url(re.compile("/login"))
    expect(dee.get_by_test_id("session-row")).to_have_count(1)
    dee.get_by_test_id("second-begin").click()
    dee.get_by_test_id("proof").fill(PASSWORD)
    dee.get_by_test_id("proof-submit").click()
    shown = dee.get_by_test_id("second-secret")
    expect(shown).to_be_visible()
    secret = b32decode(shown.inner_text().replace(" ", ""))
    step = int(time.time()) // totp.STEP_S
    snap(dee, "account-second-scan")
    dee.get_by_test_id("first-code").fill(totp.code(secret, step))
    dee.get_by_test_id("second-confirm").click()
    expect(dee.get_by_test_id("recovery-codes").locator("li")).to_have_count(10)
    snap(dee, "account-recovery-codes")
    dee.get_by_test_id("codes-done").click()
    expect(dee.get_by_test_id("second-state")).to_contain_text("10")
    snap(dee, "account")
    lost.get_by_test_id("login-email").fill("dee@tidewater.test")
    lost.get_by_test_id("login-password").fill(PASSWORD)
    lost.get_by_test_id("login-submit").click()
    lost.get_by_test_id("login-code").fill(totp.code(secret, step + 1))
    snap(lost, "account-code")
    lost.get_by_test_id("code-submit").click()
    expect(lost).to_have_url(re.compile("/inbox"))
    root.goto(f"{story.app.url}/settings/audit")
    expect(root.get_by_test_id("audit-row").first).to_contain_text("Dee Park")
    root.get_by_test_id("audit-group").select_option("accounts")
    expect(root.get_by_test_id("audit-row").filter(has_text="Switched two-step sign-in on")).to_have_count(1)
    snap(root, "audit-log")
