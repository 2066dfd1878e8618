"""Other own addresses of the chosen mailbox, in Settings › Email sync. Filled by state/settings.py."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.mail import aliases
from mailcrm.services.smart_bcc import alternatives
from mailcrm.state.coerce import as_form, as_int, as_text
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say


@dataclass(frozen=True)
class AliasRow:
    """An address."""

    id: int
    address: str


class AliasState(rx.State):
    """The addresses of the chosen mailbox."""

    mailbox_id: int = 0
    rows: list[AliasRow] = []
    wrong: str = ""
    said: str = ""

    @rx.event
    async def add(self, form: dict[str, Any]):
        """Add an address; to one that is not proved to be the user's, the link is sent that proves it."""
        actor = await actor_of(self)
        address = as_text(as_form(form).get("alias_address", ""), 254).strip()
        self.wrong = self.said = ""
        try:
            if not await asyncio.to_thread(aliases.is_proved, actor, address):
                await asyncio.to_thread(alternatives.add, actor, address)
                self.said = gettext(
                    actor.language,
                    "A link was sent to {address}. Follow it, then add the address again.",
                    address=address,
                )
                return
            await asyncio.to_thread(aliases.add, actor, self.mailbox_id, address)
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        await self._fill(actor, self.mailbox_id)

    @rx.event
    async def remove(self, alias_id: int):
        """Take an address off; adding it again undoes it."""
        actor = await actor_of(self)
        await asyncio.to_thread(aliases.remove, actor, as_int(alias_id))
        await self._fill(actor, self.mailbox_id)
        return say(gettext(actor.language, "Address removed."))

    async def _fill(self, actor: Actor, mailbox_id: int) -> None:
        self.mailbox_id = mailbox_id
        found = await asyncio.to_thread(aliases.list_aliases, actor, mailbox_id) if mailbox_id else ()
        self.rows = [AliasRow(each.id, each.address) for each in found]
