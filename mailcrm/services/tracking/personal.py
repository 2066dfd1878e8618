"""A person's tracking data: exported as it is, and erased (T09, security.md 31).

It is what was recorded of emails to their addresses: of their own copies alone where copies were sent (B04), else of
the one copy that several got, which the export says. Exported is what the actor may see; what only colleagues may read
stays out (M25) and its owners export it. Erased is all of it, whoever sent the email: links go on working (T10), and a
recipient's choice on the opt-out page stands, because without it they would be tracked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, delete, func, select, update

from mailcrm.models import (
    AuditEntry,
    Message,
    Notification,
    Outbox,
    OutboxRecipient,
    Participant,
    Person,
    PersonAddress,
    TrackedLink,
    TrackedMessage,
    TrackingEvent,
    WebhookDelivery,
    utcnow,
)
from mailcrm.services import access, audit, live, telling
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.outbox.consent import spellings
from mailcrm.services.rows import chunks, pick, rows
from mailcrm.services.tracking.classify import COUNTED, agent_name

FORMAT = "mailcrm tracking data, version 1"


def export(actor: Actor, person_id: int) -> dict[str, Any]:
    """Return what was recorded of a person, as values for JSON: consent with its history, emails with their events."""
    with reading() as session:
        person = access.load(session, Person, person_id, access.visible_crm(actor, Person))
        addresses = _addresses(session, person_id)
        emails: list[dict[str, Any]] = []
        found: dict[str, Any] = {
            "format": FORMAT,
            "exported_at": _iso(utcnow()),
            "person": {"id": person.id, "name": person.name, "addresses": addresses},
            "consent": {
                "state": person.consent,
                "at": _iso(person.consent_at),
                "source": person.consent_source,
                "history": _history(session, person_id),
            },
            "left_out": "Emails that only colleagues may read. Each of them can export their own.",
            "emails": emails,
        }
        for part in chunks(_tracked(session, addresses)):
            emails += [
                _email(session, tracked, message)
                for tracked, message in session.exec(
                    select(TrackedMessage, Message)
                    .join(Message, col(Message.id) == col(TrackedMessage.message_id))
                    .where(col(TrackedMessage.id).in_(part), access.visible_message(actor))
                    .order_by(col(TrackedMessage.id))
                ).all()
            ]
    return found


def erase(actor: Actor, person_id: int) -> int:
    """Delete what was recorded of a person; return how many events of emails that the actor may see are gone.

    Can't be undone. Counters begin at zero again; notifications and webhook logs of it go, too. Idempotent.
    """
    with transaction() as session:
        access.load(session, Person, person_id, access.visible_crm(actor, Person))
        tracked = _tracked(session, _addresses(session, person_id))
        seen = 0
        for part in chunks(tracked):
            mine = col(TrackingEvent.tracked_id).in_(part)
            seen += session.exec(
                select(func.count())
                .select_from(TrackingEvent)
                .join(TrackedMessage, col(TrackedMessage.id) == col(TrackingEvent.tracked_id))
                .join(Message, col(Message.id) == col(TrackedMessage.message_id))
                .where(mine, access.visible_message(actor))
            ).one()
            # The rows themselves are locked first, as recording does: what is recorded meanwhile comes before or after.
            session.exec(select(TrackedMessage.id).where(col(TrackedMessage.id).in_(part)).with_for_update()).all()
            session.exec(delete(TrackingEvent).where(mine))
            session.exec(  # type: ignore[call-overload]
                update(TrackedMessage)
                .where(col(TrackedMessage.id).in_(part))
                .values(
                    opens=0,
                    clicks=0,
                    purged_opens=0,
                    purged_clicks=0,
                    first_opened_at=None,
                    last_opened_at=None,
                    last_clicked_at=None,
                    replied_at=None,
                )
            )
            _forget_news(session, part)
        audit.record(session, actor, "erase_tracking", "person", person_id)
        live.hint(session, None, "tracking")
        live.hint(session, None, "crm", person_id)
        return seen


def _forget_news(session: Session, tracked: Sequence[int]) -> None:
    keys = [f"{action}:{each}" for each in tracked for action in ("open", "click")]
    for part in chunks(keys):
        session.exec(delete(Notification).where(col(Notification.group_key).in_(part)))
    about = list(session.exec(select(TrackedMessage.message_id).where(col(TrackedMessage.id).in_(tracked))))
    messages = [each for each in about if each is not None]
    news = col(Notification.kind).in_(("open", "click"))
    session.exec(delete(Notification).where(news, col(Notification.message_id).in_(messages)))
    telling.forget_opens(session, messages)
    told = WebhookDelivery.payload["data"]["message_id"].as_integer()  # type: ignore[index]
    session.exec(delete(WebhookDelivery).where(told.in_(messages)))


def _addresses(session: Session, person_id: int) -> list[str]:
    query = select(PersonAddress.address).where(PersonAddress.person_id == person_id)
    return sorted(session.exec(query).all())


def _tracked(session: Session, addresses: Sequence[str]) -> list[int]:
    """Ids of what was sent to these addresses: their own copies, and the copies of several with them."""
    forms = sorted({form for address in addresses for form in spellings(address)})
    found: set[int] = set()
    for part in chunks(forms):
        sent_to = pick(OutboxRecipient.outbox_id).where(func.lower(col(OutboxRecipient.address)).in_(part))
        named = pick(Participant.message_id).where(
            col(Participant.address).in_(part), col(Participant.role).in_(("to", "cc", "bcc"))
        )
        together = col(TrackedMessage.recipient) == ""
        for condition in (
            (col(TrackedMessage.recipient).in_(part),),
            (together, col(TrackedMessage.outbox_id).in_(sent_to)),
            (together, col(TrackedMessage.message_id).in_(named)),
        ):
            found |= {row[0] for row in rows(session, pick(TrackedMessage.id).where(*condition))}
    return sorted(found)


def _email(session: Session, tracked: TrackedMessage, message: Message) -> dict[str, Any]:
    events = session.exec(
        select(TrackingEvent, TrackedLink.url)
        .outerjoin(TrackedLink, col(TrackedLink.id) == col(TrackingEvent.link_id))
        .where(TrackingEvent.tracked_id == tracked.id)
        .order_by(col(TrackingEvent.at), col(TrackingEvent.id))
    ).all()
    decided = session.exec(select(Outbox.dated_at).where(Outbox.id == tracked.outbox_id)).first()
    return {
        "message_id": message.id,
        "rfc_message_id": message.rfc_message_id,
        "subject": message.subject,
        "sent_at": _iso(tracked.sent_at or decided),
        "tracks": {"opens": tracked.opens_on, "clicks": tracked.clicks_on},
        "recipients": tracked.recipients,
        "certainly_this_person": bool(tracked.recipient),
        "figures": {"opens": tracked.opens, "clicks": tracked.clicks},
        "events": [
            {
                "at": _iso(event.at),
                "action": event.action,
                "class": event.kind,
                "counted": event.kind in COUNTED,
                "reasons": list(event.reasons.get("codes", ())),
                "rules_version": event.rules_version,
                "program": agent_name(event.user_agent),
                "user_agent": event.user_agent,
                "network_hash": event.network,
                "link": url or "",
            }
            for event, url in events
        ],
    }


def _history(session: Session, person_id: int) -> list[dict[str, Any]]:
    entries = session.exec(
        select(AuditEntry)
        .where(AuditEntry.object_kind == "person", AuditEntry.object_id == person_id, AuditEntry.verb == "set_consent")
        .order_by(col(AuditEntry.id))
    )
    return [
        {
            "at": _iso(each.at),
            "state": each.detail.get("consent", ""),
            "before": each.detail.get("before", ""),
            "proof": each.detail.get("proof", ""),
            "by": "recipient" if each.actor_id is None else "user",
        }
        for each in entries
    ]


def _iso(at: Any) -> str | None:
    return at.isoformat() if at is not None else None
