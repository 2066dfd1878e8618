"""The mail page under a person's hands: keys, drafts, undo, live mail, and what must never travel (DESIGN §5, §6).

Runs in the demo workspace: two mailboxes on a mail server of its own, nothing outside this machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, WebSocket, expect

from tests.e2e.conftest import App, snap, undo

OWN = "sana@tidewater.example"
#: Near the end of a demo email: too late for a snippet, so it is read in the frame or not at all.
LATE_IN_BODY = "the PO goes out"


class Wire:
    """Everything that came over the page's sockets."""

    def __init__(self, page: Page) -> None:
        self.received: list[str] = []
        page.on("websocket", self._open)

    def _open(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda payload: self.received.append(str(payload)))


@pytest.fixture(scope="module")
def page(app: App, chromium: Browser) -> Iterator[Page]:
    """Sana's browser, signed in to the demo by its one button."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.goto(app.url)
    opened.get_by_test_id("setup-demo").click()
    expect(opened.get_by_test_id("thread-row").filter(has_text="Büsum")).to_be_visible(timeout=60_000)
    yield opened
    context.close()
    assert not problems, problems


@pytest.fixture(autouse=True)
def at_the_inbox(app: App, page: Page) -> None:
    page.goto(f"{app.url}/inbox")
    expect(page.get_by_test_id("thread-row").first).to_be_visible()
    expect(page.get_by_test_id("sync-status")).not_to_be_empty()


def press(page: Page, key: str, **event: object) -> None:
    """Dispatch a key on the page itself, with properties that Playwright's keyboard can't set."""
    page.evaluate(
        "([key, more]) => document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, ...more}))",
        [key, event],
    )


def test_keys_move_open_and_write(page: Page) -> None:
    """DESIGN §6: J and K move, C composes, Esc closes; each does what a button does."""
    page.keyboard.press("j")
    first = page.get_by_test_id("thread-row").first
    expect(first).to_have_attribute("aria-current", "true")
    expect(page.get_by_test_id("message-frame").last).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_test_id("thread-row").nth(1)).to_have_attribute("aria-current", "true")
    expect(first).not_to_have_attribute("aria-current", "true")
    page.keyboard.press("c")
    expect(page.get_by_test_id("compose-to")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("compose-to")).to_have_count(0)


def test_keys_are_not_ours_while_somebody_types_or_converts(page: Page) -> None:
    """DESIGN §6: in a field, with a modifier, or while an input method is composing, no key is a shortcut."""
    page.get_by_test_id("search-input").click()
    page.keyboard.type("cccc")
    press(page, "c", isComposing=True)
    press(page, "c", ctrlKey=True)
    press(page, "c", keyCode=229)
    page.wait_for_timeout(500)
    expect(page.get_by_test_id("compose-to")).to_have_count(0)
    page.get_by_test_id("search-input").fill("")


def test_search_completes_finds_and_marks(app: App, page: Page) -> None:
    """B11: operators and people are offered by the keyboard; accents need not be typed; hits are marked in the rows."""
    field = page.get_by_test_id("search-input")
    offers = page.get_by_test_id("search-offer")
    field.click()
    field.press_sequentially("sub")
    expect(offers.first).to_have_text(re.compile("subject:"))
    snap(page, "search-offers")
    field.press("ArrowDown")
    field.press("Enter")
    expect(field).to_have_value("subject:")
    field.press_sequentially("busum")
    field.press("Enter")
    expect(page).to_have_url(re.compile("q=subject"))
    expect(page.get_by_test_id("thread-row").filter(has_text="Büsum").first).to_be_visible()
    page.wait_for_function("() => [...(CSS.highlights.get('search') ?? [])].some((range) => String(range) === 'Büsum')")
    snap(page, "search-marked")
    field.fill("from:nobody-at-all")
    field.press("Enter")
    expect(page.get_by_test_id("thread-row")).to_have_count(0)


def test_enter_in_a_field_never_sends(page: Page) -> None:
    """DESIGN §6: the Enter that confirms a Japanese conversion must not send a half-written email."""
    page.get_by_test_id("compose-open").click()
    page.get_by_test_id("compose-to").fill(OWN)
    for field in ("compose-to", "compose-subject"):
        page.get_by_test_id(field).press("Enter")
    page.wait_for_timeout(500)
    expect(page.get_by_test_id("compose-send")).to_be_visible()
    page.get_by_test_id("compose-discard").click()
    expect(page.get_by_test_id("compose-body")).to_have_count(0)


def test_a_wrong_address_is_named_and_nothing_leaves(page: Page) -> None:
    """M26's neighbour: the sentence names the address; the composer stays as it was."""
    page.get_by_test_id("compose-open").click()
    page.get_by_test_id("compose-to").fill(f"lena at nordlicht, {OWN}")
    page.get_by_test_id("compose-subject").fill("Tide tables")
    page.get_by_test_id("compose-send").click()
    expect(page.get_by_test_id("compose-error")).to_contain_text("lena at nordlicht")
    expect(page.get_by_test_id("chip-to")).to_have_count(2)
    page.get_by_test_id("compose-discard").click()
    expect(page.get_by_test_id("compose-body")).to_have_count(0)


