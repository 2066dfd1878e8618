"""What the list of conversations is narrowed to: the chips, their counts, and the address that keeps them.

The words and what they mean are in services/mail/list_filters.py; the rows are in state/inbox.py.
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import quote

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.mail import labels, list_filters, mailboxes, threads
from mailcrm.state.coerce import as_flag, as_text
from mailcrm.state.inbox import InboxState
from mailcrm.state.session import actor_of

MOST = 100  # more are "99+"


@dataclass(frozen=True)
class Choice:
    """Something that a list can be narrowed to, with its own word: a label or a mailbox."""

    word: str
    name: str
    color: str = ""


class FilterState(rx.State):
    """What the menu of filters offers, and how many conversations each finds."""

    open: bool = False
    labels: list[Choice] = []
    boxes: list[Choice] = []
    on: list[Choice] = []  # labels and mailboxes that the list is narrowed to
    counts: dict[str, str] = {}

    @rx.event
    async def choose(self, word: str):
        """Turn one filter on or off; the others stay."""
        inbox = await self.get_state(InboxState)
        inbox.filters = list(list_filters.turned(inbox.filters, as_text(word, 40)))
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
        self._name(inbox.filters)

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
        self._name(inbox.filters)
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
        self._name((await self.get_state(InboxState)).filters)

    def _name(self, words: list[str]) -> None:
        known = {each.word: each for each in (*self.labels, *self.boxes)}
        self.on = [known.get(word, Choice(word, "?")) for word in words if "-" in word]


def address(inbox: InboxState, view: int = 0) -> str:
    """Return the address of what the list shows; nothing that anybody wrote is in it but percent-encoded."""
    return address_of(inbox.folder, inbox.filters, inbox.query, view)


def address_of(folder: str, filters: list[str] | tuple[str, ...], query: str, view: int = 0) -> str:
    """Return the address of a folder with filters and words."""
    given = {"filter": list_filters.written(filters), "q": quote(query, safe=""), "view": str(view or "")}
    asked = "&".join(f"{name}={value}" for name, value in given.items() if value)
    return routes.FOLDERS.get(folder, routes.INBOX) + (f"?{asked}" if asked else "")
