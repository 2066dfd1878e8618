"""A tracked message looks exactly like the same message untracked: pictures of both in Chromium are equal (issue 6).

Sixty of the corpora's HTML messages; all of them with MAILCRM_ALL_MAIL=1. Once with the pixel served, as a mail program
does that shows images, once with the network blocked.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from mailcrm.endpoints.tracking import PIXEL
from mailcrm.services.tracking.rewrite import rewrite
from tests.conftest import needs
from tests.tracked_mail import SHAPES, html_bodies

SOME = 60
SERVED = "https://served.test/t/o/x.gif"
BLOCKED = "https://blocked.test/t/o/x.gif"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page without scripts, and without any network but the served pixel."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or needs("chromium")
        browser: Browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = browser.new_context(java_script_enabled=False, viewport={"width": 700, "height": 60})

        def answer(route: Route) -> None:
            if route.request.url == SERVED:
                route.fulfill(body=PIXEL, content_type="image/gif")
            else:
                route.abort()

        context.route("**/*", answer)
        yield context.new_page()
        browser.close()


def test_tracked_mail_looks_the_same(page: Page, corpora: Path) -> None:
    """T01: pixel for pixel, in the whole length of the page."""
    bodies = html_bodies(corpora)
    names = list(bodies) if os.environ.get("MAILCRM_ALL_MAIL") else list(bodies)[:: len(bodies) // SOME][:SOME]
    different = [name for name in names if not looks_the_same(page, bodies[name])]
    different += [name for name, body in SHAPES.items() if not looks_the_same(page, body)]
    assert different == []
    print(f"{len(names)} messages look the same with tracking")


def test_this_would_see_a_pixel_that_takes_room(page: Page) -> None:
    """A pixel of the usual kind makes the page higher: the comparison is not blind."""
    body = "<p>a</p>" * 9
    plain = '<img src="https://served.test/t/o/x.gif" width="1" height="1" alt="">'
    assert picture(page, body) != picture(page, body + plain)


def looks_the_same(page: Page, body: str) -> bool:
    """Chromium may draw a page's first picture with another font than its next ones: what differs is drawn again."""
    tracked = [rewrite(body, pixel=pixel, link=lambda n: f"https://t.test/t/c/{n}").html for pixel in (SERVED, BLOCKED)]
    for _ in range(3):
        before = picture(page, body)
        if all(picture(page, each) == before for each in tracked):
            return True
    return False


def picture(page: Page, body: str) -> bytes:
    still = re.sub(r"<(/?)marquee", r"<\1span", body, flags=re.IGNORECASE)  # what moves differs from itself
    page.set_content(still, wait_until="load")
    return page.screenshot(full_page=True, animations="disabled")
