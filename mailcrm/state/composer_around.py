"""What stands around an email's text: its deal or one that is proposed, whose consent is missing, how its subject reads.

Part of ComposerState. Shows and saves what is picked; decides nothing: consent is enforced when it is sent.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import reflex as rx

from mailcrm.errors import NotFound
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking.for_draft import for_draft
from mailcrm.services.i18n import N_, gettext
from mailcrm.services.mail.outbox.consent import wants_copies
from mailcrm.services.mail.outbox.views import DraftView
from mailcrm.services.writing import merge_fields
from mailcrm.state.composer_parts import fields_of, script_text
from mailcrm.state.session import actor_of

_WITHOUT = {  # (refused, everybody)
    (True, True): N_("{names} refused tracking, so this email goes out without it."),
    (True, False): N_("{names} refused tracking. Their copy goes out without it."),
    (False, True): N_("{names} did not agree to tracking, so this email goes out without it."),
    (False, False): N_("{names} did not agree to tracking. Their copy goes out without it."),
}
_ASKING = N_("May I see when my emails to you are opened? A short yes or no is enough.")


class Around(rx.State, mixin=True):
    """The strips above the text."""

    deal: str = ""
    lead: str = ""
    thread_deal: str = ""  # the conversation's, which a reply comes into
    offered: str = ""  # the recipients' only open deal
    refused: list[str] = []  # whom the chips mark
    consent: str = ""  # what happens to tracking, "" when everybody may be tracked
    may_ask: bool = False
    several: bool = False  # recipients
    too_many: bool = False  # of them, for a copy each
    fields: list[dict[str, str]] = []  # merge fields, with their values for the recipient
    first: str = ""  # whose values they are
    subject_shown: str = ""  # the subject with its merge fields filled in, "" without any
    _offered_id: int = 0
    _declined: dict[int, int] = {}  # draft -> the deal that its writer does not want

    @rx.event
    async def take_offer(self):
        """Link the email to the deal that is proposed."""
        if self._offered_id and self.draft_id:
            self._deal_id, self._lead_id = self._offered_id, None
            await self._save()
            await self._look_around(await actor_of(self))

    @rx.event
    async def drop_offer(self):
        """Propose it no more for this email."""
        self._declined = {**self._declined, self.draft_id: self._offered_id}
        self.offered, self._offered_id = "", 0

    @rx.event
    async def ask_consent(self):
        """Ask in this email, which goes out untracked."""
        actor = await actor_of(self)
        await self._untrack()
        asking = gettext(actor.language, _ASKING)
        return rx.call_script(f"window.mailcrmEditor?.insertHtml({script_text(f'<p>{asking}</p>')})")

    @rx.event
    async def send_untracked(self):
        """Track nothing of this email."""
        await self._untrack()

    async def _untrack(self) -> None:
        if self.draft_id:
            self.track_opens = self.track_clicks = False
            await self._save()

    def _shown(self, view: DraftView, language: str) -> None:
        """Show what is stored and what follows from it at once."""
        self.deal, self.lead = view.deal_title or "", view.lead_title or ""
        self.refused = list(view.untracked)
        self.consent = consent_said(view, language)
        self.may_ask = bool(view.untracked) and not view.refused
        people = [each.address for each in view.recipients]
        self.several = len({each.lower() for each in people}) > 1
        self.too_many = self.several and not wants_copies(True, people)
        to = next((each for each in view.recipients if each.role == "to"), None)
        self.first = (to.name or to.address) if to is not None else ""
        self._read_subject(view)

    async def _look_around(self, actor: Actor) -> None:
        """Read what depends on the recipients: merge fields' values, the deal to propose."""
        draft_id = self.draft_id
        self.fields = await fields_of(actor, draft_id)
        try:
            found = await asyncio.to_thread(for_draft, actor, draft_id)
        except NotFound:  # sent or thrown away meanwhile
            found = None
        self.thread_deal = found.title if found is not None and found.kind == "thread" else ""
        open_ = found if found is not None and found.kind == "open" else None
        wanted = open_ is not None and self._declined.get(draft_id) != open_.id
        self.offered, self._offered_id = (open_.title, open_.id) if open_ is not None and wanted else ("", 0)
        self._read_subject()

    def _read_subject(self, view: DraftView | None = None) -> None:
        """Fill the subject in for the preview; in an answer braces are the other side's words (fill.py)."""
        if view is not None:
            self._answers = view.reply_to_message_id is not None
        self.subject_shown = ""
        if "{{" in self.subject and not self._answers:
            known = {each["name"]: each["value"] for each in self.fields if each["value"]}
            labels = {each["name"]: each["label"] for each in self.fields}
            self.subject_shown = merge_fields.fill_text(self.subject, known, labels=labels).content

    _answers: bool = False

    if TYPE_CHECKING:  # ComposerState has them
        draft_id: int
        subject: str
        track_opens: bool
        track_clicks: bool
        _deal_id: int | None
        _lead_id: int | None

        async def _save(self) -> None: ...


def consent_said(view: Any, language: str) -> str:
    """Say who goes untracked and what they get (T09), "" when everybody may be tracked."""
    everybody = len(view.untracked) >= len({each.address.lower() for each in view.recipients})
    said: list[str] = []
    for refused in (True, False):
        names = [name for name in view.untracked if (name in view.refused) is refused]
        if names:
            said.append(gettext(language, _WITHOUT[refused, everybody], names=", ".join(names)))
    return " ".join(said)
