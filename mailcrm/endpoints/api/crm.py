"""`/persons`, `/organizations`, `/deals`, `/leads`, `/pipelines`: rows of the CRM and their timelines."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from mailcrm.endpoints.api.common import Answer, Cursor, Input, Limit, Page, RowId, Who, given, page, plain
from mailcrm.services.crm import deals, leads, organizations, people, pipelines, timeline

router = APIRouter()

Word = Annotated[str, Field(max_length=1000)]
Search = Annotated[str, Query(max_length=200)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Minor = Annotated[int, Field(ge=0, lt=2**53)]


class NewPerson(Input):
    """A person; `organization` is a name."""

    name: Word
    addresses: list[Word] = []
    phones: list[Word] = []
    organization: Word = ""
    job_title: Word = ""


class PersonChange(Input):
    """What is left out stays; `add_address` and `remove_address` take one address each."""

    name: Word | None = None
    job_title: Word | None = None
    organization: Word | None = None
    phones: list[Word] | None = None
    add_address: Word | None = None
    remove_address: Word | None = None
    consent: Literal["unknown", "granted", "refused"] | None = None
    consent_source: Word = ""


class Person(Answer):
    """A person; lists give the primary address only, one row gives all."""

    id: int
    name: str
    job_title: str
    organization_id: int | None
    organization: Any
    address: str
    phone: str
    consent: str


class NewOrganization(Input):
    """An organization and its mail domains."""

    name: Word
    domains: list[Word] = []


class OrganizationChange(Input):
    """Another name."""

    name: Word


class NewDeal(Input):
    """A deal; money in minor units (cents) of `currency`, the workspace's when left out."""

    title: Word
    value_minor: Minor = 0
    currency: Currency | None = None
    stage_id: int | None = None
    person_id: int | None = None
    organization_id: int | None = None
    expected_close: date | None = None


class DealChange(Input):
    """What is left out stays, null empties. Stage and outcome have their own operations."""

    title: Word | None = None
    value_minor: Minor | None = None
    currency: Currency | None = None
    person_id: int | None = None
    organization_id: int | None = None
    expected_close: date | None = None
    participants: list[int] | None = None


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

    title: Word
    value_minor: Minor | None = None
    currency: Currency | None = None
    person_id: int | None = None
    organization_id: int | None = None


class LeadChange(Input):
    """Set aside, or take up again."""

    archived: bool


class Conversion(Input):
    """Where the deal begins; the first stage when left out."""

    stage_id: int | None = None


class Happening(Answer):
    """Something in a timeline; `kind` says what."""

    kind: str
    at: datetime
    ref: int


@router.get("/persons", tags=["persons"], response_model=Page[Person])
def list_persons(who: Who, q: Search = "", limit: Limit = 50, cursor: Cursor = None) -> Any:
    """List persons by name."""
    found = people.list_people(who, query=q, cursor=cursor, limit=limit)
    return page(found.rows, found.next_cursor)


@router.post("/persons", tags=["persons"], status_code=201, response_model=Person)
def create_person(body: NewPerson, who: Who) -> Any:
    """Add a person; their earlier mail gets linked."""
    return plain(people.create_person(who, **body.model_dump()))


@router.get("/persons/{person_id}", tags=["persons"], response_model=Person)
def get_person(person_id: RowId, who: Who) -> Any:
    """One person."""
    return plain(people.get_person(who, person_id))


@router.patch("/persons/{person_id}", tags=["persons"], response_model=Person)
def change_person(person_id: RowId, body: PersonChange, who: Who) -> Any:
    """Change a person."""
    changes = given(body)
    source = changes.pop("consent_source", "")
    steps = {name: changes.pop(name, None) for name in ("add_address", "remove_address", "consent")}
    people.change_person(who, person_id, **changes)
    if steps["add_address"] is not None:
        people.add_address(who, person_id, steps["add_address"])
    if steps["remove_address"] is not None:
        people.remove_address(who, person_id, steps["remove_address"])
    if steps["consent"] is not None:
        people.set_consent(who, person_id, steps["consent"], source)
    return plain(people.get_person(who, person_id))


