"""What templates, signatures and merge fields show: frozen values without rows. No logic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class KeptFileView:
    """A file of a template or a signature; `content_id` is set for images in the text."""

    n: int
    filename: str
    content_type: str
    size: int
    inline: bool
    content_id: str


@dataclass(frozen=True, slots=True)
class SignatureView:
    """A signature; `html` is its inside, without the block around it. `uses`: (mailbox_id, "new" | "reply")."""

    id: int
    name: str
    html: str
    position: int
    files: tuple[KeptFileView, ...] = ()
    uses: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class MailboxSignatures:
    """Which signatures a mailbox begins with; None for none."""

    mailbox_id: int
    address: str
    new_id: int | None
    reply_id: int | None


@dataclass(frozen=True, slots=True)
class TemplateLine:
    """A template in a list; `changeable` says whether the reader may change it, `owner` whose it is."""

    id: int
    name: str
    folder: str
    shared: bool
    subject: str
    snippet: str
    owner_id: int
    owner: str
    mine: bool
    changeable: bool
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class TemplateView:
    """A template with its text and files."""

    line: TemplateLine
    html: str
    files: tuple[KeptFileView, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplateResults:
    """What became of the emails that were sent with a template, as far as it is known.

    `tracked` is how many of `sent` asked about opens; `opened` and `clicked` count emails, not events.
    """

    template_id: int
    sent: int
    tracked: int
    opened: int
    clicked: int
    replied: int


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """A merge field as menus offer it, in the reader's language."""

    field: str
    label: str
    group: str


@dataclass(frozen=True, slots=True)
class MissingField:
    """A merge field without a value; `why` is a sentence ("Büsum expansion has no expected close.")."""

    field: str
    label: str
    why: str


@dataclass(frozen=True, slots=True)
class Preview:
    """A text as one recipient gets it; what is missing stands marked in it. `refused` looks like a field but is none."""

    subject: str
    html: str
    name: str
    address: str
    missing: tuple[MissingField, ...]
    refused: tuple[str, ...]
