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
from mailcrm.state.toasts import say, warn

KEPT = 10  # merges whose Undo may still be on the screen
FOUND = 8  # conversations offered to merge with


class ArrangeState(rx.State):
    """The question which conversation to merge with."""

    asking: bool = False
    found: list[Row] = []
    _merged: dict[int, manual.Merged] = {}  # by the number that its own Undo has
    _acts: int = 0

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
        action = {"label": gettext(actor.language, "Undo"), "on_click": ArrangeState.join(made, old)}
        toast = say(gettext(actor.language, "Split into two conversations"), action=action, duration=8000)
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
        self._acts += 1
        self._merged = {**{n: act for n, act in self._merged.items() if n > self._acts - KEPT}, self._acts: merged}
        await self._filled(actor)
        action = {"label": gettext(actor.language, "Undo"), "on_click": ArrangeState.part(self._acts)}
        toast = say(gettext(actor.language, "Conversations merged"), action=action, duration=8000)
        return [toast, InboxState.select(into)]

    @rx.event
    async def part(self, number: int):
        """Undo one of the last merges, once."""
        actor, merged = await actor_of(self), self._merged.pop(as_int(number), None)
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
