"""The mail page's list: which folder, which filter, which rows, which one is open.

Rows are one page at a time; what changes often (unread, selected) is in small vars beside them. The open conversation
is in state/thread.py, its people and deals in state/panel.py.
"""

import asyncio
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError, NotFound
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import suggest
from mailcrm.services.i18n import N_, gettext
from mailcrm.services.mail import bulk, list_filters, threads
from mailcrm.services.mail.outbox import queue
from mailcrm.services.mail.search import operators
from mailcrm.services.mail.thread_pick import Filter
from mailcrm.services.paging import MOST
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.outgoing import Outgoing, outgoing
from mailcrm.state.panel import PanelState
from mailcrm.state.present import Row, eyes_of, rows
from mailcrm.state.session import actor_of
from mailcrm.state.thread import ThreadState
from mailcrm.state.undoing import Acts, noted, offer, taken

PAGE = 50
PAGES = 8  # kept in a tab; more makes every change of the list slow (reflex.md §4). Older pages push newer ones out
FOLDERS = ("inbox", "drafts", "outbox", "sent", "archive")
SAID = {
    "archive": N_("Conversation archived"),
    "unarchive": N_("Conversation moved to the inbox"),
    "delete": N_("Conversation deleted"),
}


class InboxState(rx.State):
    """The list of conversations."""

    folder: str = "inbox"
    filters: list[str] = []  # words of services/mail/list_filters.py
    view: int = 0  # the saved view that is open
    query: str = ""
    rows: list[Row] = []
    outgoing: list[Outgoing] = []
    unread_ids: list[int] = []
    selected: int = 0
    position: str = ""
    cursor: str = ""
    starts: list[str] = [""]  # the cursor before each page that is kept; the first is "" at the top of the list
    total_unread: str = ""
    loading: bool = True
    failed: str = ""
    _rows_of: tuple[Any, ...] = ()  # folder, filters and words that the rows are of
    _done: Acts[bulk.Done] = {}

    @rx.var
    def marks(self) -> list[str]:
        """What is marked in the rows: the words that were searched for."""
        return list(operators.marks(self.query))

    @rx.event
    async def open_page(self):
        """Show the folder of the address, and the conversation when the address names one."""
        path = self.router.url.path.strip("/").split("/")
        before = self._wanted(), self.folder
        self.folder = path[0] if path[0] in FOLDERS else "inbox"
        self.query = as_text(self.router.url.query_parameters.get("q", ""), 200)
        asked = self.router.url.query_parameters
        self.filters = list(list_filters.read(as_text(asked.get("filter", ""))))
        self.view = as_int(asked.get("view", ""))
        self.loading, self.failed, self.starts = True, "", [""]
        thread_id = as_int(getattr(self, "thread_arg", "")) if path[0] == "thread" else 0
        if path[0] != "thread":
            await self._close()
        yield
        actor = await actor_of(self)
        await self._fill(actor, anew=before != (self._wanted(), self.folder))
        if thread_id:
            async for event in self._open(actor, thread_id):  # pyright: ignore[reportGeneralTypeIssues]
                yield event

    @rx.event
    async def refresh(self):
        """Read the list and the open conversation again; rows that did not change stay as they are."""
        actor = await actor_of(self)
        await self._fill(actor)
        if self.selected:
            thread = await self.get_state(ThreadState)
            panel = await self.get_state(PanelState)
            try:
                await thread._show(actor, self.selected)
                await panel._show(actor, self.selected)
            except NotFound:
                await self._close()

    @rx.event
    async def more(self):
        """Add the next page below the rows; beyond PAGES the newest page leaves, and `newest` brings it back."""
        if not self.cursor:
            return
        actor = await actor_of(self)
        eyes = eyes_of(actor)
        page = await asyncio.to_thread(threads.list_page, actor, self._wanted(), cursor=self.cursor, limit=PAGE)
        chips = await asyncio.to_thread(_suggestions, actor, page.rows)
        after = next((row.day for row in reversed(self.rows) if row.day), "")
        known = {row.id for row in self.rows}
        self.rows = self.rows + [
            row
            for row in rows(page.rows, eyes, after, sent=self.folder == "sent", suggestions=chips)
            if row.id not in known
        ]
        self.unread_ids = self.unread_ids + [row.id for row in page.rows if row.unread]
        self.starts, self.cursor = [*self.starts, self.cursor], page.next_cursor or ""
        if len(self.starts) > PAGES:
            self.starts, self.rows = self.starts[1:], self.rows[PAGE:]

    @rx.event
    async def newest(self):
        """Return to the top of the list."""
        self.starts, self.rows = [""], []
        await self._fill(await actor_of(self))

    @rx.event(supersedes=True)
    async def select(self, thread_id: int):
        """Open a conversation beside the list."""
        actor = await actor_of(self)
        async for event in self._open(actor, as_int(thread_id)):  # pyright: ignore[reportGeneralTypeIssues]
            yield event

    @rx.event
    async def take_suggestion(self, thread_id: int):
        """Open the conversation with what its row suggests beside it: the deals to choose from, or the new contact."""
        actor, thread_id = await actor_of(self), as_int(thread_id)
        suggests = next((row.suggests for row in self.rows if row.id == thread_id), "")
        async for event in self._open(actor, thread_id):  # pyright: ignore[reportGeneralTypeIssues]
            yield event
        panel = await self.get_state(PanelState)
        panel.shown, panel.adding = True, suggests == "person" and panel.unknown_address != ""

    @rx.event
    async def back(self):
        """Close the conversation (a phone shows the list again)."""
        await self._close()

    @rx.event
    async def step(self, by: int):
        """Open the next or the previous conversation."""
        ids = [row.id for row in self.rows]
        at = ids.index(self.selected) if self.selected in ids else -1
        to = at + (1 if by == 1 else -1)
        if 0 <= to < len(ids):
            return InboxState.select(ids[to])
        return None

    @rx.event(background=True)
    async def seen(self, thread_id: int):
        """Mark the conversation read once it was open for a second."""
        await asyncio.sleep(1)
        async with self:
            actor = await actor_of(self)
            still = self.selected == thread_id and thread_id in self.unread_ids
        if not still:
            return
        await asyncio.to_thread(threads.mark_read, actor, as_int(thread_id), True)
        async with self:
            self.unread_ids = [each for each in self.unread_ids if each != thread_id]

    @rx.event
    async def unread(self):
        """Mark the open conversation unread."""
        actor = await actor_of(self)
        await asyncio.to_thread(threads.mark_read, actor, self.selected, False)
        self.unread_ids = [*self.unread_ids, self.selected]
        await self._close()

    @rx.event
    async def archive(self):
        """Archive the open conversation, or take it out of the archive; offers Undo."""
        return await self._put_away("archive")

    @rx.event
    async def archive_row(self, thread_id: int):
        """Archive a conversation of the list, or take it out of the archive; offers Undo."""
        return await self._put_away("archive", as_int(thread_id))

    @rx.event
    async def delete(self):
        """Delete the open conversation; offers Undo."""
        return await self._put_away("delete")

    @rx.event
    async def put_back(self, number: int):
        """Undo one of the last acts of archiving, deleting or snoozing, once."""
        actor = await actor_of(self)
        self._done, done = taken(self._done, number)
        if done is not None:
            await asyncio.to_thread(bulk.undo, actor, done)
            await self._fill(actor)

    @rx.event
    async def cancel_send(self, outbox_id: int):
        """Take a waiting email back to the drafts."""
        actor = await actor_of(self)
        await asyncio.to_thread(queue.undo, actor, as_int(outbox_id))
        await self._fill(actor)

    @rx.event
    async def send_now(self, outbox_id: int):
        """Let an email that waits leave at once."""
        actor = await actor_of(self)
        await asyncio.to_thread(queue.reschedule, actor, as_int(outbox_id))
        await self._fill(actor)

    @rx.event
    async def retry_send(self, outbox_id: int):
        """Try a failed email again."""
        actor = await actor_of(self)
        await asyncio.to_thread(queue.retry, actor, as_int(outbox_id))
        await self._fill(actor)

    def _wanted(self) -> Filter:
        folder = self.folder if self.folder in ("inbox", "sent", "archive") else "inbox"
        return list_filters.filter_of(self.filters, folder=folder, query=self.query)

    async def _fill(self, actor: Actor, *, anew: bool = False) -> None:
        """Read the rows that are shown again; `anew`, where something else was asked for, a page and no more."""
        eyes = eyes_of(actor)
        self.failed = ""
        try:
            if self.folder in ("drafts", "outbox"):
                listed = queue.list_drafts if self.folder == "drafts" else queue.list_outbox
                found = await asyncio.to_thread(listed, actor)
                self.outgoing = [outgoing(each, eyes) for each in found]
                self.rows, self.cursor = [], ""
            else:
                count = PAGE if anew else max(PAGE, len(self.rows))
                found, cursor, total = await asyncio.to_thread(self._read, actor, count)
                chips = await asyncio.to_thread(_suggestions, actor, found)
                made = rows(found, eyes, sent=self.folder == "sent", suggestions=chips)
                unread = [row.id for row in found if row.unread]
                await self._unpick({row.id for row in self.rows}, {row.id for row in made})
                if made != self.rows:
                    self.rows = made
                if unread != self.unread_ids:
                    self.unread_ids = unread
                self.outgoing, self.cursor = [], cursor
                self.total_unread = i18n.bounded(actor.language, total)
        except MailcrmError as error:
            self.failed = i18n.sentence(error, actor.language)
        self.loading = False
        self._place()

    async def _unpick(self, before: set[int], now: set[int]) -> None:
        """What left the list is picked no longer: nobody is to act on what is out of sight."""
        from mailcrm.state.linking import PickState  # it knows this module

        place = (self.folder, tuple(self.filters), self.query)
        picks = await self.get_state(PickState)
        if place == self._rows_of:  # what was never shown may be picked, too: all of this list
            await picks._keep(lambda one: one in now or one not in before)
        else:
            self._rows_of = place
            await picks._keep(lambda one: one in now)

    def _read(self, actor: Actor, count: int) -> tuple[list[Any], str, int]:
        """Read `count` rows from where the kept pages begin; a page of the service has a limit of its own."""
        cursor, found, total, wanted = self.starts[0], [], 0, self._wanted()
        while True:
            page = threads.list_page(actor, wanted, cursor=cursor or None, limit=min(count - len(found), MOST))
            found += page.rows
            cursor, total = page.next_cursor or "", page.total_unread
            if not cursor or len(found) >= count:
                return found, cursor, total

    async def _open(self, actor: Actor, thread_id: int) -> Any:
        thread = await self.get_state(ThreadState)
        panel = await self.get_state(PanelState)
        await thread._show(actor, thread_id, fresh=True)
        self.selected = thread_id
        self._place()
        yield
        await panel._show(actor, thread_id)
        if thread_id in self.unread_ids:
            yield InboxState.seen(thread_id)

    async def _close(self) -> None:
        self.selected, self.position = 0, ""
        (await self.get_state(ThreadState))._clear()
        (await self.get_state(PanelState))._clear()

    async def _put_away(self, what: str, thread_id: int = 0) -> Any:
        what = "unarchive" if what == "archive" and self.folder == "archive" else what
        said = gettext((await actor_of(self)).language, SAID[what])
        return await self._take(bulk.act, what, said=said, thread_id=thread_id)

    async def _take(self, verb: Any, *args: Any, said: str, thread_id: int = 0) -> Any:
        """Do what takes a conversation out of the list, say so with an Undo of what it changed, and open the next one."""
        actor, one = await actor_of(self), thread_id or self.selected
        if not one:
            return None
        ids = [row.id for row in self.rows]
        at = ids.index(one) if one in ids else -1
        done = await asyncio.to_thread(verb, actor, [one], *args)
        self._done, number = noted(self._done, done)
        await self._fill(actor)
        left = [row.id for row in self.rows]
        follow = left[min(at, len(left) - 1)] if left and at >= 0 else 0
        toast = offer(actor, said, InboxState.put_back(number))
        if one != self.selected:
            return toast
        if follow:
            return [toast, InboxState.select(follow)]
        await self._close()
        return toast

    def _place(self) -> None:
        ids = [row.id for row in self.rows]
        self.position = f"{ids.index(self.selected) + 1} / {len(ids)}" if self.selected in ids else ""


def _suggestions(actor: Actor, found: Any) -> dict[int, suggest.Suggestion]:
    """What the rows without a deal may be linked to."""
    return suggest.for_threads(actor, [row.id for row in found if row.own and not row.deal_title])
