"""The list of organizations: what it is narrowed by, changes of many at once, and the form for a new one."""

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import domains, organization_list, organizations
from mailcrm.services.i18n import ngettext
from mailcrm.state import early
from mailcrm.state.bulk_change import BulkChange, Verbs
from mailcrm.state.choices import Choice, labels_of, owners
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.present import initials
from mailcrm.state.session import actor_of

FIRST = 50
MOST_AT_ONCE = 200  # what the service gives in one page
FILTERS = ("owner", "label")


@dataclass(frozen=True)
class OrganizationRow:
    """An organization in the list."""

    id: int
    name: str
    domains: str
    people: int
    deals: int
    initials: str
    href: str
    owner: str
    labels: tuple[tuple[str, str], ...]


def _said(language: str, what: str, n: int) -> str:
    if what == "deleted":
        return ngettext(language, "{n} organization deleted", "{n} organizations deleted", n)
    return ngettext(language, "{n} organization changed", "{n} organizations changed", n)


class OrganizationsState(BulkChange, rx.State):
    """The organizations of the workspace."""

    _verbs: ClassVar[Verbs] = Verbs(
        "organization",
        organizations.hand_over,
        organization_list.delete_many,
        organization_list.restore_many,
        _said,
    )

    rows: list[OrganizationRow] = []
    cursor: str = ""
    query: str = ""
    filters: dict[str, str] = {}
    owners: list[Choice] = []
    labels: list[Choice] = []
    loading: bool = True
    failed: bool = False
    creating: bool = False
    _opened_at: float = 0.0  # the form
    wrong: str = ""

    @rx.event
    async def open_page(self):
        """Show the list."""
        self.query, self.loading, self.picked, self.filters = "", True, [], {}
        self.creating = self.creating and early.is_early(self._opened_at)
        yield
        await self._fill(await actor_of(self))

    @rx.event
    async def refresh(self):
        """Read the list again, as far as it was shown."""
        if len(self.rows) <= MOST_AT_ONCE:  # a longer list stays as it is until it is opened again
            await self._fill(await actor_of(self), max(len(self.rows), FIRST))

    @rx.event(supersedes=True)
    async def find(self, text: str):
        """List the organizations that match."""
        self.query = as_text(text, 100).strip()
        await self._fill(await actor_of(self))

    @rx.event
    async def set_filter(self, name: str, value: str):
        """Narrow the list by one thing; "" takes that off."""
        if isinstance(name, str) and name in FILTERS:
            text = as_text(value, 40).strip()
            others = {key: kept for key, kept in self.filters.items() if key != name}
            self.filters = {**others, name: text} if text else others
            await self._fill(await actor_of(self))

    @rx.event
    async def clear(self):
        """Take all filters off."""
        self.filters = {}
        await self._fill(await actor_of(self))

    @rx.event
    async def more(self):
        """Add the next page."""
        actor = await actor_of(self)
        if self.cursor:
            page = await asyncio.to_thread(self._page, actor, FIRST, self.cursor)
            self.rows = [*self.rows, *(_row(each) for each in page.rows)]
            self.cursor = page.next_cursor or ""

    @rx.event
    async def set_creating(self, is_open: bool):
        """Open or close the form."""
        self.creating, self.wrong, self._opened_at = as_flag(is_open), "", early.now()

    @rx.event
    async def create(self, form: dict[str, Any]):
        """Make the organization and open it."""
        actor, fields = await actor_of(self), as_form(form)
        try:
            made = await asyncio.to_thread(
                lambda: organizations.create_organization(
                    actor,
                    name=fields.get("organization_name", ""),
                    domains=[each for each in fields.get("organization_domain", "").replace(",", " ").split() if each],
                )
            )
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        self.creating = False
        return rx.redirect(routes.organization(made.card.id))

    async def _show_again(self, actor: Actor) -> None:
        await self._fill(actor, max(min(len(self.rows), MOST_AT_ONCE), FIRST))

    def _page(self, actor: Actor, limit: int, cursor: str | None = None) -> Any:
        owner, label = self.filters.get("owner", ""), self.filters.get("label", "")
        return organization_list.page_of_lines(
            actor,
            self.query,
            owner_id=as_int(owner) if owner else None,
            label_id=as_int(label) or None,
            cursor=cursor,
            limit=limit,
        )

    async def _fill(self, actor: Actor, limit: int = FIRST) -> None:
        try:
            page = await asyncio.to_thread(self._page, actor, limit)
            self.owners, self.labels = await owners(actor), await labels_of(actor, "organization")
        except MailcrmError:
            self.failed, self.loading = True, False
            return
        self.rows, self.cursor = [_row(each) for each in page.rows], page.next_cursor or ""
        self._keep_listed()
        self.failed = self.loading = False


def _row(view: organization_list.OrganizationLine) -> OrganizationRow:
    return OrganizationRow(
        id=view.card.id,
        name=view.card.name,
        domains=", ".join(domains.shown(each) for each in view.card.domains),
        people=view.card.people,
        deals=view.card.open_deals,
        initials=initials(view.card.name),
        href=routes.organization(view.card.id),
        owner=view.owner,
        labels=tuple((each.name, each.color) for each in view.labels),
    )
