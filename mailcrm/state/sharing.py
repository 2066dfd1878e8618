"""Who may read conversations: sharing them or one email, taking that back, and naming who reads the open one.

Sharing waits until its undo is over, here in the web process: when anything goes wrong meanwhile it stays private
(DESIGN.md §5). Making private is done at once, and takes back what still waits of it. Who may change what is decided by
services/mail/threads.py.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext, ngettext
from mailcrm.services.mail import bulk, readers, threads
from mailcrm.state.coerce import as_flag, as_int
from mailcrm.state.inbox import InboxState
from mailcrm.state.panel import PanelState
from mailcrm.state.present import hue, initials
from mailcrm.state.session import actor_of
from mailcrm.state.thread import ThreadState
from mailcrm.state.toasts import say, warn
from mailcrm.state.undoing import UNDO_S, Acts, noted, offer, taken

MOST_WAITING = 50  # of a tab; more are a program that calls handlers


@dataclass(frozen=True)
class Waiting:
    """Conversations, or one email of a conversation, that are about to be shared."""

    thread_ids: tuple[int, ...]
    message_id: int = 0


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
    _waits: Acts[Waiting] = {}
    #: Messages that were made private, for the undo of each time.
    _privates: Acts[tuple[int, ...]] = {}

    @rx.event
    async def toggle(self):
        """Share the open conversation once the undo is over, or make it private now (M26)."""
        actor = await actor_of(self)
        panel = await self.get_state(PanelState)
        thread_id = panel.thread_id
        if thread_id in self.waiting:
            return self._stays(actor, thread_id)
        if panel.visibility != "shared" and panel.can_change:
            return self._wait(actor, Waiting((thread_id,)))
        self._stays(actor, thread_id)
        changed = await asyncio.to_thread(threads.set_visibility, actor, thread_id, "private")
        return self._made_private(actor, changed)

    @rx.event
    async def toggle_message(self, message_id: int):
        """Do the same for one email."""
        actor, message_id = await actor_of(self), as_int(message_id)
        thread = await self.get_state(ThreadState)
        row = next((each for each in thread.messages if each.id == message_id), None)
        if message_id in self.waiting_messages:
            return self._stays(actor, thread.id, message_id)
        if row is not None and row.private and row.own:
            return self._wait(actor, Waiting((thread.id,), message_id))
        self._stays(actor, thread.id, message_id)
        changed = await asyncio.to_thread(threads.set_message_visibility, actor, message_id, "private")
        return self._made_private(actor, changed)

    @rx.event(background=True)
    async def share_later(self, token: int):
        """Share what still waits when its undo is over."""
        await asyncio.sleep(UNDO_S)
        failed = ""
        async with self:  # until it is done: "make private" comes before it, or behind it
            actor = await actor_of(self)
            self._waits, waited = taken(self._waits, token)
            self._show_waiting()
            if waited is None:
                return
            try:
                await asyncio.to_thread(_share, actor, waited)
            except MailcrmError as error:
                failed = i18n.sentence(error, actor.language)
        if failed:
            yield warn(failed)
        yield InboxState.refresh

    @rx.event
    async def keep_private(self, token: int):
        """Undo sharing before it happened."""
        actor = await actor_of(self)
        self._waits, _waited = taken(self._waits, token)
        self._show_waiting()
        return say(gettext(actor.language, "It stays private"))

    @rx.event
    async def share_again(self, token: int):
        """Undo making something private: what was private before stays so."""
        actor = await actor_of(self)
        self._privates, message_ids = taken(self._privates, token)
        await asyncio.to_thread(threads.share_again, actor, message_ids or ())
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

    def _wait(self, actor: Actor, what: Waiting) -> Any:
        if sum(each is not None for each in self._waits.values()) >= MOST_WAITING:
            return None
        self._waits, token = noted(self._waits, what, MOST_WAITING)
        self._show_waiting()
        n = len(what.thread_ids)
        if n == 1:
            said = gettext(actor.language, "Shared with the team in {seconds} seconds", seconds=UNDO_S)
        else:
            said = ngettext(
                actor.language,
                "{n} conversation shared with the team in {seconds} seconds",
                "{n} conversations shared with the team in {seconds} seconds",
                n,
                seconds=UNDO_S,
            )
        return [offer(actor, said, SharingState.keep_private(token)), SharingState.share_later(token)]

    def _stays(self, actor: Actor, thread_id: int, message_id: int = 0) -> Any:
        self._keep({thread_id}, message_id)
        return say(gettext(actor.language, "It stays private"))

    def _keep(self, thread_ids: Collection[int], message_id: int = 0) -> None:
        """Share none of these, whatever waits: all of the conversations, or one email and what would share it too."""
        for number, each in self._waits.items():
            if each is None or (message_id and each.message_id not in (0, message_id)):
                continue
            left = tuple(one for one in each.thread_ids if one not in thread_ids)
            self._waits = {**self._waits, number: replace(each, thread_ids=left) if left else None}
        self._show_waiting()

    def _made_private(self, actor: Actor, message_ids: tuple[int, ...]) -> Any:
        self._privates, number = noted(self._privates, message_ids)
        said = gettext(actor.language, "Only you can see this now")
        return [offer(actor, said, SharingState.share_again(number)), InboxState.refresh]

    def _show_waiting(self) -> None:
        waiting = [each for each in self._waits.values() if each is not None]
        self.waiting = [one for each in waiting if not each.message_id for one in each.thread_ids]
        self.waiting_messages = [each.message_id for each in waiting if each.message_id]


def _share(actor: Actor, waited: Waiting) -> None:
    if waited.message_id:
        threads.set_message_visibility(actor, waited.message_id, "shared")
    else:
        bulk.share(actor, waited.thread_ids)


def _row(view: readers.Reader, total: int, actor: Actor) -> ReaderRow:
    part = "" if view.messages == total else f"{view.messages} / {total}"
    me = view.user_id == actor.user_id
    name = gettext(actor.language, "You") if me else view.name
    return ReaderRow(view.user_id, name, initials(view.name), hue(view.name), view.owner, part)
