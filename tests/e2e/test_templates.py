"""Templates and signatures in a browser: write, sort, share, preview with a contact, use, and the signature that follows.

Runs in the demo workspace: two mailboxes on a mail server of its own, contacts with deals.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import App, snap
from tests.integration.writing.pictures import PNG


@pytest.fixture(scope="module")
def page(app: App, chromium: Browser) -> Iterator[Page]:
    """Sana's browser, signed in to the demo by its one button."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    opened = context.new_page()
    opened.goto(app.url)
    opened.get_by_test_id("setup-demo").click()
    opened.wait_for_url(re.compile("/inbox"), timeout=60_000)
    with closing(sqlite3.connect(app.folder / "data" / "mailcrm.sqlite3", timeout=30)) as database, database:
        database.execute("DELETE FROM templates")  # the demo's own: these tests begin with none
    yield opened
    context.close()


def editor(page: Page) -> Locator:
    return page.locator(".tpl-write .mc-editor, .sig-write .mc-editor")


def rows(page: Page) -> list[str]:
    return page.get_by_test_id("template-row").locator(".b").all_inner_texts()


def wait_saved(page: Page) -> None:
    """Until the server confirmed all of the text: "Saved" alone may be about what was typed before."""
    expect(page.locator(".tpl-write textarea[name=html], .sig-write textarea[name=html]")).not_to_have_attribute(
        "data-saved", "no"
    )


def write(page: Page, name: str, subject: str, text: str) -> None:
    """A new template, typed into the page as soon as it is there."""
    page.get_by_test_id("template-create").click()
    expect(page.get_by_test_id("template-name")).to_have_value("Untitled")
    page.get_by_test_id("template-name").fill(name)
    page.get_by_test_id("template-subject").fill(subject)
    editor(page).click()
    page.keyboard.type(text)
    row = page.get_by_test_id("template-row").filter(has_text=name)
    expect(row).to_have_count(1)
    if "{" not in subject:
        expect(row).to_contain_text(subject)
    wait_saved(page)
    expect(page.get_by_test_id("template-saved")).to_contain_text("Saved")
    expect(page.get_by_test_id("template-name")).to_have_value(name)
    expect(page.get_by_test_id("template-subject")).to_have_value(subject)
    expect(editor(page)).to_contain_text(text.strip())


def test_a_template_is_written_and_previewed_with_a_contact(app: App, page: Page) -> None:
    """M06, M07: pills while it is written, real values in the preview, and a sentence for what has no value."""
    expect(page.get_by_test_id("thread-row").first).to_be_visible()
    page.locator("body").press("g")
    page.locator("body").press("t")
    expect(page).to_have_url(re.compile("/templates"))
    expect(page.get_by_text("No templates yet")).to_be_visible()
    write(page, "Pilot pricing", "{{ deal.title }}: phase 1 pilot", "Hi ")
    page.keyboard.type("{{first")
    page.keyboard.press("Enter")
    page.keyboard.type(", the pilot comes to ")
    page.keyboard.type("{{deal val")
    page.keyboard.press("Enter")
    page.keyboard.type(" before ")
    page.keyboard.type("{{expected")
    page.keyboard.press("Enter")
    page.keyboard.type(".")
    expect(editor(page).get_by_test_id("merge-pill")).to_have_count(3)
    frame = page.frame_locator('[data-testid="preview-frame"]')
    expect(frame.locator("body")).to_contain_text("the pilot comes to")
    page.get_by_test_id("template-person").click()
    page.get_by_test_id("template-person-search").fill("Lena")
    page.get_by_test_id("template-person-choice").filter(has_text="Lena").first.click()
    expect(frame.locator("body")).to_contain_text("Hi Lena")
    expect(page.get_by_test_id("preview-subject")).not_to_contain_text("{")
    snap(page, "templates-written")


