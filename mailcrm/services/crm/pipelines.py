"""Pipelines and their stages. A fresh workspace gets one."""

from __future__ import annotations

from sqlmodel import Session, col
from sqlmodel import select as select_rows

from mailcrm.models import Pipeline, Stage
from mailcrm.services.access import Actor
from mailcrm.services.crm.views import PipelineView, StageView
from mailcrm.services.db import reading, transaction

DEFAULT_NAME = "Main pipeline"
#: Name and probability in percent.
DEFAULT_STAGES = (("Qualified", 10), ("Contact made", 25), ("Demo", 50), ("Proposal", 70), ("Negotiation", 90))


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


def ensure_default(session: Session) -> int:
    """Return the id of the first pipeline; make it with its stages when there is none. Idempotent."""
    query = select_rows(Pipeline).where(col(Pipeline.deleted_at).is_(None))
    # The lock keeps two first users of PostgreSQL from making two; SQLite has one writer anyway.
    if session.get_bind().dialect.name == "postgresql":
        session.connection().exec_driver_sql("LOCK TABLE pipelines IN SHARE ROW EXCLUSIVE MODE")
    present = session.exec(query.order_by(col(Pipeline.position), col(Pipeline.id))).first()
    if present is not None:
        return present.id or 0
    made = Pipeline(name=DEFAULT_NAME)
    session.add(made)
    session.flush()
    for position, (name, probability) in enumerate(DEFAULT_STAGES):
        session.add(Stage(pipeline_id=made.id or 0, name=name, position=position, probability=probability))
    session.flush()
    return made.id or 0


def pipelines(session: Session) -> tuple[PipelineView, ...]:
    """Return the standing pipelines in order."""
    query = select_rows(Pipeline).where(col(Pipeline.deleted_at).is_(None))
    found = session.exec(query.order_by(col(Pipeline.position), col(Pipeline.id))).all()
    return tuple(PipelineView(row.id or 0, row.name, stages(session, row.id or 0)) for row in found)


def stages(session: Session, pipeline_id: int) -> tuple[StageView, ...]:
    """Return a pipeline's standing stages in order."""
    query = select_rows(Stage).where(Stage.pipeline_id == pipeline_id, col(Stage.deleted_at).is_(None))
    found = session.exec(query.order_by(col(Stage.position), col(Stage.id)))
    return tuple(StageView(row.id or 0, row.name, row.probability) for row in found)
