"""Alternative addresses (M22): a user adds one, follows the link in a mail to it, and may use Smart Bcc from it.

    waiting ──link──▶ confirmed        waiting ──3 days──▶ expired ──resend──▶ waiting

Only a confirmed one counts as the user's own (own_addresses.py): blocking and linking follow, as in every verb here.
An address is confirmed for one user; the one who follows the link sees for whom. The mail is sent outside of any
transaction; one that could not be sent leaves the address waiting, with the reason told and Resend beside it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, update
from sqlmodel import Session, col, func, select

from mailcrm.config import config
from mailcrm.errors import MailcrmError, NotFound, UserError
from mailcrm.models import AlternativeAddress, AuditEntry, BccArrival, Mailbox, User, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.crm.linking.addresses import same, spellings
from mailcrm.services.db import reading, transaction
from mailcrm.services.i18n import gettext
from mailcrm.services.jobs import queue
from mailcrm.services.mail import letters, own_changes
from mailcrm.services.mail.outbox.addresses import is_address
from mailcrm.services.mail.signing_in import credentials
from mailcrm.services.rows import run
from mailcrm.services.smart_bcc import addresses, links

MOST = 20  # of one user
BETWEEN = timedelta(minutes=1)  # two mails to one address
MOST_LETTERS, TO_ONE = 40, 6  # of one user in a day, and of these to one address: it may be a stranger's
AGAIN_DAYS = 30  # how old mail may be that a confirmation lets in


@dataclass(frozen=True, slots=True)
class AlternativeView:
    """An address with its state: "waiting", "expired" or "confirmed"; `sent_at` None when no mail has left yet."""

    id: int
    address: str
    state: str
    sent_at: datetime | None
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a link would confirm, for the page that asks."""

    address: str
    name: str
    login: str
    language: str


def list_alternatives(actor: Actor) -> tuple[AlternativeView, ...]:
    """List the actor's, oldest first."""
    with reading() as session:
        found = session.exec(select(AlternativeAddress).where(_own(actor)).order_by(col(AlternativeAddress.id))).all()
        return tuple(_view(row) for row in found)


def get(actor: Actor, alternative_id: int) -> AlternativeView:
    """Return one of the actor's; NotFound for anybody else's."""
    with reading() as session:
        return _view(access.load(session, AlternativeAddress, alternative_id, _own(actor)))


def add(actor: Actor, address: str) -> AlternativeView:
    """Add an address and send the mail that confirms it. One that is there already gets the mail again.

    Raises what sending raised, after the address was added: it waits, and `resend` sends.
    """
    wanted = _checked(address)
    with transaction() as session:
        _check_free(session, actor, wanted)
        row = _find(session, actor, wanted)
        if row is None:
            count = session.exec(select(func.count()).select_from(AlternativeAddress).where(_own(actor))).one()
            if count >= MOST:
                raise UserError("smart_bcc.most", most=MOST)
            row = AlternativeAddress(user_id=actor.user_id, address=wanted)
            session.add(row)
            session.flush()
            own_changes.settle(session)  # not own yet: nothing follows
            audit.record(session, actor, "add", "alternative_address", row.id, address=wanted)
        if row.confirmed_at is not None:
            return _view(row)
        row_id = row.id or 0
    return resend(actor, row_id)


def resend(actor: Actor, alternative_id: int) -> AlternativeView:
    """Send the mail again; the link of an earlier one ends. Raises what sending raises."""
    now = utcnow()
    with transaction() as session:
        row = access.load(session, AlternativeAddress, alternative_id, _own(actor))
        if row.confirmed_at is not None:
            return _view(row)
        if row.sent_at is not None and row.sent_at > now - BETWEEN:
            raise UserError("smart_bcc.soon")
        _check_few(session, actor, row.address, now)
        audit.record(session, actor, "send", "alternative_address", alternative_id, address=row.address)
        token, row.token_hash = links.make(alternative_id, now)
        before, row.sent_at = row.sent_at, now
        session.add(row)
        user = session.get_one(User, actor.user_id)
        to, name, login, language = row.address, user.name, user.email, user.language
    try:
        _send(actor, to, *_letter(language, name, login, to, token))
    except MailcrmError:
        with transaction() as session:
            kept = session.get(AlternativeAddress, alternative_id)
            if kept is not None and kept.sent_at == now:
                kept.sent_at = before
                session.add(kept)
            _mark_failed(session, actor, alternative_id)
            live.hint(session, actor.user_id, "smart_bcc")
        raise
    return get(actor, alternative_id)


