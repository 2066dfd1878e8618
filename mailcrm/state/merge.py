"""Merging a person with a duplicate: choose the other one, look at what would be left, merge, undo."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import duplicates, merge, people
from mailcrm.services.i18n import N_, gettext, ngettext
from mailcrm.state.coerce import as_flag, as_int, as_text
from mailcrm.state.panel import NOBODY
from mailcrm.state.person import PersonState
from mailcrm.state.present import PersonRow, person
from mailcrm.state.session import actor_of
from mailcrm.state.timeline import TimelineState
from mailcrm.state.toasts import say, warn
from mailcrm.state.undoing import offer

FOUND_MOST = 8
REASONS = {"address": N_("Same email address"), "phone": N_("Same phone number"), "name": N_("Same name")}
#: What moves, in the words of the preview.
MOVES = {
    "links": (N_("{n} conversation"), N_("{n} conversations")),
    "deals": (N_("{n} deal"), N_("{n} deals")),
    "leads": (N_("{n} lead"), N_("{n} leads")),
    "activities": (N_("{n} activity"), N_("{n} activities")),
    "notes": (N_("{n} note"), N_("{n} notes")),
    "labels": (N_("{n} label"), N_("{n} labels")),
    "fields": (N_("{n} field"), N_("{n} fields")),
}


@dataclass(frozen=True)
class Candidate:
    """Somebody to merge with; `why` says why they are suggested, "" for one who was searched for."""

    id: int
    person: PersonRow
    why: str


@dataclass(frozen=True)
class Preview:
    """What the merge would leave: the values that win, and what moves, as sentences."""

    name: str = ""
    job: str = ""
    organization: str = ""
    owner: str = ""
    consent: str = ""
    addresses: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    moves: tuple[str, ...] = ()


class MergeState(rx.State):
    """The dialog."""

    is_open: bool = False
    kept: PersonRow = NOBODY
    other: PersonRow = NOBODY
    query: str = ""
    found: list[Candidate] = []
    preview: Preview = Preview()
    loading: bool = False
    wrong: str = ""

    @rx.event
    async def start(self, person_id: int):
        """Open the dialog for a person, with who they might be besides."""
        actor, person_id = await actor_of(self), as_int(person_id)
        view = await asyncio.to_thread(people.get_person, actor, person_id)
        self.reset()
        self.kept, self.is_open, self.loading = person(view.card), True, True
        yield
        self.found = await asyncio.to_thread(_likely, actor, person_id)
        self.loading = False

    @rx.event
    async def close(self, is_open: bool):
        """Close the dialog without merging."""
        if not as_flag(is_open):
            self.is_open = False

    @rx.event
    async def search(self, query: str):
        """Find the other one by name or address; with nothing typed, suggest again."""
        actor, query = await actor_of(self), as_text(query, 200).strip()
        if not self.kept.id:
            return
        self.query = query
        kept, look = self.kept.id, _search if query else _likely
        self.found = await asyncio.to_thread(lambda: look(actor, kept, query))

    @rx.event
    async def choose(self, person_id: int):
        """Look at what merging with this one would leave; 0 goes back to choosing."""
        await self._look(await actor_of(self), self.kept.id, as_int(person_id))

    @rx.event
    async def swap(self):
        """Keep the other one instead."""
        await self._look(await actor_of(self), self.other.id, self.kept.id)

    @rx.event
    async def confirm(self):
        """Merge; offers Undo."""
        actor, kept, other = await actor_of(self), self.kept, self.other
        try:
            merge_id = await asyncio.to_thread(merge.merge, actor, kept.id, other.id)
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        self.is_open, self.wrong = False, ""
        said = gettext(actor.language, "{name} is merged into {other}", name=other.name, other=kept.name)
        return [*await self._shown(kept.id), offer(actor, said, MergeState.undo(merge_id))]

    @rx.event
    async def undo(self, merge_id: int):
        """Undo a merge: both are there again."""
        actor = await actor_of(self)
        try:
            await asyncio.to_thread(merge.undo, actor, as_int(merge_id))
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        said = say(gettext(actor.language, "The merge is undone. Both contacts are back"))
        return [PersonState.refresh, TimelineState.refresh, said]

    async def _look(self, actor: Actor, kept_id: int, other_id: int) -> None:
        self.wrong = ""
        if not other_id:
            self.other = NOBODY
            return
        try:
            view = await asyncio.to_thread(merge.preview, actor, kept_id, other_id)
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        self.kept, self.other = person(view.kept), person(view.merged)
        self.preview = _preview(view, actor.language)

    async def _shown(self, person_id: int) -> list[Any]:
        """What shows the kept person: their page again, or theirs instead of the other's."""
        page = await self.get_state(PersonState)
        if page.person.id == person_id:
            return [PersonState.refresh, TimelineState.refresh]
        return [rx.redirect(routes.person(person_id))]


def _likely(actor: Actor, person_id: int, _query: str = "") -> list[Candidate]:
    return [
        Candidate(each.other.id, person(each.other), gettext(actor.language, REASONS[each.reason]))
        for each in duplicates.duplicates_of(actor, person_id, FOUND_MOST)
    ]


def _search(actor: Actor, person_id: int, query: str) -> list[Candidate]:
    found = people.list_people(actor, query, limit=FOUND_MOST + 1).rows
    return [Candidate(each.id, person(each), "") for each in found if each.id != person_id][:FOUND_MOST]


def _preview(view: Any, language: str) -> Preview:
    counts = dict(view.moves)
    counts["deals"] = counts.get("deals", 0) + counts.pop("participants", 0)
    return Preview(
        name=view.name,
        job=view.job_title,
        organization=view.organization,
        owner=view.owner,
        consent=view.consent,
        addresses=view.addresses,
        phones=view.phones,
        moves=tuple(ngettext(language, *forms, counts[name]) for name, forms in MOVES.items() if counts.get(name)),
    )
