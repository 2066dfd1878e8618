"""Blocked addresses: the list of the settings page, and the question before an address is blocked (M19, M20).

Before anything is blocked its effect is shown as a number (settled question 3); afterwards Undo stands for eight seconds.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.services.mail import blocking, threads
from mailcrm.services.mail.blocking import BlockedView, BlockPreview
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.inbox import InboxState
from mailcrm.state.session import actor_of
from mailcrm.state.thread import ThreadState
from mailcrm.state.undoing import offer


@dataclass(frozen=True)
class BlockedRow:
    """A blocked address or domain with how much it hides."""

    id: int
    shown: str
    kind: str
    hides: str


@dataclass(frozen=True)
class Choice:
    """One way to block the sender of an email."""

    scope: str
    pattern: str
    label: str
    hides: str


class BlockingState(rx.State):
    """What the user blocks."""

    loaded: bool = False
    rows: list[BlockedRow] = []
    text: str = ""
    subdomains: bool = False
    is_domain: bool = False
    effect: str = ""
    wrong: str = ""
    version: int = 0
    # The question in the reading pane.
    asking: bool = False
    address: str = ""
    choices: list[Choice] = []
    chosen: str = "address"

    @rx.event
    async def load(self):
        """List what is blocked when the page opens."""
        self.text = self.effect = self.wrong = ""
        self.is_domain = self.subdomains = False
        await self._fill(await actor_of(self))

    @rx.event(supersedes=True)
    async def typed(self, text: str):
        """Say what blocking the typed address or domain would hide."""
        self.text, self.wrong = as_text(text, 400).strip(), ""
        self.is_domain = "@" in self.text and not self.text.rpartition("@")[0]
        await self._look()

    @rx.event
    async def with_subdomains(self, on: bool):
        """Count and block subdomains of a domain too."""
        self.subdomains = as_flag(on)
        await self._look()

    @rx.event
    async def add(self, form: dict[str, Any]):
        """Block what was typed."""
        self.text = as_form(form).get("blocked_pattern", "").strip()
        self.is_domain = "@" in self.text and not self.text.rpartition("@")[0]
        actor = await actor_of(self)
        try:
            made = await asyncio.to_thread(blocking.block, actor, self._scope(), self.text)
        except MailcrmError as error:
            self.wrong, self.effect = i18n.sentence(error, actor.language), ""
            return None
        self.text, self.effect, self.wrong, self.is_domain, self.subdomains = "", "", "", False, False
        self.version += 1  # the field starts anew
        await self._fill(actor)
        return _blocked(actor, made)

    @rx.event
    async def remove(self, blocked_id: int):
        """Unblock; its email is shown again."""
        actor = await actor_of(self)
        gone = await asyncio.to_thread(blocking.unblock, actor, as_int(blocked_id))
        await self._fill(actor)
        return offer(
            actor,
            gettext(actor.language, "{address} unblocked", address=gone.shown),
            BlockingState.again(gone.scope, gone.pattern),
        )

    @rx.event
    async def again(self, scope: str, pattern: str):
        """Undo unblocking."""
        actor = await actor_of(self)
        await asyncio.to_thread(blocking.block, actor, as_text(scope, 20), as_text(pattern, 400))
        await self._fill(actor)

    @rx.event
    async def take_back(self, blocked_id: int):
        """Undo blocking."""
        actor = await actor_of(self)
        await asyncio.to_thread(blocking.unblock, actor, as_int(blocked_id))
        await self._fill(actor)
        return InboxState.refresh

    @rx.event
    async def ask(self, address: str):
        """Ask how to block the sender of an email, with what each way would hide."""
        actor, self.address = await actor_of(self), as_text(address, 400).strip()
        self.choices, self.chosen, self.wrong, self.asking = [], "address", "", True
        yield
        domain = self.address.rpartition("@")[2]
        for scope, pattern in (("address", self.address), ("domain", f"@{domain}"), ("subdomains", f"@{domain}")):
            try:
                found = await asyncio.to_thread(blocking.preview, actor, scope, pattern)
            except MailcrmError as error:
                if scope == "address":
                    self.wrong = i18n.sentence(error, actor.language)
                    return
                continue
            self.choices = [*self.choices, _choice(found, actor)]
            yield

    @rx.event
    async def choose(self, scope: str):
        """Choose one of the ways."""
        self.chosen = as_text(scope, 20)

    @rx.event
    async def close(self, is_open: bool):
        """Close the question without blocking."""
        if not as_flag(is_open):
            self.asking = False

    @rx.event
    async def block(self):
        """Block the sender as chosen; rows leave the list, and Undo brings them back."""
        actor = await actor_of(self)
        wanted = next((each for each in self.choices if each.scope == self.chosen), None)
        if wanted is None:
            return None
        self.asking = False
        made = await asyncio.to_thread(blocking.block, actor, wanted.scope, wanted.pattern)
        inbox, thread = await self.get_state(InboxState), await self.get_state(ThreadState)
        await inbox._fill(actor)
        if thread.id:
            try:
                await asyncio.to_thread(threads.open_thread, actor, thread.id)
            except MailcrmError:
                await inbox._close()
            else:
                return [_blocked(actor, made), InboxState.refresh]
        return _blocked(actor, made)

    def _scope(self) -> str:
        if not self.is_domain:
            return "address"
        return "subdomains" if self.subdomains else "domain"

    async def _look(self) -> None:
        actor, self.effect = await actor_of(self), ""
        if len(self.text) < 4:
            return
        try:
            found = await asyncio.to_thread(blocking.preview, actor, self._scope(), self.text)
        except MailcrmError:
            return  # still being typed
        self.effect = _effect(found, actor)

    async def _fill(self, actor: Actor) -> None:
        self.rows = [_row(each, actor) for each in await asyncio.to_thread(blocking.list_blocked, actor)]
        self.loaded = True


def _kind(scope: str, actor: Actor) -> str:
    names = {
        "address": gettext(actor.language, "Address"),
        "domain": gettext(actor.language, "Domain"),
        "subdomains": gettext(actor.language, "Domain and subdomains"),
    }
    return names[scope]


def _row(view: BlockedView, actor: Actor) -> BlockedRow:
    count = i18n.number(actor.language, view.hides)
    return BlockedRow(
        view.id, view.shown, _kind(view.scope, actor), gettext(actor.language, "{count} hidden", count=count)
    )


def _choice(view: BlockPreview, actor: Actor) -> Choice:
    labels = {
        "address": "{address}",
        "domain": gettext(actor.language, "Everybody {address}", address=view.shown),
        "subdomains": gettext(actor.language, "Everybody {address} and its subdomains", address=view.shown),
    }
    return Choice(view.scope, view.pattern, labels[view.scope].format(address=view.shown), _effect(view, actor))


def _effect(view: BlockPreview, actor: Actor) -> str:
    if view.blocked:
        return gettext(actor.language, "Blocked already")
    return gettext(actor.language, "Would hide {count} emails", count=i18n.number(actor.language, view.hides))


def _blocked(actor: Actor, made: BlockedView) -> Any:
    said = gettext(
        actor.language,
        "{address} blocked, {count} emails hidden",
        address=made.shown,
        count=i18n.number(actor.language, made.hides),
    )
    return offer(actor, said, BlockingState.take_back(made.id))
