"""What a person waits for, in Chromium: our pages over 1,000,000 messages, and beside Roundcube over one Dovecot mailbox.

Times are taken inside the page (clicks.py). The app is the built one, as `serve` starts it, with its worker and watcher
elsewhere (there is nothing to sync from); the cache of the browser is cold for the first load and warm for the rest.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.bench import own, roundcube
from tests.bench.clicks import Times, load, quoted, repeated, timed
from tests.bench.crm_data import vocabulary
from tests.bench.mailbox import messages
from tests.e2e.conftest import App

if TYPE_CHECKING:
    from tests.bench.__main__ import Bench

TIMES = 30
TABS = 50
_ROWS = "[...document.querySelectorAll('[data-testid=thread-row]')]"
#: What the list shows: its rows, or the sentence in their place.
_SHOWN = (
    f"({_ROWS}.map((row) => row.dataset.threadId).join() || document.querySelector('#list .state')?.textContent || '')"
)
_LOADED = f"{_ROWS}.length > 0"
#: The open message's frame has its text, and its height.
_READ = "[...document.querySelectorAll('iframe.mail-frame')].some((frame) => Number(frame.dataset.height) > 0)"
#: The filters in the row above the list; the workspace has no conversation that was clicked in.
FILTERS = ("unread", "opened", "tracked", "deal", "clicked")


class Served(App):
    """The app over a data folder that is there already; no worker."""

    def __init__(self, folder: Path, data: Path) -> None:
        super().__init__(folder)
        self.environment |= {"MAILCRM_DATA_DIR": str(data), "MAILCRM_WORKER": "external", "MAILCRM_DATABASE_URL": ""}
        del self.environment["MAILCRM_DATABASE_URL"]

    def memory_mb(self) -> float:
        """What all its processes hold, shared pages counted once."""
        total, waiting = 0, [self.process.pid]
        while waiting:
            pid = waiting.pop()
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(rollup.partition("\nPss:")[2].split()[0])
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        return total / 1024


class Inbox:
    """A signed-in person's tab."""

    def __init__(self, context: BrowserContext, app: Served, secret: str) -> None:
        self.app, self.context = app, context
        context.add_cookies([{"name": "sid", "value": secret, "url": app.url, "httpOnly": True, "sameSite": "Lax"}])
        self.page = context.new_page()
        self.loaded = load(self.page, f"{app.url}/inbox", _LOADED)
        self.first = self.shown()

    def shown(self) -> str:
        """Return what the list shows."""
        return str(self.page.evaluate(_SHOWN))

    def settled(self, before: str = "") -> str:
        """Wait until the list shows something else, and the same for a moment; return it."""
        self.page.wait_for_function(f"{_SHOWN} && {_SHOWN} !== {quoted(before)}", timeout=60_000)
        last = self.shown()
        while True:
            self.page.wait_for_timeout(400)
            if (now := self.shown()) == last:
                return now
            last = now

    def click(self, selector: str, until: str) -> float:
        """Click; return the milliseconds until the expression holds and is painted."""
        return timed(self.page, "click", lambda: self.page.click(selector), until)

    def folder(self) -> float:
        """Come back to the inbox from another folder."""
        self.page.click('nav a[href="/sent"]')
        self.settled(self.first)
        return self.click('nav a[href="/inbox"]', f"{_SHOWN} === {quoted(self.first)}")

    def more(self) -> float:
        """Scroll until the next page is asked for, and wait for its rows."""
        last = f"{_ROWS}.at(-1)?.dataset.threadId"
        until = f"{last} && {last} !== {quoted(str(self.page.evaluate(last)))}"
        return timed(self.page, "click", lambda: self.page.evaluate(_TO_THE_END), until)

    def top(self) -> None:
        """Show the first page alone again."""
        self.page.click('nav a[href="/sent"]')
        self.settled(self.shown())
        self.page.click('nav a[href="/inbox"]')
        self.page.wait_for_function(f"{_SHOWN} === {quoted(self.first)}", timeout=60_000)

    def filter(self, word: str) -> list[float]:
        """Turn a filter on and off again, twice: the first time shows what it finds. Return what the others took."""
        button = f'[data-testid="filter-{word}"]'
        self.page.click(button)
        found = self.settled(self.first)
        taken: list[float] = []
        for _ in range(3 if len(found) > 0 else 1):
            self.click('[data-testid="filter-all"]', f"{_SHOWN} === {quoted(self.first)}")
            taken.append(self.click(button, f"{_SHOWN} === {quoted(found)}"))
        self.click('[data-testid="filter-all"]', f"{_SHOWN} === {quoted(self.first)}")
        return taken

    def open(self, at: int) -> float:
        """Open a conversation of the list, until its newest message can be read."""
        row = self.page.locator('[data-testid="thread-row"]').nth(at)
        row.scroll_into_view_if_needed()
        subject = row.locator(".tr-subject").inner_text()
        until = f"document.querySelector('#conversation .subject')?.textContent === {quoted(subject)} && {_READ}"
        self.page.evaluate("document.querySelectorAll('iframe.mail-frame').forEach((f) => { f.dataset.height = '0'; })")
        return timed(self.page, "click", row.click, until)

    def read_rows(self, most: int) -> list[int]:
        """Return the places of conversations that are read: opening them changes nothing."""
        unread = f"{_ROWS}.map((row) => row.dataset.unread)"
        return [n for n, flag in enumerate(self.page.evaluate(unread)) if flag == "false"][:most]

    def search(self, words: str) -> float:
        """Search, until the results are there; then show everything again."""
        before = self.shown()
        self.page.fill('[data-testid="search-input"]', words)
        until = f"document.querySelector('.list-bar h1').textContent.includes({quoted(words)}) && {_SHOWN} && {_SHOWN} !== {quoted(before)}"
        press: Callable[[], Any] = lambda: self.page.press('[data-testid="search-input"]', "Enter")  # noqa: E731
        took = timed(self.page, "keydown", press, until)
        self.page.click('[data-testid="filter-all"]')
        self.page.wait_for_function(f"{_SHOWN} === {quoted(self.first)}", timeout=60_000)
        return took

    def script_kb(self) -> float:
        """Return what of scripts came over the wire so far, compressed as it came."""
        sizes = "performance.getEntriesByType('resource').filter((each) => /\\.m?js(\\?|$)/.test(each.name)).map((each) => each.encodedBodySize)"
        return float(sum(self.page.evaluate(sizes))) / 1024


