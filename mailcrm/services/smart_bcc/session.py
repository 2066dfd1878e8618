"""One SMTP or LMTP connection of the listener: what is answered, and when a message is taken (RFC 5321, RFC 2033).

Every local part of our domain gets the same answers, whether it is known or not; only the domain is told. "250" after
the final dot means that the message is on our disk. What can't be stored now is put off. Nothing is ever sent from
here. A relay on one's own network may say for whom it hands over (XFORWARD, as Postfix does).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from mailcrm.services.smart_bcc import accept, authentic
from mailcrm.services.smart_bcc.accept import MOST_BYTES
from mailcrm.services.smart_bcc.limits import Limits, network

CONNECTIONS = 20  # at once: each may hold a message of 25 MB in memory
OF_ONE_HOST = 5  # of these, of a host (or an IPv6 /64) that is not one's own relay
OF_STRANGERS = 15  # of these, of all hosts that are no relays: one's own relay always gets in
RECIPIENTS = 50  # of one message
RECIPIENTS_ASKED = 200  # of one connection
LINE = 100_000  # octets; RFC 5321 has 1,000, and real mail has longer ones
IDLE_S = 120.0
LIFE_S = 900.0  # of a connection, whatever it does: one that only says NOOP would keep its place for ever
UNBROKEN = 1_048_576  # octets without a line's end after which a connection is dropped: they pile up in memory

BUSY = "421 4.3.2 Too many connections, try again later"
LATER = "451 4.7.1 Too much mail from your host, try again in a minute"
FULL = "452 4.3.1 The message could not be stored, try again later"

log = structlog.get_logger()

_XTEXT = re.compile(r"\+([0-9A-F]{2})")


class Gate:
    """What all connections share: the domain, limits, who is connected. aiosmtpd calls the `handle_…`."""

    def __init__(self, domain: str, way: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.domain, self.way, self._clock = domain, way, clock
        self.limits = Limits()
        self.connected: dict[str, int] = {}

    def enters(self, host: str) -> bool:
        """Count a connection in, unless there are too many."""
        key, total = network(host), sum(self.connected.values())
        if not authentic.is_relay(host):
            strangers = sum(count for each, count in self.connected.items() if not authentic.is_relay(each))
            if strangers >= OF_STRANGERS or self.connected.get(key, 0) >= OF_ONE_HOST:
                return False
        if total >= CONNECTIONS:
            return False
        self.connected[key] = self.connected.get(key, 0) + 1
        return True

    def leaves(self, host: str) -> None:
        """Count a connection out."""
        key = network(host)
        left = self.connected.get(key, 0) - 1
        if left > 0:
            self.connected[key] = left
        else:
            self.connected.pop(key, None)

    async def handle_EHLO(  # noqa: N802  aiosmtpd's names
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer XFORWARD to relays."""
        session.host_name = hostname
        offered = ["250-XFORWARD NAME ADDR PROTO HELO"] if authentic.is_relay(_peer(session)) else []
        kept = [each for each in responses if each[3:4] == "-" and "AUTH" not in each]
        return [*kept, *offered, "250 ENHANCEDSTATUSCODES"]

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take any local part of our domain."""
        asked = getattr(session, "asked", 0) + 1
        session.asked = asked  # type: ignore[attr-defined]
        if asked > RECIPIENTS_ASKED:
            return "421 4.7.0 Too many recipients on this connection, try again later"
        local, at, domain = address.rpartition("@")
        if not at or not local or domain.lower().rstrip(".") != self.domain or len(address) > 320:
            return "550 5.7.1 This server takes no mail for that domain"
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        if not self.limits.allows(_client(session)[0], self._clock(), relay=_is_relayed(session)):
            return LATER
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store the message; answer only when it is on the disk. LMTP answers for each recipient."""
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        taken = self._envelope(session, envelope)
        for n in range(len(taken.rcpt_to)):  # each is a row, and looked at by itself
            self.limits.count(taken.client_address, self._clock(), 0 if n else len(raw))
        try:
            await asyncio.to_thread(accept.take, raw, taken)
            answer = "250 2.0.0 OK"
        except Exception as error:  # a full disk, a locked or absent database: the sender keeps it and comes again
            log.warning("a message could not be stored", error=str(error)[:300], size=len(raw))
            answer = FULL
        return "\r\n".join([answer] * len(taken.rcpt_to)) if isinstance(server, LMTP) else answer

    async def too_large(self, session: Session, envelope: Envelope, size: int) -> None:
        """Keep in the log that a message was refused for its size; its sender was told by the answer."""
        taken = self._envelope(session, envelope)
        if not self.limits.allows(taken.client_address, self._clock()):
            return
        self.limits.count(taken.client_address, self._clock(), 0)
        megabytes = MOST_BYTES // 1_048_576
        try:
            await asyncio.to_thread(accept.refuse, taken, size, "smart_bcc.too_large", most=megabytes)
        except Exception as error:  # the log is not worth an answer
            log.warning("a refusal could not be noted", error=str(error)[:300])

    async def handle_exception(self, error: Exception) -> str:
        """Put off whatever went wrong on our side."""
        log.warning("a connection failed", error=f"{type(error).__name__}: {error}"[:300])
        return "451 4.3.0 Something went wrong here, try again later"

    def _envelope(self, session: Session, envelope: Envelope) -> accept.Envelope:
        address, name = _client(session)
        return accept.Envelope(
            way=self.way,
            mail_from=envelope.mail_from or "",
            rcpt_to=tuple(envelope.rcpt_tos),
            client_address=address,
            client_name=name,
            ours=authentic.is_relay(_peer(session)),
        )


