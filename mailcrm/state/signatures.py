"""Settings › Email sync › Signatures: one's signatures, and what each mailbox begins with (M08)."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import N_, gettext
from mailcrm.services.writing import fill, signatures
from mailcrm.services.writing.views import SignatureView
from mailcrm.state.autosave import Autosave
from mailcrm.state.coerce import as_int, as_text
from mailcrm.state.composer_parts import MOST_HTML
from mailcrm.state.session import actor_of
from mailcrm.state.toasts import warn
from mailcrm.state.undoing import offer

NAMELESS = N_("New signature")


@dataclass(frozen=True)
class SignatureRow:
    """A signature in the list; `used` names where mail begins with it."""

    id: int
    name: str
    used: str
    first: bool


@dataclass(frozen=True)
class MailboxRow:
    """A mailbox and what its mail begins with, as texts for a select."""

    id: int
    address: str
    new: str
    reply: str


@dataclass(frozen=True)
class OpenSignature:
    """The signature that is open; `id` 0 for none."""

    id: int = 0
    name: str = ""
    html: str = ""


class SignaturesState(Autosave, rx.State):
    """What /settings/signatures shows."""

    rows: list[SignatureRow] = []
    mailboxes: list[MailboxRow] = []
    current: OpenSignature = OpenSignature()
    saved_default: str = ""
    loaded: bool = False
    fields: list[dict[str, str]] = []

    @rx.event
    async def load(self):
        """List them when the page opens, and open the first."""
        actor = await actor_of(self)
        choices = await asyncio.to_thread(fill.fields, actor)
        self.fields = [
            {"name": each.field, "label": each.label, "value": each.label, "group": each.group}
            for each in choices
            if each.field.startswith("sender.")
        ]
        await self._list(actor)
        await self._open(actor, self.current.id or (self.rows[0].id if self.rows else 0))

    @rx.event
    async def select(self, signature_id: int):
        """Open one."""
        await self._open(await actor_of(self), as_int(signature_id))

    @rx.event
    async def create(self):
        """Begin a signature."""
        actor = await actor_of(self)
        name = gettext(actor.language, NAMELESS)
        made = await self._try(lambda: signatures.create(actor, name=name), actor.language)
        if made is None:
            return warn(self.wrong)
        await self._list(actor)
        await self._open(actor, made.id)
        return rx.call_script("mailcrmNameIt('signature-name')")

    @rx.event
    async def rename(self, name: str, signature_id: int):
        """Save the name as it was typed, of the signature it was typed into."""
        await self._save(as_int(signature_id), name=as_text(name, 400))

    @rx.event
    async def change_body(self, html: str, number: int, signature_id: int):
        """Save the text as it was typed and confirm it by its number."""
        signature_id = as_int(signature_id)
        if await self._save(signature_id, html=as_text(html, MOST_HTML)) and signature_id == self.current.id:
            self.saved_body = as_int(number)

    @rx.event
    async def delete(self):
        """Put the open signature in the trash; offers Undo."""
        actor, signature_id = await actor_of(self), self.current.id
        try:
            await asyncio.to_thread(signatures.delete_signature, actor, signature_id)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        await self._list(actor)
        await self._open(actor, self.rows[0].id if self.rows else 0)
        return offer(actor, gettext(actor.language, "Signature deleted"), SignaturesState.restore(signature_id))

    @rx.event
    async def restore(self, signature_id: int):
        """Bring a signature back and open it."""
        actor, signature_id = await actor_of(self), as_int(signature_id)
        await asyncio.to_thread(signatures.restore, actor, signature_id)
        await self._list(actor)
        await self._open(actor, signature_id)

    @rx.event
    async def raise_one(self, signature_id: int):
        """Move a signature up."""
        actor, chosen, ids = await actor_of(self), as_int(signature_id), [row.id for row in self.rows]
        if chosen in ids[1:]:
            at = ids.index(chosen)
            ids[at - 1], ids[at] = ids[at], ids[at - 1]
            await self._try(lambda: signatures.order(actor, ids), actor.language)
        await self._list(actor)

    @rx.event
    async def set_default(self, mailbox_id: int, use: str, signature_id: str):
        """Say what new mail or replies of a mailbox begin with; "" for nothing."""
        actor, mailbox_id, chosen = await actor_of(self), as_int(mailbox_id), as_int(signature_id) or None
        use = "reply" if use == "reply" else "new"
        try:
            await asyncio.to_thread(signatures.set_default, actor, mailbox_id, use, chosen)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        self.saved_default = f"{use}-{mailbox_id}"
        await self._list(actor)
        return None

    async def _save(self, signature_id: int, **values: Any) -> bool:
        actor, is_open = await actor_of(self), signature_id == self.current.id
        if not signature_id:
            return False
        if is_open and self._has(self.current, values):
            return True
        found = await self._try(
            lambda: signatures.change(actor, signature_id, **values), actor.language, is_open=is_open
        )
        if found is None:
            return False
        if is_open:
            self._was_saved(actor)
            self._show(found)
        if "name" in values:
            await self._list(actor)
        return True

    async def _list(self, actor: Actor) -> None:
        found = await asyncio.to_thread(signatures.list_signatures, actor)
        chosen = await asyncio.to_thread(signatures.defaults, actor)
        addresses = {each.mailbox_id: each.address for each in chosen}
        self.rows = [_row(actor, each, addresses, at == 0) for at, each in enumerate(found)]
        self.mailboxes = [
            MailboxRow(each.mailbox_id, each.address, str(each.new_id or ""), str(each.reply_id or ""))
            for each in chosen
        ]
        self.loaded = True

    async def _open(self, actor: Actor, signature_id: int) -> None:
        found = None
        if signature_id:
            found = await self._try(lambda: signatures.get(actor, signature_id), actor.language)
        if found is None:
            self._another()
            self.current, self.preview_url = OpenSignature(), ""
        else:
            self._opened(_of(found) != self.current)
            self._show(found)

    def _show(self, found: SignatureView) -> None:
        self.current = _of(found)
        self._look_again(f"/signatures/{found.id}/preview")


def _of(found: SignatureView) -> OpenSignature:
    return OpenSignature(found.id, found.name, found.html)


def _row(actor: Actor, found: SignatureView, addresses: dict[int, str], first: bool) -> SignatureRow:
    said = {"new": N_("New: {address}"), "reply": N_("Replies: {address}")}
    used = [
        gettext(actor.language, said[use], address=addresses[mailbox_id])
        for mailbox_id, use in found.uses
        if mailbox_id in addresses
    ]
    return SignatureRow(found.id, found.name, " · ".join(used), first)
