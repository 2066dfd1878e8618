"""The job "smart_bcc": decides what becomes of what arrived, one row at a time. Idempotent; any number may run at once.

    unreadable ─▶ quarantined        automatic, bounce, list, loop ─▶ ignored
    unknown address, stranger ─▶ refused        known user, old address ─▶ quarantined, with a notice
    From not one address, unconfirmed, not genuine, sent once more by somebody, another's deal ─▶ quarantined, with a notice
    else ─▶ stored, or duplicate of what is there; linked to what the address names

A state and a reason for each row: nothing is lost silently. Nothing is ever sent in answer. A name server that stays
silent is asked again, ever less often. What a person released is taken as genuine, and nothing else is let off.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import ColumnElement, and_, or_, update
from sqlalchemy.exc import DataError, DBAPIError
from sqlmodel import Session, col, select

from mailcrm.errors import NotFound
from mailcrm.models import BccAddress, BccArrival, Deal, Lead, User, utcnow
from mailcrm.services import access, live
from mailcrm.services.db import reading, transaction
from mailcrm.services.jobs import queue
from mailcrm.services.mail import blobs, store
from mailcrm.services.mail.own_addresses import workspace_addresses
from mailcrm.services.mail.parse.message import parse_message
from mailcrm.services.mail.parse.values import ParsedMessage, UnparsableMessage
from mailcrm.services.rows import run
from mailcrm.services.smart_bcc import addresses, authentic, keep, loops, notices, originals, places
from mailcrm.services.smart_bcc.aligned import Checks, checks_of, is_fresh, is_genuine
from mailcrm.services.smart_bcc.author import sole_author
from mailcrm.services.smart_bcc.keep import Item, Kept
from mailcrm.services.smart_bcc.newcomers import make_people
from mailcrm.services.smart_bcc.places import Place
from mailcrm.services.smart_bcc.users import sender_of

LEASE = timedelta(minutes=5)  # longer than all lookups of one message
WAITS_S = (30, 120, 600, 1800)  # between tries when name servers stay silent
AGAIN_S = 3  # until a message that is being sent from here is one of ours
MOST_TRIES = 40
BUDGET_S = 60.0  # of one run

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of an arrival. `told`: its user gets a notice. `drop`: its bytes are not kept."""

    state: str
    reason: str = ""
    params: dict[str, Any] = field(default_factory=dict[str, Any])
    user_id: int | None = None
    told: bool = False
    drop: bool = False
    message_id: int | None = None
    words: str = ""
    again_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Mail:
    """An arrival with what its bytes say."""

    row: BccArrival
    raw: bytes
    parsed: ParsedMessage
    places: tuple[Place, ...]
    address: BccAddress | None
    author: str | None


def is_due(now: datetime) -> ColumnElement[bool]:
    """Arrivals that wait for a decision."""
    ready = or_(col(BccArrival.next_try_at).is_(None), col(BccArrival.next_try_at) <= now)
    return and_(col(BccArrival.state) == "waiting", ready)


def take_in(limit: int = 50, should_stop: Any = None) -> int:
    """Decide about what is due; return how many arrivals were looked at."""
    done, ends = 0, time.monotonic() + BUDGET_S
    while done < limit and time.monotonic() < ends and not (should_stop and should_stop()):
        arrival_id = _claim()
        if arrival_id is None:
            break
        settle(arrival_id)
        done += 1
    return done


def settle(arrival_id: int) -> None:
    """Decide about one arrival whose turn was claimed. Whatever goes wrong, the row says so."""
    try:
        _settle(arrival_id)
    except keep.BeingSent:
        _write(arrival_id, Outcome("waiting", again_s=AGAIN_S))
    except blobs.BlobLost:
        _write(arrival_id, Outcome("failed", "smart_bcc.lost"))
    except Exception as error:
        if isinstance(error, DBAPIError) and not isinstance(error, DataError):
            raise  # the lease runs out, and another worker comes; what a column can't hold, it never will
        log.exception("an arrival broke", arrival=arrival_id)
        _write(arrival_id, Outcome("quarantined", "smart_bcc.broke", {"kind": type(error).__name__}))


