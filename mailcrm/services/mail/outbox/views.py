"""What the outbox shows: frozen values without rows or secrets. No logic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailcrm.errors import UserError


@dataclass(frozen=True)
class DraftInput:
    """What the composer holds. `to`, `cc`, `bcc` are as typed: addresses parted by commas, semicolons or lines.

    `from_address` is an alias of the mailbox, "" its own address. `revision` is the one the composer began with: an
    older one than the draft's is refused (DraftNewer); None saves over whatever is there. `track_copies`: each recipient
    gets a copy of their own, so that it is known who opened (B04), up to consent.MOST_COPIES of them.
    """

    mailbox_id: int
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    html: str = ""
    track_opens: bool = False
    track_clicks: bool = False
    visibility: str = "private"
    deal_id: int | None = None
    lead_id: int | None = None
    from_address: str = ""
    signature_id: int | None = None
    template_id: int | None = None
    plain: bool = False
    remind_days: int | None = None
    revision: int | None = None
    track_copies: bool = False


@dataclass(frozen=True)
class AddressCheck:
    """One address as typed; `ok` is False when nothing could be sent to it."""

    address: str
    name: str
    ok: bool


@dataclass(frozen=True)
class DraftAttachment:
    """A file that goes along."""

    n: int
    filename: str
    content_type: str
    size: int
    inline: bool


@dataclass(frozen=True)
class RecipientView:
    """A recipient; `state` is "waiting", "accepted" or "refused" with the server's words in `reply`."""

    role: str
    name: str
    address: str
    state: str
    reply: str


@dataclass(frozen=True)
class DraftView:
    """A draft or a message on its way out.

    `state`: draft, queued, sending, sent, failed, unknown. `error_code` and `error_params` make the translated
    sentence; `error` is it in English. `untracked` names recipients whose consent forbids tracking (T09): while it
    is not empty the message goes out without tracking, whatever the switches say. `from_address` is the alias or the
    mailbox's own address; `send_local` and `send_zone` are how the user said when ("" is at once).
    """

    id: int
    mailbox_id: int
    from_address: str
    from_name: str
    to: str
    cc: str
    bcc: str
    subject: str
    html: str
    track_opens: bool
    track_clicks: bool
    visibility: str
    deal_id: int | None
    deal_title: str
    state: str
    error: str
    error_code: str
    error_params: dict[str, object]
    send_at: datetime | None
    sent_at: datetime | None
    next_try_at: datetime | None
    updated_at: datetime
    attachments: tuple[DraftAttachment, ...]
    quoted: bool
    recipients: tuple[RecipientView, ...]
    untracked: tuple[str, ...]
    refused: tuple[str, ...]
    reply_to_message_id: int | None
    thread_id: int | None
    message_id: int | None
    snippet: str
    lead_id: int | None = None
    lead_title: str = ""
    signature_id: int | None = None
    template_id: int | None = None
    plain: bool = False
    revision: int = 0
    send_local: str = ""
    send_zone: str = ""
    remind_days: int | None = None
    track_copies: bool = False


class DraftNewer(UserError):
    """A tab saved over a newer version of the draft; `newer` is that version, nothing was changed."""

    code = "draft.newer"

    def __init__(self, newer: DraftView) -> None:
        super().__init__()
        self.newer = newer
