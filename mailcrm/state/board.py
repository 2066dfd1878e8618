"""The deals board: stages as columns, deals as cards, a form for a new one, winning and losing.

A move answers with the card where it was dropped; the services' answer then settles order and totals.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError, UserError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.crm import deals, people, pipelines
from mailcrm.services.i18n import gettext, ngettext
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.money import CURRENCIES, minor_units
from mailcrm.state.present import DealRow, PersonRow, deal, eyes_of, hue, person
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say

UNDO_MS = 8000  # DESIGN §5
MOST_MATCHES = 5


@dataclass(frozen=True)
class BoardCard:
    """A deal's card and what only the board says about it."""

    deal: DealRow
    late: bool
    owner_hue: int
    label: str


@dataclass(frozen=True)
class Column:
    """A stage of the board."""

    id: int
    name: str
    count: int
    total: str
    cards: tuple[BoardCard, ...]


@dataclass(frozen=True)
class Choice:
    """A value of a select and what it reads."""

    value: str
    label: str


class BoardState(rx.State):
    """The board of one pipeline."""

    columns: list[Column] = []
    pipelines: list[Choice] = []
    pipeline_id: int = 0
    summary: str = ""
    loading: bool = True
    failed: bool = False
    creating: bool = False
    stage_id: int = 0
    stages: list[Choice] = []
    currency: str = "EUR"
    currencies: list[str] = []
    matches: list[PersonRow] = []
    person_id: int = 0
    person_name: str = ""
    wrong: str = ""
    losing_id: int = 0
    losing_title: str = ""

    @rx.event
    async def open_page(self):
        """Show the board."""
        self.creating, self.losing_id = False, 0
        await self._fill(await actor_of(self))

    @rx.event
    async def refresh(self):
        """Read the board again."""
        await self._fill(await actor_of(self))

    @rx.event
    async def choose_pipeline(self, pipeline_id: str):
        """Show another pipeline's board."""
        self.pipeline_id = as_int(pipeline_id)
        await self._fill(await actor_of(self))

    @rx.event
    async def move(self, deal_id: int, stage_id: int):
        """Move a deal to a stage; offers Undo."""
        actor = await actor_of(self)
        deal_id, stage_id = as_int(deal_id), as_int(stage_id)
        before = self._stage_of(deal_id)
        if before == stage_id:
            return
        self._carry(deal_id, stage_id)
        yield
        try:
            await asyncio.to_thread(deals.move_to_stage, actor, deal_id, stage_id)
        finally:
            await self._fill(actor)  # a refused card slides back
        name = next((column.name for column in self.columns if column.id == stage_id), "")
        action = {"label": gettext(actor.language, "Undo"), "on_click": BoardState.move(deal_id, before)}
        yield say(gettext(actor.language, "Moved to {stage}", stage=name), action=action, duration=UNDO_MS)

    @rx.event
    async def drop(self, stage_id: int, dropped: str):
        """Move the deal that was dragged onto a stage."""
        if as_int(dropped):
            return BoardState.move(as_int(dropped), as_int(stage_id))
        return None

    @rx.event
    async def drop_won(self, dropped: str):
        """Win the deal that was dragged onto Won."""
        return BoardState.win(as_int(dropped)) if as_int(dropped) else None

    @rx.event
    async def drop_lost(self, dropped: str):
        """Ask why the deal that was dragged onto Lost was lost."""
        return BoardState.ask_lost(as_int(dropped)) if as_int(dropped) else None

    @rx.event
    async def win(self, deal_id: int):
        """Mark a deal as won; offers Undo."""
        actor, deal_id = await actor_of(self), as_int(deal_id)
        title = self._title_of(deal_id)
        await asyncio.to_thread(deals.win, actor, deal_id)
        await self._fill(actor)
        action = {"label": gettext(actor.language, "Undo"), "on_click": BoardState.reopen(deal_id)}
        return say(gettext(actor.language, "{title} is won", title=title), action=action, duration=UNDO_MS)

    @rx.event
    async def ask_lost(self, deal_id: int):
        """Ask why a deal was lost."""
        self.losing_id = as_int(deal_id)
        self.losing_title = self._title_of(self.losing_id)

    @rx.event
    async def close_lost(self, is_open: bool):
        """Close that question without losing the deal."""
        if not as_flag(is_open):
            self.losing_id = 0

    @rx.event
    async def lose(self, form: dict[str, Any]):
        """Mark the deal that was asked about as lost; offers Undo."""
        actor, deal_id, title = await actor_of(self), self.losing_id, self.losing_title
        self.losing_id = 0
        await asyncio.to_thread(deals.lose, actor, deal_id, as_form(form).get("lost_reason", "").strip())
        await self._fill(actor)
        action = {"label": gettext(actor.language, "Undo"), "on_click": BoardState.reopen(deal_id)}
        return say(gettext(actor.language, "{title} is lost", title=title), action=action, duration=UNDO_MS)

    @rx.event
    async def reopen(self, deal_id: int):
        """Open a won or lost deal again."""
        actor = await actor_of(self)
        await asyncio.to_thread(deals.reopen, actor, as_int(deal_id))
        await self._fill(actor)

    @rx.event
    async def start(self, stage_id: int):
        """Open the form for a new deal in a stage; 0 is the first one."""
        await self._start(as_int(stage_id))

    @rx.event
    async def start_for(self, person_id: int):
        """Open the form for a new deal with a person, from their page."""
        await self._start(0)
        await self._choose_person(as_int(person_id))

    @rx.event
    async def set_creating(self, is_open: bool):
        """Close the form, or leave it open."""
        self.creating = as_flag(is_open)

    @rx.event(supersedes=True)
    async def find_person(self, text: str):
        """List the people whose name or address match what was typed."""
        actor, text = await actor_of(self), as_text(text, 100).strip()
        self.person_id, self.person_name, self.matches = 0, "", []
        if text:
            page = await asyncio.to_thread(lambda: people.list_people(actor, query=text, limit=MOST_MATCHES))
            self.matches = [person(each) for each in page.rows]

    @rx.event
    async def choose_person(self, person_id: int):
        """Take one of the people found; 0 takes nobody."""
        await self._choose_person(as_int(person_id))

    @rx.event
    async def create(self, form: dict[str, Any]):
        """Make the deal and open it."""
        actor, fields = await actor_of(self), as_form(form)
        currency = fields.get("deal_currency", "") or self.currency
        try:
            made = await asyncio.to_thread(_create, actor, fields, currency, self.person_id or None)
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        self.creating = False
        return rx.redirect(routes.deal(made))

    async def _start(self, stage_id: int) -> None:
        actor = await actor_of(self)
        found = await asyncio.to_thread(pipelines.list_pipelines, actor)
        shown = next((each for each in found if each.id == self.pipeline_id), found[0] if found else None)
        self.stages = [Choice(str(each.id), each.name) for each in shown.stages] if shown else []
        self.stage_id = stage_id or as_int(self.stages[0].value if self.stages else 0)
        self.currency = (await asyncio.to_thread(users.workspace)).currency
        self.currencies = [self.currency, *(code for code in CURRENCIES if code != self.currency)]
        self.creating, self.wrong, self.matches, self.person_id, self.person_name = True, "", [], 0, ""

    async def _choose_person(self, person_id: int) -> None:
        self.matches, self.person_id, self.person_name = [], 0, ""
        if person_id:
            view = await asyncio.to_thread(people.get_person, await actor_of(self), person_id)
            self.person_id, self.person_name = view.card.id, view.card.name

    def _stage_of(self, deal_id: int) -> int:
        return next((column.id for column in self.columns for card in column.cards if card.deal.id == deal_id), 0)

    def _title_of(self, deal_id: int) -> str:
        titles = (card.deal.title for column in self.columns for card in column.cards if card.deal.id == deal_id)
        return next(titles, "")

    def _carry(self, deal_id: int, stage_id: int) -> None:
        """Put the card where it was dropped, before the database says so."""
        carried = [card for column in self.columns for card in column.cards if card.deal.id == deal_id]
        if carried and any(column.id == stage_id for column in self.columns):
            self.columns = [_with(column, carried[0], here=column.id == stage_id) for column in self.columns]

    async def _fill(self, actor: Actor) -> None:
        eyes = eyes_of(actor)
        found = await asyncio.to_thread(pipelines.list_pipelines, actor)
        self.pipelines = [Choice(str(each.id), each.name) for each in found]
        if self.pipeline_id not in {each.id for each in found}:
            self.pipeline_id = 0
        view = await asyncio.to_thread(deals.board, actor, self.pipeline_id or None)
        today = eyes.now.astimezone(eyes.zone).date()
        self.pipeline_id = view.pipeline_id
        self.columns = [
            Column(
                id=each.id,
                name=each.name,
                count=each.count,
                total=_total(each, actor.language),
                cards=tuple(_card(card, eyes, today) for card in each.cards),
            )
            for each in view.columns
        ]
        self.summary = _summary(view, actor.language)
        self.loading = False


