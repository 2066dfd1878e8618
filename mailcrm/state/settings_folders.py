"""Which folders of the chosen mailbox are synced and watched (M14). Ticks save at once; what would leave is said first.

Filled by state/settings.py, which knows which mailbox is chosen.
"""

import asyncio
from dataclasses import dataclass

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import ngettext
from mailcrm.services.mail import folder_choice
from mailcrm.services.mail.folder_choice import FolderChoice
from mailcrm.state.coerce import as_flag, as_int
from mailcrm.state.nav import NavState
from mailcrm.state.session import actor_of


@dataclass(frozen=True)
class FolderRow:
    """A folder of the tree; `count` is "" where the server was not asked yet."""

    id: int
    name: str
    label: str
    role: str
    depth: str
    count: str
    chosen: bool
    watched: bool
    selectable: bool


class FoldersState(rx.State):
    """The tree, and the choice that waits to be confirmed."""

    everything: bool = True
    rows: list[FolderRow] = []
    leaving: str = ""
    wrong: str = ""
    saved: bool = False
    _mailbox_id: int = 0
    _wanted: tuple[bool, tuple[int, ...]] = (True, ())

    @rx.event
    async def sync_all(self, everything: bool):
        """Sync everything, or only the folders that are ticked."""
        actor = await actor_of(self)
        found = await asyncio.to_thread(folder_choice.folders, actor, self._mailbox_id)
        chosen = tuple(node.id for node in found.folders if node.chosen)
        return await self._ask(actor, as_flag(everything), chosen)

    @rx.event
    async def tick(self, folder_id: int, on: bool):
        """Sync a folder, or leave it out."""
        actor = await actor_of(self)
        found = await asyncio.to_thread(folder_choice.folders, actor, self._mailbox_id)
        wanted = {node.id for node in found.folders if node.chosen}
        wanted = wanted | {as_int(folder_id)} if as_flag(on) else wanted - {as_int(folder_id)}
        return await self._ask(actor, False, tuple(sorted(wanted)))

    @rx.event
    async def confirm(self):
        """Let the emails leave that were asked about."""
        return await self._save(await actor_of(self), *self._wanted)

    @rx.event
    async def cancel(self):
        """Leave everything as it is."""
        self.leaving = ""
        await self._fill(await actor_of(self), self._mailbox_id)

    @rx.event
    async def watch(self, folder_id: int, on: bool):
        """Wait for a folder's email live, or no longer."""
        actor = await actor_of(self)
        self.wrong = ""
        try:
            found = await asyncio.to_thread(
                folder_choice.watch, actor, self._mailbox_id, as_int(folder_id), as_flag(on)
            )
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return
        self._show(actor, found)
        self.saved = True

    async def _ask(self, actor: Actor, everything: bool, chosen: tuple[int, ...]):
        self.wrong, self.leaving, self.saved = "", "", False
        try:
            leaving = await asyncio.to_thread(
                lambda: folder_choice.preview(actor, self._mailbox_id, everything=everything, chosen=chosen)
            )
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        if not leaving:
            return await self._save(actor, everything, chosen)
        self._wanted = everything, chosen
        self.leaving = ngettext(
            actor.language,
            "One email will leave mailcrm. It stays on the server and comes back when its folder is chosen again.",
            "{n} emails will leave mailcrm. They stay on the server and come back when their folder is chosen again.",
            leaving,
        )
        return None

    async def _save(self, actor: Actor, everything: bool, chosen: tuple[int, ...]):
        found = await asyncio.to_thread(
            lambda: folder_choice.choose(actor, self._mailbox_id, everything=everything, chosen=chosen)
        )
        self._show(actor, found)
        self.saved = True
        return NavState.refresh

    async def _fill(self, actor: Actor, mailbox_id: int) -> None:
        if mailbox_id == self._mailbox_id and self.leaving and self.rows:
            return  # a question stands; what arrives meanwhile does not take it away
        self._mailbox_id, self.saved = mailbox_id, self.saved and mailbox_id == self._mailbox_id
        if not mailbox_id:
            self.rows = []
            return
        self._show(actor, await asyncio.to_thread(folder_choice.folders, actor, mailbox_id))

    def _show(self, actor: Actor, found: FolderChoice) -> None:
        self.leaving, self.wrong = "", ""
        self.everything = found.everything
        self.rows = [
            FolderRow(
                id=node.id,
                name=node.name,
                label=node.label,
                role=node.role,
                depth=f"{min(node.depth, 6) * 22}px",
                count="" if node.messages is None else i18n.number(actor.language, node.messages),
                chosen=node.chosen,
                watched=node.watched,
                selectable=node.selectable,
            )
            for node in found.folders
        ]
