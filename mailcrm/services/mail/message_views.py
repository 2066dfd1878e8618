"""Builds `MessageView`s of messages that were authorised before: a constant number of statements for any number.

Does not authorise (access.py does) and does not read bodies, except for invitations (extras.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlmodel import Session, col

from mailcrm.models import (
    Attachment,
    Message,
    Participant,
    Person,
    PersonAddress,
    TrackedMessage,
    User,
)
from mailcrm.services.access import Actor
from mailcrm.services.mail import extras
from mailcrm.services.mail.views import (
    AddressView,
    AttachmentView,
    MessageView,
    TrackingView,
)
from mailcrm.services.rows import pick, rows


def build(session: Session, actor: Actor, messages: Sequence[Message]) -> list[MessageView]:
    """Return the views in the order of `messages`."""
    ids = [message.id or 0 for message in messages]
    people = _participants(session, ids)
    files = _attachments(session, ids)
    tracked = tracking_of(session, ids)
    events = extras.events_of(messages, files)
    names = _owners(session, {message.user_id for message in messages})
    return [
        MessageView(
            id=message.id or 0,
            thread_id=message.thread_id,
            mailbox_id=message.mailbox_id,
            rfc_message_id=message.rfc_message_id,
            direction=message.direction,
            subject=message.subject,
            snippet=message.snippet,
            sender=_first(people[message.id or 0, "from"], message),
            to=tuple(people[message.id or 0, "to"]),
            cc=tuple(people[message.id or 0, "cc"]),
            bcc=tuple(people[message.id or 0, "bcc"]),
            sent_at=message.sent_at,
            received_at=message.received_at,
            at=message.sort_at,
            read=message.read,
            visibility=message.visibility,
            own=message.user_id == actor.user_id,
            owner_name=names.get(message.user_id, ""),
            attachments=tuple(files[message.id or 0]),
            has_html=True,  # every message has a page of its own; plain text is shown as HTML there
            tracking=tracked.get(message.id or 0),
            gone=message.gone_at is not None,
            archived=message.archived,
            security=extras.security_of(files[message.id or 0], message.snippet),
            event=events.get(message.id or 0, extras.NOTHING)[0],
            event_n=events.get(message.id or 0, extras.NOTHING)[1],
        )
        for message in messages
    ]


def tracking_of(session: Session, message_ids: Iterable[int]) -> dict[int, TrackingView]:
    """Return what was counted for each of these messages that is tracked."""
    statement = pick(
        TrackedMessage.message_id,
        TrackedMessage.opens_on,
        TrackedMessage.clicks_on,
        TrackedMessage.opens,
        TrackedMessage.clicks,
        TrackedMessage.first_opened_at,
        TrackedMessage.last_opened_at,
        TrackedMessage.last_clicked_at,
    ).where(col(TrackedMessage.message_id).in_(list(message_ids)))
    return {row[0]: TrackingView(*row[1:]) for row in rows(session, statement)}


def collapse(messages: Iterable[Message], actor: Actor) -> list[Message]:
    """Keep one copy of each Message-ID, the viewer's own where there is one, in the given order (M13)."""
    kept: dict[str, Message] = {}
    for message in messages:
        name = message.rfc_message_id or f"id:{message.id}"
        present = kept.get(name)
        if present is None or _rank(message, actor) < _rank(present, actor):
            kept[name] = message  # a dict keeps the place of the first copy
    return list(kept.values())


def _rank(message: Message, actor: Actor) -> tuple[bool, int]:
    return message.user_id != actor.user_id, message.id or 0


def _first(found: list[AddressView], message: Message) -> AddressView:
    return found[0] if found else AddressView(message.from_name, message.from_address)


def _participants(session: Session, ids: list[int]) -> dict[tuple[int, str], list[AddressView]]:
    statement = (
        pick(Participant.message_id, Participant.role, Participant.name, Participant.address)
        .where(col(Participant.message_id).in_(ids))
        .order_by(col(Participant.message_id), col(Participant.role), col(Participant.position))
    )
    found = rows(session, statement)
    known = persons_of(session, {row.address for row in found})
    people: dict[tuple[int, str], list[AddressView]] = defaultdict(list)
    for message_id, role, name, address in found:
        people[message_id, role].append(AddressView(name, address, known.get(address)))
    return people


def persons_of(session: Session, addresses: Iterable[str]) -> dict[str, int]:
    """Return the person of each known address; the oldest one where several share it."""
    statement = (
        pick(PersonAddress.address, PersonAddress.person_id)
        .join(Person, col(Person.id) == col(PersonAddress.person_id))
        .where(col(PersonAddress.address).in_(list(addresses)), col(Person.deleted_at).is_(None))
        .order_by(col(PersonAddress.person_id).desc())
    )
    return {row.address: row.person_id for row in rows(session, statement)}


def _attachments(session: Session, ids: list[int]) -> dict[int, list[AttachmentView]]:
    statement = (
        pick(
            Attachment.message_id,
            Attachment.n,
            Attachment.filename,
            Attachment.content_type,
            Attachment.size,
            Attachment.inline,
            (col(Attachment.section) != "") & col(Attachment.blob_sha).is_(None),
        )
        .where(col(Attachment.message_id).in_(ids))
        .order_by(col(Attachment.message_id), col(Attachment.n))
    )
    files: dict[int, list[AttachmentView]] = defaultdict(list)
    for row in rows(session, statement):
        files[row[0]].append(AttachmentView(*row[1:6], on_server=bool(row[6])))
    return files


def _owners(session: Session, user_ids: Iterable[int]) -> dict[int, str]:
    statement = pick(User.id, User.name).where(col(User.id).in_(list(user_ids)))
    return {row[0]: row[1] for row in rows(session, statement)}
