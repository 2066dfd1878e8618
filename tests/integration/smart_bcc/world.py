"""A workspace with Smart Bcc on, senders with keys that the tests' own name server serves, and arrivals by hand."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlmodel import col, select

from mailcrm.models import AlternativeAddress, BccArrival, Link, Message, Notification, Participant, utcnow
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking import link
from mailcrm.services.db import reading, transaction
from mailcrm.services.smart_bcc import accept, addresses, intake
from tests.builders import NOON
from tests.servers.names import NameServer

DOMAIN = "bcc.test"
GOOD_IP = "198.51.100.7"  # what SPF of the senders' domains permits
EVIL_IP = "203.0.113.66"


@functools.cache
def keys() -> tuple[bytes, str]:
    """A signing key, made once: (PEM, the p= of its record)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    import base64

    return pem, base64.b64encode(public).decode()


def publish(names: NameServer, domain: str, *, spf: bool = True) -> None:
    """Publish a domain's key and SPF record."""
    names.add(f"s1._domainkey.{domain}", "TXT", f"v=DKIM1; k=rsa; p={keys()[1]}")
    if spf:
        names.add(domain, "TXT", f"v=spf1 ip4:{GOOD_IP} -all")


def sign(raw: bytes, domain: str, *, headers: tuple[str, ...] = ("from", "to", "subject", "date", "message-id"),
         length: bool = False, timeless: bool = False) -> bytes:  # fmt: skip
    """Return the message with a DKIM signature of the domain; `timeless`: without t=."""
    signer = _Timeless if timeless else dkim.DKIM
    made = signer(raw, minkey=1024).sign(
        b"s1", domain.encode(), keys()[0], include_headers=[name.encode() for name in headers],
        canonicalize=(b"relaxed", b"relaxed"), length=length,
    )  # fmt: skip
    return made + raw


class _Timeless(dkim.DKIM):
    """Signs as programs do that write no t=."""

    def gen_header(self, fields: list[tuple[bytes, bytes]], *args: Any, **more: Any) -> bytes:
        return super().gen_header([each for each in fields if each[0] != b"t"], *args, **more)


def a_mail(
    sender: str, to: str, subject: str = "Offer", text: str = "Hello", *, message_id: str = "", **headers: str
) -> bytes:
    """A plain message as a program sends it."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = headers.pop("Date", format_datetime(NOON))
    mail["Message-ID"] = f"<{message_id or f'm{abs(hash((sender, to, subject, text)))}@mail.test'}>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@dataclass
class World:
    """Who is there, and the verbs of tests."""

    names: NameServer
    aino: Actor
    admin: Actor
    deal_id: int
    other_deal_id: int
    taken: list[int] = field(default_factory=list[int])

    def address(self, *, deal_id: int | None = None, lead_id: int | None = None, actor: Actor | None = None) -> str:
        """An address, as its user copies it."""
        found = addresses.address_of(actor or self.aino, deal_id=deal_id, lead_id=lead_id)
        assert found is not None
        return found.address

    def alternative(self, actor: Actor, address: str, *, confirmed: bool = True) -> None:
        """Another address of a user."""
        with transaction() as session:
            session.add(
                AlternativeAddress(
                    user_id=actor.user_id, address=address, sent_at=utcnow(), confirmed_at=utcnow() if confirmed else None
                )
            )  # fmt: skip

    def arrive(
        self, raw: bytes, *to: str, mail_from: str = "aino@crm.test", ip: str = EVIL_IP, name: str = "mx.sender.test",
        way: str = "smtp", ours: bool = False, known: bool = True,
    ) -> BccArrival:  # fmt: skip
        """Take a message in and decide; return the last recipient's row."""
        accept.take(raw, accept.Envelope(way, mail_from, to, ip, name, ours, known))
        intake.take_in()
        link.apply_rules()
        return self.last()

    def last(self) -> BccArrival:
        """The newest arrival."""
        with reading() as session:
            found = session.exec(select(BccArrival).order_by(col(BccArrival.id).desc())).first()
            assert found is not None
            session.expunge(found)
            return found

    def messages(self) -> list[Message]:
        """Every stored message, oldest first."""
        with reading() as session:
            found = list(session.exec(select(Message).order_by(col(Message.id))))
            session.expunge_all()
            return found

    def people_on(self, message_id: int) -> dict[str, list[str]]:
        """Who takes part in a message, by role."""
        with reading() as session:
            found: dict[str, list[str]] = {}
            for row in session.exec(select(Participant).where(Participant.message_id == message_id)):
                found.setdefault(row.role, []).append(row.address)
            return found

    def deals_of(self, message_id: int | None) -> set[tuple[int | None, str]]:
        """The deals (with origin) that the conversation of a message is linked to."""
        with reading() as session:
            row = session.get(Message, message_id)
            if row is None:
                return set()
            links = session.exec(
                select(Link).where(
                    Link.thread_id == row.thread_id, col(Link.deal_id).is_not(None), col(Link.unlinked_at).is_(None)
                )
            )
            return {(each.deal_id, each.origin) for each in links}

    def notices(self, actor: Actor | None = None) -> list[str]:
        """The codes of the notices that a user has."""
        with reading() as session:
            found = session.exec(
                select(Notification).where(
                    Notification.user_id == (actor or self.aino).user_id, Notification.kind == "bcc"
                )
            )
            return [str(each.params["code"]) for each in found]
