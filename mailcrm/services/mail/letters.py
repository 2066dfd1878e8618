"""The workspace's own mail: short plain-text letters to a user, through the server of MAILCRM_SMTP_*.

One attempt, at most one letter: a letter that is lost is worth less than one that comes twice. Not for what users write
(outbox): nothing is kept, tracked or copied to Sent.
"""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid

from mailcrm.config import config
from mailcrm.models.base import utcnow
from mailcrm.services.mail.outbox import smtp
from mailcrm.services.mail.outbox.mime_headers import MARK
from mailcrm.services.mail.providers.values import Secret, ServerSpec
from mailcrm.services.mail.signing_in import security

TIMEOUT_S = 20.0


def is_set_up() -> bool:
    """Whether the operator named a server for the workspace's own mail."""
    return bool(config().smtp.host)


def send(to: str, subject: str, text: str) -> None:
    """Send a letter through the workspace's server. Raises as `smtp.deliver` does."""
    own = config().smtp
    server = ServerSpec(own.host, own.port, security(own.security), own.username)
    _deliver(server, own.password, own.sender, "mailcrm", to, subject, text, allow_private=True)


def send_through(server: ServerSpec, secret: Secret, sender: str, to: str, subject: str, text: str) -> None:
    """Send a letter through a user's mailbox, where the workspace has no server. Raises as `smtp.deliver` does."""
    _deliver(server, secret, sender, "", to, subject, text, allow_private=config().allow_private_hosts)


def _deliver(
    server: ServerSpec, secret: Secret, sender: str, name: str, to: str, subject: str, text: str, *, allow_private: bool
) -> None:
    letter = EmailMessage()
    letter["From"] = formataddr((name, sender))
    letter["To"] = to
    letter["Subject"] = " ".join(subject.split())
    letter["Date"] = format_datetime(utcnow())
    letter["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note is to answer
    letter[MARK] = "letter"
    letter.set_content(text)
    smtp.deliver(
        server, secret, mail_from=sender, rcpt_to=[to], message=letter.as_bytes(), allow_private=allow_private,
        timeout=TIMEOUT_S, data_timeout=TIMEOUT_S,
    )  # fmt: skip
