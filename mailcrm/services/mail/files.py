"""Files of one's own mail, found by their names (the palette). What is hidden, blocked or deleted is not among them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col

from mailcrm.models import Attachment, Message
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail import threads
from mailcrm.services.mail.search.text import words
from mailcrm.services.mail.thread_pick import Filter
from mailcrm.services.rows import pick, rows

MOST = 20


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file and where it stands."""

    thread_id: int
    name: str
    sender: str
    at: datetime


def find(actor: Actor, text: str, limit: int = 5) -> tuple[FoundFile, ...]:
    """Return the files whose names hold every word of `text`, the newest first; the index says in which mail they are."""
    wanted = words(text[:100]).split()
    if not wanted:
        return ()
    query = " ".join(f"filename:{each}" for each in wanted)
    ids = threads.list_ids(actor, Filter(folder="all", query=query), MOST)
    if not ids:
        return ()
    statement = (
        pick(Message.thread_id, Attachment.filename, Message.from_name, Message.from_address, Message.sort_at)
        .join(Attachment, col(Attachment.message_id) == col(Message.id))
        .where(col(Message.thread_id).in_(ids), access.own_message(actor), col(Attachment.filename) != "")
        .order_by(col(Message.sort_at).desc(), col(Message.id).desc(), col(Attachment.n))
    )
    with reading() as session:
        found: dict[tuple[int, str], FoundFile] = {}  # a file that goes back and forth stands once
        for thread_id, name, sender, address, at in rows(session, statement):
            if all(any(word.startswith(each) for word in words(name).split()) for each in wanted):
                found.setdefault((thread_id, name), FoundFile(thread_id, name, sender or address, at))
        return tuple(found.values())[:limit]
