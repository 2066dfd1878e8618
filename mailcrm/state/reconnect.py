"""Mailboxes that need their user (M10): the banner above every page, and trying again with what is stored.

Filled by state/nav.py, whenever the footer is. Signing in with another password is state/settings.py.
"""

import asyncio
from dataclasses import dataclass

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.mail import reconnecting
from mailcrm.state.coerce import as_int
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say


@dataclass(frozen=True)
class Out:
    """A mailbox that waits for its user; `url` is where one click leads: the provider's page, or our form."""

    id: int = 0
    address: str = ""
    sentence: str = ""
    url: str = ""
    provider: str = ""


class ReconnectState(rx.State):
    """What waits for the user to sign in again."""

    outs: list[Out] = []
    first: Out = Out()
    trying: bool = False
    wrong: str = ""

    @rx.event(background=True)
    async def try_again(self, mailbox_id: int):
        """Try what is stored once more: for what was put right at the provider."""
        async with self:
            if self.trying:
                return
            actor = await actor_of(self)
            self.trying, self.wrong = True, ""
        wrong = ""
        try:
            view = await asyncio.to_thread(reconnecting.try_again, actor, as_int(mailbox_id))
        except MailcrmError as error:
            wrong = i18n.sentence(error, actor.language)
        async with self:
            self.trying, self.wrong = False, wrong
            await self._fill(actor)
        if not wrong:
            yield say(gettext(actor.language, "{address} is connected again.", address=view.address))

    async def _fill(self, actor: Actor) -> None:
        found = await asyncio.to_thread(reconnecting.out, actor)
        self.outs = [
            Out(
                each.id,
                each.address,
                each.sentence,
                routes.oauth_start(each.auth, address=each.address, mailbox_id=each.id)
                if each.auth != "password"
                else routes.reconnect(each.id),
                each.auth if each.auth != "password" else "",
            )
            for each in found
        ]
        self.first = self.outs[0] if self.outs else Out()
