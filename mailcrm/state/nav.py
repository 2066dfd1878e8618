"""The shell: who is signed in, what waits, how the sync goes. Small vars, because every page reads them."""

import asyncio
from dataclasses import dataclass

import reflex as rx

from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.i18n import gettext
from mailcrm.services.mail import health, threads
from mailcrm.state.i18n import I18nState
from mailcrm.state.present import Eyes, eyes_of, initials
from mailcrm.state.reconnect import ReconnectState
from mailcrm.state.session import actor_of


@dataclass(frozen=True)
class Me:
    """The signed-in user as the shell shows them."""

    name: str = ""
    email: str = ""
    initials: str = ""
    admin: bool = False
    theme: str = ""  # empty until the user is known, so that nothing flashes
    mail_links: str = "mailcrm"  # what addresses open (M18)


class NavState(rx.State):
    """What the navigation shows."""

    me: Me = Me()
    workspace: str = ""
    inbox: str = ""
    drafts: str = ""
    outbox: str = ""
    leads: str = ""
    sync_kind: str = "none"
    sync_text: str = ""
    sync_why: str = ""
    demo: bool = False

    @rx.event
    async def load(self):
        """Fill the shell when a page opens, in the user's language."""
        actor = await actor_of(self)
        words = await self.get_state(I18nState)
        switched = words._use(actor.language)
        user = await asyncio.to_thread(users.me, actor)
        space = await asyncio.to_thread(users.workspace)
        self.me = Me(user.name, user.email, initials(user.name), user.role == "admin", user.theme, user.mail_links)
        self.workspace, self.demo = space.name, space.demo
        await self._count(actor)
        if switched or actor.language != "en":  # what a page that is loaded anew says of itself
            return rx.call_script(_LANG.get(actor.language, _LANG["en"]))
        return None

    @rx.event
    async def refresh(self):
        """Count again and say how the sync goes."""
        await self._count(await actor_of(self))

    async def _count(self, actor: Actor) -> None:
        counts = await asyncio.to_thread(threads.counts, actor)
        status = await asyncio.to_thread(health.sync_status, actor)
        self.inbox, self.drafts = i18n.bounded(actor.language, counts.inbox_unread), _some(actor, counts.drafts)
        self.outbox, self.leads = _some(actor, counts.outbox), _some(actor, counts.leads)
        self.sync_kind, self.sync_text = status.kind, sync_text(status, eyes_of(actor))
        self.sync_why = status.sentence
        await (await self.get_state(ReconnectState))._fill(actor)


#: Constant scripts only: nothing that anybody wrote goes into one.
_LANG = {language: f"document.documentElement.lang='{language}'" for language in i18n.LANGUAGES}


def sync_text(status, eyes: Eyes) -> str:  # noqa: ANN001  (SyncStatus)
    """Return the footer's line: up to date, syncing, or what is wrong."""
    if status.kind == "none":
        return gettext(eyes.language, "No mailbox yet")
    if status.kind == "syncing":
        if not status.total:
            return gettext(eyes.language, "Syncing")
        done, total = i18n.number(eyes.language, status.done), i18n.number(eyes.language, status.total)
        return gettext(eyes.language, "{done} of {total}", done=done, total=total)  # beside a turning wheel
    if status.kind == "ok":
        if status.last_success_at is None:
            return gettext(eyes.language, "Up to date")
        at = i18n.short_day(eyes.language, status.last_success_at, eyes.now, eyes.zone)
        return gettext(eyes.language, "Up to date · {time}", time=at)
    if status.kind == "reconnect":
        return gettext(eyes.language, "Sign in again")
    if status.kind == "paused":
        return gettext(eyes.language, "Paused by you")
    if status.next_try_at is None:
        return gettext(eyes.language, "Trying again")
    at = i18n.short_day(eyes.language, status.next_try_at, eyes.now, eyes.zone)
    return gettext(eyes.language, "Retrying at {time}", time=at)


def _some(actor: Actor, count: int) -> str:
    return i18n.number(actor.language, count) if count else ""
