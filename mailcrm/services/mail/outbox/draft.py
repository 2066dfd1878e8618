"""Drafts: begin one (new, reply, reply to all, forward), save it, add files, throw it away.

Does not send (queue.py) and builds no MIME (build.py). A draft belongs to its user alone: for anybody else it is
NotFound. What is typed as an address is kept as typed; it is judged when it is queued.
"""

from __future__ import annotations

from typing import Literal

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from mailcrm.errors import NotFound, UserError
from mailcrm.models import (
    AlternativeAddress,
    Deal,
    Lead,
    Mailbox,
    MailboxAlias,
    Message,
    Outbox,
    OutboxAttachment,
    Person,
    PersonAddress,
    Signature,
    Template,
    utcnow,
)
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.i18n import zone
from mailcrm.services.mail import blobs, messages, own_links
from mailcrm.services.mail.outbox import correspondents, quote, rows
from mailcrm.services.mail.outbox.addresses import check_addresses as _check
from mailcrm.services.mail.outbox.addresses import clean
from mailcrm.services.mail.outbox.html import clean_html
from mailcrm.services.mail.outbox.views import AddressCheck, DraftInput, DraftNewer, DraftView
from mailcrm.services.mail.parse.attachments import safe_filename
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.parse.values import Address, ParsedMessage, UnparsableMessage
from mailcrm.services.mail.views import AddressView
from mailcrm.services.writing import signatures

Mode = Literal["new", "reply", "reply_all", "forward"]

MAX_SUBJECT = 2000  # characters, as the parser keeps
MAX_ATTACHED = 25 * 1024 * 1024  # bytes in all: Gmail's and Microsoft's limit for a message
MAX_FILES = 100

__all__ = ["attach", "check_addresses", "complete", "detach", "discard", "get", "new_draft", "save"]


def new_draft(
    actor: Actor,
    *,
    mailbox_id: int | None = None,
    to: str = "",
    deal_id: int | None = None,
    lead_id: int | None = None,
    person_id: int | None = None,
    reply_to_message_id: int | None = None,
    mode: Mode = "new",
) -> DraftView:
    """Begin a draft; a reply or forward takes recipients, subject, quote and files from the message.

    Raises NotFound (message, deal, lead, person or mailbox that the actor may not see), UserError("outbox.no_mailbox").
    """
    with reading() as session:
        original = None
        if mode != "new":
            original = access.load(session, Message, reply_to_message_id, access.visible_message(actor))
    raw = blobs.get(original.blob_sha) if original is not None else b""
    parsed = _parsed(raw)
    files = _original_files(actor, original.id or 0, parsed) if mode == "forward" and original and parsed else []
    with transaction() as session:
        mailbox = _mailbox(session, actor, mailbox_id, original)
        row = Outbox(
            user_id=actor.user_id,
            mailbox_id=mailbox.id or 0,
            visibility=mailbox.default_visibility,
            track_opens=mailbox.track_opens,
            track_clicks=mailbox.track_clicks,
            track_copies=mailbox.track_copies,
        )
        if deal_id is not None:
            row.deal_id = access.load(session, Deal, deal_id, access.visible_crm(actor, Deal)).id
        if lead_id is not None:
            row.lead_id = access.load(session, Lead, lead_id, access.visible_crm(actor, Lead)).id
        session.add(row)
        session.flush()
        people: dict[str, list[tuple[str, str]]] = {"to": _with_names(session, actor, _typed(to)), "cc": []}
        if person_id is not None:
            people["to"] += _person_address(session, actor, person_id)
        if original is not None and parsed is not None:
            _take_original(actor, row, original, parsed, mode)
            if mode != "forward":
                people = _reply_recipients(parsed, own_addresses(session, mailbox), mode == "reply_all")
        signature = signatures.default_row(session, actor, mailbox.id or 0, "new" if mode == "new" else "reply")
        if signature is not None:
            signatures.put_in_draft(session, row, signature)
        for role, found in people.items():
            rows.write_recipients(session, row, role, found)
        for filename, content_type, data, content_id in files:
            _add_file(session, row, filename, content_type, data, content_id)
        live.hint(session, actor.user_id, "outbox", row.id)
        return rows.view(session, actor, row)


