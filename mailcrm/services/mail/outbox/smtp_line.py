"""A connection to an SMTP server: opened, secured, signed in; kept for the next message to the same server, or ended.

Speaks no mail transaction (smtp.py). Errors of smtplib become ours here (`translate`): a reply code decides first.
"""

from __future__ import annotations

import base64
import contextlib
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from typing import Self

from mailcrm.errors import MailcrmError, NeedsReconnect, PermanentError, TransientError
from mailcrm.services.mail.imap import sasl
from mailcrm.services.mail.imap.failures import shown
from mailcrm.services.mail.imap.wire import refuse_control
from mailcrm.services.mail.providers import failures, hosts, refusals
from mailcrm.services.mail.providers.tls import shared_context
from mailcrm.services.mail.providers.values import AccessToken, Secret, ServerSpec, secret_text

CONNECT_S = 60.0  # sync.md A8.5; RFC 5321 §4.5.3.2 asks for patience with greylisting servers
DATA_S = 300.0  # a server may scan the message before it answers the dot
MOST_COMMAND = 512  # octets of a command line (RFC 5321 §4.5.3.1.4)
MAX_LINES = 200  # of one answer; the longest greetings list some thirty extensions


def open_session(
    spec: ServerSpec,
    password: Secret,
    *,
    allow_private: bool,
    timeout: float,
    context: ssl.SSLContext | None,
    signing_in: Callable[[], None] | None = None,
) -> Smtp:
    """Connect, agree on TLS and sign in; whoever calls ends it with `hang_up`. Raises ours, never smtplib's."""
    for field, value in (("user name", spec.username), ("password", secret_text(password)), ("host", spec.host)):
        refuse_control(field, value)
    client: Smtp | None = None
    try:
        client = Smtp(spec, allow_private=allow_private, timeout=timeout, context=context or shared_context())
        client.ehlo_or_helo_if_needed()
        if spec.security == "starttls":
            client.starttls(context=client.context)  # raises where it isn't offered: never goes on in clear (F14)
            client.ehlo()
        if signing_in is not None:
            signing_in()
        if spec.username and isinstance(password, AccessToken):
            _sign_in_with_token(client, spec, password)
        elif spec.username:
            client.login(spec.username, secret_text(password))
    except BaseException as exc:
        if client is not None:
            hang_up(client)
        if isinstance(exc, (smtplib.SMTPException, OSError, EOFError, ValueError, UnicodeError)):
            raise translate(exc, spec, with_token=isinstance(password, AccessToken)) from exc
        raise
    return client


def hang_up(client: Smtp) -> None:
    """End a connection politely where it still stands; the work is done or failed already."""
    with contextlib.suppress(smtplib.SMTPException, OSError, ValueError):
        if client.sock is not None:
            client.sock.settimeout(5)
            client.quit()
    client.close()


class Line:
    """The connection for all copies of one message: signed in once, and opened anew only where the server ended it."""

    def __init__(self) -> None:
        self._free: Smtp | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if (client := self._again()) is not None:
            hang_up(client)

    def take(self, timeout: float) -> Smtp | None:
        """Return the connection, ready for another transaction, or None where there is none that would do."""
        client = self._again()
        if client is None or client.sock is None:
            return None
        try:
            client.sock.settimeout(timeout)
            client.command_encoding = "ascii"  # the transaction before may have needed SMTPUTF8
            if client.rset()[0] == 250:
                return client
        except (smtplib.SMTPException, OSError, ValueError):
            pass
        client.close()
        return None

    def keep(self, client: Smtp) -> None:
        """Keep a connection whose last answer was read to its end."""
        self._free = client

    def _again(self) -> Smtp | None:
        client, self._free = self._free, None
        return client


class Smtp(smtplib.SMTP):
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

    def getreply(self) -> tuple[int, bytes]:
        """Read one answer, of at most MAX_LINES lines, within the time-out of the socket."""
        if self.file is None and self.sock is not None:
            self.file = _Lines(self.sock)
        if isinstance(self.file, _Lines):
            self.file.begin()
        return super().getreply()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = hosts.open_socket(
            host, port, allow_private=self._allow_private,
            loopback_only=self._spec.security == "none", timeout=timeout,
        )  # fmt: skip
        if self._spec.security == "ssl":
            return self.context.wrap_socket(sock, server_hostname=host)
        return sock


