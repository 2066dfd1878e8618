"""The workspace's own addresses: mail between them has no counterparty (product.md, "Words").

Smart Bcc addresses are the workspace's too, and no user's: nobody corresponds with them.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, case, false, func, literal, true, union
from sqlmodel import Session, col

from mailcrm.config import config
from mailcrm.models import AlternativeAddress, BccAddress, DropMailbox, Mailbox, MailboxAlias, User
from mailcrm.services.rows import pick, rows

#: Whose the Smart Bcc addresses are; users' ids begin at 1.
NOBODY = 0


def workspace_addresses(session: Session) -> dict[int, frozenset[str]]:
    """Return every user's own addresses: sign-in, mailboxes, aliases, confirmed alternatives; in lower case.

    Under `NOBODY` those of Smart Bcc.
    """
    found: dict[int, set[str]] = defaultdict(set)
    for user_id, address in rows(session, _owned(config().bcc.domain)):
        found[user_id].add(address)
    return {user_id: frozenset(addresses) for user_id, addresses in found.items()}


def own_address(address: Any) -> ColumnElement[bool]:
    """The address in this column, in lower case, is one of a user's own."""
    return address.in_(pick(_owned(config().bcc.domain).subquery().c.address))


@functools.lru_cache(4)
def _owned(domain: str) -> CompoundSelect[Any]:
    """Select (user_id, address)."""
    local = col(BccAddress.local_part)
    between = case((col(DropMailbox.catch_all), ""), else_="+")
    dropped = func.replace(col(DropMailbox.address), "@", between + local + "@")
    return union(
        pick(col(User.id).label("user_id"), func.lower(User.email).label("address")),
        pick(col(Mailbox.user_id), func.lower(Mailbox.address)),
        pick(col(Mailbox.user_id), func.lower(MailboxAlias.address)).join(
            MailboxAlias, col(MailboxAlias.mailbox_id) == col(Mailbox.id)
        ),
        pick(col(AlternativeAddress.user_id), func.lower(AlternativeAddress.address)).where(
            col(AlternativeAddress.confirmed_at).is_not(None)
        ),
        pick(literal(NOBODY), local + literal(f"@{domain}")).where(true() if domain else false()),
        pick(literal(NOBODY), func.lower(dropped)).select_from(BccAddress).join(DropMailbox, true()),
    )
