"""Connecting a mailbox: the address, its provider recognised while it is typed, then signing in or a live test (M09).

    address ──▶ provider (recognised, or chosen among the tiles) ──▶ sign in there, or its secret ──▶ test ──▶ first steps

The password arrives as form data of one background event and is gone with it: no variable of this state holds it.
Nothing is saved unless every step passed. What a browser says of a provider is looked up again, never believed.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import reflex as rx

from mailcrm.errors import MailcrmError, UserError
from mailcrm.services import i18n, told
from mailcrm.services.access import Actor
from mailcrm.services.i18n import N_, gettext
from mailcrm.services.mail import mailboxes, scope
from mailcrm.services.mail.oauth import flow
from mailcrm.services.mail.providers import recognise, table
from mailcrm.services.mail.providers.probe import ProbeStep
from mailcrm.services.mail.providers.recognise import Recognised
from mailcrm.services.mail.providers.values import ServerSpec
from mailcrm.state import connect_steps
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.connect_fresh import FreshState
from mailcrm.state.connect_steps import TestStep
from mailcrm.state.nav import NavState
from mailcrm.state.session import actor_of
from mailcrm.state.settings import MailboxesState
from mailcrm.state.toasts import say, warn

SECURITY = ("ssl", "starttls", "none")
#: From where a provider is known, as it is said below the address.
KNOWN = {
    "domain": N_("{domain} is {provider}. If that’s wrong, choose another below."),
    "autoconfig": N_("{domain} names its own servers. If that’s wrong, choose another below."),
    "srv": N_("{domain} names its own servers. If that’s wrong, choose another below."),
    "mx": N_("{domain} is hosted by {provider}. If that’s wrong, choose another below."),
    "names": N_("{domain} says nothing about its servers. Choose your provider, or check our guess."),
    "guess": N_("{domain} says nothing about its servers. Choose your provider, or check our guess."),
}


@dataclass(frozen=True)
class Tile:
    """A provider to choose; `kind` is how its users sign in."""

    key: str
    name: str
    mark: str
    hue: str
    kind: str


@dataclass(frozen=True)
class Chosen:
    """The provider that the form is for, and the servers that stand in it."""

    key: str = ""
    name: str = ""
    title: str = ""
    signs_in_at: str = ""
    secret_kind: str = ""
    can_sign_in: bool = False
    steps: tuple[str, ...] = ()
    secret_url: str = ""
    imap_host: str = ""
    imap_port: str = "993"
    imap_security: str = "ssl"
    imap_username: str = ""
    smtp_host: str = ""
    smtp_port: str = "465"
    smtp_security: str = "ssl"
    smtp_username: str = ""


def _tiles() -> list[Tile]:
    return [
        Tile(row.key, row.name, row.mark, row.hue, row.auth[0])
        for row in table.providers()
        if row.tile and row.key != table.GENERIC
    ]


class ConnectState(rx.State):
    """The form of a new mailbox."""

    open: bool = False
    stage: str = "address"
    address: str = ""
    tiles: list[Tile] = _tiles()
    looking: bool = False
    chosen: Chosen = Chosen()
    hint: str = ""
    picked: str = ""
    by_hand: bool = False
    #: Exchange is spoken to through its web services, not by IMAP.
    web_services: bool = False
    testing: bool = False
    steps: list[TestStep] = []
    wrong: str = ""

    @rx.event
    async def show(self, is_open: bool):
        """Open or close the form."""
        self.open = as_flag(is_open)
        self._clear()

    @rx.event
    async def arrive(self):
        """Come back from a provider's page: to the mailbox that was connected there, or with what went wrong."""
        asked = self.router.url.query_parameters
        actor = await actor_of(self)
        if self.chosen.key:  # the language may be another than when it was chosen
            row = table.get(self.chosen.key)
            self.chosen = replace(self.chosen, steps=row.steps.get(actor.language, row.steps["en"]))
        fresh = await self.get_state(FreshState)
        if not asked.get("connected"):
            fresh._end()  # who comes back to the settings sees them, not the steps they left
        wrong = told.read({name: as_text(value, 200) for name, value in asked.items()}, actor.user_id)
        self.wrong = ""
        if wrong is not None:
            self.wrong = i18n.sentence_of(wrong[0], actor.language, **wrong[1])
            return warn(self.wrong)
        mailbox_id = as_int(asked.get("connected", ""))
        if not mailbox_id:
            return None
        view = await asyncio.to_thread(mailboxes.get, actor, mailbox_id)
        if asked.get("new"):
            await fresh._begin(actor, view.id, view.address)
            said = gettext(
                actor.language, "{address} is connected. The newest email comes first.", address=view.address
            )
        else:
            said = gettext(actor.language, "{address} is connected again.", address=view.address)
        return [MailboxesState.choose(view.id), NavState.refresh, say(said)]

    @rx.event
    async def back(self):
        """Go back to the address; a running test goes on and saves nothing that is not right."""
        self.stage, self.wrong, self.steps, self.picked = "address", "", [], ""

    @rx.event(background=True)
    async def look(self, typed: str):
        """Recognise the provider while the address is typed."""
        address = as_text(typed, 254).strip()
        async with self:
            actor = await actor_of(self)
            self.address, self.wrong = address, ""
            if self.picked:  # before the address was known: a choice holds until another is made
                self._take(recognise.by_hand(self.picked, address), actor, said=False)
                return
            known = recognise.at_once(address)
            if known is not None or not recognise.domain_of(address):
                self.looking = False
                self._take(known, actor)
                return
            self.looking, self.hint = True, ""
        found = await asyncio.to_thread(recognise.recognise, address)
        async with self:
            if self.address == address and not self.picked and self.stage == "address":
                self.looking = False
                self._take(found, actor)

    @rx.event
    async def pick(self, key: str):
        """Choose a provider by hand; with an address, go on to its sign-in."""
        actor = await actor_of(self)
        row = table.get(as_text(key, 40))
        self.picked, self.looking, self.hint = row.key, False, ""
        found = await asyncio.to_thread(recognise.recognise, self.address) if row.key == table.GENERIC else None
        if found is None or found.provider.key != row.key:
            found = recognise.by_hand(row.key, self.address)
        self._take(found, actor, said=False)
        if recognise.domain_of(self.address):
            self._sign_in()

    @rx.event
    async def choose_protocol(self, kind: str):
        """Ask for an Exchange server's web services, or for its IMAP and SMTP servers."""
        self.web_services, self.steps = self.chosen.key == "exchange" and kind == "ews", []

    @rx.event
    async def start(self, form: dict[str, Any]):
        """Take the address, recognise its provider, and ask for the sign-in."""
        actor = await actor_of(self)
        address = as_text(as_form(form).get("mailbox_address", ""), 254).strip()
        name, at, domain = address.rpartition("@")
        same = address == self.address
        self.address, self.wrong, self.steps = address, "", []
        if not (name and at and domain) or any(char.isspace() for char in address):
            self.wrong = i18n.sentence(UserError("mailbox.address", address=address), actor.language)
            return
        if not (same and self.chosen.key and (self.picked or self.hint)):
            found = await asyncio.to_thread(recognise.recognise, address)
            self._take(found, actor, said=False)
        self._sign_in()

    @rx.event
    async def sign_in_there(self, form: dict[str, Any]):
        """Leave for the provider's page; it sends the browser back to these settings."""
        actor = await actor_of(self)
        history = _history(as_form(form))
        row = table.get(self.chosen.key)
        if not row.signs_in_at:
            return None
        try:
            url = flow.start_url(actor, row.signs_in_at, address=self.address, history_days=history)
        except MailcrmError as error:
            self.wrong = i18n.sentence(error, actor.language)
            return None
        # Not rx.redirect: it looks for a page of the interface at our own addresses, and finds none.
        return rx.call_script(f"window.location.assign({json.dumps(url)})")

    @rx.event(background=True)
    async def connect(self, form: dict[str, Any]):
        """Test both servers and save the mailbox when every step passed."""
        async with self:
            if self.testing:
                return
            actor = await actor_of(self)
            self.testing, self.wrong = True, ""
            self.steps = connect_steps.waiting(actor.language, "ews" if self.web_services else "imap")
            address, chosen, kind = self.address, self.chosen, "ews" if self.web_services else "imap"
        try:
            wanted = _input(address, as_form(form), chosen, kind)
            taken: list[tuple[ProbeStep, float]] = []
            async for step in _test(actor, wanted):
                taken.append(step)
                async with self:
                    self.steps = connect_steps.ended(taken, wanted, actor.language, running=True)
            async with self:
                self.steps = connect_steps.ended(taken, wanted, actor.language, running=False)
            if not all(step.ok for step, _ in taken):
                return
            view = await asyncio.to_thread(lambda: mailboxes.connect(actor, wanted, probe=False))
        except MailcrmError as error:
            async with self:
                self.wrong = i18n.sentence(error, actor.language)
                self.steps = [
                    replace(step, state="skip") if step.state in ("wait", "run") else step for step in self.steps
                ]
            return
        finally:
            async with self:
                self.testing = False
        async with self:
            self.open = False
            self._clear()
            await (await self.get_state(FreshState))._begin(actor, view.id, view.address)
        said = gettext(actor.language, "{address} is connected. The newest email comes first.", address=address)
        yield say(said)
        yield MailboxesState.choose(view.id)
        yield NavState.refresh

    def _clear(self) -> None:
        self.stage, self.address, self.wrong, self.steps = "address", "", "", []
        self.chosen, self.hint, self.picked, self.looking, self.by_hand = Chosen(), "", "", False, False
        self.web_services = False

    def _sign_in(self) -> None:
        self.stage, self.steps, self.web_services = "servers", [], False
        self.by_hand = self.chosen.key == table.GENERIC or not self.chosen.imap_host

    def _take(self, found: Recognised | None, actor: Actor, *, said: bool = True) -> None:
        """Put what was recognised into the form; None clears it."""
        if found is None:
            self.chosen, self.hint = Chosen(), ""
            return
        self.chosen = _chosen(found, actor.language)
        if said:
            domain = recognise.domain_of(self.address)
            self.hint = gettext(actor.language, KNOWN[found.how], domain=domain, provider=found.provider.name)


