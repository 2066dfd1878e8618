"""Translates what goes wrong on the way to a mail server into mailcrm's errors; IMAP and SMTP share these.

Only connection-level failures: name, TCP, TLS, time-outs. Answers of the protocols are translated where they arrive
(`imap/failures.py`, `outbox/smtp.py`).
"""

from __future__ import annotations

import ssl

from mailcrm.errors import MailcrmError, PermanentError, TransientError

_X509_EXPIRED = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_X509_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


def of_connection(exc: BaseException, host: str, port: int) -> MailcrmError | None:
    """Return the error that `exc` means for a connection to `host`, None when it is no connection failure."""
    if isinstance(exc, MailcrmError):
        return exc
    if isinstance(exc, ssl.SSLCertVerificationError):
        if exc.verify_code in _X509_NAME:
            return PermanentError("server.certificate_name", host=host)
        if exc.verify_code in _X509_EXPIRED:
            return PermanentError("server.certificate_expired", host=host)
        return PermanentError("server.certificate_untrusted", host=host)
    if isinstance(exc, ssl.SSLError):
        if exc.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL"):
            return PermanentError("server.tls_to_plain", host=host, port=port)
        if "timed out" in str(exc):
            return TransientError("server.timeout", host=host, port=port)
        if isinstance(exc, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return TransientError("server.lost", host=host)
        return PermanentError("server.tls", host=host, port=port)
    if isinstance(exc, TimeoutError):
        return TransientError("server.timeout", host=host, port=port)
    if isinstance(exc, ConnectionRefusedError):
        return TransientError("server.refused", host=host, port=port)
    if isinstance(exc, (ConnectionError, EOFError)):
        return TransientError("server.lost", host=host)
    if isinstance(exc, OSError):
        return TransientError("server.unreachable", host=host, port=port)
    return None
