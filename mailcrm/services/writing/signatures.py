"""Signatures: several for each user, a default for each mailbox and use, one block in a draft (M08).

In a draft the signature is `<div class="mc-signature" data-signature="ID">…</div>`: at most one, above the quote,
swapped when the sender changes. `put` is pure and knows the block; the verbs keep the texts. A signature belongs to
its user alone. Deleting puts it in the trash; drafts keep what they have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sqlmodel import Session, col, delete, func, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import Mailbox, Outbox, Signature, SignatureDefault, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail import blobs
from mailcrm.services.mail.outbox import rows
from mailcrm.services.mail.outbox.addresses import clean
from mailcrm.services.mail.outbox.html import QUOTE_CLASS, clean_html
from mailcrm.services.mail.outbox.views import DraftView
from mailcrm.services.writing import kept, markup, merge_fields
from mailcrm.services.writing.views import KeptFileView, MailboxSignatures, SignatureView

Use = Literal["new", "reply"]
USES: tuple[Use, ...] = ("new", "reply")
BLOCK_CLASS = "mc-signature"
ATTRIBUTION_CLASS = "mailcrm-attribution"
MOST = 100
MAX_NAME = 120  # characters
MAX_HTML = 100_000  # characters; its images are files

_EMPTY_LINE = '<p dir="auto"><br></p>'


def list_signatures(actor: Actor) -> tuple[SignatureView, ...]:
    """Return the actor's signatures in their order."""
    with reading() as session:
        found = session.exec(select(Signature).where(access.own_signature(actor)).order_by(*_ORDER)).all()
        return tuple(_view(session, row) for row in found)


def get(actor: Actor, signature_id: int) -> SignatureView:
    """Return one of the actor's signatures."""
    with reading() as session:
        return _view(session, access.load(session, Signature, signature_id, access.own_signature(actor)))


def create(actor: Actor, *, name: str, html: str = "") -> SignatureView:
    """Make a signature, last in the order."""
    title, text = _name(name), _html(html)
    with transaction() as session:
        have = session.exec(
            select(func.count(), func.coalesce(func.max(Signature.position), -1)).where(access.own_signature(actor))
        ).one()
        if have[0] >= MOST:
            raise UserError("signature.too_many", most=MOST)
        row = Signature(user_id=actor.user_id, name=title, html=text, position=int(have[1]) + 1)
        session.add(row)
        session.flush()
        return _changed(session, actor, "create", row)


def change(actor: Actor, signature_id: int, *, name: str | None = None, html: str | None = None) -> SignatureView:
    """Give a signature another name or text; None leaves it. Drafts that have it keep what they show."""
    title = _name(name) if name is not None else None
    text = _html(html) if html is not None else None
    with transaction() as session:
        row = access.load(session, Signature, signature_id, access.own_signature(actor))
        row.name = row.name if title is None else title
        row.html = row.html if text is None else text
        return _changed(session, actor, "change", row)


def delete_signature(actor: Actor, signature_id: int) -> None:
    """Put a signature in the trash; mailboxes that began with it begin with none. `restore` undoes it."""
    with transaction() as session:
        row = access.load(session, Signature, signature_id, access.own_signature(actor))
        row.deleted_at = utcnow()
        _changed(session, actor, "delete", row)


def restore(actor: Actor, signature_id: int) -> SignatureView:
    """Undo `delete_signature`, its defaults included. Idempotent."""
    with transaction() as session:
        row = access.load(session, Signature, signature_id, col(Signature.user_id) == actor.user_id)
        row.deleted_at = None
        return _changed(session, actor, "restore", row)


def order(actor: Actor, signature_ids: Sequence[int]) -> tuple[SignatureView, ...]:
    """Put the actor's signatures in this order; those left out come behind."""
    with transaction() as session:
        found = list(session.exec(select(Signature).where(access.own_signature(actor)).order_by(*_ORDER)))
        place = {each: at for at, each in enumerate(dict.fromkeys(signature_ids))}
        if not set(place) <= {row.id for row in found}:
            raise NotFound
        for position, row in enumerate(sorted(found, key=lambda row: place.get(row.id or 0, len(place)))):
            row.position = position
        live.hint(session, actor.user_id, "writing")
    return list_signatures(actor)


