"""The list of people: what it is narrowed and sorted by, changes of many at once, and the form for a new one."""

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import organizations, people
from mailcrm.services.crm.people_list import CONSENTS, SORTS, Narrowed, page_of_people
from mailcrm.services.i18n import ngettext
from mailcrm.state import early
from mailcrm.state.bulk_change import BulkChange, Verbs
from mailcrm.state.choices import Choice, labels_of, owners
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.earlier import EarlierState
from mailcrm.state.present import Eyes, PersonRow, eyes_of, person
from mailcrm.state.session import actor_of

FIRST = 50
MOST_AT_ONCE = 200  # what the service gives in one page
MOST_ROWS = 1000  # resident in a tab; searching finds the rest
LONGEST_DAYS = 3660  # that the service looks back
FILTERS = ("owner", "label", "organization", "consent", "quiet")


@dataclass(frozen=True)
class ContactRow:
    """A person in the list."""

    id: int
    person: PersonRow
    phones: str
    labels: tuple[tuple[str, str], ...]
    owner: str
    last: str
    deals: int


def _said(language: str, what: str, n: int) -> str:
    if what == "owners":
        return ngettext(language, "{n} person has a new owner", "{n} people have a new owner", n)
    if what == "deleted":
        return ngettext(language, "{n} person deleted", "{n} people deleted", n)
    return ngettext(language, "{n} person changed", "{n} people changed", n)


class PeopleState(BulkChange, rx.State):
    """The people of the workspace."""

    _verbs: ClassVar[Verbs] = Verbs("person", people.hand_over, people.delete_many, people.restore_many, _said)

    rows: list[ContactRow] = []
    cursor: str = ""
    query: str = ""
    order: str = "name"
    filters: dict[str, str] = {}
    organization_name: str = ""
    owners: list[Choice] = []
    labels: list[Choice] = []
    organizations: list[str] = []
    loading: bool = True
    failed: bool = False
    creating: bool = False
    _opened_at: float = 0.0  # the form
    wrong: str = ""

    @rx.var
    def narrowed(self) -> bool:
        """Whether the list is narrowed by anything but its search."""
        return bool(self.filters)

    @rx.event
    async def open_page(self):
        """Show the list."""
        self.query, self.loading, self.picked, self.filters = "", True, [], {}
        self.creating = self.creating and early.is_early(self._opened_at)
        self.organization_name, self.organizations = "", []
        yield
        actor = await actor_of(self)
        self.owners, self.labels = await owners(actor), await labels_of(actor, "person")
        await self._fill(actor)

    @rx.event
    async def refresh(self):
        """Read the list again, as far as it was shown."""
        if len(self.rows) <= MOST_AT_ONCE:  # a longer list stays as it is until it is opened again
            await self._fill(await actor_of(self), max(len(self.rows), FIRST))

    @rx.event(supersedes=True)
    async def find(self, text: str):
        """List the people that match."""
        self.query = as_text(text, 100).strip()
        await self._fill(await actor_of(self))

    @rx.event
    async def sort(self, order: str):
        """Put the people in another order."""
        self.order = order if isinstance(order, str) and order in SORTS else "name"
        await self._fill(await actor_of(self))

    @rx.event
    async def set_filter(self, name: str, value: str):
        """Narrow the list by one thing; "" takes that off."""
        if isinstance(name, str) and name in FILTERS:
            self._set(name, as_text(value, 40).strip())
            await self._fill(await actor_of(self))

    @rx.event(supersedes=True)
    async def of_organization(self, text: str):
        """Offer the organizations that are called so; narrow the list to the one with exactly this name."""
        actor, name = await actor_of(self), as_text(text, 200).strip()
        self.organization_name = name
        found = await asyncio.to_thread(organizations.list_organizations, actor, name, 10) if name else ()
        self.organizations = [each.name for each in found]
        chosen = next((each.id for each in found if each.name.casefold() == name.casefold()), 0)
        before = self.filters.get("organization", "")
        if (str(chosen) if chosen else "") != before:
            self._set("organization", str(chosen) if chosen else "")
            await self._fill(actor)

    @rx.event
    async def clear(self):
        """Take all filters off."""
        self.filters, self.organization_name, self.organizations = {}, "", []
        await self._fill(await actor_of(self))

    @rx.event
    async def more(self):
        """Add the next page."""
        actor = await actor_of(self)
        if not self.cursor or len(self.rows) >= MOST_ROWS:
            return
        page = await asyncio.to_thread(
            lambda: page_of_people(actor, self.query, _narrowed(self.filters), sort=self.order, cursor=self.cursor)
        )
        eyes = eyes_of(actor)
        self.rows = self.rows + [_row(each, eyes) for each in page.rows]
        self.cursor = page.next_cursor or ""

    @rx.event
    async def set_creating(self, is_open: bool):
        """Open or close the form."""
        self.creating, self.wrong, self._opened_at = as_flag(is_open), "", early.now()

    @rx.event
    async def create(self, form: dict[str, Any]):
        """Make the person and open them."""
        actor, fields = await actor_of(self), as_form(form)
        address, phone = fields.get("person_email", "").strip(), fields.get("person_phone", "").strip()
        try:
            made = await asyncio.to_thread(
                lambda: people.create_person(
                    actor,
                    name=fields.get("person_name", ""),
                    addresses=(address,) if address else (),
                    phones=(phone,) if phone else (),
                    organization=fields.get("person_organization", ""),
                    job_title=fields.get("person_job", ""),
                )
            )
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        self.creating = False
        return [rx.redirect(routes.person(made.card.id)), EarlierState.offer("person", made.card.id)]

    def _set(self, name: str, value: str) -> None:
        others = {key: kept for key, kept in self.filters.items() if key != name}
        self.filters = {**others, name: value} if value else others

    async def _show_again(self, actor: Actor) -> None:
        await self._fill(actor, max(min(len(self.rows), MOST_AT_ONCE), FIRST))

    async def _fill(self, actor: Actor, limit: int = FIRST) -> None:
        eyes = eyes_of(actor)
        try:
            page = await asyncio.to_thread(
                lambda: page_of_people(actor, self.query, _narrowed(self.filters), sort=self.order, limit=limit)
            )
            self.rows = [_row(each, eyes) for each in page.rows]
            self.cursor, self.failed = page.next_cursor or "", False
            self._keep_listed()
        except MailcrmError:
            self.failed = True
        finally:
            self.loading = False


def _narrowed(filters: dict[str, str]) -> Narrowed:
    def number(name: str) -> int | None:
        return as_int(filters[name]) if name in filters else None

    return Narrowed(
        owner_id=number("owner"),
        label_id=number("label"),
        organization_id=number("organization"),
        consent=filters.get("consent", "") if filters.get("consent") in CONSENTS else "",
        quiet_days=min(number("quiet") or 1, LONGEST_DAYS) if "quiet" in filters else None,
    )


def _row(view: Any, eyes: Eyes) -> ContactRow:
    shown = person(view.card)
    last = i18n.short_day(eyes.language, view.last_email_at, eyes.now, eyes.zone) if view.last_email_at else ""
    return ContactRow(
        id=view.card.id,
        person=shown,
        phones=", ".join(view.phones) or shown.phone,
        labels=tuple((each.name, each.color) for each in view.labels),
        owner=view.owner,
        last=last,
        deals=view.open_deals,
    )
