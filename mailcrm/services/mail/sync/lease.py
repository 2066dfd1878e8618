"""One worker at a time for a mailbox: a lease in its row, taken by compare-and-set and renewed by a heartbeat.

     free ──acquire──▶ held ──heartbeat every `BEAT_S`──▶ held ──finish──▶ free
                        │ the process died, or nothing was written for `HUNG_S`
                        └──▶ runs out ──acquire──▶ somebody else's; the old owner writes nothing more

Every transaction of a pass renews the lease as its fence: a worker that was thought dead and comes back writes
nothing (`LeaseLost`). Between them the heartbeat does, so that a batch may take longer than the lease. An owner that
died on this machine is recognised by its process id, so that a restart after a crash need not wait for the lease to
run out.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import bindparam, update
from sqlmodel import Session, col, or_, select

from mailcrm.models import Mailbox
from mailcrm.models.base import utcnow
from mailcrm.services.db import transaction
from mailcrm.services.rows import run

LEASE = timedelta(seconds=90)
BEAT_S = 20.0  # three of them may fail, on a database that is locked for 15 s each
HUNG_S = 15 * 60.0  # a pass that wrote nothing for so long is given up: one batch is 8 MB at most

log = structlog.get_logger()
_fenced: dict[str, float] = {}  # when each pass of this process last wrote
#: Begins every transaction of a pass: made once.
_RENEW = (
    update(Mailbox)
    .where(col(Mailbox.id) == bindparam("mailbox"), col(Mailbox.lease_owner) == bindparam("holder"))
    .values(lease_until=bindparam("until"))
)


class LeaseLost(Exception):
    """Another worker took the mailbox over; this pass must end without writing."""


def new_owner() -> str:
    """Return a name for this pass that says which process it belongs to."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}/{secrets.token_hex(4)}"


def acquire(mailbox_id: int, owner: str, now: datetime) -> bool:
    """Take the lease when it is free, run out, or held by a dead process of this machine."""
    with transaction() as session:
        holder = session.exec(select(Mailbox.lease_owner).where(Mailbox.id == mailbox_id)).first()
        if holder is None:
            return False
        free = or_(
            col(Mailbox.lease_until).is_(None),
            col(Mailbox.lease_until) <= now,
            col(Mailbox.lease_until) > now + 3 * LEASE,  # the clock was set back, and nobody renewed it since
            Mailbox.lease_owner == "",
        )
        if holder and is_dead(holder):
            free = or_(free, Mailbox.lease_owner == holder)
        taken = run(
            session,
            update(Mailbox)
            .where(col(Mailbox.id) == mailbox_id, free)
            .values(lease_owner=owner, lease_until=now + LEASE),
        )
        return taken.rowcount == 1


def renew(session: Session, mailbox_id: int, owner: str, now: datetime) -> None:
    """Fence the caller's transaction and lengthen the lease. Raises LeaseLost."""
    kept = run(session, _RENEW, {"mailbox": mailbox_id, "holder": owner, "until": now + LEASE})
    if kept.rowcount != 1:
        raise LeaseLost(owner)
    if owner in _fenced:
        _fenced[owner] = time.monotonic()


@contextmanager
def fenced(mailbox_id: int, owner: str) -> Generator[Session]:
    """A transaction that holds the lease; raises LeaseLost before anything is written."""
    with transaction(loading=True) as session:
        renew(session, mailbox_id, owner, utcnow())
        yield session


@contextmanager
def heartbeat(mailbox_id: int, owner: str) -> Generator[None]:
    """Keep the lease while the block runs; stop when it was lost, or when the block seems to hang."""
    over = threading.Event()
    _fenced[owner] = time.monotonic()
    thread = threading.Thread(target=_beat, args=(mailbox_id, owner, over), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        _fenced.pop(owner, None)


def _beat(mailbox_id: int, owner: str, over: threading.Event) -> None:
    while not over.wait(BEAT_S):
        wrote = _fenced.get(owner)
        if wrote is None or time.monotonic() - wrote > HUNG_S:
            return
        try:
            with transaction() as session:
                kept = run(
                    session,
                    update(Mailbox)
                    .where(col(Mailbox.id) == mailbox_id, col(Mailbox.lease_owner) == owner)
                    .values(lease_until=utcnow() + LEASE),
                )
        except Exception:
            log.exception("a lease could not be renewed; it is tried again", mailbox_id=mailbox_id)
        else:
            if kept.rowcount != 1:
                return  # the fence tells the pass


def _machine() -> str:
    """Name the space in which process ids mean something: this boot, this container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot[:13]}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""  # not Linux: a dead owner's lease runs out


def _started(pid: int) -> str:
    """Return the process's start in clock ticks: a process id may be used again. "" for one that is dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]  # dead, and nobody has asked how it ended
    except (OSError, IndexError):
        return ""


def is_dead(owner: str) -> bool:
    """Whether `owner` (of `new_owner`) was a process of this machine that is gone."""
    machine, _, rest = owner.partition("/")
    pid, _, rest = rest.partition("/")
    started, _, _ = rest.partition("/")
    return bool(machine) and machine == _machine() and pid.isdigit() and _started(int(pid)) != started
