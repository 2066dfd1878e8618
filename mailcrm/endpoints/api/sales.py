"""`/deals`, `/leads`, `/pipelines` with `/stages`: what is being sold."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from mailcrm.endpoints.api import records
from mailcrm.endpoints.api.common import Answer, Cursor, Input, Limit, Page, RowId, Who, given, page, plain
from mailcrm.services.crm import deal_list, deals, leads, pipelines

router = APIRouter()

Word = Annotated[str, Field(max_length=1000)]
Search = Annotated[str, Query(max_length=200)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Minor = Annotated[int, Field(ge=0, lt=2**53)]
Id = Annotated[int | None, Query(ge=1, lt=2**63)]
Amount = Annotated[int | None, Query(ge=0, lt=2**53)]
Percent = Annotated[int, Field(ge=0, le=100)]
Days = Annotated[int, Field(ge=1, le=3650)]


class NewDeal(Input):
    """A deal; money in minor units (cents) of `currency`, the workspace's when left out."""

    title: Word
    value_minor: Minor = 0
    currency: Currency | None = None
    stage_id: int | None = None
    person_id: int | None = None
    organization_id: int | None = None
    expected_close: date | None = None
    labels: records.LabelIds | None = None
    custom_fields: records.Values | None = None


class DealChange(Input):
    """What is left out stays, null empties. Stage and outcome have their own operations."""

    title: Word | None = None
    value_minor: Minor | None = None
    currency: Currency | None = None
    person_id: int | None = None
    organization_id: int | None = None
    owner_id: int | None = None
    expected_close: date | None = None
    participants: Annotated[list[int], Field(max_length=500)] | None = None
    labels: records.LabelIds | None = None
    custom_fields: records.Values | None = None


class Deal(Answer):
    """A deal."""

    id: int
    title: str
    value_minor: int
    currency: str
    stage_id: int
    pipeline_id: int
    status: str
    expected_close: date | None


class Loss(Input):
    """Why it was lost."""

    reason: Word = ""


class Move(Input):
    """The stage to move to."""

    stage_id: int


class NewLead(Input):
    """A possible deal."""

    labels: records.LabelIds | None = None
    title: Word
    value_minor: Minor | None = None
    currency: Currency | None = None
    person_id: int | None = None
    organization_id: int | None = None


class LeadChange(Input):
    """What is left out stays, null empties; `archived` sets aside or takes up again."""

    labels: records.LabelIds | None = None
    title: Word | None = None
    value_minor: Minor | None = None
    currency: Currency | None = None
    person_id: int | None = None
    organization_id: int | None = None
    owner_id: int | None = None
    archived: bool | None = None


class Conversion(Input):
    """Where the deal begins; the first stage when left out."""

    stage_id: int | None = None


class NewPipeline(Input):
    """A pipeline; without stages it gets the usual ones."""

    name: Word
    stages: Annotated[list[Word], Field(max_length=pipelines.MOST_STAGES)] = []


class PipelineChange(Input):
    """Another name, another order of its stages (ids, each once)."""

    name: Word | None = None
    stages: Annotated[list[int], Field(max_length=pipelines.MOST_STAGES)] | None = None


class NewStage(Input):
    """A stage; a deal there counts as quiet after `quiet_days`, null: never."""

    name: Word
    probability: Percent = 0
    quiet_days: Days | None = None


class StageChange(Input):
    """What is left out stays; null for `quiet_days` means never."""

    name: Word | None = None
    probability: Percent | None = None
    quiet_days: Days | None = None


