"""The composer under a person's hands (issue 5, Deliver 2, 5 and 6): recipients, times, tabs, links to write to.

What is on the screen is compared with the draft's row: nothing that was typed may be lost.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import App, add_mailbox, make_administrator, snap
from tests.servers.dovecot import DovecotServer
from tests.servers.smtp_sink import SmtpSink

OWN = "ann.composer@tidewater.example"
PASSWORD = "correct horse battery"
BOX_PASSWORD = "mailbox secret 5"
SURVEY = (
    b"From: Maja Kos <maja@vodovod.example>\r\nTo: ann.composer@tidewater.example\r\nSubject: Survey\r\n"
    b"Message-ID: <1@vodovod.example>\r\nDate: Mon, 02 Mar 2026 12:00:00 +0000\r\n\r\nWrite to luka@vodovod.example\r\n"
)


class World:
    """The app with Ann's mailbox, and her browser."""

    def __init__(self, app: App, page: Page, sink: SmtpSink) -> None:
        self.app, self.page, self.sink = app, page, sink

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What the database has."""
        with sqlite3.connect(f"file:{self.app.folder}/data/mailcrm.sqlite3?mode=ro", uri=True) as database:
            return database.execute(query).fetchall()

    def until(self, fits: Callable[[], object]) -> None:
        """Wait for the database to have it, however slow the machine: nobody sees what has not happened yet."""
        ends = time.monotonic() + 60
        while not fits():
            assert time.monotonic() < ends, self.rows("SELECT id, state, subject, send_local FROM outbox")
            self.page.wait_for_timeout(100)

    def discard(self) -> None:
        """Throw the open draft away; the next one opens where it was, so wait until it is gone."""
        self.page.get_by_test_id("compose-discard").click()
        expect(self.page.get_by_test_id("compose-body")).to_have_count(0)

    def compose(self) -> None:
        if self.page.get_by_test_id("compose-close").count():  # what a test that failed left open
            self.page.get_by_test_id("compose-close").click()
        expect(self.page.get_by_test_id("compose-body")).to_have_count(0)
        self.page.get_by_test_id("compose-open").click()
        expect(self.page.get_by_test_id("compose-body")).to_be_visible()
        expect(self.page.get_by_test_id("compose-to")).to_be_visible()

    def write(self, subject: str) -> None:
        """Begin an email of this test's own to two people; it is saved when this returns."""
        self.compose()
        self.page.get_by_test_id("compose-to").press_sequentially("maja@vodovod.example,luka@vodovod.example,")
        expect(self.page.get_by_test_id("chip-to")).to_have_count(2)
        self.page.get_by_test_id("compose-subject").fill(subject)
        self.until(lambda: self.row(subject) and len(self.rows(
            f"SELECT 1 FROM outbox_recipients r JOIN outbox o ON o.id = r.outbox_id WHERE o.subject = '{subject}'"
        )) == 2)  # fmt: skip

    def row(self, subject: str, what: str = "state") -> list[tuple[object, ...]]:
        """A column of the draft with this subject."""
        return self.rows(f"SELECT {what} FROM outbox WHERE subject = '{subject}'")


@pytest.fixture(scope="module")
def world(app: App, chromium: Browser, dovecot: DovecotServer) -> Iterator[World]:
    sink = SmtpSink()
    sink.start()
    dovecot.add_user(OWN, BOX_PASSWORD)
    dovecot.maildir(OWN, "Sent")
    dovecot.deliver(OWN, SURVEY)
    sink.add_user(OWN, BOX_PASSWORD)
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    make_administrator(page, app, OWN, PASSWORD)
    add_mailbox(app, OWN, dovecot.spec(OWN), sink.spec(OWN), BOX_PASSWORD)
    with sqlite3.connect(app.folder / "data" / "mailcrm.sqlite3", timeout=60) as database:
        database.execute("UPDATE users SET undo_seconds = 30")  # a slow machine takes its time to press Undo
    page.goto(f"{app.url}/inbox")
    yield World(app, page, sink)
    context.close()
    sink.stop()
    assert not problems, problems


