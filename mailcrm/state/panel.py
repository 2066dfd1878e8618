"""The CRM panel beside a conversation: its person, its deal, who may see it, what happened lately."""

import asyncio
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError, UserError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import people
from mailcrm.services.crm.draft_person import draft_person
from mailcrm.services.crm.linking import link as linking
from mailcrm.services.crm.linking import panel as panels
from mailcrm.services.i18n import gettext
from mailcrm.state.coerce import as_form, as_int, as_text
from mailcrm.state.earlier import EarlierState
from mailcrm.state.present import DealRow, Item, PersonRow, Step, deal, eyes_of, item, person, steps
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say
from mailcrm.state.undoing import Acts, noted, offer, taken

RECENT = 5  # lines; the conversation's own messages are beside them already
NOBODY = PersonRow(0, "", "", "", "", "", "", 0, "", "")


class PanelState(rx.State):
    """What the open conversation is linked to.

    The list shows links too: the services' hints (state/live.py) refresh it, and the panel's buttons do so at once.
    """

    thread_id: int = 0
    shown: bool = False
    person: PersonRow = NOBODY
    unknown: str = ""
    unknown_address: str = ""
    prefill_name: str = ""
    prefill_organization: str = ""
    prefill_phone: str = ""
    prefill_job: str = ""
    alike: list[PersonRow] = []
    wrong: str = ""
    deals: list[DealRow] = []
    link_ids: dict[str, int] = {}
    steps: list[Step] = []
    candidates: list[DealRow] = []
    visibility: str = "private"
    can_change: bool = False
    recent: list[Item] = []
    found: list[DealRow] = []
    adding: bool = False
    picking: bool = False
    dismissed: list[str] = []
    has_links: bool = False
    known_organization: str = ""
    _done: Acts[linking.Linked] = {}  # it outlives the closing of the conversation

    @rx.event
    async def toggle(self):
        """Show or hide the panel where the window is too narrow for it."""
        self.shown = not self.shown

    @rx.event
    async def set_adding(self, on: bool):
        """Open or close the form for a new contact; it starts from the header, the signature and the domain."""
        self.adding, self.wrong = False, ""
        if on is not True:
            return
        actor = await actor_of(self)
        draft = await asyncio.to_thread(draft_person, actor, self.thread_id, self.unknown_address)
        self.prefill_name, self.prefill_organization = draft.name, draft.organization
        self.prefill_phone, self.prefill_job = draft.phone, draft.job_title
        self.alike = [person(each) for each in draft.alike]
        self.adding = True

    @rx.event
    async def add_to(self, person_id: int):
        """Give the sender's address to a person who is there already."""
        actor = await actor_of(self)
        await asyncio.to_thread(people.add_address, actor, as_int(person_id), self.unknown_address)
        await asyncio.to_thread(linking.link_thread, actor, self.thread_id, person_id=as_int(person_id))
        self.adding = False
        await self._show(actor, self.thread_id)
        return say(gettext(actor.language, "Address added"))

    @rx.event
    async def set_picking(self, on: bool):
        """Open or close the list of deals."""
        self.picking = on is True
        if self.picking:
            await self._find(await actor_of(self), "")

    @rx.event(supersedes=True)
    async def find(self, text: str):
        """List the deals that match."""
        await self._find(await actor_of(self), as_text(text, 100))

    @rx.event
    async def link(self, deal_id: int):
        """Link the conversation to a deal."""
        actor = await actor_of(self)
        done = await asyncio.to_thread(linking.link_thread, actor, self.thread_id, deal_id=as_int(deal_id))
        self._done, number = noted(self._done, done)
        self.picking = False
        await self._show(actor, self.thread_id)
        return offer(actor, gettext(actor.language, "Deal linked"), PanelState.undo_link(number))

    @rx.event
    async def undo_link(self, number: int):
        """Undo one of the last linkings, once, whatever conversation is open by now."""
        actor = await actor_of(self)
        self._done, done = taken(self._done, number)
        if done is not None:
            await asyncio.to_thread(linking.undo_link, actor, done)
            if self.thread_id:
                await self._show(actor, self.thread_id)

    @rx.event
    async def dismiss(self):
        """Leave the sender unknown, for now."""
        self.dismissed = [*self.dismissed, self.unknown_address][-50:]

    @rx.event
    async def unlink(self, deal_id: int):
        """Take the link to a deal away; it is remembered, so nothing links it again by itself (M30)."""
        actor = await actor_of(self)
        link_id = self.link_ids.get(str(as_int(deal_id)), 0)
        await asyncio.to_thread(linking.unlink, actor, link_id)
        await self._show(actor, self.thread_id)
        return offer(actor, gettext(actor.language, "Deal unlinked"), PanelState.relink(link_id))

    @rx.event
    async def relink(self, link_id: int):
        """Undo an unlinking."""
        actor = await actor_of(self)
        await asyncio.to_thread(linking.relink, actor, as_int(link_id))
        if self.thread_id:
            await self._show(actor, self.thread_id)

    @rx.event
    async def add_contact(self, form: dict):
        """Make a contact from the form and link the conversation to it."""
        actor, fields = await actor_of(self), as_form(form)
        try:
            made = await asyncio.to_thread(
                people.create_person,
                actor,
                name=fields.get("name", ""),
                addresses=(fields.get("address", ""),) if fields.get("address") else (),
                phones=(fields.get("phone", ""),),
                organization=fields.get("organization", ""),
                job_title=fields.get("job_title", ""),
            )
        except UserError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        await asyncio.to_thread(linking.link_thread, actor, self.thread_id, person_id=_id_of(made))
        self.adding = False
        await self._show(actor, self.thread_id)
        return [say(gettext(actor.language, "Contact added")), EarlierState.offer("person", _id_of(made))]

    async def _find(self, actor: Actor, text: str) -> None:
        eyes = eyes_of(actor)
        self.found = [deal(each, eyes) for each in await asyncio.to_thread(panels.search_deals, actor, text)]

    async def _show(self, actor: Actor, thread_id: int) -> None:
        eyes = eyes_of(actor)
        if thread_id != self.thread_id:
            self.adding = self.picking = False
        self.thread_id = thread_id
        try:
            view = await asyncio.to_thread(panels.panel, actor, thread_id)
        except MailcrmError:
            self._clear()
            return
        self.person = person(view.person) if view.person is not None else NOBODY
        self.unknown = (view.unknown.name or view.unknown.address) if view.unknown is not None else ""
        self.unknown_address = view.unknown.address if view.unknown is not None else ""
        self.known_organization = view.known_organization
        self.prefill_name, self.prefill_organization = view.prefill_name or "", view.prefill_organization or ""
        self.deals = [deal(view.deal, eyes)] if view.deal is not None else []
        self.has_links = bool(view.links)
        self.link_ids = {str(each.target_id): each.id for each in view.links if each.kind == "deal"}
        self.steps = steps(view.deal_steps or (), eyes)
        self.candidates = [deal(each, eyes) for each in view.candidates]
        self.visibility, self.can_change = view.visibility, view.can_change
        elsewhere = [each for each in view.recent if each.message is None or each.message.thread_id != thread_id]
        self.recent = [item(each, eyes, at) for at, each in enumerate(elsewhere[:RECENT])]

    def _clear(self) -> None:
        done = self._done
        self.reset()
        self._done = done


def _id_of(made: Any) -> int:
    return made.card.id if hasattr(made, "card") else made.id
