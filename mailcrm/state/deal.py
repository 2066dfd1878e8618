"""A deal's page: the record; its timeline is state/timeline.py."""

import asyncio
from dataclasses import dataclass
from datetime import date
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.crm import deals, organizations, people, pipelines
from mailcrm.services.i18n import gettext
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.money import minor_units, plain_amount
from mailcrm.state.panel import NOBODY
from mailcrm.state.present import PersonRow, Step, deal, eyes_of, person, steps
from mailcrm.state.session import actor_of
from mailcrm.state.undoing import offer

MOST_FOUND = 6


@dataclass(frozen=True)
class DealFacts:
    """What a deal's side shows."""

    id: int = 0
    title: str = ""
    value: str = ""
    status: str = "open"
    stage: str = ""
    close: str = ""
    created: str = ""
    owner: str = ""
    owner_id: str = ""
    organization_id: int = 0
    organization: str = ""
    organization_href: str = ""
    lost_reason: str = ""
    probability: str = ""
    pipeline: str = ""
    typed_value: str = ""  # the amount as it is typed
    typed_close: str = ""  # the day as a date field holds it
    currency: str = ""


@dataclass(frozen=True)
class Found:
    """Somebody or something to put on the deal."""

    id: int
    name: str
    more: str


class DealState(rx.State):
    """The open deal."""

    facts: DealFacts = DealFacts()
    steps: list[Step] = []
    person: PersonRow = NOBODY
    missing: bool = False
    loading: bool = True
    losing: bool = False
    owners: list[Found] = []
    participants: list[PersonRow] = []
    picking: str = ""  # what is being chosen: person, participant, organization
    found: list[Found] = []
    wrong: str = ""
    wrong_field: str = ""

    @rx.event
    async def open_page(self):
        """Show the deal of the address."""
        self.loading, self.missing, self.losing, self.picking, self.wrong = True, False, False, "", ""
        yield
        await self._fill(await actor_of(self), as_int(self.deal_arg))  # pyright: ignore[reportAttributeAccessIssue]

    @rx.event
    async def refresh(self):
        """Read the deal and its timeline again."""
        await self._fill(await actor_of(self), as_int(self.deal_arg))  # pyright: ignore[reportAttributeAccessIssue]

    @rx.event
    async def move(self, stage_id: int):
        """Move the deal to a stage; offers Undo."""
        actor, before = await actor_of(self), next((step.id for step in self.steps if step.state == "here"), 0)
        await asyncio.to_thread(deals.move_to_stage, actor, self.facts.id, as_int(stage_id))
        await self._fill(actor, self.facts.id)
        return offer(actor, gettext(actor.language, "Moved to {stage}", stage=self.facts.stage), DealState.move(before))

    @rx.event
    async def save(self, field: str, text: str):
        """Save a field as it was typed; what is wrong is said below it."""
        actor, text = await actor_of(self), as_text(text, 300).strip()
        facts = self.facts
        before = {"title": facts.title, "value": facts.typed_value, "close": facts.typed_close}
        if not isinstance(field, str) or field not in before or text == before[field]:
            return
        self.wrong = self.wrong_field = ""
        try:
            given = _given(field, text, facts.currency)
            await asyncio.to_thread(lambda: deals.change_deal(actor, facts.id, **given))
        except MailcrmError as error:
            self.wrong, self.wrong_field = i18n.sentence(error, actor.language), field
            return
        await self._fill(actor, facts.id)

    @rx.event
    async def give(self, owner_id: str):
        """Give the deal to a colleague, or to nobody."""
        actor, deal_id, owner = await actor_of(self), self.facts.id, as_int(owner_id) or None
        await asyncio.to_thread(lambda: deals.change_deal(actor, deal_id, owner_id=owner))
        await self._fill(actor, deal_id)

    @rx.event
    async def pick(self, what: str):
        """Open the search for the deal's person, somebody who takes part, or its organization; "" closes it."""
        self.picking = what if what in ("person", "participant", "organization") else ""
        self.found = []
        if self.picking:
            await self._find(await actor_of(self), "")

    @rx.event
    async def close_pick(self, is_open: bool):
        """Close that search."""
        if not as_flag(is_open):
            self.picking = ""

    @rx.event(supersedes=True)
    async def find(self, text: str):
        """List who or what matches."""
        await self._find(await actor_of(self), as_text(text, 100).strip())

    @rx.event
    async def take(self, row_id: int):
        """Put what was found on the deal; 0 takes off what is there."""
        actor, deal_id, row_id, what = await actor_of(self), self.facts.id, as_int(row_id), self.picking
        self.picking = ""
        if what == "participant":
            await asyncio.to_thread(deals.add_participant, actor, deal_id, row_id)
        elif what:
            given: dict[str, Any] = {f"{what}_id": row_id or None}
            await asyncio.to_thread(lambda: deals.change_deal(actor, deal_id, **given))
        await self._fill(actor, deal_id)

    @rx.event
    async def join(self, person_id: int):
        """Let a person take part (again)."""
        actor, deal_id = await actor_of(self), self.facts.id
        await asyncio.to_thread(deals.add_participant, actor, deal_id, as_int(person_id))
        await self._fill(actor, deal_id)

    @rx.event
    async def leave(self, person_id: int):
        """Take a person out of the deal; offers Undo."""
        actor, deal_id, person_id = await actor_of(self), self.facts.id, as_int(person_id)
        name = next((each.name for each in self.participants if each.id == person_id), "")
        await asyncio.to_thread(deals.remove_participant, actor, deal_id, person_id)
        await self._fill(actor, deal_id)
        return offer(actor, gettext(actor.language, "{name} taken off the deal", name=name), DealState.join(person_id))

    @rx.event
    async def delete(self):
        """Put the deal in the trash and show the others; offers Undo."""
        actor, facts = await actor_of(self), self.facts
        await asyncio.to_thread(deals.delete, actor, facts.id)
        said = gettext(actor.language, "{title} deleted", title=facts.title)
        return [rx.redirect(routes.DEALS), offer(actor, said, DealState.restore(facts.id))]

    @rx.event
    async def restore(self, deal_id: int):
        """Bring a deal back from the trash and show it."""
        actor, deal_id = await actor_of(self), as_int(deal_id)
        await asyncio.to_thread(deals.restore, actor, deal_id)
        return rx.redirect(routes.deal(deal_id))

    @rx.event
    async def win(self):
        """Mark the deal as won."""
        actor = await actor_of(self)
        await asyncio.to_thread(deals.win, actor, self.facts.id)
        await self._fill(actor, self.facts.id)

    @rx.event
    async def set_losing(self, on: bool):
        """Open or close the form that asks why a deal was lost."""
        self.losing = on is True

    @rx.event
    async def lose(self, form: dict):
        """Mark the deal as lost, with the reason."""
        actor = await actor_of(self)
        await asyncio.to_thread(deals.lose, actor, self.facts.id, as_form(form).get("reason", ""))
        self.losing = False
        await self._fill(actor, self.facts.id)

    @rx.event
    async def reopen(self):
        """Open a won or lost deal again."""
        actor = await actor_of(self)
        await asyncio.to_thread(deals.reopen, actor, self.facts.id)
        await self._fill(actor, self.facts.id)

    async def _find(self, actor: Actor, text: str) -> None:
        if self.picking == "organization":
            page = await asyncio.to_thread(lambda: organizations.page_of_organizations(actor, text, limit=MOST_FOUND))
            self.found = [Found(each.id, each.name, ", ".join(each.domains[:1])) for each in page.rows]
        elif self.picking:
            page = await asyncio.to_thread(lambda: people.list_people(actor, query=text, limit=MOST_FOUND))
            self.found = [Found(each.id, each.name, each.organization or each.address) for each in page.rows]

    async def _fill(self, actor: Actor, deal_id: int) -> None:
        eyes = eyes_of(actor)
        try:
            view = await asyncio.to_thread(deals.get_deal, actor, deal_id)
            colleagues = await asyncio.to_thread(users.all_users, actor)
            home = await asyncio.to_thread(pipelines.get_pipeline, actor, view.card.pipeline_id)
        except NotFound:
            self.reset()
            self.missing, self.loading = True, False
            return
        card = deal(view.card, eyes)
        created = i18n.short_day(eyes.language, view.created_at, eyes.now, eyes.zone) if view.created_at else ""
        self.facts = DealFacts(
            id=card.id,
            title=card.title,
            value=card.value,
            status=card.status,
            stage=card.stage,
            close=card.close,
            created=created,
            owner=card.owner,
            organization=card.organization,
            organization_id=view.card.organization_id or 0,
            organization_href=routes.organization(view.card.organization_id) if view.card.organization_id else "",
            owner_id=str(view.card.owner_id or ""),
            lost_reason=view.lost_reason or "",
            probability=f"{i18n.number(eyes.language, view.card.probability)}%",
            pipeline=home.name,
            typed_value=plain_amount(view.card.value_minor, view.card.currency),
            typed_close=view.card.expected_close.isoformat() if view.card.expected_close else "",
            currency=view.card.currency,
        )
        self.owners = [Found(each.id, each.name, str(each.id)) for each in colleagues if not each.disabled]
        self.participants = [person(each) for each in view.participants]
        self.steps = steps(view.stages, eyes)
        self.person = person(view.person) if view.person is not None else NOBODY
        self.loading = False


def _given(field: str, text: str, currency: str) -> dict[str, Any]:
    """Return what a typed field changes."""
    if field == "title":
        return {"title": text}
    if field == "value":
        return {"value_minor": minor_units(text, currency)}
    try:
        return {"expected_close": date.fromisoformat(text) if text else None}
    except ValueError:
        raise UserError("input.invalid", value=text[:40], field="Expected close") from None
