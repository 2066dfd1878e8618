"""Settings, contacts and the deals board in a browser (issue 2, points 6 and 9; M09, M23, M25, M31, T03, T09).

A mailbox is connected by hand after a first try with a wrong password, a colleague is invited and switched off again,
a person gets a consent and sees their conversation, a deal goes over the board by mouse and by keyboard.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import App, make_administrator, snap
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink

ANN = "ann.settings@tidewater.example"
PASSWORD, BOX_PASSWORD = "correct horse battery", "mailbox secret 7"
LENA = "lena.vogt@nordlicht.example"
#: What only the conversation's body says, so that seeing it means that the frame was loaded.
INSIDE = "The divers are booked for the 24th."


@dataclass
class World:
    """The servers outside mailcrm."""

    dovecot: DovecotServer
    smtp: SmtpSink


@pytest.fixture(scope="module")
def world(dovecot: DovecotServer) -> Iterator[World]:
    sink = SmtpSink()
    sink.start()
    sink.add_user(ANN, BOX_PASSWORD)
    dovecot.add_user(ANN, BOX_PASSWORD)
    dovecot.maildir(ANN, "Sent")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = f"Lena Vogt <{LENA}>", ANN, "Site plan and tide tables"
    message["Message-ID"], message["Date"] = "<tide-1@nordlicht.example>", datetime.now(UTC)
    message.set_content(f"Hallo Ann,\n\nthe plan is attached.\n\n{INSIDE}\n")
    dovecot.deliver(ANN, message.as_bytes(), when=datetime.now(UTC))
    yield World(dovecot, sink)
    sink.stop()


@pytest.fixture(scope="module")
def page(app: App, chromium: Browser) -> Iterator[Page]:
    """Ann's browser: the administrator, signed in; every test starts where the last one ended."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    make_administrator(opened, app, ANN, PASSWORD)
    yield opened
    context.close()
    assert not problems, problems


def mailbox_rows(app: App) -> int:
    with sqlite3.connect(app.folder / "data" / "mailcrm.sqlite3") as database:
        return database.execute("SELECT count(*) FROM mailboxes").fetchone()[0]


def step(page: Page, name: str) -> Locator:
    return page.locator(f'[data-step="{name}"]')


def test_a_mailbox_is_tested_live_and_saved_only_when_all_is_right(page: Page, app: App, world: World) -> None:
    """M09: each failure says what to do, and nothing is saved half."""
    page.goto(f"{app.url}/settings/email-sync")
    page.get_by_test_id("mailbox-address").fill("no address")
    page.get_by_test_id("mailbox-start").click()
    expect(page.get_by_role("alert")).to_contain_text("isn’t an email address")
    page.get_by_test_id("mailbox-address").fill(ANN)
    page.get_by_test_id("mailbox-start").click()
    expect(page.get_by_test_id("mailbox-imap-host")).to_have_value("imap.tidewater.example")
    expect(page.get_by_test_id("mailbox-smtp-host")).to_have_value("smtp.tidewater.example")
    expect(page.get_by_test_id("mailbox-username")).to_have_value(ANN)
    for kind, spec in (("imap", world.dovecot.spec(ANN)), ("smtp", world.smtp.spec(ANN))):
        page.get_by_test_id(f"mailbox-{kind}-host").fill(spec.host)
        page.get_by_test_id(f"mailbox-{kind}-port").fill(str(spec.port))
        page.get_by_test_id(f"mailbox-{kind}-security").select_option("none")
    page.get_by_test_id("mailbox-password").fill("wrong")
    page.get_by_test_id("mailbox-connect").click()
    expect(step(page, "imap_sign_in")).to_have_attribute("data-state", "bad", timeout=60_000)
    expect(step(page, "imap_sign_in")).to_contain_text("did not accept this user name and password")
    expect(step(page, "imap_tcp")).to_have_attribute("data-state", "ok")
    expect(step(page, "imap_folders")).to_have_attribute("data-state", "skip")
    expect(page.get_by_test_id("mailbox-connect")).to_be_enabled(timeout=60_000)
    assert mailbox_rows(app) == 0
    snap(page, "settings-connect-failed")

    # What was typed is still there.
    expect(page.get_by_test_id("mailbox-imap-port")).to_have_value(str(world.dovecot.spec(ANN).port))
    page.get_by_test_id("mailbox-password").fill(BOX_PASSWORD)
    page.get_by_test_id("mailbox-connect").click()
    page.get_by_test_id("mailbox-fresh-skip").click(timeout=60_000)
    ledger = page.get_by_test_id("sync-ledger")
    expect(ledger).to_be_visible(timeout=60_000)
    expect(ledger.locator('[data-folder="INBOX"]')).to_contain_text("INBOX", timeout=60_000)
    expect(page.get_by_test_id("mailbox-status")).to_have_attribute("data-kind", "ok", timeout=60_000)
    inbox = ledger.locator('[data-folder="INBOX"] td')
    expect(inbox.nth(1)).to_have_text("1")
    expect(inbox.nth(2)).to_have_text("1")
    assert mailbox_rows(app) == 1
    assert PASSWORD not in page.content()
    assert BOX_PASSWORD not in page.content()
    snap(page, "settings-email-sync")


