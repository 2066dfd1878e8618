"""Whose remote images are shown without asking: chosen in a message's bar, listed and taken back in the profile.

"This email" is kept nowhere but in the page (state/thread.py, state/timeline.py).
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.mail.remote_images import choices
from mailcrm.services.mail.remote_images.choices import ImageChoiceView
from mailcrm.state.coerce import as_flag, as_int, as_text
from mailcrm.state.session import actor_of
from mailcrm.state.thread import ThreadState
from mailcrm.state.timeline import TimelineState
from mailcrm.state.toasts import warn
from mailcrm.state.undoing import offer


@dataclass(frozen=True)
class ImageChoiceRow:
    """A sender or a domain whose images are shown."""

    id: int
    shown: str
    kind: str


class RemoteImagesState(rx.State):
    """The user's choices."""

    loaded: bool = False
    always: bool = False
    always_id: int = 0
    rows: list[ImageChoiceRow] = []

    @rx.event
    async def load(self):
        """List the choices when the page opens."""
        await self._fill(await actor_of(self))

    @rx.event
    async def allow(self, message_id: int, scope: str):
        """Show remote images of a message's sender, of its domain, or always, from now on; Undo takes it back."""
        actor = await actor_of(self)
        try:
            made = await asyncio.to_thread(choices.allow, actor, as_text(scope, 20), as_int(message_id))
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        await self._reload_frames(as_int(message_id), made)
        return _said(actor, made)

    @rx.event
    async def take_back(self, choice_id: int):
        """Undo a choice: images are hidden again."""
        actor = await actor_of(self)
        await asyncio.to_thread(choices.revoke, actor, as_int(choice_id))
        thread, timeline = await self.get_state(ThreadState), await self.get_state(TimelineState)
        thread.remote_ids, timeline.remote_ids = [], []
        await self._fill(actor)

    @rx.event
    async def switch(self, on: bool):
        """Show remote images of everybody, or ask."""
        actor = await actor_of(self)
        if as_flag(on):
            await asyncio.to_thread(choices.allow, actor, "always")
        elif self.always_id:
            await asyncio.to_thread(choices.revoke, actor, self.always_id)
        await self._fill(actor)

    @rx.event
    async def remove(self, choice_id: int):
        """Take a sender or domain off the list; Undo puts it back."""
        actor = await actor_of(self)
        gone = await asyncio.to_thread(choices.revoke, actor, as_int(choice_id))
        await self._fill(actor)
        text = gettext(actor.language, "Images from {who} are hidden again", who=gone.shown)
        return offer(actor, text, RemoteImagesState.again(gone.scope, gone.shown))

    @rx.event
    async def again(self, scope: str, shown: str):
        """Undo `remove`."""
        actor = await actor_of(self)
        await asyncio.to_thread(choices.again, actor, as_text(scope, 20), as_text(shown, 400))
        await self._fill(actor)

    async def _fill(self, actor: Actor) -> None:
        found = await asyncio.to_thread(choices.list_choices, actor)
        self.always_id = next((each.id for each in found if each.scope == "always"), 0)
        self.always, self.loaded = self.always_id > 0, True
        self.rows = [_row(each, actor) for each in found if each.scope != "always"]

    async def _reload_frames(self, message_id: int, made: ImageChoiceView) -> None:
        """Show the images of what is open and covered now."""
        thread, timeline = await self.get_state(ThreadState), await self.get_state(TimelineState)
        for state, rows in (
            (thread, thread.messages),
            (timeline, [entry.message for entry in timeline.entries if entry.message is not None]),
        ):
            covered = [row.id for row in rows if row.id == message_id or _covers(made, row.address)]
            state.remote_ids = list(dict.fromkeys([*state.remote_ids, *covered]))


def _covers(made: ImageChoiceView, address: str) -> bool:
    if made.scope == "always":
        return True
    address = address.lower()
    return address == made.shown if made.scope == "sender" else f"@{address.rpartition('@')[2]}" == made.shown


def _row(view: ImageChoiceView, actor: Actor) -> ImageChoiceRow:
    kind = gettext(actor.language, "Address") if view.scope == "sender" else gettext(actor.language, "Domain")
    return ImageChoiceRow(view.id, view.shown, kind)


def _said(actor: Actor, made: ImageChoiceView) -> Any:
    text = (
        gettext(actor.language, "Remote images are shown from now on")
        if made.scope == "always"
        else gettext(actor.language, "Images from {who} are shown from now on", who=made.shown)
    )
    return offer(actor, text, RemoteImagesState.take_back(made.id))
