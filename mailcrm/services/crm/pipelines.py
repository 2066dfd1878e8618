"""Pipelines and their stages. A fresh workspace gets one, in its language; administrators change them.

A stage or pipeline that has deals goes only when it is said where they move. What is deleted can be put back with
its deals (`put_back`), as long as they stand where they were moved to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Deal, Pipeline, Stage, Workspace, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.crm import checks, stays
from mailcrm.services.crm.views import PipelineView, StageView
from mailcrm.services.db import reading, transaction
from mailcrm.services.i18n import N_, gettext
from mailcrm.services.rows import pick, rows, scalar

DEFAULT_NAME = N_("Main pipeline")
#: Name and probability in percent.
DEFAULT_STAGES = (
    (N_("Qualified"), 10),
    (N_("Contact made"), 25),
    (N_("Demo"), 50),
    (N_("Proposal"), 70),
    (N_("Negotiation"), 90),
)
MOST_STAGES = 30  # a board wider than this is a mistake
KEEP: Any = object()  # "leave this field as it is", where None means "empty it"


@dataclass(frozen=True, slots=True)
class Removed:
    """What a deletion took away and where its deals were: for `put_back`."""

    pipeline_id: int | None
    stage_ids: tuple[int, ...]
    moved: Mapping[int, int]  # deal id -> the stage it was on
    moved_to: int | None


def list_pipelines(actor: Actor) -> tuple[PipelineView, ...]:
    """Return the pipelines with their stages; makes the default one when there is none."""
    del actor  # every user works with every pipeline
    with reading() as session:
        found = pipelines(session)
    if found:
        return found
    with transaction() as session:
        ensure_default(session)
        return pipelines(session)


def get_pipeline(actor: Actor, pipeline_id: int) -> PipelineView:
    """Return one pipeline."""
    del actor
    with reading() as session:
        return _view(session, _pipeline(session, pipeline_id))


def deal_counts(actor: Actor) -> dict[int, int]:
    """Return how many deals stand on each stage, those included that one's role does not reach."""
    access.require_admin(actor)
    with reading() as session:
        statement = pick(Deal.stage_id, func.count()).where(col(Deal.deleted_at).is_(None))
        return {row[0]: row[1] for row in rows(session, statement.group_by(col(Deal.stage_id)))}


def create_pipeline(actor: Actor, name: str, stage_names: Sequence[str] = ()) -> PipelineView:
    """Add a pipeline behind the others, with these stages or the usual ones. Administrators only."""
    access.require_admin(actor)
    with transaction() as session:
        last = scalar(session, pick(func.max(Pipeline.position)).where(col(Pipeline.deleted_at).is_(None)))
        made = Pipeline(name=checks.line(name, "Name", required=True), position=0 if last is None else last + 1)
        session.add(made)
        session.flush()
        if len(stage_names) > MOST_STAGES:
            raise UserError("pipeline.too_many", most=MOST_STAGES)
        given = [(each, 0) for each in stage_names]
        _add_stages(session, made.id or 0, given or _default_stages(session))
        _changed(session, actor, "create", "pipeline", made.id)
        return _view(session, made)


def rename_pipeline(actor: Actor, pipeline_id: int, name: str) -> PipelineView:
    """Give a pipeline another name. Administrators only."""
    access.require_admin(actor)
    with transaction() as session:
        row = _pipeline(session, pipeline_id)
        row.name = checks.line(name, "Name", required=True)
        session.add(row)
        _changed(session, actor, "change", "pipeline", pipeline_id)
        return _view(session, row)


def order_pipelines(actor: Actor, pipeline_ids: Sequence[int]) -> tuple[PipelineView, ...]:
    """Put the pipelines in this order, which names each of them once. Administrators only."""
    access.require_admin(actor)
    with transaction() as session:
        _order(session.exec(select(Pipeline).where(col(Pipeline.deleted_at).is_(None))).all(), pipeline_ids)
        _changed(session, actor, "order", "pipeline", None)
        session.flush()
        return pipelines(session)


def add_stage(
    actor: Actor, pipeline_id: int, *, name: str, probability: int = 0, quiet_days: int | None = None
) -> PipelineView:
    """Add a stage at the end of a pipeline. Administrators only."""
    access.require_admin(actor)
    with transaction() as session:
        row = _pipeline(session, pipeline_id)
        present = _standing_stages(session, pipeline_id)
        if len(present) >= MOST_STAGES:
            raise UserError("pipeline.too_many", most=MOST_STAGES)
        made = Stage(
            pipeline_id=pipeline_id,
            name=checks.line(name, "Name", required=True),
            position=present[-1].position + 1 if present else 0,
            probability=_percent(probability),
            quiet_days=_days(quiet_days),
        )
        session.add(made)
        session.flush()
        _changed(session, actor, "create", "stage", made.id)
        return _view(session, row)