def test_folders_order_sharing_and_search(app: App, page: Page) -> None:
    page.goto(f"{app.url}/templates")
    write(page, "Introduction", "Water quality", "Hello")
    write(page, "お見積りのご送付", "お見積り", "こんにちは")
    page.get_by_test_id("template-folder").select_option("+")
    page.get_by_test_id("folder-name").fill("Quotes")
    page.get_by_test_id("folder-save").click()
    expect(page.locator(".tpl-folder")).to_have_text("Quotes")
    page.get_by_test_id("template-row").filter(has_text="Introduction").click()
    page.get_by_test_id("template-more").click()
    page.get_by_test_id("template-up").click()
    expect(page.get_by_test_id("template-row").first).to_contain_text("Introduction")
    page.get_by_test_id("template-row").filter(has_text="Pilot pricing").click()
    expect(page.get_by_test_id("template-name")).to_have_value("Pilot pricing")
    page.get_by_test_id("template-share").click()
    expect(page.locator(".tpl-section").first).to_have_text("Shared with the team")
    assert rows(page) == ["Pilot pricing", "Introduction", "お見積りのご送付"]
    page.get_by_test_id("template-search").fill("pilot comes")
    expect(page.get_by_test_id("template-row")).to_have_count(1)
    page.get_by_test_id("template-search").fill("")
    expect(page.get_by_test_id("template-row")).to_have_count(3)


def test_what_is_typed_in_one_is_never_lost_to_the_next(app: App, page: Page) -> None:
    """Names typed in two templates within one pause are both kept; a field goes into the subject that is on the screen."""
    page.goto(f"{app.url}/templates")
    name = page.get_by_test_id("template-name")
    page.get_by_test_id("template-row").filter(has_text="Introduction").click()
    expect(name).to_have_value("Introduction")
    name.fill("Introduction to probes")
    page.get_by_test_id("template-row").filter(has_text="お見積り").click()
    expect(name).to_have_value("お見積りのご送付")
    name.fill("お見積書のご送付")
    subject = page.get_by_test_id("template-subject")
    subject.fill("お見積り ")
    page.get_by_test_id("template-subject-field").select_option("deal.title")
    expect(subject).to_have_value("お見積り {{ deal.title }}")
    subject.press_sequentially(" 御中")
    expect(page.get_by_test_id("template-row").filter(has_text="Introduction to probes")).to_have_count(1)
    expect(page.get_by_test_id("template-row").filter(has_text="お見積書")).to_contain_text("御中")
    page.reload()
    page.get_by_test_id("template-row").filter(has_text="お見積書").click()
    expect(name).to_have_value("お見積書のご送付")
    expect(subject).to_have_value("お見積り {{ deal.title }} 御中")
    subject.fill("お見積り")
    name.fill("お見積りのご送付")
    expect(page.get_by_test_id("template-row").filter(has_text="お見積りの")).to_have_count(1)


def test_a_template_made_while_the_last_one_is_being_saved_takes_none_of_its_text(app: App, page: Page) -> None:
    """The open one's text is still on its way when the next is begun: each keeps its own."""
    page.get_by_test_id("template-row").filter(has_text="Introduction").click()
    expect(page.get_by_test_id("template-name")).to_have_value("Introduction to probes")
    editor(page).click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" and goodbye")
    page.get_by_test_id("template-create").click()
    expect(page.get_by_test_id("template-name")).to_have_value("Untitled")
    expect(editor(page)).to_have_text("")
    page.get_by_test_id("template-row").filter(has_text="Introduction").click()
    expect(page.get_by_test_id("template-name")).to_have_value("Introduction to probes")
    expect(editor(page)).to_have_text("Hello and goodbye")
    page.get_by_test_id("template-row").filter(has_text="Untitled").click()
    expect(page.get_by_test_id("template-name")).to_have_value("Untitled")
    page.get_by_test_id("template-delete").click()
    expect(page.get_by_test_id("template-row")).to_have_count(3)


def test_rows_are_ordered_by_dragging(app: App, page: Page) -> None:
    """M07: ordered by hand; into a folder by dropping on one that is in it."""
    quote = page.get_by_test_id("template-row").filter(has_text="お見積り")
    intro = page.get_by_test_id("template-row").filter(has_text="Introduction")
    quote.drag_to(intro)
    expect(page.get_by_test_id("template-row").nth(1)).to_contain_text("お見積り")
    quote.drag_to(intro)
    expect(page.get_by_test_id("template-row").nth(1)).to_contain_text("Introduction")
    intro.drag_to(page.get_by_test_id("template-row").filter(has_text="Pilot pricing"))
    expect(page.get_by_text("stay apart")).to_be_visible()


