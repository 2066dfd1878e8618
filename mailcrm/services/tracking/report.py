"""What tracking knows of one message, for the hover card (T05, T06): events with their class, and what can't be known.

Reads only. Whoever may read the message may see its marks. A network is never shown, nor is a place.
(Rates over many messages: report_rates.py.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session, col, select

from mailcrm.models import Message, Outbox, OutboxRecipient, Participant, TrackedLink, TrackedMessage, TrackingEvent
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.rows import pick, rows
from mailcrm.services.tracking import raw
from mailcrm.services.tracking.classify import COUNTED, agent_name

LISTED = 100  # events of each kind; the counts say how many there are
READ_MOST = 5_000  # events of one message; a flood beyond is counted in the row, and not listed


@dataclass(frozen=True)
class EventView:
    """One open or click. `kind`: person, proxy, scanner, own, unknown; `counted` says whether it is in the figures.

    `recipient` is whose copy it was, where copies were sent, else "".
    """

    at: datetime
    kind: str
    agent: str
    counted: bool
    reasons: tuple[str, ...]
    url: str = ""
    action: str = "open"
    text: str = ""
    recipient: str = ""
    rules_version: int = 1


@dataclass(frozen=True)
class RecipientView:
    """What became of one recipient's own copy (B04); `name` is the address where nothing else is known."""

    address: str
    name: str
    opens: int
    clicks: int
    last_opened_at: datetime | None
    last_clicked_at: datetime | None


@dataclass(frozen=True)
class TrackingDetail:
    """The card: figures without and with machines, the events newest first, and codes of what can't be known.

    `opens_person`, `clicks_person`: those of the counted that are likely a person's. `limits`: "not_tracked",
    "plain_text", "opens_off", "clicks_off", "several_recipients", "some_untracked", "images_blocked", "forwarded",
    "prefetch_not_counted", "inferred" (no open was seen, a click implies one), "inferred_reply" (an answer does).
    """

    on_opens: bool
    on_clicks: bool
    opens_counted: int
    clicks_counted: int
    opens_all: int
    clicks_all: int
    sent_at: datetime | None
    first_opened_at: datetime | None
    last_opened_at: datetime | None
    last_clicked_at: datetime | None
    recipients: int
    opens: tuple[EventView, ...]
    clicks: tuple[EventView, ...]
    limits: tuple[str, ...]
    opens_person: int = 0
    clicks_person: int = 0
    replied_at: datetime | None = None
    by_recipient: tuple[RecipientView, ...] = ()


def marks(actor: Actor, message_id: int) -> TrackingDetail:
    """Return the tracking of a message the actor may read; everything off when it is not tracked."""
    with reading() as session:
        message = access.load(session, Message, message_id, access.visible_message(actor))
        copies = session.exec(
            select(TrackedMessage).where(TrackedMessage.message_id == message.id).order_by(col(TrackedMessage.id))
        ).all()
        if not copies:
            return TrackingDetail(False, False, 0, 0, 0, 0, None, None, None, None, 0, (), (), ("not_tracked",))
        blind = raw.blind_recipients(session, actor, message, [each.recipient for each in copies])  # threat 17
        events = [replace(each, recipient="") if each.recipient in blind else each for each in _events(session, copies)]
        names = _names(session, message_id)
        plain, untracked = _outbox(session, copies)
    by_action = {action: [each for each in events if each.action == action] for action in ("open", "click")}
    opens, clicks = by_action["open"], by_action["click"]
    return TrackingDetail(
        on_opens=any(each.opens_on for each in copies),
        on_clicks=any(each.clicks_on for each in copies),
        opens_counted=sum(each.opens for each in copies),
        clicks_counted=sum(each.clicks for each in copies),
        opens_all=len(opens),
        clicks_all=len(clicks),
        sent_at=min(filter(None, (each.sent_at for each in copies)), default=None),
        first_opened_at=min(filter(None, (each.first_opened_at for each in copies)), default=None),
        last_opened_at=max(filter(None, (each.last_opened_at for each in copies)), default=None),
        last_clicked_at=max(filter(None, (each.last_clicked_at for each in copies)), default=None),
        recipients=len(copies) if copies[0].recipient else copies[0].recipients,
        opens=tuple(opens[:LISTED]),
        clicks=tuple(clicks[:LISTED]),
        limits=_limits(copies, opens, plain=plain, untracked=untracked),
        opens_person=sum(each.kind == "person" for each in opens),
        clicks_person=sum(each.kind == "person" for each in clicks),
        replied_at=min(filter(None, (each.replied_at for each in copies)), default=None),
        by_recipient=tuple(
            RecipientView(
                each.recipient,
                names.get(each.recipient) or each.recipient,
                each.opens,
                each.clicks,
                each.last_opened_at,
                each.last_clicked_at,
            )
            for each in copies
            if each.recipient and each.recipient not in blind
        ),
    )


