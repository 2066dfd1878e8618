"""Deals: a sale under way, on a stage of a pipeline, until it is won or lost.

Every stay in a stage is kept (deal_stages). Closing and reopening are verbs of their own; the stage is kept then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import or_
from sqlmodel import Session, col, select

from mailcrm.errors import NotFound
from mailcrm.models import Deal, DealParticipant, DealStage, LabelUse, Organization, Person, Pipeline, Stage, utcnow
from mailcrm.services import access, audit, live, paging
from mailcrm.services.access import Actor
from mailcrm.services.crm import cards, checks, parties, pipelines, stays
from mailcrm.services.crm.linking import pending
from mailcrm.services.crm.views import BoardView, DealCard, DealView, StageColumn, StageStep, StageView
from mailcrm.services.db import reading, transaction
from mailcrm.services.rows import pick, rows

STATUSES = ("open", "won", "lost", "all")
BOARD_MOST = 1000  # open deals of one pipeline; more belong in a list
KEEP = parties.KEEP


def create_deal(
    actor: Actor,
    *,
    title: str,
    value_minor: int = 0,
    currency: str | None = None,
    stage_id: int | None = None,
    person_id: int | None = None,
    organization_id: int | None = None,
    expected_close: date | None = None,
) -> DealView:
    """Open a deal: on the first stage unless told, in the workspace's currency, with the person's organization."""
    with transaction() as session:
        row = add(
            session,
            actor,
            title=title,
            value_minor=value_minor,
            currency=currency,
            stage_id=stage_id,
            person_id=person_id,
            organization_id=organization_id,
            expected_close=expected_close,
        )
        return _view(session, actor, row)


def add(
    session: Session,
    actor: Actor,
    *,
    title: str,
    value_minor: int = 0,
    currency: str | None = None,
    stage_id: int | None = None,
    person_id: int | None = None,
    organization_id: int | None = None,
    expected_close: date | None = None,
) -> Deal:
    """Do the same in the caller's transaction and return the row."""
    if stage_id is None:
        stage_id = pipelines.stages(session, pipelines.ensure_default(session))[0].id
    stage = _stage(session, stage_id)
    person_id, organization_id = parties.chosen(session, actor, person_id, organization_id)
    row = Deal(
        title=checks.line(title, "Title", required=True),
        value_minor=checks.money(value_minor),
        currency=parties.currency(session, currency),
        pipeline_id=stage.pipeline_id,
        stage_id=stage.id or 0,
        person_id=person_id,
        organization_id=organization_id,
        owner_id=actor.user_id,
        expected_close=expected_close,
    )
    session.add(row)
    session.flush()
    session.add(DealStage(deal_id=row.id or 0, stage_id=row.stage_id, entered_at=row.created_at))
    changed(session, actor, "create", row)
    return row


def board(
    actor: Actor,
    pipeline_id: int | None = None,
    query: str = "",
    owner_id: int | None = None,
    label_id: int | None = None,
) -> BoardView:
    """Return the open deals of a pipeline (the first one unless told), a column for each stage."""
    chosen = next(
        (found for found in pipelines.list_pipelines(actor) if pipeline_id is None or found.id == pipeline_id), None
    )
    if chosen is None:
        raise NotFound
    where = [col(Deal.pipeline_id) == chosen.id, col(Deal.status) == "open"]
    where += [matches(actor, word) for word in checks.line(query[:200], "Search").split()[:10]]
    if owner_id is not None:
        where.append(col(Deal.owner_id) == owner_id)
    if label_id is not None:
        where.append(col(Deal.id).in_(pick(LabelUse.deal_id).where(col(LabelUse.label_id) == label_id)))
    with reading() as session:
        found = cards.deals(session, actor, *where, limit=BOARD_MOST)
        default = parties.currency(session, None)
    columns = tuple(
        _column(stage, [card for card in found if card.stage_id == stage.id], default) for stage in chosen.stages
    )
    return BoardView(chosen.id, chosen.name, columns)


def list_deals(actor: Actor, query: str = "", status: str = "open", limit: int = 100) -> tuple[DealCard, ...]:
    """Return the first page of `page_of_deals`."""
    return page_of_deals(actor, query, status, limit=limit).rows


def page_of_deals(
    actor: Actor, query: str = "", status: str = "open", cursor: str | None = None, limit: int = 100
) -> paging.Page[DealCard]:
    """Return deals, newest first; `query` looks into titles, persons and organizations."""
    size = paging.page_size(limit)
    checks.choice(status, "Status", STATUSES)
    where = [] if status == "all" else [col(Deal.status) == status]
    where += [matches(actor, word) for word in checks.line(query[:200], "Search").split()[:10]]
    if cursor:
        where.append(paging.older(cursor, col(Deal.created_at), col(Deal.id)))
    with reading() as session:
        found = cards.deals(session, actor, *where, limit=size + 1)
    return paging.cut(found, size, lambda row: paging.cursor_at(row.created_at, row.id))


