"""Blocked addresses: what a user does not want to see, kept and not shown, to anybody (M19, M20): `Message.blocked`.

The rule, in one statement (`_settle`): a message is blocked exactly when it has a counterparty and every counterparty
matches a pattern of its mailbox's user. Counterparties are all of From, Reply-To, To, Cc and Bcc that are no address of
the workspace's users (product.md, "Words"): mail among colleagues has none and is never blocked.
The column is kept true when a message is stored (`settle_stored`), when a pattern comes or goes, and when an address
becomes somebody's own or stops to be (`settle_addresses`). Who may see what is asked of `access.standing()`.
Patterns are read by block_patterns.py. Nothing is destroyed: unblocking brings the mail back (settled question 3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, case, cast, exists, false, func, literal, or_, true, update
from sqlalchemy import delete as remove
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from mailcrm.errors import UserError
from mailcrm.models import BlockedAddress, Message, Participant, utcnow
from mailcrm.services import access, audit, live
from mailcrm.services.access import Actor
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.block_patterns import Pattern, read_pattern
from mailcrm.services.mail.own_addresses import own_address
from mailcrm.services.mail.thread.assign import lock_user
from mailcrm.services.mail.thread.summary import refresh_threads
from mailcrm.services.rows import chunks, insert_absent, pick, rows, run, scalar

COUNTING_ROLES = ("from", "reply_to", "to", "cc", "bcc")  # product.md: Sender is not among the counterparties
MOST_PATTERNS = 1000  # of a user; each costs a comparison for every address of a new message


@dataclass(frozen=True)
class BlockedView:
    """A blocked address or domain; `shown` as people write it ("name@domain", "@domain"), `hides` emails now."""

    id: int
    scope: str
    pattern: str
    shown: str
    hides: int
    created_at: datetime


@dataclass(frozen=True)
class BlockPreview:
    """What blocking would do: how many of the user's shown emails it hides; `blocked` when it is blocked already."""

    scope: str
    pattern: str
    shown: str
    hides: int
    blocked: bool


def list_blocked(actor: Actor) -> tuple[BlockedView, ...]:
    """List the actor's blocked addresses, newest first. Nobody else's, for anybody."""
    with reading() as session:
        found = session.exec(
            _own(actor).order_by(col(BlockedAddress.created_at).desc(), col(BlockedAddress.id).desc())
        ).all()
        hides = _hides(session, actor.user_id, found)
        return tuple(_view(row, hides) for row in found)


def get(actor: Actor, blocked_id: int) -> BlockedView:
    """Return one of them."""
    with reading() as session:
        return _one(session, _load(session, actor, blocked_id))


def preview(actor: Actor, scope: str, pattern: str) -> BlockPreview:
    """Say how many emails blocking would hide (settled question 3); changes nothing. Raises UserError."""
    wanted = read_pattern(scope, pattern)
    with reading() as session:
        others = _counterparty(~or_(_is_blocked(), _matches(col(Participant.address), wanted)))
        shown = (access.own_message(actor), _of(wanted), _counterparty(true()), ~others)
        hides = _count(session, *shown)
        return BlockPreview(
            wanted.scope, wanted.pattern, wanted.shown, hides, _find(session, actor, wanted) is not None
        )


def block(actor: Actor, scope: str, pattern: str) -> BlockedView:
    """Hide mail of which every counterparty is blocked, past and future; idempotent. `unblock` undoes it."""
    wanted = read_pattern(scope, pattern)
    with transaction() as session:
        lock_user(session, actor.user_id)  # a batch that is being stored meanwhile sees the pattern, or is seen here
        if scalar(session, pick(func.count()).where(col(BlockedAddress.user_id) == actor.user_id)) >= MOST_PATTERNS:
            raise UserError("block.most", most=MOST_PATTERNS)
        values = {
            "user_id": actor.user_id,
            "scope": wanted.scope,
            "pattern": wanted.pattern,
            "spelling": wanted.spelling,
            "created_at": utcnow(),
        }
        made = insert_absent(session, BlockedAddress, [values])
        row = _find(session, actor, wanted)
        assert row is not None
        if made:
            _settle(session, col(Message.user_id) == actor.user_id, col(Message.blocked).is_(False), _of(wanted))
            _changed(session, actor, "block", row)
        return _one(session, row)


