"""What merge fields stand for: the values of one recipient, as the actor may see them.

Helpers: they take a session, never commit. A row that the actor may not see has no values. Which row a value is of is
kept beside it, so that a missing one can be explained ("Büsum expansion has no expected close").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal
from sqlmodel import Session, col, select

from mailcrm.models import (
    CustomField,
    CustomValue,
    Deal,
    Lead,
    Link,
    Mailbox,
    Message,
    Organization,
    Outbox,
    Person,
    PersonAddress,
    PersonPhone,
    Stage,
    User,
)
from mailcrm.services import access, i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import N_
from mailcrm.services.mail.outbox.addresses import clean
from mailcrm.services.writing import names
from mailcrm.services.writing.merge_fields import LABELS, clean_lines
from mailcrm.services.writing.views import FieldChoice

GROUPS = {
    "person": N_("Recipient"),
    "organization": N_("Organization"),
    "deal": N_("Deal"),
    "lead": N_("Lead"),
    "sender": N_("You"),
}


@dataclass
class Values:
    """The values by field name (absent where there is none), and what each kind of row is called (absent: no row)."""

    filled: dict[str, str] = field(default_factory=dict[str, str])
    called: dict[str, str] = field(default_factory=dict[str, str])

    def put(self, name: str, value: str | None) -> None:
        """Keep a value that says something."""
        text = clean_lines(value or "")
        if text:
            self.filled[name] = text


def choices(session: Session, actor: Actor) -> tuple[FieldChoice, ...]:
    """Return every field that may be merged, the workspace's own included, in the actor's language."""
    found = [
        FieldChoice(name, i18n.gettext(actor.language, label), _group(actor, name)) for name, label in LABELS.items()
    ]
    standing = select(CustomField).where(col(CustomField.deleted_at).is_(None))
    for row in session.exec(standing.order_by(col(CustomField.kind), col(CustomField.position), col(CustomField.id))):
        name = f"{row.kind}.custom.{row.id}"
        found.append(FieldChoice(name, row.name, _group(actor, name)))
    order = list(GROUPS)
    return tuple(sorted(found, key=lambda each: order.index(each.field.partition(".")[0])))


def of_address(session: Session, actor: Actor, address: str) -> Person | None:
    """Return the visible person with an address; the first made of several."""
    return session.exec(
        select(Person)
        .join(PersonAddress, col(PersonAddress.person_id) == col(Person.id))
        .where(PersonAddress.address == address.strip().lower(), access.visible_crm(actor, Person))
        .order_by(col(Person.id))
        .limit(1)
    ).first()


def deal_of_conversation(session: Session, actor: Actor, draft: Outbox) -> Deal | None:
    """Return the newest visible deal of the conversation that a draft answers, which the reply comes into."""
    if draft.reply_to_message_id is None:
        return None
    return session.exec(
        select(Deal)
        .join(Link, col(Link.deal_id) == col(Deal.id))
        .join(Message, col(Message.thread_id) == col(Link.thread_id))
        .where(
            col(Message.id) == draft.reply_to_message_id,
            access.visible_message(actor),
            col(Link.unlinked_at).is_(None),
            access.visible_crm(actor, Deal),
        )
        .order_by(col(Link.created_at).desc(), col(Link.id).desc())
        .limit(1)
    ).first()


def gather(
    session: Session,
    actor: Actor,
    *,
    name: str = "",
    address: str = "",
    person: Person | None = None,
    deal: Deal | None = None,
    lead: Lead | None = None,
    mailbox: Mailbox | None = None,
    from_address: str = "",
) -> Values:
    """Return the values of a recipient. The rows were authorised; somebody unknown has the name and address typed."""
    found = Values()
    if person is not None:
        _person(session, found, person, address)
        _custom(session, actor, found, "person", person.id)
    elif address:
        found.called["person"] = name or address
        _named(found, "person", clean(name))
        found.put("person.email", address)
    _organization(session, actor, found, person, deal, lead)
    if deal is not None:
        _deal(session, actor, found, deal)
    if lead is not None:
        found.called["lead"] = lead.title
        found.put("lead.title", lead.title)
        if lead.value_minor is not None:
            found.put("lead.value", i18n.format_money(lead.value_minor, lead.currency, actor.language))
    _sender(session, actor, found, mailbox, from_address)
    return found


def _person(session: Session, found: Values, person: Person, address: str) -> None:
    found.called["person"] = person.name
    _named(found, "person", person.name)
    first = select(PersonAddress.address).where(PersonAddress.person_id == person.id)
    found.put("person.email", address or session.exec(first.order_by(col(PersonAddress.position))).first())
    phone = select(PersonPhone.number).where(PersonPhone.person_id == person.id)
    found.put("person.phone", session.exec(phone.order_by(col(PersonPhone.position), col(PersonPhone.id))).first())
    found.put("person.job_title", person.job_title)


def _organization(
    session: Session, actor: Actor, found: Values, person: Person | None, deal: Deal | None, lead: Lead | None
) -> None:
    """The recipient's own organization; that of the deal or lead where there is none."""
    for row in (person, deal, lead):
        if row is None or row.organization_id is None:
            continue
        seen = access.visible_crm(actor, Organization)
        kept = session.exec(select(Organization).where(Organization.id == row.organization_id, seen)).first()
        if kept is None:
            continue
        if row is person:
            found.put("person.organization", kept.name)
        found.called["organization"] = kept.name
        found.put("organization.name", kept.name)
        found.put("organization.address", kept.address)
        _custom(session, actor, found, "organization", kept.id)
        return


