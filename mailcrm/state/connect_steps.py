"""The live test of a new mailbox as its user reads it: each step's name, what came of it, and how long it took (M09)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailcrm.services import i18n
from mailcrm.services.i18n import N_, gettext
from mailcrm.services.mail import mailboxes
from mailcrm.services.mail.providers.probe import ProbeStep

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
EXCHANGE = N_("Find the Exchange server")


@dataclass(frozen=True)
class TestStep:
    """A step of the live test; `state` is wait, run, ok, bad or skip; `took` its time."""

    name: str
    label: str
    state: str
    text: str
    took: str = ""


def waiting(language: str, kind: str) -> list[TestStep]:
    """Return the steps before the first has ended."""
    made = [TestStep(name, gettext(language, label), "wait", "") for name, label, _ in _of(kind)]
    return [replace(made[0], state="run"), *made[1:]]


def ended(
    taken: list[tuple[ProbeStep, float]], wanted: mailboxes.MailboxInput, language: str, *, running: bool
) -> list[TestStep]:
    """Return every step with its outcome; steps after a failure on the same server are marked as left out."""
    came = {step.name: (step, took) for step, took in taken}
    failed = {name[:4] for name, (step, _) in came.items() if not step.ok}
    made: list[TestStep] = []
    for name, label, passed in _of(wanted.kind):
        step, seconds = came.get(name, (None, 0.0))
        state, text, took = "skip" if name[:4] in failed or not running else "wait", "", ""
        if step is not None:
            took = f"{seconds:.1f} s"
        if step is not None and step.ok:
            state, text = "ok", _passed(name, passed, wanted, language)
        elif step is not None:
            state = "bad"
            text = i18n.sentence(step.error, language) if step.error else i18n.sentence_of(step.code, language)
        elif state == "wait" and not any(other.state == "run" for other in made):
            state = "run"
        made.append(TestStep(name, gettext(language, label), state, text, took))
    return made


def _passed(name: str, sentence: str, wanted: mailboxes.MailboxInput, language: str) -> str:
    spec = wanted.imap if name.startswith("imap") else wanted.smtp
    if name.endswith("_tls"):
        sentence = {"none": PLAIN, "starttls": STARTTLS}.get(spec.security, sentence)
    return gettext(language, sentence, host=spec.host, port=spec.port)


def _of(kind: str) -> Sequence[tuple[str, str, str]]:
    """Exchange's web services are one server for reading and sending."""
    if kind != "ews":
        return STEPS
    return [
        (name, EXCHANGE if name == "imap_name" else label, passed)
        for name, label, passed in STEPS
        if name.startswith("imap")
    ]
