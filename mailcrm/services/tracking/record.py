"""Records opens and clicks: a fetch is put into a queue and answered at once; a thread writes what came in together.

    request -> token verified (no query) -> queue -> every 0.2 s: events, classes, counters, notification, hint

The counters are counted anew from the events under a lock of the tracked row, so several processes agree and an event
that changes class later (the sweep of a gateway shows with its third link) corrects them.
Does not answer requests (endpoints/tracking.py) and does not judge (classify.py). Addresses are kept only as a
salted hash of their network, with a salt of the day (B15).
"""

from __future__ import annotations

import atexit
import hmac
import ipaddress
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit, urlunsplit

import structlog
from sqlmodel import Session, col, func, select

from mailcrm.config import config
from mailcrm.models import Message, TrackedLink, TrackedMessage, TrackingEvent, utcnow
from mailcrm.services import live, notifications
from mailcrm.services.crypto import derive
from mailcrm.services.db import reading, transaction
from mailcrm.services.tracking import tokens
from mailcrm.services.tracking.classify import (
    BURST_S,
    COUNTED,
    PRECHECK_S,
    RULES_VERSION,
    Action,
    Facts,
    Verdict,
    classify,
)

FLUSH_S = 0.2
MOST_WAITING = 20_000  # fetches in memory; a flood beyond is dropped rather than the process
MAX_AGENT = 500  # characters kept
TRIES = 3

log = structlog.get_logger()


@dataclass(frozen=True)
class Fetch:
    """What is known of a request. `is_own` is asked later, in the recording thread: it may query."""

    user_agent: str = ""
    method: str = "GET"
    address: str = ""
    prefetch: bool = False
    opted_out: bool = False
    is_own: Callable[[], bool] = lambda: False
    at: datetime = field(default_factory=utcnow)


@dataclass(frozen=True)
class _Waiting:
    action: Action
    token: tokens.Token
    fetch: Fetch


_queue: queue.SimpleQueue[_Waiting] = queue.SimpleQueue()
_lock = threading.Lock()  # one flush at a time in this process
_starting = threading.Lock()
_wake = threading.Event()
_thread: threading.Thread | None = None


def open_pixel(token: str, fetch: Fetch) -> None:
    """Note that a pixel was fetched; junk is ignored without a query. Returns at once."""
    found = tokens.read(token, purpose="open")
    if found is not None:
        _put(_Waiting("open", found, fetch))


def click(token: str, fetch: Fetch) -> str | None:
    """Return where a tracked link leads and note the click; None for an unknown token. One query."""
    found = tokens.read(token, purpose="click")
    if found is None:
        return None
    with reading() as session:
        url = session.exec(
            select(TrackedLink.url)
            .join(TrackedMessage, col(TrackedMessage.id) == col(TrackedLink.tracked_id))
            .where(TrackedMessage.nonce == found.nonce, TrackedLink.position == found.position)
        ).first()
    location = safe_location(url) if url else None
    if location is not None:
        _put(_Waiting("click", found, fetch))
    return location