def test_a_draft_survives_a_closed_tab(app: App, page: Page) -> None:
    """Decision 9: what is written is in the database, in any script; an untouched composer leaves nothing behind."""
    page.get_by_test_id("compose-open").click()
    page.get_by_test_id("compose-subject").fill("Überlebt 生き残る")
    page.get_by_test_id("compose-body").click()
    page.keyboard.type("The text stays. ")
    page.keyboard.insert_text("文章は残ります。")
    expect(page.get_by_test_id("compose-saved")).not_to_be_empty()
    page.wait_for_timeout(1500)  # the pause after which the editor saves
    page.goto(f"{app.url}/drafts")
    page.get_by_test_id("outgoing-row").filter(has_text="Überlebt").click()
    expect(page.get_by_test_id("compose-body")).to_contain_text("The text stays. 文章は残ります。")
    page.get_by_test_id("compose-discard").click()
    expect(page.get_by_test_id("compose-body")).to_have_count(0)
    page.get_by_test_id("compose-open").click()
    page.get_by_test_id("compose-close").click()
    page.goto(f"{app.url}/drafts")
    expect(page.get_by_text("No drafts")).to_be_visible()


def test_undo_takes_a_sent_email_back(page: Page) -> None:
    """DESIGN §5: Send can be undone while the server still holds it; the draft opens again as it was."""
    page.get_by_test_id("compose-open").click()
    page.get_by_test_id("compose-to").fill(OWN)
    page.get_by_test_id("compose-subject").fill("Second thoughts")
    page.get_by_test_id("compose-body").click()
    page.keyboard.type("Wait a moment.")
    page.get_by_test_id("compose-send").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_test_id("compose-body")).to_contain_text("Wait a moment.")
    expect(page.get_by_test_id("chip-to")).to_have_attribute("title", re.compile(OWN))
    page.get_by_test_id("compose-discard").click()
    expect(page.get_by_test_id("compose-body")).to_have_count(0)


def test_no_body_travels_through_the_socket(page: Page) -> None:
    """Decision 10: bodies have a route of their own; the frame may not run scripts."""
    wire = Wire(page)
    page.reload()
    page.get_by_test_id("thread-row").filter(has_text="Proposal, 24 probes").click()
    frame = page.get_by_test_id("message-frame").last
    expect(frame.content_frame.locator("body")).to_contain_text(LATE_IN_BODY)
    sandbox = frame.get_attribute("sandbox") or ""
    assert "allow-same-origin" in sandbox
    assert "allow-scripts" not in sandbox
    assert any("Proposal, 24 probes" in payload for payload in wire.received), "the socket was not watched"
    assert not any(LATE_IN_BODY in payload for payload in wire.received)
    page.get_by_test_id("reply").click()  # the quoted original stays on the server too, but for its first lines
    expect(page.get_by_test_id("compose-body")).to_be_visible()
    page.get_by_test_id("compose-discard").click()
    expect(page.get_by_test_id("compose-body")).to_have_count(0)


