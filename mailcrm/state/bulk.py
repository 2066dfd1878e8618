"""One act on the picked conversations, with one Undo for the whole. Which are picked is in state/linking.py.

Rows leave before the database has answered; a refusal brings them back. What an undo needs stays on the server.
"""

import asyncio
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.i18n import N_, gettext, ngettext
from mailcrm.services.mail import bulk
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.inbox import InboxState
from mailcrm.state.linking import PickState
from mailcrm.state.present import eyes_of
from mailcrm.state.remind import CHOICES, moment
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say, warn

UNDO_S = 8  # as long as the toast stands
KEPT = 10  # acts whose Undo may still be on the screen: eight seconds each
SAID = {
    "archive": (N_("{n} conversation archived"), N_("{n} conversations archived")),
    "unarchive": (N_("{n} conversation moved to the inbox"), N_("{n} conversations moved to the inbox")),
    "delete": (N_("{n} conversation deleted"), N_("{n} conversations deleted")),
    "read": (N_("{n} conversation marked read"), N_("{n} conversations marked read")),
    "unread": (N_("{n} conversation marked unread"), N_("{n} conversations marked unread")),
    "private": (
        N_("Only you can see {n} conversation now"),
        N_("Only you can see {n} conversations now"),
    ),
    "snooze": (N_("{n} conversation snoozed"), N_("{n} conversations snoozed")),
}


class BulkState(rx.State):
    """What is done with the conversations that are picked."""

    _done: dict[int, bulk.Done] = {}  # by the number that its own Undo has: toasts of two acts stand side by side
    _acts: int = 0
    _sharing: dict[int, tuple[int, ...]] = {}  # waits for the end of its undo (DESIGN.md §5)

    @rx.event
    async def act(self, what: str):
        """Archive (or take out of the archive), delete, or mark read or unread what is picked; offers Undo."""
        what = as_text(what, 10)
        inbox = await self.get_state(InboxState)
        if what == "archive" and inbox.folder == "archive":
            what = "unarchive"
        if what in ("archive", "unarchive", "delete", "read", "unread"):
            async for event in self._do(what, bulk.act, what):  # pyright: ignore[reportGeneralTypeIssues]
                yield event

    @rx.event
    async def snooze(self, choice: str):
        """Take what is picked out of the inbox for a while; offers Undo."""
        if as_text(choice) in CHOICES:
            eyes = eyes_of(await actor_of(self))
            async for event in self._do("snooze", bulk.snooze, moment(choice, eyes.now, eyes.zone)):  # pyright: ignore[reportGeneralTypeIssues]
                yield event

    @rx.event
    async def share(self, visibility: str):
        """Make what is picked private now, or share it once its undo is over."""
        visibility = as_text(visibility, 10)
        if visibility == "private":
            async for event in self._do("private", bulk.make_private):  # pyright: ignore[reportGeneralTypeIssues]
                yield event
        picks = await self.get_state(PickState)
        if visibility == "shared" and picks.ids and len(self._sharing) < KEPT:
            actor, ids = await actor_of(self), tuple(picks.ids)
            await picks._none()
            self._acts += 1
            self._sharing = {**self._sharing, self._acts: ids}
            action = {"label": gettext(actor.language, "Undo"), "on_click": BulkState.keep_private(self._acts)}
            said = ngettext(
                actor.language,
                "{n} conversation shared with the team in {seconds} seconds",
                "{n} conversations shared with the team in {seconds} seconds",
                len(ids),
                seconds=UNDO_S,
            )
            yield [say(said, action=action, duration=UNDO_S * 1000), BulkState.share_later(self._acts)]

    @rx.event(background=True)
    async def share_later(self, number: int):
        """Share what still waits when its undo is over."""
        await asyncio.sleep(UNDO_S)
        async with self:
            actor = await actor_of(self)
            ids = self._sharing.pop(as_int(number), ())
        if not ids:
            return
        try:
            await asyncio.to_thread(bulk.share, actor, ids)
        except MailcrmError as error:
            yield warn(i18n.sentence(error, actor.language))
        yield InboxState.refresh

    @rx.event
    async def keep_private(self, number: int):
        """Undo sharing before it happened."""
        actor = await actor_of(self)
        if self._sharing.pop(as_int(number), None) is not None:
            return say(gettext(actor.language, "Kept private"))
        return None

    @rx.event
    async def undo(self, number: int):
        """Take one of the last acts back, once."""
        actor, done = await actor_of(self), self._done.pop(as_int(number), None)
        if done is not None:
            await asyncio.to_thread(bulk.undo, actor, done)
        return InboxState.refresh

    async def _do(self, what: str, verb: Any, *args: Any) -> Any:
        actor = await actor_of(self)
        picks, inbox = await self.get_state(PickState), await self.get_state(InboxState)
        ids = list(picks.ids)
        if not ids:
            return
        await picks._none()
        if what in ("read", "unread"):
            others = [each for each in inbox.unread_ids if each not in ids]
            inbox.unread_ids = others if what == "read" else [*others, *ids]
        elif what != "private":
            inbox.rows = [row for row in inbox.rows if row.id not in ids]
            if inbox.selected in ids:
                await inbox._close()
        yield
        try:
            done = await asyncio.to_thread(verb, actor, ids, *args)
        except MailcrmError as error:
            yield [warn(i18n.sentence(error, actor.language)), InboxState.refresh]
            return
        self._acts += 1
        self._done = {**{n: act for n, act in self._done.items() if n > self._acts - KEPT}, self._acts: done}
        action = {"label": gettext(actor.language, "Undo"), "on_click": BulkState.undo(self._acts)}
        yield [say(ngettext(actor.language, *SAID[what], len(ids)), action=action, duration=8000), InboxState.refresh]
