"""Templates: the list in folders, the one being written, and how somebody would get it.

The editor saves itself as it is typed; every save is one change of the template (state/autosave.py). Folders and order
are state/template_order.py. Does not hold the text of more than the open one.
"""

import asyncio
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import people_list
from mailcrm.services.i18n import N_, gettext
from mailcrm.services.mail.outbox import draft as drafts
from mailcrm.services.writing import fill, results, templates, using
from mailcrm.services.writing.views import TemplateView
from mailcrm.state.coerce import as_flag, as_int, as_text
from mailcrm.state.composer import ComposerState
from mailcrm.state.composer_parts import MOST_HTML
from mailcrm.state.present import eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.template_order import TemplateOrder
from mailcrm.state.template_rows import (
    KeptRow,
    OpenTemplate,
    PersonChoice,
    Results,
    choice,
    opened,
    results_of,
    rows_of,
)
from mailcrm.state.toasts import say, warn
from mailcrm.state.undoing import offer

FOUND = 8  # people offered for the preview
NAMELESS = N_("Untitled")


class TemplatesState(TemplateOrder, rx.State):
    """What /templates shows."""

    count: str = ""
    loaded: bool = False
    failed: str = ""
    query: str = ""
    folders: list[str] = []
    fields: list[dict[str, str]] = []
    files: list[KeptRow] = []
    results: Results = Results()
    people: list[PersonChoice] = []
    person: PersonChoice = PersonChoice()
    preview_subject: str = ""
    missing: list[str] = []

    @rx.event
    async def open_page(self):
        """List the templates, and open the one that the address names, else the one that was open, or the first."""
        actor = await actor_of(self)
        self.query = ""
        choices = await asyncio.to_thread(fill.fields, actor)
        self.fields = [choice(each) for each in choices]
        await self._list(actor)
        if not self.person.id:
            found = await asyncio.to_thread(people_list.list_people, actor, "", None, FOUND)
            self.people = [PersonChoice(each.id, each.name, each.address) for each in found.rows]
            self.person = self.people[0] if self.people else PersonChoice()
        asked = as_int(self.router.url.query_parameters.get("template", ""))
        wanted = asked or self.current.id or (self.rows[0].id if self.rows else 0)
        await self._open(actor, wanted if any(row.id == wanted for row in self.rows) else 0)

    @rx.event
    async def refresh(self):
        """List again when something changed elsewhere; the one being written stays as it is."""
        await self._list(await actor_of(self))

    @rx.event
    async def find(self, text: str):
        """Show the templates that hold these words."""
        self.query = as_text(text, 200)
        await self._list(await actor_of(self))

    @rx.event
    async def select(self, template_id: int):
        """Open one."""
        await self._open(await actor_of(self), as_int(template_id))

    @rx.event
    async def close(self):
        """Go back to the list, on a phone."""
        self.current = OpenTemplate()

    @rx.event
    async def create(self, folder: str):
        """Begin a template, in a folder or none."""
        actor, folder = await actor_of(self), as_text(folder, 200)
        name = gettext(actor.language, NAMELESS)
        made = await self._try(lambda: templates.create(actor, name=name, folder=folder), actor.language)
        if made is not None:
            self.query = ""
            await self._list(actor)
            await self._open(actor, made.line.id)
            return rx.call_script("mailcrmNameIt('template-name')")
        return warn(self.wrong)

    @rx.event
    async def copy(self):
        """Make an own, private one of the open template."""
        actor, template_id = await actor_of(self), self.current.id
        name = gettext(actor.language, "Copy of {name}", name=self.current.name)
        made = await self._try(lambda: templates.copy(actor, template_id, name=name[:120]), actor.language)
        if made is not None:
            await self._list(actor)
            await self._open(actor, made.line.id)
            return say(gettext(actor.language, "Copied"))
        return warn(self.wrong)

    @rx.event
    async def delete(self):
        """Put the open template in the trash; offers Undo."""
        actor, template_id = await actor_of(self), self.current.id
        try:
            await asyncio.to_thread(templates.delete, actor, template_id)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        self.current = OpenTemplate()
        await self._list(actor)
        return offer(actor, gettext(actor.language, "Template deleted"), TemplatesState.restore(template_id))

    @rx.event
    async def restore(self, template_id: int):
        """Bring a template back and open it."""
        actor, template_id = await actor_of(self), as_int(template_id)
        await asyncio.to_thread(templates.restore, actor, template_id)
        await self._list(actor)
        await self._open(actor, template_id)

    @rx.event
    async def change_name(self, value: str, template_id: int):
        """Save the name as it was typed, of the template it was typed into."""
        await self._save(as_int(template_id), name=as_text(value, 4_000))

    @rx.event
    async def change_subject(self, value: str, template_id: int):
        """Save the subject as it was typed; another event than the name's, because a pause holds back one of a kind."""
        await self._save(as_int(template_id), subject=as_text(value, 4_000))

    @rx.event
    async def change_body(self, html: str, number: int, template_id: int):
        """Save the text as it was typed and confirm it by its number."""
        template_id = as_int(template_id)
        if await self._save(template_id, html=as_text(html, MOST_HTML)) and template_id == self.current.id:
            self.saved_body = as_int(number)

    @rx.event
    async def share(self, shared: bool):
        """Share the open template with the team, or keep it to oneself."""
        await self._save(self.current.id, shared=as_flag(shared))

    @rx.event
    async def name_folder(self, form: dict[str, Any]):
        """Take the folder's name: a new template in it, the open one into it, or another name for it."""
        actor = await actor_of(self)
        name = as_text(form.get("folder") if isinstance(form, dict) else "", 200).strip()
        what, self.naming = self.naming, ""
        if what == "rename":
            shared, before = self.current.shared, self.folder_before
            await self._try(lambda: templates.rename_folder(actor, shared, before, name), actor.language)
            await self._list(actor)
            await self._open(actor, self.current.id)
        elif name and what == "move":
            await self._save(self.current.id, folder=name)
        elif name:
            return TemplatesState.create(name)
        return None

    @rx.event
    async def files_changed(self):
        """Read the files again after an upload."""
        actor = await actor_of(self)
        found = await self._try(lambda: templates.get(actor, self.current.id), actor.language)
        self._show_files(actor, found)

    @rx.event
    async def remove_file(self, n: int):
        """Take a file away."""
        actor, n, template_id = await actor_of(self), as_int(n), self.current.id
        self._show_files(actor, await self._try(lambda: templates.remove_file(actor, template_id, n), actor.language))

    @rx.event
    async def find_person(self, text: str):
        """Offer people to preview with."""
        actor = await actor_of(self)
        found = await asyncio.to_thread(people_list.list_people, actor, as_text(text, 200), None, FOUND)
        self.people = [PersonChoice(each.id, each.name, each.address) for each in found.rows]

    @rx.event
    async def preview_with(self, person_id: int):
        """Show how somebody would get it."""
        chosen = as_int(person_id)
        self.person = next((each for each in self.people if each.id == chosen), self.person)
        await self._look(await actor_of(self))

    @rx.event
    async def use(self):
        """Begin an email with the open template, to nobody yet."""
        actor, template_id = await actor_of(self), self.current.id
        try:
            view = await asyncio.to_thread(_begin, actor, template_id)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        return ComposerState.open_draft(view.id)

    @rx.event
    async def send_test(self):
        """Send the open template to oneself."""
        actor, template_id, person = await actor_of(self), self.current.id, self.person.id or None
        try:
            view = await asyncio.to_thread(using.test_send, actor, template_id, person_id=person)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        return say(gettext(actor.language, "Sent to {address}", address=view.to))

    async def _save(self, template_id: int, **values: Any) -> bool:
        actor, is_open = await actor_of(self), template_id == self.current.id
        if not template_id:
            return False
        if is_open and self._has(self.current, values):
            return True
        found = await self._try(lambda: templates.change(actor, template_id, **values), actor.language, is_open=is_open)
        if found is None:
            return False
        if is_open:
            self._was_saved(actor)
            self.current = opened(found)
            await self._look(actor)
        if "html" not in values:
            await self._list(actor)
        return True

    async def _list(self, actor: Actor) -> None:
        try:
            found = await asyncio.to_thread(templates.search, actor, self.query)
            if not self.query:
                found = await asyncio.to_thread(templates.list_templates, actor)
            known = await asyncio.to_thread(results.results, actor)
        except MailcrmError as error:
            self.failed = i18n.sentence(error, actor.language)
            return
        self.failed, self.loaded = "", True
        labels = {each["name"]: each["label"] for each in self.fields}
        self.rows = rows_of(eyes_of(actor), found, known, labels, headed=not self.query)
        self.count = i18n.number(actor.language, len(found)) if found else ""
        if not self.query:
            self.folders = list(dict.fromkeys(line.folder for line in found if line.folder))
        self.results = results_of(eyes_of(actor), known.get(self.current.id))

    async def _open(self, actor: Actor, template_id: int) -> None:
        found = None
        if template_id:
            found = await self._try(lambda: templates.get(actor, template_id), actor.language)
        now = opened(found) if found is not None else OpenTemplate()
        self._opened(now != self.current)
        self.current = now
        self._show_files(actor, found)
        known = await asyncio.to_thread(results.results, actor)
        self.results = results_of(eyes_of(actor), known.get(template_id))
        await self._look(actor)

    async def _look(self, actor: Actor) -> None:
        current, person = self.current, self.person.id
        if not current.id:
            self.preview_url, self.missing, self.preview_subject = "", [], ""
            return
        shown = await self._shown(actor, current, person)
        self.preview_subject = shown.subject if shown else current.subject
        self.missing = [each.why for each in shown.missing] if shown else []
        self._look_again(f"/templates/{current.id}/preview" + (f"?person={person}" if person else ""))

    async def _shown(self, actor: Actor, current: OpenTemplate, person: int) -> Any:
        try:
            return await asyncio.to_thread(
                fill.preview_with, actor, current.subject, current.html, person_id=person or None
            )
        except MailcrmError:
            self.person = PersonChoice()  # gone meanwhile, or not ours to see any more
            return None

    def _show_files(self, actor: Actor, found: TemplateView | None) -> None:
        kept = found.files if found is not None else ()
        self.files = [
            KeptRow(each.n, each.filename, i18n.format_size(each.size, actor.language))
            for each in kept
            if not each.inline
        ]


def _begin(actor: Actor, template_id: int) -> Any:
    view = drafts.new_draft(actor)
    return using.apply(actor, view.id, template_id)
