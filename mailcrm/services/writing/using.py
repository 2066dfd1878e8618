"""Templates in drafts: put one in, save a draft as one, send one to oneself to see it (M07)."""

from __future__ import annotations

from sqlmodel import Session, select

from mailcrm.errors import UserError
from mailcrm.models import KeptFile, Mailbox, Outbox, OutboxAttachment, Signature, Template, utcnow
from mailcrm.services import access, live
from mailcrm.services.access import Actor
from mailcrm.services.db import transaction
from mailcrm.services.i18n import gettext
from mailcrm.services.mail.mailto import parted
from mailcrm.services.mail.outbox import draft as drafts
from mailcrm.services.mail.outbox import queue, rows
from mailcrm.services.mail.outbox.addresses import clean
from mailcrm.services.mail.outbox.html import is_empty
from mailcrm.services.mail.outbox.views import DraftInput, DraftView
from mailcrm.services.writing import fill, kept, signatures, templates
from mailcrm.services.writing.views import TemplateView


def apply(actor: Actor, draft_id: int, template_id: int) -> DraftView:
    """Put a template into a draft: the subject where there is none, the text above signature and quote, its files.

    Text that is only empty lines gives way to it. Save what the composer holds first: this changes what is stored.
    Raises UserError: "outbox.not_draft", "outbox.too_large".
    """
    with transaction() as session:
        row = _draft(session, actor, draft_id)
        template = access.load(session, Template, template_id, access.visible_template(actor))
        above, below = signatures.split(row.html)
        row.html = ("" if is_empty(above) else above) + template.html + below
        return _took(session, actor, row, template)


def lend(actor: Actor, draft_id: int, template_id: int) -> TemplateView:
    """Give a draft a template's files and subject; its text is put in by the editor, at the cursor.

    Raises UserError: "outbox.not_draft", "outbox.too_large".
    """
    with transaction() as session:
        row = _draft(session, actor, draft_id)
        template = access.load(session, Template, template_id, access.visible_template(actor))
        _took(session, actor, row, template)
        return templates.view(session, actor, template)


def from_draft(actor: Actor, draft_id: int, *, name: str, folder: str = "", shared: bool = False) -> TemplateView:
    """Save a draft as a template: subject, text without signature and quote, its files. The draft stays.

    Raises as `templates.create` does.
    """
    with transaction() as session:
        row = access.load(session, Outbox, draft_id, access.own_outbox(actor))
        above, _ = signatures.split(signatures.take_out(row.html))
        made = Template(user_id=actor.user_id, shared=bool(shared), name=templates.named(name))
        made.folder = templates.foldered(folder)
        answers = row.reply_to_message_id is not None or row.forward_of_message_id is not None
        # the first writer's subject: what stands in braces there is no field of ours
        made.subject, made.html = templates.checked(parted(row.subject) if answers else row.subject, above)
        templates.add(session, actor, made)
        signature = session.get(Signature, row.signature_id) if row.signature_id is not None else None
        of_signature = (
            {each.content_id for each in kept.of(session, signature)} if signature is not None else set[str]()
        )
        n = 0
        for each in rows.files(session, row.id or 0):
            if each.inline and (each.content_id in of_signature or f"cid:{each.content_id}" not in made.html):
                continue
            n += 1
            session.add(_kept(each, made, n))
        session.flush()
        return templates.view(session, actor, made)


def test_send(
    actor: Actor, template_id: int, *, person_id: int | None = None, deal_id: int | None = None,
    mailbox_id: int | None = None,
) -> DraftView:  # fmt: skip
    """Send a template to oneself through the ordinary outbox, filled in for a person; what is missing stands marked.

    It counts for no results and tracks nothing. Raises UserError("outbox.no_mailbox") and what sending raises.
    """
    template = templates.get(actor, template_id)
    draft = drafts.new_draft(actor, mailbox_id=mailbox_id)
    shown = fill.preview_with(
        actor, template.line.subject, template.html + draft.html, person_id=person_id, deal_id=deal_id,
        mailbox_id=draft.mailbox_id,
    )  # fmt: skip
    drafts.save(
        actor,
        draft.id,
        DraftInput(
            mailbox_id=draft.mailbox_id,
            to=_own_address(actor, draft.mailbox_id),
            subject=gettext(actor.language, "[Test] {subject}", subject=shown.subject or template.line.name),
            html=shown.html,
        ),
    )
    with transaction() as session:
        row = _draft(session, actor, draft.id)
        source = access.load(session, Template, template_id, access.visible_template(actor))
        kept.to_draft(session, row, kept.of(session, source))
    return queue.send(actor, draft.id, delay_s=0, send_anyway=True)


def _draft(session: Session, actor: Actor, draft_id: int) -> Outbox:
    row = rows.own(session, actor, draft_id)
    if row.state != "draft":
        raise UserError("outbox.not_draft")
    return row


def _took(session: Session, actor: Actor, row: Outbox, template: Template) -> DraftView:
    row.subject = row.subject or clean(template.subject)
    row.template_id = template.id
    kept.to_draft(session, row, kept.of(session, template))
    row.revision += 1
    row.updated_at = utcnow()
    live.hint(session, actor.user_id, "outbox", row.id)
    return rows.view(session, actor, row)


def _kept(file: OutboxAttachment, template: Template, n: int) -> KeptFile:
    return KeptFile(
        template_id=template.id,
        n=n,
        **file.model_dump(include={"filename", "content_type", "size", "blob_sha", "inline", "content_id"}),
    )


def _own_address(actor: Actor, mailbox_id: int) -> str:
    with transaction() as session:
        found = select(Mailbox.address).where(Mailbox.id == mailbox_id, access.own_mailbox(actor))
        return session.exec(found).first() or ""
