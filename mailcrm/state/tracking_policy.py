"""Settings › Tracking: the workspace's rules. Each saves as soon as it is changed; only administrators change them."""

import asyncio
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.tracking import policy as rules
from mailcrm.state.coerce import as_flag, as_text
from mailcrm.state.session import actor_of

#: What the page offers, in days; "0" of events is for ever.
EVENT_DAYS = ("90", "180", "365", "730", "0")
NETWORK_DAYS = ("0", "1", "7", "30")


class TrackingPolicyState(rx.State):
    """What the page shows."""

    loaded: bool = False
    admin: bool = False
    policy: str = "unless_refused"
    footer: bool = False
    days: str = "0"
    network_days: str = "1"
    saved: str = ""
    wrong: str = ""

    @rx.event
    async def load(self):
        """Show the rules when the page opens."""
        actor = await actor_of(self)
        self.admin, self.saved, self.wrong = actor.admin, "", ""
        self._show(await asyncio.to_thread(rules.get, actor))

    @rx.event
    async def choose_policy(self, value: str):
        """Choose who may be tracked."""
        wanted = as_text(value, 40)
        if wanted in rules.POLICIES:
            await self._change("policy", policy=wanted)

    @rx.event
    async def switch_footer(self, on: bool):
        """Put the line with the opt-out link below tracked email, or leave it out."""
        await self._change("footer", footer=as_flag(on))

    @rx.event
    async def choose_days(self, value: str):
        """Choose how long events are kept."""
        wanted = as_text(value, 5)
        if wanted in EVENT_DAYS:
            await self._change("days", days=int(wanted) or None)

    @rx.event
    async def choose_network_days(self, value: str):
        """Choose how long the hash of an event's network is kept."""
        wanted = as_text(value, 5)
        if wanted in NETWORK_DAYS:
            await self._change("network_days", network_days=int(wanted))

    async def _change(self, name: str, **values: Any) -> None:
        actor = await actor_of(self)
        self.saved, self.wrong = "", ""
        try:
            self._show(await asyncio.to_thread(lambda: rules.change(actor, **values)))
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        self.saved = name

    def _show(self, view: rules.PolicyView) -> None:
        self.policy, self.footer, self.loaded = view.policy, view.footer, True
        self.days, self.network_days = str(view.days or 0), str(view.network_days)
