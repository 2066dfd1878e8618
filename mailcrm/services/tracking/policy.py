"""The workspace's rules of tracking: who may be tracked, the line below tracked mail, how long events are kept (T09).

Everybody reads them, administrators change them. Enforced where mail is sent (mail/outbox/consent) and purged
(retention.py); this only keeps what was decided.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from sqlmodel import Session

from mailcrm.errors import UserError
from mailcrm.models import Workspace
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction

POLICIES = ("unless_refused", "only_granted")
MOST_DAYS = 3650
MOST_NETWORK_DAYS = 365
KEEP: Final = -1  # of `days`: leave it; None is for ever


@dataclass(frozen=True)
class PolicyView:
    """`policy`: one of POLICIES. `days`: how long events are kept, None for ever; `network_days`: their network's hash."""

    policy: str = "unless_refused"
    footer: bool = False
    days: int | None = None
    network_days: int = 1


def get(actor: Actor) -> PolicyView:  # noqa: ARG001  everybody may know them
    """Return the rules."""
    with reading() as session:
        return _view(session.get(Workspace, 1))


def change(
    actor: Actor,
    *,
    policy: str | None = None,
    footer: bool | None = None,
    days: int | None = KEEP,
    network_days: int | None = None,
) -> PolicyView:
    """Change the rules that are given. Raises UserError("auth.admin_only") for others than administrators."""
    access.require_admin(actor)
    if policy not in (None, *POLICIES):
        raise UserError("input.invalid", value=str(policy)[:40], field="Who may be tracked")
    if days is not None and days != KEEP and not 1 <= days <= MOST_DAYS:
        raise UserError("input.invalid", value=str(days)[:40], field="Keep events")
    if network_days is not None and not 0 <= network_days <= MOST_NETWORK_DAYS:
        raise UserError("input.invalid", value=str(network_days)[:40], field="Keep networks")
    with transaction() as session:
        row = session.get_one(Workspace, 1, with_for_update=True)
        before = asdict(_view(row))
        row.tracking_policy = policy or row.tracking_policy
        row.tracking_footer = row.tracking_footer if footer is None else footer
        row.tracking_days = row.tracking_days if days == KEEP else days
        row.network_days = row.network_days if network_days is None else network_days
        session.add(row)
        after = _view(row)
        _note(session, actor, before, after)
        return after


def _note(session: Session, actor: Actor, before: dict[str, object], after: PolicyView) -> None:
    changed = {name: value for name, value in asdict(after).items() if before[name] != value}
    if changed:
        audit.record(session, actor, "change_tracking_policy", "workspace", 1, **changed)
        live.hint(session, None, "outbox")  # composers say who goes untracked


def _view(row: Workspace | None) -> PolicyView:
    if row is None:
        return PolicyView()
    return PolicyView(row.tracking_policy, row.tracking_footer, row.tracking_days, row.network_days)