def get(actor: Actor, draft_id: int) -> DraftView:
    """Load one draft or outgoing message."""
    with reading() as session:
        return rows.view(session, actor, access.load(session, Outbox, draft_id, access.own_outbox(actor)))


def save(actor: Actor, draft_id: int, entered: DraftInput) -> DraftView:
    """Keep what the composer holds; raises the draft's revision.

    Raises UserError: "outbox.not_draft" once it was queued, "outbox.not_alias"; DraftNewer for an older revision.
    """
    subject, html = clean(entered.subject), clean_html(entered.html)
    if len(subject) > MAX_SUBJECT:
        raise UserError("input.too_long", field="Subject", most=MAX_SUBJECT)
    if entered.visibility not in ("private", "shared"):
        raise UserError("input.invalid", value=clean(str(entered.visibility))[:40], field="visibility")
    with transaction() as session:
        row = _draft(session, actor, draft_id)
        if _is_same(row, kept := rows.view(session, actor, row), entered, subject, html):
            return kept  # nothing changed: no other tab has to hear of it
        if entered.revision is not None and entered.revision < row.revision:
            raise DraftNewer(rows.view(session, actor, row))
        row.revision += 1
        mailbox = access.load(session, Mailbox, entered.mailbox_id, access.own_mailbox(actor))
        row.mailbox_id = mailbox.id or 0
        row.from_address = alias_of(session, mailbox, entered.from_address)
        row.plain = bool(entered.plain)
        row.remind_days = entered.remind_days
        row.subject, row.html = subject, html
        row.track_opens, row.track_clicks = bool(entered.track_opens), bool(entered.track_clicks)
        row.track_copies = bool(entered.track_copies)
        row.visibility = entered.visibility
        if entered.deal_id != row.deal_id:
            row.deal_id = (
                access.load(session, Deal, entered.deal_id, access.visible_crm(actor, Deal)).id
                if entered.deal_id is not None
                else None
            )
        if entered.lead_id != row.lead_id:
            row.lead_id = (
                access.load(session, Lead, entered.lead_id, access.visible_crm(actor, Lead)).id
                if entered.lead_id is not None
                else None
            )
        _remember_kept(session, actor, row, entered)
        for role, typed in (("to", entered.to), ("cc", entered.cc), ("bcc", entered.bcc)):
            rows.write_recipients(session, row, role, _typed(typed))
        row.updated_at = utcnow()
        live.hint(session, actor.user_id, "outbox", row.id)
        return rows.view(session, actor, row)


def _is_same(row: Outbox, kept: DraftView, entered: DraftInput, subject: str, html: str) -> bool:
    """Whether a draft has all that was entered already."""
    wanted = clean(entered.from_address).lower()
    names = ("mailbox_id", "track_opens", "track_clicks", "visibility", "deal_id", "lead_id", "plain", "remind_days")
    return (
        (kept.subject, kept.html, kept.track_copies) == (subject, html, entered.track_copies)
        and (kept.signature_id, kept.template_id) == (entered.signature_id, entered.template_id)
        and all(getattr(kept, name) == getattr(entered, name) for name in names)
        and wanted in (row.from_address.lower(), kept.from_address.lower())
        and all(_typed(getattr(kept, role)) == _typed(getattr(entered, role)) for role in rows.ROLES)
    )


def discard(actor: Actor, draft_id: int) -> None:
    """Throw a draft away, or a message that failed or stayed unknown. What was handed over stays in its thread."""
    with transaction() as session:
        row = rows.own(session, actor, draft_id)
        if row.state not in ("draft", "failed", "unknown", "cancelled"):
            raise UserError("outbox.not_draft")
        audit.record(session, actor, "discard", "outbox", row.id, state=row.state)
        live.hint(session, actor.user_id, "outbox", row.id)
        session.delete(row)


def attach(
    actor: Actor, draft_id: int, filename: str, content_type: str, data: bytes, *, content_id: str = ""
) -> DraftView:
    """Add a file; with `content_id` it is an inline image. Raises UserError("outbox.too_large")."""
    with transaction() as session:
        row = _draft(session, actor, draft_id)
        _add_file(session, row, filename, content_type, data, content_id)
        row.updated_at = utcnow()
        return rows.view(session, actor, row)