def test_new_mail_comes_by_itself_and_moves_nothing_under_the_pointer(page: Page) -> None:
    """Item 8 and DESIGN §5: a row appears on top without reloading; the row under the pointer stays where it is."""
    page.get_by_test_id("compose-open").click()
    page.get_by_test_id("compose-to").fill(OWN)
    page.get_by_test_id("compose-subject").fill("A note to myself")
    page.get_by_test_id("compose-body").click()
    page.keyboard.type("Arrives by itself.")
    page.get_by_test_id("compose-send").click()
    expect(page.get_by_test_id("compose-send")).to_have_count(0)
    row = page.get_by_test_id("thread-row").filter(has_text="Calibration certificates")
    row.hover()
    before = row.bounding_box()
    expect(page.get_by_test_id("thread-row").filter(has_text="A note to myself")).to_have_count(1, timeout=60_000)
    after = row.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2
    snap(page, "mail-new-row")


def test_another_users_and_made_up_ids_look_the_same(app: App, page: Page) -> None:
    """Architecture, rule 1: what the actor may not see does not exist."""
    for path in ("/thread/99999", "/thread/0", "/thread/9223372036854775808", "/thread/x'--"):
        page.goto(app.url + path)
        expect(page.get_by_text("That doesn’t exist, or you can’t see it.")).to_be_visible()
    page.goto(f"{app.url}/deal/99999")
    expect(page.get_by_text("No such deal")).to_be_visible()
    answer = page.goto(f"{app.url}/nothing/here")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", name="There is nothing at this address")).to_be_visible()
    page.get_by_test_id("lost-home").click()
    expect(page.get_by_test_id("thread-row").first).to_be_visible()


def test_filters_combine_and_stay_in_the_address(page: Page) -> None:
    """Issue 9: filters are chips that combine; back, forward and reload keep them; a view keeps them under a name."""
    page.get_by_test_id("filter-unread").click()
    page.wait_for_url("**/inbox?filter=unread")
    page.get_by_test_id("filter-menu").click()
    page.get_by_test_id("filter-files").click()
    page.wait_for_url("**/inbox?filter=unread,files")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("filter-on")).to_have_count(1)
    page.go_back()
    expect(page.get_by_test_id("filter-on")).to_have_count(0)
    expect(page.get_by_test_id("filter-unread")).to_have_attribute("aria-pressed", "true")
    page.go_forward()
    expect(page.get_by_test_id("filter-on")).to_have_count(1)
    page.get_by_test_id("view-save").click()
    page.get_by_test_id("view-name").fill("New files")
    page.get_by_test_id("view-keep").click()
    expect(page.get_by_test_id("view")).to_have_attribute("aria-current", "page")
    page.reload()
    expect(page.get_by_test_id("filter-on")).to_have_count(1)
    page.get_by_test_id("view").hover()
    page.get_by_test_id("view-more").click()
    page.get_by_test_id("view-delete").click()
    expect(page.get_by_test_id("view")).to_have_count(0)
    undo(page, "New files")
    expect(page.get_by_test_id("view")).to_have_text("New files")


def test_back_from_the_first_filter_shows_everything_again(page: Page) -> None:
    """Issue 9: the page was loaded at the address that Back returns to, and the router never left it."""
    page.get_by_test_id("filter-clicked").click()
    page.wait_for_url("**/inbox?filter=clicked")
    expect(page.get_by_test_id("list-found")).to_be_visible()
    page.go_back()
    expect(page.get_by_test_id("filter-all")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_test_id("list-found")).to_have_count(0)
    page.go_forward()
    expect(page.get_by_test_id("filter-clicked")).to_have_attribute("aria-pressed", "true")


