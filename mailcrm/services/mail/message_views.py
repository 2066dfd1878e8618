"""Builds `MessageView`s of messages that were authorised before: a constant number of statements for any number.

Does not authorise (access.py does) and does not read bodies, except for invitations (extras.py).
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Select
from sqlmodel import Session, col

from mailcrm.models import (
    Attachment,
    BccArrival,
    Message,
    Outbox,
    OutboxRecipient,
    Participant,
    Person,
    PersonAddress,
    TrackedMessage,
    User,
)
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.given import Kept, among, dialect_of
from mailcrm.services.mail import extras
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.mail.views import (
    AddressView,
    AttachmentView,
    MessageView,
    TrackingView,
)
from mailcrm.services.rows import pick, rows

_KEPT = Kept()


def build(session: Session, actor: Actor, messages: Sequence[Message]) -> list[MessageView]:
    """Return the views in the order of `messages`."""
    ids = [message.id or 0 for message in messages]
    people = _participants(session, actor, ids)
    files = _attachments(session, ids)
    tracked = tracking_of(session, ids)
    events = extras.events_of(messages, files)
    bounced = _bounced(session, [message.id or 0 for message in messages if message.direction == "out"])
    remarks = _remarks(session, ids)
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
            # who was written to in secret is its owner's secret, also where the email is shared
            bcc=tuple(people[message.id or 0, "bcc"]) if message.user_id == actor.user_id else (),
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
            bounced=bounced.get(message.id or 0, ()),
            remarks=remarks.get(message.id or 0, ()),
        )
        for message in messages
    ]


def tracking_of(session: Session, message_ids: Iterable[int]) -> dict[int, TrackingView]:
    """Return what was counted for each of these messages that is tracked."""
    found: dict[int, TrackingView] = {}
    for message_id, *figures in rows(session, _tracking_statement(dialect_of(session)), {"ids": list(message_ids)}):
        view = TrackingView(*figures)
        found[message_id] = found[message_id].together(view) if message_id in found else view
    return found


@functools.cache
def _tracking_statement(dialect: str) -> Select[Any]:
    return pick(
        TrackedMessage.message_id,
        TrackedMessage.opens_on,
        TrackedMessage.clicks_on,
        TrackedMessage.opens,
        TrackedMessage.clicks,
        TrackedMessage.first_opened_at,
        TrackedMessage.last_opened_at,
        TrackedMessage.last_clicked_at,
    ).where(among(col(TrackedMessage.message_id), "ids", dialect))


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


def _participants(session: Session, actor: Actor, ids: list[int]) -> dict[tuple[int, str], list[AddressView]]:
    found = rows(session, _participants_statement(dialect_of(session)), {"ids": ids})
    known = persons_of(session, actor, {row.address for row in found})
    mine = workspace_addresses(session).get(actor.user_id, frozenset())
    people: dict[tuple[int, str], list[AddressView]] = defaultdict(list)
    for message_id, role, name, address in found:
        people[message_id, role].append(AddressView(name, address, known.get(address), address in mine))
    return people


@functools.cache
def _participants_statement(dialect: str) -> Select[Any]:
    return (
        pick(Participant.message_id, Participant.role, Participant.name, Participant.address)
        .where(among(col(Participant.message_id), "ids", dialect))
        .order_by(col(Participant.message_id), col(Participant.role), col(Participant.position))
    )


def persons_of(session: Session, actor: Actor, addresses: Iterable[str]) -> dict[str, int]:
    """Return the person of each known address whom the actor may see; the oldest one where several share it."""
    dialect = dialect_of(session)

    def make() -> Select[Any]:
        return (
            pick(PersonAddress.address, PersonAddress.person_id)
            .join(Person, col(Person.id) == col(PersonAddress.person_id))
            .where(among(col(PersonAddress.address), "addresses", dialect, of_text=True))
            .where(access.visible_crm(actor, Person))
            .order_by(col(PersonAddress.person_id).desc())
        )

    statement = _KEPT.get((dialect, access.view_of(actor)), make)
    return {row.address: row.person_id for row in rows(session, statement, {"addresses": list(addresses)})}


def _attachments(session: Session, ids: list[int]) -> dict[int, list[AttachmentView]]:
    files: dict[int, list[AttachmentView]] = defaultdict(list)
    for row in rows(session, _attachments_statement(dialect_of(session)), {"ids": ids}):
        files[row[0]].append(AttachmentView(*row[1:6], on_server=bool(row[6])))
    return files


@functools.cache
def _attachments_statement(dialect: str) -> Select[Any]:
    return (
        pick(
            Attachment.message_id,
            Attachment.n,
            Attachment.filename,
            Attachment.content_type,
            Attachment.size,
            Attachment.inline,
            (col(Attachment.section) != "") & col(Attachment.blob_sha).is_(None),
        )
        .where(among(col(Attachment.message_id), "ids", dialect))
        .order_by(col(Attachment.message_id), col(Attachment.n))
    )


def _bounced(session: Session, ids: list[int]) -> dict[int, tuple[tuple[str, str], ...]]:
    """Who was not reached by messages that were sent from here."""
    if not ids:
        return {}
    found: dict[int, tuple[tuple[str, str], ...]] = {}
    for message_id, address, reason in rows(session, _bounced_statement(dialect_of(session)), {"ids": ids}):
        found[message_id] = (*found.get(message_id, ()), (address, reason))
    return found


@functools.cache
def _bounced_statement(dialect: str) -> Select[Any]:
    return (
        pick(Outbox.message_id, OutboxRecipient.address, OutboxRecipient.reply_text)
        .join(OutboxRecipient, col(OutboxRecipient.outbox_id) == col(Outbox.id))
        .where(among(col(Outbox.message_id), "ids", dialect), col(OutboxRecipient.state) == "bounced")
        .order_by(col(OutboxRecipient.id))
    )


def _remarks(session: Session, ids: list[int]) -> dict[int, tuple[tuple[str, str], ...]]:
    """What stood above messages that were forwarded to Smart Bcc; a second forward with the same words says nothing new."""
    found: dict[int, tuple[tuple[str, str], ...]] = {}
    for message_id, name, words in rows(session, _remarks_statement(dialect_of(session)), {"ids": ids}):
        if (name, words) not in found.get(message_id, ()):
            found[message_id] = (*found.get(message_id, ()), (name, words))
    return found


@functools.cache
def _remarks_statement(dialect: str) -> Select[Any]:
    return (
        pick(BccArrival.message_id, User.name, BccArrival.words)
        .join(User, col(User.id) == col(BccArrival.user_id))
        .where(among(col(BccArrival.message_id), "ids", dialect), col(BccArrival.words) != "")
        .order_by(col(BccArrival.id))
    )


def _owners(session: Session, user_ids: Iterable[int]) -> dict[int, str]:
    statement = pick(User.id, User.name).where(col(User.id).in_(list(user_ids)))
    return {row[0]: row[1] for row in rows(session, statement)}
