"""The acts that a random walk through the mail page consists of, by mouse and by keys (walking.py looks after each)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from playwright.sync_api import expect

from tests.e2e.books import View, turned_on
from tests.e2e.walking import CHANGED, PATIENCE_S, TOAST, Walker

QUERIES = ("survey", "harbour", "is:unread", "from:lena", "from:mika tide", "survey is:unread")
IN_BAR = ("unread", "deal")
IN_MENU = ("files", "unlinked", "shared", "private", "snoozed")
FOLDERS = {"inbox": "g i", "sent": "g s", "archive": "g a"}
COUNTED = ("unread", *IN_MENU, "deal")


class Walk(Walker):
    """One walk; its seed says all of it. Each act says what it did, "" where it can't be done."""

    def walk(self, steps: int) -> None:
        """Go, look after each step, and look again at the page loaded anew."""
        try:
            self.settle()
            for _ in range(steps):
                self.trail.append(self._step())
                self.settle()
            self.trail.append(self.reload())
            self.settle()
        except Exception as error:
            error.add_note("\n  ".join((f"seed {self.seed}, {self.view}, open: {self._name(self.open)}", *self.trail)))
            raise

    def _step(self) -> str:
        while True:
            act = self.random.choices([each for each, _ in ACTS], [weight for _, weight in ACTS])[0]
            if said := act(self):
                return said

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
        self._leaves([thread], alone=True)
        self._li(thread).hover()
        self._offering(lambda: self._li(thread).get_by_test_id("row-done").dispatch_event("click"))
        return f"{self._put_away([thread])} {self._name(thread)}, in its row"

    def snooze_row(self) -> str:
        """Snooze a conversation of the list."""
        if not self.ids:
            return ""
        thread, self.offered = self._some(), []
        choice = self.random.choice(("later", "tomorrow", "week"))
        self._leaves([thread], alone=True)
        self._li(thread).hover()
        self._offering(lambda: self._li(thread).get_by_test_id("row-snooze").select_option(choice, force=True))
        self._set([thread], "snoozed", True)
        return f"snooze {self._name(thread)}: {choice}"

    def put_away(self) -> str:
        """Archive or delete what is picked, or the open conversation, by key or button."""
        threads, what = self._target(), self.random.choice(("archive", "delete"))
        if not threads:
            return ""
        key, self.offered = {"archive": "e", "delete": "#"}[what], []
        self._leaves(threads)
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
        self.wanted = None if self.picks else 0
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
        self._leaves(threads)
        if self.picks:
            self._offering(lambda: self._by_id("pick-snooze").select_option("monday"))
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
        option = self.page.locator(".pop").get_by_test_id("pick-option" if self.picks else "link-deal-option")
        option = option.filter(has_text=title)
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
        where = self.random.choice(("window.mailcrmAct('z')", f"(document.querySelector('{TOAST}').click(), true)"))
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
            "SELECT id FROM threads WHERE id NOT IN"
            " (SELECT thread_id FROM messages WHERE direction = 'in' AND deleted_at IS NULL)"
        )
        return {row[0] for row in found[0]}


#: What a walk consists of, and how often.
ACTS: tuple[tuple[Callable[[Walk], str], float], ...] = (
    (Walk.open_row, 3), (Walk.step, 2), (Walk.archive_row, 2), (Walk.snooze_row, 1), (Walk.put_away, 3),
    (Walk.mark, 3), (Walk.snooze_many, 1), (Walk.bring_back, 2), (Walk.pick, 3), (Walk.label, 2), (Walk.link, 2),
    (Walk.unlink, 2), (Walk.undo, 6), (Walk.filter, 4), (Walk.clear, 2), (Walk.search, 2), (Walk.folder, 3),
    (Walk.back, 2), (Walk.reload, 1), (Walk.mail, 2),
)  # fmt: skip
