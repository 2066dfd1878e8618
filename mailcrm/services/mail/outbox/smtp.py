"""One SMTP attempt: what was accepted, what was refused, and whether it is known at all (RFC 5321, sync.md A8).

The final dot is sent on its own. What fails before it was certainly not delivered (TransientError or
PermanentError: try again or tell); what fails from the dot on may be delivered (`DeliveryUnknown`: look in Sent).
Knows no outbox, no retries and no Sent folder; builds no MIME, and changes of the message only its line ends.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mailcrm.errors import DeliveryUnknown, MailcrmError, NeedsReconnect, PermanentError, TransientError
from mailcrm.services.mail.imap.failures import shown
from mailcrm.services.mail.imap.wire import refuse_control
from mailcrm.services.mail.providers import failures, hosts
from mailcrm.services.mail.providers.tls import shared_context
from mailcrm.services.mail.providers.values import ServerSpec

CONNECT_S = 60.0  # sync.md A8.5; RFC 5321 §4.5.3.2 asks for patience with greylisting servers
DATA_S = 300.0  # a server may scan the message before it answers the dot

_LINE_END = re.compile(rb"\r\n|\r|\n")  # bare CR and LF become CRLF: no smuggling (security.md F14)
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
_APP_PASSWORD = ("application-specific password", "app password", "5.7.9", "authorized code")


@dataclass(frozen=True, slots=True)
class Delivery:
    """Who the server took the message for; `refused` maps the others to (reply code, text).

    A 4xx among `refused` may be tried again, for that recipient alone; never for those in `accepted`.
    """

    accepted: tuple[str, ...]
    refused: dict[str, tuple[int, str]]


class _Smtp(smtplib.SMTP):
    """smtplib's client on a vetted socket, with TLS from the start where the spec says so."""

    def __init__(self, spec: ServerSpec, *, allow_private: bool, timeout: float, context: ssl.SSLContext) -> None:
        self._spec, self._allow_private, self.context = spec, allow_private, context
        super().__init__(timeout=timeout, local_hostname="mailcrm.invalid")
        # smtplib takes its name for certificates from here (connect() would set it from a second resolution)
        self._host = spec.host
        try:
            code, text = self.connect(spec.host, spec.port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, text)
        except BaseException:
            self.close()
            raise

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = hosts.open_socket(
            host, port, allow_private=self._allow_private,
            loopback_only=self._spec.security == "none", timeout=timeout,
        )  # fmt: skip
        if self._spec.security == "ssl":
            return self.context.wrap_socket(sock, server_hostname=host)
        return sock


def _answer(exc: smtplib.SMTPResponseException) -> str:
    return f"{exc.smtp_code} {shown(exc.smtp_error)}"


def _translate(exc: BaseException, spec: ServerSpec, mail_from: str = "") -> MailcrmError:
    """Return the error that `exc`, raised before the final dot, means. A reply code decides before anything else."""
    if isinstance(exc, MailcrmError):
        return exc
    if isinstance(exc, smtplib.SMTPAuthenticationError):
        text = shown(exc.smtp_error).lower()
        if 400 <= exc.smtp_code < 500:
            return TransientError("smtp.deferred", host=spec.host, answer=_answer(exc))
        if exc.smtp_code == 534 or any(phrase in text for phrase in _APP_PASSWORD):
            return NeedsReconnect("smtp.app_password", host=spec.host)
        return NeedsReconnect("smtp.wrong_password", host=spec.host)
    if isinstance(exc, smtplib.SMTPRecipientsRefused):
        code, text_bytes = max(exc.recipients.values(), key=lambda reply: 400 <= reply[0] < 500)
        answer = f"{code} {shown(text_bytes)}"
        if 400 <= code < 500:
            return TransientError("smtp.recipients_deferred", host=spec.host, answer=answer)
        return PermanentError("smtp.recipients_refused", host=spec.host, answer=answer)
    if isinstance(exc, smtplib.SMTPResponseException):
        if exc.smtp_code == -1:  # smtplib's mark for a line that is no SMTP answer
            return TransientError("server.protocol", host=spec.host, port=spec.port)
        # 503 (bad sequence) is this side's disorder, not a verdict about the message
        if 400 <= exc.smtp_code < 500 or exc.smtp_code == 503:
            return TransientError("smtp.deferred", host=spec.host, answer=_answer(exc))
        if isinstance(exc, smtplib.SMTPSenderRefused):
            return PermanentError("smtp.sender_refused", host=spec.host, address=mail_from)
        return PermanentError("smtp.refused", host=spec.host, answer=_answer(exc))
    if isinstance(exc, smtplib.SMTPNotSupportedError):
        code = "server.no_starttls" if "STARTTLS" in str(exc).upper() else "smtp.no_auth"
        return PermanentError(code, host=spec.host, port=spec.port)
    if isinstance(exc, smtplib.SMTPServerDisconnected):
        if "timed out" in str(exc):
            return TransientError("server.timeout", host=spec.host, port=spec.port)
        return TransientError("server.lost", host=spec.host)
    if isinstance(exc, smtplib.SMTPException):
        return PermanentError("smtp.no_auth", host=spec.host, port=spec.port)
    return failures.of_connection(exc, spec.host, spec.port) or TransientError(
        "server.protocol", host=spec.host, port=spec.port
    )


