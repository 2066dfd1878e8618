"""Recognises pending messages that are stored already, so that a move costs no second download.

By the server's own id, where it has one (X-GM-MSGID, EMAILID), among all messages of the mailbox; else among those
that have lost their last place, by Message-ID, size and INTERNALDATE together. An id that a server gives to two
different messages of one answer, or to a message of another size or date, means nothing: the bytes decide then.
Does not write (apply.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import col

from mailcrm.models import Message
from mailcrm.services.db import reading
from mailcrm.services.mail.imap.client import RemoteMeta
from mailcrm.services.mail.parse.headers import message_id
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.sync.values import Found
from mailcrm.services.rows import chunks, is_one_of, pick, rows


def recognise(connection: MailConnection, mailbox_id: int, meta: dict[int, RemoteMeta]) -> list[Found]:
    """Return what of `meta` (of the open folder) is stored already, and take it out of `meta`."""
    found = _by_remote_id(mailbox_id, list(meta.values()))
    rest = [item for item in meta.values() if item.uid not in found]
    found |= _by_header(connection, mailbox_id, rest, set(found.values()))
    return [
        Found(uid, item.flags, stored, item.remote_id, item.labels)
        for uid, stored in sorted(found.items())
        for item in (meta.pop(uid),)
    ]


def familiar(mailbox_id: int, metas: Sequence[RemoteMeta]) -> set[int]:
    """Return the UIDs that have size and INTERNALDATE of a stored message, and so may be that message."""
    stored: set[tuple[int, datetime]] = set()
    with reading() as session:
        for part in chunks(sorted({item.internal_date for item in metas if item.internal_date is not None})):
            statement: Any = pick(Message.size, Message.received_at).where(
                col(Message.mailbox_id) == mailbox_id, col(Message.received_at).in_(part)
            )
            stored.update((size, received_at) for size, received_at in rows(session, statement))
    return {item.uid for item in metas if item.internal_date is not None and (item.size, item.internal_date) in stored}


def _by_remote_id(mailbox_id: int, metas: Sequence[RemoteMeta]) -> dict[int, int]:
    counted = Counter(item.remote_id for item in metas if item.remote_id)
    wanted = {item.remote_id: item for item in metas if item.remote_id and counted[item.remote_id] == 1}
    found: dict[int, int] = {}
    with reading() as session:
        for part in chunks(sorted(wanted)):
            statement = pick(Message.id, Message.remote_id, Message.size, Message.received_at).where(
                col(Message.mailbox_id) == mailbox_id, is_one_of(session, col(Message.remote_id), part)
            )
            twice = Counter(row[1] for row in rows(session, statement))
            for stored, remote_id, size, received_at in rows(session, statement):
                item = wanted[remote_id]
                if twice[remote_id] == 1 and size == item.size and same(received_at, item.internal_date):
                    found[item.uid] = stored
    return found


def _by_header(
    connection: MailConnection, mailbox_id: int, metas: Sequence[RemoteMeta], taken: set[int]
) -> dict[int, int]:
    waiting: dict[tuple[int, datetime], list[tuple[int, str]]] = {}
    with reading() as session:
        for part in chunks(sorted({item.size for item in metas})):
            statement: Any = pick(Message.id, Message.rfc_message_id, Message.size, Message.received_at).where(
                col(Message.mailbox_id) == mailbox_id,
                col(Message.lost_at).is_not(None),
                is_one_of(session, col(Message.size), part),
                col(Message.rfc_message_id).is_not(None),
                col(Message.received_at).is_not(None),
            )
            for stored, rfc_message_id, size, received_at in rows(session, statement):
                if stored not in taken:
                    waiting.setdefault((size, received_at), []).append((stored, rfc_message_id))
    suspects = {
        item.uid: waiting[item.size, item.internal_date]
        for item in metas
        if item.internal_date is not None and (item.size, item.internal_date) in waiting
    }
    found: dict[int, int] = {}
    for uid, header in sorted(connection.fetch_message_ids(suspects).items()) if suspects else ():
        named = message_id(header.partition(b":")[2].strip())
        fitting = [stored for stored, known in suspects.get(uid, ()) if known == named and stored not in taken]
        if len(fitting) == 1:
            found[uid] = fitting[0]
    claimed = Counter(found.values())  # by two of them: a sender can arrange that, and only the bytes tell
    return {uid: stored for uid, stored in found.items() if claimed[stored] == 1}


def same(stored: datetime | None, told: datetime | None) -> bool:
    """Whether two INTERNALDATEs may be of one message; a server need not tell its own."""
    return stored is None or told is None or stored == told
