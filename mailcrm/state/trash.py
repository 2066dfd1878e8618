"""Settings › Trash: what was deleted, and the way back."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm import routes
from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.crm import purge, trash
from mailcrm.services.i18n import gettext
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import say, warn

PAGE = 50
MOST_ROWS = 1000  # resident in a tab; choosing a kind narrows the rest
_PAGES = {
    "person": routes.person,
    "organization": routes.organization,
    "deal": routes.deal,
    "lead": routes.lead,
}


@dataclass(frozen=True)
class TrashRow:
    """Something in the trash; `into` names whom a person was merged into."""

    key: str
    kind: str
    id: int
    name: str
    when: str
    into: str


class TrashState(rx.State):
    """What /settings/trash shows."""

    rows: list[TrashRow] = []
    kind: str = ""
    cursor: str = ""
    loaded: bool = False
    failed: bool = False
    #: After how long it is deleted for good; "" for never.
    days: str = ""

    @rx.event
    async def load(self):
        """List what was deleted when the page opens."""
        self.reset()
        yield
        await self._fill(await actor_of(self))

    @rx.event
    async def choose_kind(self, kind: str):
        """List one kind only; "" lists all."""
        kind = as_text(kind, 20)
        self.kind = kind if kind in trash.KINDS else ""
        await self._fill(await actor_of(self))

    @rx.event
    async def more(self):
        """List the next ones."""
        if self.cursor and len(self.rows) < MOST_ROWS:
            await self._fill(await actor_of(self), self.cursor)

    @rx.event
    async def restore(self, kind: str, row_id: int):
        """Bring a row back."""
        actor, kind, row_id = await actor_of(self), as_text(kind, 20), as_int(row_id)
        try:
            await asyncio.to_thread(trash.restore, actor, kind, row_id)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        name = next((row.name for row in self.rows if (row.kind, row.id) == (kind, row_id)), "")
        self.rows = [row for row in self.rows if (row.kind, row.id) != (kind, row_id)]
        said = gettext(actor.language, "{name} is restored", name=name)
        if kind not in _PAGES:
            return say(said)
        page = _PAGES[kind](row_id)
        return say(said, action={"label": gettext(actor.language, "Open"), "on_click": rx.redirect(page)})

    async def _fill(self, actor: Actor, cursor: str = "") -> None:
        try:
            found = await asyncio.to_thread(trash.page_of_trash, actor, self.kind, cursor or None, PAGE)
        except MailcrmError:
            self.failed, self.loaded = True, True
            return
        eyes = eyes_of(actor)
        made = [_row(each, eyes) for each in found.rows]
        self.rows = [*self.rows, *made] if cursor else made
        self.cursor, self.loaded, self.failed = found.next_cursor or "", True, False
        self.days = i18n.number(eyes.language, days) if (days := purge.kept_days()) else ""


def _row(view: Any, eyes: Eyes) -> TrashRow:
    local, today = view.deleted_at.astimezone(eyes.zone).date(), eyes.now.astimezone(eyes.zone).date()
    into = eyes.t("Merged into {name}", name=view.merged_into) if view.merged_into else ""
    when = i18n.calendar_day(eyes.language, local, today)
    return TrashRow(f"{view.kind}-{view.id}", view.kind, view.id, view.name, when, into)
