"""A person's page: details edited where they stand, figures of their email, tracking consent (T09), deals, leads.

Its timeline is state/timeline.py.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import leads, organizations, people
from mailcrm.services.crm.consent import PAGE
from mailcrm.services.crm.correspondence import Correspondence, correspondence
from mailcrm.services.i18n import gettext
from mailcrm.state.choices import Choice, owners
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.earlier import EarlierState
from mailcrm.state.panel import NOBODY
from mailcrm.state.present import DealRow, Eyes, PersonRow, deal, eyes_of, person
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import warn
from mailcrm.state.undoing import offer

CONSENTS = ("granted", "unknown", "refused")
ENOUGH_FOR_RATES = 20  # tracked emails; below it counts are shown (DESIGN §3 j)
MOST_FOUND = 10
FIELDS = ("name", "job_title", "organization")


@dataclass(frozen=True)
class Consent:
    """What is known of a person's consent to tracking; `about` says when and how."""

    state: str = "unknown"
    about: str = ""
    source: str = ""
    proof: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure of a person's email; `value` "" shows as a dash."""

    name: str
    value: str


@dataclass(frozen=True)
class LeadRow:
    """An open lead of the person."""

    id: int
    title: str
    value: str
    href: str


class PersonState(rx.State):
    """The open person."""

    person: PersonRow = NOBODY
    addresses: list[str] = []
    phones: list[str] = []
    deals: list[DealRow] = []
    leads: list[LeadRow] = []
    figures: list[Figure] = []
    consent: Consent = Consent()
    owner_id: str = "0"
    owners: list[Choice] = []
    organization_href: str = ""
    missing: bool = False
    loading: bool = True
    editing: bool = False
    asking: bool = False
    wrong: str = ""
    wrong_field: str = ""
    organizations: list[str] = []  # offered for what is typed
    moving: str = ""  # the address that goes to somebody else
    found: list[PersonRow] = []

    @rx.event
    async def open_page(self):
        """Show the person of the address."""
        actor, person_id = await actor_of(self), as_int(self.person_arg)  # pyright: ignore[reportAttributeAccessIssue]
        if person_id != self.person.id:
            self.reset()
        self.editing, self.asking, self.wrong, self.wrong_field, self.moving = False, False, "", "", ""
        yield
        await self._fill(actor, person_id)

    @rx.event
    async def refresh(self):
        """Read the person and their timeline again."""
        await self._fill(await actor_of(self), as_int(self.person_arg))  # pyright: ignore[reportAttributeAccessIssue]

    @rx.event
    async def edit(self, on: bool):
        """Edit the details in place, or stop."""
        self.editing, self.wrong = as_flag(on), ""

    @rx.event
    async def save(self, form: dict[str, Any]):
        """Save the details; a new address lets their mail link itself (M27)."""
        actor, fields, person_id = await actor_of(self), as_form(form), self.person.id
        try:
            await asyncio.to_thread(_save, actor, person_id, fields, tuple(self.addresses))
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        self.editing, self.wrong = False, ""
        await self._fill(actor, person_id)

    @rx.event
    async def change(self, field: str, text: str):
        """Save a field as it was typed; what is wrong is said below it."""
        actor, text, who = await actor_of(self), as_text(text, 300).strip(), self.person
        before = {"name": who.name, "job_title": who.job, "organization": who.organization}
        if not isinstance(field, str) or field not in FIELDS or text == before[field]:
            return
        changed: dict[str, Any] = {field: text}
        await self._try(actor, field, lambda: people.change_person(actor, who.id, **changed))

    @rx.event(supersedes=True)
    async def find_organization(self, text: str):
        """Offer the organizations that are called so."""
        actor, name = await actor_of(self), as_text(text, 200).strip()
        found = await asyncio.to_thread(organizations.list_organizations, actor, name, MOST_FOUND) if name else ()
        self.organizations = [each.name for each in found]

    @rx.event
    async def change_phone(self, before: str, text: str):
        """Save a number as it was typed; "" takes it away, and no number before adds one."""
        actor, before, text = await actor_of(self), as_text(before, 300), as_text(text, 300).strip()
        if text == before:
            return
        numbers = [text if each == before else each for each in self.phones] + ([text] if not before else [])
        person_id = self.person.id
        await self._try(actor, "phone", lambda: people.change_person(actor, person_id, phones=numbers))

    @rx.event
    async def add_address(self, text: str):
        """Give the person another address; their mail links itself (M27)."""
        actor, address, person_id = await actor_of(self), as_text(text, 400).strip(), self.person.id
        if not address:
            return None
        known = len(self.addresses)
        await self._try(actor, "address", lambda: people.add_address(actor, person_id, address))
        return EarlierState.offer("person", person_id) if len(self.addresses) > known else None

    @rx.event
    async def remove_address(self, address: str):
        """Take an address away; offers Undo."""
        actor, person_id, address = await actor_of(self), self.person.id, as_text(address, 400)
        first = address == self.person.address
        await asyncio.to_thread(people.remove_address, actor, person_id, address)
        await self._fill(actor, person_id)
        said = gettext(actor.language, "{name} is removed", name=address)
        return offer(actor, said, PersonState.put_address_back(person_id, address, first))

    @rx.event
    async def put_address_back(self, person_id: int, address: str, first: bool):
        """Undo the removing of an address."""
        actor, row_id, address = await actor_of(self), as_int(person_id), as_text(address, 400)
        try:
            await asyncio.to_thread(people.add_address, actor, row_id, address)
            if as_flag(first):
                await asyncio.to_thread(people.make_primary, actor, row_id, address)
        except UserError as error:
            return warn(i18n.sentence(error, actor.language))
        if row_id == self.person.id:
            await self._fill(actor, row_id)
        return None

    @rx.event
    async def ask_move(self, address: str):
        """Ask who an address goes to; "" closes the question."""
        self.moving, self.found = as_text(address, 400), []

    @rx.event
    async def close_move(self, is_open: bool):
        """Close that question."""
        if not as_flag(is_open):
            self.moving = ""

    @rx.event(supersedes=True)
    async def find_person(self, text: str):
        """List the others who match."""
        actor, text = await actor_of(self), as_text(text, 100).strip()
        page = await asyncio.to_thread(lambda: people.list_people(actor, query=text, limit=MOST_FOUND))
        self.found = [person(each) for each in page.rows if each.id != self.person.id] if text else []

    @rx.event
    async def move_address(self, to_person_id: int):
        """Give the address to the person found; offers Undo."""
        actor, to_id, person_id, address = await actor_of(self), as_int(to_person_id), self.person.id, self.moving
        self.moving = ""
        if not address:
            return None
        name = next((each.name for each in self.found if each.id == to_id), "")
        await asyncio.to_thread(people.move_address, actor, person_id, address, to_id)
        await self._fill(actor, person_id)
        said = gettext(actor.language, "{address} is {name}’s now", address=address, name=name)
        return offer(actor, said, PersonState.move_back(to_id, address, person_id))

    @rx.event
    async def move_back(self, from_person_id: int, address: str, person_id: int):
        """Undo the moving of an address."""
        actor, from_id, to_id = await actor_of(self), as_int(from_person_id), as_int(person_id)
        await asyncio.to_thread(people.move_address, actor, from_id, as_text(address, 400), to_id)
        if to_id == self.person.id:
            await self._fill(actor, to_id)

    @rx.event
    async def make_primary(self, address: str):
        """Write to this address first from now on."""
        actor = await actor_of(self)
        await asyncio.to_thread(people.make_primary, actor, self.person.id, as_text(address, 300))
        await self._fill(actor, self.person.id)

    @rx.event
    async def hand_over(self, user_id: str):
        """Give the person to a colleague, or to nobody; offers Undo."""
        actor, person_id = await actor_of(self), self.person.id
        before = await asyncio.to_thread(people.hand_over, actor, {person_id: as_int(user_id) or None})
        await self._fill(actor, person_id)
        old = str(before[person_id] or 0)
        return offer(actor, gettext(actor.language, "Owner changed"), PersonState.hand_over(old))

    @rx.event
    async def ask_consent(self, is_open: bool):
        """Open or close the form about consent."""
        self.asking, self.wrong = as_flag(is_open), ""

    @rx.event
    async def set_consent(self, form: dict[str, Any]):
        """Record whether the person agreed to tracking, and how that is known (T09)."""
        actor, fields = await actor_of(self), as_form(form)
        consent = fields.get("consent_state", "")
        if consent not in CONSENTS:
            return
        source = as_text(fields.get("consent_source", ""), 200).strip()
        proof = as_text(fields.get("consent_proof", ""), 200).strip()
        try:
            await asyncio.to_thread(people.set_consent, actor, self.person.id, consent, source, proof)
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        self.asking = False
        await self._fill(actor, self.person.id)

    @rx.event
    async def delete(self):
        """Move the person to the trash; offers Undo."""
        actor, person_id, name = await actor_of(self), self.person.id, self.person.name
        await asyncio.to_thread(people.delete, actor, person_id)
        said = gettext(actor.language, "{name} is deleted", name=name)
        return [rx.redirect(routes.PEOPLE), offer(actor, said, PersonState.restore(person_id))]

    @rx.event
    async def restore(self, person_id: int):
        """Take a person back out of the trash."""
        await asyncio.to_thread(people.restore, await actor_of(self), as_int(person_id))
        return rx.redirect(routes.person(as_int(person_id)))

    async def _try(self, actor: Actor, field: str, act: Callable[[], object]) -> None:
        self.wrong = self.wrong_field = ""
        try:
            await asyncio.to_thread(act)
        except UserError as error:
            self.wrong, self.wrong_field = i18n.sentence(error, actor.language), field
            return
        await self._fill(actor, self.person.id)

    async def _fill(self, actor: Actor, person_id: int) -> None:
        eyes = eyes_of(actor)
        try:
            view = await asyncio.to_thread(people.get_person, actor, person_id)
            known = await asyncio.to_thread(correspondence, actor, person_id)
        except NotFound:
            self.reset()
            self.missing, self.loading = True, False
            return
        self.person = person(view.card)
        self.addresses, self.phones = list(view.addresses), list(view.phones)
        self.deals = [deal(each, eyes) for each in view.deals]
        self.consent = _consent(view, eyes)
        self.owner_id = str(view.owner_id or 0)
        self.owners = await owners(actor, or_nobody=True)
        self.organization_href = routes.organization(view.organization.id) if view.organization else ""
        self.figures = _figures(known, eyes)
        found = await asyncio.to_thread(lambda: leads.page_of_leads(actor, person_id=person_id, limit=20))
        self.leads = [_lead(each, eyes) for each in found.rows]
        self.missing, self.loading = False, False


