"""Teams, and whose rows of the CRM each role reaches: own, team or everyone's. Administrators change them.

Says nothing about mail: a message is its owner's until they share it (settled question 1). What the rules mean for a
row is decided in services/access.py alone. Open tabs of everybody are told to read again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete as remove
from sqlalchemy import func
from sqlmodel import Session, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import RoleAccess, Team, TeamMember, User
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import run

ROLES = ("member", "admin")
KINDS = ("person", "organization", "deal", "lead")
SCOPES = ("own", "team", "everyone")
MOST_TEAMS = 200


@dataclass(frozen=True)
class TeamView:
    """A team with the ids of its members."""

    id: int
    name: str
    members: tuple[int, ...]


@dataclass(frozen=True)
class AccessRule:
    """Whose rows of a kind a role may see."""

    role: str
    kind: str
    scope: str


def list_teams(actor: Actor) -> tuple[TeamView, ...]:
    """List the teams by name; everybody may know them."""
    del actor
    with reading() as session:
        teams = session.exec(select(Team).order_by(func.lower(Team.name), col(Team.id))).all()
        return tuple(_view(session, team) for team in teams)


def create(actor: Actor, name: str, members: Iterable[int] = ()) -> TeamView:
    """Make a team of these users."""
    access.require_admin(actor)
    with transaction() as session:
        if session.exec(select(func.count()).select_from(Team)).one() >= MOST_TEAMS:
            raise UserError("team.most", most=MOST_TEAMS)
        team = Team(name=_name(session, name))
        session.add(team)
        session.flush()
        _fill(session, team, members)
        _changed(session, actor, "create", team)
        return _view(session, team)


def rename(actor: Actor, team_id: int, name: str) -> TeamView:
    """Give a team another name."""
    access.require_admin(actor)
    with transaction() as session:
        team = _load(session, team_id)
        team.name = _name(session, name, team_id)
        session.add(team)
        _changed(session, actor, "rename", team)
        return _view(session, team)


def set_members(actor: Actor, team_id: int, members: Iterable[int]) -> TeamView:
    """Let exactly these users be in the team."""
    access.require_admin(actor)
    with transaction() as session:
        team = _load(session, team_id)
        run(session, remove(TeamMember).where(col(TeamMember.team_id) == team.id))
        _fill(session, team, members)
        _changed(session, actor, "set_members", team)
        return _view(session, team)


def delete(actor: Actor, team_id: int) -> TeamView:
    """Remove a team and return it as it was: `create` with its name and members undoes it."""
    access.require_admin(actor)
    with transaction() as session:
        team = _load(session, team_id)
        view = _view(session, team)
        _changed(session, actor, "delete", team)
        run(session, remove(TeamMember).where(col(TeamMember.team_id) == team.id))
        session.delete(team)
        return view


def role_access(actor: Actor) -> tuple[AccessRule, ...]:
    """Return whose rows each role may see, for each kind."""
    del actor  # what colleagues may see is no secret
    with reading() as session:
        kept = {(row.role, row.kind): row.scope for row in session.exec(select(RoleAccess))}
        return tuple(AccessRule(role, kind, kept.get((role, kind), "everyone")) for role in ROLES for kind in KINDS)


def set_scope(actor: Actor, role: str, kind: str, scope: str) -> None:
    """Let a role see its own rows of a kind, its teams', or everyone's; from the next event of each user on."""
    access.require_admin(actor)
    for value, known, field in ((role, ROLES, "Role"), (kind, KINDS, "Kind"), (scope, SCOPES, "Scope")):
        if value not in known:
            raise UserError("input.invalid", value=str(value)[:40], field=field)
    with transaction() as session:
        row = session.get(RoleAccess, (role, kind)) or RoleAccess(role=role, kind=kind)
        row.scope = scope
        session.add(row)
        audit.record(session, actor, "set_scope", "role_access", None, role=role, rows=kind, scope=scope)
        live.hint(session, None, "crm")


def _load(session: Session, team_id: int) -> Team:
    return access.load(session, Team, team_id, col(Team.id) > 0)


def _name(session: Session, value: str, but: int = 0) -> str:
    name = " ".join(str(value).split())
    if not name:
        raise UserError("input.missing", field="Name")
    if len(name) > 80 or not name.isprintable():
        raise UserError("input.too_long", field="Name", most=80)
    same = select(Team.id).where(func.lower(Team.name) == func.lower(name), Team.id != but)
    if session.exec(same).first() is not None:
        raise UserError("team.taken", name=name)
    return name


def _fill(session: Session, team: Team, members: Iterable[int]) -> None:
    wanted = sorted(set(members))
    if session.exec(select(func.count()).where(col(User.id).in_(wanted))).one() != len(wanted):
        raise NotFound
    if wanted:
        insert = [{"team_id": team.id, "user_id": user_id} for user_id in wanted]
        session.connection().execute(TeamMember.__table__.insert(), insert)  # type: ignore[attr-defined]


def _view(session: Session, team: Team) -> TeamView:
    members = select(TeamMember.user_id).where(TeamMember.team_id == team.id).order_by(col(TeamMember.user_id))
    return TeamView(team.id or 0, team.name, tuple(session.exec(members)))


def _changed(session: Session, actor: Actor, verb: str, team: Team) -> None:
    audit.record(session, actor, verb, "team", team.id, name=team.name)
    live.hint(session, None, "crm")
