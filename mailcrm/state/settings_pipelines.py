"""Settings › Pipelines: their stages, in order, with probability and the days after which a deal is quiet."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import pipelines
from mailcrm.services.i18n import gettext, ngettext
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.session import actor_of
from mailcrm.state.undoing import Acts, noted, offer, taken


@dataclass(frozen=True)
class StageRow:
    """A stage in the settings."""

    id: int
    name: str
    probability: str
    quiet: str
    deals: str
    has_deals: bool
    first: bool
    last: bool


@dataclass(frozen=True)
class PipelineRow:
    """A pipeline with its stages."""

    id: int
    name: str
    stages: tuple[StageRow, ...]
    has_deals: bool
    first: bool


@dataclass(frozen=True)
class Target:
    """A stage that deals can move to."""

    value: str
    label: str


class PipelinesState(rx.State):
    """What /settings/pipelines shows."""

    rows: list[PipelineRow] = []
    loaded: bool = False
    admin: bool = False
    creating: bool = False
    leaving_kind: str = ""
    leaving_id: int = 0
    leaving_name: str = ""
    targets: list[Target] = []
    wrong: str = ""
    saved: str = ""
    _removed: Acts[pipelines.Removed] = {}

    @rx.event
    async def load(self):
        """List the pipelines when the page opens."""
        self.creating, self.leaving_id, self.saved, self.wrong = False, 0, "", ""
        await self._fill(await actor_of(self))

    @rx.event
    async def set_creating(self, is_open: bool):
        """Open or close the form for a new pipeline."""
        self.creating, self.wrong = as_flag(is_open), ""

    @rx.event
    async def create(self, form: dict[str, Any]):
        """Add a pipeline with the usual stages."""
        actor, name = await actor_of(self), as_form(form).get("pipeline_name", "")
        if await self._try(actor, lambda: pipelines.create_pipeline(actor, name)):
            self.creating = False

    @rx.event
    async def rename(self, pipeline_id: int, name: str):
        """Give a pipeline another name."""
        actor, name = await actor_of(self), as_text(name, 300)
        await self._try(actor, lambda: pipelines.rename_pipeline(actor, as_int(pipeline_id), name))

    @rx.event
    async def raise_pipeline(self, pipeline_id: int):
        """Put a pipeline one place further up."""
        actor = await actor_of(self)
        order = _moved([row.id for row in self.rows], as_int(pipeline_id), -1)
        await self._try(actor, lambda: pipelines.order_pipelines(actor, order))

    @rx.event
    async def add_stage(self, pipeline_id: int):
        """Add a stage at the end, to be named in place."""
        actor = await actor_of(self)
        name = gettext(actor.language, "New stage")
        await self._try(actor, lambda: pipelines.add_stage(actor, as_int(pipeline_id), name=name))

    @rx.event
    async def change(self, stage_id: int, field: str, value: str):
        """Save one field of a stage as it was typed."""
        actor, stage_id, value = await actor_of(self), as_int(stage_id), as_text(value, 300).strip()
        if field == "name":
            await self._try(actor, lambda: pipelines.change_stage(actor, stage_id, name=value))
        elif field == "probability":
            number = int(value) if value.isascii() and value.isdigit() and len(value) < 5 else -1
            await self._try(actor, lambda: pipelines.change_stage(actor, stage_id, probability=number))
        elif field == "quiet":
            days = None if not value else as_int(value) if value.isascii() else 0
            await self._try(actor, lambda: pipelines.change_stage(actor, stage_id, quiet_days=days))

    @rx.event
    async def move(self, stage_id: int, by: int):
        """Put a stage one place up (0) or down (1)."""
        actor, stage_id = await actor_of(self), as_int(stage_id)
        row = next((row for row in self.rows if any(stage.id == stage_id for stage in row.stages)), None)
        if row is not None:
            order = _moved([stage.id for stage in row.stages], stage_id, 1 if as_int(by) else -1)
            await self._try(actor, lambda: pipelines.order_stages(actor, row.id, order))

    @rx.event
    async def delete(self, kind: str, row_id: int):
        """Delete a stage or a pipeline; asks where its deals go when it has some."""
        actor, row_id = await actor_of(self), as_int(row_id)
        kind = "pipeline" if kind == "pipeline" else "stage"
        name, has_deals = self._about(kind, row_id)
        if not has_deals:
            return await self._delete(actor, kind, row_id, name, None)
        self.targets = [
            Target(str(stage.id), f"{row.name} › {stage.name}")
            for row in self.rows
            for stage in row.stages
            if (row.id if kind == "pipeline" else stage.id) != row_id
        ]
        self.leaving_kind, self.leaving_id, self.leaving_name, self.wrong = kind, row_id, name, ""
        return None

    @rx.event
    async def close_question(self, is_open: bool):
        """Close that question without deleting anything."""
        if not as_flag(is_open):
            self.leaving_id = 0

    @rx.event
    async def move_and_delete(self, form: dict[str, Any]):
        """Move the deals to the stage that was chosen, then delete."""
        actor, target = await actor_of(self), as_int(as_form(form).get("stage_target", ""))
        return await self._delete(actor, self.leaving_kind, self.leaving_id, self.leaving_name, target or None)

    @rx.event
    async def put_back(self, number: int):
        """Undo one of the last deletions of this tab, once."""
        actor = await actor_of(self)
        self._removed, removed = taken(self._removed, number)
        if removed is not None:
            await self._try(actor, lambda: pipelines.put_back(actor, removed))

    async def _delete(self, actor: Actor, kind: str, row_id: int, name: str, target: int | None) -> Any:
        verb = pipelines.delete_pipeline if kind == "pipeline" else pipelines.delete_stage
        try:
            removed = await asyncio.to_thread(lambda: verb(actor, row_id, target))
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        self._removed, number = noted(self._removed, removed)
        self.leaving_id, self.wrong = 0, ""
        await self._fill(actor)
        return offer(actor, gettext(actor.language, "{name} deleted", name=name), PipelinesState.put_back(number))

    def _about(self, kind: str, row_id: int) -> tuple[str, bool]:
        if kind == "pipeline":
            return next(((row.name, row.has_deals) for row in self.rows if row.id == row_id), ("", False))
        every = (stage for row in self.rows for stage in row.stages)
        return next(((stage.name, stage.has_deals) for stage in every if stage.id == row_id), ("", False))

    async def _try(self, actor: Actor, act: Callable[[], object]) -> bool:
        """Do it and read again; what is wrong is said on the page, and the fields show what is stored."""
        try:
            await asyncio.to_thread(act)
            self.wrong = ""
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
        await self._fill(actor)
        return not self.wrong

    async def _fill(self, actor: Actor) -> None:
        found = await asyncio.to_thread(pipelines.list_pipelines, actor)
        counts = await asyncio.to_thread(pipelines.deal_counts, actor) if actor.admin else {}
        self.admin, self.loaded = actor.admin, True
        self.rows = [_row(view, counts, actor.language, first=at == 0) for at, view in enumerate(found)]


def _row(view: Any, counts: dict[int, int], language: str, *, first: bool) -> PipelineRow:
    last = len(view.stages) - 1
    stages = tuple(
        StageRow(
            id=stage.id,
            name=stage.name,
            probability=str(stage.probability),
            quiet=str(stage.quiet_days or ""),
            deals=ngettext(language, "{n} deal", "{n} deals", counts[stage.id]) if counts.get(stage.id) else "",
            has_deals=bool(counts.get(stage.id)),
            first=at == 0,
            last=at == last,
        )
        for at, stage in enumerate(view.stages)
    )
    return PipelineRow(view.id, view.name, stages, any(stage.has_deals for stage in stages), first)


def _moved(ids: list[int], one: int, by: int) -> list[int]:
    """Return the ids with one of them a place up or down."""
    order = [each for each in ids if each != one]
    if one in ids:
        order.insert(max(0, ids.index(one) + by), one)
    return order