def change_stage(
    actor: Actor,
    stage_id: int,
    *,
    name: str | None = None,
    probability: int | None = None,
    quiet_days: int | None = KEEP,
) -> PipelineView:
    """Change what is given; `quiet_days` None: a deal there never counts as quiet. Administrators only."""
    access.require_admin(actor)
    with transaction() as session:
        row, pipeline = _stage(session, stage_id)
        if name is not None:
            row.name = checks.line(name, "Name", required=True)
        if probability is not None:
            row.probability = _percent(probability)
        if quiet_days is not KEEP:
            row.quiet_days = _days(quiet_days)
        session.add(row)
        _changed(session, actor, "change", "stage", stage_id)
        return _view(session, pipeline)


def order_stages(actor: Actor, pipeline_id: int, stage_ids: Sequence[int]) -> PipelineView:
    """Put a pipeline's stages in this order, which names each of them once. Administrators only."""
    access.require_admin(actor)
    with transaction() as session:
        row = _pipeline(session, pipeline_id)
        _order(_standing_stages(session, pipeline_id), stage_ids)
        _changed(session, actor, "order", "pipeline", pipeline_id)
        session.flush()
        return _view(session, row)


def delete_stage(actor: Actor, stage_id: int, move_to: int | None = None) -> Removed:
    """Delete a stage, its deals moved to another one first. Administrators only.

    Raises UserError when deals are on it and `move_to` is None, and for the last stage of a pipeline.
    """
    access.require_admin(actor)
    with transaction() as session:
        row, pipeline = _stage(session, stage_id)
        if len(_standing_stages(session, row.pipeline_id)) == 1:
            raise UserError("pipeline.last_stage", name=pipeline.name)
        moved = _clear(session, (stage_id,), row.name, move_to)
        row.deleted_at = utcnow()
        session.add(row)
        _changed(session, actor, "delete", "stage", stage_id, moved=len(moved))
        return Removed(None, (stage_id,), moved, move_to)


def delete_pipeline(actor: Actor, pipeline_id: int, move_to: int | None = None) -> Removed:
    """Delete a pipeline, its deals moved to a stage of another one first. Administrators only.

    Raises UserError when it has deals and `move_to` is None, and for the last pipeline.
    """
    access.require_admin(actor)
    with transaction() as session:
        row = _pipeline(session, pipeline_id)
        if len(pipelines(session)) == 1:
            raise UserError("pipeline.last", name=row.name)
        stage_ids = tuple(stage.id or 0 for stage in _standing_stages(session, pipeline_id))
        moved = _clear(session, stage_ids, row.name, move_to)
        row.deleted_at = utcnow()
        session.add(row)
        _changed(session, actor, "delete", "pipeline", pipeline_id, moved=len(moved))
        return Removed(pipeline_id, (), moved, move_to)


def put_back(actor: Actor, removed: Removed) -> None:
    """Undo a deletion; deals that were moved on since stay where they are. Administrators only."""
    access.require_admin(actor)
    with transaction() as session:
        if removed.pipeline_id is not None:
            session.get_one(Pipeline, removed.pipeline_id).deleted_at = None
        for stage_id in removed.stage_ids:
            session.get_one(Stage, stage_id).deleted_at = None
        session.flush()
        there = pick(Deal.id).where(col(Deal.stage_id) == removed.moved_to)
        still = {row[0] for row in rows(session, there)} & removed.moved.keys()
        for stage_id in sorted({removed.moved[deal_id] for deal_id in still}):
            back = [deal_id for deal_id in sorted(still) if removed.moved[deal_id] == stage_id]
            stays.move(session, back, session.get_one(Stage, stage_id))
        for kind, row_id in (("pipeline", removed.pipeline_id), *(("stage", each) for each in removed.stage_ids)):
            if row_id is not None:
                _changed(session, actor, "restore", kind, row_id)