@router.get("/deals", tags=["deals"], response_model=Page[Deal])
def list_deals(
    who: Who,
    q: Search = "",
    status: Literal["open", "won", "lost", "all"] = "open",
    pipeline_id: Id = None,
    stage_id: Id = None,
    owner_id: Id = None,
    label_id: Id = None,
    person_id: Id = None,
    organization_id: Id = None,
    value_from: Amount = None,
    value_to: Amount = None,
    close_from: date | None = None,
    close_to: date | None = None,
    quiet: bool = False,
    order: Literal["newest", "title", "value", "close"] = "newest",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Any:
    """List deals; a cursor belongs to the order it came with."""
    wanted = deal_list.Filter(
        query=q,
        status=status,
        pipeline_id=pipeline_id,
        stage_id=stage_id,
        owner_id=owner_id,
        label_id=label_id,
        person_id=person_id,
        organization_id=organization_id,
        value_from=value_from,
        value_to=value_to,
        close_from=close_from,
        close_to=close_to,
        quiet=quiet,
    )
    found = deal_list.page_of_deals(who, wanted, order, cursor=cursor, limit=limit)
    return records.with_fields(who, "deal", page(found.rows, found.next_cursor))


@router.post("/deals", tags=["deals"], status_code=201, response_model=Deal)
def create_deal(body: NewDeal, who: Who) -> Any:
    """Open a deal."""
    values = body.model_dump()
    taken = records.take(who, "deal", values)
    made = deals.create_deal(who, **values)
    records.put(who, "deal", made.card.id, taken)
    return records.enriched(who, "deal", plain(made))


@router.get("/deals/{deal_id}", tags=["deals"], response_model=Deal)
def get_deal(deal_id: RowId, who: Who) -> Any:
    """One deal with its stages and participants."""
    return records.enriched(who, "deal", plain(deals.get_deal(who, deal_id)))


@router.patch("/deals/{deal_id}", tags=["deals"], response_model=Deal)
def change_deal(deal_id: RowId, body: DealChange, who: Who) -> Any:
    """Change a deal."""
    changes = given(body)
    taken = records.take(who, "deal", changes)
    changed = deals.change_deal(who, deal_id, **changes)
    records.put(who, "deal", deal_id, taken)
    return records.enriched(who, "deal", plain(changed))


@router.delete("/deals/{deal_id}", tags=["deals"], status_code=204)
def delete_deal(deal_id: RowId, who: Who) -> None:
    """Put a deal in the trash."""
    deals.delete(who, deal_id)


@router.post("/deals/{deal_id}/win", tags=["deals"], response_model=Deal)
def win(deal_id: RowId, who: Who) -> Any:
    """Close a deal as won."""
    return plain(deals.win(who, deal_id))


@router.post("/deals/{deal_id}/lose", tags=["deals"], response_model=Deal)
def lose(deal_id: RowId, who: Who, body: Loss | None = None) -> Any:
    """Close a deal as lost."""
    return plain(deals.lose(who, deal_id, body.reason if body else ""))


@router.post("/deals/{deal_id}/reopen", tags=["deals"], response_model=Deal)
def reopen(deal_id: RowId, who: Who) -> Any:
    """Open a closed deal again."""
    return plain(deals.reopen(who, deal_id))


@router.post("/deals/{deal_id}/move", tags=["deals"], response_model=Deal)
def move(deal_id: RowId, body: Move, who: Who) -> Any:
    """Move a deal to a stage."""
    return plain(deals.move_to_stage(who, deal_id, body.stage_id))


@router.get("/leads", tags=["leads"])
def list_leads(
    who: Who,
    q: Search = "",
    status: Literal["open", "converted", "archived", "all"] = "open",
    owner_id: Id = None,
    label_id: Id = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List leads."""
    found = leads.page_of_leads(
        who, query=q, status=status, owner_id=owner_id, label_id=label_id, cursor=cursor, limit=limit
    )
    return page(found.rows, found.next_cursor)


@router.post("/leads", tags=["leads"], status_code=201)
def create_lead(body: NewLead, who: Who) -> dict[str, Any]:
    """Add a lead."""
    values = body.model_dump()
    taken = records.take(who, "lead", values)
    made = leads.create_lead(who, **values)
    records.put(who, "lead", made.id, taken)
    return plain(leads.get_lead(who, made.id) if taken else made)


@router.get("/leads/{lead_id}", tags=["leads"])
def get_lead(lead_id: RowId, who: Who) -> dict[str, Any]:
    """One lead."""
    return plain(leads.get_lead(who, lead_id))


@router.patch("/leads/{lead_id}", tags=["leads"])
def change_lead(lead_id: RowId, body: LeadChange, who: Who) -> dict[str, Any]:
    """Change a lead, set it aside, or take it up again."""
    changes = given(body)
    taken = records.take(who, "lead", changes)
    archived = changes.pop("archived", None)
    found = leads.change_lead(who, lead_id, **changes) if changes else leads.get_lead(who, lead_id)
    if taken:
        records.put(who, "lead", lead_id, taken)
        found = leads.get_lead(who, lead_id)
    return plain(found if archived is None else leads.archive(who, lead_id, archived))


@router.delete("/leads/{lead_id}", tags=["leads"], status_code=204)
def delete_lead(lead_id: RowId, who: Who) -> None:
    """Put a lead in the trash."""
    leads.delete(who, lead_id)


@router.post("/leads/{lead_id}/convert", tags=["leads"], response_model=Deal)
def convert(lead_id: RowId, who: Who, body: Conversion | None = None) -> Any:
    """Make a deal of a lead; again gives the same deal."""
    return plain(deals.get_deal(who, leads.convert(who, lead_id, stage_id=body.stage_id if body else None)))


@router.get("/pipelines", tags=["pipelines"])
def list_pipelines(who: Who) -> dict[str, Any]:
    """List pipelines with their stages."""
    return page(pipelines.list_pipelines(who))


@router.post("/pipelines", tags=["pipelines"], status_code=201)
def create_pipeline(body: NewPipeline, who: Who) -> dict[str, Any]:
    """Add a pipeline. Administrators only."""
    return plain(pipelines.create_pipeline(who, body.name, body.stages))


@router.get("/pipelines/{pipeline_id}", tags=["pipelines"])
def get_pipeline(pipeline_id: RowId, who: Who) -> dict[str, Any]:
    """One pipeline with its stages."""
    return plain(pipelines.get_pipeline(who, pipeline_id))


@router.patch("/pipelines/{pipeline_id}", tags=["pipelines"])
def change_pipeline(pipeline_id: RowId, body: PipelineChange, who: Who) -> dict[str, Any]:
    """Rename a pipeline, order its stages. Administrators only."""
    if body.name is not None:
        pipelines.rename_pipeline(who, pipeline_id, body.name)
    if body.stages is not None:
        pipelines.order_stages(who, pipeline_id, body.stages)
    return plain(pipelines.get_pipeline(who, pipeline_id))


@router.delete("/pipelines/{pipeline_id}", tags=["pipelines"], status_code=204)
def delete_pipeline(pipeline_id: RowId, who: Who, move_to: Id = None) -> None:
    """Delete a pipeline; `move_to` is the stage its deals go to. Administrators only."""
    pipelines.delete_pipeline(who, pipeline_id, move_to)


@router.post("/pipelines/{pipeline_id}/stages", tags=["pipelines"], status_code=201)
def add_stage(pipeline_id: RowId, body: NewStage, who: Who) -> dict[str, Any]:
    """Add a stage at the end; answers with the pipeline. Administrators only."""
    return plain(pipelines.add_stage(who, pipeline_id, **body.model_dump()))


@router.patch("/stages/{stage_id}", tags=["pipelines"])
def change_stage(stage_id: RowId, body: StageChange, who: Who) -> dict[str, Any]:
    """Change a stage; answers with the pipeline. Administrators only."""
    return plain(pipelines.change_stage(who, stage_id, **given(body)))


@router.delete("/stages/{stage_id}", tags=["pipelines"], status_code=204)
def delete_stage(stage_id: RowId, who: Who, move_to: Id = None) -> None:
    """Delete a stage; `move_to` is the stage its deals go to. Administrators only."""
    pipelines.delete_stage(who, stage_id, move_to)
