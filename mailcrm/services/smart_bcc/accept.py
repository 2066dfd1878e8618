"""Takes a message in: its bytes and a row for each recipient are on the disk when `take` returns.

Decides nothing and looks nothing up, so that known and unknown addresses cost and answer the same. What becomes of
the rows is the worker's (intake.py); a lost wake-up is found by the sweep.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from mailcrm.models import BccArrival, utcnow
from mailcrm.services.db import transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail import blobs, store
from mailcrm.services.mail.parse.headers import header_fields, header_text
from mailcrm.services.mail.parse.values import UnparsableMessage

MOST_BYTES = 25 * 1024 * 1024  # of one message
_SHOWN = 300  # characters of a header field that the log of arrivals keeps
JOB = "smart_bcc"


@dataclass(frozen=True, slots=True)
class Envelope:
    """How a message came. `ours`: a server of one's own handed it over, whose word counts (authentic.py)."""

    way: str  # "smtp", "lmtp" or "imap"
    mail_from: str
    rcpt_to: tuple[str, ...]
    client_address: str = ""
    client_name: str = ""
    ours: bool = False
    #: Whether `mail_from` is what the envelope said; mail from a mailbox has none.
    known: bool = True
    received_at: datetime | None = None


def take(raw: bytes, envelope: Envelope) -> None:
    """Keep a message for each of its recipients. Raises OSError and SQLAlchemy's errors when that was not possible."""
    sha = blobs.put(raw)
    with transaction(durable=True) as session:
        store.save_blobs(session, {sha: len(raw)})
        add_rows(session, raw, sha, envelope)
    queue.enqueue(JOB)


def add_rows(session: Session, raw: bytes, sha: str, envelope: Envelope) -> None:
    """Add the rows of a message whose bytes are stored, inside the caller's transaction."""
    header_from, subject = shown_fields(raw)
    for recipient in dict.fromkeys(envelope.rcpt_to):
        session.add(
            BccArrival(
                way=envelope.way, received_at=envelope.received_at or utcnow(),
                envelope_from=_line(envelope.mail_from), envelope_to=_line(recipient.lower()),
                client_address=_line(envelope.client_address), client_name=_line(envelope.client_name),
                header_from=header_from, subject=subject, size=len(raw), blob_sha=sha,
                checks={"ours": envelope.ours, "known": envelope.known},
            )
        )  # fmt: skip


def refuse(envelope: Envelope, size: int, reason: str, **params: str | int) -> None:
    """Note a message that was not taken; there are no bytes of it."""
    with transaction() as session:
        for recipient in envelope.rcpt_to or ("",):
            session.add(
                BccArrival(
                    way=envelope.way, envelope_from=_line(envelope.mail_from), envelope_to=_line(recipient.lower()),
                    client_address=_line(envelope.client_address), client_name=_line(envelope.client_name),
                    size=size, state="refused", reason=reason, reason_params=dict(params),
                )
            )  # fmt: skip


def shown_fields(raw: bytes) -> tuple[str, str]:
    """Return From and Subject as a list shows them, "" where they can't be read."""
    try:
        fields, _ = header_fields(raw)
    except UnparsableMessage:
        return "", ""

    def read(name: str) -> str:
        return _line(header_text(next(iter(fields.get(name, ())), b"")))

    return read("from"), read("subject")


def _line(text: str) -> str:
    clean = "".join(char if char.isprintable() else " " for char in text.encode("utf-8", "replace").decode())
    return clean.strip()[:_SHOWN]
