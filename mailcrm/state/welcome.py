"""The pages before sign-in: login and its second step, set-up, invitation, forgotten passwords. Their handlers are public; they show and change nothing.

The forms post to /auth/… (endpoints/auth.py), because only a whole request can set the session cookie.
"""

import asyncio

import reflex as rx

from mailcrm import routes
from mailcrm.errors import UserError
from mailcrm.services import i18n
from mailcrm.services.auth import reset, sessions, users
from mailcrm.state.coerce import as_text
from mailcrm.state.i18n import I18nState

#: Error codes that a redirect may name; anything else in the address is not shown.
SHOWN = ("auth.", "input.", "not_found", "internal", "demo.")
DONE = ("asked", "reset")
PARAMS = ("left", "until", "least", "most", "email", "field", "value")


class WelcomeState(rx.State):
    """What the public pages show."""

    workspace: str = "mailcrm"
    wrong: str = ""
    wrong_field: str = ""
    email: str = ""
    name: str = ""
    token: str = ""
    #: Whether this server sends letters; what a form did ("asked", "reset").
    mails: bool = False
    done: str = ""

    @rx.event
    async def open_login(self):
        """Show the login page, or go on when the tab is signed in."""
        await self._speak()
        if not await asyncio.to_thread(users.is_set_up):
            return rx.redirect(routes.SETUP)
        self.workspace = (await asyncio.to_thread(users.workspace)).name
        self.mails = await asyncio.to_thread(reset.can_mail)
        cookie = self.router.headers.cookie or ""
        if await asyncio.to_thread(sessions.actor_of_cookie, cookie) is not None:
            return rx.redirect(routes.INBOX)
        return None

    @rx.event
    async def open_setup(self):
        """Show the set-up page until an administrator exists."""
        await self._speak()
        if await asyncio.to_thread(users.is_set_up):
            return rx.redirect(routes.LOGIN)
        return None

    @rx.event
    async def open_invite(self):
        """Show the invitation's page; say so when the link no longer works."""
        await self._speak()
        self.token = as_text(self.invite_arg, 200)  # pyright: ignore[reportAttributeAccessIssue]
        try:
            self.email = await asyncio.to_thread(users.invited_email, self.token)
        except UserError as error:
            self.wrong, self.wrong_field = i18n.sentence(error, await self._language()), "invite"
        self.workspace = (await asyncio.to_thread(users.workspace)).name

    @rx.event
    async def open_code(self):
        """Show the second step's page."""
        await self._speak()

    @rx.event
    async def open_forgot(self):
        """Show the page that sends a link to a new password."""
        await self._speak()
        self.mails = await asyncio.to_thread(reset.can_mail)

    @rx.event
    async def open_reset(self):
        """Show the link's page; say so when it no longer works."""
        await self._speak()
        self.token = as_text(self.reset_arg, 200)  # pyright: ignore[reportAttributeAccessIssue]
        try:
            self.email = await asyncio.to_thread(reset.offer, self.token)
        except UserError as error:
            self.email, self.wrong_field = "", "link"
            self.wrong = i18n.sentence(error, await self._language())

    @rx.event
    async def set_language(self, language: str):
        """Read the public pages in another language."""
        words = await self.get_state(I18nState)
        words._use(as_text(language, 5))

    async def _speak(self) -> None:
        words = await self.get_state(I18nState)
        words._use(i18n.best_language(self.router.headers.accept_language))
        query = self.router.url.query_parameters
        code = as_text(query.get("error", ""), 60)
        self.wrong, self.wrong_field = "", ""
        done = as_text(query.get("done", ""), 20)
        self.done = done if done in DONE else ""
        if code.startswith(SHOWN):
            params = {name: as_text(query.get(name, ""), 80) for name in PARAMS if name in query}
            self.wrong = i18n.sentence_of(code, words.language, **params)
            self.wrong_field = "password" if "password" in code or code == "auth.wrong" else "form"
        self.email = as_text(query.get("address", ""), 254)
        self.name = as_text(query.get("name", ""), 120)

    async def _language(self) -> str:
        return (await self.get_state(I18nState)).language
