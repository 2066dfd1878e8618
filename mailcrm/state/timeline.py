"""One record's timeline: what happened, what is planned, and the forms for notes and activities.

Every page of a record uses this one state. `open_page` reads kind and id from the page's address; `show(kind, id)` is
for places whose address doesn't say (the lead inbox). Both only name a row: the services authorise it each time.
"""

import asyncio
from datetime import date, datetime, time
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import activities, notes, timeline, timeline_counts
from mailcrm.services.i18n import gettext
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.present import eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.timeline_items import Entry, MailFacts, Plan, counts, entries, mail_facts, plan
from mailcrm.state.undoing import offer

KINDS = ("deal", "person", "organization", "lead")
TABS = ("email", "note", "activity")


class TimelineState(rx.State):
    """The timeline of the open record."""

    kind: str = ""
    row_id: int = 0
    entries: list[Entry] = []
    pinned: list[Entry] = []
    focus: list[Plan] = []
    counts: dict[str, str] = {}
    mail: MailFacts = MailFacts()
    cursor: str = ""
    shown: str = "all"
    tab: str = "email"
    open_ids: list[int] = []
    remote_ids: list[int] = []
    loading: bool = True
    failed: str = ""
    editing: int = 0  # the note being edited
    moving: int = 0  # the activity being rescheduled
    wrong: str = ""
    version: int = 0  # another one empties the forms

    @rx.event
    async def open_page(self):
        """Show the record of the page's address."""
        parts = self.router.url.path.strip("/").split("/")
        kind, row_id = (parts[0], as_int(parts[1])) if len(parts) == 2 else ("", 0)
        await self._open(await actor_of(self), kind, row_id)

    @rx.event
    async def show(self, kind: str, row_id: int):
        """Show a record's timeline."""
        await self._open(await actor_of(self), as_text(kind, 20), as_int(row_id))

    @rx.event
    async def refresh(self):
        """Read again what is shown."""
        await self._fill(await actor_of(self), keep=True)

    @rx.event
    async def choose(self, shown: str):
        """Show everything, or one kind."""
        self.shown = shown if isinstance(shown, str) and shown in timeline.SHOWN else "all"
        await self._fill(await actor_of(self))

    @rx.event
    async def choose_tab(self, tab: str):
        """Write an email, a note or an activity."""
        self.tab, self.wrong = tab if isinstance(tab, str) and tab in TABS else "email", ""

    @rx.event
    async def more(self):
        """Add the next page."""
        if not self.cursor:
            return
        actor, at = await actor_of(self), len(self.entries)
        page = await asyncio.to_thread(
            lambda: timeline.page_of(actor, self.kind, self.row_id, shown=self.shown, cursor=self.cursor, pinned=False)
        )
        self.entries = [*self.entries, *entries(page.items, eyes_of(actor), self.kind, self.row_id, at)]
        self.cursor = page.next_cursor or ""

    @rx.event
    async def unfold(self, message_id: int):
        """Unfold or fold a message."""
        one = as_int(message_id)
        others = [each for each in self.open_ids if each != one]
        self.open_ids = others if one in self.open_ids else [*others, one]

    @rx.event
    async def show_remote(self, message_id: int):
        """Show one message's remote images, for this view only."""
        self.remote_ids = [*self.remote_ids, as_int(message_id)]

    @rx.event
    async def add_note(self, form: dict[str, Any]):
        """Leave a note with the record."""
        actor, text = await actor_of(self), as_form(form).get("note_text", "")
        await self._do(actor, lambda: notes.create_note(actor, text, **self._about()))

    @rx.event
    async def edit_note(self, note_id: int):
        """Edit a note in place; 0 stops."""
        self.editing, self.wrong = as_int(note_id), ""

    @rx.event
    async def save_note(self, form: dict[str, Any]):
        """Keep the note's other text."""
        actor, text, note_id = await actor_of(self), as_form(form).get("note_edit", ""), self.editing
        await self._do(actor, lambda: notes.change_note(actor, note_id, text=text))

    @rx.event
    async def pin_note(self, note_id: int, pinned: bool):
        """Pin a note, or loosen it."""
        actor, note_id = await actor_of(self), as_int(note_id)
        await self._do(actor, lambda: notes.change_note(actor, note_id, pinned=as_flag(pinned)))

    @rx.event
    async def delete_note(self, note_id: int):
        """Delete a note; offers Undo."""
        actor, note_id = await actor_of(self), as_int(note_id)
        if not await self._do(actor, lambda: notes.delete(actor, note_id)):
            return None
        return _undo(actor, gettext(actor.language, "Note deleted"), TimelineState.restore_note(note_id))

    @rx.event
    async def restore_note(self, note_id: int):
        """Take a note back out of the trash."""
        actor, note_id = await actor_of(self), as_int(note_id)
        await self._do(actor, lambda: notes.restore(actor, note_id))

    @rx.event
    async def add_activity(self, form: dict[str, Any]):
        """Plan an activity with the record."""
        actor, fields = await actor_of(self), as_form(form)

        def add() -> Any:
            return activities.create_activity(
                actor,
                kind=fields.get("activity_kind", "task"),
                subject=fields.get("activity_subject", ""),
                minutes=_minutes(fields.get("activity_minutes", "")),
                **_due(actor, fields.get("activity_day", ""), fields.get("activity_hour", "")),
                **self._about(),
            )

        await self._do(actor, add)

    @rx.event
    async def tick(self, activity_id: int):
        """Tick an activity off; offers Undo."""
        actor, activity_id = await actor_of(self), as_int(activity_id)
        if not await self._do(actor, lambda: activities.set_done(actor, activity_id)):
            return None
        return _undo(actor, gettext(actor.language, "Activity done"), TimelineState.untick(activity_id))

    @rx.event
    async def untick(self, activity_id: int):
        """Take the tick away."""
        actor, activity_id = await actor_of(self), as_int(activity_id)
        await self._do(actor, lambda: activities.set_done(actor, activity_id, False))

    @rx.event
    async def move_activity(self, activity_id: int):
        """Ask for another day of an activity; 0 stops."""
        self.moving, self.wrong = as_int(activity_id), ""

    @rx.event
    async def reschedule(self, form: dict[str, Any]):
        """Keep the activity's other day."""
        actor, fields, activity_id = await actor_of(self), as_form(form), self.moving

        def change() -> Any:
            due = _due(actor, fields.get("move_day", ""), fields.get("move_hour", ""))
            return activities.change_activity(actor, activity_id, due_on=due["due_on"], due_at=due["due_at"])

        await self._do(actor, change)

    @rx.event
    async def delete_activity(self, activity_id: int):
        """Delete an activity; offers Undo."""
        actor, activity_id = await actor_of(self), as_int(activity_id)
        if not await self._do(actor, lambda: activities.delete(actor, activity_id)):
            return None
        said = gettext(actor.language, "Activity deleted")
        return _undo(actor, said, TimelineState.restore_activity(activity_id))

    @rx.event
    async def restore_activity(self, activity_id: int):
        """Take an activity back out of the trash."""
        actor, activity_id = await actor_of(self), as_int(activity_id)
        await self._do(actor, lambda: activities.restore(actor, activity_id))

    def _about(self) -> dict[str, Any]:
        return {f"{self.kind}_id": self.row_id} if self.kind in KINDS else {}

    async def _open(self, actor: Actor, kind: str, row_id: int) -> None:
        if (kind, row_id) != (self.kind, self.row_id):
            version = self.version + 1
            self.reset()
            self.version = version
        self.kind, self.row_id = (kind, row_id) if kind in KINDS else ("", 0)
        await self._fill(actor, keep=True)

    async def _do(self, actor: Actor, act: Any) -> bool:
        """Do it and read again; what doesn't fit is said beside the form."""
        try:
            await asyncio.to_thread(act)
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return False
        self.wrong, self.editing, self.moving, self.version = "", 0, 0, self.version + 1
        await self._fill(actor, keep=True)
        return True

    async def _fill(self, actor: Actor, *, keep: bool = False) -> None:
        """Read the timeline; `keep` reads as many lines as are shown."""
        if self.kind not in KINDS or not self.row_id:
            return
        most = max(50, len(self.entries)) if keep else 50
        try:
            page, planned, pinned, counted = await asyncio.to_thread(
                lambda: (
                    timeline.page_of(actor, self.kind, self.row_id, shown=self.shown, limit=most, pinned=False),
                    activities.planned(actor, self.kind, self.row_id),
                    timeline.pinned_notes(actor, self.kind, self.row_id),
                    timeline_counts.of(actor, self.kind, self.row_id),
                )
            )
        except NotFound:
            kind, row_id = self.kind, self.row_id
            self.reset()
            self.kind, self.row_id, self.loading = kind, row_id, False
            return
        eyes = eyes_of(actor)
        self.entries = entries(page.items, eyes, self.kind, self.row_id)
        self.pinned = entries(pinned, eyes, self.kind, self.row_id)
        self.focus = [plan(each, eyes) for each in planned]
        self.counts, self.mail = counts(counted, eyes), mail_facts(counted, eyes)
        self.cursor, self.loading = page.next_cursor or "", False


def _undo(actor: Actor, said: str, event: Any) -> Any:
    return offer(actor, said, event)


def _minutes(text: str) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isascii() or not text.strip().isdigit() or len(text) > 9:
        raise UserError("input.invalid", value=text[:40], field="Minutes")
    return int(text)


def _due(actor: Actor, day: str, hour: str) -> dict[str, Any]:
    """The day, and the moment where an hour was given, in the actor's zone."""
    try:
        due_on = date.fromisoformat(day) if day.strip() else None
        at = time.fromisoformat(hour) if hour.strip() else None
    except ValueError:
        raise UserError("input.invalid", value=(day or hour)[:40], field="Due") from None
    if at is not None and due_on is None:
        raise UserError("input.missing", field="Day")
    moment = datetime.combine(due_on, at.replace(tzinfo=None), i18n.zone(actor.time_zone)) if at and due_on else None
    return {"due_on": due_on, "due_at": moment}