def test_recipients_are_chips_by_keyboard_and_by_paste(world: World) -> None:
    """Deliver 2: comma, Enter, Backspace, a pasted list; wrong ones stay and say why; twice is once."""
    page = world.page
    world.compose()
    to = page.get_by_test_id("compose-to")
    chips = page.get_by_test_id("chip-to")
    to.press_sequentially("maja@vodovod.example,")
    expect(chips).to_have_count(1)
    to.press_sequentially("luka@vodovod.example")
    to.press("Enter")
    expect(chips).to_have_count(2)
    to.press("Backspace")
    expect(chips).to_have_count(1)
    to.evaluate(
        """(input) => {
          const data = new DataTransfer();
          data.setData("text/plain", '"Doe, Jane" <j@x.example>, broken@, Luka Zupan <luka@vodovod.example>\\nMAJA@vodovod.example');
          input.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }"""
    )
    expect(chips).to_have_count(4)
    expect(chips.nth(1)).to_contain_text("Doe, Jane")
    expect(chips.nth(2)).to_have_attribute("data-bad", "true")
    snap(page, "composer-chips")
    page.get_by_test_id("compose-subject").fill("Ljubljana network: phase 1 pilot")
    world.until(lambda: len(world.rows("SELECT 1 FROM outbox_recipients")) == 4)
    page.get_by_test_id("compose-send").click()
    expect(page.get_by_test_id("compose-error")).to_contain_text("broken@")
    chips.nth(2).get_by_role("button").click()
    expect(chips).to_have_count(3)
    chips.nth(1).click()
    page.get_by_role("menuitem", name="Move to Cc").click()
    expect(page.get_by_test_id("chip-cc")).to_have_count(1)
    world.until(lambda: world.rows("SELECT address FROM outbox_recipients WHERE role = 'cc'") == [("j@x.example",)])


def test_a_reply_folds_the_quote_and_completes_whom_one_wrote_with(world: World) -> None:
    """Deliver 2: a correspondent is offered by name; the quote waits behind three dots; the address in the mail is a link."""
    page = world.page
    page.get_by_test_id("compose-minimise").click()
    page.get_by_text("Survey").first.click()
    page.get_by_test_id("reply").click()
    expect(page.get_by_test_id("chip-to")).to_contain_text("Maja Kos")
    page.get_by_test_id("compose-quote").locator("summary").click()
    expect(page.frame_locator(".composer-quoted iframe").locator("body")).to_contain_text("Write to luka")
    snap(page, "composer-reply")
    world.discard()
    world.compose()
    page.get_by_test_id("compose-to").press_sequentially("maj")
    expect(page.get_by_test_id("completion")).to_have_count(1)
    snap(page, "composer-completion")
    page.get_by_test_id("compose-to").press("Enter")
    expect(page.get_by_test_id("chip-to")).to_contain_text("Maja Kos")
    world.discard()
    page.get_by_test_id("compose-tab").click()
    expect(page.get_by_test_id("chip-to")).to_have_count(2)


def test_a_second_tab_is_told_and_overwrites_nothing(world: World) -> None:
    """Another tab saves a newer text of a draft that is open here: the older one is told, and stays as it is."""
    page = world.page
    world.write("Two tabs")
    draft = world.row("Two tabs", "id")[0][0]
    other = page.context.new_page()
    other.goto(f"{world.app.url}/drafts")
    other.get_by_test_id("outgoing-row").filter(has_text="Two tabs").click()
    expect(other.get_by_test_id("chip-to")).to_have_count(2)
    other.get_by_test_id("compose-subject").fill("Newer subject")
    world.until(lambda: world.row("Newer subject"))
    page.get_by_test_id("compose-subject").fill("Older subject")
    expect(page.get_by_test_id("compose-stale")).to_be_visible()
    assert world.row("Newer subject", "id") == [(draft,)]
    page.get_by_test_id("stale-load").click()
    expect(page.get_by_test_id("compose-subject")).to_have_value("Newer subject")
    expect(page.get_by_test_id("compose-stale")).to_have_count(0)
    other.close()
    world.discard()


def test_schedules_takes_back_and_sends_with_undo(world: World) -> None:
    """B10: a time from the menu with a reminder; cancelled from the outbox; sent and undone."""
    page = world.page
    world.write("Tomorrow, maybe")
    page.get_by_test_id("compose-body").click()
    page.keyboard.press("Control+Shift+Enter")
    expect(page.get_by_test_id("later-tomorrow")).to_be_visible()
    page.get_by_test_id("compose-remind").select_option("3")
    snap(page, "composer-later")
    page.get_by_test_id("later-tomorrow").click()
    expect(page.get_by_test_id("compose-body")).to_have_count(0)
    world.until(lambda: world.row("Tomorrow, maybe") == [("queued",)])
    assert str(world.row("Tomorrow, maybe", "send_local")[0][0]).endswith("T08:00")
    assert world.row("Tomorrow, maybe", "remind_days") == [(3,)]
    page.goto(f"{world.app.url}/outbox")
    row = page.get_by_test_id("outgoing-row").filter(has_text="Tomorrow, maybe")
    expect(row).to_have_count(1)
    snap(page, "outbox-scheduled")
    row.get_by_test_id("outgoing-edit").click()
    expect(page.get_by_test_id("compose-subject")).to_have_value("Tomorrow, maybe")
    expect(page.get_by_test_id("chip-to")).to_have_count(2)
    page.get_by_test_id("compose-send").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_test_id("compose-subject")).to_have_value("Tomorrow, maybe")
    assert world.row("Tomorrow, maybe") == [("draft",)]
    world.discard()


