"""The opt-out page's verbs: whoever got a tracked email turns tracking off for their address, without a login (T09).

A token names one tracked copy. One recipient's copy needs no more than a button; of a copy that went to several, the
reader says which address is theirs, and it counts only if the email went there; agreeing is for one's own copy alone,
because whoever got the email could agree for the others. Looking changes nothing, so scanners
that follow links don't. Junk, and an address that the email did not go to, are answered like anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlmodel import Session, col, select

from mailcrm.models import OutboxRecipient, Participant, TrackedMessage
from mailcrm.services.crm import consent as crm
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.outbox import consent
from mailcrm.services.tracking import tokens

MOST_ADDRESS = 320  # characters, RFC 3696 errata

Choice = Literal["refused", "granted"]


@dataclass(frozen=True)
class Standing:
    """What the page shows: whether it has to ask for the address, else whether tracking is off for it."""

    asks: bool
    off: bool = False


def look(token: str) -> Standing:
    """Return what holds for the holder of a token; a token that is not ours looks like one of several recipients."""
    found = tokens.read(token, purpose="optout")
    if found is None:
        return Standing(asks=True)
    with reading() as session:
        tracked = session.exec(select(TrackedMessage).where(TrackedMessage.nonce == found.nonce)).first()
        addresses = _addresses(session, tracked) if tracked is not None else []
        if len(addresses) != 1:
            return Standing(asks=True)
        return Standing(asks=False, off=bool(consent.untracked_recipients(session, addresses)))


def choose(token: str, choice: Choice, address: str = "") -> None:
    """Keep a choice; nothing for a token that is not ours or an address that the email did not go to. Idempotent."""
    found = tokens.read(token, purpose="optout")
    if found is None or len(address) > MOST_ADDRESS:
        return
    with transaction() as session:
        tracked = session.exec(select(TrackedMessage).where(TrackedMessage.nonce == found.nonce)).first()
        if tracked is None:
            return
        addresses = _addresses(session, tracked)
        if len(addresses) != 1:
            if choice != "refused":
                return
            typed = consent.plain(address.strip())
            addresses = [each for each in addresses if consent.plain(each) == typed]
        for each in addresses:
            crm.choose(session, each, choice, tracked.message_id)


def _addresses(session: Session, tracked: TrackedMessage) -> list[str]:
    """Whom a copy went to, each once."""
    if tracked.recipient:
        return [tracked.recipient]
    sent = session.exec(
        select(OutboxRecipient.address).where(
            OutboxRecipient.outbox_id == tracked.outbox_id, col(OutboxRecipient.tracking).in_(("together", ""))
        )
    ).all()
    if not sent:
        sent = session.exec(
            select(Participant.address).where(
                Participant.message_id == tracked.message_id, col(Participant.role).in_(("to", "cc", "bcc"))
            )
        ).all()
    return list({consent.plain(each): each for each in sent}.values())
