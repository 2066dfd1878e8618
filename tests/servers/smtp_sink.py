"""An SMTP server that keeps what it gets, and fails on request. aiosmtpd in a thread, AUTH required.

`SmtpSink.deliver_to` passes accepted mail on to Dovecot users, so that a sent message arrives somewhere real.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from mailcrm.services.mail.providers.values import Security, ServerSpec
from tests.servers.dovecot import DovecotServer


@dataclass(frozen=True)
class Received:
    """One message as it arrived: envelope and bytes."""

    mail_from: str
    rcpt_to: tuple[str, ...]
    raw: bytes
    user: str | None
    options: tuple[str, ...]


@dataclass
class Faults:
    """What goes wrong next; `SmtpSink.calm` resets it."""

    reject_rcpt: dict[str, str] = field(default_factory=dict)  # address -> "550 5.1.1 …"
    on_mail: str | None = None  # reply to MAIL FROM
    on_data: str | None = None  # reply after the final dot
    drop: str | None = None  # "before_data", "before_dot", "after_dot"
    hang: str | None = None  # "after_dot"
    auth: str | None = None  # reply to AUTH


class _Server(SMTP):
    def __init__(self, sink: SmtpSink, *args: Any, **kwargs: Any) -> None:
        self._sink = sink
        super().__init__(*args, **kwargs)

    async def smtp_DATA(self, arg: str) -> None:
        if self._sink.faults.drop == "before_data":
            self.transport.abort()  # type: ignore[union-attr]
            return
        if self._sink.faults.drop == "before_dot":
            await self.push("354 go on")
            await self._reader.readline()
            self.transport.abort()  # type: ignore[union-attr]
            return
        await super().smtp_DATA(arg)


class SmtpSink:
    """Records every message; users and passwords are in `users`."""

    host = "localhost"

    def __init__(self, *, tls: ssl.SSLContext | None = None, implicit: bool = False, auth: bool = True) -> None:
        self.messages: list[Received] = []
        self.users: dict[str, str] = {}
        self.faults = Faults()
        self.commands: list[str] = []
        self._dovecot: DovecotServer | None = None
        self._routes: dict[str, str] = {}
        self._tls, self._implicit, self._auth = tls, implicit, auth
        self._controller = Controller(
            self, hostname="127.0.0.1", port=0, ssl_context=tls if implicit else None, ready_timeout=10
        )
        self._controller.factory = self._factory  # type: ignore[method-assign]
        self.port = 0

    def _factory(self) -> SMTP:
        starttls = self._tls if self._tls and not self._implicit else None
        return _Server(
            self, self,
            hostname="sink.test", enable_SMTPUTF8=True, timeout=60, tls_context=starttls,
            authenticator=self._authenticate, auth_required=False, auth_require_tls=False,
        )  # fmt: skip

    def start(self) -> None:
        """Listen on a free port."""
        from tests.servers.dovecot import free_port

        self.port = self._controller.port = free_port()
        self._controller.start()

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()

    def calm(self) -> None:
        """Forget messages and faults."""
        self.messages.clear()
        self.faults = Faults()

    def spec(self, username: str, security: Security = "none") -> ServerSpec:
        """Return how to reach this server as `username`."""
        return ServerSpec(self.host, self.port, security, username)

    def add_user(self, name: str, password: str = "secret") -> None:
        """Let `name` sign in."""
        self.users[name] = password

    def deliver_to(self, dovecot: DovecotServer, routes: dict[str, str]) -> None:
        """Pass mail for an address on to a Dovecot user's INBOX; `routes` maps lower-case addresses to users."""
        self._dovecot, self._routes = dovecot, routes

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        if self.faults.auth:
            return AuthResult(success=False, handled=False, message=self.faults.auth)
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        user = data.login.decode()
        good = self.users.get(user) == data.password.decode()
        return AuthResult(success=good, handled=False, auth_data=user if good else None)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._auth and not session.authenticated:  # aiosmtpd's own check warns that there is no TLS
            return "530 5.7.0 Authentication required"
        if self.faults.on_mail:
            return self.faults.on_mail
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if fault := self.faults.reject_rcpt.get(address):
            return fault
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.faults.on_data:
            return self.faults.on_data
        raw = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        self.messages.append(
            Received(
                envelope.mail_from or "",
                tuple(envelope.rcpt_tos),
                raw,
                session.auth_data if isinstance(session.auth_data, str) else None,
                tuple(envelope.mail_options),
            )
        )
        if self._dovecot:
            for address in envelope.rcpt_tos:
                if user := self._routes.get(address.lower()):
                    self._dovecot.deliver(user, raw)
        if self.faults.drop == "after_dot":
            server.transport.abort()  # type: ignore[union-attr]
        if self.faults.hang == "after_dot":
            await asyncio.sleep(30)
        return "250 OK"
