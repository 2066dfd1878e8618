"""One attempt to send through Exchange's web services: CreateItem with the finished MIME, SendOnly.

One answer decides for all recipients at once. What fails before the request leaves was certainly not sent; a refusal by
name neither; what breaks from then on may be sent (`DeliveryUnknown`). Exchange reads the recipients from the header,
so those who are in neither To nor Cc stand in a Bcc field, which it removes. Builds no MIME, keeps no copy.
"""

# exchangelib has no types of its own; what leaves this module is annotated.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses

from mailcrm.errors import DeliveryUnknown, PermanentError
from mailcrm.services.mail.imap.wire import refuse_control
from mailcrm.services.mail.outbox.smtp import Delivery, Progress
from mailcrm.services.mail.providers.values import Secret, ServerSpec, secret_text

_NOT_THERE = ("server.unknown_host", "server.refused", "server.unreachable")  # no connection, so nothing was sent
TIMEOUT_S = 300.0  # a server may scan the message before it answers


def deliver(
    spec: ServerSpec,
    address: str,
    password: Secret,
    *,
    rcpt_to: Sequence[str],
    message: bytes,
    allow_private: bool,
    before_dot: Callable[[], None],
    progress: Progress,
) -> Delivery:
    """Send to all of `rcpt_to`. Raises as `outbox.smtp.deliver` does; `before_dot` is called before it may be sent."""
    from exchangelib import errors  # here, not above: it costs 30 MB and a second

    from mailcrm.services.mail.ews import failures, wire

    raw = with_bcc(message, rcpt_to)
    progress.step = "sign_in"
    made = wire.connect(spec, address, secret_text(password), allow_private=allow_private, timeout=TIMEOUT_S)
    try:
        progress.step, progress.accepted = "data", list(rcpt_to)
        before_dot()
        progress.step = "dot"
        try:
            made.send(raw)
        except Exception as exc:
            error = failures.of(exc, spec)
            if isinstance(exc, (errors.ErrorServerBusy, errors.UnauthorizedError)) or error.code == "imap.throttled":
                progress.text = type(exc).__name__
                raise error from exc
            if isinstance(exc, errors.ResponseMessageError):
                name = progress.text = type(exc).__name__
                if name in failures.DOWN:
                    raise DeliveryUnknown from exc  # it gave up half way: nobody knows how far
                raise PermanentError("smtp.refused", host=spec.host, answer=name) from exc
            if isinstance(error, PermanentError) or error.code in _NOT_THERE:
                raise error from exc
            raise DeliveryUnknown from exc
        progress.step = "done"
        return Delivery(tuple(rcpt_to), {})
    finally:
        made.close()


def with_bcc(message: bytes, rcpt_to: Sequence[str]) -> bytes:
    """Return the message with a Bcc field for the recipients that its header does not name."""
    header = BytesHeaderParser(policy=compat32).parsebytes(message)
    fields = [str(value) for name in ("To", "Cc") for value in header.get_all(name, [])]
    shown = {address.lower() for _, address in getaddresses(fields)}
    wanted = {address.lower() for address in rcpt_to}
    if shown - wanted:  # they would get it too, perhaps once more
        raise PermanentError("outbox.unbuildable")
    hidden = [address for address in rcpt_to if address.lower() not in shown]
    if not hidden:
        return message
    for address in hidden:
        refuse_control("recipient", address)
    return b"Bcc: " + ",\r\n ".join(hidden).encode() + b"\r\n" + message
