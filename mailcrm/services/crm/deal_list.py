"""The table of deals: filters, orders, totals, and changes of many at once. The filters serve the board too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Date, exists, func, literal, tuple_
from sqlmodel import Session, col

from mailcrm.errors import UserError
from mailcrm.models import Deal, DealParticipant, LabelUse, Organization, Person
from mailcrm.services import access, paging
from mailcrm.services.access import Actor
from mailcrm.services.crm import cards, checks, deal_facts, deals, parties
from mailcrm.services.crm.views import DealCard
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import pick, rows

MOST_AT_ONCE = 500  # rows of one change of many
_NEVER = date(9999, 12, 31)  # a deal without an expected close stands behind those with one


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deals; what is None or "" asks for nothing. `value_*` are minor units of whatever currency."""

    query: str = ""
    status: str = "open"
    pipeline_id: int | None = None
    stage_id: int | None = None
    owner_id: int | None = None
    label_id: int | None = None
    person_id: int | None = None
    organization_id: int | None = None
    value_from: int | None = None
    value_to: int | None = None
    close_from: date | None = None
    close_to: date | None = None
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Total:
    """How many deals there are in a currency, and their sum."""

    currency: str
    count: int
    minor: int


@dataclass(frozen=True, slots=True)
class Before:
    """The stage and owner that deals had before many were changed: for `put_back`."""

    stages: Mapping[int, int]
    owners: Mapping[int, int | None]


@dataclass(frozen=True, slots=True)
class _Order:
    column: Any
    falling: bool
    text_of: Callable[[DealCard], str]
    value_of: Callable[[str], Any]


_CLOSE = func.coalesce(Deal.expected_close, literal(_NEVER, Date()))
_ORDERS = {
    "title": _Order(col(Deal.title), False, lambda card: card.title, str),
    "value": _Order(col(Deal.value_minor), True, lambda card: str(card.value_minor), int),
    "close": _Order(_CLOSE, False, lambda card: (card.expected_close or _NEVER).isoformat(), date.fromisoformat),
}
ORDERS = ("newest", *_ORDERS)


def page_of_deals(
    actor: Actor, wanted: Filter = Filter(), order: str = "newest", cursor: str | None = None, limit: int = 100
) -> paging.Page[DealCard]:
    """Return deals: newest first, by title, by value (largest first) or by expected close (soonest first)."""
    size = paging.page_size(limit)
    checks.choice(order, "Order", ORDERS)
    by = _ORDERS.get(order)
    with reading() as session:
        where = conditions(session, actor, wanted)
        if by is None:
            if cursor:
                where.append(paging.older(cursor, col(Deal.created_at), col(Deal.id)))
            found = cards.deals(session, actor, *where, limit=size + 1)
            return paging.cut(found, size, lambda card: paging.cursor_at(card.created_at, card.id))
        if cursor:
            where.append(_behind(by, cursor))
        sort = (by.column.desc(), col(Deal.id).desc()) if by.falling else (by.column, col(Deal.id))
        found = cards.deals(session, actor, *where, order=sort, limit=size + 1)
    return paging.cut(found, size, lambda card: paging.cursor_text(by.text_of(card), card.id))


def totals(actor: Actor, wanted: Filter = Filter()) -> tuple[Total, ...]:
    """Return count and sum of the deals that the filter finds, by currency, the most frequent first."""
    with reading() as session:
        where = (access.visible_crm(actor, Deal), *conditions(session, actor, wanted))
        count = func.count()
        statement = pick(Deal.currency, count, func.sum(Deal.value_minor)).where(*where).group_by(col(Deal.currency))
        found = rows(session, statement.order_by(count.desc(), col(Deal.currency)))
        return tuple(Total(row[0], row[1], int(row[2])) for row in found)


