"""The last steps of connecting: folders and history, then the defaults, while the first email comes in (M09, M14).

Every choice is saved by the state it belongs to, at once (settings_folders, settings); leaving the steps loses nothing.
"""

import asyncio

import reflex as rx

from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.mail import twins
from mailcrm.state.coerce import as_int

FOLDERS, DEFAULTS = 3, 4  # as the wizard counts them


class FreshState(rx.State):
    """The mailbox that was just connected, and the step that is shown."""

    mailbox_id: int = 0
    address: str = ""
    shared: str = ""
    step: int = FOLDERS

    @rx.event
    async def go(self, step: int):
        """Show one of the two steps."""
        self.step = DEFAULTS if as_int(step) == DEFAULTS else FOLDERS

    @rx.event
    async def close(self):
        """Put the steps away, done or skipped: what was chosen holds, and the rest is as it was."""
        self._end()

    def _end(self) -> None:
        self.mailbox_id, self.address, self.shared, self.step = 0, "", "", FOLDERS

    async def _begin(self, actor: Actor, mailbox_id: int, address: str) -> None:
        """Show the steps of a mailbox; who else has it is told to those only who got into it."""
        self.mailbox_id, self.address, self.shared, self.step = mailbox_id, address, "", FOLDERS
        others = await asyncio.to_thread(twins.others, actor, mailbox_id)
        if others:
            self.shared = gettext(
                actor.language,
                "{name} syncs this mailbox, too. Each of you has an own copy; contacts and deals show it once.",
                name=", ".join(others),
            )
