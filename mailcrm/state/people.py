"""The list of people, and the form for a new one."""

import asyncio
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import people
from mailcrm.state.coerce import as_flag, as_form, as_text
from mailcrm.state.present import PersonRow, person
from mailcrm.state.session import actor_of

FIRST = 50
MOST_AT_ONCE = 200  # what the service gives in one page
MOST_ROWS = 1000  # resident in a tab; searching finds the rest


class PeopleState(rx.State):
    """The people of the workspace."""

    rows: list[PersonRow] = []
    cursor: str = ""
    query: str = ""
    loading: bool = True
    failed: bool = False
    creating: bool = False
    wrong: str = ""

    @rx.event
    async def open_page(self):
        """Show the list."""
        self.query, self.creating, self.loading = "", False, True
        yield
        await self._fill(await actor_of(self))

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
    async def more(self):
        """Add the next page."""
        actor = await actor_of(self)
        if not self.cursor or len(self.rows) >= MOST_ROWS:
            return
        page = await asyncio.to_thread(lambda: people.list_people(actor, query=self.query, cursor=self.cursor))
        self.rows = self.rows + [person(each) for each in page.rows]
        self.cursor = page.next_cursor or ""

    @rx.event
    async def set_creating(self, is_open: bool):
        """Open or close the form."""
        self.creating, self.wrong = as_flag(is_open), ""

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
        return rx.redirect(routes.person(made.card.id if hasattr(made, "card") else made.id))  # pyright: ignore[reportAttributeAccessIssue]

    async def _fill(self, actor: Actor, limit: int = FIRST) -> None:
        try:
            page = await asyncio.to_thread(lambda: people.list_people(actor, query=self.query, limit=limit))
            self.rows = [person(each) for each in page.rows]
            self.cursor, self.failed = page.next_cursor or "", False
        except MailcrmError:
            self.failed = True
        finally:
            self.loading = False