def get_deal(actor: Actor, deal_id: int) -> DealView:
    """Return a deal's page."""
    with reading() as session:
        return _view(session, actor, load(session, actor, deal_id))


def change_deal(
    actor: Actor,
    deal_id: int,
    *,
    title: str | None = None,
    value_minor: int | None = None,
    currency: str | None = None,
    person_id: int | None = KEEP,
    organization_id: int | None = KEEP,
    owner_id: int | None = KEEP,
    expected_close: date | None = KEEP,
    participants: Sequence[int] | None = None,
) -> DealView:
    """Change what is given; None empties all but title and money. Stage and status have their own verbs.

    `participants` replaces all that the actor may see.
    """
    with transaction() as session:
        row = load(session, actor, deal_id)
        before = _people(session, row)
        if value_minor is not None:
            row.value_minor = checks.money(value_minor)
        if participants is not None:
            _set_participants(session, actor, deal_id, participants)
        parties.change(
            session,
            actor,
            row,
            title=title,
            currency=currency,
            person_id=person_id,
            organization_id=organization_id,
            owner_id=owner_id,
        )
        if expected_close is not KEEP:
            row.expected_close = expected_close
        changed(session, actor, "change", row)
        if (after := _people(session, row)) != before:
            pending.look_again_at(session, before | after)
        return _view(session, actor, row)


def move_to_stage(actor: Actor, deal_id: int, stage_id: int) -> DealView:
    """Move a deal to a stage, of any pipeline; the stay in the old one ends now. Idempotent."""
    with transaction() as session:
        row = load(session, actor, deal_id)
        to_stage(session, actor, row, stage_id)
        return _view(session, actor, row)


def to_stage(session: Session, actor: Actor, row: Deal, stage_id: int) -> None:
    """Do the same in the caller's transaction."""
    stage = _stage(session, stage_id)
    if row.stage_id != stage.id:
        stays.move(session, (row.id or 0,), stage)
        changed(session, actor, "move_to_stage", row, stage_id=stage.id)


def win(actor: Actor, deal_id: int) -> DealView:
    """Close a deal as won."""
    return _close(actor, deal_id, "won", "")


def lose(actor: Actor, deal_id: int, reason: str = "") -> DealView:
    """Close a deal as lost, with the reason in a sentence."""
    return _close(actor, deal_id, "lost", checks.line(reason, "Reason", most=500))


def reopen(actor: Actor, deal_id: int) -> DealView:
    """Open a closed deal again, on the stage where it was."""
    return _close(actor, deal_id, "open", "")


def delete(actor: Actor, deal_id: int) -> None:
    """Put a deal in the trash; linked conversations stay in the mail of their owners."""
    with transaction() as session:
        put_away(session, actor, deal_id)


def put_away(session: Session, actor: Actor, deal_id: int) -> None:
    """Do the same in the caller's transaction."""
    row = load(session, actor, deal_id)
    row.deleted_at = utcnow()
    changed(session, actor, "delete", row)


def restore(actor: Actor, deal_id: int) -> None:
    """Bring a deal back from the trash."""
    with transaction() as session:
        row = access.load(session, Deal, deal_id, access.trashed_crm(actor, Deal))
        row.deleted_at = None
        _to_standing_stage(session, row)
        changed(session, actor, "restore", row)


def steps(session: Session, row: Deal) -> tuple[StageStep, ...]:
    """Return the stages of a deal's pipeline with the days it stayed on each."""
    now = row.closed_at or utcnow()
    days: Counter[int] = Counter()
    for stay in session.exec(select(DealStage).where(DealStage.deal_id == row.id)):
        days[stay.stage_id] += cards.whole_days(stay.entered_at, stay.left_at or now)
    all_stages = pipelines.stages(session, row.pipeline_id)
    place = next((index for index, stage in enumerate(all_stages) if stage.id == row.stage_id), len(all_stages))
    return tuple(
        StageStep(
            stage.id,
            stage.name,
            "current" if index == place else "done" if index < place or row.status == "won" else "ahead",
            days[stage.id],
        )
        for index, stage in enumerate(all_stages)
    )


def _close(actor: Actor, deal_id: int, status: str, reason: str) -> DealView:
    with transaction() as session:
        row = load(session, actor, deal_id)
        if row.status != status or row.lost_reason != reason:
            if row.status != status:
                row.closed_at = None if status == "open" else utcnow()
            row.status, row.lost_reason = status, reason
            changed(session, actor, {"won": "win", "lost": "lose", "open": "reopen"}[status], row)
        return _view(session, actor, row)


def load(session: Session, actor: Actor, deal_id: int) -> Deal:
    """Return a deal's row, authorised."""
    return access.load(session, Deal, deal_id, access.visible_crm(actor, Deal))


