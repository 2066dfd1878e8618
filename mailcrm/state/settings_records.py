"""Settings › Labels and fields."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import custom_fields, labels
from mailcrm.services.i18n import gettext
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.session import actor_of
from mailcrm.state.undoing import offer


@dataclass(frozen=True)
class LabelRow:
    """A label in the settings."""

    id: int
    name: str
    color: str
    used: str
    first: bool


@dataclass(frozen=True)
class FieldRow:
    """A field in the settings; `options` one per line."""

    id: int
    name: str
    type: str
    options: str
    first: bool


class RecordsSettingsState(rx.State):
    """What /settings/labels-and-fields shows."""

    kind: str = "person"
    labels: list[LabelRow] = []
    fields: list[FieldRow] = []
    admin: bool = False
    loaded: bool = False
    creating: str = ""  # "label", "field" or ""
    type: str = "text"
    wrong: str = ""

    @rx.event
    async def load(self):
        """List labels and fields when the page opens."""
        self.creating, self.wrong = "", ""
        await self._fill(await actor_of(self))

    @rx.event
    async def choose(self, kind: str):
        """Show those of another kind of rows."""
        self.kind = kind if isinstance(kind, str) and kind in labels.KINDS else "person"
        self.creating, self.wrong = "", ""
        await self._fill(await actor_of(self))

    @rx.event
    async def set_creating(self, what: str):
        """Open or close a form."""
        self.creating = what if isinstance(what, str) and what in ("label", "field") else ""
        self.type, self.wrong = "text", ""

    @rx.event
    async def set_type(self, type_: str):
        """Choose the new field's type."""
        self.type = type_ if isinstance(type_, str) and type_ in custom_fields.TYPES else "text"

    @rx.event
    async def close(self, is_open: bool):
        """Close the form."""
        if not as_flag(is_open):
            self.creating, self.wrong = "", ""

    @rx.event
    async def create_label(self, form: dict[str, Any]):
        """Add a label."""
        actor, fields = await actor_of(self), as_form(form)
        name, color = fields.get("new_name", ""), fields.get("new_color", "gray")
        if await self._try(actor, lambda: labels.create_label(actor, self.kind, name, color)):
            self.creating = ""

    @rx.event
    async def rename_label(self, label_id: int, name: str):
        """Give a label another name."""
        actor, label_id, name = await actor_of(self), as_int(label_id), as_text(name, 200)
        if not any(row.id == label_id and row.name == name for row in self.labels):
            await self._try(actor, lambda: labels.change_label(actor, label_id, name=name))

    @rx.event
    async def color(self, label_id: int, color: str):
        """Give a label another colour."""
        actor, label_id, color = await actor_of(self), as_int(label_id), as_text(color, 20)
        await self._try(actor, lambda: labels.change_label(actor, label_id, color=color))

    @rx.event
    async def raise_label(self, label_id: int):
        """Move a label up."""
        actor, ids = await actor_of(self), _raised([row.id for row in self.labels], as_int(label_id))
        await self._try(actor, lambda: labels.order_labels(actor, self.kind, ids))

    @rx.event
    async def delete_label(self, label_id: int):
        """Delete a label; offers Undo."""
        actor, label_id = await actor_of(self), as_int(label_id)
        if await self._try(actor, lambda: labels.delete_label(actor, label_id)):
            return _undo(actor, i18n.N_("Label deleted"), RecordsSettingsState.restore_label(label_id))
        return None

    @rx.event
    async def restore_label(self, label_id: int):
        """Bring a label back."""
        actor, label_id = await actor_of(self), as_int(label_id)
        await self._try(actor, lambda: labels.restore_label(actor, label_id))

    @rx.event
    async def create_field(self, form: dict[str, Any]):
        """Add a field."""
        actor, fields = await actor_of(self), as_form(form)
        name, options = fields.get("new_name", ""), fields.get("new_options", "").splitlines()
        chosen = options if self.type == "choice" else ()
        if await self._try(actor, lambda: custom_fields.create_field(actor, self.kind, self.type, name, chosen)):
            self.creating = ""

    @rx.event
    async def rename_field(self, field_id: int, name: str):
        """Give a field another name."""
        actor, field_id, name = await actor_of(self), as_int(field_id), as_text(name, 200)
        if not any(row.id == field_id and row.name == name for row in self.fields):
            await self._try(actor, lambda: custom_fields.change_field(actor, field_id, name=name))

    @rx.event
    async def save_options(self, field_id: int, text: str):
        """Keep a choice's options, one per line: a line that was there keeps its id."""
        actor, field_id, text = await actor_of(self), as_int(field_id), as_text(text, 20_000)
        await self._try(actor, lambda: _change_options(actor, field_id, text))

    @rx.event
    async def raise_field(self, field_id: int):
        """Move a field up."""
        actor, ids = await actor_of(self), _raised([row.id for row in self.fields], as_int(field_id))
        await self._try(actor, lambda: custom_fields.order_fields(actor, self.kind, ids))

    @rx.event
    async def delete_field(self, field_id: int):
        """Delete a field; offers Undo."""
        actor, field_id = await actor_of(self), as_int(field_id)
        if await self._try(actor, lambda: custom_fields.delete_field(actor, field_id)):
            return _undo(actor, i18n.N_("Field deleted"), RecordsSettingsState.restore_field(field_id))
        return None

    @rx.event
    async def restore_field(self, field_id: int):
        """Bring a field back, with its values."""
        actor, field_id = await actor_of(self), as_int(field_id)
        await self._try(actor, lambda: custom_fields.restore_field(actor, field_id))

    async def _try(self, actor: Actor, act: Callable[[], Any]) -> bool:
        try:
            await asyncio.to_thread(act)
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            await self._fill(actor)
            return False
        self.wrong = ""
        await self._fill(actor)
        return True

    async def _fill(self, actor: Actor) -> None:
        known = await asyncio.to_thread(labels.list_labels, actor, self.kind)
        fields = (
            await asyncio.to_thread(custom_fields.list_fields, actor, self.kind)
            if self.kind in custom_fields.KINDS
            else ()
        )
        self.labels = [
            LabelRow(each.id, each.name, each.color, i18n.number(actor.language, each.used), at == 0)
            for at, each in enumerate(known)
        ]
        self.fields = [
            FieldRow(
                each.id,
                each.name,
                each.type,
                "\n".join(option.name for option in each.options if not option.gone),
                at == 0,
            )
            for at, each in enumerate(fields)
        ]
        self.admin, self.loaded = actor.admin, True


def _raised(ids: list[int], one: int) -> list[int]:
    if one not in ids or ids[0] == one:
        return ids
    at = ids.index(one)
    ids[at - 1], ids[at] = ids[at], ids[at - 1]
    return ids


def _change_options(actor: Actor, field_id: int, text: str) -> None:
    field = next((each for each in custom_fields.list_fields(actor) if each.id == field_id), None)
    present = {option.name.casefold(): option.id for option in field.options if not option.gone} if field else {}
    names = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    custom_fields.change_field(actor, field_id, options=[(present.get(name.casefold()), name) for name in names])


def _undo(actor: Actor, said: str, event: Any) -> Any:
    return offer(actor, gettext(actor.language, said), event)
