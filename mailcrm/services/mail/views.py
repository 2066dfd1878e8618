"""What services/mail hands out: frozen values, never rows (rule 4).

Times are aware UTC. Does not format anything: that is services/i18n.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mailcrm.services.mail.parse.values import ParsedEvent


@dataclass(frozen=True, slots=True)
class AddressView:
    """A name and an addr-spec; `person_id` is who has that address, None when nobody has."""

    name: str
    address: str
    person_id: int | None = None
    #: The reader's own address: for the interface, which says "you"; not part of REST's contract.
    mine: bool = field(default=False, metadata={"rest": False})

    @property
    def label(self) -> str:
        """The name, or the address where there is none."""
        return self.name or self.address


@dataclass(frozen=True, slots=True)
class AttachmentView:
    """A file of a message; `n` is its number in `/m/{id}/attachments/{n}`, `size` is in octets.

    `on_server`: it was left there because of its size, and is fetched when it is opened; `size` is about right then.
    """

    n: int
    filename: str
    content_type: str
    size: int
    inline: bool
    on_server: bool = False


@dataclass(frozen=True, slots=True)
class TrackingView:
    """What a sent message tracks and what was counted: claims, not facts. None stands for "not tracked"."""

    on_opens: bool
    on_clicks: bool
    opens: int
    clicks: int
    first_opened_at: datetime | None
    last_opened_at: datetime | None
    last_clicked_at: datetime | None

    def together(self, other: TrackingView) -> TrackingView:
        """Return what two recipients' copies of one message make together (B04)."""
        return TrackingView(
            self.on_opens or other.on_opens,
            self.on_clicks or other.on_clicks,
            self.opens + other.opens,
            self.clicks + other.clicks,
            min(filter(None, (self.first_opened_at, other.first_opened_at)), default=None),
            max(filter(None, (self.last_opened_at, other.last_opened_at)), default=None),
            max(filter(None, (self.last_clicked_at, other.last_clicked_at)), default=None),
        )


@dataclass(frozen=True, slots=True)
class ThreadLabelView:
    """A label for conversations; `worn`: by how many of those that were asked about."""

    id: int
    name: str
    color: str
    worn: int = field(default=0, metadata={"rest": False})


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """One conversation in a list.

    `names` are the counterparties' names joined by ", "; `tracking` belongs to `last_outbound_message_id`, the latest
    tracked message where there is one. `failed` is the error code of a reply that could not be sent, else "".
    `visibility` is "shared" as soon as one message is.
    """

    id: int
    subject: str
    names: str
    addresses: tuple[str, ...]
    snippet: str
    last_at: datetime
    message_count: int
    unread: bool
    has_attachments: bool
    visibility: str
    direction_last: str
    deal_id: int | None
    deal_title: str
    person_id: int | None
    tracking: TrackingView | None
    last_outbound_message_id: int | None
    failed: str
    own: bool = True
    labels: tuple[ThreadLabelView, ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadPage:
    """One page, newest first.

    `total_unread` counts the folder's unread conversations, whatever the other filters; it stops at 1,000.
    """

    rows: tuple[ThreadRow, ...]
    next_cursor: str | None
    total_unread: int


@dataclass(frozen=True, slots=True)
class LinkView:
    """Why a conversation belongs to a person, deal or lead (B06).

    `reason` is a code (linking/match.py): "address", "one_open_deal", "manual" …; `detail` is what it names, usually
    an address.
    """

    id: int
    kind: str
    target_id: int
    title: str
    origin: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DealChip:
    """A deal, as small as a conversation needs it."""

    id: int
    title: str
    stage_id: int
    stage: str
    status: str


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message without its body (that has a route of its own). `at` is the moment lists are ordered by."""

    id: int
    thread_id: int
    mailbox_id: int
    rfc_message_id: str | None
    direction: str
    subject: str
    snippet: str
    sender: AddressView
    to: tuple[AddressView, ...]
    cc: tuple[AddressView, ...]
    bcc: tuple[AddressView, ...]
    sent_at: datetime | None
    received_at: datetime | None
    at: datetime
    read: bool
    visibility: str
    own: bool
    owner_name: str
    attachments: tuple[AttachmentView, ...]
    has_html: bool
    tracking: TrackingView | None
    gone: bool
    archived: bool = False
    #: "smime_signed", "pgp_signed" (not checked), "smime_encrypted", "pgp_encrypted" (can't be read here), else "".
    security: str = ""
    #: The invitation in it, and the number of the attachment that holds it.
    event: ParsedEvent | None = None
    event_n: int = 0
    #: Recipients that a notice said were not reached: (address, the server's words).
    bounced: tuple[tuple[str, str], ...] = ()
    #: What users wrote above it when they forwarded it to a Smart Bcc address: (their name, their words).
    remarks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ThreadView:
    """A conversation as its reader may see it, oldest message first, copies of one message shown once."""

    id: int
    subject: str
    messages: tuple[MessageView, ...]
    visibility: str
    own: bool
    links: tuple[LinkView, ...]
    deal: DealChip | None
    participants: tuple[AddressView, ...]
    labels: tuple[ThreadLabelView, ...] = ()


@dataclass(frozen=True, slots=True)
class NavCounts:
    """The numbers in the navigation: only where action waits. `inbox_unread` stops at 1,000."""

    inbox_unread: int
    drafts: int
    outbox: int
    leads: int
