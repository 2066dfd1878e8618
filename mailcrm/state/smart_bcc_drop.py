"""The drop mailbox on the Smart Bcc page: administrators connect it, see whether it works, take it away.

Never holds its password, save the one field of the form, which is passed on and dropped.
"""

import asyncio
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.smart_bcc import drop_settings
from mailcrm.services.smart_bcc.drop_settings import DropInput
from mailcrm.state.coerce import as_flag, as_form, as_int
from mailcrm.state.present import eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say


class DropState(rx.State):
    """The drop mailbox; `address` "" without one."""

    loaded: bool = False
    address: str = ""
    host: str = ""
    seen: str = ""
    trouble: str = ""
    open: bool = False
    trying: bool = False
    asking: bool = False
    wrong: str = ""

    @rx.event
    async def load(self):
        """Show the drop mailbox."""
        self.open, self.wrong, self.asking = False, "", False
        await self._fill(await actor_of(self))

    @rx.event
    async def show(self, wanted: bool):
        """Open or close the form."""
        self.open, self.wrong = as_flag(wanted), ""

    @rx.event
    async def ask(self, wanted: bool):
        """Open or close the question whether to take it away."""
        self.asking = as_flag(wanted)

    @rx.event
    async def connect(self, form: dict[str, Any]):
        """Try the server, then keep the mailbox."""
        actor, given = await actor_of(self), as_form(form)
        self.trying, self.wrong = True, ""
        yield
        wanted = DropInput(
            address=given.get("drop_address", ""),
            host=given.get("drop_host", ""),
            username=given.get("drop_username", ""),
            password=given.get("drop_password", ""),
            port=as_int(given.get("drop_port", "993")),
            security=given.get("drop_security", "ssl"),
            catch_all=given.get("drop_kind", "plus") == "catch_all",
        )
        try:
            await asyncio.to_thread(drop_settings.connect, actor, wanted)
            self.open = False
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
        self.trying = False
        await self._fill(actor)
        if not self.wrong:
            from mailcrm.state.smart_bcc import SmartBccState

            yield SmartBccState.refresh

    @rx.event
    async def remove(self):
        """Take the drop mailbox away."""
        actor = await actor_of(self)
        await asyncio.to_thread(drop_settings.remove, actor)
        self.asking = False
        await self._fill(actor)
        from mailcrm.state.smart_bcc import SmartBccState

        return [SmartBccState.refresh, say(gettext(actor.language, "The drop mailbox is taken away"))]

    async def _fill(self, actor: Actor) -> None:
        found = await asyncio.to_thread(drop_settings.get, actor)
        eyes = eyes_of(actor)
        self.address = found.address if found is not None else ""
        self.host = found.host if found is not None else ""
        self.trouble = found.error_sentence if found is not None else ""
        last = found.last_success_at if found is not None else None
        self.seen = i18n.day_and_time(eyes.language, last, eyes.now, eyes.zone) if last is not None else ""
        self.loaded = True
