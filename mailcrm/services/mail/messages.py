"""Read one message's content: its raw bytes and its parsed body, authorised.

Lists and views are elsewhere (`views.py`, `threads.py`); nothing marks a message as
read. Bytes that turn out to be lost are asked for again (`sync/heal.py`): open the
message again a minute later.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailcrm.errors import NotFound
from mailcrm.models import Message
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail import blobs
from mailcrm.services.mail.parse.message import attachment_content, parse_message
from mailcrm.services.mail.parse.values import NoSuchPart, ParsedAttachment, ParsedMessage, UnparsableMessage
from mailcrm.services.mail.sync import heal


@dataclass(frozen=True, slots=True)
class MessageContent:
    """A message's body; `content_hash` names its bytes, `unparsable` says why there is no more than raw."""

    content_hash: str
    parsed: ParsedMessage | None
    unparsable: str | None


def load_raw(actor: Actor, message_id: int) -> bytes:
    """Return the raw RFC 5322 bytes. Raises NotFound, also for bytes that are lost for now."""
    try:
        return blobs.get(_blob_sha(actor, message_id))
    except blobs.BlobLost as error:
        heal.refetch(message_id)
        raise NotFound from error


def load_body(actor: Actor, message_id: int) -> MessageContent:
    """Return the parsed message. Raises NotFound; one that can't be parsed has `parsed` None."""
    sha = _blob_sha(actor, message_id)
    try:
        return MessageContent(sha, parse_message(blobs.get(sha)), None)  # half a millisecond: not worth a cache
    except UnparsableMessage as error:
        return MessageContent(sha, None, error.reason)
    except blobs.BlobLost:
        again = heal.refetch(message_id)
        return MessageContent(sha, None, f"The stored bytes are lost{' and are fetched again' if again else ''}.")


def load_attachment(actor: Actor, message_id: int, n: int) -> tuple[ParsedAttachment, bytes]:
    """Return one attachment and its decoded bytes. Raises NotFound."""
    try:
        return attachment_content(load_raw(actor, message_id), n)
    except (NoSuchPart, UnparsableMessage) as error:
        raise NotFound from error


def _blob_sha(actor: Actor, message_id: int) -> str:
    with reading() as session:
        return access.load(session, Message, message_id, access.visible_message(actor)).blob_sha
