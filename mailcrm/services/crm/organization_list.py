"""The list of organizations: what it is narrowed by, owners and labels of its rows, many deleted at once. By name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, literal, tuple_
from sqlmodel import col

from mailcrm.models import LabelUse, Organization, User
from mailcrm.services import paging
from mailcrm.services.access import Actor
from mailcrm.services.crm import cards, checks, contact_rows, labels
from mailcrm.services.crm.views import LabelMark, OrganizationCard
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import pick, rows


@dataclass(frozen=True, slots=True)
class OrganizationLine:
    """An organization in the list of organizations."""

    card: OrganizationCard
    owner_id: int | None
    owner: str
    labels: tuple[LabelMark, ...]


def page_of_lines(
    actor: Actor,
    query: str = "",
    *,
    owner_id: int | None = None,
    label_id: int | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> paging.Page[OrganizationLine]:
    """Return one page of the list; `owner_id` 0: those without an owner. Five statements."""
    size = paging.page_size(limit)
    order = (col(Organization.name), col(Organization.id))
    words = checks.line(query[:200], "Search").split()[:10]
    where: list[ColumnElement[bool]] = [col(Organization.name).icontains(word, autoescape=True) for word in words]
    if owner_id is not None:
        owner = col(Organization.owner_id)
        where.append(owner == owner_id if owner_id else owner.is_(None))
    if label_id is not None:
        used = pick(LabelUse.organization_id).where(
            col(LabelUse.label_id) == label_id, col(LabelUse.organization_id).is_not(None)
        )
        where.append(col(Organization.id).in_(used))
    if cursor:
        name, last_id = paging.read_text(cursor)
        where.append(tuple_(*order) > tuple_(literal(name), literal(last_id)))
    with reading() as session:
        found = cards.organizations(session, actor, *where, order=order, limit=size + 1)
        ids = [card.id for card in found]
        owned = pick(Organization.id, Organization.owner_id, func.coalesce(User.name, "")).outerjoin(
            User, col(User.id) == col(Organization.owner_id)
        )
        owners = {row[0]: (row[1], row[2]) for row in rows(session, owned.where(col(Organization.id).in_(ids)))}
        marks = labels.of_rows(session, "organization", ids)
    lines = [OrganizationLine(card, *owners[card.id], marks.get(card.id, ())) for card in found]
    return paging.cut(lines, size, lambda row: paging.cursor_text(row.card.name, row.card.id))


def delete_many(actor: Actor, organization_ids: Sequence[int]) -> None:
    """Put organizations in the trash, all of them or none; their persons and deals stay."""
    with transaction() as session:
        contact_rows.trash(session, actor, Organization, organization_ids)


def restore_many(actor: Actor, organization_ids: Sequence[int]) -> None:
    """Bring organizations back from the trash: all of them or none."""
    with transaction() as session:
        contact_rows.restore(session, actor, Organization, organization_ids)
