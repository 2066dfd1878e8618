"""The lead inbox: possible deals in a list, one of them open beside it, converted with one click and taken back."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError, NotFound
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.crm import leads, people
from mailcrm.services.i18n import gettext
from mailcrm.state import early
from mailcrm.state.choices import Choice, labels_of, owners
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.money import CURRENCIES, minor_units, plain_amount
from mailcrm.state.panel import NOBODY
from mailcrm.state.person_pick import PersonPick, person_of
from mailcrm.state.present import Eyes, PersonRow, eyes_of, hue, initials, person
from mailcrm.state.session import actor_of
from mailcrm.state.undoing import offer

PAGE = 50
STATUSES = ("open", "converted", "archived")


@dataclass(frozen=True)
class LeadRow:
    """A lead in the list and at the head of its page."""

    id: int = 0
    title: str = ""
    who: str = ""
    organization: str = ""
    value: str = ""
    status: str = "open"
    owner: str = ""
    owner_id: str = ""
    created: str = ""
    day: str = ""
    initials: str = ""
    hue: int = 0
    href: str = ""
    deal: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    typed: str = ""  # the value as it stands in the form
    currency: str = ""


class LeadsState(PersonPick, rx.State):
    """What /leads and /lead/[id] show."""

    rows: list[LeadRow] = []
    lead: LeadRow = LeadRow()
    person: PersonRow = NOBODY
    status: str = "open"
    owner: str = ""
    label: str = ""
    labels: list[Choice] = []
    query: str = ""
    owners: list[Choice] = []
    cursor: str = ""
    loading: bool = True
    failed: str = ""
    missing: bool = False
    creating: bool = False
    editing: bool = False
    currencies: list[str] = []
    wrong: str = ""
    _opened_at: float = 0.0  # the form for a new one

    @rx.event
    async def open_page(self):
        """Show the list, and the lead of the address."""
        self.creating, self.editing = self.creating and early.is_early(self._opened_at), False
        self.loading = True
        yield
        await self._fill(await actor_of(self))

    @rx.event
    async def refresh(self):
        """Read list and lead again."""
        await self._fill(await actor_of(self))

    @rx.event
    async def choose(self, status: str):
        """Show open, converted or archived leads."""
        self.status = status if isinstance(status, str) and status in STATUSES else "open"
        await self._fill(await actor_of(self))

    @rx.event
    async def choose_owner(self, owner_id: str):
        """Show the leads of one owner; "" is everyone's."""
        self.owner = str(as_int(owner_id) or "")
        await self._fill(await actor_of(self))

    @rx.event
    async def choose_label(self, label_id: str):
        """Show the leads with a label; "" is all of them."""
        self.label = str(as_int(label_id) or "")
        await self._fill(await actor_of(self))

    @rx.event(supersedes=True)
    async def find(self, text: str):
        """Show the leads with these words."""
        self.query = as_text(text, 100).strip()
        await self._fill(await actor_of(self))

    @rx.event
    async def more(self):
        """Add the next page."""
        if not self.cursor:
            return
        actor = await actor_of(self)
        page = await asyncio.to_thread(self._page, actor, self.cursor)
        self.rows = [*self.rows, *(_row(each, eyes_of(actor)) for each in page.rows)]
        self.cursor = page.next_cursor or ""

    @rx.event
    async def start(self):
        """Open the form for a new lead."""
        await self._currencies((await asyncio.to_thread(users.workspace)).currency)
        self.creating, self.editing, self._opened_at = True, False, early.now()

    @rx.event
    async def edit(self):
        """Open the form for the lead that is shown."""
        await self._currencies(self.lead.currency)
        self.person_id, self.person_name = self.person.id, self.person.name
        self.creating, self.editing = False, True

    @rx.event
    async def close_form(self, is_open: bool):
        """Close the form without saving."""
        if not as_flag(is_open):
            self.creating = self.editing = False

    @rx.event
    async def save(self, form: dict[str, Any]):
        """Save the form: a new lead is opened, a changed one shown again."""
        actor, fields = await actor_of(self), as_form(form)
        lead_id = self.lead.id if self.editing else 0
        try:
            saved = await asyncio.to_thread(_save, actor, lead_id, fields, self.person_id or None)
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        self.creating = self.editing = False
        if lead_id:
            await self._fill(actor)
            return None
        return rx.redirect(routes.lead(saved))

    @rx.event
    async def give(self, owner_id: str):
        """Give the lead to a colleague."""
        actor = await actor_of(self)
        lead_id, owner = self.lead.id, as_int(owner_id) or None
        await asyncio.to_thread(lambda: leads.change_lead(actor, lead_id, owner_id=owner))
        await self._fill(actor)

    @rx.event
    async def convert(self):
        """Make a deal of the lead and open it; offers Undo."""
        actor, lead = await actor_of(self), self.lead
        deal_id = await asyncio.to_thread(leads.convert, actor, lead.id)
        said = gettext(actor.language, "{title} is a deal now", title=lead.title)
        return [rx.redirect(routes.deal(deal_id)), offer(actor, said, LeadsState.revert(lead.id))]

    @rx.event
    async def revert(self, lead_id: int):
        """Take a conversion back and show the lead again."""
        actor, lead_id = await actor_of(self), as_int(lead_id)
        await asyncio.to_thread(leads.revert, actor, lead_id)
        return rx.redirect(routes.lead(lead_id))

    @rx.event
    async def archive(self, lead_id: int):
        """Set a lead aside; offers Undo."""
        actor, lead_id = await actor_of(self), as_int(lead_id)
        await asyncio.to_thread(leads.archive, actor, lead_id)
        await self._fill(actor)
        return offer(actor, gettext(actor.language, "Lead archived"), LeadsState.bring_back(lead_id))

    @rx.event
    async def bring_back(self, lead_id: int):
        """Take an archived lead up again."""
        actor = await actor_of(self)
        await asyncio.to_thread(leads.archive, actor, as_int(lead_id), False)
        await self._fill(actor)

    @rx.event
    async def delete(self, lead_id: int):
        """Put a lead in the trash; offers Undo."""
        actor, lead_id = await actor_of(self), as_int(lead_id)
        await asyncio.to_thread(leads.delete, actor, lead_id)
        said = offer(actor, gettext(actor.language, "Lead deleted"), LeadsState.restore(lead_id))
        return [rx.redirect(routes.LEADS), said]

    @rx.event
    async def restore(self, lead_id: int):
        """Bring a lead back from the trash."""
        actor, lead_id = await actor_of(self), as_int(lead_id)
        await asyncio.to_thread(leads.restore, actor, lead_id)
        return rx.redirect(routes.lead(lead_id))

    async def _currencies(self, first: str) -> None:
        self.currencies = [first, *(code for code in CURRENCIES if code != first)]
        self.wrong = ""
        self._nobody()

    def _page(self, actor: Actor, cursor: str | None) -> Any:
        owner_id, label_id = as_int(self.owner) or None, as_int(self.label) or None
        return leads.page_of_leads(actor, self.query, self.status, cursor, PAGE, owner_id=owner_id, label_id=label_id)

    async def _fill(self, actor: Actor) -> None:
        eyes = eyes_of(actor)
        lead_id = as_int(self.lead_arg) if self.router.url.path.startswith("/lead/") else 0  # pyright: ignore[reportAttributeAccessIssue]
        try:
            page = await asyncio.to_thread(self._page, actor, None)
            colleagues, known = await owners(actor), await labels_of(actor, "lead")
            view = await asyncio.to_thread(leads.get_lead, actor, lead_id) if lead_id else None
            who = await asyncio.to_thread(people.get_person, actor, view.person_id) if view and view.person_id else None
            self.missing = False
        except NotFound:
            self.lead, self.person, self.missing, self.loading = LeadRow(), NOBODY, True, False
            return
        except MailcrmError as error:
            self.failed, self.loading = i18n.sentence(error, actor.language), False
            return
        self.rows = [_row(each, eyes) for each in page.rows]
        self.cursor, self.failed = page.next_cursor or "", ""
        self.owners, self.labels = colleagues, known
        if self.label not in {each.value for each in self.labels}:
            self.label = ""
        self.lead = _row(view, eyes) if view else LeadRow()
        self.person = person(who.card) if who else NOBODY
        self.loading = False


