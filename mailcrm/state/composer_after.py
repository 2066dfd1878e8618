"""What becomes of the conversation when its answer is sent: it stays, is done (archived), or comes back later (B13).

Part of ComposerState. Done when the answer is queued; undoing the sending undoes it.
"""

import asyncio
import contextlib

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services.access import Actor
from mailcrm.services.mail import reminders, threads
from mailcrm.services.mail.outbox.views import DraftView
from mailcrm.state.coerce import as_text
from mailcrm.state.present import eyes_of
from mailcrm.state.remind import moment

AFTER = ("", "done", "tomorrow", "monday", "week")
KEPT = 20  # sendings whose undo is still known here; the window is half a minute at most


class After(rx.State, mixin=True):
    """The choice, and what was done for it."""

    answers: bool = False  # it belongs to a conversation
    after: str = ""
    _answered: int = 0  # the message
    _done: dict[int, tuple[int, str]] = {}  # outbox id -> the conversation and what became of it

    @rx.event
    async def choose_after(self, choice: str):
        """Choose what becomes of the conversation when this is sent."""
        self.after = as_text(choice) if as_text(choice) in AFTER else ""

    def _belongs(self, view: DraftView) -> None:
        self._answered = view.reply_to_message_id or 0
        self.answers, self.after = bool(self._answered), ""

    async def _afterwards(self, actor: Actor, outbox_id: int) -> None:
        if not self.after or not self._answered:
            return
        with contextlib.suppress(
            MailcrmError
        ):  # a colleague's conversation, or one that is gone: it was sent all the same
            thread_id = await asyncio.to_thread(threads.thread_of_message, actor, self._answered)
            if self.after == "done":
                await asyncio.to_thread(threads.archive, actor, thread_id)
            else:
                eyes = eyes_of(actor)
                await asyncio.to_thread(reminders.snooze, actor, thread_id, moment(self.after, eyes.now, eyes.zone))
            self._done = {**dict(list(self._done.items())[1 - KEPT :]), outbox_id: (thread_id, self.after)}

    async def _as_before(self, actor: Actor, outbox_id: int) -> None:
        thread_id, after = self._done.pop(outbox_id, (0, ""))
        if not thread_id:
            return
        with contextlib.suppress(MailcrmError):
            if after == "done":
                await asyncio.to_thread(threads.archive, actor, thread_id, False)
            else:
                await asyncio.to_thread(reminders.cancel, actor, thread_id, "snooze")
