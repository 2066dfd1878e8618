"""Appends events: what came together becomes rows with a class, counts, a notification, a hint for tabs.

    recorder.py -> write(batch): one transaction for messages in the order of their ids, so that processes never embrace

Events are never removed but by the retention sweep; their class is corrected when later evidence says so (again.py).
Addresses are kept only as a salted hash of their network, with a salt of the day (B15).
Does not wait (intake.py, spool.py) and does not judge (classify.py).
"""

from __future__ import annotations

import functools
import hmac
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from mailcrm.config import config
from mailcrm.models import TrackedLink, TrackedMessage, TrackingEvent, UserSession
from mailcrm.services.auth import sessions
from mailcrm.services.crypto import derive
from mailcrm.services.db import transaction
from mailcrm.services.rows import chunks, insert_many
from mailcrm.services.tracking import again as judging
from mailcrm.services.tracking import counts, told
from mailcrm.services.tracking.again import facts_of
from mailcrm.services.tracking.classify import RULES_VERSION, classify
from mailcrm.services.tracking.fetch import Waiting

MAX_AGENT = 500  # characters kept, and judged


_NOT_PRINTABLE = re.compile(r"[^ -~]")
_Moment = tuple[int, str, datetime]  # whose, open or click, when


@dataclass
class _Batch:
    """What one transaction writes of one message."""

    tracked: TrackedMessage
    waiting: list[tuple[Waiting, str]] = field(default_factory=list["tuple[Waiting, str]"])
    links: dict[int, TrackedLink] = field(default_factory=dict[int, TrackedLink])
    made: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


def write(waiting: Sequence[Waiting], again: bool = False) -> None:
    """Append events and what follows from them, in one transaction. Tokens whose message is gone are ignored.

    `again`: some may be written already, by a process that was killed; these are recognised by their microsecond.
    """
    users = {each.fetch.session for each in waiting if each.fetch.session}
    live = {digest for digest in users if sessions.is_live(digest)}
    with transaction() as session:
        batches = _load(session, {each.token.nonce for each in waiting})
        homes = _sender_addresses(session, [b.tracked for b in batches.values()])
        known = _known(session, batches, waiting) if again else frozenset[_Moment]()
        for each in waiting:
            batch = batches.get(each.token.nonce)
            if batch is None or (batch.tracked.id or 0, each.action, each.at) in known:
                continue
            is_view = each.fetch.own or each.fetch.session in live
            batch.waiting.append((each, "view" if is_view else _own_by_address(batch.tracked, each, homes)))
        found = [batch for batch in batches.values() if batch.waiting]
        _load_links(session, found)
        for batch in found:
            batch.made = [_event(batch, each, own) for each, own in batch.waiting]
        insert_many(session, TrackingEvent, [event for batch in found for event in batch.made])
        with session.no_autoflush:  # what is judged again of many messages is written together
            for batch in found:
                if any(event["action"] == "click" for event in batch.made):
                    judging.judge_clicks_around(session, batch.tracked, batch.made)
                elif batch.tracked.opens == 1 and (batch.tracked.clicks or batch.tracked.replied_at):
                    counts.count(session, batch.tracked)  # the one open that is counted may be a conclusion
                else:
                    counts.add_opens(batch.tracked, batch.made)
                session.add(batch.tracked)
        told.tell(session, [told.New(batch.tracked, batch.made, batch.links.values()) for batch in found])


def _load(session: Session, nonces: set[str]) -> dict[str, _Batch]:
    """Lock the messages, always in the order of their ids."""
    found: list[TrackedMessage] = []
    for part in chunks(sorted(nonces)):
        found += session.exec(
            select(TrackedMessage)
            .where(col(TrackedMessage.nonce).in_(part))
            .order_by(col(TrackedMessage.id))
            .with_for_update()
        ).all()
    return {row.nonce: _Batch(row) for row in sorted(found, key=lambda row: row.id or 0)}


def _known(session: Session, batches: dict[str, _Batch], waiting: Sequence[Waiting]) -> frozenset[_Moment]:
    """Those that are in the database already."""
    found: set[_Moment] = set()
    times = [each.at for each in waiting]
    for part in chunks([batch.tracked.id for batch in batches.values()]):
        query = select(TrackingEvent.tracked_id, TrackingEvent.action, TrackingEvent.at).where(
            col(TrackingEvent.tracked_id).in_(part), col(TrackingEvent.at).between(min(times), max(times))
        )
        found.update((tracked_id, action, at) for tracked_id, action, at in session.exec(query))
    return frozenset(found)


def _load_links(session: Session, batches: Sequence[_Batch]) -> None:
    by_id = {b.tracked.id: b for b in batches if any(each.action == "click" for each, _ in b.waiting)}
    for part in chunks(list(by_id)):
        for link in session.exec(select(TrackedLink).where(col(TrackedLink.tracked_id).in_(part))):
            by_id[link.tracked_id].links[link.position] = link


def _sender_addresses(session: Session, tracked: Sequence[TrackedMessage]) -> dict[int, set[str]]:
    """Hashes of the addresses that each sender's sessions were last seen from."""
    found: dict[int, set[str]] = {}
    for part in chunks(sorted({row.user_id for row in tracked if row.user_id is not None})):
        query = select(UserSession.user_id, UserSession.address).where(
            col(UserSession.user_id).in_(part), UserSession.address != ""
        )
        for user_id, address in session.exec(query):
            found.setdefault(user_id, set()).add(address)
    return found


def _own_by_address(tracked: TrackedMessage, each: Waiting, homes: dict[int, set[str]]) -> str:
    known = homes.get(tracked.user_id or 0)
    if not known or not each.fetch.address_known:
        return ""
    return "address" if sessions.address_hash(each.fetch.address, each.at) in known else ""


def _event(batch: _Batch, each: Waiting, own: str) -> dict[str, Any]:
    fetch, tracked = each.fetch, batch.tracked
    link = batch.links.get(each.token.position) if each.action == "click" else None
    nameless = fetch.opted_out and each.action == "open"  # kept without what the reader asked not to have kept
    facts: dict[str, Any] = {
        name: value
        for name, value in (
            ("method", "" if fetch.method == "GET" else fetch.method[:10]),
            ("prefetch", fetch.prefetch),
            ("opted_out", fetch.opted_out),
            ("own", own),
        )
        if value
    }
    agent = "" if nameless else _printable(fetch.user_agent)
    verdict = classify(facts_of(tracked, each.action, agent, each.at, facts))
    return {
        "tracked_id": tracked.id,
        "link_id": link.id if link else None,
        "action": each.action,
        "at": each.at,
        "kind": verdict.kind,
        "reasons": {"codes": list(verdict.reasons)},
        "rules_version": RULES_VERSION,
        "user_agent": agent,
        "facts": facts,
        "network": "" if nameless else network_hash(fetch.address, each.at),
    }


def network_hash(address: str, at: datetime) -> str:
    """Return the salted hash of an address's network for one day; "" for what is no address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    prefix = ipaddress.ip_network(f"{ip}/{24 if ip.version == 4 else 48}", strict=False)
    key = _key_of_day(config().secret_keys[0], f"{at:%Y-%m-%d}")
    return hmac.digest(key, str(prefix).encode(), "sha256").hex()[:24]


@functools.lru_cache(maxsize=4)
def _key_of_day(secret: str, day: str) -> bytes:
    return derive(secret, f"network {day}")


def _printable(agent: str) -> str:
    return _NOT_PRINTABLE.sub("?", agent[:MAX_AGENT])
