"""Settings › Import and export: how a file is read, what would happen, the import itself and what came of it.

The upload is a form post (endpoints/transfer.py); the page then opens with the import's id. Progress comes by the live
hint "import". Every handler names its import again: services authorise it each time.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm.transfer import imports
from mailcrm.services.i18n import N_, gettext
from mailcrm.state.coerce import as_flag, as_int, as_text
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say

KINDS = {"person": N_("People"), "organization": N_("Organizations"), "deal": N_("Deals"), "lead": N_("Leads")}
NEW_FIELDS = {
    "new:text": N_("New field: text"),
    "new:number": N_("New field: number"),
    "new:money": N_("New field: amount"),
    "new:date": N_("New field: date"),
}
ALSO = {
    "person": N_("{n} people that lines name"),
    "organization": N_("{n} organizations that lines name"),
    "stage": N_("{n} stages"),
    "pipeline": N_("{n} pipelines"),
}
#: Settings with a text each, by the name that the service knows them by.
TEXTS = ("encoding", "delimiter", "order", "decimals")
FLAGS = ("header", "change", "make_stages")


@dataclass(frozen=True)
class Choice:
    """A line of a select."""

    key: str = ""
    label: str = ""


@dataclass(frozen=True)
class ColumnRow:
    """A column of the file and what it becomes."""

    at: int = 0
    name: str = ""
    samples: str = ""
    key: str = ""


@dataclass(frozen=True)
class ProblemRow:
    """A line that can't be imported."""

    line: str = ""
    sentence: str = ""


@dataclass(frozen=True)
class ImportRow:
    """An import, open on the page or in the list."""

    id: int = 0
    kind: str = "person"
    kind_label: str = ""
    filename: str = ""
    state: str = ""
    said: str = ""
    when: str = ""
    rows: str = ""
    done: str = ""
    percent: int = 0
    made: str = ""
    changed: str = ""
    same: str = ""
    wrong: str = ""
    has_wrong: bool = False
    can_undo: bool = False
    encoding: str = ""
    delimiter: str = ""
    header: bool = True
    order: str = ""
    wants_order: bool = False
    decimals: str = ""
    change: bool = True
    make_stages: bool = False
    pipedrive: bool = False
    unnamed: str = ""
    error: str = ""
    bad_lines: str = ""


@dataclass(frozen=True)
class LookRow:
    """What an import would do."""

    made: str = ""
    changed: str = ""
    same: str = ""
    wrong: str = ""
    has_wrong: bool = False
    nothing: bool = False
    also: str = ""


class ImportState(rx.State):
    """What /settings/import shows."""

    loaded: bool = False
    open: ImportRow = ImportRow()
    columns: list[ColumnRow] = []
    choices: list[Choice] = []
    problems: list[ProblemRow] = []
    looked: bool = False
    looking: bool = False
    look: LookRow = LookRow()
    rows: list[ImportRow] = []
    wrong: str = ""
    undoing: int = 0
    #: Whether missing stages may be made on the way: an administrator's to say.
    may_make: bool = False
    undoing_name: str = ""

    @rx.event
    async def open_page(self):
        """Show the import that the address names, and the earlier ones."""
        actor = await actor_of(self)
        asked = self.router.url.query_parameters
        self.wrong, self.undoing = _said(asked, actor.language), 0
        await self._show(actor, as_int(asked.get("import", "")))

    @rx.event
    async def refresh(self):
        """Show how far it is."""
        await self._show(await actor_of(self), self.open.id)

    @rx.event
    async def choose(self, import_id: int):
        """Open one of the earlier imports."""
        await self._show(await actor_of(self), as_int(import_id))

    @rx.event
    async def map_column(self, import_id: int, at: int, key: str):
        """Let a column become something else."""
        place = at if isinstance(at, int) and not isinstance(at, bool) else -1
        await self._change(as_int(import_id), column=(place, as_text(key, 80)))

    @rx.event
    async def set_text(self, import_id: int, name: str, value: str):
        """Say how the file is written."""
        if name in TEXTS:
            await self._change(as_int(import_id), **{name: as_text(value, 40)})

    @rx.event
    async def set_flag(self, import_id: int, name: str, value: bool):
        """Switch one of the import's settings."""
        if name in FLAGS:
            await self._change(as_int(import_id), **{name: as_flag(value)})

    @rx.event
    async def check(self, import_id: int):
        """Say what would happen."""
        actor = await actor_of(self)
        self.looking, self.wrong = True, ""
        yield
        try:
            found = await asyncio.to_thread(imports.preview, actor, as_int(import_id))
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
        else:
            eyes = eyes_of(actor)
            self.look = _look(found, eyes)
            self.problems = [
                ProblemRow(i18n.number(eyes.language, each.line), each.sentence) for each in found.problems
            ]
            self.looked = True
        finally:
            self.looking = False

    @rx.event
    async def start(self, import_id: int):
        """Begin."""
        actor = await actor_of(self)
        try:
            await asyncio.to_thread(imports.start, actor, as_int(import_id))
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        await self._show(actor, as_int(import_id))

    @rx.event
    async def discard(self, import_id: int):
        """Forget a file that was not imported."""
        actor = await actor_of(self)
        await asyncio.to_thread(imports.discard, actor, as_int(import_id))
        await self._show(actor, 0)
        return rx.redirect(routes.SETTINGS_IMPORT, replace=True)

    @rx.event
    async def leave(self):
        """Go back to the beginning of the page."""
        self.wrong = ""
        await self._show(await actor_of(self), 0)
        return rx.redirect(routes.SETTINGS_IMPORT, replace=True)

    @rx.event
    async def ask_undo(self, import_id: int):
        """Ask before an import is undone; 0 closes the question."""
        self.undoing = as_int(import_id)
        if self.undoing:
            self.undoing_name = (
                await asyncio.to_thread(imports.get_import, await actor_of(self), self.undoing)
            ).filename

    @rx.event
    async def close_question(self, is_open: bool):
        """Close the question without undoing anything."""
        if not as_flag(is_open):
            self.undoing = 0

    @rx.event
    async def undo(self):
        """Put what the import made into the trash."""
        actor = await actor_of(self)
        import_id, self.undoing = self.undoing, 0
        done = await asyncio.to_thread(imports.undo, actor, import_id)
        await self._show(actor, self.open.id)
        made = i18n.number(actor.language, done.made)
        return say(gettext(actor.language, "The import is undone: what its {n} lines made is in the trash.", n=made))

    async def _change(self, import_id: int, **said: Any) -> None:
        actor = await actor_of(self)
        self.wrong = ""
        try:
            await asyncio.to_thread(lambda: imports.change_import(actor, import_id, **said))
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
        await self._show(actor, import_id)

    async def _show(self, actor: Actor, import_id: int) -> None:
        eyes = eyes_of(actor)
        if import_id != self.open.id or self.open.state == "draft":
            self.looked, self.problems = False, []
        try:
            self.rows = [_row(view, eyes) for view in await asyncio.to_thread(imports.list_imports, actor)]
            view = await asyncio.to_thread(imports.get_import, actor, import_id) if import_id else None
            self.open = _row(view, eyes) if view else ImportRow()
            if view is not None and view.state == "draft":
                found = await asyncio.to_thread(imports.columns, actor, import_id)
                self.columns = [_column(each, eyes) for each in found]
                fields = await asyncio.to_thread(imports.choices, actor, view.kind)
                self.choices = _choices(fields, view.kind, eyes, admin=actor.admin)
                self.may_make = actor.admin
            elif view is not None and view.wrong:
                bad = await asyncio.to_thread(imports.problems, actor, import_id)
                self.problems = [ProblemRow(i18n.number(eyes.language, each.line), each.sentence) for each in bad]
        except MailcrmError as error:
            self.open, self.wrong = ImportRow(), i18n.sentence(error, actor.language)
        finally:
            self.loaded = True


