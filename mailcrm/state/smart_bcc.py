"""Settings › Email sync › Smart Bcc: addresses to send to, addresses to send from, who may read it, what came."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.auth import users
from mailcrm.services.i18n import N_, gettext
from mailcrm.services.mail import letters, mailboxes
from mailcrm.services.smart_bcc import addresses, alternatives, arrivals, holder, newcomers
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of
from mailcrm.state.smart_bcc_drop import DropState
from mailcrm.state.toasts import say, warn
from mailcrm.state.undoing import offer

PAGE = 30
MOST_ROWS = 600
STATES = {
    "waiting": N_("bcc|Being checked"),
    "stored": N_("bcc|Kept"),
    "duplicate": N_("bcc|Was here already"),
    "quarantined": N_("bcc|Set aside"),
    "failed": N_("bcc|Failed"),
    "ignored": N_("bcc|Ignored"),
    "refused": N_("bcc|Refused"),
}


@dataclass(frozen=True)
class AlternativeRow:
    """An address to send from; `state` is waiting, expired or confirmed, `note` says when."""

    id: int
    address: str
    state: str
    note: str


@dataclass(frozen=True)
class ArrivalRow:
    """A line of the log."""

    id: int
    sender: str
    subject: str
    when: str
    state: str
    said: str
    sentence: str
    checks: str
    user: str
    thread_id: int
    can_release: bool
    can_delete: bool


class SmartBccState(rx.State):
    """What the page shows."""

    loaded: bool = False
    on: bool = False
    admin: bool = False
    address: str = ""
    login: str = ""
    shared: bool = False
    makes_people: bool = False
    saved: str = ""
    rows: list[AlternativeRow] = []
    wrong: str = ""
    version: int = 0
    sending: bool = False
    no_letters: bool = False  # the email that confirms an address has no way out
    arrivals: list[ArrivalRow] = []
    shown: str = ""  # "" all, "set_aside"
    cursor: str = ""
    log_failed: bool = False

    @rx.event
    async def load(self):
        """Show the page when it opens."""
        self.reset()
        yield
        actor = await actor_of(self)
        await self._fill(actor)
        await self._log(actor)
        if actor.admin:
            yield DropState.load

    @rx.event
    async def refresh(self):
        """Show again what changed by itself."""
        actor = await actor_of(self)
        await self._fill(actor)
        await self._log(actor)

    @rx.event
    async def add(self, form: dict[str, Any]):
        """Add an address, and send the mail that confirms it."""
        actor, text = await actor_of(self), as_form(form).get("alternative", "").strip()
        self.wrong, self.sending = "", True
        yield
        try:
            made = await asyncio.to_thread(alternatives.add, actor, text)
            self.version += 1  # the field starts anew
            yield say(gettext(actor.language, "Confirmation sent to {address}", address=made.address))
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
        self.sending = False
        await self._fill(actor)

    @rx.event
    async def resend(self, alternative_id: int):
        """Send the mail again."""
        actor = await actor_of(self)
        self.wrong = ""
        try:
            view = await asyncio.to_thread(alternatives.resend, actor, as_int(alternative_id))
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        await self._fill(actor)
        return say(gettext(actor.language, "Confirmation sent to {address}", address=view.address))

    @rx.event
    async def remove(self, alternative_id: int):
        """Delete an address; offers Undo."""
        actor = await actor_of(self)
        gone = await asyncio.to_thread(alternatives.remove, actor, as_int(alternative_id))
        await self._fill(actor)
        return offer(
            actor, gettext(actor.language, "{address} removed", address=gone.address), SmartBccState.again(gone.address)
        )

    @rx.event
    async def again(self, address: str):
        """Undo the deletion of an address."""
        actor = await actor_of(self)
        await asyncio.to_thread(alternatives.restore, actor, as_text(address, 400))
        await self._fill(actor)

    @rx.event
    async def share(self, value: str):
        """Choose who reads what comes from now on."""
        actor = await actor_of(self)
        await asyncio.to_thread(holder.share, actor, as_text(value, 20))
        self.saved = "sharing"
        await self._fill(actor)

    @rx.event
    async def make_people(self, wanted: bool):
        """Choose whether unknown people are added by themselves."""
        actor = await actor_of(self)
        await asyncio.to_thread(newcomers.set_makes_people, actor, as_flag(wanted))
        self.saved = "people"
        await self._fill(actor)

    @rx.event
    async def reissue(self):
        """Put a new address in the workspace's place; offers Undo."""
        actor = await actor_of(self)
        self.address = (await asyncio.to_thread(addresses.reissue, actor)).address
        words = gettext(actor.language, "New address. Email to the old one is set aside.")
        return offer(actor, words, SmartBccState.undo_reissue())

    @rx.event
    async def undo_reissue(self):
        """Let the old address stand again."""
        self.address = (await asyncio.to_thread(addresses.undo_reissue, await actor_of(self))).address

    @rx.event
    async def choose(self, shown: str):
        """Show all of the log, or what was set aside."""
        self.shown = "set_aside" if shown == "set_aside" else ""
        await self._log(await actor_of(self))

    @rx.event
    async def more(self):
        """Show earlier lines."""
        if self.cursor and len(self.arrivals) < MOST_ROWS:
            await self._log(await actor_of(self), self.cursor)

    @rx.event
    async def release(self, arrival_id: int):
        """Let a message in."""
        actor = await actor_of(self)
        try:
            await asyncio.to_thread(arrivals.release, actor, as_int(arrival_id))
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        await self._log(actor)
        return None

    @rx.event
    async def discard(self, arrival_id: int):
        """Delete a message that was set aside; offers Undo."""
        actor, arrival_id = await actor_of(self), as_int(arrival_id)
        try:
            await asyncio.to_thread(arrivals.discard, actor, arrival_id)
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        await self._log(actor)
        return offer(actor, gettext(actor.language, "Email deleted"), SmartBccState.bring_back(arrival_id))

    @rx.event
    async def bring_back(self, arrival_id: int):
        """Undo the deletion of a message."""
        actor = await actor_of(self)
        try:
            await asyncio.to_thread(arrivals.restore, actor, as_int(arrival_id))
        except MailcrmError as error:
            return warn(i18n.sentence(error, actor.language))
        await self._log(actor)
        return None

    async def _fill(self, actor: Actor) -> None:
        eyes = eyes_of(actor)
        found = await asyncio.to_thread(addresses.address_of, actor)
        self.address = found.address if found is not None else ""
        self.on, self.admin = self.address != "", actor.admin
        self.login = (await asyncio.to_thread(users.me, actor)).email
        self.shared = await asyncio.to_thread(holder.visibility, actor) == "shared"
        self.makes_people = await asyncio.to_thread(newcomers.makes_people)
        listed = await asyncio.to_thread(alternatives.list_alternatives, actor)
        self.rows = [_alternative(each, eyes) for each in listed]
        own = await asyncio.to_thread(mailboxes.list_mailboxes, actor)
        self.no_letters = not letters.is_set_up() and not own
        self.loaded = True

    async def _log(self, actor: Actor, cursor: str = "") -> None:
        def read() -> Any:
            return arrivals.page_of_arrivals(actor, state=self.shown or None, cursor=cursor or None, limit=PAGE)

        try:
            found = await asyncio.to_thread(read)
        except MailcrmError:
            self.log_failed = True
            return
        eyes = eyes_of(actor)
        made = [_arrival(each, eyes) for each in found.rows]
        self.arrivals = [*self.arrivals, *made] if cursor else made
        self.cursor, self.log_failed = found.next_cursor or "", False


def _alternative(view: Any, eyes: Eyes) -> AlternativeRow:
    when = view.confirmed_at or view.sent_at
    day = i18n.short_day(eyes.language, when, eyes.now, eyes.zone) if when is not None else ""
    if view.state == "confirmed":
        note = eyes.t("Since {when}", when=day)
    elif view.sent_at is None:
        note = eyes.t("No confirmation was sent yet")
    else:
        note = eyes.t("Confirmation sent {day}", day=day)
    return AlternativeRow(view.id, view.address, view.state, note)


def _arrival(view: Any, eyes: Eyes) -> ArrivalRow:
    return ArrivalRow(
        id=view.id,
        sender=view.sender or eyes.t("(no sender)"),
        subject=view.subject,
        when=i18n.short_day(eyes.language, view.received_at, eyes.now, eyes.zone),
        state=view.state,
        said=eyes.t(STATES[view.state]),
        sentence=view.sentence,
        checks=view.checks if view.state in arrivals.SET_ASIDE else "",
        user=view.user,
        thread_id=view.thread_id or 0,
        can_release=view.can_release,
        can_delete=view.can_delete,
    )