def offer(token: str) -> Offer:
    """Return what a link would confirm; changes nothing. Raises UserError("smart_bcc.link")."""
    with reading() as session:
        row = _of_token(session, token)
        user = session.get_one(User, row.user_id)
        return Offer(row.address, user.name, user.email, user.language)


def confirm(token: str) -> Offer:
    """Confirm an address; the link is used up. Mail that waited for it is looked at again.

    Whoever has the link has the address: no session is asked for. Raises UserError("smart_bcc.link").
    """
    with transaction() as session:
        row = _of_token(session, token, alone=True)
        user = session.get_one(User, row.user_id)
        _check_free(session, access.actor_for(session, row.user_id), row.address)
        row.confirmed_at, row.token_hash = utcnow(), ""
        session.add(row)
        session.flush()
        own_changes.settle(session, gained=(row.address,))
        _look_again(session, row)
        audit.record(session, None, "confirm", "alternative_address", row.id, address=row.address)
        live.hint(session, row.user_id, "smart_bcc")
        shown = Offer(row.address, user.name, user.email, user.language)
    queue.enqueue("smart_bcc")
    return shown


def remove(actor: Actor, alternative_id: int) -> AlternativeView:
    """Delete an address; mail from it is not taken any more. Returns what it was, for `restore`."""
    with transaction() as session:
        row = access.load(session, AlternativeAddress, alternative_id, _own(actor))
        view = _view(row)
        session.delete(row)
        session.flush()
        if row.confirmed_at is not None:
            own_changes.settle(session, lost=(row.address,))
        audit.record(session, actor, "remove", "alternative_address", alternative_id, address=row.address,
                     confirmed=row.confirmed_at.isoformat() if row.confirmed_at else "")  # fmt: skip
        live.hint(session, actor.user_id, "smart_bcc")
    return view


def restore(actor: Actor, address: str) -> AlternativeView:
    """Undo `remove`, a minute at most after it: confirmed again if it was, by what the audit trail says."""
    wanted = _checked(address)
    with transaction() as session:
        _check_free(session, actor, wanted)
        removed = session.exec(
            select(AuditEntry)
            .where(
                AuditEntry.actor_id == actor.user_id,
                AuditEntry.verb == "remove",
                AuditEntry.object_kind == "alternative_address",
                col(AuditEntry.at) > utcnow() - timedelta(minutes=1),
            )
            .order_by(col(AuditEntry.id).desc())
        ).all()
        known = next((each for each in removed if each.detail.get("address") == wanted), None)
        if known is None or _find(session, actor, wanted) is not None:
            raise NotFound
        confirmed = str(known.detail.get("confirmed") or "")
        row = AlternativeAddress(
            user_id=actor.user_id, address=wanted,
            confirmed_at=datetime.fromisoformat(confirmed) if confirmed else None,
        )  # fmt: skip
        session.add(row)
        session.flush()
        own_changes.settle(session, gained=(wanted,) if confirmed else ())
        audit.record(session, actor, "restore", "alternative_address", row.id, address=wanted)
        live.hint(session, actor.user_id, "smart_bcc")
        return _view(row)


def _own(actor: Actor) -> ColumnElement[bool]:
    return col(AlternativeAddress.user_id) == actor.user_id


def _view(row: AlternativeAddress) -> AlternativeView:
    expired = row.sent_at is not None and row.sent_at < utcnow() - links.LIFETIME
    state = "confirmed" if row.confirmed_at else "expired" if expired else "waiting"
    return AlternativeView(row.id or 0, row.address, state, row.sent_at, row.confirmed_at)


def _checked(address: str) -> str:
    wanted = address.strip().lower()
    if not is_address(wanted) or re.search(r"[\s<>]", wanted):
        raise UserError("auth.email_invalid", email=address.strip()[:80])
    return same(wanted)


def _find(session: Session, actor: Actor, address: str) -> AlternativeAddress | None:
    return session.exec(select(AlternativeAddress).where(_own(actor), AlternativeAddress.address == address)).first()


