"""`/persons`, `/organizations`, and the timelines of all rows of the CRM."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from mailcrm.endpoints.api import records
from mailcrm.endpoints.api.common import Answer, Cursor, Input, Limit, Page, RowId, Who, given, page, plain
from mailcrm.services.crm import organization_list, organizations, people, people_list, timeline
from mailcrm.services.tracking import personal

router = APIRouter()
_KIND = {"persons": "person", "organizations": "organization", "deals": "deal", "leads": "lead"}

Word = Annotated[str, Field(max_length=1000)]
Search = Annotated[str, Query(max_length=200)]


class NewPerson(Input):
    """A person; `organization` is a name."""

    name: Word
    addresses: list[Word] = []
    phones: list[Word] = []
    organization: Word = ""
    organization_id: int | None = None
    job_title: Word = ""
    labels: records.LabelIds | None = None
    custom_fields: records.Values | None = None


class PersonChange(Input):
    """What is left out stays; `add_address`, `remove_address` and `primary_address` take one address each.

    `owner_id` null: nobody's.
    """

    name: Word | None = None
    job_title: Word | None = None
    organization: Word | None = None
    phones: list[Word] | None = None
    add_address: Word | None = None
    remove_address: Word | None = None
    primary_address: Word | None = None
    organization_id: int | None = None
    owner_id: int | None = None
    consent: Literal["unknown", "granted", "refused"] | None = None
    consent_source: Word = ""
    consent_proof: Word = ""
    labels: records.LabelIds | None = None
    custom_fields: records.Values | None = None


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
    address: Word = ""
    labels: records.LabelIds | None = None
    custom_fields: records.Values | None = None


class OrganizationChange(Input):
    """What is left out stays; `domains` replaces them all; `owner_id` null: nobody's."""

    name: Word | None = None
    domains: list[Word] | None = None
    address: Word | None = None
    owner_id: int | None = None
    labels: records.LabelIds | None = None
    custom_fields: records.Values | None = None


class Happening(Answer):
    """Something in a timeline; `kind` says what."""

    kind: str
    at: datetime
    ref: int


