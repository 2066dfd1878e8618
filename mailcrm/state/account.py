"""Settings › Account and security: one's password, two-step sign-in, and where one is signed in.

Passwords and codes arrive in forms and are forgotten with the event. The recovery codes and the app's secret are in
this tab's state only while they are shown.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import browsers, password_change, second
from mailcrm.services.i18n import gettext, ngettext
from mailcrm.state.coerce import as_flag, as_form, as_text
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say

LONGEST = 2_000  # a password may have 1,024 characters; a longer one is refused in words, not cut


@dataclass(frozen=True)
class SessionRow:
    """A signed-in browser in the list."""

    handle: str
    device: str
    mobile: bool
    network: str
    since: str
    seen: str
    here: bool


class AccountState(rx.State):
    """What /settings/account shows."""

    loaded: bool = False
    rows: list[SessionRow] = []
    others: bool = False
    asking: bool = False
    saved: str = ""
    wrong: str = ""
    key: int = 0
    second_on: bool = False
    codes_left: int = 0
    doing: str = ""
    second_wrong: str = ""
    secret: str = ""
    picture: str = ""
    codes: list[str] = []

    @rx.event
    async def load(self):
        """Show the actor's account when the page opens; what was shown once before is forgotten."""
        self.saved, self.wrong, self.asking = "", "", False
        self._forget()
        await self._fill(await actor_of(self))

    @rx.event
    async def refresh(self):
        """List the sessions again: one of them ended."""
        await self._fill(await actor_of(self))

    @rx.event
    async def change_password(self, form: dict[str, Any]):
        """Set a new password; the other sessions end."""
        actor, fields, cookie = await actor_of(self), as_form(form), self.router.headers.cookie or ""
        self.saved, self.wrong = "", ""
        try:
            await asyncio.to_thread(
                lambda: password_change.change(
                    actor, _password(fields, "current_password"), _password(fields, "new_password"), cookie=cookie
                )
            )
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        self.saved = "password"
        self.key += 1  # fresh, empty fields
        await self._fill(actor)

    @rx.event
    async def end(self, handle: str):
        """Sign one other browser out."""
        actor = await actor_of(self)
        await asyncio.to_thread(browsers.end, actor, as_text(handle, 64))
        await self._fill(actor)
        return say(gettext(actor.language, "That browser is signed out."))

    @rx.event
    async def ask_end_others(self, is_open: bool):
        """Ask before every other browser is signed out, or close the question."""
        self.asking = as_flag(is_open)

    @rx.event
    async def end_others(self):
        """Sign every other browser out."""
        actor, cookie = await actor_of(self), self.router.headers.cookie or ""
        self.asking = False
        ended = await asyncio.to_thread(browsers.end_others, actor, cookie)
        await self._fill(actor)
        return say(ngettext(actor.language, "{n} browser is signed out.", "{n} browsers are signed out.", ended))

    @rx.event
    async def show(self, doing: str):
        """Open the question for the password before "begin", "renew" or "off"; anything else closes it."""
        self._forget()
        self.doing = doing if doing in ("begin", "renew", "off") else ""

    @rx.event
    async def close(self, is_open: bool):
        """Close the dialog; a secret or codes that it showed are forgotten."""
        if not as_flag(is_open):
            self._forget()

    @rx.event
    async def prove(self, form: dict[str, Any]):
        """Go on with what was asked for, with the password."""
        actor, given = await actor_of(self), _password(as_form(form), "proof")
        self.second_wrong = ""
        try:
            if self.doing == "begin":
                found = await asyncio.to_thread(second.begin, actor, given)
                self.secret, self.picture, self.doing = found.secret, found.picture, "confirm"
            elif self.doing == "renew":
                self.codes, self.doing = list(await asyncio.to_thread(second.renew_codes, actor, given)), "codes"
            elif self.doing == "off":
                await asyncio.to_thread(second.turn_off, actor, given)
                self._forget()
        except MailcrmError as error:
            self.second_wrong = i18n.sentence(error, actor.language)
            return
        await self._fill(actor)

    @rx.event
    async def confirm(self, form: dict[str, Any]):
        """Switch two-step sign-in on with the app's first code, and show the recovery codes."""
        actor, code = await actor_of(self), as_form(form).get("first_code", "")
        self.second_wrong = ""
        try:
            codes = await asyncio.to_thread(second.confirm, actor, code)
        except MailcrmError as error:
            self.second_wrong = i18n.sentence(error, actor.language)
            return
        self._forget()
        self.codes, self.doing = list(codes), "codes"
        await self._fill(actor)

    @rx.event
    async def copied(self):
        """Say that the recovery codes were copied."""
        actor = await actor_of(self)
        return say(gettext(actor.language, "Recovery codes copied"))

    async def _fill(self, actor: Actor) -> None:
        cookie = self.router.headers.cookie or ""
        found = await asyncio.to_thread(browsers.list_sessions, actor, cookie)
        state = await asyncio.to_thread(second.state, actor)
        self.second_on, self.codes_left = state.on, state.codes_left
        self.rows = [_row(view, eyes_of(actor)) for view in found]
        self.others = any(not view.here for view in found)
        self.loaded = True

    def _forget(self) -> None:
        self.doing = self.secret = self.picture = self.second_wrong = ""
        self.codes = []


def _row(view: browsers.SessionView, eyes: Eyes) -> SessionRow:
    known = view.device
    words = {"browser": known.browser, "system": known.system}
    name = gettext(eyes.language, "Unknown browser")
    if known.browser and known.system:
        name = gettext(eyes.language, "{browser} on {system}", **words)
    elif known.browser or known.system:
        name = known.browser or known.system
    network = gettext(eyes.language, "this computer") if view.network == "local" else view.network
    return SessionRow(
        handle=view.handle,
        device=name,
        mobile=known.mobile,
        network=network,
        since=i18n.day_and_time(eyes.language, view.started_at, eyes.now, eyes.zone),
        seen=i18n.day_and_time(eyes.language, view.seen_at, eyes.now, eyes.zone),
        here=view.here,
    )


def _password(fields: dict[str, str], name: str) -> str:
    return fields.get(name, "")[:LONGEST]
