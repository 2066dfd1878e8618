"""Make pictures of every screen and put them on contact sheets: `python -m tests.tools.contact_sheet [names …]`.

Starts the built app with a fresh demo workspace, goes through SCREENS in light and dark, at a desk (1440 × 900) and on a
phone (390 × 844), in English and Japanese, and leaves `test-results/contact-sheet/*.png` and `sheet-*.png` with all
variants of a screen side by side, the design's picture first where there is one. Judges nothing: people look at them.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from tests.conftest import ROOT
from tests.e2e.conftest import App

OUT = ROOT / "test-results" / "contact-sheet"
DESIGN = ROOT.parent / "shared" / "design"
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
THEMES = ("light", "dark")
LANGUAGES = ("en", "ja")


def nothing(_page: Page) -> None:
    """The screen is what the address shows."""


def open_first(page: Page) -> None:
    page.get_by_test_id("thread-row").filter(has_text="Büsum").first.click()
    expect(page.get_by_test_id("message-frame").first).to_be_visible()


def compose(page: Page) -> None:
    page.locator("[data-testid=compose-open]:visible, .fab:visible").first.click()
    expect(page.get_by_test_id("compose-body")).to_be_visible()


def palette(page: Page) -> None:
    page.keyboard.press("Control+k")


def bell(page: Page) -> None:
    page.locator("[data-testid=notification-bell]:visible, [data-testid=phone-bell]:visible").first.click()
    expect(page.get_by_test_id("notification-item").first).to_be_visible()


def tracking_card(page: Page) -> None:
    row = page.get_by_test_id("thread-row").filter(has_text="Büsum").first
    row.locator("[data-marks]").first.click()


def first_deal(page: Page) -> None:
    page.locator("a[href^='/deal/']:visible").first.click()
    expect(page.get_by_test_id("timeline-item").first).to_be_visible()


def first_person(page: Page) -> None:
    page.locator("a[href^='/person/']:visible").first.click()
    expect(page.get_by_test_id("timeline-item").first).to_be_visible()


def nothing_found(page: Page) -> None:
    page.goto(page.url.split("/inbox")[0] + "/inbox?q=zzzzqqq")


def first_template(page: Page) -> None:
    page.locator(".tpl-row:visible, [data-testid=template-row]:visible").first.click()


@dataclass(frozen=True)
class Screen:
    """A screen: its picture in the design, its address, and what a person does there first."""

    name: str
    path: str
    does: Callable[[Page], None] = nothing
    picture: str = ""
    signed_in: bool = True


SCREENS = (
    Screen("login", "/login", picture="login", signed_in=False),
    Screen("inbox", "/inbox", picture="inbox-mobile"),
    Screen("conversation", "/inbox", open_first, "inbox-light"),
    Screen("palette", "/inbox", palette, "command-palette"),
    Screen("notifications", "/inbox", bell, "notifications"),
    Screen("tracking-card", "/inbox", tracking_card, "tracking-hover-card"),
    Screen("composer", "/inbox", compose, "composer"),
    Screen("nothing-found", "/inbox", nothing_found, "states"),
    Screen("drafts", "/drafts"),
    Screen("outbox", "/outbox"),
    Screen("sent", "/sent"),
    Screen("archive", "/archive"),
    Screen("deals", "/deals", picture="deals-board"),
    Screen("deal", "/deals", first_deal, "deal-detail"),
    Screen("leads", "/leads"),
    Screen("people", "/people"),
    Screen("person", "/people", first_person, "contact-detail"),
    Screen("organizations", "/organizations"),
    Screen("templates", "/templates", picture="templates"),
    Screen("tracking-report", "/reports/tracking", picture="tracking-report"),
    Screen("settings-email-sync", "/settings/email-sync", picture="settings-email-sync"),
    Screen("settings-smart-bcc", "/settings/smart-bcc"),
    Screen("settings-signatures", "/settings/signatures"),
    Screen("settings-people", "/settings/people"),
    Screen("settings-pipelines", "/settings/pipelines"),
    Screen("settings-fields", "/settings/labels-and-fields"),
    Screen("settings-import", "/settings/import"),
    Screen("settings-tracking", "/settings/tracking"),
    Screen("settings-webhooks", "/settings/webhooks"),
    Screen("settings-notifications", "/settings/notifications"),
    Screen("settings-profile", "/settings/profile"),
    Screen("settings-account", "/settings/account"),
    Screen("settings-trash", "/settings/trash"),
    Screen("settings-audit", "/settings/audit"),
)


def settle(page: Page) -> None:
    """Wait until frames and numbers stand; a picture of a skeleton tells nothing."""
    with suppress(AssertionError):
        expect(page.locator(".bones:visible")).to_have_count(0, timeout=5000)
    page.wait_for_timeout(500)


def take(context: BrowserContext, url: str, screen: Screen, theme: str, into: Path) -> str:
    """Take one picture; return what went wrong on the way to it."""
    page = context.new_page()
    said: list[str] = []
    page.on(
        "console", lambda line: said.append(f"{line.type}: {line.text}") if line.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    try:
        page.goto(url + screen.path)
        if screen.signed_in:
            expect(page.get_by_test_id("sync-status")).not_to_be_empty()
        expect(page.locator("html")).to_have_class(re.compile(theme), timeout=5000)
        settle(page)
        screen.does(page)
        settle(page)
    except (Error, AssertionError) as error:
        said.append(f"missed: {str(error).splitlines()[0]}")
    page.screenshot(path=str(into))
    page.close()
    return "\n".join(said)


def speak(browser: Browser, url: str, state: Path, language: str) -> None:
    """Set the person's language."""
    context = browser.new_context(storage_state=str(state))
    page = context.new_page()
    page.goto(f"{url}/settings/profile")
    page.get_by_test_id("profile-language").select_option(language)
    expect(page.locator("html")).to_have_attribute("lang", language)
    page.wait_for_timeout(500)
    context.close()


