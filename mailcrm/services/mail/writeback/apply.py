r"""Does on the server what `server_actions` says is due, under the mailbox's lease, over a connection of its own.

    load what is due ─▶ SELECT the source ─▶ look (flags, Message-ID) ─▶ plan.decide ─▶ note that it begins ─▶ command
          ▲                                                                   │ End                                │
          └────────────── next wave ◀──────────────── settle in one transaction ◀────────────────────────────────┘

The note goes into the row before the command, with the target's UIDNEXT: after a crash the copy that a command made is
told from older ones by its UID, so a message is moved once. The settling transaction moves the location too (COPYUID),
so the next sync downloads nothing and nothing flashes as gone. No transaction spans the network.
Does not decide (plan.py), does not queue (queue.py), does not sync.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import structlog
from sqlmodel import Session

from mailcrm.errors import MailcrmError, NeedsReconnect, PermanentError, TransientError, UserError
from mailcrm.models import Mailbox
from mailcrm.models.base import utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.ews.client import EwsConnection
from mailcrm.services.mail.ews.writing import EwsWriter
from mailcrm.services.mail.imap.client import ImapConnection
from mailcrm.services.mail.imap.writing import Landed, Writer
from mailcrm.services.mail.remote import MailConnection
from mailcrm.services.mail.signing_in import credentials, open_mailbox
from mailcrm.services.mail.sync import lease
from mailcrm.services.mail.sync.cursor import MAX_UID
from mailcrm.services.mail.writeback import queue, settle
from mailcrm.services.mail.writeback.plan import (
    FLAGS,
    Can,
    Copy,
    End,
    Found,
    Move,
    Remove,
    Step,
    Store,
    Wish,
    decide,
)
from mailcrm.services.mail.writeback.settle import Spot, Todo

MOST_WAVES = 20  # of one run; what is left is due again
BATCH = 200  # messages in one command

log = structlog.get_logger()
Stop = Callable[[], bool]
Dial = Callable[[], MailConnection]


def write_back(mailbox_id: int, should_stop: Stop | None = None, *, dial: Dial | None = None) -> int:
    """Do what is due in a mailbox; return how many actions ended. Returns 0 at once when another worker has it.

    Failures don't raise: they are in the rows, with the time of the next try. `dial` makes the connection in place of
    the network.
    """
    with reading() as session:
        mailbox = session.get(Mailbox, mailbox_id)
        if mailbox is None or mailbox.status != "active" or not queue.is_due(session, mailbox_id, utcnow()):
            return 0
    owner = lease.new_owner()
    if not lease.acquire(mailbox_id, owner, utcnow()):
        return 0  # a pass has it, and does this between its batches
    try:
        with lease.heartbeat(mailbox_id, owner):
            return write_back_held(mailbox_id, owner, should_stop, dial=dial)
    except lease.LeaseLost:
        return 0
    finally:
        settle.give_back(mailbox_id, owner)


def write_back_held(mailbox_id: int, owner: str, should_stop: Stop | None = None, *, dial: Dial | None = None) -> int:
    """Do what is due in a mailbox whose lease the caller holds. Raises LeaseLost only."""
    with reading() as session:
        now = utcnow()
        if not (queue.is_due(session, mailbox_id, now) and settle.load(session, mailbox_id, now)):
            return 0
    try:
        with dial() if dial is not None else _dial_out(mailbox_id) as connection:
            return _Run(mailbox_id, owner, connection).run(should_stop)
    except MailcrmError as error:
        _put_off(mailbox_id, owner, error)
    except lease.LeaseLost:
        raise
    except Exception:
        log.exception("writing back broke", mailbox_id=mailbox_id)
        _put_off(mailbox_id, owner, TransientError("writeback.broke"))
    return 0


def _dial_out(mailbox_id: int) -> MailConnection:
    return open_mailbox(credentials(mailbox_id))


def _put_off(mailbox_id: int, owner: str, error: MailcrmError) -> None:
    with _fenced(mailbox_id, owner) as session:
        settle.put_off_due(session, mailbox_id, error)


@contextmanager
def _fenced(mailbox_id: int, owner: str) -> Generator[Session]:
    with transaction() as session:
        lease.renew(session, mailbox_id, owner, utcnow())
        yield session


def writer_of(connection: MailConnection) -> Writer | EwsWriter:
    """Return the half of a connection that writes."""
    if isinstance(connection, EwsConnection):
        return EwsWriter(connection)
    if isinstance(connection, ImapConnection):
        return Writer(connection)
    raise TypeError(type(connection).__name__)


class _Run:
    """One run over one connection."""

    def __init__(self, mailbox_id: int, owner: str, connection: MailConnection) -> None:
        self.mailbox_id, self.owner, self.connection = mailbox_id, owner, connection
        self.writer = writer_of(connection)
        offers = self.writer.capabilities
        self.can = Can(move="MOVE" in offers, uidplus="UIDPLUS" in offers)
        self.by_name = bool({"OBJECTID", "X-GM-EXT-1"} & offers)
        self.ended = 0

    def run(self, should_stop: Stop | None) -> int:
        for _ in range(MOST_WAVES):
            with reading() as session:
                todos = settle.load(session, self.mailbox_id, utcnow())
            if not todos or (should_stop is not None and should_stop()):
                break
            groups: dict[Spot | None, list[Todo]] = defaultdict(list)
            for todo in todos:
                groups[todo.source].append(todo)
            for source, group in groups.items():
                for start in range(0, len(group), BATCH):
                    self.attempt(source, group[start : start + BATCH])
        self.writer.leave()
        return self.ended

    def attempt(self, source: Spot | None, todos: list[Todo]) -> None:
        """Do one group; a refusal of several is narrowed down to the one that is to blame."""
        try:
            self.group(source, todos)
        except NeedsReconnect:
            raise
        except MailcrmError as error:
            lasting = isinstance(error, (PermanentError, UserError))
            if not self.connection.alive or not (lasting or error.code == "imap.refused"):
                raise
            if len(todos) > 1:
                for todo in todos:
                    self.attempt(source, [todo])
                return
            if error.code == "imap.folder_missing" and todos[0].target is not None:
                error = PermanentError("writeback.target", folder=todos[0].target.name)
            log.info("the server refused to write", kind=todos[0].kind, reason=str(error))
            with self.fenced() as session:
                settle.refused(session, todos[0].id, error, give_up=lasting)

    def group(self, source: Spot | None, todos: list[Todo]) -> None:
        """Look at the messages of one folder, decide, do, and settle."""
        self.look(source, todos)
        for _ in range(3):  # a copy, then its removal, then the end
            todos = [todo for todo in todos if not self.over(todo)]
            if not todos:
                return
            steps: dict[tuple[Step, Spot | None], list[Todo]] = defaultdict(list)
            for todo in todos:
                steps[self.decided(todo), todo.target if todo.kind not in FLAGS else None].append(todo)
            todos = []
            for (step, target), same in steps.items():
                todos += self.act(step, target, same)

    def decided(self, todo: Todo) -> Step:
        wish = Wish(todo.kind, bool(todo.tries), todo.allowed, todo.followed, todo.keeps)
        return decide(wish, todo.found, self.can)

    def over(self, todo: Todo) -> bool:
        """Write the end of an action that is over; False when something is still to be done."""
        end = self.decided(todo)
        if not isinstance(end, End):
            return False
        self.end([todo], end)
        return True

    def end(self, todos: Sequence[Todo], end: End) -> None:
        with self.fenced() as session:
            for todo in todos:
                settle.ended(session, todo, end)
        self.ended += len(todos)

    # What the server says.

    def look(self, source: Spot | None, todos: Sequence[Todo]) -> None:
        """Fill in where the messages are."""
        validity = self.select(source)
        taken: set[int] = set()
        hints = {todo.id: todo.hint(validity) for todo in todos} if validity is not None else {}
        shown = self.writer.look(uid for uid in hints.values() if uid) if any(hints.values()) else {}
        for todo in todos:
            uid = hints.get(todo.id)
            if uid is not None and (uid not in shown or not todo.is_named(shown[uid].rfc_message_id)):
                uid = None
            if uid is None and validity is not None:
                uid = self.search(todo, 1, taken)
                if uid is not None and uid not in shown:
                    shown |= self.writer.look([uid])
            flags = shown[uid].flags if uid in shown else frozenset[str]()
            todo.uid = uid if uid in shown else None
            if todo.uid is not None:
                taken.add(todo.uid)
            todo.found = Found(
                here=todo.uid is not None,
                seen="\\Seen" in flags,
                deleted="\\Deleted" in flags,
                elsewhere=todo.elsewhere,
                target=todo.target is not None,
                same=todo.target is not None and todo.target == todo.source and todo.kind not in FLAGS,
            )
        unsure = [t for t in todos if t.kind not in FLAGS and t.target and (t.tries or not t.found.here)]
        if unsure:
            self.look_there(unsure)
            self.select(source)

    def look_there(self, todos: Sequence[Todo]) -> None:
        """Look for the messages in their targets; leaves the target open for reading."""
        for target in {todo.target for todo in todos if todo.target}:
            try:
                status = self.connection.examine(target.name)
            except PermanentError as error:
                if error.code != "imap.folder_missing":
                    raise
                status = None
            taken: set[int] = set()
            for todo in (todo for todo in todos if todo.target == target):
                if status is None:
                    todo.found = replace(todo.found, target=False)
                    continue
                begun = bool(todo.tries) and todo.to_uidvalidity == status.uidvalidity
                uid = self.search(todo, (todo.to_uid or 1) if begun else 1, taken, nameless=begun)
                if uid is not None:
                    taken.add(uid)
                    todo.landed = (status.uidvalidity, uid)
                    todo.found = replace(todo.found, there=True)

    def search(self, todo: Todo, least: int, taken: set[int], *, nameless: bool = False) -> int | None:
        """Find a message in the open folder by the server's own name or by Message-ID, from the UID `least` on.

        One without either is known by its size, among those that came since the action began (`nameless`).
        """
        remote = todo.remote_id if self.by_name else None
        if remote or todo.rfc_message_id:
            found = [uid for uid in self.writer.find(remote, todo.rfc_message_id) if uid >= least and uid not in taken]
            shown = self.writer.look(found[-20:])
            found = [uid for uid in sorted(shown) if todo.is_named(shown[uid].rfc_message_id)]
            if len(found) < 2:
                return found[0] if found else None
        elif nameless:
            found = [uid for uid in self.connection.list_uids(least, MAX_UID) if uid not in taken]
        else:
            return None
        sizes = self.connection.fetch_meta(found[:1000])
        fits = [uid for uid in found if uid in sizes and sizes[uid].size == todo.size]
        return fits[0] if fits else found[0] if todo.rfc_message_id else None

    def select(self, source: Spot | None) -> int | None:
        """Open the source to write in; None when it is gone."""
        if source is None:
            return None
        try:
            return self.writer.select(source.name).uidvalidity
        except PermanentError as error:
            if error.code != "imap.folder_missing":
                raise
            return None

    # What is done.

    def act(self, step: Step, target: Spot | None, todos: list[Todo]) -> list[Todo]:
        """Do one step for several messages; return those that are not over yet, with what is known now."""
        if not isinstance(step, Remove):  # its beginning was noted with the copy
            bound = self.connection.status(target.name) if target else None
            with self.fenced() as session:
                noted = settle.begin(session, todos, target, (bound.uidvalidity, bound.uidnext) if bound else None)
            todos = [todo for todo in todos if todo.id in noted]
        uids = [todo.uid for todo in todos if todo.uid is not None]
        if not uids:
            return []
        match step:
            case Store(seen):
                self.writer.store_seen(uids, seen)
                self.end(todos, End("done", "done"))
            case Move():
                assert target is not None
                self.arrived(todos, self.writer.move(uids, target.name))
                self.find_missing(todos)
                self.end(todos, End("done", "done", moved=True))
            case Copy():
                assert target is not None
                self.arrived(todos, self.writer.copy(uids, target.name))
                self.find_missing(todos)
                self.select(todos[0].source)
                if not all(todo.found.there for todo in todos):
                    raise PermanentError("writeback.copy_lost", folder=target.name)  # never a second one
                return todos
            case Remove():
                self.writer.remove(uids)
                self.end(todos, End("done", "done", moved=True))
            case End():
                self.end(todos, step)
        return []

    def arrived(self, todos: Iterable[Todo], landed: Landed | None) -> None:
        """Note where COPYUID says that the messages are now."""
        for todo in todos:
            todo.tries += 1
            uid = landed.uids.get(todo.uid or 0) if landed else None
            if landed is not None and uid is not None:
                todo.landed = (landed.uidvalidity, uid)
                todo.found = replace(todo.found, there=True)

    def find_missing(self, todos: Sequence[Todo]) -> None:
        """Look up where moved messages are, for servers without COPYUID; the move itself is done."""
        if lost := [todo for todo in todos if todo.landed is None]:
            self.look_there(lost)

    def fenced(self) -> AbstractContextManager[Session]:
        """A transaction that renews the lease first."""
        return _fenced(self.mailbox_id, self.owner)
