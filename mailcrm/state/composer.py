"""The composer: one draft at a time, saved in the database as it is written (reconnects may lose a tab's state).

Docked over every page, or in place on a deal or a person. Fields are uncontrolled: the browser owns what is typed,
each pause saves it, and Send posts the whole form, so nothing typed in the last moment is lost.
"""

import asyncio
import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.outbox import draft as drafts
from mailcrm.services.mail.outbox import queue
from mailcrm.services.mail.outbox.views import DraftInput
from mailcrm.state.coerce import as_form, as_int, as_text
from mailcrm.state.present import eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say

UNDO_S = 10  # DESIGN §5; held on the server
MOST_HTML = 900_000  # characters; the socket closes at 1,000,000 bytes
MODES = ("new", "reply", "reply_all", "forward")
FIELDS = ("to", "cc", "bcc", "subject")
QUOTE_SHOWN = 2_000  # characters; the whole quote stays on the server
_QUOTE = re.compile(r'<p[^>]*class="mailcrm-attribution"|<blockquote[^>]*class="mailcrm-quote"')
_EMPTY = re.compile(r"(?:<p[^>]*>(?:<br[^>]*>)?</p>\s*)*")
_BREAK = re.compile(r"<br[^>]*>|</p>|</div>|</blockquote>")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Option:
    """A mailbox to send from."""

    id: int
    label: str


@dataclass(frozen=True)
class DraftFile:
    """An attachment of the draft."""

    id: int
    name: str
    size: str