def detach(actor: Actor, draft_id: int, n: int) -> DraftView:
    """Take a file away again. Raises NotFound when there is none of that number."""
    with transaction() as session:
        row = _draft(session, actor, draft_id)
        found = session.exec(
            select(OutboxAttachment).where(OutboxAttachment.outbox_id == row.id, OutboxAttachment.n == n)
        ).first()
        if found is None:
            raise NotFound
        session.delete(found)
        row.updated_at = utcnow()
        session.flush()
        return rows.view(session, actor, row)


def check_addresses(text: str) -> tuple[AddressCheck, ...]:
    """Read a typed list of addresses; each says whether mail can be sent to it."""
    return _check(text)


def complete(actor: Actor, prefix: str) -> tuple[AddressView, ...]:
    """Return at most eight people and correspondents whose address or a word of whose name begins with `prefix`."""
    return correspondents.complete(actor, prefix)


def own_addresses(session: Session, mailbox: Mailbox) -> frozenset[str]:
    """Return the own addresses of a mailbox, in lower case: its address, aliases, confirmed alternatives of its user."""
    aliases = session.exec(select(MailboxAlias.address).where(MailboxAlias.mailbox_id == mailbox.id))
    confirmed = session.exec(
        select(AlternativeAddress.address).where(
            AlternativeAddress.user_id == mailbox.user_id, col(AlternativeAddress.confirmed_at).is_not(None)
        )
    )
    return frozenset(each.lower() for each in (mailbox.address, *aliases, *confirmed))


def alias_of(session: Session, mailbox: Mailbox, address: str) -> str:
    """Return the mailbox's alias as it is kept, "" for its own address. Raises UserError("outbox.not_alias")."""
    wanted = clean(address).lower()
    if wanted in ("", mailbox.address.lower()):
        return ""
    kept = session.exec(select(MailboxAlias.address).where(MailboxAlias.mailbox_id == mailbox.id)).all()
    found = next((each for each in kept if each.lower() == wanted), None)
    if found is None:
        raise UserError("outbox.not_alias", address=wanted[:100])
    return found


def _remember_kept(session: Session, actor: Actor, row: Outbox, entered: DraftInput) -> None:
    """Note which signature and template are in the text; both only name where it came from."""
    if entered.signature_id != row.signature_id:
        mine = col(Signature.user_id) == actor.user_id
        row.signature_id = _known(session, Signature, entered.signature_id, mine)
    if entered.template_id != row.template_id:
        mine = (col(Template.user_id) == actor.user_id) | col(Template.shared).is_(True)
        row.template_id = _known(session, Template, entered.template_id, mine)


def _known(
    session: Session, model: type[Signature | Template], row_id: int | None, mine: ColumnElement[bool]
) -> int | None:
    return access.load(session, model, row_id, mine).id if row_id is not None else None


def _draft(session: Session, actor: Actor, draft_id: int) -> Outbox:
    row = rows.own(session, actor, draft_id)
    if row.state != "draft":
        raise UserError("outbox.not_draft")
    return row


def _mailbox(session: Session, actor: Actor, mailbox_id: int | None, original: Message | None) -> Mailbox:
    """The mailbox asked for; else the one the original is in; else the actor's first (settled question 4)."""
    if mailbox_id is not None:
        return access.load(session, Mailbox, mailbox_id, access.own_mailbox(actor))
    if original is not None and original.user_id == actor.user_id:
        own = select(Mailbox).where(access.own_mailbox(actor), Mailbox.id == original.mailbox_id)
        held_in = session.exec(own).first()
        if held_in is not None:  # Smart Bcc mail is in none that could send
            return held_in
    found = session.exec(select(Mailbox).where(access.own_mailbox(actor)).order_by(col(Mailbox.id))).first()
    if found is None:
        raise UserError("outbox.no_mailbox")
    return found


def _parsed(raw: bytes) -> ParsedMessage | None:
    try:
        return own_links.restored(parse_message(raw)) if raw else None
    except UnparsableMessage:
        return None


