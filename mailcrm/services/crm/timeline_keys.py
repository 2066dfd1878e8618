"""Where an item stands in a timeline: its moment, and its place among what happened at the same moment.

Cursors carry these numbers. Does not know what items say.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, literal, or_

from mailcrm.models import UtcDateTime

#: Places of the kinds at the same moment; part of cursors, so append only. At most PLACES - 1.
MESSAGE, OPENED, CLICKED, STAGE, CREATED, CLOSED, NOTE, ACTIVITY, CHANGE = range(9)
PLACES = 16
Key = tuple[datetime, int]
Statement = TypeVar("Statement", bound=Any)


def below(statement: Statement, moment: Any, row_id: Any, place: int, after: Key | None) -> Statement:
    """Narrow a statement to the rows of a kind behind `after`, in a list of the newest first."""
    if after is None:
        return statement
    at = literal(after[0], UtcDateTime())
    behind: ColumnElement[bool] = or_(moment < at, row_id * PLACES + place < after[1])
    return statement.where(and_(moment <= at, behind))  # the first half is what an index can use
