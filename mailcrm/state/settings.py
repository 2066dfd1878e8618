"""Connected mailboxes and their settings, which save as soon as they are touched. (Folders: settings_folders.py; how
the sync goes: settings_health.py.)

Connecting a new one is state/connect.py. Does not hold credentials and never sees a password, save the one field of
signing in again, which is passed on and dropped.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext, ngettext
from mailcrm.services.mail import health, letters, mailboxes, scope
from mailcrm.services.mail.outbox import moving
from mailcrm.state.aliases import AliasState
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.nav import NavState
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.settings_folders import FoldersState
from mailcrm.state.settings_health import HealthState
from mailcrm.state.settings_writes import WritesState
from mailcrm.state.toasts import say, warn

#: The switches of a mailbox, by the name that the service knows them by.
SWITCHES = (
    "track_opens", "track_clicks", "track_copies", "track_text", "track_notify", "auto_link_deals", "write_read", "write_archive", "write_delete",
    "write_drafts", "hide_gone", "contacts_only",
)  # fmt: skip
LEAST_S = 1.0  # seconds between two refreshes by hints: a ledger of a large mailbox costs tens of milliseconds
STATES = {"active": "ok", "paused": "off", "needs_reconnect": "warn"}


@dataclass(frozen=True)
class MailboxRow:
    """A mailbox on the settings page; `kind` is ok, syncing, warn, bad or off."""

    id: int = 0
    address: str = ""
    letter: str = ""
    since: str = ""
    kind: str = "off"
    status: str = ""
    at: str = ""
    error: str = ""
    paused: bool = False
    signed_out: bool = False
    auth: str = "password"
    shared: bool = False
    track_opens: bool = False
    track_clicks: bool = False
    track_copies: bool = False
    track_text: bool = False
    track_notify: bool = False
    auto_link_deals: bool = False
    deal_policy: str = "ask"
    write_read: bool = True
    write_archive: bool = False
    write_delete: bool = False
    write_drafts: bool = False
    hide_gone: bool = False
    contacts_only: bool = False
    history: str = "all"


class MailboxesState(rx.State):
    """What the settings page shows of the actor's mailboxes."""

    loaded: bool = False
    failed: bool = False
    rows: list[MailboxRow] = []
    chosen: MailboxRow = MailboxRow()
    saved: str = ""
    leaving: int = 0
    leaving_address: str = ""
    leaving_mail: str = ""  # what becomes of its drafts and waiting mail
    _stopped: int = 0  # how much waiting mail the question named
    wrong: str = ""
    no_letters: bool = False  # nothing could write to the user when their one mailbox is out
    _filled_at: float = 0.0
    _soon: bool = False

    @rx.event
    async def load(self):
        """Show the mailboxes when the page opens."""
        self.saved, self.wrong, self.leaving = "", "", 0
        (await self.get_state(FoldersState)).saved = False
        asked = as_int(self.router.url.query_parameters.get("reconnect", ""))
        await self._fill(await actor_of(self), asked)

    @rx.event
    async def refresh(self):
        """Show again what changed by itself; while a sync runs that is every batch, so at most once a second."""
        actor = await actor_of(self)
        if time.monotonic() - self._filled_at >= LEAST_S:
            await self._fill(actor)
        elif not self._soon:
            self._soon = True
            return MailboxesState.refresh_soon
        return None

    @rx.event(background=True)
    async def refresh_soon(self):
        """Show the last of several changes that came close together."""
        await asyncio.sleep(LEAST_S)
        async with self:
            self._soon = False
            await self._fill(await actor_of(self))

    @rx.event
    async def choose(self, mailbox_id: int):
        """Show another mailbox's settings."""
        self.saved = ""
        await self._fill(await actor_of(self), as_int(mailbox_id))

    @rx.event
    async def sync_now(self, mailbox_id: int):
        """Ask the worker for a sync."""
        actor = await actor_of(self)
        await asyncio.to_thread(mailboxes.request_sync, actor, as_int(mailbox_id))
        await self._fill(actor)
        return [NavState.refresh, say(gettext(actor.language, "Sync asked for. New email arrives by itself."))]

    @rx.event
    async def pause(self, mailbox_id: int, paused: bool):
        """Stop or resume the sync of a mailbox."""
        actor = await actor_of(self)
        await asyncio.to_thread(mailboxes.change, actor, as_int(mailbox_id), paused=as_flag(paused))
        await self._fill(actor)
        return NavState.refresh

    @rx.event
    async def switch(self, mailbox_id: int, name: str, on: bool):
        """Save one of the mailbox's switches."""
        if name not in SWITCHES:
            raise NotFound
        await self._save(as_int(mailbox_id), {name: as_flag(on)}, name)

    @rx.event
    async def share(self, mailbox_id: int, visibility: str):
        """Save the visibility of mail that arrives from now on."""
        await self._save(as_int(mailbox_id), {"default_visibility": as_text(visibility, 10)}, "sharing")

    @rx.event
    async def choose_deals(self, mailbox_id: int, policy: str):
        """Save what happens with email of a person who has several open deals (M29)."""
        if policy not in mailboxes.DEAL_POLICIES:
            raise NotFound
        await self._save(as_int(mailbox_id), {"deal_link_policy": policy}, "linking")

    @rx.event
    async def keep_history(self, mailbox_id: int, window: str):
        """Save how far back email is stored: a number of days, or "all"."""
        days = None if window == "all" else as_int(window)
        if days not in scope.WINDOWS:
            raise NotFound
        await self._save(as_int(mailbox_id), {"history_days": days}, "history")

    @rx.event
    async def ask_remove(self, mailbox_id: int):
        """Ask before a mailbox is removed; 0 closes the question."""
        self.leaving = as_int(mailbox_id)
        if self.leaving:
            actor = await actor_of(self)
            found = await asyncio.to_thread(mailboxes.get, actor, self.leaving)
            self.leaving_address = found.address
            touched = await asyncio.to_thread(moving.leaving, actor, self.leaving)
            self.leaving_mail, self._stopped = _leaving_said(touched, actor.language), touched.waiting

    @rx.event
    async def close_question(self, is_open: bool):
        """Close the question without removing anything."""
        if not as_flag(is_open):
            self.leaving = 0

    @rx.event
    async def remove(self):
        """Remove the mailbox that was asked about."""
        actor = await actor_of(self)
        mailbox_id, address = self.leaving, self.leaving_address
        self.leaving = 0
        try:
            await asyncio.to_thread(mailboxes.remove, actor, mailbox_id, stop_waiting=self._stopped)
        except UserError as error:
            return warn(i18n.sentence(error, actor.language))
        await self._fill(actor)
        said = gettext(actor.language, "{address} is removed. Its mail on the server was not touched.", address=address)
        return [NavState.refresh, say(said)]

    @rx.event
    async def sign_in_again(self, form: dict[str, Any]):
        """Try a new password for the chosen mailbox and keep it when the server takes it."""
        actor = await actor_of(self)
        self.wrong = ""
        fields = as_form(form)
        try:
            await asyncio.to_thread(mailboxes.reconnect, actor, self.chosen.id, fields.get("new_password", ""))
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        await self._fill(actor)
        return NavState.refresh

    async def _save(self, mailbox_id: int, changes: dict[str, Any], name: str) -> None:
        actor = await actor_of(self)
        self.saved = ""
        await asyncio.to_thread(lambda: mailboxes.change(actor, mailbox_id, **changes))
        await self._fill(actor)
        self.saved = name

    async def _fill(self, actor: Actor, wanted: int = 0) -> None:
        eyes = eyes_of(actor)
        try:
            found = await asyncio.to_thread(mailboxes.list_mailboxes, actor)
            status = await asyncio.to_thread(health.sync_status, actor)
            self.no_letters = not letters.is_set_up() and len(found) == 1
            self.rows = [_row(each, eyes, syncing=status.kind == "syncing" and len(found) == 1) for each in found]
            wanted = wanted or self.chosen.id
            self.chosen = next(
                (row for row in self.rows if row.id == wanted), self.rows[0] if self.rows else MailboxRow()
            )
            await (await self.get_state(HealthState))._fill(actor, self.chosen.id)
            await (await self.get_state(AliasState))._fill(actor, self.chosen.id)
            await (await self.get_state(WritesState))._fill(actor, self.chosen.id)
            await (await self.get_state(FoldersState))._fill(actor, self.chosen.id)
            self.failed = False
        finally:
            self.loaded, self._filled_at = True, time.monotonic()


