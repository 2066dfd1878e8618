"""Readable rows for tests: each builder commits, fills in what the test does not care about, and returns a plain value.

Persons and deals are made by the verbs themselves; mail is written as rows, the way the sync engine leaves it.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr

from sqlmodel import Session, select

from mailcrm import __version__
from mailcrm.models import (
    Attachment,
    Blob,
    Folder,
    Mailbox,
    Message,
    MessageLocation,
    Participant,
    Quarantined,
    Thread,
    TrackedMessage,
    User,
)
from mailcrm.services import access, crypto
from mailcrm.services.access import Actor
from mailcrm.services.crm import deals, people
from mailcrm.services.crm.views import DealView, PersonView
from mailcrm.services.db import transaction
from mailcrm.services.mail import blobs
from mailcrm.services.mail.search import index
from mailcrm.services.mail.search.text import Words
from mailcrm.services.mail.search.text import words as search_words
from mailcrm.services.mail.thread.summary import refresh_threads

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # messages come one minute apart from here
_numbers = itertools.count(1)


def a_user(name: str = "Aino", *, admin: bool = False, email: str = "") -> Actor:
    """A user who can't sign in (the hash is none), as an actor."""
    with transaction() as session:
        row = User(
            name=name,
            email=email or f"{name.lower()}{next(_numbers)}@crm.test",
            password_hash="!",
            role="admin" if admin else "member",
        )
        session.add(row)
        session.flush()
        return access.actor_for(session, row.id or 0)


def a_mailbox(actor: Actor, address: str = "", **columns: object) -> int:
    """A connected mailbox that nobody can reach, with the folders INBOX, Sent and Archive; its id."""
    with transaction() as session:
        row = Mailbox(
            user_id=actor.user_id,
            address=address or f"user{actor.user_id}-{next(_numbers)}@crm.test",
            imap_host="127.0.0.1",
            imap_port=1,
            imap_security="none",
            imap_username="u",
            smtp_host="127.0.0.1",
            smtp_port=1,
            smtp_security="none",
            smtp_username="u",
            secret=b"",
        )
        for name, value in columns.items():
            setattr(row, name, value)
        session.add(row)
        session.flush()
        row.secret = crypto.seal({"imap": "secret", "smtp": "secret"}, context=f"mailbox:{row.id}")
        for role, name in (("inbox", "INBOX"), ("sent", "Sent"), ("archive", "Archive")):
            session.add(Folder(mailbox_id=row.id or 0, name=name, role=role, uidvalidity=1))
        return row.id or 0


def a_message(
    mailbox_id: int,
    *,
    sender: str = "Mika Aaltonen <mika@saimaa.test>",
    to: str = "",
    cc: str = "",
    subject: str = "Calibration certificates",
    text: str = "The certificates are attached.",
    at: datetime | None = None,
    thread_id: int | None = None,
    rfc_message_id: str = "",
    folder: str | None = "",
    read: bool = False,
    visibility: str = "private",
    attachment: str = "",
    tracked: bool = False,
    **columns: object,
) -> Message:
    """A message as the sync engine leaves it: blob, thread, participants, location and refreshed summary.

    It goes out when `sender` is the mailbox's address. Addresses are given as in headers, several with commas.
    `folder` is a role ("" for inbox or sent by direction, None for none at all).
    """
    number = next(_numbers)
    with transaction() as session:
        mailbox = session.get_one(Mailbox, mailbox_id)
        direction = "out" if _pair(sender)[1] == mailbox.address else "in"
        name = rfc_message_id or f"m{number}@builders.test"
        moment = at or NOON + timedelta(minutes=number)
        message = Message(
            mailbox_id=mailbox_id,
            user_id=mailbox.user_id,
            thread_id=thread_id or _thread(session, mailbox.user_id, subject, moment),
            blob_sha=(sha := _blob(session, _raw(sender, to or mailbox.address, cc, subject, text, name, moment))),
            size=session.get_one(Blob, sha).size,
            rfc_message_id=name,
            direction=direction,
            subject=subject,
            snippet=text[:200],
            from_name=_pair(sender)[0],
            from_address=_pair(sender)[1],
            sent_at=moment,
            received_at=moment,
            sort_at=moment,
            read=read,
            has_attachments=bool(attachment),
            visibility=visibility,
        )
        for column, value in columns.items():
            setattr(message, column, value)
        session.add(message)
        session.flush()
        message_id = message.id or 0
        for role, listed in (("from", sender), ("to", to or mailbox.address), ("cc", cc)):
            for position, one in enumerate(part for part in listed.split(",") if part.strip()):
                label, address = _pair(one)
                session.add(
                    Participant(message_id=message_id, role=role, position=position, name=label, address=address)
                )
        if folder is not None:
            _locate(session, message_id, mailbox_id, folder or ("sent" if direction == "out" else "inbox"), number)
        if attachment:
            session.add(Attachment(message_id=message_id, n=1, filename=attachment, size=1000))
        if tracked:
            session.add(
                TrackedMessage(
                    user_id=mailbox.user_id,
                    message_id=message_id,
                    nonce=f"nonce{number}",
                    opens_on=True,
                    clicks_on=True,
                    sent_at=moment,
                )
            )
        session.flush()
        files = f" {attachment}" if attachment else ""
        found = Words(*(search_words(field) for field in (subject, f"{sender} {to} {cc}", text, files)))
        index.add(session, [(message_id, found)])
        refresh_threads(session, [message.thread_id])
        return message


