"""Later: snooze and reminders of the open conversation (B13), and email of which nobody knows the end (B10)."""

import asyncio
from datetime import datetime, timedelta, tzinfo

import reflex as rx

from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext, ngettext
from mailcrm.services.mail import bulk, reminders
from mailcrm.services.mail.outbox import queue
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.inbox import InboxState
from mailcrm.state.present import eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.thread import ThreadState
from mailcrm.state.toasts import say

CHOICES = ("later", "tomorrow", "monday", "week")
DAYS = (2, 4, 7)
MORNING = 8  # o'clock; DESIGN §3 (d) schedules by it too
LATER = timedelta(hours=3)


class RemindState(rx.State):
    """What is done about when a conversation comes back."""

    @rx.event
    async def snooze(self, choice: str):
        """Take the open conversation out of the inbox for a while; offers Undo."""
        return await self._snooze(choice)

    @rx.event
    async def snooze_row(self, thread_id: int, choice: str):
        """Take a conversation of the list out of the inbox for a while; offers Undo."""
        thread_id = as_int(thread_id)
        return await self._snooze(choice, thread_id) if thread_id else None

    async def _snooze(self, choice: str, thread_id: int = 0):
        if as_text(choice) not in CHOICES:
            return None
        actor = await actor_of(self)
        eyes = eyes_of(actor)
        until = moment(choice, eyes.now, eyes.zone)
        when = i18n.day_and_time(eyes.language, until, eyes.now, eyes.zone)
        inbox = await self.get_state(InboxState)
        said = gettext(actor.language, "Snoozed until {time}", time=when)
        return await inbox._take(bulk.snooze, until, said=said, thread_id=thread_id)

    @rx.event
    async def remind(self, days: int):
        """Remind when nobody answers for so many days."""
        days = as_int(days)
        if days not in DAYS:
            return None
        actor, thread = await actor_of(self), await self.get_state(ThreadState)
        await asyncio.to_thread(reminders.remind_of_reply, actor, thread.id, days)
        await self._again(actor, thread)
        return say(ngettext(actor.language, "Reminder in {n} day unless somebody answers",
                            "Reminder in {n} days unless somebody answers", days))  # fmt: skip

    @rx.event
    async def take_back(self, kind: str):
        """Take a reminder back."""
        if as_text(kind) not in ("snooze", "no_reply"):
            return None
        actor, thread = await actor_of(self), await self.get_state(ThreadState)
        await asyncio.to_thread(reminders.cancel, actor, thread.id, kind)
        await self._again(actor, thread)
        return say(gettext(actor.language, "Reminder removed"))

    @rx.event
    async def arrived(self, outbox_id: int):
        """Settle an email of which nobody knew whether it was sent: it arrived."""
        actor = await actor_of(self)
        await asyncio.to_thread(queue.confirm, actor, as_int(outbox_id))
        await (await self.get_state(InboxState))._fill(actor)

    async def _again(self, actor: Actor, thread: ThreadState) -> None:
        await thread._show(actor, thread.id)
        await (await self.get_state(InboxState))._fill(actor)


def moment(choice: str, now: datetime, zone: tzinfo) -> datetime:
    """Return when a choice of the menu is, by the user's clock."""
    if choice == "later":
        return now + LATER
    here = now.astimezone(zone)
    days = {"tomorrow": 1, "monday": 7 - here.weekday(), "week": 7}[choice]
    return datetime.combine(here.date() + timedelta(days=days), datetime.min.time(), zone).replace(hour=MORNING)
