"""One's own name, language, theme and time zone: each saves as soon as it is changed."""

import asyncio
from typing import Any
from zoneinfo import available_timezones

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.auth import users
from mailcrm.state.coerce import as_text
from mailcrm.state.nav import NavState
from mailcrm.state.session import actor_of

#: Areas whose names people know; the rest of the tz database is aliases and offsets.
AREAS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
FIELDS = ("name", "language", "time_zone", "theme")


class ProfileState(rx.State):
    """What /settings/profile shows."""

    loaded: bool = False
    name: str = ""
    email: str = ""
    language: str = "en"
    theme: str = "system"
    time_zone: str = "UTC"
    zones: list[str] = []
    undo_seconds: str = "10"
    mail_links: str = "mailcrm"
    saved: str = ""
    wrong: str = ""

    @rx.event
    async def load(self):
        """Show the actor's profile when the page opens."""
        self.saved, self.wrong = "", ""
        if not self.zones:
            self.zones = ["UTC", *sorted(zone for zone in available_timezones() if zone.startswith(AREAS))]
        self._show(await asyncio.to_thread(users.me, await actor_of(self)))

    @rx.event
    async def change(self, field: str, value: str):
        """Save one field."""
        if field not in FIELDS:
            return None
        actor = await actor_of(self)
        before = await asyncio.to_thread(users.me, actor)
        wanted: dict[str, Any] = {name: getattr(before, name) for name in FIELDS}
        if wanted[field] == as_text(value, 200):
            return None
        wanted[field] = as_text(value, 200)
        self.saved, self.wrong = "", ""
        try:
            self._show(await asyncio.to_thread(lambda: users.change_profile(actor, **wanted)))
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        self.saved = field
        return NavState.load

    @rx.event
    async def change_undo(self, seconds: str):
        """Choose how long a send can be taken back (B10)."""
        await self._write("undo_seconds", int(seconds) if seconds in ("0", "5", "10", "20", "30") else None)

    @rx.event
    async def change_links(self, opens: str):
        """Choose what addresses and mailto: links open (M18)."""
        await self._write("mail_links", opens if opens in ("mailcrm", "system") else None)
        return NavState.load

    async def _write(self, field: str, value: Any) -> None:
        if value is None:
            return
        actor = await actor_of(self)
        self._show(await asyncio.to_thread(lambda: users.change_writing(actor, **{field: value})))
        self.saved, self.wrong = field, ""

    def _show(self, view: users.UserView) -> None:
        self.name, self.email, self.language = view.name, view.email, view.language
        self.theme, self.time_zone, self.loaded = view.theme, view.time_zone, True
        self.undo_seconds, self.mail_links = str(view.undo_seconds), view.mail_links