@router.get("/persons", tags=["persons"], response_model=Page[Person])
def list_persons(
    who: Who,
    q: Search = "",
    owner_id: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    label_id: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    organization_id: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    consent: Literal["", "unknown", "granted", "refused"] = "",
    quiet_days: Annotated[int | None, Query(ge=1, le=3660)] = None,
    sort: Literal["name", "-name", "newest"] = "name",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """List persons; `owner_id` 0 asks for those without an owner, `quiet_days` for those nothing happened with."""
    narrowed = people_list.Narrowed(owner_id, label_id, organization_id, consent, quiet_days)
    found = people_list.page_of_people(who, q, narrowed, sort=sort, cursor=cursor, limit=limit)
    return records.with_fields(who, "person", page(found.rows, found.next_cursor))


@router.post("/persons", tags=["persons"], status_code=201, response_model=Person)
def create_person(body: NewPerson, who: Who) -> Any:
    """Add a person; their earlier mail gets linked."""
    values = body.model_dump()
    taken = records.take(who, "person", values)
    made = people.create_person(who, **values)
    records.put(who, "person", made.card.id, taken)
    return records.enriched(who, "person", plain(made))


@router.get("/persons/{person_id}", tags=["persons"], response_model=Person)
def get_person(person_id: RowId, who: Who) -> Any:
    """One person."""
    return records.enriched(who, "person", plain(people.get_person(who, person_id)))


@router.patch("/persons/{person_id}", tags=["persons"], response_model=Person)
def change_person(person_id: RowId, body: PersonChange, who: Who) -> Any:
    """Change a person."""
    changes = given(body)
    taken = records.take(who, "person", changes)
    source, proof = changes.pop("consent_source", ""), changes.pop("consent_proof", "")
    steps = {name: changes.pop(name, None) for name in ("add_address", "remove_address", "primary_address", "consent")}
    if "owner_id" in changes:
        people.hand_over(who, {person_id: changes.pop("owner_id")})
    people.change_person(who, person_id, **changes)
    if steps["add_address"] is not None:
        people.add_address(who, person_id, steps["add_address"])
    if steps["remove_address"] is not None:
        people.remove_address(who, person_id, steps["remove_address"])
    if steps["primary_address"] is not None:
        people.make_primary(who, person_id, steps["primary_address"])
    if steps["consent"] is not None:
        people.set_consent(who, person_id, steps["consent"], source, proof)
    records.put(who, "person", person_id, taken)
    return records.enriched(who, "person", plain(people.get_person(who, person_id)))


@router.get("/persons/{person_id}/tracking", tags=["persons"])
def person_tracking(person_id: RowId, who: Who) -> dict[str, Any]:
    """All that was recorded of a person by tracking, of emails that you may see; their consent and its history."""
    return personal.export(who, person_id)


@router.delete("/persons/{person_id}/tracking", tags=["persons"])
def erase_person_tracking(person_id: RowId, who: Who) -> dict[str, int]:
    """Delete what was recorded of a person, whoever sent the email; links go on working. Can't be undone."""
    return {"erased": personal.erase(who, person_id)}


@router.delete("/persons/{person_id}", tags=["persons"], status_code=204)
def delete_person(person_id: RowId, who: Who) -> None:
    """Put a person in the trash."""
    people.delete(who, person_id)


@router.get("/organizations", tags=["organizations"])
def list_organizations(
    who: Who,
    q: Search = "",
    owner_id: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    label_id: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List organizations by name; `owner_id` 0 asks for those without an owner."""
    found = organization_list.page_of_lines(who, q, owner_id=owner_id, label_id=label_id, cursor=cursor, limit=limit)
    return records.with_fields(who, "organization", page(found.rows, found.next_cursor))


@router.post("/organizations", tags=["organizations"], status_code=201)
def create_organization(body: NewOrganization, who: Who) -> dict[str, Any]:
    """Add an organization."""
    values = body.model_dump()
    taken = records.take(who, "organization", values)
    made = organizations.create_organization(who, **values)
    records.put(who, "organization", made.card.id, taken)
    return records.enriched(who, "organization", plain(made))


@router.get("/organizations/{organization_id}", tags=["organizations"])
def get_organization(organization_id: RowId, who: Who) -> dict[str, Any]:
    """One organization with its persons and deals."""
    return records.enriched(who, "organization", plain(organizations.get_organization(who, organization_id)))


@router.patch("/organizations/{organization_id}", tags=["organizations"])
def change_organization(organization_id: RowId, body: OrganizationChange, who: Who) -> dict[str, Any]:
    """Change an organization."""
    changes = given(body)
    taken = records.take(who, "organization", changes)
    if "owner_id" in changes:
        organizations.hand_over(who, {organization_id: changes.pop("owner_id")})
    changed = organizations.change_organization(who, organization_id, **changes)
    records.put(who, "organization", organization_id, taken)
    return records.enriched(who, "organization", plain(changed))


@router.delete("/organizations/{organization_id}", tags=["organizations"], status_code=204)
def delete_organization(organization_id: RowId, who: Who) -> None:
    """Put an organization in the trash; its persons and deals stay."""
    organizations.delete(who, organization_id)


@router.get("/{kind}/{row_id}/timeline", tags=["timelines"], response_model=Page[Happening])
def get_timeline(
    kind: Literal["persons", "organizations", "deals", "leads"],
    row_id: RowId,
    who: Who,
    shown: Literal["all", "emails", "notes", "activities", "files", "changes"] = "all",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Any:
    """What happened, newest first, as far as you may see it; `shown` narrows it to one sort."""
    found = timeline.page_of(who, _KIND[kind], row_id, shown=shown, limit=limit, cursor=cursor)
    return page(found.items, found.next_cursor)