class _Lines:
    """What a server sends, line by line: so many lines for each answer, and each answer in so many seconds.

    smtplib would read and keep as long as a server talks, and a socket's own time-out begins again with every byte.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.left, self.ends, self.read = sock, MAX_LINES, 0.0, bytearray()

    def begin(self) -> None:
        """Begin an answer: it has the time of the socket, in all."""
        self.left, self.ends = MAX_LINES, time.monotonic() + (self.sock.gettimeout() or DATA_S)

    def readline(self, limit: int) -> bytes:
        """Return the next line; OSError, as of a broken connection, when an answer does not end."""
        self.left -= 1
        if self.left < 0:
            raise OSError("an answer without an end")
        while (end := self.read.find(b"\n", 0, limit) + 1) == 0 and len(self.read) < limit:
            if not (more := self._more()):
                break
            self.read += more
        line = bytes(self.read[: end or limit])
        del self.read[: len(line)]
        return line

    def _more(self) -> bytes:
        patience, left = self.sock.gettimeout(), self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("an answer that drips")
        self.sock.settimeout(left)
        try:
            return self.sock.recv(4096)
        finally:
            self.sock.settimeout(patience)

    def close(self) -> None:
        """Nothing is held but the socket, which its owner closes."""


def translate(exc: BaseException, spec: ServerSpec, mail_from: str = "", *, with_token: bool = False) -> MailcrmError:
    """Return the error that `exc`, raised before the final dot, means. A reply code decides before anything else."""
    if isinstance(exc, MailcrmError):
        return exc
    if isinstance(exc, smtplib.SMTPAuthenticationError):
        text = shown(exc.smtp_error).lower()
        if 400 <= exc.smtp_code < 500:
            return TransientError("smtp.deferred", host=spec.host, answer=_answer(exc))
        meaning = refusals.of_sign_in(text)
        if meaning in refusals.PASSING:
            return TransientError("smtp.deferred", host=spec.host, answer=_answer(exc))
        if with_token and meaning not in refusals.SURE:
            return NeedsReconnect("oauth.token_refused", host=spec.host)
        if exc.smtp_code == 534 and meaning == "password":  # RFC 4954 §6: another kind of secret is wanted
            meaning = "app_password"
        return NeedsReconnect(refusals.code("smtp", meaning), host=spec.host)
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


def _answer(exc: smtplib.SMTPResponseException) -> str:
    return f"{exc.smtp_code} {shown(exc.smtp_error)}"


def _sign_in_with_token(client: Smtp, spec: ServerSpec, token: AccessToken) -> None:
    """AUTH with the mechanism that is offered; the first line with the command where it is short enough."""
    mechanism = sasl.choose(str(client.esmtp_features.get("auth", "")).split())
    if mechanism is None:
        raise PermanentError("oauth.no_mechanism", host=spec.host)
    exchange = sasl.Exchange(mechanism, spec.username, token.value, spec.host, spec.port)
    line = base64.b64encode(exchange.first.encode()).decode()
    # RFC 4954 §4: a first line that makes the command longer than 512 octets comes in a line of its own
    if len(mechanism) + len(line) + 8 <= MOST_COMMAND:
        code, text = client.docmd("AUTH", f"{mechanism} {base64.b64encode(exchange.begun().encode()).decode()}")
    else:
        code, text = client.docmd("AUTH", mechanism)
    for _ in range(2):
        if code != 334:
            break
        challenge = _unbase64(text)
        code, text = client.docmd(base64.b64encode(exchange.answer(challenge).encode()).decode())
    if code in (235, 503):  # 503: signed in already
        return
    if exchange.is_about_token and not 400 <= code < 500:
        raise NeedsReconnect("oauth.token_refused", host=spec.host) from smtplib.SMTPAuthenticationError(code, text)
    raise smtplib.SMTPAuthenticationError(code, text)


def _unbase64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=False)
    except ValueError:
        return b""