def _save(actor: Actor, lead_id: int, fields: dict[str, str], person_id: int | None) -> int:
    currency = fields.get("lead_currency", "") or "EUR"
    typed = fields.get("lead_value", "").strip()
    value = minor_units(typed, currency) if typed else None
    title = fields.get("lead_title", "")
    person_id = person_of(actor, person_id, fields.get("lead_person", ""))
    if lead_id:
        given = {"title": title, "value_minor": value, "currency": currency, "person_id": person_id}
        return leads.change_lead(actor, lead_id, **given).id
    return leads.create_lead(actor, title=title, value_minor=value, currency=currency, person_id=person_id).id


def _row(view: Any, eyes: Eyes) -> LeadRow:
    who = view.person or view.organization or view.title
    money = "" if view.value_minor is None else i18n.format_money(view.value_minor, view.currency, eyes.language)
    return LeadRow(
        id=view.id,
        title=view.title,
        who=view.person,
        organization=view.organization,
        value=money,
        status=view.status,
        owner=view.owner,
        owner_id=str(view.owner_id or ""),
        created=i18n.short_day(eyes.language, view.created_at, eyes.now, eyes.zone),
        day=i18n.long_day(eyes.language, view.created_at, eyes.now, eyes.zone),
        initials=initials(who),
        hue=hue(who),
        href=routes.lead(view.id),
        deal=routes.deal(view.deal_id) if view.deal_id else "",
        labels=tuple((each.name, each.color) for each in view.labels),
        typed="" if view.value_minor is None else plain_amount(view.value_minor, view.currency),
        currency=view.currency,
    )
