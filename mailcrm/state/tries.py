"""The tries to hand one email over, as a list under its row in the outbox: when, how far, what the server said."""

import asyncio
from dataclasses import dataclass

import reflex as rx

from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.outbox import attempts
from mailcrm.services.mail.outbox import draft as drafts
from mailcrm.state.coerce import as_int
from mailcrm.state.present import eyes_of
from mailcrm.state.session import actor_of


@dataclass(frozen=True)
class Try:
    """One try; `outcome`: running, sent, later, failed, unknown."""

    n: int
    at: str
    outcome: str
    said: str


class TriesState(rx.State):
    """Whose tries are shown."""

    open_id: int = 0
    rows: list[Try] = []

    @rx.event
    async def show(self, outbox_id: int):
        """Show the tries of an email, or fold them away."""
        outbox_id = as_int(outbox_id)
        if outbox_id == self.open_id:
            self.reset()
            return
        actor = await actor_of(self)
        eyes = eyes_of(actor)
        host, found = await asyncio.to_thread(_read, actor, outbox_id)
        self.open_id = outbox_id
        self.rows = [
            Try(
                each.n,
                i18n.long_day(eyes.language, each.started_at, eyes.now, eyes.zone),
                each.outcome,
                attempts.said(each, host, eyes.language),
            )
            for each in reversed(found)
        ]


def _read(actor: Actor, outbox_id: int) -> tuple[str, tuple[attempts.AttemptView, ...]]:
    found = attempts.list_attempts(actor, outbox_id)
    return mailboxes.get(actor, drafts.get(actor, outbox_id).mailbox_id).smtp_host, found
