"""How many emails, notes and activities a timeline holds, as the viewer may see it: for the words on its filters.

Counts stop at MOST, so that a record with very much mail costs what another one does. Each email counts once,
whoever else has a copy.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func
from sqlmodel import Session, col

from mailcrm.models import Activity, Message, Note
from mailcrm.services.access import Actor
from mailcrm.services.crm import subjects, timeline, timeline_mail
from mailcrm.services.crm.linking import linked
from mailcrm.services.crm.linking.linked import Targets
from mailcrm.services.db import reading
from mailcrm.services.rows import pick, rows, scalar

MOST = 500  # of one kind; above it the number says "more than"


@dataclass(frozen=True, slots=True)
class Counts:
    """`private`: the emails that only the viewer can read. `many`: there are more emails than were counted."""

    emails: int = 0
    files: int = 0
    private: int = 0
    notes: int = 0
    activities: int = 0
    many: bool = False


def of(actor: Actor, kind: str, row_id: int) -> Counts:
    """Count what stands in the timeline of a person, organization, deal or lead. Five statements."""
    with reading() as session:
        subjects.load(session, actor, kind, row_id)
        mail = timeline.mail_of(session, actor, kind, row_id)
        emails, files, private, many = _mail(session, actor, mail) if mail else (0, 0, 0, False)
        return Counts(
            emails=emails,
            files=files,
            private=private,
            notes=_belonging(session, actor, Note, kind, row_id),
            activities=_belonging(session, actor, Activity, kind, row_id),
            many=many,
        )


def _mail(session: Session, actor: Actor, mail: Targets) -> tuple[int, int, int, bool]:
    newest = timeline_mail.newest_ids(session, mail, MOST + 1)
    statement = pick(
        Message.id, Message.rfc_message_id, Message.has_attachments, Message.visibility, Message.user_id
    ).where(col(Message.id).in_(newest), linked.shown(actor), linked.holds(mail, actor))
    emails: set[object] = set()
    files: set[object] = set()
    private: set[object] = set()
    read_by_others: set[object] = set()
    for message_id, name, attached, visibility, user_id in rows(session, statement):
        one = name if name is not None else message_id
        emails.add(one)
        if attached:
            files.add(one)
        if user_id == actor.user_id and visibility == "private":
            private.add(one)
        else:
            read_by_others.add(one)  # a colleague's copy of the same email is shared
    return len(emails), len(files), len(private - read_by_others), len(newest) > MOST


def _belonging(session: Session, actor: Actor, model: type[Note | Activity], kind: str, row_id: int) -> int:
    done = (col(Activity.done_at).is_not(None),) if model is Activity else ()
    these = pick(model.id).where(subjects.belonging(actor, model, kind, row_id), subjects.seen(actor, model), *done)
    return scalar(session, pick(func.count()).select_from(these.limit(MOST).subquery()))