def _check_free(session: Session, actor: Actor, address: str) -> None:
    """Refuse what can't be one's own: a colleague's, one's own sign-in, a Smart Bcc address."""
    wanted = spellings([address])
    taken = session.exec(select(User.id).where(col(User.email).in_(wanted))).first()
    if taken == actor.user_id:
        raise UserError("smart_bcc.own_login", address=address)
    theirs = select(AlternativeAddress.id).where(
        col(AlternativeAddress.address).in_(wanted),
        col(AlternativeAddress.user_id) != actor.user_id,
        col(AlternativeAddress.confirmed_at).is_not(None),
    )
    if taken is not None or session.exec(theirs).first() is not None:
        raise UserError("smart_bcc.taken", address=address)
    if any(place.local_part(address) is not None for place in addresses.all_places(session)):
        raise UserError("smart_bcc.inside", address=address)


def _check_few(session: Session, actor: Actor, address: str, now: datetime) -> None:
    """Refuse to flood anybody with letters, also by adding and deleting an address again and again."""
    letters_sent = session.exec(
        select(AuditEntry).where(
            AuditEntry.actor_id == actor.user_id,
            AuditEntry.verb == "send",
            AuditEntry.object_kind == "alternative_address",
            col(AuditEntry.at) > now - timedelta(days=1),
        )
    ).all()
    left = [entry for entry in letters_sent if not entry.detail.get("failed")]
    to_it = [entry for entry in left if entry.detail.get("address") == address]
    if len(left) >= MOST_LETTERS or len(to_it) >= TO_ONE:
        raise UserError("smart_bcc.soon")


def _mark_failed(session: Session, actor: Actor, alternative_id: int) -> None:
    """Let a letter that did not leave not count."""
    sent = select(AuditEntry).where(
        AuditEntry.actor_id == actor.user_id,
        AuditEntry.verb == "send",
        AuditEntry.object_kind == "alternative_address",
        AuditEntry.object_id == alternative_id,
    )
    entry = session.exec(sent.order_by(col(AuditEntry.id).desc())).first()
    if entry is not None:
        entry.detail = {**entry.detail, "failed": True}
        session.add(entry)


def _of_token(session: Session, token: str, *, alone: bool = False) -> AlternativeAddress:
    read = links.read(token, utcnow())
    if read is None:
        raise UserError("smart_bcc.link")
    query = select(AlternativeAddress).where(AlternativeAddress.id == read[0], AlternativeAddress.token_hash == read[1])
    row = session.exec(query.with_for_update() if alone else query).first()
    if row is None or row.confirmed_at is not None:
        raise UserError("smart_bcc.link")
    return row


def _look_again(session: Session, row: AlternativeAddress) -> None:
    """Let mail in that waited for the confirmation; it is checked like any other."""
    waiting = update(BccArrival).where(
        col(BccArrival.state) == "quarantined",
        col(BccArrival.reason) == "smart_bcc.unconfirmed",
        # By address: somebody else may have claimed it first, and the row have their name.
        col(BccArrival.reason_params)["address"].as_string().in_(spellings([row.address])),
        col(BccArrival.blob_sha).is_not(None),
        col(BccArrival.received_at) > utcnow() - timedelta(days=AGAIN_DAYS),
    )
    run(session, waiting.values(state="waiting", next_try_at=None, tries=0))


def _letter(language: str, name: str, login: str, address: str, token: str) -> tuple[str, str]:
    url = f"{config().public_url}/confirm-address/{token}"
    lines = (
        gettext(language, "{name} ({login}) wants to use {address} with Smart Bcc in mailcrm.", name=name, login=login,
                address=address),
        gettext(language, "Open this link to confirm the address. It works once, for three days:"),
        url,
        gettext(language, "If you don’t know {name}, do nothing: without the link the address is not used.", name=name),
    )  # fmt: skip
    return gettext(language, "Confirm {address} for mailcrm", address=address), "\n\n".join(lines) + "\n"


def _send(actor: Actor, to: str, subject: str, text: str) -> None:
    """Through the workspace's server, else through a mailbox of the user's own."""
    if letters.is_set_up():
        letters.send(to, subject, text)
        return
    with reading() as session:
        working = select(Mailbox.id, Mailbox.address).where(
            access.own_mailbox(actor), Mailbox.status == "active", Mailbox.kind == "imap"
        )
        found = session.exec(working.order_by(col(Mailbox.last_success_at).desc(), col(Mailbox.id))).first()
    if found is None:
        raise UserError("own_mail.off")
    through = credentials(found[0] or 0)
    letters.send_through(through.smtp, through.smtp_password, found[1], to, subject, text)
