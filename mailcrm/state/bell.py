"""The notification bell: opens, clicks and problems as they happen (T08)."""

import asyncio
from dataclasses import dataclass

import reflex as rx

from mailcrm import routes
from mailcrm.services import i18n, notifications
from mailcrm.services.access import Actor
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.present import eyes_of
from mailcrm.state.session import actor_of

KINDS = {"all": None, "open": "open", "click": "click", "problem": "problem"}
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
        kind = KINDS[as_text(self.kind)]
        found = await asyncio.to_thread(notifications.list_notifications, actor, kind)
        self.unread = await asyncio.to_thread(notifications.unread_count, actor)
        self.rows = [
            BellRow(
                id=each.id,
                kind=each.kind,
                icon=ICONS.get(each.kind, "triangle-alert"),
                title=each.title,
                detail=each.detail,
                when=i18n.short_day(eyes.language, each.at, eyes.now, eyes.zone),
                read=each.read,
                thread_id=each.thread_id or 0,
            )
            for each in found
        ]
