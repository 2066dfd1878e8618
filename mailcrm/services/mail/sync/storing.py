"""Stores what a pass fetched, in two threads of its own, while the next messages are fetched.

    fetched ─▶ parse, bytes into a pack ─▶ flush, one transaction: rows, UIDs out of pending

Batches are stored in the order they came, the first alone, so that it is seen at once, those that are here already
together: a transaction costs much more than its rows. What goes wrong with one is raised by the next call. Every
transaction renews the lease; a batch whose folder got another UIDVALIDITY meanwhile is dropped: its UIDs name other
messages now. When a message spoils a batch, each is stored alone and the spoiler goes to quarantine.
No network. What is to be fetched is `slices.py`'s.
"""

from __future__ import annotations

import threading
from collections import ChainMap, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog
from sqlalchemy.exc import DBAPIError, OperationalError

from mailcrm.models import Folder, Mailbox
from mailcrm.services import live
from mailcrm.services.jobs import queue
from mailcrm.services.mail import blobs, store
from mailcrm.services.mail.imap.client import RemoteMeta
from mailcrm.services.mail.packs import Packer
from mailcrm.services.mail.sync import apply, fetch
from mailcrm.services.mail.sync.look import Writing
from mailcrm.services.mail.sync.outcome import SyncReport
from mailcrm.services.mail.sync.reader_process import Reader

UNREAD = 2  # batches of raw bytes: one that is parsed and one that is fetched already
WAITING = 4  # batches that no transaction has taken yet, so that it finds some together, while others are fetched
TOGETHER = 200  # messages from which on a transaction takes no further batch: a tenth of a second, others write too

log = structlog.get_logger()


