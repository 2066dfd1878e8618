"""Merge fields of a draft with the values of its recipient: preview, what is missing, and the filling in on sending.

A draft keeps its pills until it is queued; `resolve`, in the transaction that queues it, puts real values in their
place and remembers what was written, so that taking the send back (`restore`) brings the pills back and another
recipient gets other values. The recipient is the first in To. In a reply or a forward only pills count: what is typed
out there may be the words of whoever wrote first, and `{{ deal.value }}` in a stranger's subject must stay that.
"""

from __future__ import annotations

from typing import TypeVar

from sqlmodel import Session, col, select

from mailcrm.errors import UserError
from mailcrm.models import Deal, Lead, Mailbox, Message, Outbox, OutboxRecipient, Person
from mailcrm.services import access
from mailcrm.services.access import Actor
from mailcrm.services.db import reading
from mailcrm.services.i18n import gettext
from mailcrm.services.mail.outbox.html import QUOTE_CLASS, clean_html
from mailcrm.services.writing import merge_fields, values
from mailcrm.services.writing.merge_fields import MERGE_CLASS, Filled
from mailcrm.services.writing.views import FieldChoice, MissingField, Preview

SHOWN = 5  # fields named in one sentence

Row = TypeVar("Row", Person, Deal, Lead)


def fields(actor: Actor) -> tuple[FieldChoice, ...]:
    """Return every merge field for a menu, grouped, in the actor's language."""
    with reading() as session:
        return values.choices(session, actor)


def known(actor: Actor, draft_id: int) -> dict[str, str]:
    """Return the values that a draft's merge fields have now, by field; those without one are absent."""
    with reading() as session:
        row = access.load(session, Outbox, draft_id, access.own_outbox(actor))
        return dict(_of_draft(session, actor, row, *_recipient(session, row)).filled)


def missing(actor: Actor, draft_id: int) -> tuple[MissingField, ...]:
    """Return the merge fields of a draft without value and fallback, and what looks like one but is none."""
    return preview(actor, draft_id).missing


def preview(actor: Actor, draft_id: int) -> Preview:
    """Return a draft as its recipient gets it; fields without a value stand marked in it."""
    with reading() as session:
        row = access.load(session, Outbox, draft_id, access.own_outbox(actor))
        name, address = _recipient(session, row)
        known = _of_draft(session, actor, row, name, address)
        words = values.labels(session, actor)
        subject, html = _filled(session, row, known, words)
        return _preview(actor, subject, html, known, words, name, address)


def preview_with(
    actor: Actor,
    subject: str,
    html: str,
    *,
    person_id: int | None = None,
    deal_id: int | None = None,
    lead_id: int | None = None,
    mailbox_id: int | None = None,
) -> Preview:
    """Return a subject and a text (of a template, say) as this person would get them.

    Without `deal_id` the person's newest open deal is taken: it is only a preview. NotFound for what can't be seen.
    """
    with reading() as session:
        person = _row(session, actor, Person, person_id)
        deal = _row(session, actor, Deal, deal_id) or (_newest_deal(session, actor, person) if person else None)
        lead = _row(session, actor, Lead, lead_id)
        mailbox = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor)) if mailbox_id else None
        known = values.gather(session, actor, person=person, deal=deal, lead=lead, mailbox=mailbox)
        words = values.labels(session, actor)
    line = merge_fields.fill_text(subject, known.filled, labels=words)
    text = merge_fields.fill_html(clean_html(html), known.filled, labels=words)
    return _preview(
        actor, line, text, known, words, known.called.get("person", ""), known.filled.get("person.email", "")
    )


def resolve(session: Session, actor: Actor, row: Outbox, *, send_anyway: bool = False) -> None:
    """Put real values in the place of a draft's merge fields, in the transaction that queues it.

    Raises UserError("outbox.empty_fields", fields=…) while one has neither value nor fallback; with `send_anyway`
    nothing stands in its place.
    """
    if MERGE_CLASS not in row.html and "{{" not in row.html and "{{" not in row.subject:
        return
    name, address = _recipient(session, row)
    known = _of_draft(session, actor, row, name, address)
    subject, html = _filled(session, row, known, None)
    lacking = [*dict.fromkeys((*subject.missing, *html.missing))]
    refused = [*dict.fromkeys((*subject.refused, *html.refused))]
    if (lacking or refused) and not send_anyway:
        words = values.labels(session, actor)
        listed = [*dict.fromkeys(words.get(use.field, use.field) for use in lacking), *refused]
        more = ["…"] if len(listed) > SHOWN else []
        raise UserError("outbox.empty_fields", fields=", ".join([*listed[:SHOWN], *more]))
    if (subject.content, html.content) != (row.subject, row.html):
        row.written_subject, row.written_html = row.subject, row.html
        row.subject, row.html = subject.content, html.content