def _events(session: Session, copies: Sequence[TrackedMessage]) -> list[EventView]:
    ids = [each.id for each in copies]
    recipients = {each.id: each.recipient for each in copies}
    links = {
        link.id: (link.url, link.text)
        for link in session.exec(select(TrackedLink).where(col(TrackedLink.tracked_id).in_(ids)))
    }
    found = session.exec(
        select(TrackingEvent)
        .where(col(TrackingEvent.tracked_id).in_(ids))
        .order_by(col(TrackingEvent.at).desc(), col(TrackingEvent.id).desc())
        .limit(READ_MOST)
    ).all()
    views: list[EventView] = []
    for event in found:
        url, text = links.get(event.link_id, ("", ""))
        views.append(
            EventView(
                at=event.at,
                kind=event.kind,
                agent=agent_name(event.user_agent),
                counted=event.kind in COUNTED,
                reasons=tuple(str(each) for each in event.reasons.get("codes", ())),
                url=url,
                action=event.action,
                text=text,
                recipient=recipients.get(event.tracked_id, ""),
                rules_version=event.rules_version,
            )
        )
    return views


def _names(session: Session, message_id: int) -> dict[str, str]:
    statement = pick(Participant.address, Participant.name).where(
        col(Participant.message_id) == message_id, col(Participant.role).in_(("to", "cc", "bcc"))
    )
    return {row[0]: row[1] for row in rows(session, statement) if row[1]}


def _outbox(session: Session, copies: Sequence[TrackedMessage]) -> tuple[bool, int]:
    """Whether it was written as plain text, and how many recipients are not tracked because of their consent (T09)."""
    outbox_id = copies[0].outbox_id
    row = session.get(Outbox, outbox_id) if outbox_id is not None else None
    if row is None:
        return False, 0
    refused = pick(OutboxRecipient.id).where(
        col(OutboxRecipient.outbox_id) == row.id, col(OutboxRecipient.tracking).in_(("refused", "not_granted"))
    )
    return row.plain, len(rows(session, refused))


def _limits(
    copies: Sequence[TrackedMessage], opens: Sequence[EventView], *, plain: bool, untracked: int
) -> tuple[str, ...]:
    seen = any(each.counted for each in opens)
    opens_on = any(each.opens_on for each in copies)
    counted = sum(each.opens for each in copies)
    replied = any(each.replied_at for each in copies)
    found = {
        "plain_text": plain,
        "opens_off": not opens_on,
        "clicks_off": not any(each.clicks_on for each in copies),
        "several_recipients": any(not each.recipient and each.recipients > 1 for each in copies),
        "some_untracked": untracked > 0,
        "images_blocked": opens_on and not seen,
        "inferred": counted > 0 and not seen and not (replied and not any(each.clicks for each in copies)),
        "inferred_reply": not seen and replied and not any(each.clicks for each in copies),
        "prefetch_not_counted": any(each.kind == "proxy" for each in opens),
        "forwarded": True,
    }
    return tuple(code for code, holds in found.items() if holds)