def _chosen(found: Recognised, language: str) -> Chosen:
    row, imap, smtp = found.provider, found.imap, found.smtp
    return Chosen(
        key=row.key,
        name=row.name if row.key != table.GENERIC else "",
        title=row.title,
        signs_in_at=row.signs_in_at,
        secret_kind=row.secret_kind,
        can_sign_in=bool(row.signs_in_at) and row.signs_in_at in flow.offered(),
        steps=row.steps.get(language, row.steps["en"]),
        secret_url=row.secret_url,
        imap_host=imap.host,
        imap_port=str(imap.port),
        imap_security=imap.security,
        imap_username=imap.username,
        smtp_host=smtp.host,
        smtp_port=str(smtp.port),
        smtp_security=smtp.security,
        smtp_username=smtp.username,
    )


def _history(fields: dict[str, str]) -> int | None:
    text = fields.get("mailbox_history", "all")
    days = None if text in ("all", "") else as_int(text)
    return days if days in scope.WINDOWS else None


def _input(
    address: str, fields: dict[str, str], chosen: Chosen, kind: Literal["imap", "ews"]
) -> mailboxes.MailboxInput:
    """Make the input from a form. Raises UserError for a port that is none."""
    username = fields.get("mailbox_username", "").strip() or address
    if kind == "ews":
        server = _server(fields, "ews", username)
        return mailboxes.MailboxInput(
            address=address,
            imap=server,
            smtp=server,
            password=fields.get("mailbox_password", ""),
            history_days=_history(fields),
            provider=chosen.key,
            kind="ews",
        )
    sending = fields.get("mailbox_smtp_username", "").strip() or username
    if chosen.imap_username == chosen.smtp_username == sending:
        sending = username  # one name for both, and it was changed in one place
    return mailboxes.MailboxInput(
        address=address,
        imap=_server(fields, "imap", username),
        smtp=_server(fields, "smtp", sending),
        password=fields.get("mailbox_password", ""),
        history_days=_history(fields),
        provider=chosen.key or table.GENERIC,
    )


