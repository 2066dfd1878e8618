"""Who did what when, for administrators: accounts, the workspace, mailboxes and the CRM's records.

A list of what may be shown, never of what may not: nothing about messages, conversations, drafts or links to them gets
in, because even their number is their owner's (M25). Records are left out where the administrator's role reaches only
some of them, but for what they did themselves. No details of an entry are shown, only whose or which row it is about.
Does not write entries (audit.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, select

from mailcrm.models import AuditEntry, User
from mailcrm.services import access, paging
from mailcrm.services.access import Actor
from mailcrm.services.db import reading

#: filter -> the kinds of rows it shows.
GROUPS: dict[str, tuple[str, ...]] = {
    "accounts": ("user", "invite", "api_token", "team", "role_access"),
    "workspace": ("workspace", "drop_mailbox", "pipeline", "stage", "custom_field", "label", "webhook"),
    "mailboxes": ("mailbox",),
    "records": ("person", "organization", "deal", "lead", "import"),
}
#: Of a user and a mailbox only these: what else is written down there says something about mail.
_VERBS: dict[str, tuple[str, ...]] = {
    "user": (
        "create", "disable", "sign_in", "end_session", "end_sessions", "change_password", "reset_password",
        "make_reset_link", "ask_reset_link", "send_reset_link", "second_on", "second_off", "second_reset", "renew_codes",
        "use_recovery_code",
    ),
    "mailbox": ("connect", "reconnect", "remove"),
}  # fmt: skip
_RECORDS = ("person", "organization", "deal", "lead")


@dataclass(frozen=True)
class AuditView:
    """One entry; `actor` "" is the system, or somebody who only had a link. `about` names a user, else it is ""."""

    id: int
    at: datetime
    actor: str
    verb: str
    kind: str
    row_id: int
    about: str


@dataclass(frozen=True)
class AuditPage:
    """Entries, the newest first; `before` is what the next page is asked with, 0 on the last one."""

    rows: tuple[AuditView, ...]
    before: int


def page(actor: Actor, *, group: str = "", actor_id: int = 0, before: int = 0, limit: int = 50) -> AuditPage:
    """Return entries of one group, or of all, and of one user, or of everybody. Administrators only."""
    access.require_admin(actor)
    size = paging.page_size(limit)
    query = select(AuditEntry).where(_shown(actor, group))
    if actor_id:
        query = query.where(AuditEntry.actor_id == actor_id)
    if before:
        query = query.where(col(AuditEntry.id) < before)
    with reading() as session:
        found = session.exec(query.order_by(col(AuditEntry.id).desc()).limit(size + 1)).all()
        shown = found[:size]
        names = _names(session, shown)
        rows = tuple(
            AuditView(
                id=row.id or 0,
                at=row.at,
                actor=names.get(row.actor_id or 0, ""),
                verb=row.verb,
                kind=row.object_kind,
                row_id=row.object_id or 0,
                about=names.get(row.object_id or 0, "") if row.object_kind == "user" else "",
            )
            for row in shown
        )
    return AuditPage(rows, rows[-1].id if len(found) > size else 0)


def _shown(actor: Actor, group: str) -> ColumnElement[bool]:
    kinds = GROUPS.get(group) or tuple(kind for each in GROUPS.values() for kind in each)
    scopes = actor.scopes if actor.scopes is not None else dict.fromkeys(_RECORDS, "own")
    parts: list[ColumnElement[bool]] = []
    for kind in kinds:
        part = col(AuditEntry.object_kind) == kind
        if kind in _VERBS:
            part = and_(part, col(AuditEntry.verb).in_(_VERBS[kind]))
        if kind in _RECORDS and scopes.get(kind, "everyone") != "everyone":
            part = and_(part, col(AuditEntry.actor_id) == actor.user_id)
        parts.append(part)
    return or_(*parts)


def _names(session: Session, rows: Sequence[AuditEntry]) -> dict[int, str]:
    wanted = {row.actor_id for row in rows if row.actor_id}
    wanted |= {row.object_id for row in rows if row.object_kind == "user" and row.object_id}
    if not wanted:
        return {}
    found = session.exec(select(User.id, User.name).where(col(User.id).in_(wanted)))
    return {user_id or 0: name for user_id, name in found}
