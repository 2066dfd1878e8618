"""Contacts only (settled question 9): decides from a message's address fields, before its body is fetched.

A message is wanted when one of its counterparties is a person of the CRM, or when the mailbox holds it already (it was
moved, or sent from here). What is not wanted is skipped with the reason `contacts_only`. When a person becomes known,
a `ContactRequest` waits; the pass searches for the address among what was skipped and makes that pending, to be looked
at again: so a search that finds too much stores nothing too much.
A message whose address fields can't be had is neither kept nor skipped by `sift`: it stays pending, with one more try.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlmodel import Session, col, delete, select

from mailcrm.errors import TransientError
from mailcrm.models import ContactRequest, Folder, Mailbox, Message, Person, PersonAddress, SkippedUid
from mailcrm.services.db import reading
from mailcrm.services.mail import scope
from mailcrm.services.mail.ews.client import EwsConnection
from mailcrm.services.mail.imap import fields
from mailcrm.services.mail.imap.client import ImapConnection, RemoteMeta
from mailcrm.services.mail.imap.fields import can_search
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.mail.parse.addresses import parse_addresses
from mailcrm.services.mail.parse.headers import header_fields, message_id
from mailcrm.services.mail.parse.values import UnparsableMessage
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.sync.apply import Outcome, Skipped
from mailcrm.services.mail.sync.cursor import MAX_UID
from mailcrm.services.rows import chunks, pick, rows, run

COUNTING = ("from", "reply-to", "to", "cc", "bcc")  # product.md: Sender is not among the counterparties
FIELDS = ("FROM", "REPLY-TO", "TO", "CC", "BCC", "MESSAGE-ID")
REASON = "contacts_only"
MOST_SEARCHES = 20  # requests at once; more (an import of people) and looking at all headers again costs less

Writing = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Correspondents:
    """Who a message is between, and its Message-ID."""

    addresses: frozenset[str]
    rfc_message_id: str | None


def read_fields(raw: bytes) -> Correspondents | None:
    """Read address fields as they came; None when they are past what a header may be. Pure."""
    try:
        fields, _ = header_fields(raw)
    except UnparsableMessage:
        return None
    found = {
        address.address.lower()
        for name in COUNTING
        for value in fields.get(name, ())
        for address in parse_addresses(value)
        if address.address
    }
    ids = fields.get("message-id", ())
    return Correspondents(frozenset(found), message_id(ids[0]) if ids else None)


def sift(connection: MailConnection, mailbox_id: int, meta: dict[int, RemoteMeta]) -> list[Outcome]:
    """Leave in `meta` only the messages of the opened folder that are wanted; return what is skipped."""
    if not meta:
        return []
    found = {uid: read_fields(raw) for uid, raw in fetch_fields(connection, meta, FIELDS).items()}
    read = {uid: one for uid, one in found.items() if one is not None}
    with reading() as session:
        known = known_addresses(session, {address for one in read.values() for address in one.addresses})
        here = _stored(session, mailbox_id, {one.rfc_message_id for one in read.values() if one.rfc_message_id})
    wanted = {uid for uid, one in read.items() if one.addresses & known or one.rfc_message_id in here}
    for uid in set(meta) - wanted:
        del meta[uid]
    return [Skipped(uid, REASON) for uid in read if uid not in wanted]


def known_addresses(session: Session, addresses: Iterable[str]) -> frozenset[str]:
    """Return which of these are a known person's, and neither the workspace's own nor in the trash."""
    known: set[str] = set()
    for part in chunks(sorted(set(addresses))):
        owned = (
            pick(PersonAddress.address)
            .join(Person, col(Person.id) == col(PersonAddress.person_id))
            .where(col(PersonAddress.address).in_(part), col(Person.deleted_at).is_(None))
        )
        known.update(row[0] for row in rows(session, owned))
    if not known:
        return frozenset()
    return frozenset(known).difference(*workspace_addresses(session).values())


def answer_requests(
    connection: MailConnection, mailbox_id: int, folders: Sequence[tuple[int, str]], writing: Writing
) -> None:
    """Look for the earlier mail of people who became known; what may be theirs is pending then.

    `folders` are (id, name). Costs one query when nobody did. Leaves another folder opened than it found.
    """
    with reading() as session:
        if not session.exec(select(Mailbox.contacts_only).where(Mailbox.id == mailbox_id)).one():
            return
        asked: Mapping[int, str] = dict(
            session.exec(
                select(ContactRequest.id, ContactRequest.address).where(ContactRequest.mailbox_id == mailbox_id)
            ).all()
        )  # type: ignore[arg-type]
    if not asked:
        return
    addresses = sorted(set(asked.values()))
    one_by_one = len(addresses) <= MOST_SEARCHES and all(can_search(address) for address in addresses)
    for folder_id, name in folders:
        _look_in(connection, folder_id, name, addresses if one_by_one else None, writing)
    with writing() as session:
        for part in chunks(list(asked)):
            run(session, delete(ContactRequest).where(col(ContactRequest.id).in_(part)))


def _look_in(
    connection: MailConnection, folder_id: int, name: str, addresses: Sequence[str] | None, writing: Writing
) -> None:
    with reading() as session:
        uidvalidity = session.get_one(Folder, folder_id).uidvalidity
        skipped = select(SkippedUid.uid).where(SkippedUid.folder_id == folder_id, SkippedUid.reason == REASON)
        if session.exec(skipped.limit(1)).first() is None:
            return
    found: set[int] | None = None
    if addresses is not None:
        if connection.examine(name).uidvalidity != uidvalidity:
            return  # every message of it becomes pending with the new UIDVALIDITY
        try:
            found = {uid for address in addresses for uid in search_address(connection, address)}
        except TransientError:
            if not connection.alive:
                raise
            found = None  # a server that does not search: look at all of them
    with writing() as session:
        if found is None:
            folder = session.get_one(Folder, folder_id)
            scope.look_again(session, session.get_one(Mailbox, folder.mailbox_id), REASON, [folder_id])
        else:
            scope.take_back(session, folder_id, found, REASON)


def _stored(session: Session, mailbox_id: int, ids: Iterable[str]) -> frozenset[str]:
    """Return which of these Message-IDs the mailbox holds."""
    found: set[str] = set()
    for part in chunks(sorted(set(ids))):
        statement = pick(Message.rfc_message_id).where(
            col(Message.mailbox_id) == mailbox_id, col(Message.rfc_message_id).in_(part)
        )
        found.update(row[0] for row in rows(session, statement))
    return frozenset(found)


def fetch_fields(connection: MailConnection, uids: Iterable[int], names: Sequence[str]) -> dict[int, bytes]:
    """Fetch these header fields of messages in the opened folder."""
    if isinstance(connection, EwsConnection):
        return connection.fetch_fields(uids)
    assert isinstance(connection, ImapConnection)
    return fields.fetch_fields(connection, uids, names)


def search_address(connection: MailConnection, address: str) -> list[int]:
    """Return the UIDs in the opened folder that may have this address in a field; the result may hold more."""
    if isinstance(connection, EwsConnection):
        return connection.list_uids(1, MAX_UID)  # asks for all fields at the price of a search for each
    assert isinstance(connection, ImapConnection)
    return fields.search_address(connection, address)
