"""The workspace's own addresses: mail between them has no counterparty (product.md, "Words")."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import func, union
from sqlmodel import Session, col

from mailcrm.models import AlternativeAddress, Mailbox, MailboxAlias, User
from mailcrm.services.rows import pick, rows


def workspace_addresses(session: Session) -> dict[int, frozenset[str]]:
    """Return every user's own addresses: sign-in, mailboxes, aliases, confirmed alternatives; in lower case."""
    statement = union(
        pick(col(User.id), func.lower(User.email)),
        pick(col(Mailbox.user_id), func.lower(Mailbox.address)),
        pick(col(Mailbox.user_id), func.lower(MailboxAlias.address)).join(
            MailboxAlias, col(MailboxAlias.mailbox_id) == col(Mailbox.id)
        ),
        pick(col(AlternativeAddress.user_id), func.lower(AlternativeAddress.address)).where(
            col(AlternativeAddress.confirmed_at).is_not(None)
        ),
    )
    found: dict[int, set[str]] = defaultdict(set)
    for user_id, address in rows(session, statement):
        found[user_id].add(address)
    return {user_id: frozenset(addresses) for user_id, addresses in found.items()}