def _save(actor: Actor, person_id: int, fields: dict[str, str], before: tuple[str, ...]) -> None:
    """Change what the form holds; its addresses are one per line, and so are its phones."""
    addresses = [line.strip().lower() for line in fields.get("edit_addresses", "").splitlines() if line.strip()]
    people.change_person(
        actor,
        person_id,
        name=fields.get("edit_name", ""),
        job_title=fields.get("edit_job", ""),
        organization=fields.get("edit_organization", ""),
        phones=[line.strip() for line in fields.get("edit_phones", "").splitlines() if line.strip()],
    )
    for address in addresses:
        if address not in before:
            people.add_address(actor, person_id, address)
    for address in before:
        if address not in addresses:
            people.remove_address(actor, person_id, address)


def _figures(known: Correspondence, eyes: Eyes) -> list[Figure]:
    language, last = eyes.language, known.last_reply_at
    mail = gettext(eyes.language, "{received} in, {sent} out", received=known.received, sent=known.sent)
    return [
        Figure(
            gettext(eyes.language, "Last reply"), i18n.day_and_time(language, last, eyes.now, eyes.zone) if last else ""
        ),
        Figure(gettext(eyes.language, "Emails"), mail if known.received or known.sent else ""),
        Figure(gettext(eyes.language, "Opened"), _rate(known.opened, known.opens_on, eyes)),
        Figure(gettext(eyes.language, "Clicked"), _rate(known.clicked, known.clicks_on, eyes)),
        Figure(
            gettext(eyes.language, "Typical reply"), i18n.span(language, known.reply_after) if known.reply_after else ""
        ),
    ]


