"""What a new user has done of the first steps, for the checklist beside an empty reading pane.

Looks only at what is there: nothing is stored, so a step that is undone is open again. Does not decide whether the list is
shown; the interface hides it when all is done, or where its reader put it away.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, or_
from sqlmodel import col

from mailcrm.models import Deal, Lead, Mailbox, Signature, Template, User
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.rows import pick, rows


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One step: its name (mailbox, signature, deals, template, colleague) and whether it is done."""

    name: str
    done: bool


def of(actor: Actor) -> tuple[FirstStep, ...]:
    """Return the steps in their order; inviting colleagues is an administrator's."""
    user_id = actor.user_id
    found: dict[str, ColumnElement[bool]] = {
        "mailbox": exists().where(col(Mailbox.user_id) == user_id, col(Mailbox.kind) != "bcc"),
        "signature": exists().where(col(Signature.user_id) == user_id, col(Signature.deleted_at).is_(None)),
        "deals": or_(exists().where(access.visible_crm(actor, Deal)), exists().where(access.visible_crm(actor, Lead))),
        "template": exists().where(col(Template.user_id) == user_id, col(Template.deleted_at).is_(None)),
    }
    if actor.admin:
        found["colleague"] = exists().where(col(User.id) != user_id)
    with reading() as session:
        (done,) = rows(session, pick(*found.values()))
    return tuple(FirstStep(name, bool(each)) for name, each in zip(found, done, strict=True))
