"""Who may read the open conversation: sharing it or one email of it, taking that back, and naming who reads it.

Sharing waits until its undo is over, here in the web process: when anything goes wrong meanwhile it stays private
(DESIGN.md §5). Making private is done at once. Who may change what is decided by services/mail/threads.py.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.mail import readers, threads
from mailcrm.state.coerce import as_flag, as_int
from mailcrm.state.inbox import InboxState
from mailcrm.state.panel import PanelState
from mailcrm.state.present import hue, initials
from mailcrm.state.session import actor_of
from mailcrm.state.thread import ThreadState
from mailcrm.state.toasts import say, warn

UNDO_S = 8  # as long as the toast stands
MOST_WAITING = 50  # of a tab; more are a program that calls handlers


@dataclass(frozen=True)
class ReaderRow:
    """Somebody who reads the conversation; `part` says so when it is not all of it."""

    id: int
    name: str
    initials: str
    hue: int
    owner: bool
    part: str


class SharingState(rx.State):
    """What waits to be shared, and who reads the open conversation."""

    waiting: list[int] = []  # conversations
    waiting_messages: list[int] = []
    open: bool = False
    loading: bool = False
    failed: str = ""
    readers: list[ReaderRow] = []
    would: list[ReaderRow] = []
    linked: bool = False
    shared: bool = False
    own: bool = False
    _acts: dict[int, tuple[str, int]] = {}
    #: Messages that were made private, for the undo of each time.
    _privates: dict[int, tuple[int, ...]] = {}
    _last: int = 0

    @rx.event
    async def toggle(self):
        """Share the open conversation once the undo is over, or make it private now (M26)."""
        actor = await actor_of(self)
        panel = await self.get_state(PanelState)
        thread_id = panel.thread_id
        if thread_id in self.waiting:
            return self._drop(actor, next(t for t, act in self._acts.items() if act == ("thread", thread_id)))
        if panel.visibility != "shared" and panel.can_change:
            return self._wait(actor, "thread", thread_id)
        changed = await asyncio.to_thread(threads.set_visibility, actor, thread_id, "private")
        return await self._made_private(actor, changed)

    @rx.event
    async def toggle_message(self, message_id: int):
        """Do the same for one email."""
        actor, message_id = await actor_of(self), as_int(message_id)
        row = next((each for each in (await self.get_state(ThreadState)).messages if each.id == message_id), None)
        if message_id in self.waiting_messages:
            return self._drop(actor, next(t for t, act in self._acts.items() if act == ("message", message_id)))
        if row is not None and row.private and row.own:
            return self._wait(actor, "message", message_id)
        changed = await asyncio.to_thread(threads.set_message_visibility, actor, message_id, "private")
        return await self._made_private(actor, changed)

    @rx.event(background=True)
    async def share_later(self, token: int):
        """Share what still waits when its undo is over."""
        await asyncio.sleep(UNDO_S)
        async with self:
            actor = await actor_of(self)
            kind, row_id = self._acts.pop(as_int(token), ("", 0))
            self._show_waiting()
        if not kind:
            return
        verb = threads.set_visibility if kind == "thread" else threads.set_message_visibility
        failed = ""
        try:
            await asyncio.to_thread(lambda: verb(actor, row_id, "shared"))
        except MailcrmError as error:
            failed = i18n.sentence(error, actor.language)
        if failed:
            yield warn(failed)
        yield InboxState.refresh

    @rx.event
    async def keep_private(self, token: int):
        """Undo sharing before it happened."""
        return self._drop(await actor_of(self), as_int(token))

    @rx.event
    async def share_again(self, token: int):
        """Undo making something private: what was private before stays so."""
        actor = await actor_of(self)
        message_ids = self._privates.pop(as_int(token), ())
        await asyncio.to_thread(threads.share_again, actor, message_ids)
        return InboxState.refresh

    @rx.event
    async def show_readers(self, is_open: bool):
        """Name who can read the conversation now, and who would once it is shared."""
        self.open = as_flag(is_open)
        if not self.open:
            return
        self.loading, self.failed = True, ""
        yield
        actor = await actor_of(self)
        thread_id = (await self.get_state(PanelState)).thread_id
        try:
            view = await asyncio.to_thread(readers.of_thread, actor, thread_id)
        except MailcrmError as error:
            self.failed = i18n.sentence(error, actor.language)
            self.readers, self.would = [], []
        else:
            self.readers = [_row(each, view.total, actor) for each in view.readers]
            self.would = [_row(each, view.total, actor) for each in view.would]
            self.linked, self.shared = view.linked, view.visibility == "shared"
            self.own = any(each.owner and each.user_id == actor.user_id for each in view.readers)
        self.loading = False

    def _wait(self, actor: Actor, kind: str, row_id: int) -> Any:
        if len(self._acts) >= MOST_WAITING:
            return None
        self._last += 1
        self._acts = {**self._acts, self._last: (kind, row_id)}
        self._show_waiting()
        action = {"label": gettext(actor.language, "Undo"), "on_click": SharingState.keep_private(self._last)}
        said = gettext(actor.language, "Shared with the team in {seconds} seconds", seconds=UNDO_S)
        return [say(said, action=action, duration=UNDO_S * 1000), SharingState.share_later(self._last)]

    def _drop(self, actor: Actor, token: int) -> Any:
        self._acts = {each: act for each, act in self._acts.items() if each != token}
        self._show_waiting()
        return say(gettext(actor.language, "It stays private"))

    async def _made_private(self, actor: Actor, message_ids: tuple[int, ...]) -> Any:
        self._last += 1
        self._privates = dict([*self._privates.items(), (self._last, message_ids)][-MOST_WAITING:])
        action = {"label": gettext(actor.language, "Undo"), "on_click": SharingState.share_again(self._last)}
        said = gettext(actor.language, "Only you can see this now")
        return [say(said, action=action, duration=UNDO_S * 1000), InboxState.refresh]

    def _show_waiting(self) -> None:
        self.waiting = [row_id for kind, row_id in self._acts.values() if kind == "thread"]
        self.waiting_messages = [row_id for kind, row_id in self._acts.values() if kind == "message"]


def _row(view: readers.Reader, total: int, actor: Actor) -> ReaderRow:
    part = "" if view.messages == total else f"{view.messages} / {total}"
    me = view.user_id == actor.user_id
    name = gettext(actor.language, "You") if me else view.name
    return ReaderRow(view.user_id, name, initials(view.name), hue(view.name), view.owner, part)
