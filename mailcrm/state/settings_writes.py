"""What could not yet be done in the chosen mailbox on the server: each with its reason, to try again or let go.

Filled by state/settings.py, as settings_health.py is. What waits its turn and met no trouble is only counted there.
"""

import asyncio
from dataclasses import dataclass

import reflex as rx

from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import N_, gettext
from mailcrm.services.mail.writeback import shown
from mailcrm.services.mail.writeback.shown import ActionView
from mailcrm.state.coerce import as_int
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say

LISTED = 50
KINDS = {
    "read": N_("Mark as read"),
    "unread": N_("Mark as unread"),
    "archive": N_("Move to the archive"),
    "unarchive": N_("Move back from the archive"),
    "delete": N_("Move to the trash"),
    "undelete": N_("Move back from the trash"),
}


@dataclass(frozen=True)
class WriteRow:
    """One thing to do on the server; `at` is when it was asked for, `next` when it is tried again."""

    id: int
    what: str
    subject: str
    reason: str
    failed: bool
    at: str
    next: str


class WritesState(rx.State):
    """What the mailbox did not take yet."""

    rows: list[WriteRow] = []
    _mailbox_id: int = 0

    @rx.event
    async def retry(self, action_id: int):
        """Try again now."""
        actor = await actor_of(self)
        await asyncio.to_thread(shown.retry, actor, as_int(action_id))
        await self._fill(actor, self._mailbox_id)
        return say(gettext(actor.language, "It is tried again now."))

    @rx.event
    async def dismiss(self, action_id: int):
        """Let it go: nothing more is tried on the server."""
        actor = await actor_of(self)
        await asyncio.to_thread(shown.dismiss, actor, as_int(action_id))
        await self._fill(actor, self._mailbox_id)

    async def _fill(self, actor: Actor, mailbox_id: int) -> None:
        self._mailbox_id = mailbox_id
        if not mailbox_id:
            self.rows = []
            return
        failed = await asyncio.to_thread(shown.failed, actor, mailbox_id, LISTED)
        waiting = await asyncio.to_thread(shown.pending_actions, actor, mailbox_id, LISTED)
        eyes = eyes_of(actor)
        self.rows = [_row(view, eyes) for view in (*failed, *(each for each in waiting if each.sentence))]


def _row(view: ActionView, eyes: Eyes) -> WriteRow:
    when = i18n.short_day(eyes.language, view.next_try_at, eyes.now, eyes.zone) if view.next_try_at else ""
    return WriteRow(
        id=view.id,
        what=eyes.t(KINDS.get(view.kind, view.kind)),
        subject=view.subject or gettext(eyes.language, "(no subject)"),
        reason=view.sentence,
        failed=view.state == "failed",
        at=i18n.short_day(eyes.language, view.created_at, eyes.now, eyes.zone),
        next=gettext(eyes.language, "Next try {time}", time=when) if when and view.state == "queued" else "",
    )