def _row(view: Any, eyes: Eyes, *, syncing: bool) -> MailboxRow:
    kind = STATES.get(view.status, "ok")
    at = i18n.short_day(eyes.language, view.last_success_at, eyes.now, eyes.zone) if view.last_success_at else ""
    if kind == "ok" and view.error:
        kind = "bad"
        at = i18n.short_day(eyes.language, view.next_try_at, eyes.now, eyes.zone) if view.next_try_at else ""
    elif kind == "ok" and (syncing or not at):
        kind = "syncing"
    words = {
        "ok": gettext(eyes.language, "Up to date"),
        "syncing": gettext(eyes.language, "Syncing"),
        "warn": gettext(eyes.language, "Sign in again"),
        "bad": gettext(eyes.language, "Trying again"),
        "off": gettext(eyes.language, "Paused by you"),
    }
    return MailboxRow(
        id=view.id,
        address=view.address,
        letter=view.address[:1].upper(),
        since=gettext(
            eyes.language,
            "Connected {day}",
            day=i18n.calendar_day(
                eyes.language, view.created_at.astimezone(eyes.zone).date(), eyes.now.astimezone(eyes.zone).date()
            ),
        ),
        kind=kind,
        status=words[kind],
        at=at,
        error=view.error_sentence,
        paused=view.status == "paused",
        signed_out=view.status == "needs_reconnect",
        auth=view.auth,
        shared=view.default_visibility == "shared",
        track_opens=view.track_opens,
        track_clicks=view.track_clicks,
        track_copies=view.track_copies,
        track_text=view.track_text,
        track_notify=view.track_notify,
        auto_link_deals=view.auto_link_deals,
        deal_policy=view.deal_link_policy,
        write_read=view.write_read,
        write_archive=view.write_archive,
        write_delete=view.write_delete,
        write_drafts=view.write_drafts,
        hide_gone=view.hide_gone,
        contacts_only=view.contacts_only,
        history="all" if view.history_days is None else str(view.history_days),
    )


def _leaving_said(found: moving.Leaving, language: str) -> str:
    """Say what becomes of a mailbox's drafts and waiting mail when it is removed, "" when there are none."""
    said: list[str] = []
    if found.waiting:
        said.append(ngettext(language, "{n} email that waits to be sent is stopped.",
                             "{n} emails that wait to be sent are stopped.", found.waiting))  # fmt: skip
    kept = found.drafts + found.waiting
    if kept and found.to:
        said.append(ngettext(language, "{n} draft moves to {address}.", "{n} drafts move to {address}.",
                             kept, address=found.to))  # fmt: skip
    elif kept:
        said.append(ngettext(language, "{n} draft is deleted.", "{n} drafts are deleted.", kept))
    return " ".join(said)
