"""The deals board: stages as columns, deals as cards, a form for a new one, winning and losing.

A move answers with the card where it was dropped; the services' answer then settles order and totals.
"""

import asyncio
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError, UserError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.crm import deals, pipelines
from mailcrm.services.i18n import gettext
from mailcrm.state import early
from mailcrm.state.board_rows import Column, carry, columns, summary
from mailcrm.state.choices import Choice, labels_of, owners
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.earlier import EarlierState
from mailcrm.state.money import CURRENCIES, minor_units
from mailcrm.state.person_pick import PersonPick, person_of
from mailcrm.state.present import eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.undoing import offer


class BoardState(PersonPick, rx.State):
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
    wrong: str = ""
    losing_id: int = 0
    losing_title: str = ""
    query: str = ""
    owner: str = ""
    owners: list[Choice] = []
    label: str = ""
    labels: list[Choice] = []
    view: str = rx.LocalStorage("board", name="mailcrm_deals")
    _opened_at: float = 0.0  # the form

    @rx.event
    async def open_page(self):
        """Show the board."""
        self.creating, self.losing_id = self.creating and early.is_early(self._opened_at), 0
        await self._fill(await actor_of(self))

    @rx.event
    async def refresh(self):
        """Read the board again."""
        await self._fill(await actor_of(self))

    @rx.event
    async def choose_view(self, view: str):
        """Show the board or the table; the browser keeps it."""
        self.view = "table" if view == "table" else "board"

    @rx.event
    async def choose_owner(self, owner_id: str):
        """Show the deals of one owner; "" is everyone's."""
        self.owner = str(as_int(owner_id) or "")
        await self._fill(await actor_of(self))

    @rx.event
    async def choose_label(self, label_id: str):
        """Show the deals with a label; "" is all of them."""
        self.label = str(as_int(label_id) or "")
        await self._fill(await actor_of(self))

    @rx.event(supersedes=True)
    async def find(self, text: str):
        """Show the deals with these words."""
        self.query = as_text(text, 100).strip()
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
        self.columns = carry(self.columns, deal_id, stage_id)
        yield
        try:
            await asyncio.to_thread(deals.move_to_stage, actor, deal_id, stage_id)
        finally:
            await self._fill(actor)  # a refused card slides back
        name = next((column.name for column in self.columns if column.id == stage_id), "")
        yield offer(actor, gettext(actor.language, "Moved to {stage}", stage=name), BoardState.move(deal_id, before))

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
    async def drop_deleted(self, dropped: str):
        """Delete the deal that was dragged onto Delete."""
        return BoardState.delete(as_int(dropped)) if as_int(dropped) else None

    @rx.event
    async def delete(self, deal_id: int):
        """Put a deal in the trash; offers Undo."""
        actor, deal_id = await actor_of(self), as_int(deal_id)
        title = self._title_of(deal_id)
        await asyncio.to_thread(deals.delete, actor, deal_id)
        await self._fill(actor)
        return offer(actor, gettext(actor.language, "{title} deleted", title=title), BoardState.restore(deal_id))

    @rx.event
    async def restore(self, deal_id: int):
        """Bring a deal back from the trash."""
        actor = await actor_of(self)
        await asyncio.to_thread(deals.restore, actor, as_int(deal_id))
        await self._fill(actor)

    @rx.event
    async def win(self, deal_id: int):
        """Mark a deal as won; offers Undo."""
        actor, deal_id = await actor_of(self), as_int(deal_id)
        title = self._title_of(deal_id)
        await asyncio.to_thread(deals.win, actor, deal_id)
        await self._fill(actor)
        return offer(actor, gettext(actor.language, "{title} is won", title=title), BoardState.reopen(deal_id))

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
        return offer(actor, gettext(actor.language, "{title} is lost", title=title), BoardState.reopen(deal_id))

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
        return [rx.redirect(routes.deal(made)), EarlierState.offer("deal", made)]

    async def _start(self, stage_id: int) -> None:
        actor = await actor_of(self)
        found = await asyncio.to_thread(pipelines.list_pipelines, actor)
        shown = next((each for each in found if each.id == self.pipeline_id), found[0] if found else None)
        self.stages = [Choice(str(each.id), each.name) for each in shown.stages] if shown else []
        self.stage_id = stage_id or as_int(self.stages[0].value if self.stages else 0)
        self.currency = (await asyncio.to_thread(users.workspace)).currency
        self.currencies = [self.currency, *(code for code in CURRENCIES if code != self.currency)]
        self.creating, self.wrong = True, ""
        self._nobody()
        self._opened_at = early.now()

    def _stage_of(self, deal_id: int) -> int:
        return next((column.id for column in self.columns for card in column.cards if card.deal.id == deal_id), 0)

    def _title_of(self, deal_id: int) -> str:
        titles = (card.deal.title for column in self.columns for card in column.cards if card.deal.id == deal_id)
        return next(titles, "")

    async def _fill(self, actor: Actor) -> None:
        eyes = eyes_of(actor)
        found = await asyncio.to_thread(pipelines.list_pipelines, actor)
        self.pipelines = [Choice(str(each.id), each.name) for each in found]
        if self.pipeline_id not in {each.id for each in found}:
            self.pipeline_id = 0
        self.labels = await labels_of(actor, "deal")
        if self.label not in {each.value for each in self.labels}:
            self.label = ""
        owner_id, label_id = as_int(self.owner) or None, as_int(self.label) or None
        view = await asyncio.to_thread(deals.board, actor, self.pipeline_id or None, self.query, owner_id, label_id)
        self.owners = await owners(actor)
        self.pipeline_id = view.pipeline_id
        self.columns, self.summary = columns(view, eyes), summary(view, actor.language)
        self.loading = False


def _create(actor: Actor, fields: dict[str, str], currency: str, person_id: int | None) -> int:
    title = fields.get("deal_title", "").strip()
    if not title:
        raise UserError("input.missing", field=gettext(actor.language, "Title"))
    value = minor_units(fields.get("deal_value", ""), currency)
    person_id = person_of(actor, person_id, fields.get("deal_person", ""))
    made = deals.create_deal(
        actor,
        title=title,
        value_minor=value,
        currency=currency,
        stage_id=as_int(fields.get("deal_stage", "")) or None,
        person_id=person_id,
    )
    return made.card.id
