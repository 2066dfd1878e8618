"""Settings › Import and export in a browser: people and deals out of Pipedrive's files, errors, undo, export (Deliver 6, B14)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import App, make_administrator, snap
from tests.e2e.test_accessibility import RULES

ANN = "ann.import@tidewater.example"
PASSWORD = "correct horse battery"
PEOPLE = (
    "Person - Name,Person - Email - Work,Person - Phone - Work,Person - Organization,Person - Shoe size,Person - ID\n"
    + "".join(f"Person {n},p{n}@nordlicht.example,+49 30 {n:06},Nordlicht GmbH,{n},{n}\n" for n in range(1, 451))
    + "Broken,not an address,,,,900\n"
)
DEALS = (
    "Deal - Title,Deal - Value,Deal - Currency of Value,Deal - Stage,Deal - Contact person,Deal - Expected close date,Deal - ID\n"
    'Pumps,"12,500.00",EUR,Demo,Person 7,1/2/2027,1\n'
    "Valves,900,EUR,Signed by lawyers,Person 8,3/4/2027,2\n"
)


@pytest.fixture(scope="module")
def page(app: App, chromium: Browser) -> Iterator[Page]:
    """Ann signed in, on the page."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB", accept_downloads=True)
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    make_administrator(opened, app, ANN, PASSWORD)
    opened.goto(f"{app.url}/settings/import")
    expect(opened.get_by_test_id("import-file")).to_be_attached()
    yield opened
    context.close()
    assert not problems, problems


def upload(page: Page, kind: str, name: str, data: bytes) -> None:
    page.get_by_test_id(f"import-kind-{kind}").check(force=True)
    page.get_by_test_id("import-file").set_input_files(files=[{"name": name, "mimeType": "text/csv", "buffer": data}])


def violations(page: Page) -> str:
    page.wait_for_timeout(400)
    found = Axe().run(page, options=RULES).response["violations"]
    return "\n".join(f"{each['id']}: {[node['html'][:120] for node in each['nodes'][:3]]}" for each in found)


def test_people_of_pipedrive(page: Page) -> None:
    """Recognised, looked at, imported in the background with its progress, and the bad line can be had."""
    snap(page, "import-start")
    upload(page, "person", "people-120.csv", PEOPLE.encode("utf-16"))
    expect(page.get_by_test_id("import-pipedrive")).to_be_visible()
    expect(page.get_by_test_id("import-encoding")).to_have_value("UTF-16 LE")
    kinds = page.get_by_test_id("import-map")
    expect(kinds).to_have_count(6)
    expect(kinds.nth(0)).to_have_value("name")
    expect(kinds.nth(4)).to_have_value("")
    kinds.nth(4).select_option("new:number")
    expect(kinds.nth(4)).to_have_value("new:number")
    page.get_by_test_id("import-check").click()
    expect(page.get_by_test_id("import-look").get_by_test_id("import-made")).to_have_text("450")
    expect(page.get_by_test_id("import-look").get_by_test_id("import-wrong")).to_have_text("1")
    expect(page.get_by_test_id("import-problems")).to_contain_text("not an address")
    snap(page, "import-look")
    assert not violations(page)
    page.get_by_test_id("import-start").click()
    expect(page.get_by_test_id("import-ended")).to_have_attribute("data-state", "done", timeout=60_000)
    expect(page.get_by_test_id("import-ended").get_by_test_id("import-made")).to_have_text("450")
    snap(page, "import-done")
    with page.expect_download() as download:
        page.get_by_test_id("import-bad-lines").first.click()
    text = Path(download.value.path()).read_text("utf-8-sig")
    assert "Broken" in text
    assert text.count("\n") == 2


def test_deals_ask_what_they_can_not_know(page: Page) -> None:
    """Days that may be two, and stages that are not there, are asked about before anything is made."""
    page.get_by_test_id("import-back").click()
    upload(page, "deal", "deals.csv", DEALS.encode())
    page.get_by_test_id("import-check").click()
    expect(page.get_by_role("alert").first).to_contain_text("1/2/2026")
    page.get_by_test_id("import-order").select_option("dmy")
    page.get_by_test_id("import-check").click()
    expect(page.get_by_test_id("import-problems")).to_contain_text("Signed by lawyers")
    page.get_by_test_id("import-make_stages").click()
    page.get_by_test_id("import-check").click()
    expect(page.get_by_test_id("import-look").get_by_test_id("import-made")).to_have_text("2")
    expect(page.get_by_test_id("import-also")).to_contain_text("stages")
    page.get_by_test_id("import-start").click()
    expect(page.get_by_test_id("import-ended")).to_have_attribute("data-state", "done", timeout=60_000)


def test_export_and_undo(page: Page) -> None:
    """What went in comes out, and what an import made goes to the trash again."""
    page.get_by_test_id("import-back").click()
    with page.expect_download() as download:
        page.get_by_test_id("export-deals").click()
    assert "Pumps" in Path(download.value.path()).read_text("utf-8-sig")
    expect(page.get_by_test_id("import-row")).to_have_count(2)
    page.get_by_test_id("import-row").first.get_by_test_id("import-undo").click()
    page.get_by_test_id("import-undo-confirm").click()
    expect(page.get_by_test_id("import-row").first).to_have_attribute("data-state", "undone")
    snap(page, "import-list")
    assert not violations(page)


def test_a_file_that_can_not_be_read(page: Page) -> None:
    """A workbook is no CSV; the page says so and what to do."""
    upload(page, "person", "people.xlsx", b"PK\x03\x04" + b"\x00" * 100)
    expect(page.get_by_role("alert").first).to_contain_text("Save it as CSV")


@pytest.mark.parametrize(("width", "name"), [(390, "phone"), (1440, "desk")])
def test_phone_dark_and_japanese(page: Page, app: App, width: int, name: str) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme="dark" if name == "phone" else "light")
    page.goto(f"{app.url}/settings/import")
    page.get_by_test_id("import-row").last.get_by_test_id("import-open").click()
    expect(page.get_by_test_id("import-ended")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
    snap(page, f"import-{name}")