def set_default(actor: Actor, mailbox_id: int, use: Use, signature_id: int | None) -> None:
    """Say which signature new mail ("new") or replies and forwards ("reply") of a mailbox begin with; None for none."""
    if use not in USES:
        raise UserError("input.invalid", value=clean(str(use))[:40], field="use")
    with transaction() as session:
        mailbox = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        signature = (
            access.load(session, Signature, signature_id, access.own_signature(actor))
            if signature_id is not None
            else None
        )
        session.exec(
            delete(SignatureDefault).where(
                col(SignatureDefault.mailbox_id) == mailbox.id, col(SignatureDefault.use) == use
            )
        )
        if signature is not None:
            session.add(SignatureDefault(mailbox_id=mailbox.id or 0, use=use, signature_id=signature.id or 0))
        live.hint(session, actor.user_id, "writing")


def defaults(actor: Actor) -> tuple[MailboxSignatures, ...]:
    """Return for each of the actor's mailboxes what its mail begins with."""
    with reading() as session:
        mailboxes = session.exec(select(Mailbox).where(access.own_mailbox(actor)).order_by(col(Mailbox.id))).all()
        chosen = _defaults(session, actor)
        return tuple(
            MailboxSignatures(m.id or 0, m.address, chosen.get((m.id or 0, "new")), chosen.get((m.id or 0, "reply")))
            for m in mailboxes
        )


def for_mailbox(actor: Actor, mailbox_id: int, use: Use) -> SignatureView | None:
    """Return the signature that a mailbox's new mail or replies begin with, None for none."""
    with reading() as session:
        mailbox = access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
        row = default_row(session, actor, mailbox.id or 0, use)
        return _view(session, row) if row is not None else None


def default_row(session: Session, actor: Actor, mailbox_id: int, use: str) -> Signature | None:
    """Return the row behind `for_mailbox`, of a mailbox that is the actor's."""
    chosen = _defaults(session, actor).get((mailbox_id, use))
    return session.get(Signature, chosen) if chosen is not None else None


def put_in_draft(session: Session, draft: Outbox, signature: Signature | None) -> None:
    """Put a signature into a draft in place of the one there, with its images. The rows were authorised."""
    before = session.get(Signature, draft.signature_id) if draft.signature_id is not None else None
    old = [each.content_id for each in kept.of(session, before)] if before is not None else []
    draft.html = put(draft.html, signature.id or 0, signature.html) if signature else take_out(draft.html)
    draft.signature_id = signature.id if signature is not None else None
    kept.drop_from_draft(session, draft, old, draft.html)
    if signature is not None:
        kept.to_draft(session, draft, [each for each in kept.of(session, signature) if each.inline])


def use_in_draft(actor: Actor, draft_id: int, signature_id: int | None) -> DraftView:
    """Swap the signature of a draft; None takes it out.

    Save what the composer holds first: this changes what is stored. Raises UserError("outbox.not_draft").
    """
    with transaction() as session:
        draft = rows.own(session, actor, draft_id)
        if draft.state != "draft":
            raise UserError("outbox.not_draft")
        row = (
            access.load(session, Signature, signature_id, access.own_signature(actor))
            if signature_id is not None
            else None
        )
        put_in_draft(session, draft, row)
        draft.revision += 1
        draft.updated_at = utcnow()
        live.hint(session, actor.user_id, "outbox", draft.id)
        return rows.view(session, actor, draft)


def follow_sender(actor: Actor, draft_id: int) -> DraftView:
    """Give a draft the signature of its mailbox, after the sender was changed and saved; none where there is none.

    Raises UserError("outbox.not_draft").
    """
    with reading() as session:
        draft = access.load(session, Outbox, draft_id, access.own_outbox(actor))
        answers = draft.reply_to_message_id is not None or draft.forward_of_message_id is not None
        chosen = default_row(session, actor, draft.mailbox_id, "reply" if answers else "new")
    return use_in_draft(actor, draft_id, chosen.id if chosen is not None else None)


def add_image(actor: Actor, signature_id: int, filename: str, data: bytes) -> KeptFileView:
    """Keep an image for a signature; its text shows it as `cid:` + content_id."""
    with transaction() as session:
        row = access.load(session, Signature, signature_id, access.own_signature(actor))
        return kept.views([kept.add(session, row, filename, "", data, inline=True)])[0]


def image(actor: Actor, signature_id: int, content_id: str) -> tuple[KeptFileView, bytes]:
    """Return an image of a signature with its bytes."""
    with reading() as session:
        found = kept.one(
            session, access.load(session, Signature, signature_id, access.own_signature(actor)), content_id=content_id
        )
        view, sha = kept.views([found])[0], found.blob_sha
    return view, blobs.get(sha)


def block(signature_id: int, html: str) -> str:
    """Return a signature's text as the block that stands in a draft."""
    return f'<div class="{BLOCK_CLASS}" data-signature="{int(signature_id)}">{html}</div>'


