"""Links from the interface: why something is linked, and several conversations at once.

Each act has its Undo. What an undo needs stays on the server (`_done`), so that no browser can name other links.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import reflex as rx

from mailcrm.errors import MailcrmError, NotFound
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import link as linking
from mailcrm.services.crm.linking import search
from mailcrm.services.crm.linking.why import Reason, why
from mailcrm.services.i18n import gettext, ngettext
from mailcrm.services.mail import threads
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.inbox import InboxState
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import warn
from mailcrm.state.undoing import Acts, noted, offer, taken

MOST = 1000  # conversations picked at once in a tab
ICONS = {"person": "user-round", "deal": "circle-dollar-sign", "lead": "sprout"}
YOU = i18n.N_("You linked this.")
SOMEBODY = i18n.N_("{name} linked this.")
UNTOLD = i18n.N_("Linked because of who takes part.")  # who that is may be private, or the person is gone
#: Codes of match.py and what they say.
BECAUSE = {
    "address": i18n.N_("Linked because {address} is {person}."),
    "composer": i18n.N_("Chosen when the email was written."),
    "one_open_deal": i18n.N_("Linked because {address} is {person}, whose only open deal this is."),
    "newest_deal": i18n.N_("Linked because {address} is {person}, whose newest open deal this is."),
    "open_deals": i18n.N_("Linked because {address} is {person}, one of whose open deals this is."),
    "one_open_lead": i18n.N_("Linked because {address} is {person}, whose only open lead this is."),
    "smart_bcc": i18n.N_("Linked because the email came through this deal’s Smart Bcc address."),
}


@dataclass(frozen=True)
class WhyRow:
    """A link and its reason."""

    id: int
    kind: str
    icon: str
    title: str
    text: str
    can_unlink: bool


@dataclass(frozen=True)
class TargetRow:
    """Something to link to."""

    id: int
    kind: str
    icon: str
    title: str
    about: str


class WhyState(rx.State):
    """Which reasons are open; `place` names the button they hang on."""

    place: str = ""
    rows: list[WhyRow] = []
    _thread_id: int = 0

    @rx.event
    async def show(self, place: str, thread_id: int, is_open: bool):
        """Open the reasons of a conversation's links, or close them."""
        self.place, self._thread_id = (as_text(place, 40), as_int(thread_id)) if is_open is True else ("", 0)
        self.rows = []
        if self.place:
            await self._fill(await actor_of(self))

    @rx.event
    async def unlink(self, link_id: int):
        """Take a link off; it is remembered (M30), and can be undone."""
        actor, link_id = await actor_of(self), as_int(link_id)
        title = next((row.title for row in self.rows if row.id == link_id), "")
        await asyncio.to_thread(linking.unlink, actor, link_id)
        self.place, self.rows = "", []
        said = gettext(actor.language, "“{title}” unlinked", title=title)
        return [offer(actor, said, WhyState.relink(link_id)), InboxState.refresh]

    @rx.event
    async def relink(self, link_id: int):
        """Undo an unlinking."""
        await asyncio.to_thread(linking.relink, await actor_of(self), as_int(link_id))
        return InboxState.refresh

    async def _fill(self, actor: Actor) -> None:
        eyes = eyes_of(actor)
        try:
            self.rows = [_why_row(each, eyes) for each in await asyncio.to_thread(why, actor, self._thread_id)]
        except NotFound:
            self.place = ""