class ComposerState(rx.State):
    """The draft that is being written."""

    draft_id: int = 0
    version: int = 0  # another one gives the fields and the editor fresh texts
    place: str = ""  # "" closed, "dock" over the page, "record" in place
    title: str = ""
    mailboxes: list[Option] = []
    from_id: int = 0
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    html: str = ""
    show_cc: bool = False
    quote: str = ""
    track_opens: bool = False
    track_clicks: bool = False
    visibility: str = "private"
    deal: str = ""
    files: list[DraftFile] = []
    bad: list[str] = []
    wrong: str = ""
    saved: str = ""
    untracked: str = ""
    sending: bool = False
    _quote: str = ""
    _deal_id: int | None = None
    _untouched: bool = False

    @rx.event
    async def compose(self):
        """Open an empty email over the page."""
        return await self._start("dock", mode="new")

    @rx.event
    async def compose_to(self, address: str):
        """Open an email to an address over the page."""
        return await self._start("dock", mode="new", to=as_text(address, 320))

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
        await self._take(actor, await asyncio.to_thread(drafts.get, actor, as_int(draft_id)), "dock")

    @rx.event
    async def change(self, field: str, value: str, version: int):
        """Save one field as it was typed."""
        if field not in FIELDS or not self.draft_id or version != self.version:
            return
        setattr(self, field, as_text(value, 4_000))
        self.wrong, self.bad = "", []
        await self._save()

    @rx.event
    async def change_body(self, html: str, version: int):
        """Save the body as it was typed; `version` keeps a late pause of one draft out of the next."""
        if not self.draft_id or version != self.version:
            return
        self.html = as_text(html, MOST_HTML)  # so that the editor of the next page begins with it
        await self._save()

    @rx.event
    async def choose_from(self, mailbox_id: str):
        """Send from another of one's mailboxes."""
        chosen = as_int(mailbox_id)
        if any(each.id == chosen for each in self.mailboxes):
            self.from_id = chosen
            await self._save()

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
    async def toggle_visibility(self):
        """Choose who will see this email (M26)."""
        self.visibility = "shared" if self.visibility == "private" else "private"
        await self._save()

    @rx.event
    async def more_fields(self):
        """Show Cc and Bcc."""
        self.show_cc = True

    @rx.event
    async def drop_quote(self):
        """Send without the quoted original."""
        self._quote = self.quote = ""
        await self._save()

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
            if name in fields:
                setattr(self, name, fields[name])
        self.sending, self.wrong, self.bad = True, "", []
        yield
        actor = await actor_of(self)
        try:
            if not await self._addresses_fit(actor):
                return
            await self._save()
            queued = await asyncio.to_thread(queue.send, actor, self.draft_id, delay_s=UNDO_S)
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        finally:
            self.sending = False
        self._shut()
        label = gettext(actor.language, "Undo")
        action = {"label": label, "on_click": ComposerState.undo(queued.id)}
        said = gettext(actor.language, "Sending in {n} s", n=UNDO_S)
        yield say(said, action=action, duration=UNDO_S * 1000)

    @rx.event
    async def undo(self, outbox_id: int):
        """Take the email back while it waits, and open it again."""
        actor = await actor_of(self)
        view = await asyncio.to_thread(queue.undo, actor, as_int(outbox_id))
        await self._take(actor, view, "dock")

    @rx.event
    async def close(self):
        """Close and keep the draft; one that nobody wrote in is not kept."""
        untouched, draft_id = self._untouched, self.draft_id
        self._shut()
        if untouched:
            await asyncio.to_thread(drafts.discard, await actor_of(self), draft_id)

    @rx.event
    async def discard(self):
        """Close and throw the draft away."""
        actor, draft_id = await actor_of(self), self.draft_id
        self._shut()
        if draft_id:
            await asyncio.to_thread(drafts.discard, actor, draft_id)
        return say(gettext(actor.language, "Draft discarded"))

    async def _start(self, place: str, **wanted: Any) -> Any:
        actor = await actor_of(self)
        if not await asyncio.to_thread(mailboxes.list_mailboxes, actor):
            said = gettext(actor.language, "Connect a mailbox first, then you can write from it.")
            return [say(said), rx.redirect(routes.SETTINGS_SYNC)]
        view = await asyncio.to_thread(drafts.new_draft, actor, **wanted)
        await self._take(actor, view, place)
        self._untouched = True
        return None

    async def _take(self, actor: Actor, view: Any, place: str) -> None:
        found = await asyncio.to_thread(mailboxes.list_mailboxes, actor)
        self.mailboxes = [Option(each.id, each.address) for each in found]
        self.draft_id, self.place, self.from_id = view.id, place, view.mailbox_id
        self.to, self.cc, self.bcc, self.subject = view.to, view.cc, view.bcc, view.subject
        self.html, self._quote = split_quote(view.html)
        self.quote = quote_text(self._quote)
        self.version += 1
        self.show_cc = bool(view.cc or view.bcc)
        self.track_opens, self.track_clicks = view.track_opens, view.track_clicks
        self.visibility, self.deal, self._deal_id = view.visibility, view.deal_title or "", view.deal_id
        self.files = [
            DraftFile(each.n, each.filename, i18n.format_size(each.size, actor.language))
            for each in view.attachments
            if not each.inline
        ]
        self._untouched = False
        self.title = view.subject or gettext(actor.language, "New email")
        self.bad, self.saved, self.sending = [], "", False
        self.wrong = i18n.sentence_of(view.error_code, actor.language, **view.error_params) if view.error_code else ""
        self.untracked = ", ".join(view.untracked)

    async def _addresses_fit(self, actor: Actor) -> bool:
        said = {name: getattr(self, name) for name in ("to", "cc", "bcc")}
        bad = []
        for text in said.values():
            bad += [each.address for each in await asyncio.to_thread(drafts.check_addresses, text) if not each.ok]
        self.bad = bad
        if bad:
            self.wrong = gettext(actor.language, "Check these addresses: {addresses}", addresses=", ".join(bad)[:200])
        elif not any(text.strip() for text in said.values()):
            self.wrong = gettext(actor.language, "Add a recipient, then send.")
        return not self.wrong

    async def _save(self) -> None:
        self._untouched = False
        actor = await actor_of(self)
        said = {name: getattr(self, name) for name in FIELDS}
        entered = DraftInput(
            mailbox_id=self.from_id,
            html=self.html + self._quote,
            track_opens=self.track_opens,
            track_clicks=self.track_clicks,
            visibility=self.visibility,
            deal_id=self._deal_id,
            **said,
        )
        view = await asyncio.to_thread(drafts.save, actor, self.draft_id, entered)
        self.untracked = ", ".join(view.untracked)
        eyes = eyes_of(actor)
        self.saved = gettext(actor.language, "Draft saved {time}", time=i18n.clock(actor.language, eyes.now, eyes.zone))

    def _shut(self) -> None:
        version = self.version
        self.reset()
        self.version = version


def split_quote(html: str) -> tuple[str, str]:
    """Part a draft into what is written and the quoted original below it.

    The editor would drop the quote's class, and with it the mark that keeps tracking away from a stranger's links.
    """
    found = _QUOTE.search(html)
    written, quote = (html[: found.start()], html[found.start() :]) if found else (html, "")
    return ("" if _EMPTY.fullmatch(written) else written), quote


def quote_text(html: str) -> str:
    """Return the beginning of a quote as plain text, for the composer to show."""
    text = _TAG.sub("", _BREAK.sub("\n", html))
    return "\n".join(line for line in unescape(text).splitlines() if line.strip())[:QUOTE_SHOWN]