def unblock(actor: Actor, blocked_id: int) -> BlockedView:
    """Take a pattern away: its mail is shown again unless others hide it. Returns it, for `block` to undo."""
    with transaction() as session:
        lock_user(session, actor.user_id)
        row = _load(session, actor, blocked_id)
        view, pattern = _one(session, row), Pattern(row.scope, row.pattern, row.spelling)
        _changed(session, actor, "unblock", row)
        run(session, remove(BlockedAddress).where(col(BlockedAddress.id) == row.id))
        _settle(session, col(Message.user_id) == actor.user_id, col(Message.blocked).is_(True), _of(pattern))
        return view


def settle_stored(session: Session, user_id: int, message_ids: Iterable[int]) -> None:
    """Block those of a user's new messages that are to be; the caller refreshes their threads."""
    any_pattern = pick(BlockedAddress.id).where(col(BlockedAddress.user_id) == user_id).limit(1)
    if scalar(session, any_pattern) is None:
        return
    for part in chunks(sorted(set(message_ids))):
        _settle(session, col(Message.id).in_(part), refresh=False)


def settle_addresses(session: Session, addresses: Iterable[str]) -> None:
    """Look again at messages with these addresses: they became, or stopped being, those of a user of the workspace."""
    wanted = sorted({address.lower() for address in addresses if address})
    users = [
        row[0] for row in rows(session, pick(BlockedAddress.user_id).distinct().order_by(col(BlockedAddress.user_id)))
    ]
    if not wanted or not users:
        return
    for user_id in users:
        lock_user(session, user_id)
    for part in chunks(wanted):
        having = pick(Participant.message_id).where(col(Participant.address).in_(part))
        _settle(session, col(Message.user_id).in_(users), col(Message.id).in_(having))


def _settle(session: Session, *which: ColumnElement[bool], refresh: bool = True) -> None:
    """Make `blocked` true exactly where every counterparty is blocked and there is one (M20)."""
    rule = and_(_counterparty(true()), ~_counterparty(~_is_blocked()))
    statement = (
        update(Message)
        .where(*which, col(Message.blocked) != case((rule, true()), else_=false()))
        .values(blocked=case((col(Message.blocked), false()), else_=true()))
        .returning(col(Message.thread_id))
        .execution_options(synchronize_session=False)
    )
    threads = {row[0] for row in rows(session, statement)}
    if refresh:
        refresh_threads(session, threads)