def _server(fields: dict[str, str], kind: str, username: str) -> ServerSpec:
    host = fields.get(f"mailbox_{kind}_host", "").strip()
    port_text = fields.get(f"mailbox_{kind}_port", "").strip()
    security = fields.get(f"mailbox_{kind}_security", "")
    if not host:
        raise UserError("input.missing", field=N_("Server"))
    port = as_int(port_text)
    if not 0 < port < 65536:
        raise UserError("input.invalid", value=port_text[:20], field=N_("Port"))
    if security not in SECURITY:
        raise UserError("input.invalid", value=security[:20], field=N_("Security"))
    return ServerSpec(host=host, port=port, security=security, username=username)  # type: ignore[arg-type]


async def _test(actor: Actor, wanted: mailboxes.MailboxInput) -> AsyncIterator[tuple[ProbeStep, float]]:
    """Test the servers in a thread; yield each step as it ends, with its seconds."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Queue[tuple[ProbeStep, float] | None] = asyncio.Queue()
    began = [time.monotonic()]

    def tell(step: ProbeStep) -> None:
        now = time.monotonic()
        loop.call_soon_threadsafe(ended.put_nowait, (step, now - began[0]))
        began[0] = now

    test = asyncio.create_task(asyncio.to_thread(mailboxes.test_connection, actor, wanted, tell))
    test.add_done_callback(lambda _: ended.put_nowait(None))
    while (step := await ended.get()) is not None:
        yield step
    await test
