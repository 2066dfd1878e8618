"""Conversations split and merged by their owner, each with an undo."""

import asyncio

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.mail import threads
from mailcrm.services.mail.thread import manual
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.inbox import InboxState
from mailcrm.state.present import Row, eyes_of, rows
from mailcrm.state.session import actor_of
from mailcrm.state.thread import ThreadState
from mailcrm.state.toasts import warn
from mailcrm.state.undoing import Acts, noted, offer, taken

FOUND = 8  # conversations offered to merge with


class ArrangeState(rx.State):
    """The question which conversation to merge with."""

    asking: bool = False
    found: list[Row] = []
    _merged: Acts[manual.Merged] = {}

    @rx.event
    async def split(self, message_id: int):
        """Let a message start a conversation of its own, with its answers; offers Undo."""
        actor = await actor_of(self)
        old = (await self.get_state(ThreadState)).id
        try:
            made = await asyncio.to_thread(manual.split_thread, actor, as_int(message_id))
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        await self._filled(actor)
        toast = offer(actor, gettext(actor.language, "Split into two conversations"), ArrangeState.join(made, old))
        return [toast, InboxState.select(made)]

    @rx.event
    async def join(self, thread_id: int, into_id: int):
        """Undo a split."""
        actor = await actor_of(self)
        try:
            await asyncio.to_thread(manual.merge_threads, actor, as_int(thread_id), as_int(into_id))
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        await self._filled(actor)
        return InboxState.select(as_int(into_id))

    @rx.event
    async def ask(self, on: bool):
        """Open or close the search for a conversation to merge with."""
        self.asking = on is True
        if self.asking:
            await self._find(await actor_of(self), "")

    @rx.event(supersedes=True)
    async def find(self, text: str):
        """List own conversations that match."""
        await self._find(await actor_of(self), as_text(text, 100))

    @rx.event
    async def merge(self, thread_id: int):
        """Move the open conversation into another one; offers Undo."""
        actor, into = await actor_of(self), as_int(thread_id)
        here = (await self.get_state(ThreadState)).id
        self.asking = False
        try:
            merged = await asyncio.to_thread(manual.merge_threads, actor, here, into)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        self._merged, number = noted(self._merged, merged)
        await self._filled(actor)
        toast = offer(actor, gettext(actor.language, "Conversations merged"), ArrangeState.part(number))
        return [toast, InboxState.select(into)]

    @rx.event
    async def part(self, number: int):
        """Undo one of the last merges, once."""
        actor = await actor_of(self)
        self._merged, merged = taken(self._merged, number)
        if merged is None:
            return None
        try:
            made = await asyncio.to_thread(manual.separate, actor, merged)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        await self._filled(actor)
        return InboxState.select(made)

    async def _find(self, actor: Actor, text: str) -> None:
        here = (await self.get_state(ThreadState)).id
        page = await asyncio.to_thread(threads.list_threads, actor, folder="all", query=text, limit=FOUND + 1)
        self.found = rows([row for row in page.rows if row.id != here][:FOUND], eyes_of(actor))

    async def _filled(self, actor: Actor) -> None:
        await (await self.get_state(InboxState))._fill(actor)
