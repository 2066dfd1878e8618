"""What the cleaner lets through does nothing in a real Chromium (security.md threats 1 to 3, section 2).

All vectors of `html/vectors.json` are cleaned, with remote images off; every distinct output is shown twice: *bare* (no
policy, no sandbox: the cleaner alone must hold, also after two innerHTML round trips) and *framed* (our document, the
endpoint's own headers, the frame's sandbox). The raw control shows 120 acting vectors, chosen with seed 7, bare: a
harness that sees none of them act would be blind.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from mailcrm.build import FRAME_FONTS
from mailcrm.endpoints.messages import body_headers
from mailcrm.services.mail.parse.html import UncleanableHtml, clean_html
from mailcrm.services.mail.render import document_of
from tests.conftest import needs
from tests.netlog import logged

ORIGIN = "http://mail.test"
OWN_FONTS = {f"{ORIGIN}/assets/mail-inter-{script}.woff2" for script in FRAME_FONTS}
BATCH = 40  # outputs in one frame; fewer frames keep the whole under two minutes
SANDBOX = "allow-same-origin allow-popups allow-popups-to-escape-sandbox"

# Scripts that run say so on the console, from whatever frame.
HOOKS = """
for (const name of ['alert', 'confirm', 'prompt', 'print', 'open'])
  window[name] = () => { console.log('ACTED ' + name); return null; };
