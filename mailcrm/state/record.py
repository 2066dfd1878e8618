"""Labels and fields of the workspace's own on the open record: shown and edited where they stand.

Every page of a record uses this one state, as it does state/timeline.py: `open_page` reads kind and id from the page's
address, `show(kind, id)` is for places whose address doesn't say. The services authorise the row each time.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import custom_fields, labels
from mailcrm.services.crm.views import FieldValue
from mailcrm.state.coerce import as_form, as_int, as_text
from mailcrm.state.money import CURRENCIES, minor_units
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of

KINDS = labels.KINDS


@dataclass(frozen=True)
class LabelChoice:
    """A label of the record's kind; `on` when the record wears it."""

    id: int
    name: str
    color: str
    on: bool


@dataclass(frozen=True)
class OptionRow:
    """An option of a choice."""

    value: str
    name: str


@dataclass(frozen=True)
class FieldRow:
    """A field with what the record has in it: `typed` as it is edited, `shown` as it is read."""

    id: int
    type: str
    name: str
    typed: str
    shown: str
    currency: str
    options: tuple[OptionRow, ...]


class RecordState(rx.State):
    """What the open record wears and has in its fields."""

    kind: str = ""
    row_id: int = 0
    labels: list[LabelChoice] = []
    worn: list[LabelChoice] = []
    fields: list[FieldRow] = []
    currencies: list[str] = list(CURRENCIES)
    wrong_id: int = 0
    wrong: str = ""
    version: int = 0

    @rx.event
    async def open_page(self):
        """Show the record of the page's address."""
        parts = self.router.url.path.strip("/").split("/")
        kind, row_id = (parts[0], as_int(parts[1])) if len(parts) == 2 else ("", 0)
        await self._open(await actor_of(self), kind, row_id)

    @rx.event
    async def show(self, kind: str, row_id: int):
        """Show a record's labels and fields."""
        await self._open(await actor_of(self), as_text(kind, 20), as_int(row_id))

    @rx.event
    async def refresh(self):
        """Read again what is shown."""
        await self._fill(await actor_of(self))

    @rx.event
    async def toggle_label(self, label_id: int):
        """Put a label on the record, or take it off."""
        actor, label_id = await actor_of(self), as_int(label_id)
        on = any(each.id == label_id for each in self.worn)
        await self._do(actor, 0, lambda: labels.put(actor, self.kind, self.row_id, label_id, not on))

    @rx.event
    async def add_label(self, form: dict[str, Any]):
        """Make a label and put it on the record."""
        actor, fields = await actor_of(self), as_form(form)

        def add() -> None:
            made = labels.create_label(
                actor, self.kind, fields.get("label_name", ""), fields.get("label_color", "gray")
            )
            labels.put(actor, self.kind, self.row_id, made.id, True)

        await self._do(actor, 0, add)

    @rx.event
    async def save(self, field_id: int, text: str):
        """Keep what was typed into a field; "" empties it."""
        await self._set(as_int(field_id), as_text(text, 6_000), None)

    @rx.event
    async def set_currency(self, field_id: int, currency: str):
        """Keep an amount in another currency."""
        row = self._row(as_int(field_id))
        if row is not None:
            await self._set(row.id, row.typed, as_text(currency, 3))

    def _row(self, field_id: int) -> FieldRow | None:
        return next((row for row in self.fields if row.id == field_id), None)

    async def _set(self, field_id: int, text: str, currency: str | None) -> None:
        actor, row = await actor_of(self), self._row(field_id)
        if row is None or (text.strip() == row.typed and currency in (None, row.currency)):
            self.wrong_id, self.wrong = 0, ""
            return
        await self._do(
            actor,
            field_id,
            lambda: custom_fields.set_values(
                actor, self.kind, self.row_id, {field_id: _read(row, text, currency or row.currency)}
            ),
        )

    async def _open(self, actor: Actor, kind: str, row_id: int) -> None:
        self.reset()
        self.kind, self.row_id = (kind, row_id) if kind in KINDS else ("", 0)
        await self._fill(actor)

    async def _do(self, actor: Actor, field_id: int, act: Any) -> None:
        try:
            await asyncio.to_thread(act)
        except MailcrmError as error:
            self.wrong_id, self.wrong = field_id, i18n.sentence(error, actor.language)
            return
        self.wrong_id, self.wrong, self.version = 0, "", self.version + 1
        await self._fill(actor)

    async def _fill(self, actor: Actor) -> None:
        if not self.kind or not self.row_id:
            return
        try:
            known, worn, found = await asyncio.to_thread(_load, actor, self.kind, self.row_id)
        except NotFound:
            self.labels, self.worn, self.fields = [], [], []
            return
        on = {mark.id for mark in worn}
        self.labels = [LabelChoice(each.id, each.name, each.color, each.id in on) for each in known]
        self.worn = [each for each in self.labels if each.on]
        eyes = eyes_of(actor)
        self.fields = [field_row(each, eyes) for each in found]


def _load(actor: Actor, kind: str, row_id: int) -> tuple[Any, Any, Any]:
    found = custom_fields.values_of(actor, kind, row_id) if kind in custom_fields.KINDS else ()
    return labels.list_labels(actor, kind), labels.labels_of(actor, kind, row_id), found


def field_row(view: FieldValue, eyes: Eyes) -> FieldRow:
    """Return a field as it is shown and edited."""
    field, value = view.field, view.value
    options = tuple(OptionRow(str(each.id), each.name) for each in field.options if not each.gone or each.id == value)
    typed = shown = "" if value is None else str(value)
    currency = CURRENCIES[0]
    if value is not None and field.type == "money":
        currency, minor = value["currency"], value["minor"]
        digits = i18n.minor_digits(currency)
        typed = f"{minor / 10**digits:.{digits}f}" if minor % 10**digits else str(minor // 10**digits)
        shown = i18n.format_money(minor, currency, eyes.language)
    elif value is not None and field.type == "date":
        typed = value.isoformat()
        shown = i18n.calendar_day(eyes.language, value, eyes.now.astimezone(eyes.zone).date())
    elif value is not None and field.type == "choice":
        shown = next((each.name for each in field.options if each.id == value), "")
    return FieldRow(field.id, field.type, field.name, typed, shown, currency, options)


def _read(row: FieldRow, text: str, currency: str) -> Any:
    """What was typed, in the terms of the service."""
    if not text.strip():
        return None
    if row.type == "money":
        minus = text.strip().startswith(("-", "\N{MINUS SIGN}"))
        try:
            minor = minor_units(text.strip().lstrip("-\N{MINUS SIGN}"), currency)
        except UserError:
            raise UserError("input.invalid", value=text[:40], field=row.name) from None
        return {"minor": -minor if minus else minor, "currency": currency}
    if row.type == "number":
        plain = text.strip().replace("\N{MINUS SIGN}", "-").replace(" ", "")
        return plain.replace(",", ".") if plain.count(",") == 1 and "." not in plain else plain.replace(",", "")
    return as_int(text) if row.type == "choice" else text
