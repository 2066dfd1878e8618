"""One organization's page: details, domains, owner, deals. Its timeline is state/timeline.py, the list organizations.py."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import domains, organizations
from mailcrm.services.i18n import N_, gettext, ngettext
from mailcrm.state.choices import Choice, owners
from mailcrm.state.coerce import as_form, as_int, as_text
from mailcrm.state.present import DealRow, PersonRow, deal, eyes_of, initials, person
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import warn
from mailcrm.state.undoing import offer

FIELDS = ("name", "address")
STATUSES = {"open": N_("Open deals"), "won": N_("Won deals"), "lost": N_("Lost deals")}


@dataclass(frozen=True)
class OrganizationFacts:
    """What an organization's side shows."""

    id: int = 0
    name: str = ""
    address: str = ""
    initials: str = ""


@dataclass(frozen=True)
class Sum:
    """The deals of one status together, as a figure."""

    label: str
    value: str
    count: str


@dataclass(frozen=True)
class Domain:
    """A mail domain: as it is stored, and as it reads."""

    value: str
    shown: str


class OrganizationState(rx.State):
    """The open organization."""

    facts: OrganizationFacts = OrganizationFacts()
    domains: list[Domain] = []
    people: list[PersonRow] = []
    deals: list[DealRow] = []
    sums: list[Sum] = []
    missing: bool = False
    wrong: str = ""
    wrong_field: str = ""
    wrong_domain: str = ""
    owner_id: str = "0"
    owners: list[Choice] = []

    @rx.event
    async def open_page(self):
        """Show the organization of the address."""
        self.missing, self.wrong, self.wrong_field, self.wrong_domain = False, "", "", ""
        yield
        await self._fill(await actor_of(self), as_int(self.organization_arg))  # pyright: ignore[reportAttributeAccessIssue]

    @rx.event
    async def refresh(self):
        """Read the organization again."""
        await self._fill(await actor_of(self), as_int(self.organization_arg))  # pyright: ignore[reportAttributeAccessIssue]

    @rx.event
    async def change(self, field: str, text: str):
        """Save name or address as it was typed; what is wrong is said below it."""
        actor, text, row_id = await actor_of(self), as_text(text, 1000).strip(), self.facts.id
        if not isinstance(field, str) or field not in FIELDS or text == getattr(self.facts, field):
            return
        changed: dict[str, Any] = {field: text}
        self.wrong = self.wrong_field = ""
        try:
            await asyncio.to_thread(lambda: organizations.change_organization(actor, row_id, **changed))
        except UserError as error:
            self.wrong, self.wrong_field = i18n.sentence(error, actor.language), field
            return
        await self._fill(actor, row_id)

    @rx.event
    async def add_domain(self, form: dict[str, Any]):
        """Recognise the organization by another domain."""
        actor, domain = await actor_of(self), as_form(form).get("organization_domain", "").strip()
        self.wrong_domain = ""
        if not domain:
            return
        try:
            await asyncio.to_thread(organizations.add_domain, actor, self.facts.id, domain)
        except MailcrmError as error:
            self.wrong_domain = i18n.sentence(error, actor.language)
            return
        await self._fill(actor, self.facts.id)

    @rx.event
    async def put_domain_back(self, organization_id: int, domain: str):
        """Undo the removing of a domain."""
        actor = await actor_of(self)
        await asyncio.to_thread(organizations.add_domain, actor, as_int(organization_id), as_text(domain, 300))
        await self._fill(actor, as_int(organization_id))

    @rx.event
    async def remove_domain(self, domain: str):
        """Recognise the organization by a domain no more; offers Undo."""
        actor, row_id, domain = await actor_of(self), self.facts.id, as_text(domain, 300)
        await asyncio.to_thread(organizations.remove_domain, actor, row_id, domain)
        await self._fill(actor, row_id)
        back = OrganizationState.put_domain_back(row_id, domain)
        said = gettext(actor.language, "{name} is removed", name=domains.shown(domain))
        return offer(actor, said, back)

    @rx.event
    async def hand_over(self, user_id: str):
        """Give the organization to a colleague, or to nobody; offers Undo."""
        actor, row_id = await actor_of(self), self.facts.id
        try:
            before = await asyncio.to_thread(organizations.hand_over, actor, {row_id: as_int(user_id) or None})
        except UserError as error:
            return warn(i18n.sentence(error, actor.language))
        await self._fill(actor, row_id)
        back = OrganizationState.hand_over(str(before[row_id] or 0))
        return offer(actor, gettext(actor.language, "Owner changed"), back)

    @rx.event
    async def delete(self):
        """Move the organization to the trash; offers Undo."""
        actor, row_id, name = await actor_of(self), self.facts.id, self.facts.name
        await asyncio.to_thread(organizations.delete, actor, row_id)
        said = gettext(actor.language, "{name} is deleted", name=name)
        return [rx.redirect(routes.ORGANIZATIONS), offer(actor, said, OrganizationState.restore(row_id))]

    @rx.event
    async def restore(self, organization_id: int):
        """Take an organization back out of the trash."""
        await asyncio.to_thread(organizations.restore, await actor_of(self), as_int(organization_id))
        return rx.redirect(routes.organization(as_int(organization_id)))

    async def _fill(self, actor: Actor, row_id: int) -> None:
        eyes = eyes_of(actor)
        try:
            view = await asyncio.to_thread(organizations.get_organization, actor, row_id)
        except NotFound:
            self.reset()
            self.missing = True
            return
        card = view.card
        self.facts = OrganizationFacts(card.id, card.name, view.address, initials(card.name))
        self.owner_id = str(view.owner_id or 0)
        self.owners = await owners(actor, or_nobody=True)
        self.domains = [Domain(each, domains.shown(each)) for each in card.domains]
        self.people, self.deals = [person(each) for each in view.people], [deal(each, eyes) for each in view.deals]
        self.sums = [
            Sum(
                gettext(actor.language, STATUSES[each.status]),
                i18n.format_money(each.total_minor, each.currency, actor.language),
                ngettext(actor.language, "{n} deal", "{n} deals", each.count),
            )
            for each in sorted(view.sums, key=lambda each: list(STATUSES).index(each.status))
        ]
        self.missing = False
