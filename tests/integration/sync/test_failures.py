"""Servers that fail in mid-sync: nothing is lost, nothing doubled, and the row says what happens next."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import col, select

from mailcrm.models import Folder, Mailbox, Notification
from mailcrm.models.base import utcnow
from mailcrm.services.db import reading, transaction
from mailcrm.services.mail.imap import uidset
from mailcrm.services.mail.imap.wire import Limits
from mailcrm.services.mail.providers.values import ServerSpec
from mailcrm.services.mail.sync import engine
from tests.integration.sync.conftest import Box, connect, raw
from tests.servers.dovecot import DovecotServer
from tests.servers.imap_misbehaving import MisbehavingImap, Peer
from tests.servers.proxy import RecordingProxy


def row(box: Box) -> Mailbox:
    with reading() as session:
        found = session.get_one(Mailbox, box.mailbox_id)
        session.expunge(found)
        return found


def test_three_refusals_ask_for_the_password(box: Box) -> None:
    """sync.md A4: servers refuse good passwords during outages, so the first refusals are only tried again."""
    box.deliver(raw(1))
    box.dovecot.passwords.pop(box.user)
    (box.dovecot.home / "users" / box.user).unlink()
    box.dovecot.add_user(box.user, "changed")
    for strike in (1, 2):
        report = engine.sync_mailbox(box.mailbox_id)
        assert report.error is not None
        assert report.error.code == "imap.wrong_password"
        mailbox = row(box)
        assert (mailbox.status, mailbox.failures, mailbox.error_code) == ("active", strike, "imap.wrong_password")
        assert mailbox.next_try_at is not None
        assert mailbox.next_try_at > utcnow()
        assert mailbox.lease_owner == ""
    engine.sync_mailbox(box.mailbox_id)
    assert row(box).status == "needs_reconnect"
    with reading() as session:
        (notice,) = session.exec(select(Notification).where(Notification.user_id == box.user_id)).all()
        assert (notice.kind, notice.mailbox_id) == ("reconnect", box.mailbox_id)


def test_a_cut_connection_goes_on_where_it_was(db: str, dovecot: DovecotServer) -> None:
    """The connection is cut after every second batch, at no moment does the ledger not add up."""
    with RecordingProxy(("127.0.0.1", dovecot.plain_port)) as proxy:
        box = connect(dovecot, ServerSpec("localhost", proxy.port, "none", ""))
        for n in range(1, 700):
            box.deliver(raw(n))
        cuts = 0
        for _ in range(20):
            calls = itertools.count(1)
            report = engine.sync_mailbox(
                box.mailbox_id, progress=lambda _r, c=calls: proxy.cut() if next(c) == 2 else None
            )
            box.ledger()
            if report.error is None and report.complete:
                break
            assert report.error is None or report.error.code in ("server.lost", "server.protocol")
            cuts += report.error is not None
        assert cuts >= 1
        assert row(box).failures == 0
        line = box.ledger()["INBOX"]
        assert (line.stored, line.pending, line.quarantined) == (699, 0, 0)
        assert len(box.messages()) == len(set(box.locations().values())) == 699


class SmallImap:
    """An INBOX in memory, for what a good server can't be made to do."""

    def __init__(self, messages: dict[int, bytes]) -> None:
        self.messages = messages
        self.validity = itertools.repeat(7)
        self.on_body: Callable[[Peer, list[int]], bool] = lambda peer, uids: False
        self.list_answer: str | None = None

    def __call__(self, peer: Peer) -> None:
        peer.send("* OK hello")
        peer.serve(
            {
                "LIST": '* LIST () "/" INBOX\r\n{tag} OK done\r\n',
                "STATUS": self._status,
                "EXAMINE": self._examine,
                "UID SEARCH": self._search,
                "UID FETCH": self._fetch,
            }
        )

    def _next(self) -> int:
        return max(self.messages, default=0) + 1

    def _status(self, peer: Peer, tag: str, rest: str) -> None:
        counts = f"MESSAGES {len(self.messages)} UIDNEXT {self._next()} UIDVALIDITY {next(self.validity)}"
        peer.send(f"* STATUS INBOX ({counts})\r\n{tag} OK done")

    def _examine(self, peer: Peer, tag: str, rest: str) -> None:
        peer.send(
            f"* {len(self.messages)} EXISTS\r\n* OK [UIDVALIDITY {next(self.validity)}] ok\r\n"
            f"* OK [UIDNEXT {self._next()}] ok\r\n{tag} OK [READ-ONLY] done"
        )

    def _search(self, peer: Peer, tag: str, rest: str) -> None:
        found = self.list_answer
        if found is None:
            lo, _, hi = rest.split()[-1].partition(":")
            if rest.split()[-2] == "UID":
                found = " ".join(str(u) for u in sorted(self.messages) if int(lo) <= u <= int(hi))
            else:  # n:* of sequence numbers
                found = " ".join(str(u) for u in sorted(self.messages)[int(lo) - 1 :])
        peer.send(f"* SEARCH {found}\r\n{tag} OK done")

    def _fetch(self, peer: Peer, tag: str, rest: str) -> None:
        uids = [u for u in uidset.parse(rest.split()[2]) if u in self.messages]
        if "BODY" in rest and self.on_body(peer, uids):
            return
        for uid in uids:
            data = self.messages[uid]
            if "BODY" in rest:
                peer.send(b"* 1 FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (uid, len(data), data))
            else:
                peer.send(
                    f'* 1 FETCH (UID {uid} FLAGS () INTERNALDATE "01-Feb-2024 10:00:00 +0000" RFC822.SIZE {len(data)})'
                )
        peer.send(f"{tag} OK done")


def small(dovecot: DovecotServer, server: SmallImap) -> tuple[Box, MisbehavingImap]:
    listener = MisbehavingImap(server)
    return connect(dovecot, ServerSpec("localhost", listener.port, "none", "")), listener


def test_a_message_that_kills_its_connection_is_isolated(db: str, dovecot: DovecotServer) -> None:
    """Threat 23, BYE in FETCH: smaller and smaller fetches, until the culprit is alone and goes to quarantine."""
    server = SmallImap({n: raw(n) for n in range(1, 61)})

    def kill(peer: Peer, uids: list[int]) -> bool:
        if 17 in uids:
            peer.send("* BYE internal error")
            peer.sock.close()
            return True
        return False

    server.on_body = kill
    box, listener = small(dovecot, server)
    with listener:
        for _ in range(15):
            report = engine.sync_mailbox(box.mailbox_id)
            box.ledger()
            if report.complete:
                break
        assert report.complete
    line = box.ledger()["INBOX"]
    assert (line.server, line.stored, line.quarantined, line.pending) == (60, 59, 1, 0)
    assert 17 not in box.locations()


def test_a_uidvalidity_that_changes_all_the_time_ends_the_pass(db: str, dovecot: DovecotServer) -> None:
    server = SmallImap({n: raw(n) for n in range(1, 5)})
    server.validity = itertools.count(1)  # type: ignore[assignment]
    box, listener = small(dovecot, server)
    with listener:
        report = engine.sync_mailbox(box.mailbox_id)
    assert report.error is not None
    assert report.error.code == "server.protocol"


def test_a_listing_that_disagrees_with_the_count_removes_nothing(db: str, dovecot: DovecotServer) -> None:
    """Rule 6 and peers.md 3.1: an empty SEARCH answer is "unknown", not "all deleted"."""
    server = SmallImap({n: raw(n) for n in range(1, 9)})
    box, listener = small(dovecot, server)
    with listener:
        box.sync()
        del server.messages[3]  # so that the pass has to compare
        server.list_answer = ""
        report = engine.sync_mailbox(box.mailbox_id)
        assert report.folder_errors["INBOX"].code == "sync.doubt_count"
        assert len(box.locations()) == 8
        server.list_answer = None
        assert box.sync().vanished == 1
    assert box.ledger()["INBOX"].server == 7


def test_a_server_that_hangs_in_a_fetch_is_left_for_later(db: str, dovecot: DovecotServer) -> None:
    server = SmallImap({n: raw(n) for n in range(1, 9)})
    server.on_body = lambda peer, uids: not peer.sock.recv(1)  # waits, says nothing
    box, listener = small(dovecot, server)
    with listener:
        report = engine.sync_mailbox(box.mailbox_id, limits=Limits(connect=1, read=0.5, sign_in=5))
    assert report.error is not None
    assert report.error.code == "server.timeout"
    assert box.ledger()["INBOX"].pending == 8
    mailbox = row(box)
    assert (mailbox.failures, mailbox.error_code) == (1, "server.timeout")


@pytest.mark.parametrize("age", [-1, 1])
def test_a_lease_of_another_machine_holds_until_it_runs_out(box: Box, age: int) -> None:
    with transaction() as session:
        mailbox = session.get_one(Mailbox, box.mailbox_id)
        mailbox.lease_owner, mailbox.lease_until = "elsewhere/1/1/x", utcnow() - timedelta(minutes=age)
        session.add(mailbox)
    assert engine.sync_mailbox(box.mailbox_id).busy == (age < 0)


def test_commands_of_a_whole_sync_are_on_the_allow_list(db: str, dovecot: DovecotServer) -> None:
    """EXAMINE, never SELECT; PEEK, always; no STORE, COPY, EXPUNGE, whatever happens in a pass."""
    from tests.integration.mail.test_imap_client import ALLOWED

    with RecordingProxy(("127.0.0.1", dovecot.plain_port)) as proxy:
        box = connect(dovecot, ServerSpec("localhost", proxy.port, "none", ""))
        paths = [box.deliver(raw(n)) for n in range(1, 80)]
        box.sync()
        paths[0].rename(str(paths[0]) + "F")
        paths[1].unlink()
        box.sync()
        box.dovecot.new_uidvalidity(box.user)
        box.sync()
        commands = proxy.commands()
    assert {c for c in commands if not any(re.match(p, c) for p in ALLOWED)} == set()
    assert sum(c.startswith("EXAMINE") for c in commands) >= 3


def test_a_budget_ends_the_pass_and_asks_to_go_on(box: Box) -> None:
    """A large mailbox must not keep a worker from the others: it is asked for again, and goes on where it was."""
    for n in range(1, 800):
        box.deliver(raw(n))
    report = engine.sync_mailbox(box.mailbox_id, should_stop=lambda: bool(box.locations()))
    assert report.cut
    assert report.pending > 0
    assert row(box).sync_requested_at is not None
    box.ledger()
    assert box.sync().complete
    assert row(box).sync_requested_at is None


def test_a_budget_also_ends_the_looking_and_every_folder_has_its_turn(box: Box) -> None:
    """Each pass is stopped once it has listed one folder more; it neither praises nor forgets what it did not see."""
    for n in range(6):
        box.deliver(raw(n), f"Folder {n}")

    def listed() -> int:
        with reading() as session:
            opened = select(Folder).where(Folder.mailbox_id == box.mailbox_id, col(Folder.uidvalidity).is_not(None))
            return len(session.exec(opened).all())

    cut = 0
    while True:
        before = listed()
        report = engine.sync_mailbox(box.mailbox_id, should_stop=lambda before=before: listed() > before)
        if not report.cut:
            break
        cut += 1
        assert not report.complete
        assert row(box).sync_requested_at is not None, "nobody asked for the rest"
        with reading() as session:
            for folder in session.exec(select(Folder).where(Folder.mailbox_id == box.mailbox_id)):
                assert folder.name not in report.unseen or folder.last_success_at is None
        assert cut < 20
    assert cut >= 6
    assert report.complete
    assert len(box.messages()) == 6
    box.ledger()


def test_a_folder_with_a_lasting_error_is_not_asked_for_again_and_again(db: str, dovecot: DovecotServer) -> None:
    server = SmallImap({1: raw(1)})
    server.list_answer = ""
    box, listener = small(dovecot, server)
    with transaction() as session:
        mailbox = session.get_one(Mailbox, box.mailbox_id)
        mailbox.sync_requested_at = utcnow()
        session.add(mailbox)
    with listener:
        assert not engine.sync_mailbox(box.mailbox_id).complete
    assert row(box).sync_requested_at is None
    assert row(box).next_try_at is None  # the mailbox itself is well: it is polled as usual
