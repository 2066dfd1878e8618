"""Tries a mailbox's servers out before anything is saved: name, TCP, TLS, sign-in, folders, sending.

Every failure is one step with one sentence that says what to do. Each step has an overall time limit, so that a
server that hangs, or drips one byte at a time, is told apart from one that works. Sends no mail, changes nothing.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from mailcrm.errors import MailcrmError, PermanentError, TransientError
from mailcrm.services.mail.ews import client as ews
from mailcrm.services.mail.imap.client import ImapConnection, RemoteFolder, connect
from mailcrm.services.mail.imap.wire import Limits
from mailcrm.services.mail.outbox import smtp
from mailcrm.services.mail.providers import failures, hosts
from mailcrm.services.mail.providers.tls import shared_context
from mailcrm.services.mail.providers.values import Secret, ServerSpec

STEP_S = 10.0  # a person is waiting in front of the form
AGAIN_S = 0.5  # until a dropped connection is tried once more

StepName = Literal[
    "imap_name", "imap_tcp", "imap_tls", "imap_sign_in", "imap_folders", "smtp_name", "smtp_tcp", "smtp_tls",
    "smtp_sign_in",
]  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProbeStep:
    """One step; `code` is the error’s when it failed, `sentence` its English text, `error` the error itself."""

    name: StepName
    ok: bool
    code: str = ""
    sentence: str = ""
    error: MailcrmError | None = None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The steps that were taken, in order; the steps after a failure on the same server are left out."""

    steps: tuple[ProbeStep, ...]
    folders: tuple[RemoteFolder, ...]

    @property
    def ok(self) -> bool:
        """Whether the mailbox can be saved as it is."""
        return all(step.ok for step in self.steps)

    @property
    def failure(self) -> ProbeStep | None:
        """The first step that failed."""
        return next((step for step in self.steps if not step.ok), None)


class _Stop(Exception):
    """A step failed; the server's later steps make no sense."""