def safe_location(url: str) -> str | None:
    """Return a URL fit for a Location header: http or https, ASCII, one line; None for anything else."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https") or not host:
        return None
    netloc = parts.netloc
    if not netloc.isascii():
        try:
            netloc = host.encode("idna").decode("ascii") + port
        except UnicodeError:
            return None
    if any(char.isspace() or ord(char) < 32 or ord(char) == 127 for char in netloc):
        return None
    keep = "%/:?#[]@!$&'()*+,;=~-._"
    path, query, fragment = (quote(each, safe=keep) for each in (parts.path, parts.query, parts.fragment))
    return urlunsplit((parts.scheme.lower(), netloc, path, query, fragment))


def flush() -> int:
    """Write what is waiting; return how many fetches that were. Called by the thread, at shutdown, and by tests."""
    with _lock:
        batch: dict[str, list[_Waiting]] = {}
        count = 0
        while count < MOST_WAITING:
            try:
                each = _queue.get_nowait()
            except queue.Empty:
                break
            batch.setdefault(each.token.nonce, []).append(each)
            count += 1
        for nonce, waiting in batch.items():
            _write_surely(nonce, waiting)
        return count


def _put(waiting: _Waiting) -> None:
    if _queue.qsize() >= MOST_WAITING:
        log.warning("tracking events come faster than they can be written; one was dropped")
        return
    _queue.put(waiting)
    _start()
    _wake.set()


def _start() -> None:
    global _thread
    if _thread is not None and _thread.is_alive():
        return
    with _starting:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_run, name="tracking-record", daemon=True)
            _thread.start()


def _run() -> None:
    pause = threading.Event()
    while True:
        _wake.wait()
        pause.wait(FLUSH_S)  # what comes together is judged together
        _wake.clear()
        try:
            flush()
        except Exception:
            log.exception("tracking events could not be written")


def _write_surely(nonce: str, waiting: list[_Waiting]) -> None:
    for attempt in range(1, TRIES + 1):
        try:
            _write(nonce, waiting)
        except Exception:
            if attempt == TRIES:
                log.exception("tracking events were lost", count=len(waiting))
        else:
            return


def _write(nonce: str, waiting: Sequence[_Waiting]) -> None:
    own = [each.fetch.is_own() for each in waiting]  # before the transaction: it may take one of its own
    with transaction() as session:
        tracked = session.exec(select(TrackedMessage).where(TrackedMessage.nonce == nonce).with_for_update()).first()
        if tracked is None:
            return
        links = {
            link.position: link.id
            for link in session.exec(select(TrackedLink).where(TrackedLink.tracked_id == tracked.id))
        }
        made: list[TrackingEvent] = []
        for each, is_own in zip(waiting, own, strict=True):
            link_id = links.get(each.token.position) if each.action == "click" else None
            event = _event(tracked, each, link_id, is_own, len(links))
            if event is not None:
                session.add(event)
                made.append(event)
        if not made:
            return
        session.flush()
        _judge_together(session, tracked, made, len(links))
        _count(session, tracked)
        _tell(session, tracked, made)


def _event(
    tracked: TrackedMessage, each: _Waiting, link_id: int | None, is_own: bool, links: int
) -> TrackingEvent | None:
    fetch = each.fetch
    verdict = classify(
        Facts(
            action=each.action,
            user_agent=fetch.user_agent,
            method=fetch.method,
            seconds_since_sent=_since(tracked, fetch.at),
            links=links,
            own=is_own,
            prefetch=fetch.prefetch,
            opted_out=fetch.opted_out,
        )
    )
    if verdict.kind is None:
        return None
    return TrackingEvent(
        tracked_id=tracked.id or 0,
        link_id=link_id,
        action=each.action,
        at=fetch.at,
        kind=verdict.kind,
        reasons={"codes": list(verdict.reasons)},
        rules_version=RULES_VERSION,
        user_agent=_printable(fetch.user_agent),
        network=_network(fetch.address, fetch.at),
    )


def _judge_together(session: Session, tracked: TrackedMessage, made: list[TrackingEvent], links: int) -> None:
    """Judge again the clicks around the new ones: a sweep of links, or a check from another network just before."""
    clicks = [event for event in made if event.action == "click"]
    if not clicks:
        return
    window = timedelta(seconds=BURST_S)
    near = session.exec(
        select(TrackingEvent)
        .where(
            TrackingEvent.tracked_id == tracked.id,
            TrackingEvent.action == "click",
            col(TrackingEvent.at) >= min(event.at for event in clicks) - window,
            col(TrackingEvent.at) <= max(event.at for event in clicks) + window,
        )
        .order_by(col(TrackingEvent.at), col(TrackingEvent.id))
        .limit(500)
    ).all()
    for event in near:
        if event.kind not in COUNTED:
            continue
        together = {other.link_id for other in near if other.kind != "own" and abs(other.at - event.at) <= window}
        rechecked = any(
            other.link_id == event.link_id
            and other.network != event.network
            and timedelta(0) < other.at - event.at <= timedelta(seconds=PRECHECK_S)
            for other in near
            if other.kind != "own"
        )
        verdict: Verdict = classify(
            Facts(
                action="click",
                user_agent=event.user_agent,
                seconds_since_sent=_since(tracked, event.at),
                burst_links=len(together),
                links=links,
                rechecked=rechecked,
            )
        )
        if verdict.kind is not None and verdict.kind != event.kind:
            event.kind, event.reasons = verdict.kind, {"codes": list(verdict.reasons)}
            session.add(event)
    session.flush()


def _count(session: Session, tracked: TrackedMessage) -> None:
    """Count what may be a person's, anew from the events. A click without an open implies one (B05)."""

    def figures(action: str) -> tuple[int, datetime | None, datetime | None]:
        row = session.exec(
            select(func.count(), func.min(TrackingEvent.at), func.max(TrackingEvent.at)).where(
                TrackingEvent.tracked_id == tracked.id,
                TrackingEvent.action == action,
                col(TrackingEvent.kind).in_(sorted(COUNTED)),
            )
        ).one()
        return int(row[0]), row[1], row[2]

    opens, first_open, last_open = figures("open")
    clicks, first_click, last_click = figures("click")
    if clicks and not opens:
        opens, first_open, last_open = 1, first_click, first_click
    elif clicks and first_click and first_open and first_click < first_open:
        first_open = first_click
    tracked.opens, tracked.first_opened_at, tracked.last_opened_at = opens, first_open, last_open
    tracked.clicks, tracked.last_clicked_at = clicks, last_click
    session.add(tracked)


def _tell(session: Session, tracked: TrackedMessage, made: list[TrackingEvent]) -> None:
    live.hint(session, tracked.user_id, "tracking", tracked.message_id)
    if not tracked.notify:
        return
    message = session.get(Message, tracked.message_id) if tracked.message_id else None
    for action in ("open", "click"):
        counted = [event for event in made if event.action == action and event.kind in COUNTED]
        if counted:
            notifications.notify(
                session,
                tracked.user_id,
                action,
                group_key=f"{action}:{tracked.id}",
                count=len(counted),
                at=max(event.at for event in counted),
                message_id=tracked.message_id,
                thread_id=message.thread_id if message else None,
                params={"recipients": tracked.recipients, **_clicked(session, counted[-1])},
            )


def _clicked(session: Session, event: TrackingEvent) -> dict[str, str]:
    link = session.get(TrackedLink, event.link_id) if event.link_id else None
    return {"url": link.url[:500], "text": link.text} if link else {}


def _since(tracked: TrackedMessage, at: datetime) -> float | None:
    """Seconds since the message left; while it is leaving, since it was prepared."""
    return (at - (tracked.sent_at or tracked.created_at)).total_seconds()


def _network(address: str, at: datetime) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    prefix = ipaddress.ip_network(f"{ip}/{24 if ip.version == 4 else 48}", strict=False)
    key = derive(config().secret_keys[0], f"network {at:%Y-%m-%d}")
    return hmac.digest(key, str(prefix).encode(), "sha256").hex()[:24]


def _printable(agent: str) -> str:
    return "".join(char if 32 <= ord(char) < 127 else "?" for char in agent[:MAX_AGENT])


atexit.register(flush)