def _stage(session: Session, stage_id: int) -> Stage:
    of_standing = pick(Pipeline.id).where(
        col(Pipeline.id) == col(Stage.pipeline_id), col(Pipeline.deleted_at).is_(None)
    )
    return access.load(session, Stage, stage_id, col(Stage.deleted_at).is_(None) & of_standing.exists())


def _to_standing_stage(session: Session, row: Deal) -> None:
    """Put a deal whose stage was deleted meanwhile on the first one of its pipeline, or of the first pipeline."""
    try:
        _stage(session, row.stage_id)
    except NotFound:
        all_pipelines = pipelines.pipelines(session)
        home = next((each for each in all_pipelines if each.id == row.pipeline_id), all_pipelines[0])
        session.flush()
        stays.move(session, (row.id or 0,), session.get_one(Stage, home.stages[0].id))


def add_participant(actor: Actor, deal_id: int, person_id: int) -> DealView:
    """Let another person take part in a deal. Idempotent."""
    with transaction() as session:
        row = load(session, actor, deal_id)
        access.load(session, Person, person_id, access.visible_crm(actor, Person))
        if session.get(DealParticipant, (deal_id, person_id)) is None and row.person_id != person_id:
            session.add(DealParticipant(deal_id=deal_id, person_id=person_id))
            changed(session, actor, "change", row)
            pending.look_again_at(session, (person_id,))
        return _view(session, actor, row)


def remove_participant(actor: Actor, deal_id: int, person_id: int) -> DealView:
    """Take a person out of a deal again; what was linked stays. Idempotent."""
    with transaction() as session:
        row = load(session, actor, deal_id)
        access.load(session, Person, person_id, access.visible_crm(actor, Person))
        if (there := session.get(DealParticipant, (deal_id, person_id))) is not None:
            session.delete(there)
            changed(session, actor, "change", row)
            pending.look_again_at(session, (person_id,))
        return _view(session, actor, row)


def _set_participants(session: Session, actor: Actor, deal_id: int, wanted: Sequence[int]) -> None:
    seen = pick(Person.id).where(access.visible_crm(actor, Person))
    theirs = select(DealParticipant).where(DealParticipant.deal_id == deal_id, col(DealParticipant.person_id).in_(seen))
    for old in session.exec(theirs):
        session.delete(old)
    session.flush()
    for person_id in dict.fromkeys(wanted):
        access.load(session, Person, person_id, access.visible_crm(actor, Person))
        session.add(DealParticipant(deal_id=deal_id, person_id=person_id))


def _people(session: Session, row: Deal) -> set[int | None]:
    """Return whom a deal is with: its person and those who take part."""
    session.flush()
    taking_part = pick(DealParticipant.person_id).where(col(DealParticipant.deal_id) == row.id)
    return {row.person_id, *(found[0] for found in rows(session, taking_part))}


def changed(session: Session, actor: Actor, verb: str, row: Deal, **detail: Any) -> None:
    """Write down that a deal changed, tell open tabs, and let what waits for deals look again."""
    session.add(row)
    session.flush()
    if verb not in ("change", "move_to_stage"):  # it opened or closed: what waits for a deal is looked at again (M28)
        pending.look_again_at(session, _people(session, row))
    audit.record(session, actor, verb, "deal", row.id, **detail)
    live.hint(session, None, "crm", row.id)


def matches(actor: Actor, word: str) -> Any:
    """Hold for deals with this word in their title, person or organization."""
    persons = pick(Person.id).where(
        access.visible_crm(actor, Person), col(Person.name).icontains(word, autoescape=True)
    )
    named = pick(Organization.id).where(
        access.visible_crm(actor, Organization), col(Organization.name).icontains(word, autoescape=True)
    )
    return or_(
        col(Deal.title).icontains(word, autoescape=True),
        col(Deal.person_id).in_(persons),
        col(Deal.organization_id).in_(named),
    )


def _column(stage: StageView, found: list[DealCard], default: str) -> StageColumn:
    """The total is of the currency that most deals have; the workspace's wins a draw."""
    uses = Counter(card.currency for card in found)
    currency = max(uses, key=lambda code: (uses[code], code == default), default=default)
    total = sum(card.value_minor for card in found if card.currency == currency)
    return StageColumn(stage.id, stage.name, len(found), total, currency, tuple(found), mixed=len(uses) > 1)


def _view(session: Session, actor: Actor, row: Deal) -> DealView:
    session.flush()
    deal_id = row.id or 0
    taking_part = pick(DealParticipant.person_id).where(col(DealParticipant.deal_id) == deal_id)
    return DealView(
        card=cards.deals(session, actor, col(Deal.id) == deal_id)[0],
        stages=steps(session, row),
        person=cards.person(session, actor, row.person_id),
        organization=cards.organization(session, actor, row.organization_id),
        participants=tuple(cards.persons(session, actor, col(Person.id).in_(taking_part))),
        created_at=row.created_at,
        lost_reason=row.lost_reason,
    )