class _Prober:
    def __init__(
        self,
        *,
        allow_private: bool,
        discreet: bool,
        step_s: float,
        context: ssl.SSLContext | None,
        on_step: Callable[[ProbeStep], None] | None,
    ) -> None:
        self.steps: list[ProbeStep] = []
        self.on_step = on_step
        self.allow_private, self.discreet = allow_private, discreet
        self.step_s = step_s
        self.context = context or shared_context()

    def step(self, name: StepName, spec: ServerSpec, work: Callable[[], T]) -> T:
        """Run one step within its time; record how it went, raise _Stop when it failed.

        A connection that a busy server dropped is tried once more: nothing was said against it.
        """
        for last in (False, True):
            found, error = self._try(name, spec, work)
            if error is None:
                self._took(ProbeStep(name, True))
                return found[0]
            if last or error.code != "server.lost":
                break
            time.sleep(AGAIN_S)
        self._took(ProbeStep(name, False, error.code, error.sentence, error))
        raise _Stop from error

    def _try(self, name: StepName, spec: ServerSpec, work: Callable[[], T]) -> tuple[list[T], MailcrmError | None]:
        box: list[T] = []
        failed: list[BaseException] = []

        def run() -> None:
            try:
                box.append(work())
            except BaseException as exc:  # handed to the caller below
                failed.append(exc)

        # A thread of its own, because resolvers and handshakes can't be interrupted; their own limits end it later.
        thread = threading.Thread(target=run, daemon=True, name=f"probe-{name}")
        thread.start()
        thread.join(self.step_s)
        if box:
            return box, None
        error: MailcrmError = TransientError("server.timeout", host=spec.host, port=spec.port)
        if failed:
            exc = failed[0]
            error = failures.of_connection(exc, spec.host, spec.port) or TransientError(
                "server.protocol", host=spec.host, port=spec.port
            )
            error.__cause__ = exc.__cause__ if exc is error else exc
        return box, error

    def _took(self, step: ProbeStep) -> None:
        self.steps.append(step)
        if self.on_step is not None:
            self.on_step(step)

    def reach(self, kind: Literal["imap", "smtp"], spec: ServerSpec) -> None:
        """Name, TCP and, for TLS from the start, the handshake: each on its own, so that the sentence is exact."""
        names: tuple[StepName, StepName, StepName] = (
            ("imap_name", "imap_tcp", "imap_tls") if kind == "imap" else ("smtp_name", "smtp_tcp", "smtp_tls")
        )
        loopback_only = spec.security == "none"
        found = self.step(
            names[0], spec,
            lambda: hosts.resolve(
                spec.host, spec.port, allow_private=self.allow_private, loopback_only=loopback_only,
                timeout=self.step_s,
            ),
        )  # fmt: skip
        if self.discreet and any(hosts.is_loopback(ip) for ip in found):
            self.step(names[1], spec, lambda: self._quietly(spec))
            return
        self.step(names[1], spec, lambda: self._open(spec).close())
        if spec.security == "ssl":
            self.step(names[2], spec, lambda: self._handshake(spec))
        else:
            self.step(names[2], spec, lambda: self._greeting(spec))

    def _open(self, spec: ServerSpec) -> socket.socket:
        return hosts.open_socket(
            spec.host, spec.port, allow_private=self.allow_private,
            loopback_only=spec.security == "none", timeout=self.step_s,
        )  # fmt: skip

    def _quietly(self, spec: ServerSpec) -> None:
        """Find a mail server on this machine, or say what is said of any other port, as late: closed, silent or not."""
        pause = self.step_s / 4
        ends = time.monotonic() + pause * 3
        try:
            with self._open(spec) as sock:
                sock.settimeout(pause)
                with (
                    self.context.wrap_socket(sock, server_hostname=spec.host)
                    if spec.security == "ssl"
                    else sock as line
                ):
                    found = line.recv(16).startswith((b"* ", b"220"))
        except OSError:
            found = False
        if not found:
            time.sleep(max(0.0, ends - time.monotonic()))
            raise PermanentError("server.private", host=spec.host)

    def _handshake(self, spec: ServerSpec) -> None:
        with self._open(spec) as sock, self.context.wrap_socket(sock, server_hostname=spec.host):
            pass

    def _greeting(self, spec: ServerSpec) -> None:
        """Wait for the server's first line; a port that waits for a TLS hello instead says nothing."""
        with self._open(spec) as sock:
            sock.settimeout(max(self.step_s / 3, 0.2))  # leaves time to try TLS within the step
            try:
                first = sock.recv(16)
            except TimeoutError as exc:
                if self._speaks_tls(spec):
                    raise PermanentError("server.plain_to_tls", host=spec.host, port=spec.port) from exc
                raise
        if first[:1] == b"\x15":  # a TLS alert
            raise PermanentError("server.plain_to_tls", host=spec.host, port=spec.port)
        if not first:
            raise TransientError("server.lost", host=spec.host)
        if not first.startswith((b"* ", b"220")):
            raise TransientError("server.protocol", host=spec.host, port=spec.port)

    def _speaks_tls(self, spec: ServerSpec) -> bool:
        # Only asks whether TLS is spoken; nothing is sent over this connection, so nobody needs to be verified.
        asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        asking.check_hostname = False
        asking.verify_mode = ssl.CERT_NONE
        try:
            with self._open(spec) as sock:
                sock.settimeout(max(self.step_s / 3, 0.2))
                with asking.wrap_socket(sock):
                    return True
        except OSError:
            return False

    def limits(self) -> Limits:
        """The step's time, inside the connection too: an abandoned attempt ends by itself."""
        return Limits(self.step_s, self.step_s, self.step_s)

    def imap(self, spec: ServerSpec, password: Secret) -> tuple[RemoteFolder, ...]:
        """Take the IMAP server's steps."""
        self.reach("imap", spec)
        connection: ImapConnection = self.step(
            "imap_sign_in", spec,
            lambda: connect(
                spec, password, allow_private=self.allow_private, limits=self.limits(), context=self.context
            ),
        )  # fmt: skip
        try:
            with connection.deadline(self.step_s):
                return tuple(self.step("imap_folders", spec, connection.list_folders))
        finally:
            connection.close()

    def ews(self, spec: ServerSpec, address: str, password: Secret) -> tuple[RemoteFolder, ...]:
        """Take an Exchange server's steps: one server for reading and sending."""
        found = self.step(
            "imap_name", spec,
            lambda: hosts.resolve(
                spec.host, spec.port, allow_private=self.allow_private, loopback_only=spec.security == "none",
                timeout=self.step_s, allow_loopback=not self.discreet,
            ),
        )  # fmt: skip
        assert found
        self.step("imap_tcp", spec, lambda: self._open(spec).close())
        if spec.security == "ssl":
            self.step("imap_tls", spec, lambda: self._handshake(spec))
        connection = self.step(
            "imap_sign_in", spec,
            lambda: ews.connect(
                spec, address, password, 0, allow_private=self.allow_private, limits=self.limits()
            ),
        )  # fmt: skip
        try:
            with connection.deadline(self.step_s):
                return tuple(self.step("imap_folders", spec, connection.list_folders))
        finally:
            connection.close()

    def smtp(self, spec: ServerSpec, password: Secret) -> None:
        """Take the SMTP server's steps."""
        self.reach("smtp", spec)
        self.step(
            "smtp_sign_in", spec,
            lambda: smtp.check_login(
                spec, password, allow_private=self.allow_private, timeout=self.step_s, context=self.context
            ),
        )  # fmt: skip


def probe_exchange(
    spec: ServerSpec,
    address: str,
    password: Secret,
    *,
    allow_private: bool = False,
    discreet: bool = False,
    step_s: float = STEP_S,
    on_step: Callable[[ProbeStep], None] | None = None,
) -> ProbeResult:
    """Try an Exchange server's web services, as `probe_mailbox` does; `discreet`: nothing on this machine is tried."""
    prober = _Prober(allow_private=allow_private, discreet=discreet, step_s=step_s, context=None, on_step=on_step)
    try:
        folders = prober.ews(spec, address, password)
    except _Stop:
        folders = ()
    return ProbeResult(tuple(prober.steps), folders)


def probe_mailbox(
    imap_spec: ServerSpec,
    imap_password: Secret,
    smtp_spec: ServerSpec | None,
    smtp_password: Secret = "",
    *,
    allow_private: bool = False,
    discreet: bool = False,
    step_s: float = STEP_S,
    context: ssl.SSLContext | None = None,
    on_step: Callable[[ProbeStep], None] | None = None,
) -> ProbeResult:
    """Try both servers and report each step; never raises for what a server does.

    `smtp_spec` None leaves sending out. `discreet`: of this machine's ports only those of mail servers are told apart.
    A failure on one server doesn't keep the other from being tried. `on_step` is told of each step as it ends, in the
    caller's thread.
    """
    prober = _Prober(allow_private=allow_private, discreet=discreet, step_s=step_s, context=context, on_step=on_step)
    folders: tuple[RemoteFolder, ...] = ()
    try:
        folders = prober.imap(imap_spec, imap_password)
    except _Stop:
        pass
    if smtp_spec is not None:
        try:
            prober.smtp(smtp_spec, smtp_password)
        except _Stop:
            pass
    return ProbeResult(tuple(prober.steps), folders)
