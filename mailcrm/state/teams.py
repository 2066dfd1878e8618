"""Teams, and whose rows of the CRM each role sees: two sections of Settings › People."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import teams, users
from mailcrm.services.i18n import gettext
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.session import actor_of
from mailcrm.state.undoing import offer


@dataclass(frozen=True)
class Mate:
    """A user as a possible member."""

    id: int
    name: str


@dataclass(frozen=True)
class TeamRow:
    """A team; `who` names its members in one line."""

    id: int
    name: str
    who: str
    members: tuple[int, ...]


@dataclass(frozen=True)
class RuleRow:
    """Whose rows of a kind the roles see."""

    kind: str
    member: str
    admin: str


class TeamsState(rx.State):
    """What administrators set, and everybody may read."""

    loaded: bool = False
    admin: bool = False
    rows: list[TeamRow] = []
    rules: list[RuleRow] = []
    mates: list[Mate] = []
    saved: str = ""
    # The dialog of a team; id 0 is a new one.
    editing: bool = False
    team_id: int = 0
    name: str = ""
    chosen: list[int] = []
    wrong: str = ""

    @rx.event
    async def load(self):
        """Show both sections when the page opens."""
        self.editing, self.saved, self.wrong = False, "", ""
        await self._fill(await actor_of(self))

    @rx.event
    async def edit(self, team_id: int):
        """Open the dialog of a team, or of a new one (0)."""
        self.team_id, self.wrong = as_int(team_id), ""
        row = next((each for each in self.rows if each.id == self.team_id), None)
        self.name, self.chosen = (row.name, list(row.members)) if row else ("", [])
        self.editing = True

    @rx.event
    async def close(self, is_open: bool):
        """Close the dialog without saving."""
        if not as_flag(is_open):
            self.editing = False

    @rx.event
    async def pick(self, user_id: int, on: bool):
        """Take a colleague into the team of the dialog, or out of it."""
        user_id = as_int(user_id)
        kept = [each for each in self.chosen if each != user_id]
        self.chosen = [*kept, user_id][:10_000] if as_flag(on) else kept

    @rx.event
    async def save(self, form: dict[str, Any]):
        """Save the team of the dialog."""
        actor, name = await actor_of(self), as_form(form).get("team_name", "")
        try:
            if self.team_id:
                await asyncio.to_thread(teams.rename, actor, self.team_id, name)
                await asyncio.to_thread(teams.set_members, actor, self.team_id, self.chosen)
            else:
                await asyncio.to_thread(teams.create, actor, name, self.chosen)
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        self.editing = False
        await self._fill(actor)

    @rx.event
    async def delete(self, team_id: int):
        """Delete a team; offers Undo."""
        actor = await actor_of(self)
        gone = await asyncio.to_thread(teams.delete, actor, as_int(team_id))
        self.editing = False
        await self._fill(actor)
        said = gettext(actor.language, "Team {name} deleted", name=gone.name)
        return offer(actor, said, TeamsState.put_back(gone.name, list(gone.members)))

    @rx.event
    async def put_back(self, name: str, members: list[int]):
        """Undo deleting a team."""
        actor = await actor_of(self)
        wanted = [as_int(each) for each in members[:10_000]] if isinstance(members, list) else []
        await asyncio.to_thread(teams.create, actor, as_text(name, 200), wanted)
        await self._fill(actor)

    @rx.event
    async def set_scope(self, role: str, kind: str, scope: str):
        """Save whose rows of a kind a role sees."""
        actor = await actor_of(self)
        self.saved = ""
        role, kind = as_text(role, 20), as_text(kind, 20)
        await asyncio.to_thread(teams.set_scope, actor, role, kind, as_text(scope, 20))
        await self._fill(actor)
        self.saved = kind

    async def _fill(self, actor: Actor) -> None:
        found = await asyncio.to_thread(teams.list_teams, actor)
        rules = await asyncio.to_thread(teams.role_access, actor)
        people = await asyncio.to_thread(users.all_users, actor)
        names = {each.id: each.name for each in people}
        self.admin = actor.admin
        self.mates = [Mate(each.id, each.name) for each in people if not each.disabled]
        self.rows = [
            TeamRow(
                each.id,
                each.name,
                ", ".join(names[member] for member in each.members if member in names)
                or gettext(actor.language, "Nobody yet"),
                each.members,
            )
            for each in found
        ]
        scopes = {(each.role, each.kind): each.scope for each in rules}
        self.rules = [RuleRow(kind, scopes["member", kind], scopes["admin", kind]) for kind in teams.KINDS]
        self.loaded = True