def test_switches_start_off_and_save_at_once(page: Page, app: App) -> None:
    """T03: all three are off until turned on. M23: a new mailbox starts Private."""
    page.goto(f"{app.url}/settings/email-sync")
    for name in ("track-opens-default", "track-clicks-default", "track-notify-default"):
        expect(page.get_by_test_id(name)).to_have_attribute("data-state", "unchecked")
    expect(page.get_by_test_id("sharing-private")).to_be_checked()
    page.get_by_test_id("track-opens-default").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    page.get_by_test_id("sharing-shared").click()
    expect(page.get_by_test_id("sharing-shared")).to_be_checked()
    page.reload()
    expect(page.get_by_test_id("track-opens-default")).to_have_attribute("data-state", "checked")
    expect(page.get_by_test_id("track-clicks-default")).to_have_attribute("data-state", "unchecked")
    expect(page.get_by_test_id("sharing-shared")).to_be_checked()


def test_a_colleague_joins_by_link_and_is_switched_off(page: Page, app: App, chromium: Browser) -> None:
    """The link works once; a switched-off account is signed out at once, in its open page."""
    page.goto(f"{app.url}/settings/people")
    page.get_by_test_id("invite-open").click()
    page.get_by_test_id("invite-create").click()
    link = page.get_by_test_id("invite-link").input_value()
    assert link.startswith(f"{app.url}/invite/")
    snap(page, "settings-invite")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("invite-link")).to_have_count(0)

    context = chromium.new_context(viewport={"width": 1024, "height": 768}, locale="en-GB")
    bob = context.new_page()
    bob.goto(link)
    bob.get_by_test_id("invite-name").fill("Bob Stern")
    bob.get_by_test_id("invite-email").fill("bob.settings@tidewater.example")
    bob.get_by_test_id("invite-password").fill(PASSWORD)
    bob.get_by_test_id("invite-submit").click()
    bob.wait_for_url(re.compile(r"/(inbox|settings)"))
    bob.goto(f"{app.url}/settings/people")
    expect(bob.get_by_test_id("user-row")).to_have_count(2)
    expect(bob.get_by_test_id("invite-open")).to_have_count(0)
    expect(bob.get_by_test_id("user-disable")).to_have_count(0)
    bob.goto(f"{app.url}/settings/email-sync")
    expect(bob.get_by_test_id("mailbox-address")).to_be_visible()  # none of Ann's mailbox (M25)
    assert ANN not in bob.content()

    page.reload()
    page.get_by_test_id("user-row").filter(has_text="Bob Stern").get_by_test_id("user-disable").click()
    page.get_by_test_id("user-disable-confirm").click()
    expect(page.get_by_test_id("user-row").filter(has_text="Bob Stern")).to_contain_text("Switched off")
    bob.wait_for_url(re.compile("/login"))  # by itself: the end of his sessions reaches his open page
    context.close()


