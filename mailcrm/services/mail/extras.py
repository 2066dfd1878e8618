"""What a message's card says beyond its head: signed or encrypted, and the invitation in it.

Signatures and encryption are told from the parts' types; nothing is checked or opened. An invitation is read from the
stored bytes, only for messages that have one and are not large, and for so many on a page that it stays quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailcrm.models import Message
from mailcrm.services.mail import blobs
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.parse.values import MAX_CALENDAR_BYTES, ParsedEvent, UnparsableMessage
from mailcrm.services.mail.parse.wrapped import CALENDARS, SMIME
from mailcrm.services.mail.views import AttachmentView

NOTHING: tuple[ParsedEvent | None, int] = (None, 0)
_MAX_EVENTS = 50  # invitations read for one page; each costs a millisecond
_MAX_MESSAGE = 2 * 1024 * 1024  # bytes; an invitation with files beside it is read without its card


def security_of(files: Sequence[AttachmentView], snippet: str) -> str:
    """Return the code of MessageView.security."""
    types = {file.content_type: file for file in files}
    if "application/pgp-encrypted" in types or snippet.startswith("-----BEGIN PGP MESSAGE-----"):
        return "pgp_encrypted"
    wrapped = next((types[kind] for kind in sorted(SMIME) if kind in types), None)
    if wrapped is not None and not wrapped.inline:  # a signature that could be opened is shown as what it signs
        return "" if wrapped.filename.lower().endswith(".p7c") else "smime_encrypted"
    if wrapped is not None or any(
        kind in types for kind in ("application/pkcs7-signature", "application/x-pkcs7-signature")
    ):
        return "smime_signed"
    return "pgp_signed" if "application/pgp-signature" in types else ""


def events_of(
    messages: Sequence[Message], files: Mapping[int, Sequence[AttachmentView]]
) -> dict[int, tuple[ParsedEvent | None, int]]:
    """Return (invitation, its attachment's number) by message id."""
    found: dict[int, tuple[ParsedEvent | None, int]] = {}
    for message in messages:
        calendars = [file for file in files.get(message.id or 0, ()) if _is_calendar(file)]
        large = message.size > _MAX_MESSAGE and not message.partial
        if not calendars or large or len(found) >= _MAX_EVENTS:
            continue
        try:
            parsed = parse_message(blobs.get(message.blob_sha))
        except (UnparsableMessage, blobs.BlobLost):
            continue
        found[message.id or 0] = (parsed.event, parsed.event_n)
    return found


def _is_calendar(file: AttachmentView) -> bool:
    named = file.content_type in CALENDARS or file.filename.lower().endswith(".ics")
    return named and file.size <= MAX_CALENDAR_BYTES and not file.on_server
