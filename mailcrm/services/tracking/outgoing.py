"""Delivers mail with tracking: hands the tracked version of a message to the outbox, which knows no tracking.

Makes the tracked row and its links once for each part of a message that is tracked (B04: a copy of one recipient, or
the one for all of them); another attempt finds them and makes the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from mailcrm.config import config
from mailcrm.models import Mailbox, Outbox, TrackedLink, TrackedMessage, Workspace
from mailcrm.services.mail.outbox import deliver
from mailcrm.services.mail.outbox.outgoing import Content
from mailcrm.services.tracking import footer, tokens
from mailcrm.services.tracking.rewrite import Rewritten, rewrite, rewrite_text


def deliver_due(limit: int = 50) -> int:
    """Deliver what is due (the worker's job); see mail/outbox/deliver."""
    return deliver.deliver_due(limit, track=tracked_content)


def tracked_content(session: Session, row: Outbox, content: Content, addresses: Sequence[str]) -> tuple[Content, int]:
    """Return the content with pixel and tracked links as the switches say, for those at `addresses`, and the row's id.

    With the workspace's footer where it wants one. In the caller's transaction.
    """
    one = {address.lower() for address in addresses}
    recipient = next(iter(one)) if len(one) == 1 else ""
    tracked, made = _known(session, row, content, recipient) or _new(session, row, content, recipient, len(one))
    mailbox = session.get(Mailbox, row.mailbox_id)
    text = content.text
    if row.track_clicks and mailbox is not None and mailbox.track_text:
        text = rewrite_text(text, made.links, lambda position: click_url(tracked.nonce, position))
    found = Content(made.html, text)
    workspace = session.get(Workspace, 1)
    if workspace is not None and workspace.tracking_footer:
        link = optout_url(tracked.nonce)
        html, text = footer.with_footer(found.html, found.text, link, workspace.language)
        found = Content(html, text)
    return found, tracked.id or 0


def _known(session: Session, row: Outbox, content: Content, recipient: str) -> tuple[TrackedMessage, Rewritten] | None:
    """What an earlier attempt made, when the text is still the same."""
    found = session.exec(
        select(TrackedMessage)
        .where(TrackedMessage.outbox_id == row.id, TrackedMessage.recipient == recipient)
        .order_by(col(TrackedMessage.id).desc())
    ).all()
    for tracked in found:
        made = _rewritten(row, content, tracked.nonce)
        switches = (tracked.opens_on, tracked.clicks_on) == (row.track_opens, row.track_clicks)
        if switches and _links(session, tracked) == {(each.position, each.url) for each in made.links}:
            return tracked, made
    for tracked in found:  # the text was changed since: links that may have gone out live on (T10), for themselves
        tracked.outbox_id = tracked.message_id = None
        session.add(tracked)
    return None


def _new(
    session: Session, row: Outbox, content: Content, recipient: str, people: int
) -> tuple[TrackedMessage, Rewritten]:
    mailbox = session.get(Mailbox, row.mailbox_id)
    tracked = TrackedMessage(
        user_id=row.user_id,
        outbox_id=row.id,
        message_id=row.message_id,
        nonce=tokens.new_nonce(),
        opens_on=row.track_opens,
        clicks_on=row.track_clicks,
        notify=mailbox is not None and _wants_news(row, mailbox),
        recipients=people,
        recipient=recipient,
    )
    session.add(tracked)
    session.flush()
    made = _rewritten(row, content, tracked.nonce)
    for each in made.links:
        session.add(TrackedLink(tracked_id=tracked.id or 0, position=each.position, url=each.url, text=each.text))
    return tracked, made


def _wants_news(row: Outbox, mailbox: Mailbox) -> bool:
    """Whoever switches tracking on for one message by hand waits for it: that message notifies whatever the default."""
    by_hand = (row.track_opens and not mailbox.track_opens) or (row.track_clicks and not mailbox.track_clicks)
    return mailbox.track_notify or by_hand


def _rewritten(row: Outbox, content: Content, nonce: str) -> Rewritten:
    return rewrite(
        content.html,
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


def optout_url(nonce: str) -> str:
    """The address of a message's opt-out page."""
    return f"{config().tracking_url}/t/x/{tokens.make('optout', nonce)}"
