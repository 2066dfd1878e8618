"""The Smart Bcc address of the deal or lead that is open, and of the workspace."""

import asyncio

import reflex as rx

from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.smart_bcc import addresses
from mailcrm.state.coerce import as_int
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say
from mailcrm.state.undoing import offer


class BccAddressState(rx.State):
    """An address to copy; `address` "" until somebody asks for it, `on` whether there is any way in."""

    address: str = ""
    on: bool = False
    _deal: int = 0
    _lead: int = 0

    @rx.event
    async def open_page(self):
        """Show the address of the page's deal or lead, where it has one already."""
        path = self.router.url.path
        self._deal = as_int(self.deal_arg) if path.startswith("/deal/") else 0  # pyright: ignore[reportAttributeAccessIssue]
        self._lead = as_int(self.lead_arg) if path.startswith("/lead/") else 0  # pyright: ignore[reportAttributeAccessIssue]
        self.address = ""
        self.on = await asyncio.to_thread(addresses.is_on)
        if self.on and (self._deal or self._lead):
            await self._fill(await actor_of(self), make=False)

    @rx.event
    async def make(self):
        """Make the address."""
        await self._fill(await actor_of(self), make=True)

    @rx.event
    async def copied(self):
        """Say that the address is on the clipboard."""
        actor = await actor_of(self)
        return say(gettext(actor.language, "Address copied"))

    @rx.event
    async def reissue(self):
        """Put a new address in its place; offers Undo."""
        actor = await actor_of(self)
        found = await asyncio.to_thread(lambda: addresses.reissue(actor, **self._target()))
        self.address = found.address
        words = gettext(actor.language, "New address. Email to the old one is set aside.")
        return offer(actor, words, BccAddressState.undo_reissue())

    @rx.event
    async def undo_reissue(self):
        """Let the old address stand again."""
        actor = await actor_of(self)
        self.address = (await asyncio.to_thread(lambda: addresses.undo_reissue(actor, **self._target()))).address

    def _target(self) -> dict[str, int]:
        if self._deal:
            return {"deal_id": self._deal}
        return {"lead_id": self._lead} if self._lead else {}

    async def _fill(self, actor: Actor, *, make: bool) -> None:
        target = self._target()
        if target:
            found = await asyncio.to_thread(lambda: addresses.address_of(actor, make=make, **target))
            self.address = found.address if found is not None else ""