class _Connection(SMTP):
    """aiosmtpd's connection with XFORWARD, our limits, and no words about itself."""

    line_length_limit = LINE
    _gate: Gate
    _host = ""
    _unbroken = 0
    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Count the connection in; one too many is told so and closed."""
        host = str((transport.get_extra_info("peername") or ("",))[0])
        again = self._host != ""  # after STARTTLS
        if not again:
            if not self._gate.enters(host):
                transport.write(f"{BUSY}\r\n".encode())
                transport.close()
                return
            self._host = host or "?"
            self._end = asyncio.get_running_loop().call_later(LIFE_S, transport.abort)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Drop a peer that never ends its line: aiosmtpd keeps all of it, however long (its limit counts lines)."""
        _, end, rest = data.rpartition(b"\n")
        self._unbroken = len(rest) if end else self._unbroken + len(data)
        transport: Any = self.transport
        if self._unbroken > UNBROKEN and transport is not None:
            log.warning("a peer sent a line without end", host=self._host)
            transport.abort()
            return
        super().data_received(data)

    def connection_lost(self, error: Exception | None) -> None:
        """Count the connection out."""
        if self._host:
            self._gate.leaves(self._host)
            self._host = ""
            if self._end is not None:
                self._end.cancel()
            super().connection_lost(error)

    async def push(self, status: Any) -> None:
        """Send an answer; a refusal for size goes into the log of arrivals."""
        if str(status).startswith("552 ") and self.session is not None and self.envelope is not None:
            await self._gate.too_large(self.session, self.envelope, MOST_BYTES)
        await super().push(status)

    async def smtp_XFORWARD(self, arg: str | None) -> None:  # noqa: N802
        """Take a relay's word for whom it hands over (postfix.org/XFORWARD_README)."""
        session = self.session
        if session is None or not authentic.is_relay(_peer(session)):
            await self.push("550 5.7.1 Not from here")
            return
        told: dict[str, str] = dict(getattr(session, "told", {}))
        for pair in (arg or "").split():
            name, _, value = pair.partition("=")
            value = _XTEXT.sub(lambda match: chr(int(match[1], 16)), value)
            told[name.upper()] = "" if value in ("[UNAVAILABLE]", "[TEMPUNAVAIL]") else value[:300]
        session.told = told  # type: ignore[attr-defined]
        await self.push("250 2.0.0 OK")


class SmtpConnection(_Connection):
    """A connection that speaks SMTP."""

    def __init__(self, gate: Gate, **options: Any) -> None:
        self._gate = gate
        super().__init__(gate, **options)


class LmtpConnection(_Connection, LMTP):
    """A connection that speaks LMTP."""

    def __init__(self, gate: Gate, **options: Any) -> None:
        self._gate = gate
        super().__init__(gate, **options)


def _peer(session: Session) -> str:
    return str(session.peer[0]) if isinstance(session.peer, tuple) else ""


def _is_relayed(session: Session) -> bool:
    """Whether a relay speaks for itself: then it speaks for many."""
    return authentic.is_relay(_peer(session)) and not getattr(session, "told", {}).get("ADDR")


def _client(session: Session) -> tuple[str, str]:
    """The host that a message came from, and the name it gave: what a relay said, else who is connected.

    "" for a relay that says nothing: its own address would prove nothing about the sender.
    """
    told: dict[str, str] = getattr(session, "told", {})
    if authentic.is_relay(_peer(session)) and (told or getattr(session, "host_name", None)):
        address = re.sub(r"^IPV6:", "", told.get("ADDR", ""), flags=re.IGNORECASE)
        return (address, told.get("HELO", "")) if not authentic.is_inside(address) else ("", told.get("HELO", ""))
    return _peer(session), str(session.host_name or "")
