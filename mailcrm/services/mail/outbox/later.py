"""Holds what waits for a local time to that time: "Monday at nine" is worked out again until it comes (B10).

A zone's rules may change while a message waits (schedule.py reads them anew). Looked at in the sweep's tidying, and once
more when it comes due. A message that a server has seen keeps its moment. Sends nothing.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import col, select

from mailcrm.errors import UserError
from mailcrm.models import Outbox, utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.outbox import schedule


def read_again(only: int | None = None) -> int:
    """Move what waits for a local time to where its zone's rules put it now; return how many moved."""
    wanted = [col(Outbox.state) == "queued", col(Outbox.tries) == 0, col(Outbox.send_zone) != ""]
    if only is not None:
        wanted.append(col(Outbox.id) == only)
    with reading() as session:
        waiting = session.exec(select(Outbox.id, Outbox.send_at, Outbox.send_local, Outbox.send_zone).where(*wanted))
        moves = [(row[0], at) for row in waiting if (at := _moved(row[1], row[2], row[3])) is not None]
    if not moves:
        return 0
    with transaction() as session:
        for outbox_id, at in moves:
            row = session.exec(select(Outbox).where(col(Outbox.id) == outbox_id, *wanted).with_for_update()).first()
            if row is not None:
                row.send_at = row.next_try_at = at
                row.dated_at = at.replace(microsecond=0)
                session.add(row)
    return len(moves)


def _moved(standing: datetime | None, local: str, zone: str) -> datetime | None:
    """Return the moment it leaves at now, None where that stands already."""
    try:
        at = schedule.moment_of(local, zone)
    except UserError:  # the zone is gone from the system: what was worked out before stands
        return None
    now = utcnow()
    if standing is not None and (at == standing or max(at, standing) <= now):
        return None
    return at