def ensure_default(session: Session) -> int:
    """Return the id of the first pipeline; make it with its stages when there is none. Idempotent."""
    query = select(Pipeline).where(col(Pipeline.deleted_at).is_(None))
    # The lock keeps two first users of PostgreSQL from making two; SQLite has one writer anyway.
    if session.get_bind().dialect.name == "postgresql":
        session.connection().exec_driver_sql("LOCK TABLE pipelines IN SHARE ROW EXCLUSIVE MODE")
    present = session.exec(query.order_by(col(Pipeline.position), col(Pipeline.id))).first()
    if present is not None:
        return present.id or 0
    made = Pipeline(name=gettext(_language(session), DEFAULT_NAME))
    session.add(made)
    session.flush()
    _add_stages(session, made.id or 0, _default_stages(session))
    return made.id or 0


def pipelines(session: Session) -> tuple[PipelineView, ...]:
    """Return the standing pipelines in order."""
    query = select(Pipeline).where(col(Pipeline.deleted_at).is_(None))
    found = session.exec(query.order_by(col(Pipeline.position), col(Pipeline.id))).all()
    return tuple(_view(session, row) for row in found)


def stages(session: Session, pipeline_id: int) -> tuple[StageView, ...]:
    """Return a pipeline's standing stages in order."""
    found = _standing_stages(session, pipeline_id)
    return tuple(StageView(row.id or 0, row.name, row.probability, row.quiet_days) for row in found)


def _view(session: Session, row: Pipeline) -> PipelineView:
    return PipelineView(row.id or 0, row.name, stages(session, row.id or 0))


def _pipeline(session: Session, pipeline_id: int) -> Pipeline:
    return access.load(session, Pipeline, pipeline_id, col(Pipeline.deleted_at).is_(None))


def _stage(session: Session, stage_id: int) -> tuple[Stage, Pipeline]:
    row = access.load(session, Stage, stage_id, col(Stage.deleted_at).is_(None))
    return row, _pipeline(session, row.pipeline_id)


def _standing_stages(session: Session, pipeline_id: int) -> Sequence[Stage]:
    query = select(Stage).where(Stage.pipeline_id == pipeline_id, col(Stage.deleted_at).is_(None))
    return session.exec(query.order_by(col(Stage.position), col(Stage.id))).all()


def _clear(session: Session, stage_ids: tuple[int, ...], name: str, move_to: int | None) -> dict[int, int]:
    """Move the deals away from these stages, those in the trash too; return where each was."""
    found = {
        row[0]: (row[1], row[2])
        for row in rows(session, pick(Deal.id, Deal.stage_id, Deal.deleted_at).where(col(Deal.stage_id).in_(stage_ids)))
    }
    standing = sum(deleted_at is None for _, deleted_at in found.values())
    if move_to is None:
        if standing:
            raise UserError("pipeline.not_empty", name=name, count=standing)
        return {}  # what is in the trash moves when it comes back (deals.restore)
    target, _ = _stage(session, move_to)
    if target.id in stage_ids:
        raise NotFound
    stays.move(session, list(found), target)
    return {deal_id: stage_id for deal_id, (stage_id, _) in found.items()}


def _order(present: Sequence[Pipeline] | Sequence[Stage], wanted: Sequence[int]) -> None:
    by_id = {row.id: row for row in present}
    if len(wanted) != len(by_id) or set(wanted) != set(by_id):
        raise UserError("input.invalid", value=", ".join(map(str, wanted))[:40], field="order")
    for position, row_id in enumerate(wanted):
        by_id[row_id].position = position


def _add_stages(session: Session, pipeline_id: int, given: Sequence[tuple[str, int]]) -> None:
    for position, (name, probability) in enumerate(given):
        tidy = checks.line(name, "Name", required=True)
        session.add(Stage(pipeline_id=pipeline_id, name=tidy, position=position, probability=probability))
    session.flush()


def _default_stages(session: Session) -> list[tuple[str, int]]:
    language = _language(session)
    return [(gettext(language, name), probability) for name, probability in DEFAULT_STAGES]


def _language(session: Session) -> str:
    return scalar(session, pick(Workspace.language)) or "en"


def _percent(value: int) -> int:
    if not 0 <= value <= 100:
        raise UserError("input.invalid", value=str(value)[:40], field="Probability")
    return value


def _days(value: int | None) -> int | None:
    if value is not None and not 1 <= value <= 3650:
        raise UserError("input.invalid", value=str(value)[:40], field="Quiet after")
    return value


def _changed(session: Session, actor: Actor, verb: str, kind: str, row_id: int | None, **detail: Any) -> None:
    audit.record(session, actor, verb, kind, row_id, **detail)
    live.hint(session, None, "crm", row_id)
