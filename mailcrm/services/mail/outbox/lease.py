"""One process at a time for an outgoing message: a lease in its row, taken by compare-and-set, renewed while held.

    queued --take--> sending --mark_handed_over--> (final dot) --> sent | queued | failed
                        |                              |
                  lease runs out                 lease runs out
                        v                              v
                taken again (safe)            unknown: Sent is searched

`mark_handed_over` is the fence: it commits just before the final dot, and only while the lease is held and nobody
marked before, so at most one process ever sends the dot of one SMTP transaction, whenever it is killed (security.md
26). A message that leaves in several transactions has its mark taken off between them, with the outcome of the last.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, or_, update
from sqlmodel import Session, col

from mailcrm.models import Outbox, OutboxRecipient, utcnow
from mailcrm.services.db import transaction
from mailcrm.services.mail.outbox import attempts
from mailcrm.services.rows import chunks, run

LEASE = timedelta(seconds=90)
RENEW_S = 25.0  # three renewals may fail before the lease runs out


class LeaseLost(Exception):
    """Another process took the message over; this one must stop before the final dot."""


def new_owner() -> str:
    """Return a name for one attempt."""
    return secrets.token_hex(12)


def take(outbox_id: int, owner: str) -> bool:
    """Move a due message to sending, or take it over from a process that died before handing it over."""
    now = utcnow()
    due = or_(col(Outbox.next_try_at).is_(None), col(Outbox.next_try_at) <= now)
    arrived = or_(col(Outbox.send_at).is_(None), col(Outbox.send_at) <= now)
    died = and_(col(Outbox.state) == "sending", run_out(), col(Outbox.handed_over_at).is_(None))
    return _change(
        outbox_id,
        or_(and_(col(Outbox.state) == "queued", due, arrived), died),
        also=attempts.begin,
        state="sending", lease_owner=owner, lease_until=now + LEASE, tries=Outbox.tries + 1, handed_over_at=None,
    )  # fmt: skip


def give_up_lost(outbox_id: int) -> bool:
    """Move a message to unknown whose process died after handing it over."""
    lost = and_(col(Outbox.state) == "sending", run_out(), col(Outbox.handed_over_at).is_not(None))
    return _change(
        outbox_id, lost, also=lambda session, lost_id: attempts.close_lost(session, lost_id, "unknown", "smtp.unknown"),
        state="unknown", lease_owner="", lease_until=None, next_try_at=utcnow(),
        error_code="smtp.unknown", error_params={},
    )  # fmt: skip


def take_for(outbox_id: int, owner: str, wanted: ColumnElement[bool]) -> bool:
    """Take the lease of a message without changing its state (sent copies, unknown deliveries)."""
    now = utcnow()
    due = or_(col(Outbox.next_try_at).is_(None), col(Outbox.next_try_at) <= now)
    return _change(outbox_id, and_(wanted, due, run_out()), lease_owner=owner, lease_until=now + LEASE)


def mark_handed_over(outbox_id: int, owner: str, addresses: Sequence[str] = ()) -> None:
    """Note, just before the final dot, that these may have the message from here on. Raises LeaseLost.

    The row's mark is the fence of this one SMTP transaction; the recipients' marks say whom it was for, because a
    message may leave in several (a copy without tracking, B04).
    """

    def note(session: Session, _id: int) -> None:
        attempts.handed_over(session, outbox_id)
        for part in chunks(addresses):
            mine = (col(OutboxRecipient.outbox_id) == outbox_id, col(OutboxRecipient.address).in_(part))
            waits = col(OutboxRecipient.state) == "waiting"
            run(session, update(OutboxRecipient).where(*mine, waits).values(handed_over_at=now))

    mine = and_(
        col(Outbox.state) == "sending",
        col(Outbox.lease_owner) == owner,
        col(Outbox.lease_until) > utcnow(),
        col(Outbox.handed_over_at).is_(None),
    )
    # On the disk before the dot: a power cut after it must not make the message look unsent.
    now = utcnow()
    if not _change(outbox_id, mine, durable=True, also=note, handed_over_at=now, lease_until=now + LEASE):
        raise LeaseLost


@contextmanager
def kept(outbox_id: int, owner: str) -> Generator[None]:
    """Renew the lease in the background while the block runs (a slow server may take minutes)."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(RENEW_S):
            _change(outbox_id, col(Outbox.lease_owner) == owner, lease_until=utcnow() + LEASE)

    thread = threading.Thread(target=renew, name="outbox-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=5)


def held(owner: str) -> ColumnElement[bool]:
    """Rows whose lease `owner` still holds: the guard of every write about an attempt's outcome."""
    return col(Outbox.lease_owner) == owner


def run_out() -> ColumnElement[bool]:
    """Rows that nobody holds: never taken, given back, or whose holder did not renew them in time."""
    now = utcnow()
    set_back = col(Outbox.lease_until) > now + 3 * LEASE  # the clock was, and nobody renewed it since
    return or_(col(Outbox.lease_until).is_(None), col(Outbox.lease_until) <= now, set_back)


def _change(
    outbox_id: int,
    where: ColumnElement[bool],
    *,
    durable: bool = False,
    also: Callable[[Session, int], None] | None = None,
    **values: object,
) -> bool:
    """Change the row if `where` holds, and do `also` in the same transaction."""
    with transaction(durable=durable) as session:
        changed = run(session, update(Outbox).where(col(Outbox.id) == outbox_id, where).values(**values))
        if changed.rowcount == 1 and also is not None:
            also(session, outbox_id)
        return changed.rowcount == 1
