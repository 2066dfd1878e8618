"""How an email leaves the composer: sent, taken back, closed and kept, thrown away. Part of ComposerState.

Queues through services; what stops it is said in the composer, which stays open with everything in it.
"""

import asyncio
from typing import TYPE_CHECKING

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.mail.outbox import draft as drafts
from mailcrm.services.mail.outbox import queue
from mailcrm.services.mail.outbox.views import DraftView
from mailcrm.state.coerce import as_form, as_int, as_text
from mailcrm.state.composer_late import on_its_way, tidy_later, wrong_addresses
from mailcrm.state.composer_parts import FIELDS, MOST_HTML, MOST_LIST
from mailcrm.state.present import eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say


class Sending(rx.State, mixin=True):
    """The ways out of the composer."""

    @rx.event
    async def send(self, form: dict):
        """Queue the email with everything in the form; it leaves after the undo window."""
        if not self.draft_id or self.sending:
            return
        fields = as_form(form)
        raw = form.get("html") if isinstance(form, dict) else None
        if isinstance(raw, str):
            self.html = as_text(raw, MOST_HTML)
        for name in FIELDS:
            if isinstance(form.get(name), str):
                setattr(self, name, as_text(form[name], MOST_LIST))
        local = fields.get("later", "")
        self.sending, self.wrong, self.lacking = True, "", False
        yield
        actor = await actor_of(self)
        try:
            said = {name: getattr(self, name) for name in ("to", "cc", "bcc")}
            self.wrong = await asyncio.to_thread(wrong_addresses, actor, said)
            if self.wrong:
                return
            await self._save()
            if self.stale:
                return
            queued = await asyncio.to_thread(
                queue.send,
                actor,
                self.draft_id,
                send_local=local,
                send_zone=str(eyes_of(actor).zone) if local else "",
                remind_days=self.remind or None,
                send_anyway=fields.get("anyway") == "1",
            )
        except MailcrmError as error:
            self.wrong, self.lacking = i18n.sentence(error, actor.language), error.code == "outbox.empty_fields"
            return
        finally:
            self.sending = False
        await self._afterwards(actor, queued.id)
        self._shut()
        yield on_its_way(actor, queued, type(self).undo(queued.id), scheduled=bool(local))

    @rx.event
    async def undo(self, outbox_id: int):
        """Take the email back while it waits, and open it again."""
        actor = await actor_of(self)
        view = await asyncio.to_thread(queue.undo, actor, as_int(outbox_id))
        await self._as_before(actor, view.id)
        await self._take(actor, view, "dock")

    @rx.event
    async def close(self):
        """Close and keep the draft; one that nobody wrote in is not kept."""
        untouched, draft_id, files = self._untouched, self.draft_id, self._files
        self._shut()
        if untouched:
            tidy_later(await actor_of(self), draft_id, files)

    @rx.event
    async def discard(self):
        """Close and throw the draft away."""
        actor, draft_id = await actor_of(self), self.draft_id
        self._shut()
        if draft_id:
            await asyncio.to_thread(drafts.discard, actor, draft_id)
        return say(gettext(actor.language, "Draft discarded"))

    if TYPE_CHECKING:  # ComposerState has them
        draft_id: int
        html: str
        wrong: str
        lacking: bool
        sending: bool
        stale: bool
        remind: int
        _untouched: bool
        _files: int

        async def _save(self) -> None: ...
        async def _afterwards(self, actor: Actor, outbox_id: int) -> None: ...
        async def _as_before(self, actor: Actor, outbox_id: int) -> None: ...
        async def _take(self, actor: Actor, view: DraftView, place: str) -> None: ...
        def _shut(self) -> None: ...
