"""The addresses that take mail into the CRM: the workspace's, and one for each deal and lead that wants one (M21).

Made when first looked at. A new one takes an old one's place at once; what comes to the old one is set aside. Knowing
an address is not enough to use it: who may is decided when mail comes (intake.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from mailcrm.config import config
from mailcrm.errors import NotFound, UserError
from mailcrm.models import BccAddress, Deal, DropMailbox, Lead, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import insert_absent
from mailcrm.services.smart_bcc import places
from mailcrm.services.smart_bcc.places import Place


@dataclass(frozen=True, slots=True)
class BccAddressView:
    """An address to copy; "" where no way in is set up."""

    address: str
    deal_id: int | None = None
    lead_id: int | None = None


def address_of(
    actor: Actor, *, deal_id: int | None = None, lead_id: int | None = None, make: bool = True
) -> BccAddressView | None:
    """Return the address of a deal or lead that the actor may see, or the workspace's where neither is given.

    Makes it the first time; with `make` False there may be none. Raises NotFound.
    """
    with reading() as session:
        _check(session, actor, deal_id, lead_id)
        place = first_place(session)
        if place is None:
            return BccAddressView("", deal_id, lead_id)
        row = _standing(session, deal_id, lead_id)
        if row is not None:
            return BccAddressView(place.address(row.local_part), deal_id, lead_id)
    if not make:
        return None
    with transaction() as session:
        _check(session, actor, deal_id, lead_id)
        row = _standing(session, deal_id, lead_id) or _make(session, deal_id, lead_id)
        return BccAddressView(place.address(row.local_part), deal_id, lead_id)


def reissue(actor: Actor, *, deal_id: int | None = None, lead_id: int | None = None) -> BccAddressView:
    """Put a new address in an old one's place. The workspace's own is an administrator's to change."""
    if deal_id is None and lead_id is None:
        access.require_admin(actor)
    with transaction() as session:
        _check(session, actor, deal_id, lead_id)
        place = first_place(session)
        if place is None:
            raise UserError("smart_bcc.off")
        old = _standing(session, deal_id, lead_id)
        if old is not None:
            old.revoked_at = utcnow()
            session.add(old)
            session.flush()
        row = _make(session, deal_id, lead_id)
        audit.record(session, actor, "reissue", "smart_bcc", row.id or 0, deal_id=deal_id, lead_id=lead_id)
        live.hint(session, None, "crm")
        return BccAddressView(place.address(row.local_part), deal_id, lead_id)


def undo_reissue(actor: Actor, *, deal_id: int | None = None, lead_id: int | None = None) -> BccAddressView:
    """Undo `reissue`: the address that was replaced last stands again, and the new one does not."""
    if deal_id is None and lead_id is None:
        access.require_admin(actor)
    with transaction() as session:
        _check(session, actor, deal_id, lead_id)
        place = first_place(session)
        deal, lead, stands = _of(deal_id, lead_id)
        replaced = select(BccAddress).where(deal, lead, ~stands).order_by(col(BccAddress.revoked_at).desc())
        old, new = session.exec(replaced).first(), _standing(session, deal_id, lead_id)
        if place is None or old is None:
            raise NotFound
        if new is not None:
            new.revoked_at, moment = utcnow(), old.revoked_at
            if moment is None or new.created_at < moment:  # nothing was made since: there is nothing to undo
                raise NotFound
            session.add(new)
            session.flush()
        old.revoked_at = None
        session.add(old)
        audit.record(session, actor, "undo_reissue", "smart_bcc", old.id or 0, deal_id=deal_id, lead_id=lead_id)
        live.hint(session, None, "crm")
        return BccAddressView(place.address(old.local_part), deal_id, lead_id)


def is_on() -> bool:
    """Whether there is any way in."""
    with reading() as session:
        return first_place(session) is not None


def all_places(session: Session) -> tuple[Place, ...]:
    """Return where Smart Bcc addresses are, the preferred place first."""
    found: list[Place] = []
    domain = config().bcc.domain
    if domain:
        found.append(Place(domain))
    drop = session.get(DropMailbox, 1)
    if drop is not None:
        found.append(places.drop_place(drop.address, catch_all=drop.catch_all))
    return tuple(dict.fromkeys(found))


def first_place(session: Session) -> Place | None:
    """Return the place that addresses are shown at: the listener's, when it listens here or somebody else does for it."""
    found = all_places(session)
    return found[0] if found else None


def _check(session: Session, actor: Actor, deal_id: int | None, lead_id: int | None) -> None:
    if deal_id is not None and lead_id is not None:
        raise UserError("input.invalid", value=str(lead_id), field="Lead")
    if deal_id is not None:
        access.load(session, Deal, deal_id, access.visible_crm(actor, Deal))
    if lead_id is not None:
        access.load(session, Lead, lead_id, access.visible_crm(actor, Lead))


def _of(deal_id: int | None, lead_id: int | None) -> tuple[ColumnElement[bool], ...]:
    deal = col(BccAddress.deal_id).is_(None) if deal_id is None else col(BccAddress.deal_id) == deal_id
    lead = col(BccAddress.lead_id).is_(None) if lead_id is None else col(BccAddress.lead_id) == lead_id
    return deal, lead, col(BccAddress.revoked_at).is_(None)


def _standing(session: Session, deal_id: int | None, lead_id: int | None) -> BccAddress | None:
    # The workspace's own has no unique index: should two tabs have made one each, the first is shown.
    return session.exec(select(BccAddress).where(*_of(deal_id, lead_id)).order_by(col(BccAddress.id))).first()


def _make(session: Session, deal_id: int | None, lead_id: int | None) -> BccAddress:
    values = {
        "local_part": places.new_local_part(),
        "deal_id": deal_id,
        "lead_id": lead_id,
        "created_at": utcnow(),
        "revoked_at": None,
    }
    insert_absent(session, BccAddress, [values])
    row = _standing(session, deal_id, lead_id)
    assert row is not None  # ours, or the one that another tab made meanwhile
    return row
