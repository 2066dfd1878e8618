"""Colleagues: who has an account, invitations by link, switching an account off."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.config import config
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.i18n import gettext
from mailcrm.state.coerce import as_flag, as_form, as_int
from mailcrm.state.present import hue, initials
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say


@dataclass(frozen=True)
class Colleague:
    """A user in the list."""

    id: int
    name: str
    email: str
    admin: bool
    disabled: bool
    me: bool
    initials: str
    hue: int


class TeamState(rx.State):
    """What /settings/people shows."""

    loaded: bool = False
    rows: list[Colleague] = []
    admin: bool = False
    inviting: bool = False
    link: str = ""
    wrong: str = ""
    leaving: int = 0
    leaving_name: str = ""

    @rx.event
    async def load(self):
        """List the colleagues when the page opens; an invitation shown before is forgotten."""
        self.inviting, self.link, self.wrong, self.leaving = False, "", "", 0
        await self._fill(await actor_of(self))

    @rx.event
    async def show_invite(self, is_open: bool):
        """Open or close the invitation; closing forgets its link."""
        self.inviting, self.link, self.wrong = as_flag(is_open), "", ""

    @rx.event
    async def invite(self, form: dict[str, Any]):
        """Make an invitation and show its link, this once."""
        actor = await actor_of(self)
        fields = as_form(form)
        self.wrong = ""
        try:
            secret = await asyncio.to_thread(
                lambda: users.invite(
                    actor, email=fields.get("invite_email", ""), admin=fields.get("invite_role") == "admin"
                )
            )
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        self.link = config().public_url.rstrip("/") + routes.invite(secret)

    @rx.event
    async def ask_disable(self, user_id: int):
        """Ask before an account is switched off."""
        self.leaving = as_int(user_id)
        self.leaving_name = next((row.name for row in self.rows if row.id == self.leaving), "")

    @rx.event
    async def close_question(self, is_open: bool):
        """Close the question without changing anything."""
        if not as_flag(is_open):
            self.leaving = 0

    @rx.event
    async def disable(self):
        """Switch off the account that was asked about."""
        actor = await actor_of(self)
        user_id, name = self.leaving, self.leaving_name
        self.leaving = 0
        await asyncio.to_thread(users.disable, actor, user_id)
        await self._fill(actor)
        return say(gettext(actor.language, "{name} is signed out and can’t sign in any more.", name=name))

    async def _fill(self, actor: Actor) -> None:
        found = await asyncio.to_thread(users.all_users, actor)
        self.admin = actor.admin
        self.rows = [
            Colleague(
                id=each.id,
                name=each.name,
                email=each.email,
                admin=each.role == "admin",
                disabled=each.disabled,
                me=each.id == actor.user_id,
                initials=initials(each.name),
                hue=hue(each.email),
            )
            for each in found
        ]
        self.loaded = True
