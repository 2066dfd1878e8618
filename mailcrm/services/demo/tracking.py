"""Gives some of the demo's sent mail a tracking history, once the first sync has brought that mail.

Only the tracked rows are made here. The fetches go through the recorder like anybody's, so their classes, the counts
and the notifications are what real ones would get. Does not touch mail that is tracked already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, select

from mailcrm.models import Mailbox, Message, Participant, TrackedLink, TrackedMessage, utcnow
from mailcrm.services import demo
from mailcrm.services.db import transaction
from mailcrm.services.tracking import record, replies, tokens

OUTLOOK = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; .NET4.0E; ms-office; MSOffice 16)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE_PREFETCH = "Mozilla/5.0"


@dataclass(frozen=True)
class Seen:
    """A fetch: "+17m" after sending, or "33m" ago; what the program called itself."""

    when: str
    agent: str
    action: str = "open"


@dataclass(frozen=True)
class Past:
    """What happened to one sent message; `link` is its address and text."""

    message_id: str
    seen: tuple[Seen, ...] = ()
    link: tuple[str, str] | None = None
    notify: bool = False


HISTORY = (
    Past("incheon-demo.1@tidewater.example"),
    Past("vltava-intro.1@tidewater.example", (Seen("+190m", OUTLOOK),)),
    Past(
        "coastal-pricing.1@tidewater.example",
        (Seen("+24m", GMAIL), Seen("+1510m", GMAIL), Seen("+26m", FIREFOX, "click")),
        ("https://tidewater.example/pilot", "The pilot, step by step"),
    ),
    Past(
        "busum-proposal.1@tidewater.example",
        (
            Seen("+0m", APPLE_PREFETCH),
            Seen("+17m", OUTLOOK),
            Seen("+1588m", IPHONE),
            Seen("96m", OUTLOOK),
            Seen("94m", FIREFOX, "click"),
        ),
        ("https://tidewater.example/compare/busum", "Compare option A and B"),
        notify=True,
    ),
    Past(
        "coastal-pricing.2@tidewater.example",
        (Seen("41m", GMAIL), Seen("2m", GMAIL)),
        notify=True,
    ),
)
LINK = 1  # positions are counted from 1 (tracking/rewrite.py)
TRACKED = frozenset(past.message_id for past in HISTORY)


def lay() -> bool:
    """Make the history of what has arrived; return whether that was all of it."""
    done = [_lay(past) for past in HISTORY]
    record.flush()
    _settle_replies()
    return all(done)


def _lay(past: Past) -> bool:
    with transaction() as session:
        found = session.exec(
            select(Message)
            .join(Mailbox, col(Mailbox.id) == col(Message.mailbox_id))
            .where(Message.rfc_message_id == past.message_id, Mailbox.address == demo.ADMIN_EMAIL)
        ).first()
        if found is None:
            return False
        if session.exec(select(TrackedMessage.id).where(TrackedMessage.message_id == found.id)).first() is not None:
            return True
        others = select(Participant.address).where(
            Participant.message_id == found.id, col(Participant.role).in_(("to", "cc", "bcc"))
        )
        nonce, sent = tokens.new_nonce(), found.sent_at or found.sort_at
        tracked = TrackedMessage(
            user_id=found.user_id,
            message_id=found.id,
            nonce=nonce,
            opens_on=True,
            clicks_on=True,
            notify=past.notify,
            recipients=len(set(session.exec(others).all())),
            sent_at=sent,
        )
        session.add(tracked)
        session.flush()
        if past.link is not None:
            session.add(TrackedLink(tracked_id=tracked.id or 0, position=LINK, url=past.link[0], text=past.link[1]))
    for seen, at in _moments(past, sent, utcnow()):
        fetch = record.Fetch(user_agent=seen.agent)
        if seen.action == "click":
            record.click(tokens.make("click", nonce, LINK), fetch, at)
        else:
            record.open_pixel(tokens.make("open", nonce), fetch, at)
    return True


def _settle_replies() -> None:
    """Note the answers that arrived before their message was tracked: the rules have looked at them already."""
    with transaction() as session:
        threads = (
            select(Message.thread_id)
            .join(TrackedMessage, col(TrackedMessage.message_id) == col(Message.id))
            .where(col(Message.rfc_message_id).in_(TRACKED), col(TrackedMessage.replied_at).is_(None))
        )
        arrived = select(Message.id).where(col(Message.thread_id).in_(threads), Message.direction == "in")
        replies.settle(session, [each or 0 for each in session.exec(arrived)])


def _moments(past: Past, sent: datetime, now: datetime) -> Iterator[tuple[Seen, datetime]]:
    for seen in past.seen:
        length = timedelta(minutes=int(seen.when.strip("+m")))
        at = sent + length if seen.when.startswith("+") else now - length
        if sent <= at <= now:
            yield seen, at