def restore(row: Outbox) -> None:
    """Give a draft that was taken back the merge fields it was written with."""
    if row.written_html is not None:
        row.html, row.written_html = row.written_html, None
    if row.written_subject is not None:
        row.subject, row.written_subject = row.written_subject, None


def _filled(session: Session, row: Outbox, known: values.Values, words: dict[str, str] | None) -> tuple[Filled, Filled]:
    parent_id = row.reply_to_message_id or row.forward_of_message_id
    own = parent_id is None and QUOTE_CLASS not in row.html  # the original may be gone; its subject is still theirs
    subject = merge_fields.fill_text(row.subject, known.filled, labels=words, typed=own)
    if not own:  # what the first writer put in braces is no mistake of ours
        theirs = session.exec(select(Message.subject).where(Message.id == parent_id)).first() or ""
        ours = tuple(each for each in subject.refused if each not in theirs)
        subject = Filled(subject.content, subject.missing, ours)
    return subject, merge_fields.fill_html(row.html, known.filled, labels=words, typed=own)


def _recipient(session: Session, row: Outbox) -> tuple[str, str]:
    """Return name and address of whom the values are taken from: the first in To, else in Cc, else in Bcc."""
    found = session.exec(
        select(OutboxRecipient).where(OutboxRecipient.outbox_id == row.id).order_by(col(OutboxRecipient.position))
    ).all()
    for role in ("to", "cc", "bcc"):
        for each in found:
            if each.role == role:
                return each.name, each.address
    return "", ""


def _of_draft(session: Session, actor: Actor, row: Outbox, name: str, address: str) -> values.Values:
    """Gather a draft's values: of its own deal or lead, else of its conversation's deal, which the composer shows."""
    own = row.deal_id is not None or row.lead_id is not None
    return values.gather(
        session,
        actor,
        name=name,
        address=address,
        person=values.of_address(session, actor, address) if address else None,
        deal=_seen(session, actor, Deal, row.deal_id) if own else values.deal_of_conversation(session, actor, row),
        lead=_seen(session, actor, Lead, row.lead_id),
        mailbox=session.get(Mailbox, row.mailbox_id),
        from_address=row.from_address,
    )


def _preview(
    actor: Actor,
    subject: Filled,
    html: Filled,
    known: values.Values,
    words: dict[str, str],
    name: str,
    address: str,
) -> Preview:
    refused = tuple(dict.fromkeys((*subject.refused, *html.refused)))
    lacking = dict.fromkeys(use.field for use in (*subject.missing, *html.missing))
    found = [MissingField(each, words.get(each, each), _why(actor, each, known, words)) for each in lacking]
    not_one = [
        MissingField("", each, gettext(actor.language, "“{value}” isn’t a merge field.", value=each))
        for each in refused
    ]
    return Preview(subject.content, html.content, name, address, (*found, *not_one), refused)


def _why(actor: Actor, name: str, known: values.Values, words: dict[str, str]) -> str:
    root = name.partition(".")[0]
    language = actor.language
    label = words.get(name)
    if label is None:
        return gettext(language, "This field was deleted.")
    if root in known.called:
        lowered = label[:1].lower() + label[1:] if language == "en" else label
        return gettext(language, "{name} has no {field}.", name=known.called[root], field=lowered)
    if root == "deal":
        return gettext(language, "No deal is linked to this email.")
    if root == "lead":
        return gettext(language, "No lead is linked to this email.")
    if root == "organization":
        return gettext(language, "The recipient has no organization.")
    return gettext(language, "There is no recipient yet.")


def _row(session: Session, actor: Actor, model: type[Row], row_id: int | None) -> Row | None:
    if row_id is None:
        return None
    return access.load(session, model, row_id, access.visible_crm(actor, model))


def _seen(session: Session, actor: Actor, model: type[Row], row_id: int | None) -> Row | None:
    """Return a row that a draft names, None when the actor may not see it any more."""
    if row_id is None:
        return None
    return session.exec(select(model).where(model.id == row_id, access.visible_crm(actor, model))).first()


def _newest_deal(session: Session, actor: Actor, person: Person) -> Deal | None:
    return session.exec(
        select(Deal)
        .where(access.visible_crm(actor, Deal), col(Deal.person_id) == person.id, col(Deal.status) == "open")
        .order_by(col(Deal.created_at).desc(), col(Deal.id).desc())
        .limit(1)
    ).first()
