"""`/teams`, `/role-access`: who works together, and whose rows of the CRM each role sees. Administrators change them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from mailcrm.endpoints.api.common import Answer, Input, Page, RowId, Who, given, page, plain
from mailcrm.errors import NotFound
from mailcrm.services.auth import teams

router = APIRouter(tags=["workspace"])
Name = Annotated[str, Field(max_length=200)]
Members = Annotated[list[Annotated[int, Field(ge=1, lt=2**63)]], Field(max_length=10_000)]


class NewTeam(Input):
    """A team; `members` are ids of users."""

    name: Name
    members: Members = []


class TeamChange(Input):
    """What is left out stays; `members` replaces all of them."""

    name: Name | None = None
    members: Members | None = None


class Team(Answer):
    """A team."""

    id: int
    name: str
    members: list[int]


class Rule(Input):
    """Whose rows of a kind a role sees: its user's own, those of the user's teams, everyone's."""

    role: Literal["member", "admin"]
    kind: Literal["person", "organization", "deal", "lead"]
    scope: Literal["own", "team", "everyone"]


@router.get("/teams", response_model=Page[Team])
def list_teams(who: Who) -> Any:
    """All teams by name."""
    return page(teams.list_teams(who))


@router.post("/teams", status_code=201, response_model=Team)
def add_team(body: NewTeam, who: Who) -> Any:
    """Make a team."""
    return plain(teams.create(who, body.name, body.members))


@router.get("/teams/{team_id}", response_model=Team)
def get_team(team_id: RowId, who: Who) -> Any:
    """One team."""
    return plain(_team(who, team_id))


@router.patch("/teams/{team_id}", response_model=Team)
def change_team(team_id: RowId, body: TeamChange, who: Who) -> Any:
    """Rename it, or say who is in it."""
    changes = given(body)
    if changes.get("name") is not None:
        teams.rename(who, team_id, changes["name"])
    if changes.get("members") is not None:
        teams.set_members(who, team_id, changes["members"])
    return plain(_team(who, team_id))


@router.delete("/teams/{team_id}", status_code=204)
def delete_team(team_id: RowId, who: Who) -> None:
    """Delete a team; its members stay users."""
    teams.delete(who, team_id)


@router.get("/role-access", response_model=Page[Rule])
def list_rules(who: Who) -> Any:
    """Every role and kind."""
    return page(teams.role_access(who))


@router.put("/role-access", response_model=Page[Rule])
def set_rule(body: Rule, who: Who) -> Any:
    """Change one of them; the others stay."""
    teams.set_scope(who, body.role, body.kind, body.scope)
    return page(teams.role_access(who))


def _team(who: Who, team_id: int) -> teams.TeamView:
    found = next((team for team in teams.list_teams(who) if team.id == team_id), None)
    if found is None:
        raise NotFound
    return found