def _said(asked: Any, language: str) -> str:
    """The sentence of an error that the upload answered with; only numbers come back in an address."""
    code = as_text(asked.get("error", ""), 60)
    numbers = {name: as_int(asked.get(name, "")) for name in ("line", "most") if asked.get(name)}
    return i18n.sentence_of(code, language, **numbers) if code else ""


def _row(view: Any, eyes: Eyes) -> ImportRow:
    language = eyes.language

    def n(value: int) -> str:
        return i18n.number(language, value)

    said = {
        "draft": gettext(language, "Not imported yet"),
        "running": gettext(language, "Importing"),
        "done": gettext(language, "{made} made, {changed} changed", made=n(view.made), changed=n(view.changed)),
        "stopped": gettext(language, "Stopped"),
        "undone": gettext(language, "Undone"),
    }
    return ImportRow(
        id=view.id,
        kind=view.kind,
        kind_label=eyes.t(KINDS[view.kind]),
        filename=view.filename,
        state=view.state,
        said=said[view.state],
        when=i18n.short_day(language, view.ended_at or view.created_at, eyes.now, eyes.zone),
        rows=n(view.rows),
        done=n(view.done),
        percent=min(100, view.done * 100 // max(view.rows, 1)),
        made=n(view.made),
        changed=n(view.changed),
        same=n(view.same),
        wrong=n(view.wrong),
        has_wrong=view.wrong > 0 and view.has_file,
        can_undo=view.state in ("done", "stopped") and view.made > 0,
        encoding=view.encoding,
        delimiter=view.delimiter,
        header=view.header,
        order=view.order,
        wants_order=view.wants_order,
        decimals=view.decimals,
        change=view.change,
        make_stages=view.make_stages,
        pipedrive=view.source == "pipedrive",
        unnamed=gettext(
            language, "No column says what goes into {field}. Choose one for it.", field=gettext(language, view.unnamed)
        )
        if view.unnamed
        else "",
        error=i18n.kept_sentence(view.error, {}, language),
        bad_lines=routes.bad_lines(view.id),
    )


def _column(view: Any, eyes: Eyes) -> ColumnRow:
    name = view.name or gettext(eyes.language, "Column {n}", n=i18n.number(eyes.language, view.at + 1))
    return ColumnRow(view.at, name, " · ".join(view.samples), view.key)


def _choices(views: Any, kind: str, eyes: Eyes, *, admin: bool) -> list[Choice]:
    made = [Choice("", gettext(eyes.language, "Leave out"))]
    made += [Choice(view.key, view.label) for view in views]
    if kind == "lead" or not admin:  # a field of the workspace's is an administrator's to make
        return made
    return [*made, *(Choice(key, eyes.t(text)) for key, text in NEW_FIELDS.items())]


def _look(view: Any, eyes: Eyes) -> LookRow:
    def n(value: int) -> str:
        return i18n.number(eyes.language, value)

    also = [eyes.t(ALSO[kind], n=n(count)) for kind, count in view.also if kind in ALSO]
    return LookRow(
        made=n(view.made),
        changed=n(view.changed),
        same=n(view.same),
        wrong=n(view.wrong),
        has_wrong=view.wrong > 0,
        nothing=not view.made and not view.changed,
        also=", ".join(also),
    )