def _create(actor: Actor, fields: dict[str, str], currency: str, person_id: int | None) -> int:
    title = fields.get("deal_title", "").strip()
    if not title:
        raise UserError("input.missing", field=gettext(actor.language, "Title"))
    value = minor_units(fields.get("deal_value", ""), currency)
    name = fields.get("deal_person", "").strip()
    if person_id is None and name:
        address = (name,) if "@" in name else ()
        made = people.create_person(actor, name=name.partition("@")[0], addresses=address)
        person_id = made.card.id if hasattr(made, "card") else made.id  # pyright: ignore[reportAttributeAccessIssue]
    deal_made = deals.create_deal(
        actor,
        title=title,
        value_minor=value,
        currency=currency,
        stage_id=as_int(fields.get("deal_stage", "")) or None,
        person_id=person_id,
    )
    return deal_made.card.id if hasattr(deal_made, "card") else deal_made.id  # pyright: ignore[reportAttributeAccessIssue]


def _card(view: Any, eyes: Any, today: date) -> BoardCard:
    shown = deal(view, eyes)
    parts = (shown.title, shown.organization, shown.value, shown.stage, shown.person)
    return BoardCard(
        deal=shown,
        late=view.expected_close is not None and view.expected_close < today,
        owner_hue=hue(view.owner or ""),
        label=", ".join(part for part in parts if part),
    )


def _with(column: Column, card: BoardCard, *, here: bool) -> Column:
    others = tuple(each for each in column.cards if each.deal.id != card.deal.id)
    cards = (card, *others) if here else others
    return replace(column, cards=cards, count=column.count + len(cards) - len(column.cards))


def _total(column: Any, language: str) -> str:
    if not column.count:
        return ""
    money = i18n.format_money(column.total_minor, column.currency, language)
    return gettext(language, "{money} +", money=money) if column.mixed else money


def _summary(view: Any, language: str) -> str:
    said = [ngettext(language, "{n} open deal", "{n} open deals", sum(column.count for column in view.columns))]
    full = [column for column in view.columns if column.count]
    if full and len({column.currency for column in full}) == 1 and not any(column.mixed for column in full):
        said.append(i18n.format_money(sum(column.total_minor for column in full), full[0].currency, language))
    return " · ".join(said)
