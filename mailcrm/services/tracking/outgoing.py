"""Delivers mail with tracking: hands the tracked version of a message to the outbox, which knows no tracking.

Makes the tracked row and its links once for a message; another attempt finds them and makes the same bytes.
"""

from __future__ import annotations

from sqlmodel import Session, col, select

from mailcrm.config import config
from mailcrm.models import Mailbox, Outbox, OutboxRecipient, TrackedLink, TrackedMessage
from mailcrm.services.mail.outbox import deliver
from mailcrm.services.tracking import tokens
from mailcrm.services.tracking.rewrite import Rewritten, rewrite


def deliver_due(limit: int = 50) -> int:
    """Deliver what is due (the worker's job); see mail/outbox/deliver."""
    return deliver.deliver_due(limit, track=tracked_document)


def tracked_document(session: Session, row: Outbox, document: str) -> str:
    """Return the HTML document with pixel and tracked links, as the message's switches say; in the caller's transaction."""
    known = session.exec(
        select(TrackedMessage).where(TrackedMessage.outbox_id == row.id).order_by(col(TrackedMessage.id).desc())
    ).first()
    if known is not None:
        made = _rewritten(row, document, known.nonce)
        if _links(session, known) == {(each.position, each.url) for each in made.links}:
            return made.html
    # The first attempt, or the text was changed since: links that may have gone out are never touched (T10).
    mailbox = session.get(Mailbox, row.mailbox_id)
    addresses = session.exec(select(OutboxRecipient.address).where(OutboxRecipient.outbox_id == row.id)).all()
    tracked = TrackedMessage(
        user_id=row.user_id,
        outbox_id=row.id,
        nonce=tokens.new_nonce(),
        opens_on=row.track_opens,
        clicks_on=row.track_clicks,
        notify=mailbox is not None and _wants_news(row, mailbox),
        recipients=len({address.lower() for address in addresses}),
    )
    session.add(tracked)
    session.flush()
    made = _rewritten(row, document, tracked.nonce)
    for each in made.links:
        session.add(TrackedLink(tracked_id=tracked.id or 0, position=each.position, url=each.url, text=each.text))
    return made.html


def _wants_news(row: Outbox, mailbox: Mailbox) -> bool:
    """Whoever switches tracking on for one message by hand waits for it: that message notifies whatever the default."""
    by_hand = (row.track_opens and not mailbox.track_opens) or (row.track_clicks and not mailbox.track_clicks)
    return mailbox.track_notify or by_hand


def _rewritten(row: Outbox, document: str, nonce: str) -> Rewritten:
    return rewrite(
        document,
        pixel=pixel_url(nonce) if row.track_opens else None,
        link=(lambda position: click_url(nonce, position)) if row.track_clicks else None,
    )


def _links(session: Session, tracked: TrackedMessage) -> set[tuple[int, str]]:
    found = session.exec(select(TrackedLink).where(TrackedLink.tracked_id == tracked.id))
    return {(each.position, each.url) for each in found}


def pixel_url(nonce: str) -> str:
    """The address of a message's pixel."""
    return f"{config().tracking_url}/t/o/{tokens.make('open', nonce)}.gif"


def click_url(nonce: str, position: int) -> str:
    """The address of a message's link."""
    return f"{config().tracking_url}/t/c/{tokens.make('click', nonce, position)}"