class PickState(rx.State):
    """The conversations that are picked in the list, and what they may be linked to."""

    ids: list[int] = []
    count: str = ""
    searching: bool = False
    found: list[TargetRow] = []
    _done: Acts[linking.Linked] = {}
    _last: int = 0

    @rx.event
    async def toggle(self, thread_id: int, through: bool = False):
        """Pick a conversation, or leave it; `through` (Shift): pick all from the one before to this one."""
        thread_id, before = as_int(thread_id), self._last
        self._last = thread_id
        listed = [row.id for row in (await self.get_state(InboxState)).rows]
        if through is True and before in listed and thread_id in listed:
            first, last = sorted((listed.index(before), listed.index(thread_id)))
            more = [each for each in listed[first : last + 1] if each not in self.ids]
            self.ids = [*self.ids, *more][:MOST]
        elif thread_id in self.ids:
            self.ids = [each for each in self.ids if each != thread_id]
        elif thread_id and len(self.ids) < MOST:
            self.ids = [*self.ids, thread_id]
        await self._say()

    @rx.event
    async def page(self):
        """Pick every conversation that is shown."""
        rows = (await self.get_state(InboxState)).rows
        self.ids = [row.id for row in rows][:MOST]
        await self._say()

    @rx.event
    async def everything(self):
        """Pick all that the list's filter finds, shown or not; up to MOST, the newest."""
        actor, inbox = await actor_of(self), await self.get_state(InboxState)
        self.ids = list(await asyncio.to_thread(threads.list_ids, actor, inbox._wanted(), MOST))
        await self._say()

    @rx.event
    async def clear(self):
        """Pick none."""
        await self._none()

    @rx.event
    async def search(self, is_open: bool):
        """Open or close the search for what to link to."""
        self.searching = is_open is True
        if self.searching:
            await self._find("")

    @rx.event(supersedes=True)
    async def find(self, text: str):
        """List what matches."""
        await self._find(as_text(text, 100))

    @rx.event
    async def link(self, kind: str, target_id: int):
        """Link what is picked; offers Undo."""
        actor, kind, row = await actor_of(self), as_text(kind, 10), as_int(target_id)
        if kind not in ICONS or not self.ids:
            return None
        try:
            done = await asyncio.to_thread(
                linking.link_threads,
                actor,
                self.ids,
                deal_id=row if kind == "deal" else None,
                person_id=row if kind == "person" else None,
                lead_id=row if kind == "lead" else None,
            )
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        self._done, number = noted(self._done, done)
        await self._none()
        said = ngettext(actor.language, "{n} conversation linked", "{n} conversations linked", len(done.thread_ids))
        return [offer(actor, said, PickState.undo(number)), InboxState.refresh]

    @rx.event
    async def undo(self, number: int):
        """Take one of the last linkings back, once."""
        actor = await actor_of(self)
        self._done, done = taken(self._done, number)
        if done is not None:
            await asyncio.to_thread(linking.undo_link, actor, done)
        return InboxState.refresh

    async def _none(self) -> None:
        self.ids, self.searching, self.found, self._last = [], False, [], 0
        await self._say()

    async def _keep(self, stays: Callable[[int], bool]) -> None:
        left = [each for each in self.ids if stays(each)]
        if left != self.ids:
            self.ids = left
            await self._say()

    async def _find(self, text: str) -> None:
        actor = await actor_of(self)
        found = await asyncio.to_thread(search.targets, actor, text)
        self.found = [TargetRow(each.id, each.kind, ICONS[each.kind], each.title, each.about) for each in found]

    async def _say(self) -> None:
        actor = await actor_of(self)
        self.count = ngettext(actor.language, "{n} selected", "{n} selected", len(self.ids)) if self.ids else ""


def _why_row(reason: Reason, eyes: Eyes) -> WhyRow:
    return WhyRow(
        reason.link_id, reason.kind, ICONS[reason.kind], reason.title, _sentence(reason, eyes), reason.can_unlink
    )


def _sentence(reason: Reason, eyes: Eyes) -> str:
    if reason.code in ("manual", "earlier"):
        return eyes.t(YOU) if reason.mine else eyes.t(SOMEBODY, name=reason.by or "?")
    sentence = BECAUSE.get(reason.code, UNTOLD)
    if "{address}" in sentence and not (reason.address and reason.person):
        sentence = UNTOLD
    return eyes.t(sentence, address=reason.address, person=reason.person)