def _counterparty(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """The message has a counterparty of which this holds."""
    found = exists().where(col(Participant.message_id) == col(Message.id), _counts(), condition)
    return found.correlate(Message)


def _counts() -> ColumnElement[bool]:
    """A participant that is a counterparty: in a counting role, with an address that is no colleague's."""
    return and_(
        col(Participant.role).in_(COUNTING_ROLES),
        col(Participant.address) != "",
        ~own_address(col(Participant.address)),
    )


def _is_blocked() -> ColumnElement[bool]:
    """A pattern of the message's user matches the participant's address."""
    address = col(Participant.address)
    one = col(BlockedAddress.scope) == "address"
    several = col(BlockedAddress.scope).in_(("domain", "subdomains"))
    conditions: list[ColumnElement[bool]] = []
    for text in (col(BlockedAddress.pattern), col(BlockedAddress.spelling)):
        conditions += [
            and_(one, address == text),
            and_(several, _ends(address, "@", text)),
            and_(col(BlockedAddress.scope) == "subdomains", _ends(address, ".", text)),
        ]
    mine = exists().where(col(BlockedAddress.user_id) == col(Message.user_id), or_(*conditions))
    return mine.correlate(Message, Participant)


def _matches(address: Any, wanted: Pattern) -> ColumnElement[bool]:
    """One pattern, which need not be stored, matches the address."""
    spellings = sorted({wanted.pattern, wanted.spelling})
    if wanted.scope == "address":
        return address.in_(spellings)
    signs = ("@", ".") if wanted.scope == "subdomains" else ("@",)
    return or_(*(_ends(address, sign, literal(text)) for text in spellings for sign in signs))


def _ends(address: Any, sign: str, domain: Any) -> ColumnElement[bool]:
    """The address ends with sign and domain. Not LIKE: "_" is a letter here. Neither has an "@" inside."""
    return and_(
        func.length(address) > func.length(domain),
        func.substr(address, func.length(address) - func.length(domain)) == literal(sign) + domain,
    )


def _of(wanted: Pattern) -> ColumnElement[bool]:
    """Messages with a participant that the pattern matches and who is no colleague.

    For a domain every address is looked at once, however many messages have it: the recursion jumps in the index from
    one address to the next (a million messages have some hundred thousand addresses).
    """
    address = col(Participant.address)
    if wanted.scope == "address":
        theirs = pick(Participant.message_id).where(_matches(address, wanted), ~own_address(address))
        return col(Message.id).in_(theirs)
    first = pick(func.min(address).label("address")).cte("distinct_addresses", recursive=True)
    above = pick(func.min(address)).where(address > first.c.address).correlate(first).scalar_subquery()
    every = first.union_all(pick(above).where(first.c.address.is_not(None)))
    matching = pick(every.c.address).where(_matches(every.c.address, wanted), ~own_address(every.c.address))
    return col(Message.id).in_(pick(Participant.message_id).where(address.in_(matching)))


def _count(session: Session, *which: ColumnElement[bool]) -> int:
    """Count emails; copies of one Message-ID are one."""
    return scalar(session, pick(func.count(func.distinct(_name()))).where(*which)) or 0


def _name() -> ColumnElement[str]:
    return func.coalesce(col(Message.rfc_message_id), literal("id:") + cast(col(Message.id), Text))


def _hides(session: Session, user_id: int, patterns: Sequence[BlockedAddress]) -> dict[int, int]:
    """How many blocked emails each pattern takes part in hiding; one statement for all of them."""
    statement = (
        pick(Participant.address, _name())
        .join(Message, col(Message.id) == col(Participant.message_id))
        .where(
            col(Message.user_id) == user_id,
            col(Message.blocked).is_(True),
            col(Message.deleted_at).is_(None),
            col(Message.hidden).is_(False),
            _counts(),
        )
    )
    emails: dict[str, set[str]] = defaultdict(set)
    for address, name in rows(session, statement):
        emails[address].add(name)
    found: dict[int, set[str]] = defaultdict(set)
    known = {(row.scope, text): row.id or 0 for row in patterns for text in (row.pattern, row.spelling)}
    for address, names in emails.items():
        domain = address.rpartition("@")[2]
        labels = domain.split(".")
        keys = [("address", address), ("domain", domain)]
        keys += [("subdomains", ".".join(labels[at:])) for at in range(len(labels))]
        for key in keys:
            if key in known:
                found[known[key]] |= names
    return {row_id: len(names) for row_id, names in found.items()}


def _own(actor: Actor) -> SelectOfScalar[BlockedAddress]:
    return select(BlockedAddress).where(BlockedAddress.user_id == actor.user_id)


def _load(session: Session, actor: Actor, blocked_id: int) -> BlockedAddress:
    return access.load(session, BlockedAddress, blocked_id, col(BlockedAddress.user_id) == actor.user_id)


def _find(session: Session, actor: Actor, wanted: Pattern) -> BlockedAddress | None:
    same = (BlockedAddress.scope == wanted.scope, BlockedAddress.pattern == wanted.pattern)
    return session.exec(_own(actor).where(*same)).first()


def _one(session: Session, row: BlockedAddress) -> BlockedView:
    return _view(row, _hides(session, row.user_id, [row]))


def _view(row: BlockedAddress, hides: Mapping[int, int]) -> BlockedView:
    shown = Pattern(row.scope, row.pattern, row.spelling).shown
    return BlockedView(row.id or 0, row.scope, row.pattern, shown, hides.get(row.id or 0, 0), row.created_at)


def _changed(session: Session, actor: Actor, verb: str, row: BlockedAddress) -> None:
    audit.record(session, actor, verb, "blocked_address", row.id, scope=row.scope)
    live.hint(session, actor.user_id, "mail")
    live.hint(session, actor.user_id, "notifications")
    live.hint(session, None, "crm")  # what colleagues see of this user's mail may have changed too