"""
POKE = """
() => {
  addEventListener('click', event => event.preventDefault(), true);
  const events = ['click', 'mouseover', 'mouseenter', 'mousedown', 'focus', 'blur', 'error', 'load', 'toggle', 'wheel',
    'animationstart', 'transitionend', 'pointerover', 'pointerdown', 'keydown', 'input', 'change', 'submit', 'scroll'];
  for (const element of document.querySelectorAll('body *'))
    for (const name of events) element.dispatchEvent(new Event(name, {bubbles: true, cancelable: true}));
}
"""
# Oracle 5: an allow-list evaluated by the browser on the tree it built, then on two innerHTML round trips.
JUDGE = """
() => {
  const bad = [];
  const tags = new Set(`a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del
    details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nobr ol p
    pre q rp rt ruby s samp section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul
    var wbr`.split(/\\s+/));
  const look = round => {
    for (const element of document.querySelectorAll('body *')) {
      const name = element.localName;
      if (!tags.has(name) || element.namespaceURI !== 'http://www.w3.org/1999/xhtml') bad.push(round + ' <' + name + '>');
      for (const {name: key, value} of element.attributes) {
        if (key.startsWith('on') || ['class', 'id', 'name', 'srcset', 'background', 'ping', 'action'].includes(key))
          bad.push(round + ' ' + key);
        if (key === 'href' && !/^(https?:|mailto:|tel:)/i.test(value)) bad.push(round + ' href ' + value);
        if (key === 'src' && !/^(data:image\\/(png|gif|jpeg|webp);|attachments\\/)/i.test(value)) bad.push(round + ' src ' + value);
      }
      const style = getComputedStyle(element);
      if (style.position !== 'static' || style.backgroundImage !== 'none' || style.zIndex !== 'auto')
        bad.push(round + ' style ' + element.getAttribute('style'));
      const again = name === 'a' && element.protocol;
      if (element.hasAttribute('href') && again && !['http:', 'https:', 'mailto:', 'tel:'].includes(again)) bad.push(again);
    }
  };
  look('parsed');
  document.body.innerHTML = document.body.innerHTML;
  look('again');
  document.body.innerHTML = document.body.innerHTML;
  look('twice');
  return bad;
}
"""


@pytest.fixture(scope="module")
def vectors(corpora: Path) -> list[dict[str, Any]]:
    return json.loads((corpora / "html" / "vectors.json").read_text())


@pytest.fixture(scope="module")
def outputs(vectors: list[dict[str, Any]]) -> list[str]:
    """Every distinct output of the cleaner."""
    found: dict[str, None] = {}
    for vector in vectors:
        try:
            found[clean_html(vector["html"], remote_images=False, cid_url=lambda _cid: "attachments/1").html] = None
        except UncleanableHtml:
            continue
    return [html for html in found if "<" in html]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or needs("chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield launched
        launched.close()


class Watched:
    """A page whose every request is answered here: what it asked for beyond ours, and what ran, is kept."""

    def __init__(self, browser: Browser) -> None:
        self.context = browser.new_context()
        self.context.add_init_script(HOOKS)
        self.context.route("**/*", self._answer)
        self.pages: dict[str, tuple[str, dict[str, str]]] = {}
        self.loads: list[str] = []
        self.acts: list[str] = []
        self.refusals: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self._heard(message.text))
        self.page.on("dialog", lambda dialog: (self.acts.append("dialog"), dialog.dismiss()))  # pyright: ignore[reportArgumentType, reportCallIssue]
        self.context.on("page", lambda page: self.acts.append(f"popup {page.url}") if page != self.page else None)

    def show(self, path: str, html: str, headers: dict[str, str] | None = None) -> None:
        self.pages[ORIGIN + path] = (html, headers or {"Content-Type": "text/html; charset=utf-8"})

    def open(self, path: str) -> None:
        self.page.goto(ORIGIN + path, wait_until="load", timeout=60_000)

    def _heard(self, text: str) -> None:
        if text.startswith("ACTED"):
            self.acts.append(text)
        elif "Content Security Policy" in text or "sandboxed" in text:
            self.refusals.append(text)

    def _answer(self, route: Route) -> None:
        url = route.request.url
        if url in self.pages:
            html, headers = self.pages[url]
            route.fulfill(status=200, headers=headers, body=html)
        elif url.startswith(ORIGIN) and url.endswith("/attachments/1"):
            route.fulfill(status=204)
        elif url in OWN_FONTS:  # the document's own, from its own host: they tell a sender nothing
            route.abort()
        else:
            if not url.endswith("/favicon.ico"):
                self.loads.append(url)
            route.abort()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    made = Watched(browser)
    yield made
    made.context.close()


def _batches(outputs: list[str]) -> list[str]:
    return ["\n".join(f"<div>{html}</div>" for html in outputs[i : i + BATCH]) for i in range(0, len(outputs), BATCH)]


def test_cleaned_alone_does_nothing(
    watched: Watched, outputs: list[str], record_property: Callable[[str, object], None]
) -> None:
    """Threat 1: scripts 0, loads 0, allow-list violations 0, without any second wall."""
    assert len(outputs) > 1000
    for number, batch in enumerate(_batches(outputs)):
        watched.show(f"/bare/{number}", f"<!doctype html><meta charset=utf-8><body>{batch}</body>")
        watched.open(f"/bare/{number}")
        watched.page.evaluate(POKE)
        assert watched.page.evaluate(JUDGE) == []
    record_property("measured", f"{len(outputs)} outputs, {len(watched.acts)} acted, {len(watched.loads)} loaded")
    assert (watched.acts, watched.loads) == ([], [])


def test_framed_does_nothing_and_trips_nothing(watched: Watched, outputs: list[str]) -> None:
    """Threats 1 and 2: the real document, headers and sandbox; not even a refusal, because nothing is left to refuse."""
    batches = _batches(outputs)
    frames = "".join(f'<iframe sandbox="{SANDBOX}" src="/frame/{n}"></iframe>' for n in range(len(batches)))
    for number, batch in enumerate(batches):
        watched.show(f"/frame/{number}", document_of(batch), body_headers())
    watched.show("/", f"<!doctype html><meta charset=utf-8><body>{frames}</body>")
    watched.open("/")
    heights = watched.page.evaluate(
        "() => [...document.querySelectorAll('iframe')].map(f => f.contentDocument.documentElement.scrollHeight)"
    )
    assert len(heights) == len(batches)
    assert min(heights) > 20, "the page around the frame reads its height without a script in it"
    assert (watched.acts, watched.loads, watched.refusals) == ([], [], [])


def test_raw_vectors_do_act(watched: Watched, vectors: list[dict[str, Any]]) -> None:
    """The positive control: the same harness sees uncleaned vectors run scripts and load."""
    chooser = random.Random(7)
    scripts = chooser.sample([v for v in vectors if "script" in v["acts"]], 60)
    loads = chooser.sample([v for v in vectors if v["acts"] == ["remote-load"]], 60)
    for number, vector in enumerate(scripts + loads):
        watched.show(f"/raw/{number}", f"<!doctype html><meta charset=utf-8><body>{vector['html']}</body>")
    frames = "".join(f'<iframe src="/raw/{n}"></iframe>' for n in range(120))
    watched.show("/", f"<!doctype html><meta charset=utf-8><body>{frames}</body>")
    watched.open("/")
    for frame in watched.page.frames[1:]:
        try:
            frame.evaluate(POKE)
        except Exception:  # the vector has navigated its frame away
            continue
    assert len(watched.acts) >= 20  # many wait for a user, a font or a plug-in that is not there
    assert len(watched.loads) > 30


def test_raw_vectors_are_held_by_the_frame(watched: Watched, vectors: list[dict[str, Any]]) -> None:
    """F8: the second wall alone stops scripts and requests too, should the cleaner ever fail."""
    chosen = random.Random(8).sample([v for v in vectors if "script" in v["acts"] or "remote-load" in v["acts"]], 120)
    for number, vector in enumerate(chosen):
        watched.show(f"/frame/{number}", document_of(vector["html"]), body_headers())
    frames = "".join(f'<iframe sandbox="{SANDBOX}" src="/frame/{n}"></iframe>' for n in range(len(chosen)))
    watched.show("/", f"<!doctype html><meta charset=utf-8><body>{frames}</body>")
    watched.open("/")
    watched.page.wait_for_timeout(500)
    assert watched.acts == []
    assert [url for url in watched.loads if not url.startswith(ORIGIN)] == []
    assert watched.refusals, "the policy said nothing: the control is blind"


def test_hostile_text_is_only_text(watched: Watched, vectors: list[dict[str, Any]]) -> None:
    """Threat 1: the same vectors as a plain-text body (Roundcube CVE-2026-54433)."""
    from mailcrm.services.mail.parse.plain import plain_to_html

    chosen = random.Random(9).sample([v for v in vectors if v["acts"]], 400)
    body = "".join(plain_to_html(vector["html"]) for vector in chosen)
    watched.show("/", f"<!doctype html><meta charset=utf-8><body>{body}</body>")
    watched.open("/")
    watched.page.evaluate(POKE)
    assert watched.page.evaluate(JUDGE) == []
    assert (watched.acts, watched.loads) == ([], [])
    assert escape("<script>") in body


def test_cleaned_mail_turns_to_no_foreign_host(
    browser: Browser, outputs: list[str], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Threat 2, F8: by Chromium's own log no name is looked up and no socket begun, bare and framed, after every event."""
    path = shutil.which("chromium") or needs("chromium")
    with logged(browser.browser_type, path, tmp_path / "net.json") as seen:
        batches = _batches(outputs)
        for number, batch in enumerate(batches):
            seen.pages.show(f"/frame/{number}", document_of(batch), body_headers())
        frames = "".join(f'<iframe sandbox="{SANDBOX}" src="/frame/{n}"></iframe>' for n in range(len(batches)))
        seen.pages.show("/", f"<!doctype html><meta charset=utf-8><body>{frames}</body>")
        seen.page.goto(f"{seen.pages.origin}/", wait_until="load", timeout=60_000)
        seen.pages.show(
            "/bare", "<!doctype html><meta charset=utf-8>" + "".join(f"<div>{each}</div>" for each in outputs)
        )
        seen.page.goto(f"{seen.pages.origin}/bare", wait_until="load", timeout=60_000)
        seen.page.evaluate(POKE)
    assert {f"/frame/{n}" for n in range(len(batches))} <= set(seen.pages.asked)
    record_property("measured", f"{len(outputs)} outputs, {len(seen.hosts)} foreign hosts")
    assert seen.hosts == set()


