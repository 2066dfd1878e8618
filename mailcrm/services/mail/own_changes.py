"""What follows when an address becomes, or stops being, one of the workspace's own (product.md, "Words").

Every verb that makes, confirms, changes or removes a mailbox, an alias, an alternative address or a user's sign-in calls
`settle` in the same transaction; tests/unit/services/mail/test_own_changes.py finds one that does not. Who is blocked is decided anew
both ways (M20). What stops being own is a counterparty again, so the linking rules look at its mail once more (M02);
a new one takes no link away: the rules only ever add. Which addresses are own: own_addresses.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import event, update
from sqlmodel import Session, col

from mailcrm.models import Message, Participant
from mailcrm.services.jobs import queue
from mailcrm.services.mail import blocking
from mailcrm.services.mail.block_patterns import ascii_form, unicode_form
from mailcrm.services.rows import chunks, pick, run


def settle(session: Session, *, gained: Iterable[str] = (), lost: Iterable[str] = ()) -> None:
    """Let blocking and linking follow a change that the caller has flushed; wakes the worker after the commit."""
    gained, lost = _spellings(gained), _spellings(lost)
    blocking.settle_addresses(session, gained | lost)
    marked = 0
    for part in chunks(sorted(lost)):
        having = pick(Participant.message_id).where(col(Participant.address).in_(part))
        waiting = update(Message).where(col(Message.id).in_(having), col(Message.link_pending).is_(False))
        marked += run(session, waiting.values(link_pending=True)).rowcount
    if marked:
        event.listen(session, "after_commit", _wake, once=True)


def _spellings(addresses: Iterable[str]) -> set[str]:
    """In lower case, with the domain as it is, as A-labels and as Unicode: mail is stored with its sender's."""
    found: set[str] = set()
    for address in addresses:
        local, at, domain = address.strip().lower().rpartition("@")
        if local and domain:
            plain = ascii_form(domain)
            found |= {f"{local}{at}{each}" for each in (domain, plain, unicode_form(plain)) if each}
    return found


def _wake(_session: Any) -> None:
    queue.enqueue("link_pending")
