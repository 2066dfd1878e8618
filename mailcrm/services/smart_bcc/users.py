"""Which user an address belongs to, for Smart Bcc: by sign-in, or by a confirmed alternative address (M21, M22).

Connected mailboxes don't count by themselves: whoever wants their address to count confirms it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, select

from mailcrm.models import AlternativeAddress, User
from mailcrm.services.crm.linking.addresses import same, spellings


@dataclass(frozen=True, slots=True)
class Sender:
    """A user who may be the author: `confirmed` False while the link to their alternative address was not followed."""

    user_id: int
    confirmed: bool


def sender_of(session: Session, address: str) -> Sender | None:
    """Return who writes from an address, None for a stranger and for an account that is switched off."""
    wanted = spellings([same(address)])
    enabled = col(User.disabled_at).is_(None)
    by_login = session.exec(select(User.id).where(col(User.email).in_(wanted), enabled)).first()
    if by_login is not None:
        return Sender(by_login, True)
    found = session.exec(
        select(AlternativeAddress.user_id, AlternativeAddress.confirmed_at)
        .join(User, col(User.id) == col(AlternativeAddress.user_id))
        .where(col(AlternativeAddress.address).in_(wanted), enabled)
        .order_by(col(AlternativeAddress.confirmed_at).is_(None), col(AlternativeAddress.id))
    ).all()
    confirmed = {user_id for user_id, at in found if at is not None}
    if len(confirmed) == 1:
        return Sender(confirmed.pop(), True)
    if confirmed:
        return None  # two people's: nobody can say whose the mail is (alternatives.py lets it not come to this)
    return Sender(found[0][0], False) if found else None