def test_deleting_can_be_undone_and_files_are_kept(app: App, page: Page, tmp_path: Path) -> None:
    page.goto(f"{app.url}/templates")  # without the notice of the story before
    file = tmp_path / "prices.png"
    file.write_bytes(PNG)
    page.get_by_test_id("template-row").filter(has_text="Pilot pricing").click()
    expect(page.get_by_test_id("template-name")).to_have_value("Pilot pricing")
    page.get_by_test_id("template-attach").set_input_files(str(file))
    expect(page.locator(".tpl-files .file")).to_contain_text("prices.png")
    page.get_by_test_id("template-delete").click()
    expect(page.get_by_test_id("template-row")).to_have_count(2)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_test_id("template-row")).to_have_count(3)
    expect(page.get_by_test_id("template-name")).to_have_value("Pilot pricing")
    expect(page.locator(".tpl-files .file")).to_contain_text("prices.png")


def test_a_signature_is_written_and_every_new_email_of_its_mailbox_ends_with_it(app: App, page: Page) -> None:
    """M08: a default for each mailbox; the block stands once in what is written."""
    page.goto(f"{app.url}/settings/email-sync")
    page.get_by_test_id("tab-signatures").click()
    page.get_by_test_id("signature-create-first").click()
    expect(page.get_by_test_id("signature-name")).to_have_value("New signature")
    page.get_by_test_id("signature-name").fill("Work")
    editor(page).click()
    page.keyboard.type("Sana Okafor, Tidewater")
    wait_saved(page)
    expect(page.get_by_test_id("signature-row")).to_contain_text("Work")
    expect(page.frame_locator('[data-testid="preview-frame"]').locator("body")).to_contain_text("Tidewater")
    page.get_by_test_id("signature-default-new").first.select_option(label="Work")
    expect(page.get_by_test_id("signature-row")).to_contain_text("New: ")
    snap(page, "signatures")
    page.get_by_test_id("compose-open").click()
    dock = page.locator(".composer .mc-editor")
    expect(dock.locator(".mc-signature")).to_have_count(1)
    expect(dock.locator(".mc-signature")).to_contain_text("Tidewater")
    page.get_by_test_id("compose-discard").click()


def test_a_template_becomes_an_email(app: App, page: Page) -> None:
    """M07: subject, text and file come into a new draft, above the signature."""
    page.goto(f"{app.url}/templates")
    page.get_by_test_id("template-row").filter(has_text="Pilot pricing").click()
    expect(page.get_by_test_id("template-name")).to_have_value("Pilot pricing")
    page.get_by_test_id("template-use").click()
    dock = page.locator(".composer .mc-editor")
    expect(dock).to_contain_text("the pilot comes to")
    expect(dock.locator(".mc-signature")).to_have_count(1)
    snap(page, "template-used")
    page.get_by_test_id("compose-discard").click()


def rows_of(app: App, query: str) -> list[tuple[object, ...]]:
    """What the database has."""
    with sqlite3.connect(f"file:{app.folder}/data/mailcrm.sqlite3?mode=ro", uri=True) as database:
        return database.execute(query).fetchall()


