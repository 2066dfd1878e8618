"""One message by its id, for programs: its view with its links, and its header lines.

Does not read bodies (messages.py).
"""

from __future__ import annotations

from email.parser import BytesHeaderParser
from email.policy import compat32

from mailcrm.models import Message, Thread
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail import message_views, threads
from mailcrm.services.mail.views import LinkView, MessageView


def open_message(actor: Actor, message_id: int) -> tuple[MessageView, tuple[LinkView, ...]]:
    """Return a message that the actor may see, and the links of its conversation; NotFound otherwise."""
    with reading() as session:
        row = access.load(session, Message, message_id, access.visible_message(actor))
        view = message_views.build(session, actor, [row])[0]
        thread = session.get_one(Thread, row.thread_id)
        return view, threads.links_of(session, actor, thread, [view])


def header_lines(raw: bytes) -> list[tuple[str, str]]:
    """Return the header's fields in order, unfolded, as they stand on the wire; never raises."""
    found = BytesHeaderParser(policy=compat32).parsebytes(raw)
    return [(name, " ".join(str(value).split())) for name, value in found.items()]
