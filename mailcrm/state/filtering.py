"""What the list of conversations is narrowed to: the chips, their counts, and the address that keeps them.

The words and what they mean are in services/mail/list_filters.py; the rows are in state/inbox.py.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError, NotFound
from mailcrm.services import i18n
from mailcrm.services.crm import people
from mailcrm.services.i18n import gettext
from mailcrm.services.mail import labels, list_filters, mailboxes, threads
from mailcrm.state.coerce import as_flag, as_text
from mailcrm.state.inbox import InboxState
from mailcrm.state.session import actor_of

MOST = 100  # more are "99+"
SHOWN = 6  # contacts that are found


@dataclass(frozen=True)
class Choice:
    """Something that a list can be narrowed to, with its own word: a label, a mailbox, a person or a day."""

    word: str
    name: str
    color: str = ""
    kind: str = ""


class FilterState(rx.State):
    """What the menu of filters offers, and how many conversations each finds."""

    open: bool = False
    labels: list[Choice] = []
    boxes: list[Choice] = []
    people: list[Choice] = []  # found by what was typed
    on: list[Choice] = []  # labels, mailboxes, persons and days that the list is narrowed to
    since: str = ""
    until: str = ""
    counts: dict[str, str] = {}

    @rx.event
    async def choose(self, word: str):
        """Turn one filter on or off; the others stay."""
        inbox = await self.get_state(InboxState)
        inbox.filters = list(list_filters.turned(inbox.filters, as_text(word, 40)))
        async for event in self._again(inbox):  # pyright: ignore[reportGeneralTypeIssues]
            yield event

    @rx.event(supersedes=True)
    async def find_person(self, text: str):
        """List the contacts that match what is typed."""
        actor, text = await actor_of(self), as_text(text, 100).strip()
        page = await asyncio.to_thread(people.list_people, actor, text, limit=SHOWN) if text else None
        self.people = [Choice(f"person-{each.id}", each.name, kind="person") for each in page.rows] if page else []

    @rx.event
    async def choose_day(self, which: str, value: str):
        """Show what came since a day, or until one; no day takes that filter off."""
        which, value = as_text(which, 5), as_text(value, 10)
        if which not in ("since", "until") or (value and list_filters.day(f"{which}-{value}") is None):
            return  # a year that is still being typed
        inbox = await self.get_state(InboxState)
        others = list_filters.without(inbox.filters, which)
        inbox.filters = [*others, f"{which}-{value}"] if value else list(others)
        async for event in self._again(inbox):  # pyright: ignore[reportGeneralTypeIssues]
            yield event

    @rx.event
    async def clear(self):
        """Show everything again; a search ends, too."""
        inbox = await self.get_state(InboxState)
        inbox.filters, inbox.query = [], ""
        async for event in self._again(inbox):  # pyright: ignore[reportGeneralTypeIssues]
            yield event

    @rx.event
    async def show(self, is_open: bool):
        """Open or close the menu."""
        self.open = as_flag(is_open)
        if self.open:
            await self._load()
            return FilterState.count
        return None

    @rx.event
    async def load(self):
        """Name the labels and mailboxes that the address asks for."""
        inbox = await self.get_state(InboxState)
        if any("-" in word for word in inbox.filters):
            await self._load()
        await self._name(inbox.filters)

    @rx.event(background=True)
    async def count(self):
        """Count what each filter would find, together with those that are on."""
        async with self:
            actor = await actor_of(self)
            inbox = await self.get_state(InboxState)
            folder, query, words = inbox.folder, inbox.query, tuple(inbox.filters)
            asked = [*list_filters.NAMED, *(each.word for each in (*self.labels, *self.boxes))]
        for part in (asked[:6], asked[6:]):
            wanted = [words if word in words else list_filters.turned(words, word) for word in part]
            filters = [list_filters.filter_of(each, folder=folder, query=query) for each in wanted]
            try:
                found = await asyncio.to_thread(threads.count_each, actor, filters, MOST)
            except MailcrmError:
                break
            async with self:
                now = await self.get_state(InboxState)
                if (tuple(now.filters), now.query, now.folder) != (words, query, folder):
                    break
                shown = [i18n.number(actor.language, n) if n < MOST else f"{MOST - 1}+" for n in found]
                self.counts = {**self.counts, **dict(zip(part, shown, strict=True))}

    async def _again(self, inbox: InboxState):
        inbox.loading, inbox.starts, inbox.view = True, [""], 0
        await self._name(inbox.filters)
        yield rx.call_script(f"window.mailcrmAddress('{address(inbox)}')")
        await inbox._fill(await actor_of(self), anew=True)
        if self.open:
            yield FilterState.count

    async def _load(self) -> None:
        actor = await actor_of(self)
        known = await asyncio.to_thread(labels.list_labels, actor)
        boxes = await asyncio.to_thread(mailboxes.list_mailboxes, actor)
        self.labels = [Choice(f"label-{each.id}", each.name, each.color) for each in known]
        self.boxes = [Choice(f"box-{each.id}", each.address) for each in boxes] if len(boxes) > 1 else []
        self.people = []
        await self._name((await self.get_state(InboxState)).filters)

    async def _name(self, words: list[str]) -> None:
        actor = await actor_of(self)
        known = {each.word: each for each in (*self.labels, *self.boxes, *self.people, *self.on)}
        for person_id in list_filters.ids(words, "person"):
            if (word := f"person-{person_id}") not in known:
                with suppress(NotFound):
                    found = await asyncio.to_thread(people.get_person, actor, person_id)
                    known[word] = Choice(word, found.card.name, kind="person")
        days = {word.partition("-")[0]: at for word in words if (at := list_filters.day(word)) is not None}
        self.since, self.until = (str(days.get(each, "")) for each in ("since", "until"))
        for which, at in days.items():
            shown = i18n.calendar_day(actor.language, at, date.max)  # with its year
            t = actor.language
            said = gettext(t, "Since {day}", day=shown) if which == "since" else gettext(t, "Until {day}", day=shown)
            known[f"{which}-{at}"] = Choice(f"{which}-{at}", said, kind="day")
        self.on = [known.get(word, Choice(word, "?")) for word in words if "-" in word]


def address(inbox: InboxState, view: int = 0) -> str:
    """Return the address of what the list shows; nothing that anybody wrote is in it but percent-encoded."""
    return address_of(inbox.folder, inbox.filters, inbox.query, view)


def address_of(folder: str, filters: list[str] | tuple[str, ...], query: str, view: int = 0) -> str:
    """Return the address of a folder with filters and words."""
    given = {"filter": list_filters.written(filters), "q": quote(query, safe=""), "view": str(view or "")}
    asked = "&".join(f"{name}={value}" for name, value in given.items() if value)
    return routes.FOLDERS.get(folder, routes.INBOX) + (f"?{asked}" if asked else "")