def test_uncleaned_mail_turns_to_foreign_hosts(
    browser: Browser, vectors: list[dict[str, Any]], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The positive control: the same log sees what uncleaned vectors load, so it is not blind; the frame holds most."""
    path = shutil.which("chromium") or needs("chromium")
    chosen = random.Random(11).sample([v for v in vectors if v["acts"] == ["remote-load"]], 150)
    preconnect = '<link rel="preconnect" href="https://preconnect-{n}.test">'
    with logged(browser.browser_type, path, tmp_path / "net.json") as seen:
        for number, vector in enumerate(chosen):
            html = f"<!doctype html><meta charset=utf-8><body>{preconnect.format(n=number)}{vector['html']}</body>"
            seen.pages.show(f"/raw/{number}", html)
        frames = "".join(f'<iframe src="/raw/{n}"></iframe>' for n in range(len(chosen)))
        seen.pages.show("/", f"<!doctype html><meta charset=utf-8><body>{frames}</body>")
        seen.page.goto(f"{seen.pages.origin}/", wait_until="load", timeout=60_000)
    record_property("measured", f"control: {len(seen.hosts)} foreign hosts")
    assert len([host for host in seen.hosts if host.startswith("preconnect-")]) >= 100
    assert len([host for host in seen.hosts if not host.startswith("preconnect-")]) >= 3
