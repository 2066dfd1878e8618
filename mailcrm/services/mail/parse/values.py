"""What a parsed message is: plain values, and the one error parsing may raise.

Does not parse. A value holds no NUL, no other C0 control except tab, newline and
form feed, and no lone surrogate, so it can go into SQL and JSON as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MAX_MESSAGE_BYTES = 100 * 1024 * 1024  # RFC822.SIZE above this is skipped by sync as well
MAX_PARTS = 1000  # real mail stays under 200; a 100,000-part bomb costs seconds
MAX_DEPTH = 50  # multipart and message/rfc822 levels; the stdlib recurses on each
MAX_HEADER_BYTES = 256 * 1024  # of the top header block
MAX_ADDRESSES = 1000  # kept of each address header; the rest is dropped, not refused
MAX_REFERENCES = 20  # the last ones: the nearest ancestors
MAX_MESSAGE_ID_OCTETS = 998  # RFC 5322 2.1.1, the longest line
SNIPPET_CHARS = 200
MAX_CALENDAR_BYTES = 256 * 1024  # of a calendar file; an invitation with 500 guests has 60 KB


def words(text: str) -> frozenset[str]:
    """Return the names in a table written as words."""
    return frozenset(text.split())


class UnparsableMessage(ValueError):
    """Say that a message passed a cap, or that both parsers failed.

    The raw bytes stay stored; the message is quarantined with `reason`, a code of `sentences.SENTENCES` with its
    parameters, and can be downloaded, not shown.
    """

    def __init__(self, reason: str, **params: str | int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.params = params


class NoSuchPart(LookupError):
    """Say that a message has no attachment of that number."""


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of an address header; `address` is '' when none could be read.

    The domain is lower-cased; the local part is kept as written (RFC 5321 2.4).
    """

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class ParsedAttachment:
    """One part that is not the body. `n` counts from 1 in the order of the message.

    `size` is in decoded octets. `content_id` has no angle brackets; '' when absent. `inline`: it is shown as a piece
    of the message, not as a file (a picture of the HTML, a signature, the envelope of files that are listed
    themselves).
    """

    n: int
    filename: str
    content_type: str
    size: int
    inline: bool
    content_id: str
    #: The IMAP section of content that was left on the server (sync/partial.py); '' otherwise.
    section: str = ""


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody invited; `status` is RFC 5545's PARTSTAT: ACCEPTED, DECLINED, TENTATIVE, DELEGATED, NEEDS-ACTION."""

    who: Address
    status: str


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A series: every `interval` `frequency` (daily … yearly; '' for a rule that has no short words)."""

    frequency: str
    interval: int
    days: tuple[str, ...]  # MO … SU, of a weekly rule
    count: int | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """An invitation. Moments are UTC; of an all-day event the dates count, and `end` is the day after its last.

    `floating`: without a zone, the clock time counts wherever the reader is.
    """

    method: str  # iTIP: REQUEST, CANCEL, REPLY, PUBLISH …; '' when absent
    uid: str
    summary: str
    location: str
    start: datetime | None
    end: datetime | None
    all_day: bool
    floating: bool
    organizer: Address | None
    guests: tuple[Guest, ...]
    guests_left: int
    recurrence: Recurrence | None
    cancelled: bool


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """One RFC 5322 message. Message-IDs carry no angle brackets.

    `sender` is the Sender header (RFC 5322 3.6.2), None when absent: authors are
    `from_`. `text` falls back to the text of `html`; `html` is not cleaned.
    """

    rfc_message_id: str | None
    in_reply_to: str | None
    references: tuple[str, ...]
    subject: str
    sender: Address | None
    from_: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    sent_at: datetime | None
    text: str
    html: str | None
    attachments: tuple[ParsedAttachment, ...]
    snippet: str
    auto_submitted: bool
    list_id: str | None
    #: The invitation in it, and the number of the attachment that holds it.
    event: ParsedEvent | None = None
    event_n: int = 0