def test_done_and_snoozed_from_a_row_and_after_an_answer(world: World) -> None:
    """Deliver 7: both can be undone; the answer's undo brings its conversation back too."""
    page = world.page
    archived = "SELECT archived FROM messages WHERE subject = 'Survey'"
    page.goto(f"{world.app.url}/inbox")
    row = page.get_by_test_id("thread-row").filter(has_text="Survey")
    row.hover()
    snap(page, "row-acts")
    page.get_by_test_id("row-done").first.click()
    expect(row).to_have_count(0)
    assert world.rows(archived) == [(1,)]
    page.get_by_role("button", name="Undo").click()
    expect(row).to_have_count(1)
    row.hover()
    page.get_by_test_id("row-snooze").first.select_option("tomorrow")
    expect(row).to_have_count(0)
    assert world.rows("SELECT kind FROM reminders WHERE ended_at IS NULL") == [("snooze",)]
    page.get_by_role("button", name="Undo").last.click()
    expect(row).to_have_count(1)
    row.click()
    page.get_by_test_id("reply").click()
    expect(page.get_by_test_id("chip-to")).to_contain_text("Maja Kos")
    page.get_by_test_id("compose-later").click()
    page.get_by_test_id("compose-after").select_option("done")
    snap(page, "composer-after")
    page.get_by_test_id("compose-send").click()
    expect(page.get_by_test_id("compose-body")).to_have_count(0)
    expect(row).to_have_count(0)
    assert world.rows(archived) == [(1,)]
    page.get_by_role("button", name="Undo").last.click()
    expect(page.get_by_test_id("chip-to")).to_contain_text("Maja Kos")
    expect(row).to_have_count(1)
    world.discard()


def test_minimises_to_tabs_and_grows(world: World) -> None:
    """DESIGN §3 d: a tab for each draft at the foot of the page; larger and smaller; Esc keeps the draft."""
    page = world.page
    tabs = page.get_by_test_id("compose-tab")
    page.goto(f"{world.app.url}/inbox")
    world.write("First")
    page.get_by_test_id("compose-minimise").click()
    expect(tabs.filter(has_text="First")).to_have_count(1)
    world.write("Second")
    page.get_by_test_id("compose-widen").click()
    snap(page, "composer-wide")
    tabs.filter(has_text="First").click()
    expect(page.get_by_test_id("compose-subject")).to_have_value("First")
    expect(tabs.filter(has_text="Second")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("compose-body")).to_have_count(0)
    tabs.filter(has_text="Second").click()
    expect(page.get_by_test_id("compose-subject")).to_have_value("Second")
    expect(page.get_by_test_id("chip-to")).to_have_count(2)
    world.discard()
    world.until(lambda: not world.row("Second"))
    assert world.row("First") == [("draft",)]


def test_a_mail_link_opens_the_composer_with_what_it_may_say(world: World) -> None:
    """M18: to, cc, subject and body; nothing else of a hostile link."""
    page = world.page
    link = "mailto:maja@vodovod.example%3Fcc%3Dluka@vodovod.example%26subject%3DPilot%26body%3DHello%250D%250Athere%26attach%3D/etc/passwd"
    page.goto(f"{world.app.url}/inbox?mailto={link}")
    expect(page.get_by_test_id("compose-subject")).to_have_value("Pilot")
    expect(page.get_by_test_id("chip-cc")).to_have_count(1)
    expect(page.get_by_test_id("compose-body")).to_contain_text("there")
    page.set_viewport_size({"width": 390, "height": 844})
    snap(page, "composer-phone")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="dark")
    snap(page, "composer-dark")
    world.discard()


def test_the_outbox_tells_of_each_try(world: World) -> None:
    """B10: when, how far, and the server's own words, under the row; the words are not cut by the buttons."""
    page = world.page
    page.emulate_media(color_scheme="light")
    world.sink.faults.on_mail = "450 4.7.1 greylisted for now"
    try:
        page.goto(f"{world.app.url}/inbox")
        world.compose()
        page.get_by_test_id("compose-to").fill("maja@vodovod.example,")
        page.get_by_test_id("compose-subject").fill("Held back")
        page.get_by_test_id("compose-send").click()
        expect(page.get_by_test_id("compose-body")).to_have_count(0)
        page.goto(f"{world.app.url}/outbox")
        row = page.get_by_test_id("outgoing-row").filter(has_text="Held back")
        row.get_by_test_id("outgoing-now").click()
        expect(row.get_by_test_id("outgoing-said")).to_contain_text("Next try", timeout=40_000)
        row.get_by_test_id("outgoing-tries").click()
        tries = page.get_by_test_id("outgoing-attempts")
        expect(tries.get_by_role("listitem")).to_have_count(1)
        expect(tries).to_contain_text("450 4.7.1 greylisted for now")
        snap(page, "outbox-tries")
        row.get_by_test_id("outgoing-tries").click()
        expect(tries).to_have_count(0)
        row.get_by_test_id("outgoing-cancel").click()
        expect(row).to_have_count(0)
    finally:
        world.sink.calm()
