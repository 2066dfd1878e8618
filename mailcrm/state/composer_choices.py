"""What is chosen about an email beside its text: tracking, who sees it, what it is about, its quote,
when it leaves, a reminder. Part of ComposerState.

Saves through the composer's own `_save`; does not send.
"""

from datetime import datetime
from typing import TYPE_CHECKING

import reflex as rx

from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.mail.outbox.presets import presets
from mailcrm.state.coerce import as_int
from mailcrm.state.composer_parts import Later
from mailcrm.state.present import eyes_of
from mailcrm.state.session import actor_of

REMIND = (0, 1, 2, 3, 5, 7, 14, 30)  # days


class Choices(rx.State, mixin=True):
    """The choices and their handlers."""

    draft_id: int = 0
    track_opens: bool = False
    track_clicks: bool = False
    track_copies: bool = False
    visibility: str = "private"
    later: bool = False  # the choice of a time is open
    times: list[Later] = []
    remind: int = 0  # days
    zone: str = ""
    quote: str = ""
    _quote: str = ""
    _deal_id: int | None = None
    _lead_id: int | None = None

    @rx.event
    async def toggle_opens(self):
        """Track opens of this email, or not (T04)."""
        self.track_opens = not self.track_opens
        await self._save()

    @rx.event
    async def toggle_clicks(self):
        """Track links of this email, or not (T04)."""
        self.track_clicks = not self.track_clicks
        await self._save()

    @rx.event
    async def toggle_copies(self):
        """Send each recipient a copy of their own, or one email for all (B04)."""
        self.track_copies = not self.track_copies
        await self._save()

    @rx.event
    async def toggle_visibility(self):
        """Choose who will see this email (M26)."""
        self.visibility = "shared" if self.visibility == "private" else "private"
        await self._save()

    @rx.event
    async def toggle_later(self):
        """Open or close the choice of a time."""
        if not self.draft_id:
            return
        self.later = not self.later
        eyes = eyes_of(await actor_of(self))
        now = eyes.now.astimezone(eyes.zone)
        self.zone = str(eyes.zone)
        self.times = [
            Later(
                each.kind,
                each.local,
                i18n.long_day(
                    eyes.language, datetime.fromisoformat(each.local).replace(tzinfo=eyes.zone), now, eyes.zone
                ),
            )
            for each in presets(now)
        ]

    @rx.event
    async def choose_remind(self, days: str):
        """Ask to be reminded when nobody answers for so many days (B13)."""
        self.remind = as_int(days) if as_int(days) in REMIND else 0
        if self.draft_id:
            await self._save()

    @rx.event
    async def link_to(self, kind: str, row_id: int):
        """Link the email to a deal or a lead; anything else takes the link off."""
        row_id = as_int(row_id)
        self._deal_id = row_id if kind == "deal" and row_id else None
        self._lead_id = row_id if kind == "lead" and row_id else None
        await self._save()
        await self._look_around(await actor_of(self))

    @rx.event
    async def drop_quote(self):
        """Send without the quoted original."""
        self._quote = self.quote = ""
        await self._save()

    if TYPE_CHECKING:  # ComposerState has it

        async def _save(self) -> None: ...
        async def _look_around(self, actor: Actor) -> None: ...
