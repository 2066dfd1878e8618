"""One SMTP attempt: what was accepted, what was refused, and whether it is known at all (RFC 5321, sync.md A8).

The final dot is sent on its own. What fails before it was certainly not delivered (TransientError or
PermanentError: try again or tell); what fails from the dot on may be delivered (`DeliveryUnknown`: look in Sent).
Knows no outbox, no retries and no Sent folder; builds no MIME, and changes of the message only its line ends.
"""

from __future__ import annotations

import dataclasses
import re
import smtplib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mailcrm.errors import DeliveryUnknown, MailcrmError, PermanentError, TransientError
from mailcrm.services.mail.imap.failures import shown
from mailcrm.services.mail.imap.wire import refuse_control
from mailcrm.services.mail.outbox.smtp_line import (
    CONNECT_S,
    DATA_S,
    Line,
    Smtp,
    hang_up,
    open_session,
    translate,
)
from mailcrm.services.mail.providers.values import Secret, ServerSpec

__all__ = ["Delivery", "Line", "Progress", "check_login", "deliver"]

_LINE_END = re.compile(rb"\r\n|\r|\n")  # bare CR and LF become CRLF: no smuggling (security.md F14)
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Who the server took the message for; `refused` maps the others to (reply code, text).

    A 4xx among `refused` may be tried again, for that recipient alone; never for those in `accepted`.
    """

    accepted: tuple[str, ...]
    refused: dict[str, tuple[int, str]]


@dataclass
class Progress:
    """How far an attempt came, and the reply that ended it: filled in while it runs.

    `step`: "connect", "sign_in", "mail", "rcpt", "data" (up to the final dot), "dot", "done".
    """

    step: str = "connect"
    code: int | None = None
    text: str = ""
    #: What was answered to RCPT so far: who may come to have it once the dot is sent, and (code, text) of the others.
    accepted: list[str] = dataclasses.field(default_factory=list[str])
    refused: dict[str, tuple[int, str]] = dataclasses.field(default_factory=dict[str, tuple[int, str]])

    def ended_by(self, exc: BaseException | None) -> None:
        """Keep the reply that an exception of smtplib holds."""
        if isinstance(exc, smtplib.SMTPRecipientsRefused) and exc.recipients:
            code, text = next(iter(exc.recipients.values()))
        elif isinstance(exc, smtplib.SMTPResponseException):
            code, text = exc.smtp_code, exc.smtp_error
        else:
            return
        if code > 0:
            self.code, self.text = code, shown(text)


def check_login(
    spec: ServerSpec,
    password: Secret,
    *,
    allow_private: bool = False,
    timeout: float = CONNECT_S,
    context: ssl.SSLContext | None = None,
) -> None:
    """Connect and sign in, send nothing. Raises as `deliver` does before the final dot."""
    hang_up(open_session(spec, password, allow_private=allow_private, timeout=timeout, context=context))


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


def _data(
    client: Smtp, message: bytes, data_timeout: float, before_dot: Callable[[], None] | None, progress: Progress
) -> None:
    """Send the message; everything up to the dot raises plain errors, everything from it on DeliveryUnknown."""
    progress.step = "data"
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
    progress.step = "dot"
    try:
        client.send(b".\r\n")
        code, text = client.getreply()
    except (smtplib.SMTPException, OSError) as exc:
        client.close()
        raise DeliveryUnknown from exc
    if not 200 <= code < 300 and not 400 <= code < 600:  # neither yes nor no
        raise DeliveryUnknown
    if code >= 400:
        raise smtplib.SMTPDataError(code, text)
    progress.step, progress.code, progress.text = "done", code, shown(text)


def deliver(
    spec: ServerSpec,
    password: Secret,
    *,
    mail_from: str,
    rcpt_to: Sequence[str],
    message: bytes,
    allow_private: bool = False,
    timeout: float = CONNECT_S,
    data_timeout: float = DATA_S,
    context: ssl.SSLContext | None = None,
    before_dot: Callable[[], None] | None = None,
    progress: Progress | None = None,
    line: Line | None = None,
) -> Delivery:
    """Hand `message` to the server once, for as many of `rcpt_to` as it takes.

    Raises, all before the final dot and so safe to try again: TransientError (4xx, network), NeedsReconnect
    (credentials), PermanentError (5xx, or every recipient refused). Raises DeliveryUnknown when the connection broke
    from the final dot on. A refusal after the dot is a reply like any other: not delivered.
    `before_dot` is called when all but the final dot was sent; what it raises ends the attempt undelivered.
    `progress` is told how far it came. With a `line` the connection is kept there and used again for the next.
    """
    progress = progress or Progress()
    for address in (mail_from, *rcpt_to):
        refuse_control("address", address)
        if re.search(r"[<>\s]", address):
            raise PermanentError("input.invalid", value=address, field="address")

    def signing_in() -> None:
        progress.step = "sign_in"

    def hand_over(client: Smtp) -> Delivery:
        keep = False
        try:
            made = _transaction(client, spec, mail_from, rcpt_to, message, data_timeout, before_dot, progress)
            keep = True
        except MailcrmError:
            raise
        except (smtplib.SMTPException, OSError, EOFError, ValueError) as exc:
            keep = _was_answered(exc)
            raise translate(exc, spec, mail_from) from exc
        finally:
            if line is not None and keep:
                line.keep(client)
            else:
                hang_up(client)
        return made

    try:
        kept = line.take(timeout) if line is not None else None
        if kept is not None:
            try:
                return hand_over(kept)
            except TransientError:
                # "too many messages over this connection": nothing was sent yet, so over a new one at once
                if progress.step != "mail":
                    raise
        return hand_over(
            open_session(
                spec, password, allow_private=allow_private, timeout=timeout, context=context, signing_in=signing_in
            )
        )
    except MailcrmError as error:
        progress.ended_by(error.__cause__)
        raise


def _was_answered(exc: BaseException) -> bool:
    """Whether the server's answer was read to its end and it goes on talking, so that the next answer is the next's."""
    if isinstance(exc, smtplib.SMTPRecipientsRefused):
        return all(code != 421 for code, _ in exc.recipients.values())
    return isinstance(exc, smtplib.SMTPResponseException) and exc.smtp_code not in (-1, 421)


def _transaction(
    client: Smtp,
    spec: ServerSpec,
    mail_from: str,
    rcpt_to: Sequence[str],
    message: bytes,
    data_timeout: float,
    before_dot: Callable[[], None] | None,
    progress: Progress,
) -> Delivery:
    progress.step = "mail"
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
    progress.step = "rcpt"
    accepted: list[str] = []
    refused: dict[str, tuple[int, bytes]] = {}
    for address in rcpt_to:
        code, text = client.rcpt(wire[address][0])
        if code in (250, 251):
            accepted.append(address)
            progress.accepted.append(address)
        elif code == 421:
            raise smtplib.SMTPRecipientsRefused({address: (code, text)})
        else:
            refused[address] = (code, text)
            progress.refused[address] = (code, shown(text))
    if not accepted:
        raise smtplib.SMTPRecipientsRefused(refused)
    _data(client, message, data_timeout, before_dot, progress)
    return Delivery(tuple(accepted), {address: (code, shown(text)) for address, (code, text) in refused.items()})