def sheet(browser: Browser, screen: Screen) -> None:
    """Put a screen's pictures side by side."""
    pictures = sorted(OUT.glob(f"{screen.name}.*.png"))
    design = DESIGN / f"{screen.picture}.png"
    rows: list[tuple[str, Path]] = [("design", design)] if screen.picture and design.is_file() else []
    rows += [(each.name.removesuffix(".png"), each) for each in pictures]
    if not rows:
        return
    cells = "".join(
        f'<figure style="width:{150 if ".phone." in name else 560}px"><img src="{path.as_uri()}"><figcaption>{name}</figcaption></figure>'
        for name, path in rows
    )
    html = OUT / f"{screen.name}.html"
    html.write_text(
        "<meta charset=utf-8><style>body{margin:8px;background:#888;font:12px sans-serif;display:flex;flex-wrap:wrap;"
        f"gap:8px;align-items:flex-start}}figure{{margin:0}}img{{width:100%;display:block}}</style>{cells}"
    )
    page = browser.new_page(viewport={"width": 1720, "height": 400})
    page.goto(html.as_uri())
    page.screenshot(path=str(OUT / f"sheet-{screen.name}.png"), full_page=True)
    page.close()


def main(names: list[str]) -> int:
    """Make the pictures of all screens, or of those named."""
    screens = [each for each in SCREENS if not names or each.name in names]
    OUT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="mailcrm-sheet-"))
    troubles = 0
    with App(folder) as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"],
        )
        state = folder / "state.json"
        context = browser.new_context(locale="en-GB")
        page = context.new_page()
        page.goto(app.url)
        page.screenshot(path=str(OUT / "first-run.desk.light.en.png"))
        page.get_by_test_id("setup-demo").click()
        expect(page.get_by_test_id("thread-row").first).to_be_visible(timeout=120_000)
        page.wait_for_timeout(8000)  # the demo's opens and clicks come in by themselves
        context.storage_state(path=str(state))
        context.close()
        for language in LANGUAGES:
            speak(browser, app.url, state, language)
            for size, (width, height) in SIZES.items():
                for theme in THEMES:
                    for signed_in in (True, False):
                        context = browser.new_context(
                            viewport={"width": width, "height": height},
                            color_scheme=theme,
                            locale="ja-JP" if language == "ja" else "en-GB",
                            storage_state=str(state) if signed_in else None,
                            has_touch=size == "phone",
                            is_mobile=size == "phone",
                        )
                        context.add_init_script(f"try {{ localStorage.setItem('theme', '{theme}') }} catch {{}}")
                        for screen in screens:
                            if screen.signed_in is not signed_in:
                                continue
                            into = OUT / f"{screen.name}.{size}.{theme}.{language}.png"
                            said = take(context, app.url, screen, theme, into)
                            if said:
                                troubles += 1
                                print(f"{into.name}: {said}", flush=True)
                        context.close()
        for screen in screens:
            sheet(browser, screen)
        browser.close()
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(screens)} screens in {OUT}; {troubles} pictures with something to look at")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