def a_person(actor: Actor, name: str = "Mika Aaltonen", *addresses: str, organization: str = "") -> PersonView:
    """A person with these addresses."""
    return people.create_person(actor, name=name, addresses=addresses, organization=organization)


def a_deal(actor: Actor, title: str = "Saimaa phase 2", *, person: PersonView | None = None) -> DealView:
    """An open deal worth 48,200.00 EUR."""
    return deals.create_deal(
        actor, title=title, value_minor=4_820_000, currency="EUR", person_id=person.card.id if person else None
    )


def _pair(text: str) -> tuple[str, str]:
    name, address = parseaddr(text.strip())
    return name, address.lower()


def _raw(sender: str, to: str, cc: str, subject: str, text: str, name: str, moment: datetime) -> bytes:
    head = [f"From: {sender}", f"To: {to}", *([f"Cc: {cc}"] if cc else []), f"Subject: {subject}"]
    head += [f"Message-ID: <{name}>", f"Date: {moment:%a, %d %b %Y %H:%M:%S +0000}"]
    head += ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8"]
    return ("\r\n".join(head) + f"\r\n\r\n{text}\r\n").encode()


def _blob(session: Session, raw: bytes) -> str:
    sha = blobs.put(raw)
    if session.get(Blob, sha) is None:
        session.add(Blob(sha256=sha, size=len(raw)))
        session.flush()
    return sha


def _thread(session: Session, user_id: int, subject: str, moment: datetime) -> int:
    row = Thread(user_id=user_id, subject=subject, last_at=moment)
    session.add(row)
    session.flush()
    return row.id or 0


def _locate(session: Session, message_id: int, mailbox_id: int, role: str, uid: int) -> None:
    found = session.exec(select(Folder).where(Folder.mailbox_id == mailbox_id, Folder.role == role)).first()
    if found is None:
        found = Folder(mailbox_id=mailbox_id, name=role.title(), role=role, uidvalidity=1)
        session.add(found)
        session.flush()
    session.add(MessageLocation(folder_id=found.id or 0, uid=uid, message_id=message_id))


def a_quarantined(
    mailbox_id: int, raw: bytes | None = b"Subject: Odd\r\nFrom: Zoe <zoe@x.test>\r\n\r\nx", **columns: object
) -> int:
    """A message of the INBOX that could not be read; its bytes are kept unless `raw` is None. Its id."""
    with transaction() as session:
        folder = session.exec(select(Folder).where(Folder.mailbox_id == mailbox_id, Folder.role == "inbox")).one()
        row = Quarantined(
            folder_id=folder.id or 0,
            uid=next(_numbers) + 100_000,
            blob_sha=_blob(session, raw) if raw is not None else None,
            reason="quarantine.deeper",
            reason_params={"most": 50},
            version=__version__,
        )
        for name, value in columns.items():
            setattr(row, name, value)
        session.add(row)
        session.flush()
        return row.id or 0