def _claim() -> int | None:
    now = utcnow()
    with transaction() as session:
        found = session.exec(
            select(BccArrival.id)
            .where(is_due(now))
            .order_by(col(BccArrival.id))
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if found is None:
            return None
        mine = update(BccArrival).where(col(BccArrival.id) == found, is_due(now))
        taken = run(session, mine.values(next_try_at=now + LEASE, tries=BccArrival.tries + 1)).rowcount
        return found if taken else None


def _settle(arrival_id: int) -> None:
    with reading() as session:
        row = session.get(BccArrival, arrival_id)
        if row is None or row.state != "waiting" or row.blob_sha is None:
            return
        session.expunge(row)
    raw = blobs.get(row.blob_sha)
    try:
        mail = _read(row, raw)
    except UnparsableMessage as error:
        _write(arrival_id, Outcome("quarantined", error.reason, dict(error.params)))
        return
    outcome = _refusal(mail)
    if outcome is not None:
        _write(arrival_id, outcome)
        return
    checks = _checks(mail)
    with reading() as session:
        sender = sender_of(session, mail.author or "")
        user_id = sender.user_id if sender else 0
    released = bool(row.checks.get("released"))
    if not released and not is_genuine((mail.author or "").rpartition("@")[2], checks):
        if checks.unsure and row.tries <= len(WAITS_S):
            _write(arrival_id, Outcome("waiting", user_id=user_id, again_s=WAITS_S[row.tries - 1]))
            return
        code = "smart_bcc.unsure" if checks.unsure else "smart_bcc.not_genuine"
        _write(arrival_id, Outcome("quarantined", code, {"address": mail.author}, user_id, told=True))
        return
    if not released and not is_fresh(
        (mail.author or "").rpartition("@")[2], checks, row.received_at, mail.parsed.sent_at
    ):
        _write(arrival_id, Outcome("quarantined", "smart_bcc.stale", {"address": mail.author}, user_id, told=True))
        return
    _write_kept(mail, user_id)


def _read(row: BccArrival, raw: bytes) -> Mail:
    parsed = parse_message(raw)
    with reading() as session:
        known = addresses.all_places(session)
        locals_ = [local for place in known if (local := place.local_part(row.envelope_to)) is not None]
        found = session.exec(select(BccAddress).where(col(BccAddress.local_part).in_(locals_))).first()
        if found is not None:
            session.expunge(found)
    return Mail(row, raw, parsed, known, found, sole_author(raw))


def _refusal(mail: Mail) -> Outcome | None:
    """Why a message goes no further, by what is cheap to know; None when its sender is to be checked."""
    known = bool(mail.row.checks.get("known", True))
    ignored = loops.why_ignored(mail.raw, mail.parsed, mail.row.envelope_from if known else None)
    if ignored:
        return Outcome("ignored", ignored, drop=mail.address is None)
    with reading() as session:
        sender = sender_of(session, mail.author) if mail.author else None
        if mail.address is None or mail.address.revoked_at is not None:
            code = "smart_bcc.unknown_address" if mail.address is None else "smart_bcc.old_address"
            if sender is None or not sender.confirmed:
                return Outcome("refused", code, {"address": mail.row.envelope_to}, drop=mail.address is None)
            # Only what the author sent is worth a notice: a forger would choose whom to bother.
            genuine = is_genuine((mail.author or "").rpartition("@")[2], _checks(mail))
            params = {"address": mail.row.envelope_to}
            return Outcome("quarantined", code, params, sender.user_id, told=genuine)
        if mail.author is None:
            return Outcome("quarantined", "smart_bcc.author")
        if sender is None:
            return Outcome("quarantined", "smart_bcc.stranger", {"address": mail.author})
        if not sender.confirmed:
            return Outcome("quarantined", "smart_bcc.unconfirmed", {"address": mail.author}, sender.user_id, told=True)
        if not mail.row.checks.get("released") and not _may_see(session, sender.user_id, mail.address):
            return Outcome("quarantined", "smart_bcc.out_of_reach", {}, sender.user_id, told=True)
    return None


def _may_see(session: Session, user_id: int, address: BccAddress) -> bool:
    """Whether the user may see what the address names."""
    try:
        actor = access.actor_for(session, user_id)
        if address.deal_id is not None:
            access.load(session, Deal, address.deal_id, access.visible_crm(actor, Deal))
        if address.lead_id is not None:
            access.load(session, Lead, address.lead_id, access.visible_crm(actor, Lead))
    except NotFound:
        return False
    return True


def _checks(mail: Mail) -> Checks:
    """What was found about the sender: kept in the row, because keys are changed, and asked again only when unsure."""
    kept = checks_of(mail.row.checks)
    if kept is not None and not kept.unsure:
        return kept
    known = bool(mail.row.checks.get("known", True))
    handover = authentic.Handover(
        mail_from=mail.row.envelope_from if known else "",
        address=mail.row.client_address,
        name=mail.row.client_name,
        ours=bool(mail.row.checks.get("ours")),
    )
    found = authentic.examine(mail.raw, handover)
    mail.row.checks = {**mail.row.checks, **found.as_json()}
    with transaction() as session:
        run(session, update(BccArrival).where(col(BccArrival.id) == mail.row.id).values(checks=mail.row.checks))
    return found


def _write_kept(mail: Mail, user_id: int) -> None:
    """Store what was accepted, and the row's end, in one transaction."""
    address = mail.address
    assert address is not None
    assert mail.row.id is not None
    with reading() as session:
        own = workspace_addresses(session)
        user = session.get_one(User, user_id)
        zone = ZoneInfo(user.time_zone)
        reach = _may_see(session, user_id, address)
    items, how, words = _items(mail, own, user_id, zone)
    make_people(user_id, [item.parsed for item in items])
    target = {"deal_id": address.deal_id, "lead_id": address.lead_id} if reach else {}
    with transaction(durable=True) as session:
        store.save_blobs(session, {item.sha: item.size for item in items})
        kept = keep.keep(session, user_id, items, wait=mail.row.tries < MOST_TRIES, **target)
        outcome = _outcome(kept, how, user_id, names_target=bool(any(target.values())))
        _write_in(session, mail.row.id, replace(outcome, words=words))
    queue.enqueue("link_pending")


def _outcome(kept: Kept, how: str, user_id: int, *, names_target: bool) -> Outcome:
    reason = how
    if names_target and kept.linked is False:
        reason = "smart_bcc.linked_elsewhere"
    elif not kept.new:
        reason = "smart_bcc.duplicate"
    return Outcome("stored" if kept.new else "duplicate", reason, {}, user_id, message_id=kept.message_id)


def _items(mail: Mail, own: dict[int, frozenset[str]], user_id: int, zone: ZoneInfo) -> tuple[list[Item], str, str]:
    """The message, or what is forwarded in it; the code of how it came; what stands above what is forwarded."""
    everybody = frozenset[str]().union(*own.values())

    def is_place(address: str) -> bool:
        return any(place.local_part(address) is not None and places.is_local_part(place.local_part(address) or "")
                   for place in mail.places)  # fmt: skip

    visible = [each.address.lower() for each in (*mail.parsed.to, *mail.parsed.cc)]
    others = [each for each in visible if each and not is_place(each) and each not in everybody]
    # A Bcc of a forward is correspondence of its own: what the customer got is what counts.
    if any(map(is_place, visible)) and not others:
        found = originals.find(mail.raw, mail.parsed, zone)
        items = [item for each in found if (item := _original(each.raw, is_place, own.get(user_id, frozenset())))]
        if items:
            return items, "smart_bcc.forwarded", found[0].words
    parsed = keep.without(mail.parsed, is_place)
    assert mail.row.blob_sha is not None
    return [Item(mail.row.blob_sha, len(mail.raw), parsed, mail.row.received_at, "out")], "", ""


def _original(raw: bytes, is_place: Any, own: frozenset[str]) -> Item | None:
    try:
        parsed = keep.without(parse_message(raw), is_place)
    except UnparsableMessage:
        return None
    if not parsed.from_:
        return None
    direction = "out" if parsed.from_[0].address.lower() in own else "in"
    return Item(blobs.put(raw), len(raw), parsed, parsed.sent_at or utcnow(), direction)


def _write(arrival_id: int, outcome: Outcome) -> None:
    with transaction() as session:
        _write_in(session, arrival_id, outcome)


def _write_in(session: Session, arrival_id: int, outcome: Outcome) -> None:
    row = session.get_one(BccArrival, arrival_id)
    row.state, row.reason, row.reason_params = outcome.state, outcome.reason, outcome.params
    row.user_id = outcome.user_id or row.user_id
    row.message_id = outcome.message_id or row.message_id
    row.words = outcome.words
    row.next_try_at = utcnow() + timedelta(seconds=outcome.again_s) if outcome.state == "waiting" else None
    if outcome.drop:
        row.blob_sha = None
    session.add(row)
    if outcome.told and row.user_id is not None:
        notices.tell(session, row)
    live.hint(session, None, "smart_bcc")