def test_a_label_is_made_and_put_on_by_keys(page: Page) -> None:
    """Issue 9: labels with colours, made where they are used, in rows and reading, with Undo."""
    page.get_by_test_id("thread-row").filter(has_text="Proposal, 24 probes").click()
    expect(page.get_by_test_id("message-frame").last).to_be_visible()
    page.keyboard.press("Shift+L")
    expect(page.get_by_test_id("label-name")).to_be_focused()
    page.keyboard.type("Tender")
    page.keyboard.press("Enter")
    worn = page.locator(".thread-row").get_by_test_id("thread-label")
    expect(worn).to_have_text("Tender")
    page.keyboard.press("Escape")
    undo(page, "Tender")
    expect(worn).to_have_count(0)


def test_the_palette_finds_goes_and_gives_the_focus_back(page: Page) -> None:
    """B12: Ctrl K finds and does; an Enter that ends a conversion does nothing; the focus returns to its row."""
    row = page.locator(".thread-row").nth(2)
    row.focus()
    page.keyboard.press("Control+k")
    field = page.get_by_test_id("palette-input")
    expect(field).to_be_focused()
    field.press_sequentially("busum")
    expect(page.locator('[data-testid="palette-row"][data-kind="thread"]').first).to_contain_text("Büsum")
    field.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "keyCode": 229, "bubbles": True})
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(row).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_test_id("keys-sheet")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type(">deals")
    expect(page.locator('[data-testid="palette-row"][aria-selected="true"]')).to_contain_text("Deals")
    page.keyboard.press("Enter")
    page.wait_for_url("**/deals")


def test_the_palette_finds_files(page: Page) -> None:
    """Issue 9 item 4: a file is found by the beginnings of its words, and opens its conversation."""
    page.keyboard.press("Control+k")
    page.keyboard.type("nordlicht sign")
    file = page.locator('[data-testid="palette-row"][data-kind="file"]')
    expect(file.first).to_contain_text("Nordlicht_signed")
    file.first.click()
    page.wait_for_url("**/thread/*")
    expect(page.locator("[data-preview=pdf]").first).to_be_visible()


def test_a_person_and_days_are_filters(page: Page) -> None:
    """DESIGN §3 (c): a contact and days narrow the list like the others, with chips; the header counts what is found."""
    page.keyboard.press("Shift+F")
    page.get_by_test_id("filter-person").press_sequentially("lena")
    page.get_by_test_id("menu-choice").filter(has_text="Lena Vogt").first.click()
    page.wait_for_url(re.compile(r"filter=person-\d+"))
    snap(page, "filter-menu")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("filter-on")).to_contain_text("Lena Vogt")
    found = page.get_by_test_id("list-found")
    expect(found).to_have_text(str(page.get_by_test_id("thread-row").count()))
    page.get_by_test_id("filter-menu").click()
    page.get_by_test_id("filter-until").fill("2001-05-06")
    page.wait_for_url(re.compile(r"until-2001-05-06"))
    expect(page.get_by_test_id("thread-row")).to_have_count(0)
    page.get_by_test_id("filter-until").fill("")
    expect(page.get_by_test_id("thread-row").first).to_be_visible()
    page.keyboard.press("Escape")
    page.reload()
    expect(page.get_by_test_id("filter-on")).to_have_text("Lena Vogt")
    expect(found).to_have_text(str(page.get_by_test_id("thread-row").count()))


def test_help_stands_beside_hard_words(page: Page) -> None:
    """Issue 9 item 7: a question mark that the keyboard reaches says what a word means, and gives the focus back."""
    page.get_by_test_id("thread-row").filter(has_text="Büsum").first.click()
    mark = page.get_by_test_id("help-visibility")
    mark.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("help-text")).to_contain_text("nobody else can read it")
    snap(page, "help")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("help-text")).to_have_count(0)
    expect(mark).to_be_focused()
