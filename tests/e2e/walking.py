"""Looking around on a walk through the mail page: list, counts and database have to agree (the acts are in walk_acts.py).

An act knows what it changes: the facts of each conversation (books.py) are foretold, and held against the database
beside what the page shows. An act that is over is one after which everything agrees; nothing is slept for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page

from tests.e2e.books import Books, View

PATIENCE_S = 45  # only bounds a failure
#: Everything that is compared, as the page shows it.
SHOWN = """() => {
  const text = (el) => el ? el.textContent.trim() : "";
  const all = (where, from = document) => [...from.querySelectorAll(where)];
  const row = (el) => [Number(el.dataset.threadId), el.dataset.unread === "true",
    Number(text(el.querySelector(".tr-line").querySelector(":scope > .num"))),
    text(el.querySelector(".chip:not(.chip-label, .chip-suggest)")), all("[data-testid=thread-label]", el).map(text).sort()];
  const rows = all("[data-testid=thread-row]"), ids = (found) => found.map((el) => Number(el.dataset.threadId));
  const number = (keys) => text(document.querySelector(`.nav-item[data-key="${keys}"] .nav-count`));
  return {
    rows: rows.map(row), current: ids(rows.filter((el) => el.getAttribute("aria-current") === "true")),
    picked: ids(rows.filter((el) => el.dataset.picked === "true")), picks: text(document.querySelector("[data-testid=pick-count]")),
    inbox: number("g i"), drafts: number("g f"), outbox: number("g o"), leads: number("g l"),
    title: text(document.querySelector(".list-bar > .num:not([data-testid])")),
    found: text(document.querySelector("[data-testid=list-found]")), place: text(document.querySelector("#conversation .bar > .num")),
    open: text(document.querySelector("#conversation h2.subject")), path: location.pathname, asked: location.search,
  };
}"""
#: Returns when the page changed, at the latest a moment later: the database may have changed alone.
CHANGED = """() => new Promise((done) => {
  const watch = new MutationObserver(() => { watch.disconnect(); done(); });
  watch.observe(document.documentElement, {subtree: true, childList: true, attributes: true, characterData: true});
  setTimeout(() => { watch.disconnect(); done(); }, 100);
})"""
TOAST = '[data-sonner-toast]:not([data-walked])[data-removed="false"] [data-button]'
Facts = dict[int, dict[str, Any]]


@dataclass
class World:
    """What a walk knows of the place: the labels and deals by name, who never wrote, and how mail is delivered."""

    books: Books
    labels: dict[str, int]
    deals: dict[str, int]
    deliver: Callable[[str, str], str]
    arrived: Callable[[str], int]


class Walker:
    """Somebody on a walk: what they know, foretell and see."""

    def __init__(self, page: Page, world: World, seed: int) -> None:
        self.page, self.world, self.seed = page, world, seed
        self.random = Random(seed)
        self.view, self.past = View(), list[View]()
        self.open = 0
        self.wanted: int | None = None  # the conversation that an act opens; 0 where it closes the open one
        self.follow: int | None = None  # the place in the list whose conversation opens where the open one went
        self.picks: list[int] = []
        self.ids: list[int] = []
        self.offered: list[tuple[int, str, Any]] = []  # what Undo brings back
        self.facts = world.books.looks(self.view)[2]
        self.subjects = world.books.subjects()
        self.trail: list[str] = []

    # --- looking

    def settle(self) -> None:
        """Return when everything agrees; AssertionError with what doesn't, and the way here."""
        before, ends = self.open, time.monotonic() + PATIENCE_S
        while True:
            shown = self.page.evaluate(SHOWN)
            told, numbers, facts = self.world.books.looks(self.view)
            now = self.subjects.get(shown["open"], 0)
            foretold = self.facts
            if now and now != before and self.facts[now]["unread"]:  # what opens is read a second later
                foretold = {**self.facts, now: {**self.facts[now], "unread": False}}
            wrong = self._differences(shown, told, numbers, now)
            wrong += [
                f"{self._name(t)}: {facts.get(t)}, not {foretold[t]}" for t in foretold if facts.get(t) != foretold[t]
            ]
            if not wrong:
                break
            if time.monotonic() > ends:
                raise AssertionError("\n  ".join(("they don't agree:", *wrong)))
            self.page.evaluate(CHANGED)
        self.facts, self.open, self.wanted, self.follow = foretold, now, None, None
        self.ids = [row[0] for row in told]
        self.picks = [each for each in self.picks if each in self.ids]

    def _differences(self, shown: dict[str, Any], told: list[Any], numbers: dict[str, int], now: int) -> list[str]:
        ids = [row[0] for row in told]
        picks = [each for each in self.picks if each in ids]
        narrowed = bool(self.view.filters or self.view.query)
        is_inbox = self.view.folder == "inbox" and not narrowed and not picks
        address = {"filter": [",".join(self.view.filters)], "q": [self.view.query]}
        expected = {
            "rows": told,
            "current": [now] if now in ids else [],
            "place": f"{ids.index(now) + 1} / {len(ids)}" if now in ids else "",
            "picked": [each for each in ids if each in picks],
            "picks": f"{len(picks)} selected" if picks else "",
            "found": str(len(ids)) if narrowed and not picks else "",
            "title": str(numbers["inbox"] or "") if is_inbox else "",
            "path": f"/{self.view.folder}",
            **{name: str(number or "") for name, number in numbers.items()},
        }
        seen = {**shown, "path": shown["path"].rstrip("/")}
        wrong = [
            f"{name}: shown {seen[name]}, should be {each}" for name, each in expected.items() if seen[name] != each
        ]
        asked = parse_qs(urlsplit(shown["asked"]).query)
        wrong += [f"address {asked}" for name, each in address.items() if asked.get(name, [""]) != each]
        wanted = self.wanted
        if self.follow is not None:
            wanted = ids[min(self.follow, len(ids) - 1)] if ids and self.follow >= 0 else 0
        if wanted is not None and now != wanted:
            wrong.append(f"open: {shown['open']!r}, should be {self._name(wanted)}")
        return wrong

    def _name(self, thread: int) -> str:
        return next((subject for subject, each in self.subjects.items() if each == thread), str(thread))

    # --- foretelling

    def _change(self, threads: Iterable[int], facet: str, value: Callable[[Any], Any]) -> None:
        """Foretell a change; what it changes is what its Undo brings back."""
        for thread in threads:
            before = self.facts[thread]
            if before[facet] != (after := value(before[facet])):
                self.facts = {**self.facts, thread: {**before, facet: after}}
                self.offered.append((thread, facet, before[facet]))

    def _set(self, threads: Iterable[int], facet: str, value: bool) -> None:
        self._change(threads, facet, lambda _: value)

    def _delete(self, threads: list[int]) -> None:
        for facet in ("deleted", "unread", "archived"):  # what is deleted is nothing else
            self._set(threads, facet, facet == "deleted")

    def _put_away(self, threads: list[int]) -> str:
        back = self.view.folder == "archive"
        self._set(threads, "archived", not back)
        return "take out of the archive" if back else "archive"

    # --- hands

    def _li(self, thread: int) -> Locator:
        return self.page.locator(".thread-list li", has=self.page.locator(f'[data-thread-id="{thread}"]'))

    def _by_id(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    def _press(self, *keys: str) -> None:
        self.page.evaluate("() => document.activeElement?.blur()")
        for key in keys:
            self.page.keyboard.press(key)

    def _offering(self, act: Callable[[], object]) -> None:
        """Do what offers an Undo; return when it stands."""
        self.page.evaluate(
            "() => document.querySelectorAll('[data-sonner-toast]').forEach((el) => { el.dataset.walked = '1'; })"
        )
        act()
        self.page.wait_for_selector(TOAST, timeout=PATIENCE_S * 1000)

    def _go(self, view: View) -> None:
        self.past.append(self.view)
        self.view = view

    def _some(self) -> int:
        return self.random.choice(self.ids)

    def _leaves(self, threads: list[int], *, alone: bool = False) -> None:
        """Foretell what opens when these are taken out of the list: several at once close, one gives way to the next."""
        if self.open in threads:
            one = (alone or not self.picks) and self.open in self.ids
            self.follow = self.ids.index(self.open) if one else -1

    def _target(self) -> list[int]:
        return list(self.picks) or ([self.open] if self.open else [])
