"""The table of deals: columns that people choose (the browser keeps them), filters, orders, changes of many at once."""

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.crm import deal_list, organizations, people, pipelines
from mailcrm.services.crm.views import PersonCard
from mailcrm.services.i18n import N_, ngettext
from mailcrm.state.board import BoardState
from mailcrm.state.board_rows import next_step
from mailcrm.state.choices import Choice, labels_of, owners
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.money import minor_units
from mailcrm.state.picks import Picks
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.undoing import Acts, noted, offer, taken

PAGE = 50
STATUS = {"open": N_("state|Open"), "won": N_("Won"), "lost": N_("Lost")}
COLUMNS = ("organization", "person", "value", "stage", "owner", "close", "next", "mail", "labels", "created")
USUAL = "organization,person,value,stage,owner,close,next"


@dataclass(frozen=True)
class TableRow:
    """A deal in the table."""

    id: int
    title: str
    href: str
    organization: str
    person: str
    value: str
    stage: str
    owner: str
    close: str
    late: bool
    next: str
    tone: str
    mail: str
    created: str
    status: str
    quiet: bool
    labels: tuple[tuple[str, str], ...]


class TableState(Picks, rx.State):
    """What the table view of /deals shows."""

    rows: list[TableRow] = []
    cursor: str = ""
    total: str = ""
    loading: bool = True
    failed: str = ""
    order: str = "newest"
    filters: dict[str, str] = {"status": "open"}
    filtered: bool = False
    version: int = 0  # another one empties the filter form
    stages: list[Choice] = []
    owners: list[Choice] = []
    labels: list[Choice] = []
    people: list[str] = []  # offered for what is typed, as are the organizations
    person_name: str = ""
    organizations: list[str] = []
    organization_name: str = ""
    columns: str = rx.LocalStorage(USUAL, name="mailcrm_deal_columns")
    _before: Acts[deal_list.Before] = {}

    @rx.var(initial_value=USUAL.split(","))
    def shown(self) -> list[str]:
        """The columns that are shown, in their order."""
        kept = as_text(self.columns).split(",")  # the browser may hold anything
        return [name for name in COLUMNS if name in kept]

    @rx.event
    async def open_page(self):
        """Show the table, where that is the view."""
        self.picked = []
        await self._fill(await actor_of(self))

    @rx.event
    async def refresh(self):
        """Read the table again."""
        await self._fill(await actor_of(self))

    @rx.event
    async def sort(self, order: str):
        """Put the deals in another order."""
        self.order = order if isinstance(order, str) and order in deal_list.ORDERS else "newest"
        await self._fill(await actor_of(self))

    @rx.event
    async def set_filter(self, name: str, value: str):
        """Filter by one field; "" takes the filter off."""
        if isinstance(name, str) and name in FILTERS:
            others = {key: kept for key, kept in self.filters.items() if key != name}
            text = as_text(value, 200).strip()
            self.filters = {**others, name: text} if text else others
            await self._fill(await actor_of(self))

    @rx.event(supersedes=True)
    async def narrow_to(self, what: str, text: str):
        """Offer the people, or organizations, that are called so; narrow the list to the one that was typed in full."""
        actor, name = await actor_of(self), as_text(text, 200).strip()
        if what == "person":
            self.person_name = name
            page = await asyncio.to_thread(lambda: people.list_people(actor, query=name, limit=10)) if name else None
            found = {_called(each): each.id for each in page.rows} if page else {}
            self.people = list(found)
        elif what == "organization":
            self.organization_name = name
            known = await asyncio.to_thread(organizations.list_organizations, actor, name, 10) if name else ()
            found = {each.name: each.id for each in known}
            self.organizations = list(found)
        else:
            return
        chosen = next((str(row_id) for each, row_id in found.items() if each.casefold() == name.casefold()), "")
        if chosen != self.filters.get(what, ""):
            others = {key: kept for key, kept in self.filters.items() if key != what}
            self.filters = {**others, what: chosen} if chosen else others
            await self._fill(actor)

    @rx.event
    async def clear(self):
        """Take all filters off."""
        self.person_name = self.organization_name = ""
        self.people, self.organizations = [], []
        self.filters, self.version = {"status": "open"}, self.version + 1
        await self._fill(await actor_of(self))

    @rx.event
    async def toggle_column(self, name: str):
        """Show or hide a column."""
        kept = set(self.shown) ^ ({name} if isinstance(name, str) and name in COLUMNS else set())
        self.columns = ",".join(each for each in COLUMNS if each in kept)

    @rx.event
    async def more(self):
        """Add the next page."""
        if not self.cursor:
            return
        actor = await actor_of(self)
        wanted = await self._wanted()
        page = await asyncio.to_thread(deal_list.page_of_deals, actor, wanted, self.order, self.cursor, PAGE)
        self.rows = [*self.rows, *(_row(each, eyes_of(actor)) for each in page.rows)]
        self.cursor = page.next_cursor or ""

    @rx.event
    async def change(self, what: str, value: str):
        """Move what is chosen to a stage, or give it an owner; offers Undo."""
        actor, chosen, row_id = await actor_of(self), list(self.picked), as_int(value)
        if not chosen or not row_id:
            return None
        given = {"owner_id": row_id} if what == "owner" else {"stage_id": row_id}
        before = await asyncio.to_thread(lambda: deal_list.change_many(actor, chosen, **given))
        self._before, number = noted(self._before, before)
        self.picked = []
        await self._fill(actor)
        said = ngettext(actor.language, "{n} deal changed", "{n} deals changed", len(chosen))
        return offer(actor, said, TableState.put_back(number))

    @rx.event
    async def put_back(self, number: int):
        """Undo one of the last changes of many of this tab, once."""
        actor = await actor_of(self)
        self._before, before = taken(self._before, number)
        if before is not None:
            await asyncio.to_thread(deal_list.put_back, actor, before)
            await self._fill(actor)

    async def _wanted(self) -> deal_list.Filter:
        board = await self.get_state(BoardState)
        currency = (await asyncio.to_thread(users.workspace)).currency
        return _filter(self.filters, board.pipeline_id, currency)

    async def _fill(self, actor: Actor) -> None:
        eyes = eyes_of(actor)
        try:
            wanted = await self._wanted()
            page = await asyncio.to_thread(deal_list.page_of_deals, actor, wanted, self.order, None, PAGE)
            sums = await asyncio.to_thread(deal_list.totals, actor, wanted)
        except MailcrmError as error:
            self.failed, self.rows, self.total, self.loading = i18n.sentence(error, actor.language), [], "", False
            self.picked = []
            return
        found = await asyncio.to_thread(pipelines.list_pipelines, actor)
        several = len(found) > 1
        self.stages = [
            Choice(str(stage.id), f"{each.name} › {stage.name}" if several else stage.name)
            for each in found
            for stage in each.stages
        ]
        self.owners, self.labels = await owners(actor), await labels_of(actor, "deal")
        for name, choices in (("stage", self.stages), ("label", self.labels)):  # what was deleted filters no more
            if self.filters.get(name, "") not in {"", *(each.value for each in choices)}:
                self.filters = {key: kept for key, kept in self.filters.items() if key != name}
                await self._fill(actor)
                return
        self.rows = [_row(each, eyes) for each in page.rows]
        self._keep_listed()
        self.cursor, self.failed, self.loading = page.next_cursor or "", "", False
        self.filtered = self.filters != {"status": "open"}
        count = ngettext(actor.language, "{n} deal", "{n} deals", sum(each.count for each in sums))
        money = [i18n.format_money(each.minor, each.currency, actor.language) for each in sums]
        self.total = " · ".join([count, *money])


