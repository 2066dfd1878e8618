"""The checklist of first steps. Which browser put it away is kept by assets/density.js, not here."""

import asyncio
from dataclasses import dataclass

import reflex as rx

from mailcrm import routes
from mailcrm.services import first_steps
from mailcrm.services.i18n import N_, gettext
from mailcrm.state.session import actor_of

WORDS = {
    "mailbox": (N_("Connect your email"), routes.SETTINGS_SYNC),
    "deals": (N_("Bring your contacts and deals"), routes.SETTINGS_IMPORT),
    "signature": (N_("Write a signature"), routes.SETTINGS_SIGNATURES),
    "template": (N_("Save an email you write often as a template"), routes.TEMPLATES),
    "colleague": (N_("Invite a colleague"), routes.SETTINGS_PEOPLE),
}


@dataclass(frozen=True)
class StepRow:
    """A step of the list."""

    text: str
    href: str
    done: bool


class FirstStepsState(rx.State):
    """What is left to do; empty when all of it is done."""

    rows: list[StepRow] = []
    done: int = 0

    @rx.event
    async def load(self):
        """Look what is done."""
        actor = await actor_of(self)
        steps = await asyncio.to_thread(first_steps.of, actor)
        left = any(not each.done for each in steps)
        self.done = sum(each.done for each in steps)
        self.rows = [
            StepRow(gettext(actor.language, WORDS[each.name][0]), WORDS[each.name][1], each.done)
            for each in (steps if left else ())
        ]