Parsed = tuple[list[apply.Outcome], list[fetch.Fetched]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a batch came from, and what was wanted when it was chosen."""

    folder_id: int
    uidvalidity: int | None
    history_days: int | None
    only_contacts: bool


@dataclass(frozen=True, slots=True)
class _Batch:
    """Messages that are parsed, or about to be; nothing to parse where `parsed` is done from the start."""

    origin: Origin
    parsed: Future[Parsed]
    meta: Mapping[int, RemoteMeta]


class Storer:
    """The storing half of one pass; a context manager."""

    def __init__(
        self,
        mailbox_id: int,
        writing: Writing,
        report: SyncReport,
        progress: Callable[[SyncReport], None] | None = None,
    ) -> None:
        self._mailbox_id, self._writing, self._report, self._progress = mailbox_id, writing, report, progress
        self._parser = ThreadPoolExecutor(1, thread_name_prefix="parse")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._packer, self._reader = Packer(), Reader()  # the parser's; the writer flushes
        self._waiting: deque[Future[None]] = deque()
        self._unread: deque[Future[Parsed]] = deque()
        self._queue: deque[_Batch] = deque()  # added to by the fetching thread, taken from by the writer
        self._taken = threading.Condition()  # told when a batch was taken

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._writer.shutdown(wait=True)
        self._parser.shutdown(wait=True)
        self._packer.close()
        self._reader.close()

    def fetched(self, origin: Origin, items: Sequence[fetch.Fetched], meta: Mapping[int, RemoteMeta]) -> None:
        """Store messages as the server sent them; waits while `WAITING` batches lie there."""
        self._make_room()
        while self._unread and (len(self._unread) >= UNREAD or self._unread[0].done()):
            wait([self._unread.popleft()])  # what went wrong with it is the writer's to tell
        parsed = self._parser.submit(self._parse, items, meta)
        self._unread.append(parsed)
        self._put(_Batch(origin, parsed, meta))

    def expect(self, count: int) -> None:
        """Be ready for `count` messages."""
        self._reader.expect(count)

    def settled(self, origin: Origin, outcomes: Sequence[apply.Outcome]) -> None:
        """Store what needed no fetch; waits while `WAITING` batches lie there."""
        self._make_room()
        parsed: Future[Parsed] = Future()
        parsed.set_result((list(outcomes), []))
        self._put(_Batch(origin, parsed, {}))

    def _put(self, batch: _Batch) -> None:
        self._queue.append(batch)
        self._waiting.append(self._writer.submit(self._store_next))

    def settle(self, *, quietly: bool = False) -> None:
        """Wait until all is stored; raise what went wrong with it, unless something did already."""
        while self._waiting:
            stored = self._waiting.popleft()
            if quietly:
                stored.exception()
            else:
                stored.result()

    def _make_room(self) -> None:
        """Wait until a batch may be added; raise what went wrong with those before it."""
        with self._taken:
            self._taken.wait_for(lambda: len(self._queue) < WAITING)
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft().result()

    def _take(self) -> _Batch:
        with self._taken:
            self._taken.notify()
            return self._queue.popleft()

    def _parse(self, items: Sequence[fetch.Fetched], meta: Mapping[int, RemoteMeta]) -> Parsed:
        """Return what became of messages, and those whose bytes the store had already; the others are let go."""
        outcomes = fetch.outcomes_of(items, meta, self._packer, self._reader.read)
        return outcomes, [item for item, o in zip(items, outcomes, strict=True) if getattr(o, "place", None) is None]

    def _store_next(self) -> None:
        """Store the next batch, and with it those after it that are here by now; nothing when it went along before."""
        if not self._queue:
            return
        batch = self._take()
        outcomes, old = batch.parsed.result()
        metas = [batch.meta]
        most = TOGETHER if self._report.stored else 0
        while self._queue and len(outcomes) < most and _goes_along(self._queue[0], batch.origin):
            following = self._take()
            more, more_old = following.parsed.result()
            outcomes, old = [*outcomes, *more], [*old, *more_old]
            metas.append(following.meta)
        try:
            self._store(batch.origin, outcomes)
        except blobs.BlobLost:  # what the store had already was swept before our rows said that we need it
            again, _ = self._parser.submit(self._parse, old, ChainMap(*map(dict, metas))).result()
            uids = {item.uid for item in old}
            self._store(batch.origin, [*(o for o in outcomes if o.uid not in uids), *again])

    def _store(self, origin: Origin, outcomes: Sequence[apply.Outcome]) -> None:
        """Store a batch in one transaction; when a message spoils it, each in its own, the spoiler to quarantine."""
        self._packer.flush()  # here, so that messages go on being read meanwhile
        try:
            new = self._store_once(origin, outcomes)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            if len(outcomes) > 1:
                for one in outcomes:
                    self._store(origin, [one])
                return
            if not isinstance(outcomes[0], apply.Stored) or _is_busy(error):
                raise
            log.warning("a message does not fit the database", error=str(error.orig)[:200])
            outcomes = [_as_poison(outcomes[0])]
            new = self._store_once(origin, outcomes)
        self._report.stored += sum(isinstance(o, apply.Stored) for o in outcomes)
        self._report.skipped += sum(isinstance(o, apply.Skipped) for o in outcomes)
        self._report.quarantined += sum(isinstance(o, apply.Poison) for o in outcomes)
        if new:
            queue.enqueue("link_pending")
        if self._progress is not None:
            self._progress(self._report)

    def _store_once(self, origin: Origin, outcomes: Sequence[apply.Outcome]) -> int:
        """One transaction: messages, locations, and their UIDs out of pending."""
        with self._writing() as session:
            mailbox = session.get_one(Mailbox, self._mailbox_id)
            folder = session.get_one(Folder, origin.folder_id)
            if folder.uidvalidity != origin.uidvalidity:
                return 0
            if (origin.history_days, origin.only_contacts) != (mailbox.history_days, mailbox.contacts_only):
                # The scope was widened meanwhile, perhaps: look again.
                outcomes = [o for o in outcomes if not isinstance(o, apply.Skipped) or o.reason == "too_large"]
            new = apply.save_batch(session, store.owner_of(session, mailbox), folder, outcomes)
            mailbox.pass_stored += sum(isinstance(o, apply.Stored) for o in outcomes)
            session.add(mailbox)
            live.hint(session, mailbox.user_id, "sync", self._mailbox_id)
            return new


def _goes_along(batch: _Batch, origin: Origin) -> bool:
    """Whether a batch may be stored with one of `origin`: of the same choice, and parsed well; waits for the parser."""
    return batch.origin == origin and batch.parsed.exception() is None


def _as_poison(outcome: apply.Stored) -> apply.Poison:
    return apply.Poison(outcome.uid, "quarantine.database", outcome.sha, outcome.size, place=outcome.place)


def _is_busy(error: DBAPIError) -> bool:
    """Whether the database could not be written for now, whatever is written.

    PostgreSQL's limits (SQLSTATE class 54: a row too long for an index, too many words) come as the same exception,
    and are the message's: trying again changes nothing.
    """
    return isinstance(error, OperationalError) and not str(getattr(error.orig, "sqlstate", "")).startswith("54")