def change_many(
    actor: Actor, deal_ids: Sequence[int], *, stage_id: int | None = None, owner_id: int | None = None
) -> Before:
    """Move deals to a stage, or give them an owner; all of them or, for one that can't be seen, none."""
    wanted = list(dict.fromkeys(deal_ids))
    if len(wanted) > MOST_AT_ONCE:
        raise UserError("input.too_long", field="Deals", most=MOST_AT_ONCE)
    with transaction() as session:
        found = [deals.load(session, actor, deal_id) for deal_id in wanted]
        before = Before(
            {row.id or 0: row.stage_id for row in found} if stage_id is not None else {},
            {row.id or 0: row.owner_id for row in found} if owner_id is not None else {},
        )
        if stage_id is not None:
            for row in found:
                deals.to_stage(session, actor, row, stage_id)
        if owner_id is not None:
            for row in found:
                parties.give(session, actor, row, owner_id)
                deals.changed(session, actor, "change", row)
        return before


def put_back(actor: Actor, before: Before) -> None:
    """Undo a change of many."""
    with transaction() as session:
        for deal_id, stage_id in before.stages.items():
            deals.to_stage(session, actor, deals.load(session, actor, deal_id), stage_id)
        for deal_id, owner_id in before.owners.items():
            row = deals.load(session, actor, deal_id)
            parties.give(session, actor, row, owner_id)
            deals.changed(session, actor, "change", row)


def conditions(session: Session, actor: Actor, wanted: Filter) -> list[ColumnElement[bool]]:
    """Return a filter as conditions on deals; who may see them is asked by the caller."""
    checks.choice(wanted.status, "Status", deals.STATUSES)
    where: list[ColumnElement[bool]] = [] if wanted.status == "all" else [col(Deal.status) == wanted.status]
    where += [deals.matches(actor, word) for word in checks.line(wanted.query[:200], "Search").split()[:10]]
    for column, value in (
        (col(Deal.pipeline_id), wanted.pipeline_id),
        (col(Deal.stage_id), wanted.stage_id),
        (col(Deal.owner_id), wanted.owner_id),
    ):
        if value is not None:
            where.append(column == value)
    # A row out of reach is as one that isn't there: filters must not say which deals have to do with it.
    if wanted.organization_id is not None:
        where.append(col(Deal.organization_id) == wanted.organization_id)
        where.append(
            exists().where(col(Organization.id) == wanted.organization_id, access.visible_crm(actor, Organization))
        )
    if wanted.person_id is not None:
        where.append(exists().where(col(Person.id) == wanted.person_id, access.visible_crm(actor, Person)))
        taking_part = pick(DealParticipant.deal_id).where(col(DealParticipant.person_id) == wanted.person_id)
        where.append((col(Deal.person_id) == wanted.person_id) | col(Deal.id).in_(taking_part))
    if wanted.label_id is not None:
        where.append(col(Deal.id).in_(pick(LabelUse.deal_id).where(col(LabelUse.label_id) == wanted.label_id)))
    if wanted.value_from is not None:
        where.append(col(Deal.value_minor) >= checks.money(wanted.value_from))
    if wanted.value_to is not None:
        where.append(col(Deal.value_minor) <= checks.money(wanted.value_to))
    if wanted.close_from is not None:
        where.append(col(Deal.expected_close) >= wanted.close_from)
    if wanted.close_to is not None:
        where.append(col(Deal.expected_close) <= wanted.close_to)
    if wanted.quiet:
        where.append(col(Deal.id).in_(deal_facts.quiet_ids(session, actor)))
    return where


def _behind(by: _Order, cursor: str) -> ColumnElement[bool]:
    text, row_id = paging.read_text(cursor)
    try:
        value = by.value_of(text)
        if isinstance(value, int):
            checks.money(value)
    except ValueError:
        raise UserError("input.invalid", value=cursor[:40], field="cursor") from None
    last = tuple_(literal(value, by.column.type), literal(row_id))
    place = tuple_(by.column, col(Deal.id))
    return place < last if by.falling else place > last