@router.delete("/persons/{person_id}", tags=["persons"], status_code=204)
def delete_person(person_id: RowId, who: Who) -> None:
    """Put a person in the trash."""
    people.delete(who, person_id)


@router.get("/organizations", tags=["organizations"])
def list_organizations(who: Who, q: Search = "", limit: Limit = 100, cursor: Cursor = None) -> dict[str, Any]:
    """List organizations by name."""
    found = organizations.page_of_organizations(who, query=q, cursor=cursor, limit=limit)
    return page(found.rows, found.next_cursor)


@router.post("/organizations", tags=["organizations"], status_code=201)
def create_organization(body: NewOrganization, who: Who) -> dict[str, Any]:
    """Add an organization."""
    return plain(organizations.create_organization(who, **body.model_dump()))


@router.get("/organizations/{organization_id}", tags=["organizations"])
def get_organization(organization_id: RowId, who: Who) -> dict[str, Any]:
    """One organization with its persons and deals."""
    return plain(organizations.get_organization(who, organization_id))


@router.patch("/organizations/{organization_id}", tags=["organizations"])
def change_organization(organization_id: RowId, body: OrganizationChange, who: Who) -> dict[str, Any]:
    """Give an organization another name."""
    return plain(organizations.change_organization(who, organization_id, name=body.name))


@router.delete("/organizations/{organization_id}", tags=["organizations"], status_code=204)
def delete_organization(organization_id: RowId, who: Who) -> None:
    """Put an organization in the trash; its persons and deals stay."""
    organizations.delete(who, organization_id)


@router.get("/deals", tags=["deals"], response_model=Page[Deal])
def list_deals(
    who: Who,
    q: Search = "",
    status: Literal["open", "won", "lost"] = "open",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Any:
    """List deals of one status."""
    found = deals.page_of_deals(who, query=q, status=status, cursor=cursor, limit=limit)
    return page(found.rows, found.next_cursor)


@router.post("/deals", tags=["deals"], status_code=201, response_model=Deal)
def create_deal(body: NewDeal, who: Who) -> Any:
    """Open a deal."""
    return plain(deals.create_deal(who, **body.model_dump()))


@router.get("/deals/{deal_id}", tags=["deals"], response_model=Deal)
def get_deal(deal_id: RowId, who: Who) -> Any:
    """One deal with its stages and participants."""
    return plain(deals.get_deal(who, deal_id))


@router.patch("/deals/{deal_id}", tags=["deals"], response_model=Deal)
def change_deal(deal_id: RowId, body: DealChange, who: Who) -> Any:
    """Change a deal."""
    return plain(deals.change_deal(who, deal_id, **given(body)))


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
    status: Literal["open", "converted", "archived"] = "open",
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List leads of one status."""
    found = leads.page_of_leads(who, query=q, status=status, cursor=cursor, limit=limit)
    return page(found.rows, found.next_cursor)


@router.post("/leads", tags=["leads"], status_code=201)
def create_lead(body: NewLead, who: Who) -> dict[str, Any]:
    """Add a lead."""
    return plain(leads.create_lead(who, **body.model_dump()))


@router.get("/leads/{lead_id}", tags=["leads"])
def get_lead(lead_id: RowId, who: Who) -> dict[str, Any]:
    """One lead."""
    return plain(leads.get_lead(who, lead_id))


@router.patch("/leads/{lead_id}", tags=["leads"])
def change_lead(lead_id: RowId, body: LeadChange, who: Who) -> dict[str, Any]:
    """Set a lead aside, or take it up again."""
    return plain(leads.archive(who, lead_id, body.archived))


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


@router.get("/{kind}/{row_id}/timeline", tags=["timelines"], response_model=Page[Happening])
def get_timeline(
    kind: Literal["persons", "organizations", "deals", "leads"],
    row_id: RowId,
    who: Who,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """What happened, newest first, as far as you may see it."""
    verb = {
        "persons": timeline.person_timeline,
        "organizations": timeline.organization_timeline,
        "deals": timeline.deal_timeline,
        "leads": timeline.lead_timeline,
    }[kind]
    found = verb(who, row_id, limit=limit, cursor=cursor)
    return page(found.items, found.next_cursor)