def put(html: str, signature_id: int, signature_html: str) -> str:
    """Return a draft's HTML with this signature: in place of the one there, else above the quote, else at the end.

    Pure. Never leaves two; the same again when it is put twice. Blocks inside a quote are somebody else's.
    """
    rest, at = _without(html)
    made = block(signature_id, signature_html)
    if at is None:
        at = _above_quote(rest)
        made = made if "".join(each.raw for each in rest[:at]).strip() else _EMPTY_LINE + made
    return "".join([*(each.raw for each in rest[:at]), made, *(each.raw for each in rest[at:])])


def take_out(html: str) -> str:
    """Return a draft's HTML without its signature. Pure."""
    return "".join(each.raw for each in _without(html)[0])


def split(html: str) -> tuple[str, str]:
    """Return what is written in a draft, and what comes below it: signature, line of attribution, quote. Pure."""
    found = markup.tokens(html)
    for at, token in enumerate(found):
        if token.kind == "open" and any(
            token.has_class(each) for each in (BLOCK_CLASS, ATTRIBUTION_CLASS, QUOTE_CLASS)
        ):
            return "".join(each.raw for each in found[:at]), "".join(each.raw for each in found[at:])
    return html, ""


def signature_of(html: str) -> int | None:
    """Return the id of the signature that a draft's HTML has, None without one. Pure."""
    for token in _outside_quotes(markup.tokens(html)):
        if token.has_class(BLOCK_CLASS):
            value = token.attribute("data-signature") or ""
            return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None
    return None


def _without(html: str) -> tuple[list[markup.Token], int | None]:
    """Return the tokens without signature blocks, and where the first block stood."""
    found = markup.tokens(html)
    rest: list[markup.Token] = []
    place: int | None = None
    at = 0
    while at < len(found):
        token = found[at]
        if token.kind == "open" and token.has_class(QUOTE_CLASS):
            end = markup.closing(found, at)
            rest += found[at : end + 1]
            at = end
        elif token.kind == "open" and token.has_class(BLOCK_CLASS):
            place = len(rest) if place is None else place
            at = markup.closing(found, at)
        else:
            rest.append(token)
        at += 1
    return rest, place


def _outside_quotes(found: Sequence[markup.Token]) -> list[markup.Token]:
    kept_tokens: list[markup.Token] = []
    at = 0
    while at < len(found):
        if found[at].kind == "open" and found[at].has_class(QUOTE_CLASS):
            at = markup.closing(found, at)
        else:
            kept_tokens.append(found[at])
        at += 1
    return kept_tokens


def _above_quote(found: Sequence[markup.Token]) -> int:
    """Where the quote begins with the line that introduces it; the end without a quote."""
    for at, token in enumerate(found):
        if token.kind == "open" and (token.has_class(QUOTE_CLASS) or token.has_class(ATTRIBUTION_CLASS)):
            return at
    return len(found)


_ORDER = (col(Signature.position), col(Signature.id))


def _defaults(session: Session, actor: Actor) -> dict[tuple[int, str], int]:
    found = session.exec(
        select(SignatureDefault)
        .join(Signature, col(Signature.id) == col(SignatureDefault.signature_id))
        .where(access.own_signature(actor))
    )
    return {(row.mailbox_id, row.use): row.signature_id for row in found}


def _name(text: str) -> str:
    name = clean(text)
    if not name:
        raise UserError("input.missing", field="Name")
    if len(name) > MAX_NAME:
        raise UserError("input.too_long", field="Name", most=MAX_NAME)
    return name


def _html(html: str) -> str:
    if len(html) > MAX_HTML:
        raise UserError("signature.too_large", most=MAX_HTML)
    text = take_out(clean_html(html))  # a block in a block would be swapped as one of them
    merge_fields.check("", text)
    return merge_fields.with_pills(text)


def _view(session: Session, row: Signature) -> SignatureView:
    uses = session.exec(select(SignatureDefault).where(SignatureDefault.signature_id == row.id)).all()
    return SignatureView(
        row.id or 0,
        row.name,
        row.html,
        row.position,
        kept.views(kept.of(session, row)),
        tuple(sorted((each.mailbox_id, each.use) for each in uses)),
    )


def _changed(session: Session, actor: Actor, verb: str, row: Signature) -> SignatureView:
    session.add(row)
    session.flush()
    audit.record(session, actor, verb, "signature", row.id)
    live.hint(session, actor.user_id, "writing", row.id)
    return _view(session, row)
