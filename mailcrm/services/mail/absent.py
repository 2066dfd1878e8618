"""Gets from the server what a partial message left there: one attachment when it is opened, or the whole message.

A short-lived connection of its own, one at a time for each mailbox in this process; EXAMINE and BODY.PEEK, so nothing
is marked read. It is made sure of that the message there is the one that was stored: its header gives the mark that
stands for the part. A fetched attachment stays in the blob store; a whole message is handed out and not kept.
Callers have authorised nothing: the actor is checked here. No transaction spans the network.
"""

from __future__ import annotations

import binascii
import threading
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager

from sqlmodel import Session, col, select

from mailcrm.errors import NotFound, PermanentError, UserError
from mailcrm.models import Attachment, Folder, Message, MessageLocation
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs, store
from mailcrm.services.mail.imap.wire import Limits
from mailcrm.services.mail.parse.headers import first, header_fields, loose_base64
from mailcrm.services.mail.parse.message import attachment_contents
from mailcrm.services.mail.parse.values import UnparsableMessage
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.signing_in import credentials, open_mailbox
from mailcrm.services.mail.sync.partial import mark_of

_LIMITS = Limits(connect=15, read=60, sign_in=30)  # somebody waits in front of a screen
_WHOLE_S = 600.0  # seconds for 100 MB over a slow line
_turns: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)  # a connection for each mailbox


def fetch_attachment(actor: Actor, message_id: int, n: int) -> bytes | None:
    """Return an attachment that was left on the server; None for one that is in the message's bytes.

    The first time it is fetched and kept. Raises NotFound, UserError("attachment.gone"), the server's failures.
    """
    message, attachment = _find(actor, message_id, n)
    if not attachment.section:
        return None
    content = _kept(attachment)
    if content is not None:
        return content
    with _turns[message.mailbox_id]:
        message, attachment = _find(actor, message_id, n)
        content = _kept(attachment)
        if content is not None:  # whoever came first brought it
            return content
        with _message_at(message, attachment.filename) as (connection, uid):
            sha, size = _stream(connection, uid, message, attachment)
    with transaction() as session:
        store.save_blobs(session, {sha: size})
        row = session.exec(select(Attachment).where(Attachment.message_id == message_id, Attachment.n == n)).one()
        row.blob_sha, row.size = sha, size
        session.add(row)
    return blobs.get(sha)


def _kept(attachment: Attachment) -> bytes | None:
    """Return what was fetched before; None when nothing was, or when the disk lost it."""
    try:
        return blobs.get(attachment.blob_sha) if attachment.blob_sha is not None else None
    except blobs.BlobLost:
        return None


def _stream(connection: MailConnection, uid: int, message: Message, attachment: Attachment) -> tuple[str, int]:
    """Bring a part into the blob store, decoded; return its name there and its size."""
    decoder = _Decoder(_header(connection, uid, message, attachment))
    with blobs.Writer() as writer:
        for piece in connection.fetch_pieces(uid, attachment.section):
            writer.write(decoder.decode(piece))
        writer.write(decoder.rest())
        if not writer.size:
            raise UserError("attachment.gone", name=attachment.filename)
        return writer.close(), writer.size


def whole_message(actor: Actor, message_id: int) -> bytes:
    """Return a partial message as the server has it. Raises NotFound, UserError, and the server's failures."""
    with reading() as session:
        message = access.load(session, Message, message_id, access.visible_message(actor))
        attachment = session.exec(
            select(Attachment).where(Attachment.message_id == message_id, Attachment.section != "").limit(1)
        ).first()
        session.expunge_all()
    if attachment is None:
        raise NotFound
    with _turns[message.mailbox_id], _message_at(message, attachment.filename) as (connection, uid):
        _header(connection, uid, message, attachment)
        raw = b"".join(connection.fetch_pieces(uid))
    if not raw:
        raise UserError("attachment.gone", name=attachment.filename)
    return raw


def _find(actor: Actor, message_id: int, n: int) -> tuple[Message, Attachment]:
    with reading() as session:
        message = access.load(session, Message, message_id, access.visible_message(actor))
        found = session.exec(select(Attachment).where(Attachment.message_id == message_id, Attachment.n == n)).first()
        if found is None:
            raise NotFound
        session.expunge_all()
        return message, found


@contextmanager
def _message_at(message: Message, filename: str) -> Generator[tuple[MailConnection, int]]:
    """Connect and open the first folder that still has the message under the UIDs that we know."""
    with reading() as session:
        places = _places(session, message.id or 0)
    if not places:
        raise UserError("attachment.gone", name=filename)
    known = credentials(message.mailbox_id)
    with open_mailbox(known, _LIMITS) as connection, connection.deadline(_WHOLE_S):
        for name, uidvalidity, uid in places:
            try:
                valid = connection.examine(name).uidvalidity == uidvalidity
            except PermanentError:  # the folder is gone
                continue
            if valid and uid in connection.fetch_meta([uid]):
                yield connection, uid
                return
        raise UserError("attachment.gone", name=filename)


def _places(session: Session, message_id: int) -> list[tuple[str, int | None, int]]:
    found = session.exec(
        select(Folder.name, Folder.uidvalidity, MessageLocation.uid)
        .join(Folder, col(Folder.id) == col(MessageLocation.folder_id))
        .where(MessageLocation.message_id == message_id, col(Folder.gone_at).is_(None))
        .order_by(col(MessageLocation.id))
    )
    return [(name, uidvalidity, uid) for name, uidvalidity, uid in found]


def _header(connection: MailConnection, uid: int, message: Message, attachment: Attachment) -> bytes:
    """Return the part's MIME header, after making sure that this is the message that was stored."""
    mime = f"{attachment.section}.MIME"
    found = connection.fetch_sections(uid, ["HEADER", mime])
    expected = mark_of(found.get("HEADER", b""), attachment.section).encode()
    try:
        contents = attachment_contents(blobs.get(message.blob_sha))
        kept = next((content for each, content in contents if each.n == attachment.n), b"")
    except (UnparsableMessage, blobs.BlobLost):
        kept = b""
    if kept.strip() != expected:
        raise UserError("attachment.gone", name=attachment.filename)
    part_header = found.get(mime) or found["HEADER"]  # a message that is one file has no other header
    return part_header.rstrip(b"\r\n") + b"\r\n\r\n"


class _Decoder:
    """Undoes the transfer encoding of what comes in pieces."""

    def __init__(self, header: bytes) -> None:
        fields, _ = header_fields(header)
        self._encoding = (first(fields, "content-transfer-encoding") or b"").strip().lower()
        self._carry = b""

    def decode(self, piece: bytes) -> bytes:
        """Return what can be decoded so far."""
        data = self._carry + piece
        if self._encoding == b"base64":
            data = bytes(data.translate(None, b"\r\n \t"))
            cut = len(data) - len(data) % 4
            self._carry = data[cut:]
            return loose_base64(data[:cut])
        if self._encoding == b"quoted-printable":
            cut = data.rfind(b"\n") + 1
            self._carry = data[cut:]
            return binascii.a2b_qp(data[:cut])
        return data

    def rest(self) -> bytes:
        """Return what is left at the end."""
        if self._encoding == b"base64":
            return loose_base64(self._carry)
        return binascii.a2b_qp(self._carry) if self._encoding == b"quoted-printable" else b""
