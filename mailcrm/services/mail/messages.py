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
from mailcrm.services.mail import absent, blobs, own_links
from mailcrm.services.mail.parse.blind import without_bcc
from mailcrm.services.mail.parse.message import attachment_content, parse_message, readable
from mailcrm.services.mail.parse.values import NoSuchPart, ParsedAttachment, ParsedMessage, UnparsableMessage
from mailcrm.services.mail.sync import heal


@dataclass(frozen=True, slots=True)
class MessageContent:
    """A message's body, our own tracked links led back; `content_hash` names its content, `unparsable` says why there is no more than raw."""

    content_hash: str
    parsed: ParsedMessage | None
    unparsable: str | None


def load_raw(actor: Actor, message_id: int) -> bytes:
    """Return the raw RFC 5322 bytes. Raises NotFound, also for bytes that are lost for now.

    A colleague's copy comes without its Bcc fields, which are its owner's alone. Those of a message with large
    attachments are fetched from the server: UserError or the server's failure then.
    """
    sha, partial, mine = _stored(actor, message_id)
    try:
        raw = absent.whole_message(actor, message_id) if partial else blobs.get(sha)
    except blobs.BlobLost as error:
        heal.refetch(message_id)
        raise NotFound from error
    return raw if mine else without_bcc(raw)


def load_body(actor: Actor, message_id: int) -> MessageContent:
    """Return the parsed message. Raises NotFound; one that can't be parsed has `parsed` None."""
    sha, _, _ = _stored(actor, message_id)
    try:
        parsed = parse_message(readable(blobs.get(sha)))  # half a millisecond: not worth a cache
        shown = own_links.restored(parsed)
        # A tracked link leads to one place for ever, so the name still stands for one content.
        return MessageContent(sha if shown is parsed else f"{sha} restored", shown, None)
    except UnparsableMessage as error:
        return MessageContent(sha, None, error.reason)
    except blobs.BlobLost:
        again = heal.refetch(message_id)
        return MessageContent(sha, None, f"The stored bytes are lost{' and are fetched again' if again else ''}.")


def load_attachment(actor: Actor, message_id: int, n: int) -> tuple[ParsedAttachment, bytes]:
    """Return one attachment and its decoded bytes; a large one is fetched from the server the first time.

    Raises NotFound, and for what is on the server UserError("attachment.gone") or the server's failure.
    """
    sha, partial, _ = _stored(actor, message_id)
    try:
        found = attachment_content(blobs.get(sha), n)
        if not partial:
            return found
        content = absent.fetch_attachment(actor, message_id, n)
        return (found[0], content) if content is not None else found
    except (NoSuchPart, UnparsableMessage) as error:
        raise NotFound from error
    except blobs.BlobLost as error:
        heal.refetch(message_id)
        raise NotFound from error


def _stored(actor: Actor, message_id: int) -> tuple[str, bool, bool]:
    """Return the blob of a message, whether it lacks its large attachments, and whether it is the actor's own copy."""
    with reading() as session:
        row = access.load(session, Message, message_id, access.visible_message(actor))
        return row.blob_sha, row.partial, row.user_id == actor.user_id