def test_a_person_has_consent_and_their_conversations(page: Page, app: App) -> None:
    """T09 and M27: consent with its source; mail that came before links itself by address."""
    page.goto(f"{app.url}/people")
    expect(page.get_by_text("No contacts yet")).to_be_visible()
    page.get_by_test_id("person-create").click()
    page.get_by_test_id("person-save").click()
    expect(page.get_by_role("alert")).to_contain_text("Name is empty")
    page.get_by_test_id("person-name").fill("Lena Vogt")
    page.get_by_test_id("person-email").fill(LENA)
    page.get_by_test_id("person-organization").fill("Nordlicht Aquakultur GmbH")
    page.get_by_test_id("person-save").click()
    page.wait_for_url(re.compile(r"/person/\d+"))
    expect(page.get_by_role("heading", name="Lena Vogt")).to_be_visible()

    opener = page.get_by_test_id("timeline-open").filter(has_text="Site plan and tide tables")
    expect(opener).to_be_visible(timeout=60_000)
    opener.click()
    frame = page.frame_locator('[data-testid="message-frame"]').first
    expect(frame.locator("body")).to_contain_text(INSIDE)

    expect(page.get_by_test_id("consent")).to_have_attribute("data-consent", "unknown")
    page.get_by_test_id("consent-change").click()
    page.get_by_test_id("consent-state").select_option("refused")
    page.get_by_test_id("consent-source").fill("by phone")
    page.get_by_test_id("consent-save").click()
    expect(page.get_by_test_id("consent")).to_have_attribute("data-consent", "refused")
    expect(page.get_by_test_id("consent")).to_contain_text("by phone")

    page.get_by_test_id("person-edit").click()
    page.get_by_test_id("edit-job").fill("Head of Operations")
    page.get_by_test_id("person-edit-save").click()
    expect(page.get_by_test_id("person-edit-job")).to_have_value("Head of Operations")
    snap(page, "person")

    # A low window, so that the history overflows: the composer must not be squeezed by it.
    page.set_viewport_size({"width": 1440, "height": 440})
    page.get_by_test_id("person-email-button").click()
    expect(page.get_by_test_id("chip-to")).to_have_attribute("title", re.compile(re.escape(LENA)))
    page.get_by_test_id("compose-close").click()
    expect(page.get_by_test_id("compose-body")).to_have_count(0)
    page.set_viewport_size({"width": 1440, "height": 900})

    page.goto(f"{app.url}/people")
    page.get_by_test_id("person-search").fill("nordlicht")
    expect(page.get_by_test_id("person-row")).to_have_count(1)
    page.get_by_test_id("person-search").fill("nobody at all")
    expect(page.get_by_text("Nobody matches")).to_be_visible()
    page.get_by_test_id("person-search").fill("")
    page.get_by_test_id("person-row").get_by_role("link").click()
    page.wait_for_url(re.compile(r"/person/\d+"))


def stage(page: Page, name: str) -> Locator:
    return page.locator(f'[data-stage="{name}"]')


def test_a_deal_goes_over_the_board(page: Page, app: App) -> None:
    """Dragging always has a key and menu path (DESIGN.md §8); moves can be undone."""
    page.get_by_test_id("person-new-deal").click()
    expect(page.get_by_test_id("deal-person-chosen")).to_contain_text("Lena Vogt")
    page.get_by_test_id("deal-title").fill("Büsum expansion, 24 probes")
    page.get_by_test_id("deal-value").fill("48,200")
    page.get_by_test_id("deal-save").click()
    page.wait_for_url(re.compile(r"/deal/\d+"))
    page.goto(f"{app.url}/deals")
    card = page.get_by_test_id("deal-card").filter(has_text="Büsum expansion")
    expect(stage(page, "Qualified").get_by_test_id("deal-card")).to_contain_text("Nordlicht Aquakultur GmbH")
    expect(stage(page, "Qualified")).to_contain_text("€48,200")
    expect(stage(page, "Demo")).to_contain_text("Drag a deal here")

    # By mouse.
    card.drag_to(stage(page, "Demo"))
    expect(stage(page, "Demo").get_by_test_id("deal-card")).to_have_count(1)
    page.get_by_role("button", name="Undo").first.click()
    expect(stage(page, "Qualified").get_by_test_id("deal-card")).to_have_count(1)

    # By keyboard: the card's menu.
    page.get_by_test_id("deal-menu").focus()
    page.keyboard.press("Enter")
    page.get_by_role("menuitem", name="Proposal").focus()
    page.keyboard.press("Enter")
    expect(stage(page, "Proposal").get_by_test_id("deal-card")).to_have_count(1)
    page.reload()
    expect(stage(page, "Proposal").get_by_test_id("deal-card")).to_have_count(1)
    snap(page, "deals-board")

    # A second deal with somebody new, then lost with a reason, and the first one won.
    page.get_by_test_id("deal-create").click()
    page.get_by_test_id("deal-title").fill("Rhône rollout")
    page.get_by_test_id("deal-value").fill("much")
    page.get_by_test_id("deal-person").fill("Julian Meyer")
    page.get_by_test_id("deal-save").click()
    expect(page.get_by_role("alert")).to_contain_text("doesn’t fit")
    page.get_by_test_id("deal-value").fill("38.000,50")
    page.get_by_test_id("deal-save").click()
    page.wait_for_url(re.compile(r"/deal/\d+"))
    page.goto(f"{app.url}/deals")
    other = stage(page, "Qualified").get_by_test_id("deal-card")
    expect(other).to_contain_text("€38,000.50")
    expect(other).to_contain_text("Julian Meyer")
    stage(page, "Qualified").locator(".deal-slot").hover()
    stage(page, "Qualified").get_by_test_id("deal-menu").click()
    page.get_by_role("menuitem", name="Lost").click()
    page.get_by_test_id("lost-reason").fill("Chose a rival")
    page.get_by_test_id("lost-save").click()
    expect(page.get_by_test_id("deal-card")).to_have_count(1)
    page.locator(".deal-slot").hover()
    page.get_by_test_id("deal-menu").click()
    page.get_by_role("menuitem", name="Won").click()
    expect(page.get_by_test_id("deal-card")).to_have_count(0)
    page.goto(f"{app.url}/person/1")
    expect(page.get_by_test_id("person-deal")).to_contain_text("Won")


