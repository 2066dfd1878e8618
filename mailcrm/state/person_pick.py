"""Finding the person of a new deal or lead by name or address, or making one of what was typed."""

import asyncio

import reflex as rx

from mailcrm.services.access import Actor
from mailcrm.services.crm import people
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.present import PersonRow, person
from mailcrm.state.session import actor_of

MOST_MATCHES = 5


class PersonPick(rx.State, mixin=True):
    """What a form adds to its state: who is offered for what is typed, and who was taken."""

    matches: list[PersonRow] = []
    person_id: int = 0
    person_name: str = ""

    @rx.event(supersedes=True)
    async def find_person(self, text: str):
        """List the people whose name or address match what was typed."""
        actor, text = await actor_of(self), as_text(text, 100).strip()
        self._nobody()
        if text:
            page = await asyncio.to_thread(lambda: people.list_people(actor, query=text, limit=MOST_MATCHES))
            self.matches = [person(each) for each in page.rows]

    @rx.event
    async def choose_person(self, person_id: int):
        """Take one of the people found; 0 takes nobody."""
        await self._choose_person(as_int(person_id))

    async def _choose_person(self, person_id: int) -> None:
        self._nobody()
        if person_id:
            view = await asyncio.to_thread(people.get_person, await actor_of(self), person_id)
            self.person_id, self.person_name = view.card.id, view.card.name

    def _nobody(self) -> None:
        self.matches, self.person_id, self.person_name = [], 0, ""


def person_of(actor: Actor, person_id: int | None, typed: str) -> int | None:
    """Return who was taken; else a person made of the name or address that was typed, if any."""
    name = typed.strip()
    if person_id is not None or not name:
        return person_id
    return people.create_person(actor, name=name.partition("@")[0], addresses=(name,) if "@" in name else ()).card.id
