"""Which links of a tracked email were followed, marked beside them where the email is read (T05).

Whoever may read the email may know, as of its icons. Counts are those of events that may be a person's and are not
purged yet. The quoted part is left alone: its links are not ours. Reads only; the document is safe already (render.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape, unescape

from sqlmodel import col, func

from mailcrm.models import Message, TrackedLink, TrackedMessage, TrackingEvent
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.rows import pick, rows
from mailcrm.services.tracking.classify import COUNTED

_LINK = re.compile(r'(<a\b[^>]*?\shref="([^"]*)"[^>]*>(?:(?!</?a\b).)*)(?=</a>)', re.DOTALL | re.IGNORECASE)
_QUOTE = re.compile(r"<blockquote\b|<details\b", re.IGNORECASE)
#: lucide's mouse-pointer-click, as in the icons of lists; it has the link's colour, in the dark too.
_MARK = (
    '<span class="mc-followed" role="img" title="{said}" aria-label="{said}" style="display:inline-block;'
    'vertical-align:-2px;margin-inline-start:4px"><svg xmlns="http://www.w3.org/2000/svg" width="13" height="13" '
    'viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" '
    'stroke-linejoin="round" aria-hidden="true"><path d="M14 4.1 12 6M5.1 8l-2.9-.8M6 12l-1.9 2M7.2 2.2 8 5.1"/>'
    '<path fill="currentColor" d="M9.037 9.69a.498.498 0 0 1 .653-.653l11 4.5a.5.5 0 0 1-.074.949l-4.349 1.041a1 1 0 0 '
    '0-.74.739l-1.04 4.35a.5.5 0 0 1-.95.074z"/></svg></span>'
)


def followed(actor: Actor, message_id: int) -> dict[str, int]:
    """Return how often each link was followed, by its destination; {} for an email without, or one out of sight."""
    statement = (
        pick(TrackedLink.url, func.count())
        .select_from(TrackedMessage)
        .join(Message, col(Message.id) == col(TrackedMessage.message_id))
        .join(TrackingEvent, col(TrackingEvent.tracked_id) == col(TrackedMessage.id))
        .join(TrackedLink, col(TrackedLink.id) == col(TrackingEvent.link_id))
        .where(
            col(TrackedMessage.message_id) == message_id,
            col(TrackedMessage.clicks) > 0,
            col(TrackingEvent.action) == "click",
            col(TrackingEvent.kind).in_(sorted(COUNTED)),
            access.visible_message(actor),
        )
        .group_by(col(TrackedLink.url))
    )
    with reading() as session:
        return {row[0]: int(row[1]) for row in rows(session, statement)}


def marked(document: str, counts: Mapping[str, int], said: Callable[[int], str]) -> str:
    """Return a safe document with a mark in each link that was followed; `said(n)` is its words."""
    if not counts:
        return document
    quote = _QUOTE.search(document)
    end = quote.start() if quote else len(document)

    def one(match: re.Match[str]) -> str:
        count = counts.get(unescape(match[2]), 0)
        return match[0] + _MARK.format(said=escape(said(count))) if count else match[0]

    return _LINK.sub(one, document[:end]) + document[end:]
