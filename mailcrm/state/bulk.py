"""One act on the picked conversations, with one Undo for the whole. Which are picked is in state/linking.py.

Rows leave before the database has answered; a refusal brings them back. What an undo needs stays on the server.
"""

import asyncio
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.i18n import N_, ngettext
from mailcrm.services.mail import bulk
from mailcrm.state.coerce import as_text
from mailcrm.state.inbox import InboxState
from mailcrm.state.linking import PickState
from mailcrm.state.present import eyes_of
from mailcrm.state.remind import CHOICES, moment
from mailcrm.state.session import actor_of
from mailcrm.state.sharing import SharingState, Waiting
from mailcrm.state.toasts import warn
from mailcrm.state.undoing import Acts, noted, offer, taken

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

    _done: Acts[bulk.Done] = {}

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
            (await self.get_state(SharingState))._keep((await self.get_state(PickState)).ids)
            async for event in self._do("private", bulk.make_private):  # pyright: ignore[reportGeneralTypeIssues]
                yield event
        picks = await self.get_state(PickState)
        if visibility == "shared" and picks.ids:
            actor, ids = await actor_of(self), tuple(picks.ids)
            await picks._none()
            yield (await self.get_state(SharingState))._wait(actor, Waiting(ids))

    @rx.event
    async def undo(self, number: int):
        """Take one of the last acts back, once."""
        actor = await actor_of(self)
        self._done, done = taken(self._done, number)
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
        self._done, number = noted(self._done, done)
        said = ngettext(actor.language, *SAID[what], len(ids))
        yield [offer(actor, said, BulkState.undo(number)), InboxState.refresh]
