"""Deletes for good what has lain in the trash for `MAILCRM_TRASH_DAYS` (30): a job of the worker's, part of "tidy".

A row takes along what is its alone (addresses, links, labels, its notes); what is also about something else stays there
without it. A deal takes the lead along that became it. What stays in the trash, and who may bring it back, is trash.py's;
mail is never touched. 0 days keeps everything.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import delete, or_, update
from sqlmodel import Session, col

from mailcrm.config import config
from mailcrm.models import (
    Activity,
    CustomField,
    Deal,
    ImportedRow,
    ImportMade,
    Label,
    Lead,
    Note,
    Organization,
    Person,
    Signature,
    Template,
    utcnow,
)
from mailcrm.services import live
from mailcrm.services.db import transaction
from mailcrm.services.rows import chunks, pick, rows, run

BATCH = 200  # rows of one transaction: they take others along
_KINDS: tuple[tuple[str, Any], ...] = (
    ("note", Note),
    ("activity", Activity),
    ("lead", Lead),
    ("deal", Deal),
    ("person", Person),
    ("organization", Organization),
    ("template", Template),
    ("signature", Signature),
    ("label", Label),
    ("custom_field", CustomField),
)
#: What a note or an activity may be about.
_ABOUT = {"person": "person_id", "organization": "organization_id", "deal": "deal_id", "lead": "lead_id"}

log = structlog.get_logger()


def kept_days() -> int:
    """Return for how many days the trash is kept; 0 for ever."""
    return config().trash_days


def purge(should_stop: Callable[[], bool] = lambda: False, *, now: datetime | None = None) -> int:
    """Delete what is in the trash for too long, a batch a transaction; return how many rows. Idempotent."""
    if not kept_days():
        return 0
    before, done = (now or utcnow()) - timedelta(days=kept_days()), 0
    for kind, model in _KINDS:
        while not should_stop():
            with transaction() as session:
                count = _batch(session, kind, model, before)
            done += count
            if count < BATCH:
                break
    if done:
        log.info("the trash was emptied of what is old", rows=done)
    return done


def _batch(session: Session, kind: str, model: Any, before: datetime) -> int:
    """Locked first: who restores a row at this moment wins, or comes too late for all of it."""
    old = pick(model.id).where(col(model.deleted_at).is_not(None), col(model.deleted_at) < before)
    found = rows(session, old.order_by(col(model.id)).limit(BATCH).with_for_update(skip_locked=True))
    ids = [row[0] for row in found]
    if not ids:
        return 0
    if kind == "deal":
        became = [row[0] for row in rows(session, pick(Lead.id).where(col(Lead.deal_id).in_(ids)))]
        for part in chunks(became):
            _delete(session, "lead", Lead, part)
    _delete(session, kind, model, ids)
    live.hint(session, None, "crm")
    return len(ids)


def _delete(session: Session, kind: str, model: Any, ids: list[int]) -> None:
    if kind in _ABOUT:
        _leave(session, _ABOUT[kind], ids)
    for table in (ImportedRow, ImportMade):  # their ids are of rows of several tables, so nothing cascades
        run(session, delete(table).where(col(table.kind) == kind, col(table.row_id).in_(ids)))
    run(session, delete(model).where(col(model.id).in_(ids)).execution_options(synchronize_session=False))


def _leave(session: Session, column: str, ids: list[int]) -> None:
    """Notes and activities that are about something else too are about that alone from here on."""
    for table in (Note, Activity):
        mine: Any = getattr(table, column)
        others = [col(getattr(table, other)).is_not(None) for other in _ABOUT.values() if other != column]
        run(
            session,
            update(table)
            .where(col(mine).in_(ids), or_(*others))
            .values({column: None})
            .execution_options(synchronize_session=False),
        )
