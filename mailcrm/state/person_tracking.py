"""A person's tracking data on their page: downloaded through a link, erased after a question (T09)."""

import asyncio

import reflex as rx

from mailcrm.services.i18n import ngettext
from mailcrm.services.tracking import personal
from mailcrm.state.coerce import as_flag
from mailcrm.state.person import PersonState
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say


class PersonTrackingState(rx.State):
    """Whether the question is open."""

    erasing: bool = False

    @rx.event
    async def ask_erase(self, is_open: bool):
        """Open or close the question."""
        self.erasing = as_flag(is_open)

    @rx.event
    async def erase(self):
        """Delete what was recorded of the person whose page is open."""
        self.erasing = False
        actor, page = await actor_of(self), await self.get_state(PersonState)
        gone = await asyncio.to_thread(personal.erase, actor, page.person.id)
        return [
            say(ngettext(actor.language, "{n} open or click is erased", "{n} opens and clicks are erased", gone)),
            PersonState.open_page,
        ]
