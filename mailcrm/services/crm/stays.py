"""Moves deals between stages: ends the stay in the old one and begins one in the new.

Does not authorise and does not commit; a deal is on one stage at a time (uq_deal_stages_current).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert, update
from sqlmodel import Session, col

from mailcrm.models import Deal, DealStage, Stage, utcnow
from mailcrm.services.rows import chunks, run


def move(session: Session, deal_ids: Sequence[int], stage: Stage) -> None:
    """Put these deals on a stage now; the caller leaves out those that are there already."""
    now = utcnow()
    for part in chunks(deal_ids):
        of_these = col(DealStage.deal_id).in_(part)
        run(session, update(DealStage).where(of_these, col(DealStage.left_at).is_(None)).values(left_at=now))
        begun = [{"deal_id": deal_id, "stage_id": stage.id, "entered_at": now} for deal_id in part]
        run(session, insert(DealStage).values(begun))
        to_stage = update(Deal).where(col(Deal.id).in_(part))
        run(session, to_stage.values(pipeline_id=stage.pipeline_id, stage_id=stage.id))
    session.expire_all()
