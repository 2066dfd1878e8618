"""A walk of random acts through the mail page; after each, list, counts and database have to agree.

An act knows what it changes: the facts of each conversation (books.py) are foretold, and held against the database
beside what the page shows. An act that is over is one after which everything agrees; nothing is slept for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.e2e.books import Books, View, turned_on

PATIENCE_S = 15  # only bounds a failure
QUERIES = ("survey", "harbour", "is:unread", "from:lena", "from:mika tide", "survey is:unread")
IN_BAR = ("unread", "deal")
IN_MENU = ("files", "unlinked", "shared", "private", "snoozed")
FOLDERS = {"inbox": "g i", "sent": "g s", "archive": "g a"}
COUNTED = ("unread", *IN_MENU, "deal")
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


class Walk:
    """One walk; its seed says all of it."""

    def __init__(self, page: Page, world: World, seed: int) -> None:
        self.page, self.world, self.seed = page, world, seed
        self.random = Random(seed)
        self.view, self.past = View(), list[View]()
        self.open, self.wanted = 0, 0  # the open conversation, and the one that an act opens
        self.picks: list[int] = []
        self.ids: list[int] = []
        self.offered: list[tuple[int, str, Any]] = []  # what Undo brings back
        self.facts = world.books.looks(self.view)[2]
        self.subjects = world.books.subjects()
        self.trail: list[str] = []

    def walk(self, steps: int) -> None:
        """Go, look after each step, and look again at the page loaded anew."""
        self.settle()
        for _ in range(steps):
            self.trail.append(self._step())
            self.settle()
        self.trail.append(self.reload() or "")
        self.settle()

    def _step(self) -> str:
        while True:
            act = self.random.choices([each for each, _ in ACTS], [weight for _, weight in ACTS])[0]
            if said := act(self):
                return said

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
                trail = "\n  ".join(self.trail)
                raise AssertionError(f"seed {self.seed}, {self.view}:\n  {trail}\nthen\n  " + "\n  ".join(wrong))
            self.page.evaluate(CHANGED)
        self.facts, self.open, self.wanted = foretold, now, 0
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
        if self.wanted and now != self.wanted:
            wrong.append(f"open: {shown['open']!r}, should be {self._name(self.wanted)}")
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

    def _offering(self, act: Callable[[], None]) -> None:
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

    def _target(self) -> list[int]:
        return list(self.picks) or ([self.open] if self.open else [])

    # --- acts: each says what it did, "" where it can't be done here

    def open_row(self) -> str:
        """Click a conversation."""
        if not self.ids:
            return ""
        self.wanted = self._some()
        self._li(self.wanted).locator(".tr-who").click()
        self.facts = {**self.facts, self.wanted: {**self.facts[self.wanted], "unread": False}}
        return f"open {self._name(self.wanted)}"

    def step(self) -> str:
        """Go to the next or the previous conversation by key."""
        if not self.ids:
            return ""
        by = self.random.choice((1, -1))
        at = self.ids.index(self.open) if self.open in self.ids else -1
        self.wanted = self.ids[min(len(self.ids) - 1, max(0, at + by))]
        self._press("j" if by == 1 else "k")
        self.facts = {**self.facts, self.wanted: {**self.facts[self.wanted], "unread": False}}
        return f"step to {self._name(self.wanted)}"

    def archive_row(self) -> str:
        """Archive a conversation of the list, or take it out of the archive."""
        if not self.ids:
            return ""
        thread, self.offered = self._some(), []
        self._li(thread).hover()
        self._offering(lambda: self._li(thread).get_by_test_id("row-done").dispatch_event("click"))
        return f"{self._put_away([thread])} {self._name(thread)}, in its row"

    def snooze_row(self) -> str:
        """Snooze a conversation of the list."""
        if not self.ids:
            return ""
        thread, self.offered = self._some(), []
        choice = self.random.choice(("later", "tomorrow", "week"))
        self._li(thread).hover()
        self._offering(lambda: self._li(thread).get_by_test_id("row-snooze").select_option(choice, force=True) and None)
        self._set([thread], "snoozed", True)
        return f"snooze {self._name(thread)}: {choice}"

    def put_away(self) -> str:
        """Archive or delete what is picked, or the open conversation, by key or button."""
        threads, what = self._target(), self.random.choice(("archive", "delete"))
        if not threads:
            return ""
        key, self.offered = {"archive": "e", "delete": "#"}[what], []
        button = self._by_id(f"pick-{what}" if self.picks else what)
        self._offering(self.random.choice((button.click, lambda: self._press(key))))
        said = "delete" if what == "delete" else self._put_away(threads)
        if what == "delete":
            self._delete(threads)
        self.picks = []
        return f"{said} {[self._name(each) for each in threads]}"

    def mark(self) -> str:
        """Mark what is picked read or unread, or the open conversation unread."""
        threads, read = self._target(), bool(self.picks) and self.random.random() < 0.4
        threads = [each for each in threads if each not in self._sent_only()] if not self.picks else threads
        if not threads:
            return ""
        self.offered = []
        if self.picks:
            self._offering(self._by_id("pick-read" if read else "pick-unread").click)
        else:
            self._press("u")
        self._set([each for each in threads if read or each not in self._sent_only()], "unread", not read)
        self.offered = self.offered if self.picks else []  # one alone offers no Undo
        self.picks = []
        return f"mark {'read' if read else 'unread'} {[self._name(each) for each in threads]}"

    def snooze_many(self) -> str:
        """Snooze what is picked, or the open conversation by its menu."""
        threads, self.offered = self._target(), []
        if not threads:
            return ""
        if self.picks:
            self._offering(lambda: self._by_id("pick-snooze").select_option("monday") and None)
        else:
            self._by_id("remind").click()
            self._offering(self._by_id("snooze-tomorrow").click)
        self._set(threads, "snoozed", True)
        self.picks = []
        return f"snooze {[self._name(each) for each in threads]}"

    def bring_back(self) -> str:
        """End the snooze of the open conversation."""
        if not self.open or not self.facts[self.open]["snoozed"]:
            return ""
        self._by_id("reminder-snooze").click()
        self._set([self.open], "snoozed", False)
        self.offered = []
        return f"bring back {self._name(self.open)}"

    def pick(self) -> str:
        """Pick one or a few more."""
        left = [each for each in self.ids if each not in self.picks]
        if not left:
            return ""
        chosen = self.random.sample(left, min(len(left), self.random.randint(1, 3)))
        for thread in chosen:
            self._li(thread).hover()
            self._li(thread).get_by_test_id("pick").dispatch_event("click")
            self.picks.append(thread)
            expect(self._by_id("pick-count")).to_have_text(f"{len(self.picks)} selected")
        return f"pick {[self._name(each) for each in chosen]}"

    def label(self) -> str:
        """Put a label on what is picked, or on the open conversation; or take it off."""
        threads, name = self._target(), self.random.choice(sorted(self.world.labels))
        if not threads:
            return ""
        one, self.offered = self.world.labels[name], []
        worn = [one in self.facts[each]["labels"] for each in threads]
        self._by_id("labels-bulk" if self.picks else "labels-thread").click()
        option = self._by_id("label-option").filter(has_text=name)
        expect(option).to_have_attribute("aria-pressed", "true" if all(worn) else "mixed" if any(worn) else "false")
        self._offering(option.click)
        expect(option).to_have_attribute("aria-pressed", "false" if all(worn) else "true")
        self.page.keyboard.press("Escape")
        expect(option).to_have_count(0)
        self._change(threads, "labels", lambda before: before - {one} if all(worn) else before | {one})
        return f"{'take off' if all(worn) else 'put on'} {name}: {[self._name(each) for each in threads]}"

    def link(self) -> str:
        """Link what is picked, or the open conversation, to a deal."""
        threads, title = self._target(), self.random.choice(sorted(self.world.deals))
        if not threads:
            return ""
        self.offered = []
        self._by_id("pick-link" if self.picks else "link-deal").click()
        option = self._by_id("pick-option" if self.picks else "link-deal-option").filter(has_text=title)
        self._offering(option.click)
        self._change(threads, "deals", lambda before: before | {self.world.deals[title]})
        self.picks = []
        return f"link to {title}: {[self._name(each) for each in threads]}"

    def unlink(self) -> str:
        """Take the open conversation's only deal off."""
        deals = self.facts[self.open]["deals"] if self.open else ()
        if len(deals) != 1:
            return ""
        title = next(name for name, each in self.world.deals.items() if each in deals)
        expect(self._by_id("linked-deal")).to_have_text(title)
        self.offered = []
        self._offering(self._by_id("unlink-deal").click)
        self._change([self.open], "deals", lambda _: frozenset())
        return f"unlink {self._name(self.open)}"

    def undo(self) -> str:
        """Take the last act back while its toast stands, by key or button."""
        if not self.offered:
            return ""
        where = self.random.choice(("window.mailcrmAct('z')", f"document.querySelector('{TOAST}')?.click() ?? true"))
        there = self.page.evaluate(f"() => document.querySelector('{TOAST}') !== null && {where}")
        for thread, facet, before in reversed(self.offered if there else []):
            self.facts = {**self.facts, thread: {**self.facts[thread], facet: before}}
        self.offered = []
        return "undo" if there else "undo, too late"

    def filter(self) -> str:
        """Turn a filter on or off, in the bar or in the menu; the menu counts what each would find."""
        word = self.random.choice(
            (*IN_BAR, *IN_BAR, *IN_MENU, *(f"label-{each}" for each in self.world.labels.values()))
        )
        if word not in IN_BAR and self.picks:
            return ""
        on = self.view.filters
        after = tuple(each for each in on if each != word) if word in on else turned_on(on, word)
        if word in IN_BAR:
            self._by_id(f"filter-{word}").click()
        else:
            self._by_id("filter-menu").click()
            self._compare_counts()
            name = next((name for name, each in self.world.labels.items() if word == f"label-{each}"), "")
            (self._by_id("menu-choice").filter(has_text=name) if name else self._by_id(f"filter-{word}")).click()
            self.page.wait_for_function("(words) => new URLSearchParams(location.search).get('filter') === (words || null)",
                                        arg=",".join(after))  # fmt: skip
            self.page.keyboard.press("Escape")
            expect(self._by_id("filter-files")).to_have_count(0)
        self._go(replace(self.view, filters=after))
        return f"filter {word}"

    def _compare_counts(self) -> None:
        ends, shown, told = time.monotonic() + PATIENCE_S, {}, {"": 0}
        lines = {word: self._by_id(f"menu-{word}" if word in IN_BAR else f"filter-{word}") for word in COUNTED}
        while shown != told:
            assert time.monotonic() < ends, f"seed {self.seed}: the menu counts {shown}, not {told}; {self.trail}"
            told = {word: str(n) for word, n in self.world.books.counts(self.view, COUNTED).items()}
            shown = {word: line.locator(".num").inner_text() for word, line in lines.items()}
            if shown != told:
                self.page.evaluate(CHANGED)

    def clear(self) -> str:
        """Show everything again."""
        if not self.view.filters and not self.view.query:
            return ""
        self._by_id("filter-all").click()
        self._go(View(self.view.folder))
        return "clear the filters"

    def search(self) -> str:
        """Search for something else."""
        query = self.random.choice([each for each in QUERIES if each != self.view.query])
        field = self._by_id("search-input")
        field.fill(query)
        field.press("Enter")
        self._go(View(query=query))
        return f"search {query}"

    def folder(self) -> str:
        """Go to another folder, by mouse or keys."""
        view = View(self.random.choice(sorted(FOLDERS)))
        if view == self.view:
            return ""
        keys = FOLDERS[view.folder]
        link = self.page.locator(f'.nav-item[data-key="{keys}"]')
        self.random.choice((link.click, lambda: self._press(*keys.split())))()
        self._go(view)
        return f"go to {view.folder}"

    def back(self) -> str:
        """Go back to what was shown before."""
        if not self.past:
            return ""
        self.view = self.past.pop()
        self.page.go_back()
        return "back"

    def reload(self) -> str:
        """Load the page anew."""
        self.page.reload()
        self.page.wait_for_selector("[data-testid=sync-status]:not(:empty)")
        self.offered = []
        return "reload"

    def mail(self) -> str:
        """Let an email arrive: a new conversation, or an answer in one."""
        stand = [each for each in self.facts if not self.facts[each]["deleted"] and self._name(each) != str(each)]
        old = self.random.choice(stand) if stand and self.random.random() < 0.5 else 0
        subject = self._name(old) if old else f"Tide news {len(self.trail)} of walk {self.seed}"
        thread = self.world.arrived(self.world.deliver(subject, "Re: " if old else ""))
        self.subjects = self.world.books.subjects()
        came = self.world.books.looks(self.view)[2][thread]
        fresh = {"unread": True, "archived": False, "snoozed": False, "deleted": False}
        self.facts = {**self.facts, thread: {**came, **({} if not old else self.facts[old]), **fresh}}
        self.offered = [each for each in self.offered if each[0] != thread]
        return f"mail: {subject}"

    def _sent_only(self) -> set[int]:
        found = self.world.books.read(
            "SELECT id FROM threads WHERE id NOT IN (SELECT thread_id FROM messages WHERE direction = 'in')"
        )
        return {row[0] for row in found[0]}


#: What a walk consists of, and how often.
ACTS: tuple[tuple[Callable[[Walk], str], float], ...] = (
    (Walk.open_row, 3), (Walk.step, 2), (Walk.archive_row, 2), (Walk.snooze_row, 1), (Walk.put_away, 3),
    (Walk.mark, 3), (Walk.snooze_many, 1), (Walk.bring_back, 2), (Walk.pick, 3), (Walk.label, 2), (Walk.link, 2),
    (Walk.unlink, 2), (Walk.undo, 6), (Walk.filter, 4), (Walk.clear, 2), (Walk.search, 2), (Walk.folder, 3),
    (Walk.back, 2), (Walk.reload, 1), (Walk.mail, 2),
)  # fmt: skip
