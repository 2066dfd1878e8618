"""Templates in folders and in an order: by the menu and by dragging. Part of TemplatesState."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import reflex as rx

from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.writing import templates
from mailcrm.state.autosave import Autosave
from mailcrm.state.coerce import as_flag, as_int, as_text
from mailcrm.state.session import actor_of
from mailcrm.state.template_rows import OpenTemplate, TemplateRow
from mailcrm.state.toasts import warn


class TemplateOrder(Autosave, rx.State, mixin=True):
    """Where the templates stand."""

    rows: list[TemplateRow] = []
    current: OpenTemplate = OpenTemplate()
    naming: str = ""  # "new", "move" or "rename" while a folder's name is asked for
    folder_before: str = ""

    @rx.event
    async def set_folder(self, folder: str):
        """Put the open template into a folder; the last choice asks for a new one's name."""
        folder = as_text(folder, 200)
        if folder == "+":
            self.naming = "move"
            return
        await self._save(self.current.id, folder=folder)

    @rx.event
    async def ask_name(self, what: str, folder: str):
        """Ask for the name of a new folder, or another one for a folder."""
        self.naming = what if isinstance(what, str) and what in ("new", "move", "rename") else ""
        self.folder_before = as_text(folder, 200)

    @rx.event
    async def close_naming(self, is_open: bool):
        """Leave the folder's name as it is."""
        if not as_flag(is_open):
            self.naming = ""

    @rx.event
    async def shift(self, by: int):
        """Move the open template up or down in its folder."""
        actor, current = await actor_of(self), self.current
        mine = [row.id for row in self.rows if row.shared == current.shared and row.folder == current.folder]
        if current.id not in mine:
            return None
        at = mine.index(current.id) + (1 if by == 1 else -1)
        if not 0 <= at < len(mine):
            return None
        rest = [each for each in mine if each != current.id]
        before = rest[at] if at < len(rest) else None
        found = await self._try(lambda: _place(actor, current.id, rest, before), actor.language)
        await self._list(actor)
        return warn(self.wrong) if found is None else None

    @rx.event
    async def shift_folder(self, by: int):
        """Move the folder of the open template up or down."""
        actor, current = await actor_of(self), self.current
        known = list(dict.fromkeys(row.folder for row in self.rows if row.shared == current.shared and row.folder))
        if current.folder not in known:
            return
        at = known.index(current.folder) + (1 if by == 1 else -1)
        rest = [each for each in known if each != current.folder]
        if not 0 <= at < len(known):
            return
        before = rest[at] if at < len(rest) else None
        shared, folder = current.shared, current.folder
        await self._try(lambda: templates.move_folder(actor, shared, folder, before), actor.language)
        await self._list(actor)

    @rx.event
    async def drop(self, carried: str, onto_id: int):
        """Put the template that was dragged before the one it was dropped on, or behind it when it came from above."""
        actor, moved, onto = await actor_of(self), as_int(as_text(carried, 20)), as_int(onto_id)
        by_id = {row.id: row for row in self.rows}
        if moved == onto or moved not in by_id or onto not in by_id:
            return None
        target, ids = by_id[onto], [row.id for row in self.rows]
        if by_id[moved].shared != target.shared:
            return warn(gettext(actor.language, "Shared templates and your own stay apart. Share it first."))
        same = [row.id for row in self.rows if (row.shared, row.folder) == (target.shared, target.folder)]
        rest = [each for each in same if each != moved]
        at = rest.index(onto) + (1 if moved in same and ids.index(moved) < ids.index(onto) else 0)
        before = rest[at] if at < len(rest) else None
        folder = target.folder
        found = await self._try(lambda: _place(actor, moved, rest, before, folder=folder), actor.language)
        await self._list(actor)
        if moved == self.current.id and found is not None:
            self.current = replace(self.current, folder=folder)
        return warn(self.wrong) if found is None else None

    if TYPE_CHECKING:  # TemplatesState has them

        async def _save(self, template_id: int, **values: Any) -> bool: ...
        async def _list(self, actor: Actor) -> None: ...


def _place(
    actor: Actor, template_id: int, folder_ids: list[int], before: int | None, *, folder: str | None = None
) -> Any:
    """Put a template before another one, or behind the last of its folder."""
    if before is not None or not folder_ids:
        return templates.move(actor, template_id, folder=folder, before_id=before)
    last = folder_ids[-1]
    everything = [line.id for line in templates.list_templates(actor)]
    after = everything[everything.index(last) + 1 :]
    following = next((each for each in after if each != template_id), None)
    return templates.move(actor, template_id, folder=folder, before_id=following)