def test_the_profile_changes_what_the_reader_sees(page: Page, app: App) -> None:
    """Name, language and theme save by themselves."""
    page.goto(f"{app.url}/settings/profile")
    page.get_by_test_id("profile-name").fill("Ann B. Hall")
    page.get_by_test_id("profile-name").blur()
    expect(page.get_by_text("Saved")).to_be_visible()
    page.get_by_test_id("theme-dark").click()
    expect(page.get_by_test_id("theme-dark")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    page.get_by_test_id("profile-zone").select_option("Asia/Tokyo")
    page.reload()
    expect(page.get_by_test_id("profile-name")).to_have_value("Ann B. Hall")
    expect(page.get_by_test_id("profile-zone")).to_have_value("Asia/Tokyo")
    snap(page, "settings-profile-dark")


def test_a_removed_mailbox_is_gone_here_and_untouched_there(page: Page, app: App, world: World) -> None:
    """The question says what happens; the server's mail stays."""
    page.goto(f"{app.url}/settings/email-sync")
    page.get_by_test_id("mailbox-menu").click()
    page.get_by_role("menuitem", name="Pause").click()
    expect(page.get_by_test_id("mailbox-status")).to_have_attribute("data-kind", "off")
    page.get_by_test_id("mailbox-resume").click()
    expect(page.get_by_test_id("mailbox-status")).not_to_have_attribute("data-kind", "off")
    page.get_by_test_id("mailbox-menu").click()
    page.get_by_role("menuitem", name="Remove").click()
    expect(page.get_by_role("alertdialog")).to_contain_text("The mailbox on the mail server is not touched")
    page.get_by_test_id("mailbox-remove-confirm").click()
    expect(page.get_by_test_id("mailbox-address")).to_be_visible()
    assert mailbox_rows(app) == 0
    assert list(world.dovecot.maildir(ANN).glob("cur/*")) + list(world.dovecot.maildir(ANN).glob("new/*"))


def test_one_can_log_out_on_a_phone(page: Page, app: App, chromium: Browser) -> None:
    """The navigation's menu is out of reach there; the profile has the button. Ann's other browser stays signed in."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="en-GB")
    phone = context.new_page()
    phone.goto(f"{app.url}/login")
    phone.get_by_test_id("login-email").fill(ANN)
    phone.get_by_test_id("login-password").fill(PASSWORD)
    phone.get_by_test_id("login-submit").click()
    phone.wait_for_url(re.compile("/(inbox|settings)"))
    phone.goto(f"{app.url}/settings/profile")
    phone.get_by_test_id("profile-logout").click()
    phone.wait_for_url(re.compile("/login"))
    phone.goto(f"{app.url}/inbox")
    expect(phone.get_by_test_id("login-email")).to_be_visible()
    page.goto(f"{app.url}/settings/profile")
    expect(page.get_by_test_id("profile-name")).to_be_visible()
    context.close()