def _rate(count: int, of: int, eyes: Eyes) -> str:
    if not of:
        return ""
    if of < ENOUGH_FOR_RATES:
        return gettext(eyes.language, "{n} of {most}", n=count, most=of)
    return f"{round(100 * count / of)}%"


def _lead(view: Any, eyes: Eyes) -> LeadRow:
    value = "" if view.value_minor is None else i18n.format_money(view.value_minor, view.currency, eyes.language)
    return LeadRow(view.id, view.title, value, routes.lead(view.id))


def _consent(view: Any, eyes: Any) -> Consent:
    day = ""
    if view.consent_at is not None:
        local, today = view.consent_at.astimezone(eyes.zone).date(), eyes.now.astimezone(eyes.zone).date()
        day = i18n.calendar_day(eyes.language, local, today)
    page = gettext(eyes.language, "the opt-out page") if view.consent_source == PAGE else view.consent_source
    about = ", ".join(part for part in (day, page) if part)
    by = (
        gettext(eyes.language, "Recorded by {name}.", name=view.consent_by)
        if view.consent_by and view.consent != "unknown"
        else ""
    )
    proof = gettext(eyes.language, "Proof: {proof}", proof=view.consent_proof) if view.consent_proof else ""
    said = " ".join(part for part in (f"{about}." if about and (by or proof) else about, by, proof) if part)
    typed = "" if view.consent_message_id is not None else view.consent_proof
    state = "withdrawn" if view.consent_withdrawn else view.consent
    return Consent(state, said, "" if view.consent_source == PAGE else view.consent_source, typed)
