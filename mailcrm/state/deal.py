"""A deal's page: the record, and the timeline of what the viewer may see (M03)."""

import asyncio
from dataclasses import dataclass

import reflex as rx

from mailcrm.errors import NotFound
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import deals, timeline
from mailcrm.services.i18n import gettext
from mailcrm.state.coerce import as_form, as_int
from mailcrm.state.panel import NOBODY
from mailcrm.state.present import Item, PersonRow, Step, deal, eyes_of, item, person, steps
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say


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
    organization: str = ""
    lost_reason: str = ""


class DealState(rx.State):
    """The open deal."""

    facts: DealFacts = DealFacts()
    steps: list[Step] = []
    person: PersonRow = NOBODY
    items: list[Item] = []
    open_ids: list[int] = []
    remote_ids: list[int] = []
    shown: str = "all"
    missing: bool = False
    loading: bool = True
    losing: bool = False

    @rx.event
    async def open_page(self):
        """Show the deal of the address."""
        self.loading, self.missing, self.open_ids, self.remote_ids, self.shown = True, False, [], [], "all"
        yield
        await self._fill(await actor_of(self), as_int(self.deal_arg))  # pyright: ignore[reportAttributeAccessIssue]

    @rx.event
    async def refresh(self):
        """Read the deal and its timeline again."""
        await self._fill(await actor_of(self), as_int(self.deal_arg))  # pyright: ignore[reportAttributeAccessIssue]

    @rx.event
    async def unfold(self, message_id: int):
        """Unfold or fold a message of the timeline."""
        self.open_ids = toggled(self.open_ids, as_int(message_id))

    @rx.event
    async def show_remote(self, message_id: int):
        """Show one message's remote images, for this view only."""
        self.remote_ids = [*self.remote_ids, as_int(message_id)]

    @rx.event
    async def choose(self, shown: str):
        """Filter the timeline."""
        self.shown = shown if isinstance(shown, str) and shown in ("all", "emails", "changes") else "all"

    @rx.event
    async def move(self, stage_id: int):
        """Move the deal to a stage; offers Undo."""
        actor, before = await actor_of(self), next((step.id for step in self.steps if step.state == "here"), 0)
        await asyncio.to_thread(deals.move_to_stage, actor, self.facts.id, as_int(stage_id))
        await self._fill(actor, self.facts.id)
        action = {"label": gettext(actor.language, "Undo"), "on_click": DealState.move(before)}
        return say(gettext(actor.language, "Moved to {stage}", stage=self.facts.stage), action=action, duration=8000)

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

    async def _fill(self, actor: Actor, deal_id: int) -> None:
        eyes = eyes_of(actor)
        try:
            view = await asyncio.to_thread(deals.get_deal, actor, deal_id)
            found = await asyncio.to_thread(timeline.deal_timeline, actor, deal_id)
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
            lost_reason=view.lost_reason or "",
        )
        self.steps = steps(view.stages, eyes)
        self.person = person(view.person) if view.person is not None else NOBODY
        self.items = [item(each, eyes, at) for at, each in enumerate(found.items)]
        self.loading = False


def toggled(ids: list[int], one: int) -> list[int]:
    """Return the ids with one added, or taken out when it is there."""
    return [each for each in ids if each != one] if one in ids else [*ids, one]
