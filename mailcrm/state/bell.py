"""The notification bell: opens, clicks and problems as they happen (T08)."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.services import i18n, notifications
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext, ngettext
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of

KINDS = {"all": (), "open": ("open",), "click": ("click",), "problem": ("send_failed", "sync_failed", "reconnect")}
LISTED = 30
ICONS = {"open": "eye", "click": "mouse-pointer-click"}


@dataclass(frozen=True)
class BellRow:
    """A line of the bell."""

    id: int
    kind: str
    icon: str
    title: str
    detail: str
    when: str
    read: bool
    thread_id: int


class BellState(rx.State):
    """What the bell shows."""

    unread: int = 0
    rows: list[BellRow] = []
    kind: str = "all"

    @rx.event
    async def refresh(self):
        """Count, and list again."""
        await self._fill(await actor_of(self))

    @rx.event
    async def show(self, kind: str):
        """Show one kind of notification."""
        self.kind = kind if isinstance(kind, str) and kind in KINDS else "all"
        await self._fill(await actor_of(self))

    @rx.event
    async def read_all(self):
        """Mark everything as read."""
        actor = await actor_of(self)
        await asyncio.to_thread(notifications.mark_read, actor, None)
        await self._fill(actor)

    @rx.event
    async def follow(self, notification_id: int, thread_id: int):
        """Mark one as read and go to its conversation."""
        actor = await actor_of(self)
        await asyncio.to_thread(notifications.mark_read, actor, as_int(notification_id))
        await self._fill(actor)
        if as_int(thread_id):
            return rx.redirect(routes.thread(as_int(thread_id)))
        return None

    async def _fill(self, actor: Actor) -> None:
        eyes = eyes_of(actor)
        kinds = KINDS[as_text(self.kind)]
        found = await asyncio.to_thread(notifications.list_notifications, actor, None, 200 if kinds else LISTED)
        self.unread = await asyncio.to_thread(notifications.unread_count, actor)
        self.rows = [_row(each, eyes) for each in found if not kinds or each.kind in kinds][:LISTED]


def _row(view: Any, eyes: Eyes) -> BellRow:
    title, detail = _said(view, eyes)
    return BellRow(
        id=view.id,
        kind=view.kind,
        icon=ICONS.get(view.kind, "triangle-alert"),
        title=title,
        detail=detail,
        when=i18n.short_day(eyes.language, view.at, eyes.now, eyes.zone),
        read=view.read,
        thread_id=view.thread_id or 0,
    )


def _said(view: Any, eyes: Eyes) -> tuple[str, str]:
    """Return what happened and to whom; never more certain than tracking is (DESIGN §10)."""
    language, subject = eyes.language, view.detail or gettext(eyes.language, "(no subject)")
    to = gettext(language, "To {names}", names=view.title) if view.title else ""
    if view.kind == "open":
        times = ngettext(language, "{n} open", "{n} opens", view.count)
        return gettext(language, "Someone opened “{subject}”", subject=subject), _joined(to, times)
    if view.kind == "click":
        times = ngettext(language, "{n} click", "{n} clicks", view.count)
        return gettext(language, "Someone clicked a link in “{subject}”", subject=subject), _joined(to, times)
    why = view.detail
    if view.params.get("code"):
        named = {name: value for name, value in view.params.items() if name != "code"}
        why = i18n.sentence_of(str(view.params["code"]), language, **named)
    if view.kind == "send_failed":
        return gettext(language, "“{subject}” wasn’t delivered", subject=subject), why if why != subject else to
    if view.kind == "reconnect":
        return gettext(language, "{mailbox}: sign in again", mailbox=view.title), why
    if view.kind == "sync_failed":
        return gettext(language, "Sync of {mailbox} stopped", mailbox=view.title), why
    return view.title, view.detail


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)
