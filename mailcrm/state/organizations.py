"""The list of organizations: what it is narrowed by, changes of many at once, and the form for a new one."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.crm import domains, labels, organization_list, organizations
from mailcrm.services.i18n import ngettext
from mailcrm.state import early
from mailcrm.state.board import Choice
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.picks import Picks
from mailcrm.state.present import initials
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import warn
from mailcrm.state.undoing import Acts, noted, offer, taken

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


class OrganizationsState(Picks, rx.State):
    """The organizations of the workspace."""

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
    _done: Acts[tuple[str, Any]] = {}

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
    async def give(self, owner_id: str):
        """Give those chosen to a colleague, "0" to nobody; offers Undo."""
        chosen, text = list(self.picked), as_text(owner_id, 20)
        if text:
            owners = dict.fromkeys(chosen, as_int(text) or None)
            return await self._change("owners", lambda actor: organizations.hand_over(actor, owners))
        return None

    @rx.event
    async def put_label(self, label_id: str):
        """Put a label on those chosen; offers Undo."""
        chosen, label = list(self.picked), as_int(label_id)
        if label:
            return await self._change(
                "label", lambda actor: (label, labels.put_many(actor, "organization", chosen, label, True))
            )
        return None

    @rx.event
    async def delete(self):
        """Move those chosen to the trash; offers Undo."""
        chosen = list(self.picked)

        def act(actor: Actor) -> list[int]:
            organization_list.delete_many(actor, chosen)
            return chosen

        return await self._change("deleted", act)

    @rx.event
    async def take_back(self, number: int):
        """Undo a change of many of this tab."""
        actor = await actor_of(self)
        self._done, done = taken(self._done, number)
        if done is None:
            return None
        kind, before = done
        try:
            if kind == "owners":
                await asyncio.to_thread(organizations.hand_over, actor, before)
            elif kind == "label":
                await asyncio.to_thread(labels.put_many, actor, "organization", before[1], before[0], False)
            elif kind == "deleted":
                await asyncio.to_thread(organization_list.restore_many, actor, before)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        finally:
            await self._fill(actor, max(min(len(self.rows), MOST_AT_ONCE), FIRST))

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

    async def _change(self, kind: str, act: Any) -> Any:
        """Change those chosen and say so, with the way back."""
        actor, number = await actor_of(self), len(self.picked)
        if not number:
            return None
        try:
            before = await asyncio.to_thread(act, actor)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        self._done, undo_number = noted(self._done, (kind, before))
        self.picked = []
        await self._fill(actor, max(min(len(self.rows), MOST_AT_ONCE), FIRST))
        if kind == "deleted":
            said = ngettext(actor.language, "{n} organization deleted", "{n} organizations deleted", number)
        else:
            said = ngettext(actor.language, "{n} organization changed", "{n} organizations changed", number)
        return offer(actor, said, OrganizationsState.take_back(undo_number))

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
            colleagues = await asyncio.to_thread(users.all_users, actor)
            known = await asyncio.to_thread(labels.list_labels, actor, "organization")
        except MailcrmError:
            self.failed, self.loading = True, False
            return
        self.owners = [Choice(str(each.id), each.name) for each in colleagues if not each.disabled]
        self.labels = [Choice(str(each.id), each.name) for each in known]
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
