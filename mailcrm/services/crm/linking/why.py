"""Why a conversation is linked (B06): each standing link with what made it, for whoever may see the conversation.

Says no more than `threads.links_of` does: where a colleague may not see who takes part, no address is named.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col

from mailcrm.models import Link, Person, User
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.mail import threads
from mailcrm.services.mail.views import LinkView
from mailcrm.services.rows import pick, rows


@dataclass(frozen=True, slots=True)
class Reason:
    """A link and its reason. `code` as in match.py, or "manual", "earlier"; `person` is whose address it was.

    `by` is who made it by hand, "" for a rule; `mine` whether that was the reader. Only the mail's owner `can_unlink`.
    """

    link_id: int
    kind: str
    target_id: int
    title: str
    origin: str
    code: str
    address: str
    person: str
    by: str
    mine: bool
    can_unlink: bool


def why(actor: Actor, thread_id: int) -> tuple[Reason, ...]:
    """Return the reasons, persons first; NotFound when the actor sees nothing of the conversation."""
    view = threads.open_thread(actor, thread_id)
    with reading() as session:
        made = _made(session, actor, [each.id for each in view.links])
    persons = {each.detail: each.title for each in view.links if each.kind == "person" and each.detail}
    reasons = [
        Reason(
            link_id=each.id,
            kind=each.kind,
            target_id=each.target_id,
            title=each.title,
            origin=each.origin,
            code=each.reason,
            address=each.detail,
            person=each.title if each.kind == "person" else _person(view.own, each, made[each.id][0], persons),
            by=made[each.id][1],
            mine=made[each.id][2],
            can_unlink=view.own,
        )
        for each in view.links
    ]
    return tuple(sorted(reasons, key=lambda each: ({"person": 0, "deal": 1}.get(each.kind, 2), each.link_id)))


def _person(own: bool, link: LinkView, name: str, persons: dict[str, str]) -> str:
    """Whose address it was; in a colleague's thread only where the address may be named."""
    return (name if own or link.detail else "") or persons.get(link.detail, "")


def _made(session: Session, actor: Actor, link_ids: list[int]) -> dict[int, tuple[str, str, bool]]:
    """By link: the person whose address it was, where the actor may see them, and who made it."""
    found: dict[int, tuple[int, int | None, str]] = {}
    statement = pick(Link.id, Link.reason, Link.created_by, User.name).outerjoin(
        User, col(User.id) == col(Link.created_by)
    )
    for link_id, reason, user_id, name in rows(session, statement.where(col(Link.id).in_(link_ids))):
        found[link_id] = (int(reason.get("person_id") or 0), user_id, name or "")
    wanted = pick(Person.id, Person.name).where(
        col(Person.id).in_([each[0] for each in found.values() if each[0]]), access.visible_crm(actor, Person)
    )
    names = {row[0]: row[1] for row in rows(session, wanted)}
    return {
        link_id: (names.get(person, ""), name, user_id == actor.user_id)
        for link_id, (person, user_id, name) in found.items()
    }
