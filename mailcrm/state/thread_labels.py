"""Labels on conversations: put on and taken off, one or many at once, made and changed where they are used.

What an undo needs stays on the server. Whose labels they are is in services/mail/labels.py.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import labels as words
from mailcrm.services.i18n import gettext
from mailcrm.services.mail import labels
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.inbox import InboxState
from mailcrm.state.linking import PickState
from mailcrm.state.session import actor_of
from mailcrm.state.thread import ThreadState
from mailcrm.state.toasts import warn
from mailcrm.state.undoing import Acts, noted, offer, taken


@dataclass(frozen=True)
class LabelRow:
    """A label in the picker; `worn`: "all", "some" or "none" of the conversations in question."""

    id: int
    name: str
    color: str
    worn: str


class ThreadLabelState(rx.State):
    """The picker of labels: of the open conversation ("thread"), or of those that are picked ("bulk")."""

    place: str = ""
    rows: list[LabelRow] = []
    editing: int = 0
    wrong: str = ""
    _done: Acts[labels.Labelled] = {}

    @rx.event
    async def show(self, place: str, is_open: bool):
        """Open or close the picker."""
        place = as_text(place, 10)
        self.place = place if as_flag(is_open) and place in ("thread", "bulk") else ""
        self.editing, self.wrong = 0, ""
        if self.place:
            await self._fill(await actor_of(self))

    @rx.event
    async def toggle(self, label_id: int):
        """Put a label on what is in question, or take it off where all wear it; offers Undo."""
        actor, one = await actor_of(self), as_int(label_id)
        row = next((each for each in self.rows if each.id == one), None)
        return await self._put(actor, one, row.name, row.worn != "all") if row is not None else None

    @rx.event
    async def create(self, form: dict[str, Any]):
        """Make a label, and put it on."""
        actor, fields = await actor_of(self), as_form(form)
        name, color = fields.get("label_name", ""), fields.get("label_color", "gray")
        try:
            made = await asyncio.to_thread(words.create_label, actor, labels.KIND, name, color)
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        self.wrong = ""
        return await self._put(actor, made.id, made.name, True)

    @rx.event
    async def edit(self, label_id: int):
        """Show what can be changed of a label."""
        self.editing, self.wrong = as_int(label_id), ""

    @rx.event
    async def change(self, form: dict[str, Any]):
        """Give the label another name or colour, everywhere."""
        actor, fields, one = await actor_of(self), as_form(form), self.editing
        name, color = fields.get("label_name", ""), fields.get("label_color", "gray")
        try:
            await asyncio.to_thread(lambda: words.change_label(actor, one, name=name, color=color))
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        self.editing, self.wrong = 0, ""
        return await self._after(actor)

    @rx.event
    async def delete(self, label_id: int):
        """Delete a label: it leaves every conversation; offers Undo."""
        actor, one = await actor_of(self), as_int(label_id)
        if not any(row.id == one for row in self.rows):
            return None
        await asyncio.to_thread(words.delete_label, actor, one)
        self.editing = 0
        said = offer(actor, gettext(actor.language, "Label deleted"), ThreadLabelState.restore(one))
        return [said, *(await self._after(actor))]

    @rx.event
    async def restore(self, label_id: int):
        """Bring a label back, on all that wore it."""
        actor = await actor_of(self)
        await asyncio.to_thread(words.restore_label, actor, as_int(label_id))
        return await self._after(actor)

    @rx.event
    async def undo(self, number: int):
        """Take one of the last changes back, once."""
        actor = await actor_of(self)
        self._done, done = taken(self._done, number)
        if done is not None:
            await asyncio.to_thread(labels.undo, actor, done)
        return await self._after(actor)

    async def _put(self, actor: Actor, label_id: int, name: str, on: bool) -> Any:
        try:
            done = await asyncio.to_thread(labels.put, actor, await self._ids(), label_id, on)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        self._done, number = noted(self._done, done)
        sentence = "Label “{name}” put on" if on else "Label “{name}” taken off"
        said = offer(actor, gettext(actor.language, sentence, name=name), ThreadLabelState.undo(number))
        return [said, *(await self._after(actor))]

    async def _after(self, actor: Actor) -> list[Any]:
        if self.place:
            await self._fill(actor)
        return [InboxState.refresh]

    async def _ids(self) -> list[int]:
        picked = list((await self.get_state(PickState)).ids)
        if self.place == "bulk" and picked:
            return picked
        return [(await self.get_state(ThreadState)).id]

    async def _fill(self, actor: Actor) -> None:
        ids = await self._ids()
        found = await asyncio.to_thread(labels.list_labels, actor, ids)
        self.rows = [
            LabelRow(each.id, each.name, each.color, _worn(each.worn, min(len(set(ids)), labels.MOST)))
            for each in found
        ]


def _worn(count: int, asked: int) -> str:
    return "all" if count and count >= asked else "some" if count else "none"


#: For the catalogue: what `_put` says.
_SAID = (i18n.N_("Label “{name}” put on"), i18n.N_("Label “{name}” taken off"))