def test_picks_a_template_with_a_slash_and_sees_merge_fields(app: App, page: Page) -> None:
    """Issue 5: `/` on an empty line finds templates without taking the focus; pills show the recipient's values."""
    page.goto(f"{app.url}/inbox")
    page.get_by_test_id("compose-open").click()
    dock = page.locator(".composer .mc-editor")
    expect(dock).to_be_visible()
    page.get_by_test_id("compose-to").fill("lena.vogt")
    page.get_by_test_id("completion").first.click()
    expect(page.get_by_test_id("chip-to")).to_contain_text("Lena Vogt")
    dock.locator("p").first.click()
    page.keyboard.type("/no such")
    found = page.get_by_test_id("slash-templates")
    expect(found).to_contain_text("No template has these words")
    expect(found.get_by_test_id("slash-new")).to_have_attribute("href", "/templates")
    page.keyboard.press("Escape")
    expect(found).to_have_count(0)
    page.keyboard.press("Control+a")
    page.keyboard.type("/pilot")
    expect(found.get_by_role("option")).to_have_count(1)
    snap(page, "composer-slash")
    page.keyboard.press("Enter")
    expect(found).to_have_count(0)
    expect(dock).to_contain_text("the pilot comes to")
    expect(dock).not_to_contain_text("/pilot")
    expect(dock.get_by_test_id("merge-pill").first).to_have_text("Lena")
    expect(page.get_by_test_id("compose-subject")).to_have_value("{{ deal.title }}: phase 1 pilot")
    expect(page.get_by_test_id("compose-subject-preview")).to_contain_text("Preview: ")
    page.get_by_test_id("tool-merge").click()
    expect(page.get_by_test_id("merge-list")).to_contain_text("Preview uses Lena Vogt")
    expect(page.get_by_test_id("merge-list").locator(".mc-group")).not_to_have_count(0)
    snap(page, "composer-merge-groups")
    page.keyboard.press("Escape")
    page.get_by_test_id("compose-template").click()
    page.get_by_test_id("picker-search").fill("zzz")
    expect(page.get_by_test_id("picker-new")).to_be_visible()
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_test_id("compose-discard").click()
    expect(dock).to_have_count(0)


def test_the_only_open_deal_is_proposed_and_who_refused_is_named(app: App, page: Page) -> None:
    """M28: one click links, another dismisses; T09: what a refusal means is said before it is sent."""
    lone = rows_of(
        app,
        "SELECT a.address, d.title FROM person_addresses a JOIN deals d ON d.person_id = a.person_id"
        " AND d.status = 'open' AND d.deleted_at IS NULL GROUP BY a.person_id"
        " HAVING count(DISTINCT d.id) = 1 AND a.person_id NOT IN (SELECT person_id FROM deal_participants) LIMIT 1",
    )
    assert lone, rows_of(app, "SELECT title, person_id, status FROM deals")
    address, title = map(str, lone[0])
    page.get_by_test_id("compose-open").click()
    body = page.locator(".composer .mc-editor")
    expect(body).to_be_visible()
    page.get_by_test_id("compose-to").fill(f"{address},")
    page.get_by_test_id("compose-to").press("Tab")
    offer = page.get_by_test_id("compose-offer")
    expect(offer).to_contain_text(title)
    snap(page, "composer-offer")
    offer.click()
    expect(offer).to_have_count(0)
    expect(page.get_by_test_id("compose-link")).to_contain_text(title)
    (refused,) = rows_of(
        app,
        "SELECT a.address, p.name FROM person_addresses a JOIN persons p ON p.id = a.person_id"
        " WHERE p.consent = 'refused' AND p.deleted_at IS NULL LIMIT 1",
    )
    page.get_by_test_id("compose-to").fill(f"{refused[0]},")
    page.get_by_test_id("compose-to").press("Tab")
    if page.get_by_test_id("compose-track-opens").get_attribute("aria-pressed") != "true":
        page.get_by_test_id("compose-track-opens").click()
    strip = page.get_by_test_id("compose-consent")
    expect(strip).to_contain_text("refused tracking")
    snap(page, "composer-consent")
    strip.get_by_test_id("consent-untracked").click()
    expect(strip).to_have_count(0)
    expect(page.get_by_test_id("compose-track-opens")).to_have_attribute("aria-pressed", "false")
    page.get_by_test_id("compose-discard").click()
    expect(body).to_have_count(0)


@pytest.mark.parametrize("look", ["dark", "ja", "phone"])
def test_pictures_to_hold_against_the_design(app: App, page: Page, look: str) -> None:
    page.goto(f"{app.url}/templates")
    page.get_by_test_id("template-row").filter(has_text="Pilot pricing").click()
    if look == "phone":
        page.set_viewport_size({"width": 390, "height": 844})
        expect(page.get_by_test_id("template-name")).to_be_visible()
    elif look == "dark":
        page.evaluate("document.documentElement.classList.add('dark')")
    else:
        page.goto(f"{app.url}/settings/profile")
        page.get_by_test_id("profile-language").select_option("ja")
        expect(page.locator("html")).to_have_attribute("lang", "ja")
        page.goto(f"{app.url}/templates")
    expect(page.frame_locator('[data-testid="preview-frame"]').locator("body")).to_contain_text("Lena")
    snap(page, f"templates-{look}")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