def _deal(session: Session, actor: Actor, found: Values, deal: Deal) -> None:
    found.called["deal"] = deal.title
    found.put("deal.title", deal.title)
    if deal.value_minor:
        found.put("deal.value", i18n.format_money(deal.value_minor, deal.currency, actor.language))
    found.put("deal.stage", session.exec(select(Stage.name).where(Stage.id == deal.stage_id)).first())
    if deal.expected_close is not None:
        found.put("deal.close_date", _day(deal.expected_close, actor.language))
    _custom(session, actor, found, "deal", deal.id)


def _sender(session: Session, actor: Actor, found: Values, mailbox: Mailbox | None, from_address: str) -> None:
    user = session.get(User, actor.user_id)
    name = (mailbox.display_name if mailbox is not None else "") or (user.name if user is not None else "")
    found.called["sender"] = name
    _named(found, "sender", name)
    own = mailbox.address if mailbox is not None else user.email if user is not None else ""
    found.put("sender.email", from_address or own)


def _named(found: Values, root: str, name: str) -> None:
    first, last = names.parts(name)
    found.put(f"{root}.name", name)
    found.put(f"{root}.first_name", first)
    if root == "person":
        found.put("person.last_name", last)


def _custom(session: Session, actor: Actor, found: Values, kind: str, row_id: int | None) -> None:
    of = getattr(CustomValue, f"{kind}_id")
    joined = (
        select(CustomField, CustomValue)
        .join(CustomValue, col(CustomValue.field_id) == col(CustomField.id))
        .where(of == row_id, col(CustomField.deleted_at).is_(None))
    )
    for made, value in session.exec(joined):
        found.put(f"{kind}.custom.{made.id}", _shown(made, value, actor.language))


def _shown(made: CustomField, value: CustomValue, language: str) -> str:
    if made.type == "money" and value.minor is not None and value.currency:
        return i18n.format_money(value.minor, value.currency, language)
    if made.type == "date" and value.day is not None:
        return _day(value.day, language)
    if made.type == "number" and value.number is not None:
        return format_decimal(value.number, locale=_locale(language))
    if made.type == "choice":
        options: list[dict[str, Any]] = made.options
        return next((str(each["name"]) for each in options if each["id"] == value.option), "")
    return value.text or ""


def _day(day: date, language: str) -> str:
    """Return a day as letters say it, with its year: 30 November 2026."""
    return format_date(day, "long", locale=_locale(language))


def _locale(language: str) -> str:
    return "en_GB" if language == "en" else language


def _group(actor: Actor, name: str) -> str:
    return i18n.gettext(actor.language, GROUPS[name.partition(".")[0]])


def labels(session: Session, actor: Actor) -> dict[str, str]:
    """Return what each field is called."""
    return {each.field: each.label for each in choices(session, actor)}