@contextmanager
def _session(
    spec: ServerSpec, password: str, *, allow_private: bool, timeout: float, context: ssl.SSLContext | None
) -> Generator[_Smtp]:
    """Connect, agree on TLS and sign in; always closed at the end."""
    for field, value in (("user name", spec.username), ("password", password), ("host", spec.host)):
        refuse_control(field, value)
    client: _Smtp | None = None
    try:
        try:
            client = _Smtp(spec, allow_private=allow_private, timeout=timeout, context=context or shared_context())
            client.ehlo_or_helo_if_needed()
            if spec.security == "starttls":
                client.starttls(context=client.context)  # raises where it isn't offered: never goes on in clear (F14)
                client.ehlo()
            if spec.username:
                client.login(spec.username, password)
        except MailcrmError:
            raise
        except (smtplib.SMTPException, OSError, EOFError, ValueError, UnicodeError) as exc:
            raise _translate(exc, spec) from exc
        yield client
    finally:
        if client is not None:
            try:
                if client.sock is not None:
                    client.sock.settimeout(5)
                    client.quit()
            except (smtplib.SMTPException, OSError, ValueError):
                pass  # the work is done or failed already
            client.close()


def check_login(
    spec: ServerSpec,
    password: str,
    *,
    allow_private: bool = False,
    timeout: float = CONNECT_S,
    context: ssl.SSLContext | None = None,
) -> None:
    """Connect and sign in, send nothing. Raises as `deliver` does before the final dot."""
    with _session(spec, password, allow_private=allow_private, timeout=timeout, context=context):
        pass


def _ascii_address(address: str) -> tuple[str, bool]:
    """Return the address as it is sent, and whether SMTPUTF8 is needed (RFC 6531): only for a non-ASCII local part."""
    if address.isascii():
        return address, False
    local, at, domain = address.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return address, True
    return f"{local}{at}{domain}", not local.isascii()


def _data(client: _Smtp, message: bytes, data_timeout: float, before_dot: Callable[[], None] | None) -> None:
    """Send the message; everything up to the dot raises plain errors, everything from it on DeliveryUnknown."""
    client.putcmd("data")
    code, text = client.getreply()
    if code != 354:
        raise smtplib.SMTPDataError(code, text)
    body = _LEADING_DOT.sub(b"..", _LINE_END.sub(b"\r\n", message))
    if not body.endswith(b"\r\n"):
        body += b"\r\n"
    assert client.sock is not None
    client.sock.settimeout(data_timeout)
    client.send(body)
    if before_dot is not None:
        try:
            before_dot()
        except BaseException:
            client.close()  # without the dot: the server throws the message away
            raise
    try:
        client.send(b".\r\n")
        code, text = client.getreply()
    except (smtplib.SMTPException, OSError) as exc:
        client.close()
        raise DeliveryUnknown from exc
    if code == -1:
        raise DeliveryUnknown
    if code != 250:
        raise smtplib.SMTPDataError(code, text)


def deliver(
    spec: ServerSpec,
    password: str,
    *,
    mail_from: str,
    rcpt_to: Sequence[str],
    message: bytes,
    allow_private: bool = False,
    timeout: float = CONNECT_S,
    data_timeout: float = DATA_S,
    context: ssl.SSLContext | None = None,
    before_dot: Callable[[], None] | None = None,
) -> Delivery:
    """Hand `message` to the server once, for as many of `rcpt_to` as it takes.

    Raises, all before the final dot and so safe to try again: TransientError (4xx, network), NeedsReconnect
    (credentials), PermanentError (5xx, or every recipient refused). Raises DeliveryUnknown when the connection broke
    from the final dot on. A refusal after the dot is a reply like any other: not delivered.
    `before_dot` is called when all but the final dot was sent; what it raises ends the attempt undelivered.
    """
    for address in (mail_from, *rcpt_to):
        refuse_control("address", address)
        if re.search(r"[<>\s]", address):
            raise PermanentError("input.invalid", value=address, field="address")
    with _session(spec, password, allow_private=allow_private, timeout=timeout, context=context) as client:
        try:
            return _transaction(client, spec, mail_from, rcpt_to, message, data_timeout, before_dot)
        except MailcrmError:
            raise
        except (smtplib.SMTPException, OSError, EOFError, ValueError) as exc:
            raise _translate(exc, spec, mail_from) from exc


def _transaction(
    client: _Smtp,
    spec: ServerSpec,
    mail_from: str,
    rcpt_to: Sequence[str],
    message: bytes,
    data_timeout: float,
    before_dot: Callable[[], None] | None,
) -> Delivery:
    options: list[str] = []
    wire: dict[str, Any] = {address: _ascii_address(address) for address in (mail_from, *rcpt_to)}
    needs_utf8 = [address for address, (_, utf8) in wire.items() if utf8]
    if needs_utf8:
        if not client.has_extn("smtputf8"):
            raise PermanentError("smtp.no_utf8", host=spec.host, address=needs_utf8[0])
        options.append("SMTPUTF8")
        client.command_encoding = "utf-8"
    if (needs_utf8 or not message.isascii()) and client.has_extn("8bitmime"):
        options.append("BODY=8BITMIME")
    if client.has_extn("size"):
        options.append(f"SIZE={len(message)}")
    code, text = client.mail(wire[mail_from][0], options)
    if code != 250:
        raise smtplib.SMTPSenderRefused(code, text, mail_from)
    accepted: list[str] = []
    refused: dict[str, tuple[int, bytes]] = {}
    for address in rcpt_to:
        code, text = client.rcpt(wire[address][0])
        if code in (250, 251):
            accepted.append(address)
        elif code == 421:
            raise smtplib.SMTPRecipientsRefused({address: (code, text)})
        else:
            refused[address] = (code, text)
    if not accepted:
        raise smtplib.SMTPRecipientsRefused(refused)
    _data(client, message, data_timeout, before_dot)
    return Delivery(tuple(accepted), {address: (code, shown(text)) for address, (code, text) in refused.items()})
