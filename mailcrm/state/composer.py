"""The composer: one draft at a time, saved in the database as it is written (reconnects may lose a tab's state).

Docked over every page, or in place on a deal or a person. Fields are uncontrolled: the browser owns what is typed,
each pause saves it, and Send posts the whole form, so nothing typed in the last moment is lost. Here is what is typed
and saved; how it begins is composer_open.py, how it ends composer_send.py.
"""

import asyncio

import reflex as rx

from mailcrm.services import i18n
from mailcrm.services.i18n import gettext
from mailcrm.services.mail.outbox import draft as drafts
from mailcrm.services.mail.outbox.views import DraftInput, DraftNewer
from mailcrm.services.writing import signatures
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.composer_after import After
from mailcrm.state.composer_around import Around
from mailcrm.state.composer_choices import Choices
from mailcrm.state.composer_late import save_late
from mailcrm.state.composer_open import Opening
from mailcrm.state.composer_parts import FIELDS, MOST_HTML, MOST_LIST, Option, script_text
from mailcrm.state.composer_send import Sending
from mailcrm.state.composer_tabs import Tabs
from mailcrm.state.present import eyes_of
from mailcrm.state.session import actor_of


class ComposerState(Opening, Sending, Choices, After, Around, Tabs, rx.State):
    """The draft that is being written."""

    version: int = 0  # another one gives the fields and the editor fresh texts
    mailboxes: list[Option] = []
    sender: str = ""
    from_id: int = 0
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    html: str = ""
    stale: bool = False  # another tab saved a newer text
    lacking: bool = False  # Send stopped at merge fields without a value
    wrong: str = ""
    saved: str = ""
    plain: bool = False
    saved_body: int = 0  # the editor's number of the last text that is in the database
    sending: bool = False
    _alias: str = ""
    _signature_id: int | None = None
    _template_id: int | None = None
    _revision: int = 0
    _recent: dict[int, int] = {}  # version -> draft: a late pause of typing belongs to the draft it was typed in

    @rx.event
    async def change(self, field: str, value: str, version: int):
        """Save one field as it was typed."""
        if field not in FIELDS:
            return
        if not self.draft_id or version != self.version:
            await save_late(self, as_int(version), field, as_text(value, MOST_LIST))
            return
        before, entered = getattr(self, field), as_text(value, MOST_LIST)
        if entered == before:
            return  # Send was faster, and its answer stays on the screen
        setattr(self, field, entered)
        self.wrong, self.lacking = "", False
        await self._save()
        if field == "subject":
            self.title = self.subject or gettext((await actor_of(self)).language, "New email")
        else:
            await self._look_around(await actor_of(self))

    @rx.event
    async def change_body(self, html: str, number: int, version: int):
        """Save the body as it was typed and confirm it by its number; `version` keeps a late one out of the next draft."""
        if not self.draft_id or version != self.version:
            await save_late(self, as_int(version), "html", as_text(html, MOST_HTML))
            return
        self.html = as_text(html, MOST_HTML)  # so that the editor of the next page begins with it
        await self._save()
        self.saved_body = as_int(number)

    @rx.event
    async def change_plain(self, plain: bool, version: int):
        """Write without formatting, or with."""
        if self.draft_id and version == self.version:
            self.plain = plain is True
            await self._save()

    @rx.event
    async def choose_from(self, sender: str):
        """Send from another of one's mailboxes or aliases; the signature follows (M08)."""
        sender = as_text(sender, 400)
        if not self.draft_id or all(each.id != sender for each in self.mailboxes):
            return None
        number, _, self._alias = sender.partition(":")
        moved = as_int(number) != self.from_id
        self.sender, self.from_id = sender, as_int(number)
        await self._save()
        if not moved or self.stale:
            return None
        actor = await actor_of(self)
        view = await asyncio.to_thread(signatures.follow_sender, actor, self.draft_id)
        self._revision, self._signature_id = view.revision, view.signature_id
        chosen = None
        if view.signature_id is not None:
            chosen = await asyncio.to_thread(signatures.get, actor, view.signature_id)
        said = f"{chosen.id}, {script_text(chosen.html)}" if chosen is not None else "0, ''"
        return rx.call_script(f"window.mailcrmEditor?.setSignature({said})")

    @rx.event
    async def load_newer(self):
        """Take the text that another tab saved."""
        self._recent = {}  # what is still under way from here is the older text
        actor = await actor_of(self)
        await self._take(actor, await asyncio.to_thread(drafts.get, actor, self.draft_id), self.place)

    @rx.event
    async def keep_mine(self):
        """Save this tab's text over the newer one, as its writer decided."""
        actor = await actor_of(self)
        self._revision = (await asyncio.to_thread(drafts.get, actor, self.draft_id)).revision
        self.stale, self.wrong = False, ""
        await self._save()

    async def _save(self) -> None:
        self._untouched = False
        actor = await actor_of(self)
        said = {name: getattr(self, name) for name in FIELDS}
        entered = DraftInput(
            mailbox_id=self.from_id,
            html=self.html + self._quote,
            track_opens=self.track_opens,
            track_clicks=self.track_clicks,
            track_copies=self.track_copies,
            visibility=self.visibility,
            deal_id=self._deal_id,
            lead_id=self._lead_id,
            from_address=self._alias,
            signature_id=self._signature_id,
            template_id=self._template_id,
            plain=self.plain,
            remind_days=self.remind or None,
            revision=self._revision,
            **said,
        )
        try:
            view = await asyncio.to_thread(drafts.save, actor, self.draft_id, entered)
        except DraftNewer:
            self.stale = True
            return
        self._revision = view.revision
        self._shown(view, actor.language)
        eyes = eyes_of(actor)
        self.saved = gettext(actor.language, "Draft saved {time}", time=i18n.clock(actor.language, eyes.now, eyes.zone))

    def _shut(self) -> None:
        version, tabs, recent = self.version, self.tabs, self._recent
        declined, done = self._declined, self._done
        self.reset()
        self.version, self.tabs, self._recent = version, tabs, recent
        self._declined, self._done = declined, done
