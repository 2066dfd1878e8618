"""How an email is begun or opened again: empty, to an address, as an answer, from a mailto: link, from a draft.

Part of ComposerState. Takes what a service returns into the fields; saves through the composer's own `_save`.
"""

import asyncio
from html import escape
from typing import TYPE_CHECKING, Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import UserError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.mailto import parse_mailto
from mailcrm.services.mail.outbox import draft as drafts
from mailcrm.services.mail.outbox import queue
from mailcrm.services.mail.outbox.reopen import reopen
from mailcrm.services.mail.outbox.views import DraftView
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.composer_parts import Option, Tab, quote_page, split_quote
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say

MODES = ("new", "reply", "reply_all", "forward")


class Opening(rx.State, mixin=True):
    """The ways into the composer."""

    @rx.event
    async def compose(self):
        """Open an empty email over the page."""
        return await self._start("dock", mode="new")

    @rx.event
    async def compose_to(self, address: str):
        """Open an email to an address over the page."""
        return await self._start("dock", mode="new", to=as_text(address, 320))

    @rx.event
    async def compose_mailto(self, link: str):
        """Open what a mailto: link asks for (M18): addresses, subject and text, nothing else of it."""
        asked = parse_mailto(as_text(link, 32_000))
        unable = await self._start("dock", mode="new")
        if unable is not None:
            return unable
        self.to, self.cc, self.bcc, self.subject = asked.to, asked.cc, asked.bcc, asked.subject
        if asked.body:
            self.html = "".join(f"<p>{escape(line)}</p>" for line in asked.body.split("\n")) + self.html
        await self._save()
        await self._look_around(await actor_of(self))
        self.title = self.subject or self.title
        self.version += 1
        self._recent = {self.version: self.draft_id}
        return None

    @rx.event
    async def reply(self, message_id: int, mode: str, place: str):
        """Answer or forward a message, over the page or in place on a record."""
        mode = mode if mode in MODES else "reply"
        place = "record" if place == "record" else "dock"
        return await self._start(place, mode=mode, reply_to_message_id=as_int(message_id))

    @rx.event
    async def compose_here(self, address: str, deal_id: int):
        """Open an email in place on a deal's or a person's page."""
        deal_id = as_int(deal_id)
        return await self._start("record", mode="new", to=as_text(address, 320), deal_id=deal_id or None)

    @rx.event
    async def open_draft(self, draft_id: int):
        """Go on with a draft."""
        actor = await actor_of(self)
        draft_id = as_int(draft_id)
        view = await asyncio.to_thread(drafts.get, actor, draft_id)
        if view.state in ("queued", "failed", "unknown"):
            view = await self._take_back(actor, view)
        await self._put_aside(draft_id)
        self.tabs = [each for each in self.tabs if each.id != draft_id]
        await self._take(actor, view, "dock")

    async def _start(self, place: str, **wanted: Any) -> Any:
        actor = await actor_of(self)
        await self._put_aside(0)
        if not await asyncio.to_thread(mailboxes.list_mailboxes, actor):
            said = gettext(actor.language, "Connect a mailbox first, then you can write from it.")
            return [say(said), rx.redirect(routes.SETTINGS_SYNC)]
        view = await asyncio.to_thread(drafts.new_draft, actor, **wanted)
        await self._take(actor, view, place)
        self._untouched = True
        return None

    async def _take(self, actor: Actor, view: Any, place: str) -> None:
        found = await asyncio.to_thread(mailboxes.senders, actor)
        self.mailboxes = [Option(f"{box}:{alias}" if alias else str(box), address) for box, alias, address in found]
        alias = view.from_address.lower()
        self._alias = next((each for box, each, _ in found if box == view.mailbox_id and each.lower() == alias), "")
        self.sender = f"{view.mailbox_id}:{self._alias}" if self._alias else str(view.mailbox_id)
        self.draft_id, self.place, self.from_id = view.id, place, view.mailbox_id
        self._opened_at = self._page()
        self.to, self.cc, self.bcc, self.subject = view.to, view.cc, view.bcc, view.subject
        self.html, self._quote = split_quote(view.html)
        self.quote = quote_page(self._quote)
        self.version += 1
        self._recent = {**dict(list(self._recent.items())[-20:]), self.version: view.id}
        self._files = len(view.attachments)
        self.track_opens, self.track_clicks = view.track_opens, view.track_clicks
        self.track_copies = view.track_copies
        self.visibility = view.visibility
        self._deal_id, self._lead_id = view.deal_id, view.lead_id
        self._signature_id, self._template_id, self._revision = view.signature_id, view.template_id, view.revision
        self._untouched = False
        self._belongs(view)
        self.title = view.subject or gettext(actor.language, "New email")
        self.saved, self.sending, self.plain = "", False, view.plain
        self.stale = self.lacking = self.later = False
        self.remind = view.remind_days or 0
        self.wrong = i18n.sentence_of(view.error_code, actor.language, **view.error_params) if view.error_code else ""
        self._shown(view, actor.language)
        await self._look_around(actor)

    def _took_template(self, view: Any) -> None:
        self.subject, self._template_id, self._revision = view.subject, view.template_id, view.revision

    async def _take_back(self, actor: Actor, view: Any) -> Any:
        """Open what waits or failed as a draft again, with the reason of the failure."""
        if view.state == "unknown":
            raise UserError("outbox.not_draft")
        back = queue.undo if view.state == "queued" else reopen
        return await asyncio.to_thread(back, actor, view.id)

    if TYPE_CHECKING:  # ComposerState has them
        draft_id: int
        version: int
        place: str
        title: str
        tabs: list[Tab]
        mailboxes: list[Option]
        sender: str
        from_id: int
        to: str
        cc: str
        bcc: str
        subject: str
        html: str
        quote: str
        track_opens: bool
        track_clicks: bool
        track_copies: bool
        visibility: str
        stale: bool
        lacking: bool
        later: bool
        wrong: str
        saved: str
        plain: bool
        sending: bool
        remind: int
        _alias: str
        _quote: str
        _files: int
        _untouched: bool
        _opened_at: str
        _deal_id: int | None
        _lead_id: int | None
        _signature_id: int | None
        _template_id: int | None
        _revision: int
        _recent: dict[int, int]

        async def _save(self) -> None: ...
        async def _look_around(self, actor: Actor) -> None: ...
        async def _put_aside(self, instead: int) -> None: ...
        def _page(self) -> str: ...
        def _belongs(self, view: DraftView) -> None: ...
        def _shown(self, view: DraftView, language: str) -> None: ...
