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
from mailcrm.services.auth import reset, second, users
from mailcrm.services.i18n import gettext
from mailcrm.state.coerce import as_flag, as_form, as_int
from mailcrm.state.present import hue, initials
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say, warn


@dataclass(frozen=True)
class Colleague:
    """A user in the list."""

    id: int
    name: str
    email: str
    admin: bool
    disabled: bool
    me: bool
    second: bool
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
    #: Whose two-step sign-in is asked about.
    unlocking: int = 0
    unlocking_name: str = ""

    @rx.event
    async def load(self):
        """List the colleagues when the page opens; an invitation shown before is forgotten."""
        self.inviting, self.link, self.wrong, self.leaving = False, "", "", 0
        self.unlocking = 0
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

    @rx.event
    async def send_link(self, user_id: int):
        """Send a link that sets a new password to a colleague's own address."""
        actor, user_id = await actor_of(self), as_int(user_id)
        try:
            email = await asyncio.to_thread(reset.send_link, actor, user_id)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        return say(gettext(actor.language, "A link to a new password is on its way to {email}.", email=email))

    @rx.event
    async def ask_unlock(self, user_id: int):
        """Ask before a colleague's two-step sign-in is switched off; 0 or anything else closes the question."""
        self.unlocking = as_int(user_id)
        self.unlocking_name = next((row.name for row in self.rows if row.id == self.unlocking), "")

    @rx.event
    async def unlock(self):
        """Switch off the two-step sign-in that was asked about."""
        actor = await actor_of(self)
        user_id, name = self.unlocking, self.unlocking_name
        self.unlocking = 0
        await asyncio.to_thread(second.reset, actor, user_id)
        await self._fill(actor)
        return say(gettext(actor.language, "{name} signs in with the password alone now.", name=name))

    async def _fill(self, actor: Actor) -> None:
        steps = await asyncio.to_thread(second.users_with, actor) if actor.admin else frozenset[int]()
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
                second=each.id in steps,
                initials=initials(each.name),
                hue=hue(each.email),
            )
            for each in found
        ]
        self.loaded = True
