"""A person's page: details, tracking consent, deals, and the timeline of what the viewer may see (M03, T09)."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError, NotFound
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import people, timeline
from mailcrm.services.i18n import gettext
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.panel import NOBODY
from mailcrm.state.present import DealRow, Item, PersonRow, deal, eyes_of, item, person
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say

CONSENTS = ("granted", "unknown", "refused")


@dataclass(frozen=True)
class Consent:
    """What is known of a person's consent to tracking; `about` says when and how."""

    state: str = "unknown"
    about: str = ""
    source: str = ""


class PersonState(rx.State):
    """The open person."""

    person: PersonRow = NOBODY
    addresses: list[str] = []
    phones: list[str] = []
    deals: list[DealRow] = []
    consent: Consent = Consent()
    items: list[Item] = []
    cursor: str = ""
    open_ids: list[int] = []
    remote_ids: list[int] = []
    missing: bool = False
    loading: bool = True
    editing: bool = False
    asking: bool = False
    wrong: str = ""

    @rx.event
    async def open_page(self):
        """Show the person of the address."""
        actor, person_id = await actor_of(self), as_int(self.person_arg)  # pyright: ignore[reportAttributeAccessIssue]
        if person_id != self.person.id:
            self.reset()
        self.editing, self.asking, self.wrong = False, False, ""
        yield
        await self._fill(actor, person_id)

    @rx.event
    async def refresh(self):
        """Read the person and their timeline again."""
        await self._fill(await actor_of(self), as_int(self.person_arg))  # pyright: ignore[reportAttributeAccessIssue]

    @rx.event
    async def more(self):
        """Add the timeline's next page."""
        actor = await actor_of(self)
        if not self.cursor:
            return
        eyes = eyes_of(actor)
        page = await asyncio.to_thread(lambda: timeline.person_timeline(actor, self.person.id, cursor=self.cursor))
        self.items = [
            *self.items,
            *(item(each, eyes, at + len(self.items), of_person=True) for at, each in enumerate(page.items)),
        ]
        self.cursor = page.next_cursor or ""

    @rx.event
    async def unfold(self, message_id: int):
        """Unfold or fold a message of the timeline."""
        one = as_int(message_id)
        others = [each for each in self.open_ids if each != one]
        self.open_ids = others if one in self.open_ids else [*others, one]

    @rx.event
    async def show_remote(self, message_id: int):
        """Show one message's remote images, for this view only."""
        self.remote_ids = [*self.remote_ids, as_int(message_id)]

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
        try:
            await asyncio.to_thread(people.set_consent, actor, self.person.id, consent, source)
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
        action = {"label": gettext(actor.language, "Undo"), "on_click": PersonState.restore(person_id)}
        said = gettext(actor.language, "{name} is deleted", name=name)
        return [rx.redirect(routes.PEOPLE), say(said, action=action, duration=8000)]

    @rx.event
    async def restore(self, person_id: int):
        """Take a person back out of the trash."""
        await asyncio.to_thread(people.restore, await actor_of(self), as_int(person_id))
        return rx.redirect(routes.person(as_int(person_id)))

    async def _fill(self, actor: Actor, person_id: int) -> None:
        eyes = eyes_of(actor)
        try:
            view = await asyncio.to_thread(people.get_person, actor, person_id)
            page = await asyncio.to_thread(timeline.person_timeline, actor, person_id)
        except NotFound:
            self.reset()
            self.missing, self.loading = True, False
            return
        self.person = person(view.card)
        self.addresses, self.phones = list(view.addresses), list(view.phones)
        self.deals = [deal(each, eyes) for each in view.deals]
        self.consent = _consent(view, eyes)
        self.items = [item(each, eyes, at, of_person=True) for at, each in enumerate(page.items)]
        self.cursor = page.next_cursor or ""
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


def _consent(view: Any, eyes: Any) -> Consent:
    day = ""
    if view.consent_at is not None:
        local, today = view.consent_at.astimezone(eyes.zone).date(), eyes.now.astimezone(eyes.zone).date()
        day = i18n.calendar_day(eyes.language, local, today)
    about = ", ".join(part for part in (day, view.consent_source) if part)
    return Consent(view.consent, about, view.consent_source)
