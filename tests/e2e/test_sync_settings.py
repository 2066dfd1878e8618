"""Settings › Email sync in a browser, on a real Dovecot: folders, history, contacts only, health, verify, quarantine.

M14, M31, B01, B02, settled questions 7 and 9; light, dark, phone and Japanese; axe's WCAG rules.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import App, add_mailbox, make_administrator, snap
from tests.e2e.test_accessibility import RULES
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink

ANN = "ann.sync@tidewater.example"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def page(app: App, chromium: Browser, dovecot: DovecotServer) -> Iterator[Page]:
    """Ann signed in, her mailbox in sync: eight messages in INBOX, one of them unreadable, and folders below folders."""
    sink = SmtpSink()
    sink.start()
    sink.add_user(ANN, PASSWORD)
    dovecot.add_user(ANN, PASSWORD)
    now = datetime.now(UTC)
    for n, folder in enumerate(
        ["INBOX"] * 7 + ["Customers"] * 2 + ["Customers/Aquaculture"] * 3 + ["Newsletters"] * 4 + ["Sent", "Junk"]
    ):
        head = f"From: P{n} <p{n}@nordlicht.example>\r\nTo: {ANN}\r\nMessage-ID: <s{n}@t>\r\n"
        dovecot.deliver(
            ANN, f"{head}Subject: {folder} {n}\r\n\r\nbody\r\n".encode(), folder, when=now - timedelta(days=2 * n)
        )
    dovecot.deliver(ANN, b"\r\n", when=now)
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    make_administrator(opened, app, ANN, PASSWORD)
    add_mailbox(app, ANN, dovecot.spec(ANN), sink.spec(ANN), PASSWORD)
    opened.goto(f"{app.url}/settings/email-sync")
    expect(opened.get_by_test_id("mailbox-status")).to_have_attribute("data-kind", "ok", timeout=90_000)
    yield opened
    context.close()
    sink.stop()
    assert not problems, problems


def folder_box(page: Page, name: str):  # type: ignore[no-untyped-def]
    return page.locator(f'[data-testid="folder-check"][data-folder="{name}"]')


def violations(page: Page) -> str:
    page.wait_for_timeout(400)  # a fading element has the colours of neither state
    found = Axe().run(page, options=RULES).response["violations"]
    return "\n".join(f"{each['id']}: {each['nodes'][0]['html'][:300]}" for each in found)


def shown(app: App) -> int:
    with sqlite3.connect(app.folder / "data" / "mailcrm.sqlite3") as database:
        return database.execute("SELECT count(*) FROM messages WHERE NOT hidden").fetchone()[0]


def full_page(page: Page, name: str) -> None:
    """A picture of the whole of it: what scrolls is the main part, so the window grows."""
    size = page.viewport_size
    page.set_viewport_size({"width": (size or {"width": 1440})["width"], "height": 2300})
    snap(page, name)
    if size:
        page.set_viewport_size(size)


def test_the_health_section_says_it_all(page: Page, app: App) -> None:
    """M31: the ledger adds up; what could not be read is listed with its reason and its source."""
    inbox = page.get_by_test_id("sync-ledger").locator('tr[data-folder="INBOX"]')
    expect(inbox).to_have_attribute("data-odd", "false")
    expect(inbox.locator("td").nth(1)).to_have_text("8")
    expect(inbox.locator("td").nth(4)).to_have_text("1")
    item = page.get_by_test_id("quarantine-item")
    expect(item).to_contain_text("The server sent an empty email.")
    full_page(page, "settings-sync-full")
    assert not violations(page)
    raw = page.request.get(app.url + (item.get_by_test_id("quarantine-raw").get_attribute("href") or ""))
    assert (raw.status, raw.body()) == (200, b"\r\n")
    assert raw.headers["content-disposition"].startswith("attachment")


def test_verify_finds_nothing_then_mends_what_is_damaged(page: Page, app: App) -> None:
    """B01, by the button, with the result on the page without a reload."""
    page.get_by_test_id("verify-now").click()
    expect(page.get_by_test_id("verify-status")).to_contain_text("nothing differs", timeout=60_000)
    with sqlite3.connect(app.folder / "data" / "mailcrm.sqlite3", timeout=20) as database:
        database.execute(
            "DELETE FROM message_locations WHERE uid = 2 AND folder_id = (SELECT id FROM folders WHERE role = 'inbox')"
        )
    page.get_by_test_id("verify-now").click()
    expect(page.get_by_test_id("verify-findings")).to_contain_text("was missing here", timeout=60_000)
    expect(page.get_by_test_id("verify-status")).to_contain_text("mended")
    snap(page, "settings-sync-verified")


def test_a_quarantined_message_is_tried_again(page: Page, app: App) -> None:
    """B02: it comes back with its reason, since nothing about it changed."""
    before = quarantined_at(app)
    page.get_by_test_id("quarantine-retry").click()
    expect(page.get_by_text("One email is fetched again.")).to_be_visible()
    for _ in range(60):
        if quarantined_at(app) not in ("", before):
            break
        page.wait_for_timeout(500)
    assert quarantined_at(app) not in ("", before)
    expect(page.get_by_test_id("quarantine-item")).to_have_count(1)


def test_what_the_mailbox_did_not_take_is_listed_and_let_go(page: Page, app: App) -> None:
    """M15, M16: each with its reason; letting it go changes nothing else."""
    with sqlite3.connect(app.folder / "data" / "mailcrm.sqlite3", timeout=20) as database:
        database.execute(
            "INSERT INTO server_actions (mailbox_id, message_id, kind, state, not_before, tries, outcome, error_code,"
            " error_params, created_at) SELECT mailbox_id, id, 'archive', 'failed', received_at, 5, '',"
            " 'writeback.no_archive', '{}', received_at FROM messages ORDER BY id LIMIT 1"
        )
    page.reload()
    item = page.get_by_test_id("write-item")
    expect(item).to_contain_text("Move to the archive")
    expect(item).to_contain_text("no archive folder")
    assert not violations(page)
    item.get_by_test_id("write-dismiss").click()
    expect(page.get_by_test_id("write-list")).to_have_count(0)


def test_the_reconnect_button_has_its_form_at_the_first_refusal(page: Page, app: App) -> None:
    """M31: one button that helps, also while mailcrm still tries the old password by itself."""
    with sqlite3.connect(app.folder / "data" / "mailcrm.sqlite3", timeout=20) as database:
        database.execute(
            "UPDATE mailboxes SET error_code = 'imap.wrong_password', error_params = '{\"host\": \"localhost\"}',"
            " next_try_at = '2999-01-01 00:00:00.000000'"
        )
    page.reload()
    expect(page.get_by_test_id("mailbox-status")).to_have_attribute("data-kind", "bad")
    page.get_by_test_id("sync-trouble").get_by_role("link", name="Reconnect").click()
    expect(page.get_by_test_id("mailbox-new-password")).to_be_in_viewport()
    page.get_by_test_id("mailbox-new-password").fill(PASSWORD)
    page.get_by_test_id("mailbox-reconnect").click()
    expect(page.get_by_test_id("mailbox-status")).to_have_attribute("data-kind", "ok")
    expect(page.get_by_test_id("sync-trouble")).to_have_count(0)


def quarantined_at(app: App) -> str:
    with sqlite3.connect(app.folder / "data" / "mailcrm.sqlite3") as database:
        found = database.execute("SELECT tried_at FROM quarantine").fetchone()
        return str(found[0]) if found else ""


def test_narrowing_folders_says_first_what_leaves(page: Page, app: App) -> None:
    """M14 and DESIGN (h): a preview, then hidden; ticked again, it is back. By mouse and by keys."""
    total = shown(app)
    page.get_by_test_id("folders-chosen").click()
    expect(folder_box(page, "Newsletters")).to_be_enabled()
    folder_box(page, "Newsletters").click()
    expect(page.get_by_test_id("folders-leaving")).to_contain_text("4 emails will leave mailcrm")
    full_page(page, "settings-sync-leaving")
    assert not violations(page)
    page.get_by_test_id("folders-cancel").click()
    expect(page.get_by_test_id("folders-leaving")).to_have_count(0)
    expect(folder_box(page, "Newsletters")).to_be_checked()
    assert shown(app) == total
    folder_box(page, "Newsletters").focus()
    page.keyboard.press("Space")
    page.get_by_test_id("folders-confirm").focus()
    page.keyboard.press("Enter")
    expect(folder_box(page, "Newsletters")).not_to_be_checked()
    expect(page.get_by_test_id("folders-leaving")).to_have_count(0)
    assert shown(app) == total - 4
    folder_box(page, "Newsletters").click()
    expect(folder_box(page, "Newsletters")).to_be_checked()
    assert shown(app) == total
    page.get_by_test_id("folders-all").click()
    expect(folder_box(page, "Newsletters")).to_be_disabled()


def test_history_and_contacts_only_save_at_once(page: Page, app: App) -> None:
    """Settled questions 7 and 9."""
    page.get_by_test_id("history").select_option("90")
    expect(page.get_by_text("Saved")).to_be_visible()
    page.get_by_test_id("contacts-only").click()
    expect(page.get_by_test_id("contacts-only")).to_have_attribute("data-state", "checked")
    page.reload()
    expect(page.get_by_test_id("history")).to_have_value("90")
    expect(page.get_by_test_id("contacts-only")).to_have_attribute("data-state", "checked")
    page.get_by_test_id("contacts-only").click()
    expect(page.get_by_test_id("contacts-only")).to_have_attribute("data-state", "unchecked")
    page.get_by_test_id("history").select_option("all")


def test_dark_phone_and_japanese_break_no_rule(page: Page, app: App) -> None:
    """DESIGN §7 to §9: nothing wider than the screen, no rule broken."""
    page.emulate_media(color_scheme="dark")
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.reload()
    expect(page.get_by_test_id("quarantine-item")).to_be_visible()
    full_page(page, "settings-sync-dark")
    assert not violations(page)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    full_page(page, "settings-sync-phone")
    assert not violations(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="light")
    page.evaluate("localStorage.setItem('theme', 'light')")
    with sqlite3.connect(app.folder / "data" / "mailcrm.sqlite3", timeout=20) as database:
        database.execute("UPDATE users SET language = 'ja'")
    page.reload()
    expect(page.get_by_test_id("verify-now")).to_have_text("今すぐ照合")
    full_page(page, "settings-sync-ja")
    assert not violations(page)