def _take_original(actor: Actor, row: Outbox, original: Message, parsed: ParsedMessage, mode: Mode) -> None:
    at = original.sent_at or original.sort_at
    where = zone(actor.time_zone)
    if mode == "forward":
        row.forward_of_message_id = original.id
        row.subject = quote.forward_subject(parsed.subject)
        row.html = clean_html(quote.quote_forward(parsed, at, language=actor.language, zone=where))
    else:
        row.reply_to_message_id = original.id
        row.subject = quote.reply_subject(parsed.subject)
        row.html = clean_html(quote.quote_reply(parsed, at, language=actor.language, zone=where))


def _reply_recipients(parsed: ParsedMessage, own: frozenset[str], to_all: bool) -> dict[str, list[tuple[str, str]]]:
    """Who a reply goes to: Reply-To or From; one's own message is answered to whom it went."""
    sender = parsed.reply_to or parsed.from_
    from_me = any(each.address.lower() in own for each in parsed.from_)
    main = list(parsed.to) if from_me else list(sender)
    others = [] if from_me else list(parsed.to)
    taken: set[str] = set(own)
    first = _new_only(main, taken)
    if not first and not to_all:
        first = [(each.name, each.address) for each in main[:1]]  # a note to oneself
    found = {"to": first, "cc": []}
    if to_all:
        found["to"] += _new_only(others, taken)
        found["cc"] = _new_only(list(parsed.cc), taken)
    return found


def _new_only(addresses: list[Address], taken: set[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for each in addresses:
        if each.address and each.address.lower() not in taken:
            taken.add(each.address.lower())
            found.append((clean(each.name), clean(each.address)))
    return found


def _original_files(actor: Actor, message_id: int, parsed: ParsedMessage) -> list[tuple[str, str, bytes, str]]:
    return [  # what was left on the server is fetched now, or the forwarding fails with the reason
        (each.filename, each.content_type, messages.load_attachment(actor, message_id, each.n)[1], "")
        for each in parsed.attachments[:MAX_FILES]
        if not each.inline  # the quote is text: an inline image would be a stray file
    ]


def _add_file(session: Session, row: Outbox, filename: str, content_type: str, data: bytes, content_id: str) -> None:
    have = session.exec(
        select(
            func.count(),
            func.coalesce(func.sum(OutboxAttachment.size), 0),
            func.coalesce(func.max(OutboxAttachment.n), 0),
        ).where(OutboxAttachment.outbox_id == row.id)
    ).one()
    if have[0] >= MAX_FILES or int(have[1]) + len(data) > MAX_ATTACHED:
        raise UserError("outbox.too_large", most=MAX_ATTACHED // 1024**2)
    session.add(
        OutboxAttachment(
            outbox_id=row.id or 0,
            n=int(have[2]) + 1,
            filename=safe_filename(filename) or "file",
            content_type=rows.media_type(content_type),
            size=len(data),
            blob_sha=rows.keep_blob(session, data),
            inline=bool(content_id),
            content_id=rows.content_id(content_id),
        )
    )
    session.flush()


def _person_address(session: Session, actor: Actor, person_id: int) -> list[tuple[str, str]]:
    person = access.load(session, Person, person_id, access.visible_crm(actor, Person))
    address = session.exec(
        select(PersonAddress.address).where(PersonAddress.person_id == person.id).order_by(col(PersonAddress.position))
    ).first()
    return [(person.name, address)] if address else []


def _with_names(session: Session, actor: Actor, people: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give an address that came without a name the name of its person, where the actor may see them."""
    nameless = {address.lower() for name, address in people if not name}
    if not nameless:
        return people
    found = session.exec(
        select(PersonAddress.address, Person.name)
        .join(Person, col(Person.id) == col(PersonAddress.person_id))
        .where(col(PersonAddress.address).in_(sorted(nameless)[:100]), access.visible_crm(actor, Person))
        .order_by(col(Person.id).desc())
    )
    names = dict(found.all())
    return [(name or clean(names.get(address.lower(), "")), address) for name, address in people]


def _typed(text: str) -> list[tuple[str, str]]:
    return [(each.name, each.address) for each in _check(text)]
