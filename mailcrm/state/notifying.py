"""What one is told of, and when: kinds of notification and quiet hours; each saves as soon as it is changed (T08)."""

import asyncio

import reflex as rx

from mailcrm.errors import MailcrmError, NotFound
from mailcrm.services import i18n, telling
from mailcrm.services.access import Actor
from mailcrm.state.coerce import as_flag, as_text
from mailcrm.state.session import actor_of

NIGHT = ("22:00", "07:00")  # what quiet hours begin with


class NotifyingState(rx.State):
    """What /settings/notifications shows."""

    loaded: bool = False
    kinds: dict[str, str] = {"open": "bell", "click": "bell", "replied": "bell"}
    quiet: bool = False
    quiet_from: str = NIGHT[0]
    quiet_until: str = NIGHT[1]
    zone: str = ""
    saved: str = ""
    wrong: str = ""

    @rx.event
    async def load(self):
        """Show the actor's choices when the page opens."""
        self.saved, self.wrong = "", ""
        self._show(await asyncio.to_thread(telling.choices, await actor_of(self)))

    @rx.event
    async def choose(self, kind: str, choice: str):
        """Say how one kind is told: at once, in a digest, not at all."""
        if kind not in telling.NEWS or choice not in telling.CHOICES:
            raise NotFound
        actor = await actor_of(self)
        self._show(await asyncio.to_thread(lambda: telling.change_choices(actor, kinds={kind: choice})))
        self.saved, self.wrong = kind, ""

    @rx.event
    async def switch_quiet(self, on: bool):
        """Begin or end having quiet hours."""
        await self._save(await actor_of(self), (self.quiet_from, self.quiet_until) if as_flag(on) else ("", ""))

    @rx.event
    async def change_hour(self, which: str, hour: str):
        """Move the beginning or the end of the quiet hours."""
        hour = as_text(hour, 5)
        if which not in ("from", "until") or not hour:
            return
        hours = (hour, self.quiet_until) if which == "from" else (self.quiet_from, hour)
        await self._save(await actor_of(self), hours)

    async def _save(self, actor: Actor, hours: tuple[str, str]) -> None:
        self.saved, self.wrong = "", ""
        try:
            self._show(await asyncio.to_thread(lambda: telling.change_choices(actor, quiet_hours=hours)))
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        self.saved = "quiet"

    def _show(self, view: telling.TellingView) -> None:
        self.kinds, self.loaded = view.kinds, True
        self.quiet = bool(view.quiet_from)
        if self.quiet:
            self.quiet_from, self.quiet_until = view.quiet_from, view.quiet_until
        self.zone = view.time_zone
