"""Saved views in the navigation: opening, saving what the list shows, naming, sharing, ordering, deleting with Undo."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.mail import list_filters, saved_views
from mailcrm.state.coerce import as_form, as_int
from mailcrm.state.filtering import address, address_of
from mailcrm.state.inbox import InboxState
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say
from mailcrm.state.undoing import offer


@dataclass(frozen=True)
class ViewRow:
    """A view in the navigation."""

    id: int
    name: str
    href: str
    shared: bool
    own: bool


class ViewsState(rx.State):
    """The views of the navigation, and the one that is being saved or changed."""

    rows: list[ViewRow] = []
    saving: bool = False
    editing: int = 0
    wrong: str = ""

    @rx.event
    async def load(self):
        """Read the views again."""
        await self._fill(await actor_of(self))

    @rx.event
    async def ask(self, is_open: bool):
        """Open or close the question how what is shown is to be called."""
        self.saving, self.wrong = is_open is True, ""

    @rx.event
    async def save(self, form: dict[str, Any]):
        """Keep what the list shows under a name."""
        actor, fields, inbox = await actor_of(self), as_form(form), await self.get_state(InboxState)
        try:
            made = await asyncio.to_thread(
                saved_views.save,
                actor,
                fields.get("view_name", ""),
                folder=inbox.folder,
                filters=list_filters.written(inbox.filters),
                query=inbox.query,
                shared=bool(fields.get("view_shared")),
            )
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        self.saving, self.wrong, inbox.view = False, "", made.id
        await self._fill(actor)
        return [
            rx.call_script(f"window.mailcrmAddress('{address(inbox, made.id)}')"),
            say(gettext(actor.language, "View “{name}” saved", name=made.name)),
        ]

    @rx.event
    async def edit(self, view_id: int, is_open: bool):
        """Open or close what can be changed of a view."""
        self.editing, self.wrong = (as_int(view_id) if is_open is True else 0), ""

    @rx.event
    async def change(self, form: dict[str, Any]):
        """Give the view another name, share it or keep it to oneself."""
        actor, fields = await actor_of(self), as_form(form)
        try:
            await asyncio.to_thread(
                saved_views.change,
                actor,
                self.editing,
                name=fields.get("view_name", ""),
                shared=bool(fields.get("view_shared")),
            )
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        self.editing, self.wrong = 0, ""
        await self._fill(actor)

    @rx.event
    async def move(self, view_id: int, by: int):
        """Move a view up (-1) or down (1) in one's own navigation."""
        actor, ids, one = await actor_of(self), [row.id for row in self.rows], as_int(view_id)
        if one in ids:
            at = ids.index(one)
            to = max(0, min(len(ids) - 1, at + (1 if by == 1 else -1)))
            ids.insert(to, ids.pop(at))
            await asyncio.to_thread(saved_views.reorder, actor, ids)
            await self._fill(actor)

    @rx.event
    async def delete(self, view_id: int):
        """Delete a view; offers Undo."""
        actor, one = await actor_of(self), as_int(view_id)
        name = next((row.name for row in self.rows if row.id == one), "")
        await asyncio.to_thread(saved_views.delete, actor, one)
        self.editing = 0
        await self._fill(actor)
        return offer(actor, gettext(actor.language, "View “{name}” deleted", name=name), ViewsState.restore(one))

    @rx.event
    async def restore(self, view_id: int):
        """Bring a view back."""
        actor = await actor_of(self)
        await asyncio.to_thread(saved_views.restore, actor, as_int(view_id))
        await self._fill(actor)

    async def _fill(self, actor: Actor) -> None:
        found = await asyncio.to_thread(saved_views.list_views, actor)
        made = [
            ViewRow(
                each.id, each.name, address_of(each.folder, each.filters, each.query, each.id), each.shared, each.own
            )
            for each in found
        ]
        if made != self.rows:
            self.rows = made