FILTERS = ("query", "status", "stage", "owner", "label", "value_from", "value_to", "close_from", "close_to", "quiet")


def _filter(filters: dict[str, str], pipeline_id: int, currency: str) -> deal_list.Filter:
    """Return the filter; a value range is typed in the workspace's currency."""
    stage_id = as_int(filters.get("stage", "")) or None
    return deal_list.Filter(
        query=filters.get("query", ""),
        status=filters.get("status") or "all",
        pipeline_id=None if stage_id else pipeline_id or None,
        stage_id=stage_id,
        owner_id=as_int(filters.get("owner", "")) or None,
        label_id=as_int(filters.get("label", "")) or None,
        person_id=as_int(filters.get("person", "")) or None,
        organization_id=as_int(filters.get("organization", "")) or None,
        value_from=minor_units(filters["value_from"], currency) if "value_from" in filters else None,
        value_to=minor_units(filters["value_to"], currency) if "value_to" in filters else None,
        close_from=_day(filters.get("close_from", "")),
        close_to=_day(filters.get("close_to", "")),
        quiet=filters.get("quiet") == "yes",
    )


def _called(card: PersonCard) -> str:
    """The name, with the address where there is one: people may have the same name."""
    return f"{card.name} ({card.address})" if card.address else card.name


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _row(view: Any, eyes: Eyes) -> TableRow:
    today = eyes.now.astimezone(eyes.zone).date()
    step, tone = next_step(view.next_step, eyes, today) if view.status == "open" else ("", "")

    def day(at: Any) -> str:
        return i18n.short_day(eyes.language, at, eyes.now, eyes.zone) if at else ""

    return TableRow(
        id=view.id,
        title=view.title,
        href=routes.deal(view.id),
        organization=view.organization,
        person=view.person,
        value=i18n.format_money(view.value_minor, view.currency, eyes.language),
        stage=view.stage,
        owner=view.owner,
        close=day(view.expected_close),
        late=view.status == "open" and view.expected_close is not None and view.expected_close < today,
        next=step,
        tone=tone,
        mail=day(view.last_email_at),
        created=day(view.created_at),
        status="" if view.status == "open" else eyes.t(STATUS[view.status]),
        quiet=view.quiet,
        labels=tuple((each.name, each.color) for each in view.labels),
    )
