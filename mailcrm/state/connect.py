"""Connecting a mailbox by hand: the address, then guesses to correct, then a live test that shows its steps.

The password arrives as form data of one background event and is gone with it: no variable of this state holds it.
Nothing is saved unless every step passed. Recognising providers is a later step; the guesses are only guesses.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError, UserError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import N_, gettext
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.providers.probe import ProbeStep
from mailcrm.services.mail.providers.values import ServerSpec
from mailcrm.state.coerce import as_flag, as_form, as_int, as_text
from mailcrm.state.nav import NavState
from mailcrm.state.session import actor_of
from mailcrm.state.settings import MailboxesState
from mailcrm.state.toasts import say

#: The steps of the test: the probe's name, what it is called, and what is said when it passed.
STEPS = (
    ("imap_name", N_("Find the IMAP server"), N_("{host} exists.")),
    ("imap_tcp", N_("Open a connection"), N_("It answers on port {port}.")),
    ("imap_tls", N_("Encrypt the connection"), N_("The connection is encrypted and the certificate is right.")),
    ("imap_sign_in", N_("Sign in"), N_("User name and password are right.")),
    ("imap_folders", N_("List the folders"), N_("The folders can be read.")),
    ("smtp_name", N_("Find the SMTP server"), N_("{host} exists.")),
    ("smtp_tcp", N_("Open a connection"), N_("It answers on port {port}.")),
    ("smtp_tls", N_("Encrypt the connection"), N_("The connection is encrypted and the certificate is right.")),
    ("smtp_sign_in", N_("Sign in to send"), N_("Sending is allowed.")),
)
PLAIN = N_("The server is on this machine, so plain text stays here.")
STARTTLS = N_("The server answers; encryption starts before the sign-in.")
SECURITY = ("ssl", "starttls", "none")


@dataclass(frozen=True)
class TestStep:
    """A step of the live test; `state` is wait, run, ok, bad or skip."""

    name: str
    label: str
    state: str
    text: str


class ConnectState(rx.State):
    """The form of a new mailbox."""

    open: bool = False
    stage: str = "address"
    address: str = ""
    imap_host: str = ""
    smtp_host: str = ""
    testing: bool = False
    steps: list[TestStep] = []
    wrong: str = ""

    @rx.event
    async def show(self, is_open: bool):
        """Open or close the form."""
        self.open = as_flag(is_open)
        self.stage, self.address, self.wrong, self.steps = "address", "", "", []

    @rx.event
    async def back(self):
        """Go back to the address; a running test goes on and saves nothing that is not right."""
        self.stage, self.wrong, self.steps = "address", "", []

    @rx.event
    async def start(self, form: dict[str, Any]):
        """Take the address and guess its servers."""
        actor = await actor_of(self)
        address = as_text(as_form(form).get("mailbox_address", ""), 254).strip()
        name, at, domain = address.rpartition("@")
        self.address, self.wrong, self.steps = address, "", []
        if not (name and at and domain) or any(char.isspace() for char in address):
            self.wrong = i18n.sentence(UserError("mailbox.address", address=address), actor.language)
            return
        self.imap_host, self.smtp_host = f"imap.{domain}", f"smtp.{domain}"
        self.stage = "servers"

    @rx.event(background=True)
    async def connect(self, form: dict[str, Any]):
        """Test both servers and save the mailbox when every step passed."""
        async with self:
            if self.testing:
                return
            actor = await actor_of(self)
            self.testing, self.wrong = True, ""
            self.steps = [TestStep(name, gettext(actor.language, label), "wait", "") for name, label, _ in STEPS]
            self.steps = [replace(self.steps[0], state="run"), *self.steps[1:]]
            address = self.address
        try:
            wanted = _input(address, as_form(form))
            taken: list[ProbeStep] = []
            async for step in _test(actor, wanted):
                taken.append(step)
                async with self:
                    self.steps = _steps(taken, wanted, actor.language, running=True)
            async with self:
                self.steps = _steps(taken, wanted, actor.language, running=False)
            if not all(step.ok for step in taken):
                return
            await asyncio.to_thread(lambda: mailboxes.connect(actor, wanted, probe=False))
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
            self.open, self.stage, self.steps = False, "address", []
        said = gettext(actor.language, "{address} is connected. The newest email comes first.", address=address)
        yield say(said)
        yield MailboxesState.refresh
        yield NavState.refresh


def _input(address: str, fields: dict[str, str]) -> mailboxes.MailboxInput:
    """Make the input from a form. Raises UserError for a port that is none."""
    username = fields.get("mailbox_username", "").strip() or address
    return mailboxes.MailboxInput(
        address=address,
        imap=_server(fields, "imap", username),
        smtp=_server(fields, "smtp", username),
        password=fields.get("mailbox_password", ""),
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


async def _test(actor: Actor, wanted: mailboxes.MailboxInput) -> AsyncIterator[ProbeStep]:
    """Test the servers in a thread; yield each step as it ends."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Queue[ProbeStep | None] = asyncio.Queue()

    def tell(step: ProbeStep) -> None:
        loop.call_soon_threadsafe(ended.put_nowait, step)

    test = asyncio.create_task(asyncio.to_thread(mailboxes.test_connection, actor, wanted, tell))
    test.add_done_callback(lambda _: ended.put_nowait(None))
    while (step := await ended.get()) is not None:
        yield step
    await test


def _steps(taken: list[ProbeStep], wanted: mailboxes.MailboxInput, language: str, *, running: bool) -> list[TestStep]:
    """Return every step with its outcome; steps after a failure on the same server are marked as left out."""
    ended = {step.name: step for step in taken}
    failed = {name[:4] for name, step in ended.items() if not step.ok}
    made: list[TestStep] = []
    for name, label, passed in STEPS:
        step = ended.get(name)
        state, text = "skip" if name[:4] in failed or not running else "wait", ""
        if step is not None and step.ok:
            state, text = "ok", _passed(name, passed, wanted, language)
        elif step is not None:
            state = "bad"
            text = i18n.sentence(step.error, language) if step.error else i18n.sentence_of(step.code, language)
        elif state == "wait" and not any(other.state == "run" for other in made):
            state = "run"
        made.append(TestStep(name, gettext(language, label), state, text))
    return made


def _passed(name: str, sentence: str, wanted: mailboxes.MailboxInput, language: str) -> str:
    spec = wanted.imap if name.startswith("imap") else wanted.smtp
    if name.endswith("_tls"):
        sentence = {"none": PLAIN, "starttls": STARTTLS}.get(spec.security, sentence)
    return gettext(language, sentence, host=spec.host, port=spec.port)
