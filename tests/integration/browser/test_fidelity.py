"""What cleaning costs: real messages shown as they came, and as mailcrm cleans them, in Chromium (issue 10, "done when").

Both without scripts and with nothing from elsewhere, 800 pixels wide. Text must be equal to the letter; the pictures,
a quarter as large, agree where pixels do, in bands of 40 pixels that may have moved by up to 96 (something above them is
higher or lower). Every eighth message; `make test-security` takes all of them. docs/security.md says what differs.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from mailcrm.services.mail.parse.html import UncleanableHtml, clean_html
from mailcrm.services.mail.parse.message import attachment_contents, parse_message
from mailcrm.services.mail.parse.quoted_html import fold_quotes
from mailcrm.services.mail.parse.values import UnparsableMessage
from tests.conftest import needs

STRIDE = int(os.environ.get("MAILCRM_FIDELITY_STRIDE", "8"))
MARK = "7f3a9c"
LEAST = 0.95  # of the messages, and of each picture
#: Its images stand still: a GIF that moves is another picture each time.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--blink-settings=imageAnimationPolicy=2"]
TALLEST = 6_000  # pixels of a picture
PICTURE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
COMPARE = """async ([one, other]) => {
  const SMALL = 4, BAND = 10, MOVED = 24, ALIKE = 40;
  const read = async data => {
    const image = await createImageBitmap(await (await fetch('data:image/png;base64,' + data)).blob());
    const canvas = new OffscreenCanvas(image.width / SMALL, Math.max(1, Math.floor(image.height / SMALL)));
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return {w: canvas.width, h: canvas.height, d: context.getImageData(0, 0, canvas.width, canvas.height).data};
  };
  const a = await read(one), b = await read(other);
  let sum = 0, bands = 0;
  for (let top = 0; top < a.h; top += BAND) {
    const rows = Math.min(BAND, a.h - top);
    let best = 0;
    for (let dy = 0; dy <= 2 * MOVED && best < 0.999; dy++)
      for (const dx of [0, -2, 2]) {
        const off = dy % 2 ? (dy + 1) / 2 : -dy / 2;
        let same = 0;
        for (let y = 0; y < rows; y++) for (let x = 0; x < a.w; x++) {
          const yy = top + y + off, xx = x + dx;
          const i = 4 * ((top + y) * a.w + x), j = 4 * (yy * b.w + xx);
          const inside = yy >= 0 && yy < b.h && xx >= 0 && xx < b.w;
          const c = k => inside ? b.d[j + k] : 255;
          if (Math.abs(a.d[i] - c(0)) < ALIKE && Math.abs(a.d[i + 1] - c(1)) < ALIKE && Math.abs(a.d[i + 2] - c(2)) < ALIKE) same++;
        }
        best = Math.max(best, same / (rows * a.w));
      }
    sum += best * rows; bands += rows;
  }
  return sum / bands;
}"""


@pytest.fixture(scope="module")
def pages() -> Iterator[tuple[Page, Page]]:
    """One without scripts and network, to show mail in; one that compares pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs("chromium"), args=ARGUMENTS)
        shown = browser.new_context(java_script_enabled=False, viewport={"width": 800, "height": 400})
        shown.route("**/*", lambda route: route.abort())
        yield shown.new_page(), browser.new_page()
        browser.close()


def messages(corpora: Path) -> dict[str, tuple[str, str]]:
    """Return file name -> the HTML as it came, and a page of what is left of it; pictures inside as data."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted((corpora / "mime").rglob("*.eml")):
        raw = path.read_bytes()
        try:
            html = parse_message(raw).html
            if not html or not html.strip():
                continue
            inside = {
                file.content_id: f"data:{file.content_type};base64,{base64.b64encode(content).decode()}"
                for file, content in attachment_contents(raw)
                if file.content_id and file.content_type in PICTURE_TYPES
            }
        except UnparsableMessage:
            continue
        begins = re.match(r"\s*<!doctype[^>]*>", html, re.IGNORECASE)
        try:
            cleaned = fold_quotes(
                clean_html(html, remote_images=False, cid_url=inside.get, mark=MARK).html, MARK, "", folded=False
            )
        except UncleanableHtml:
            cleaned = ""
        came = html
        for content_id, picture in inside.items():
            came = came.replace(f"cid:{content_id}", picture)
        found[str(path.relative_to(corpora))] = (came, f"{begins[0] if begins else ''}<body>{cleaned}</body>")
    return found


def test_real_mail_keeps_its_text_and_looks(
    pages: tuple[Page, Page], corpora: Path, record_property: Callable[[str, object], None]
) -> None:
    """At least 95 of 100 keep their text and their looks (docs/security.md says what the others lose)."""
    found = messages(corpora)
    assert len(found) > 150
    texts, looks, both, worse = 0, 0, 0, []
    chosen = list(found)[::STRIDE]
    for name in chosen:
        came, left = found[name]
        (before, one), (after, other) = (_shown(pages[0], page) for page in (came, left))
        alike = pages[1].evaluate(COMPARE, [one, other])
        texts += before == after
        looks += alike >= LEAST
        both += before == after and alike >= LEAST
        if before != after or alike < LEAST:
            worse.append(f"{name}: text {'kept' if before == after else 'differs'}, picture {alike:.0%}")
    print("\n".join(worse))
    record_property(
        "measured", f"{len(chosen)} messages: {texts} keep text, {looks} looks, both {both / len(chosen):.1%}"
    )
    assert both / len(chosen) >= LEAST, worse


def test_the_comparison_sees_a_difference(pages: tuple[Page, Page]) -> None:
    """A picture of another message, of one without its colours, and of one whose table is taken apart."""
    table = (
        "<table bgcolor=navy width=700><tr>"
        + "<td height=300><font color=white>one two</font></td>" * 3
        + "</tr></table>"
    )
    (_, one), (_, same) = _shown(pages[0], table), _shown(pages[0], table)
    assert pages[1].evaluate(COMPARE, [one, same]) > 0.99
    for other in (table.replace("navy", "white"), re.sub("</?(table|td|tr)[^>]*>", "", table), "<p>three</p>"):
        assert pages[1].evaluate(COMPARE, [one, _shown(pages[0], other)[1]]) < LEAST


def _shown(page: Page, html: str) -> tuple[str, str]:
    """The text that a reader sees, its spaces made alike, and the picture."""
    page.set_content(re.sub(r"<(/?)marquee", r"<\1span", html, flags=re.IGNORECASE), wait_until="load")
    text = " ".join(page.locator("body").inner_text().split())
    box = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    clip = {"x": 0, "y": 0, "width": 800, "height": max(40, min(box[1], TALLEST))}
    picture = page.screenshot(full_page=True, animations="disabled", clip=clip)  # pyright: ignore[reportArgumentType]
    return text, base64.b64encode(picture).decode()