_TO_THE_END = "() => { const list = document.querySelector('.thread-list'); list.scrollTop = list.scrollHeight; }"


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, headless."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def new_context(browser: Browser) -> BrowserContext:
    """A browser of somebody's own, as large as the design's pictures."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB", color_scheme="light")
    context.set_default_timeout(60_000)
    return context


def run(bench: Bench, *, install: bool) -> None:
    """Measure everything, and print each line."""
    if shutil.which("chromium") is None:
        bench.say("browser: Chromium is not installed, nothing is measured (Debian: chromium)")
        return
    with chromium() as browser:
        _large(bench, browser)
        _beside_roundcube(bench, browser, install=install)


def _prepared(data: Path, *arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAILCRM_")} | {
        "MAILCRM_DATA_DIR": str(data)
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.browser_data", *arguments],
        env=environment, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return str(json.loads(done.stdout.splitlines()[-1])["secret"])


def _large(bench: Bench, browser: Browser) -> None:
    data = (bench.keep or bench.home) / f"crm-{bench.crm}"
    data.mkdir(parents=True, exist_ok=True)
    secret = _prepared(data, "large", str(bench.crm))
    folder = bench.home / "browser"
    folder.mkdir()
    bench.say(f"browser: {bench.crm:,} messages")
    with Served(folder, data) as app:
        _loads(bench, browser, app, secret)
        context = new_context(browser)
        tab = Inbox(context, app, secret)
        _steps(bench, tab)
        context.close()
        _tabs(bench, browser, app, secret)


def _loads(bench: Bench, browser: Browser, app: Served, secret: str) -> None:
    """First loads with a cold cache, each in a browser of its own."""
    taken: list[float] = []
    for _ in range(7):
        context = new_context(browser)
        tab = Inbox(context, app, secret)
        taken.append(tab.loaded)
        tab.page.wait_for_load_state("networkidle")
        kb = tab.script_kb()
        context.close()
    loads = Times(tuple(taken[1:]))
    bench.bar("script of the inbox’s first load, compressed", f"{kb:.0f} KB", kb, "≤ 450 KB", most=450)
    bench.bar(
        "first load, nothing in the browser’s cache: rows there and alive",
        str(loads),
        loads.p95,
        "≤ 1,500 ms",
        most=1500,
    )


def _steps(bench: Bench, tab: Inbox) -> None:
    def bar(what: str, times: Times) -> None:
        bench.bar(f"{bench.crm:,} messages: {what}", str(times), times.p95, "≤ 100 ms", most=100)

    bar("inbox, its first page", repeated([tab.folder] * (TIMES + 1)))
    pages: list[float] = []
    while len(pages) < TIMES:
        pages += [tab.more() for _ in range(6)]
        if len(pages) == 12:
            bar("open a conversation", repeated([lambda n=n: tab.open(n) for n in tab.read_rows(TIMES + 1)]))
        tab.top()
    bar("next page of 50", Times(tuple(pages[1:])))
    for word in FILTERS:
        tab.filter(word)
        bar(f"filter “{word}”", Times(tuple(tab.filter(word) + tab.filter(word))))
    words = vocabulary()
    kinds = {
        "a word of many messages": words[1:5],  # nearly all have the first: its newest page is the inbox itself
        "a word of some": [words[len(words) // 5 + n] for n in range(5)],
        "a rare word": [words[-1 - n] for n in range(5)],
        "two words": [f"{words[n]} {words[n + 40]}" for n in range(5)],
    }
    for kind, asked in kinds.items():
        bar(f"search for {kind}", repeated([lambda w=w: tab.search(w) for w in asked * 3]))


def _tabs(bench: Bench, browser: Browser, app: Served, secret: str) -> None:
    """50 tabs of one person, all open at once."""
    context = new_context(browser)
    tab = Inbox(context, app, secret)
    before = app.memory_mb()
    for _ in range((TABS - 1) // 7):
        opened: list[Page] = [context.new_page() for _ in range(7)]
        for page in opened:
            page.goto(f"{app.url}/inbox", wait_until="commit")
        for page in opened:
            page.wait_for_function(_LOADED)
    tab.page.wait_for_timeout(1000)
    more = app.memory_mb() - before
    context.close()
    bench.say(f"          the server with one tab: {before:.0f} MB")
    bench.bar(
        f"{TABS} open tabs, memory on the server", f"{more:.0f} MB more than with one", more, "≤ 100 MB", most=100
    )


def _beside_roundcube(bench: Bench, browser: Browser, *, install: bool) -> None:
    if roundcube.missing() and install:
        roundcube.install()
    if lacks := roundcube.missing():
        bench.say(
            f"  ROUNDCUBE IS NOT COMPARED: {lacks} is not installed. `--roundcube` lets apt-get install"
            f" {' '.join(roundcube.PACKAGES)}"
        )
        return
    bench.fill("first", messages(bench.messages))
    bench.say(f"browser: {bench.messages:,} messages, beside Roundcube on the same Dovecot")
    data = bench.home / "beside"
    own.run(bench.dovecot, "first", data, "first")
    secret = _prepared(data, "session")
    folder = bench.home / "beside-app"
    folder.mkdir()
    with Served(folder, data) as app:
        context = new_context(browser)
        ours = _ours(Inbox(context, app, secret))
        context.close()
    with roundcube.Roundcube(bench.dovecot, bench.home / "roundcube") as server:
        context = new_context(browser)
        page = context.new_page()
        theirs = _theirs(roundcube.Reader(page, server.url, "first", bench.dovecot.passwords["first"]))
        context.close()
    for what, (mine, its) in {
        "list": (ours["list"], theirs["list"]),
        "next page": (ours["page"], theirs["page"]),
        "open": (ours["open"], theirs["open"]),
        "search, by its search in subject and sender": (ours["search"], theirs["search"]),
        "search, by its search in all text": (ours["search"], theirs["whole"]),
    }.items():
        ratio = its.p50 / mine.p50
        figure = f"{mine.p50:.0f} / {its.p50:.0f} ms = {ratio:.1f} times faster (p95 {mine.p95:.0f} / {its.p95:.0f})"
        bench.bar(f"{bench.messages:,} messages in Chromium, {what}", figure, ratio, "≥ 3", least=3)


#: One after the other for both; the same words find the same mail.
_ASKED = ("invoice", "warehouse", "forecast", "renewal", "agenda", "pallet")


def _ours(tab: Inbox) -> dict[str, Times]:
    found = {"list": repeated([tab.folder] * 16)}
    found["page"] = repeated([tab.more] * 6)
    found["open"] = repeated([lambda n=n: tab.open(n) for n in tab.read_rows(16)])
    tab.top()
    return found | {"search": repeated([lambda w=w: tab.search(w) for w in _ASKED * 2])}


def _theirs(reader: roundcube.Reader) -> dict[str, Times]:
    found = {"open": repeated([lambda n=n: reader.open(n) for n in range(16)])}
    found["page"] = repeated([reader.next_page] * 6)
    found["list"] = repeated([reader.inbox] * 16)
    found["search"] = repeated([lambda w=w: reader.search(w, whole=False) for w in _ASKED * 2])
    return found | {"whole": repeated([lambda w=w: reader.search(w, whole=True) for w in _ASKED])}
