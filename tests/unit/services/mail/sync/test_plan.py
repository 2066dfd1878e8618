"""The planner against a simulated server that loses connections, renumbers, duplicates and empties (rules 6 and 7).

A model folder holds what `apply.py` would have stored. After any storm, a calm pass must bring folder and server
together; at no moment may a UID below the cursor be without a row, or a message be forgotten that nobody removed.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mailcrm.services.mail.sync.cursor import MAX_UID, Cursor, Server, end_of
from mailcrm.services.mail.sync.plan import (
    Believe,
    Changes,
    Compare,
    Doubt,
    Flags,
    ListNew,
    Remap,
    Round,
    after_listing,
    judge,
    steps,
    windows,
)

NOW = datetime(2024, 1, 1, tzinfo=UTC)


class LostConnection(Exception):
    pass


class SyncMachine(RuleBasedStateMachine):
    """A server folder (uid -> content) and the rows of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.server: dict[int, int] = {}
        self.validity, self.uidnext, self.content = 1, 1, 0
        self.tells_uidnext = True
        self.rows: dict[int, int] = {}  # uid -> content, pending or stored alike
        self.stored_ever: set[int] = set()
        self.seen_validity: int | None = None
        self.cursor_uidnext = 1
        self.suspicious = False
        self.lose_after: int | None = None
        self.lie = self.lied = False

    # What happens on the server

    @rule(count=st.integers(1, 120))
    def deliver(self, count: int) -> None:
        for _ in range(count):
            self.content += 1
            self.server[self.uidnext] = self.content
            self.uidnext += 1

    @rule(gap=st.integers(1, 2_000_000))
    def burn_uids(self, gap: int) -> None:
        self.uidnext += gap

    @rule(data=st.data())
    @precondition(lambda self: self.server)
    def expunge_some(self, data: st.DataObject) -> None:
        for uid in data.draw(st.sets(st.sampled_from(sorted(self.server)), max_size=40)):
            del self.server[uid]

    @rule()
    def expunge_all(self) -> None:
        self.server.clear()

    @rule(start=st.integers(1, 500))
    def renumber(self, start: int) -> None:
        self.validity += 1
        self.server = {start + n: content for n, content in enumerate(self.server.values())}
        self.uidnext = max(self.server, default=start) + 1

    @rule(tells=st.booleans())
    def forget_uidnext(self, tells: bool) -> None:
        self.tells_uidnext = tells

    # What the pass asks

    def _ask(self) -> None:
        if self.lose_after is not None:
            self.lose_after -= 1
            if self.lose_after < 0:
                raise LostConnection

    def _status(self) -> Server:
        self._ask()
        return Server(self.validity, self.uidnext if self.tells_uidnext else 0, len(self.server), None)

    def _list(self, lo: int, hi: int) -> list[int]:
        self._ask()
        found = sorted(uid for uid in self.server if lo <= uid <= hi)
        return found[: len(found) // 2] if self.lie else found

    def _cursor(self) -> Cursor:
        return Cursor(self.seen_validity, self.cursor_uidnext, None, len(self.rows), self.suspicious, NOW)

    def _pass(self) -> None:
        server = self._status()
        for step in steps(self._cursor(), server, NOW):
            match step:
                case Remap():
                    listed = [u for lo, hi in windows(1, end_of(server), server.exists) for u in self._list(lo, hi)]
                    if len(listed) != server.exists:
                        return
                    self.rows = {uid: self.server[uid] for uid in listed}  # one transaction from here
                    self.seen_validity = server.uidvalidity
                    self.cursor_uidnext = server.uidnext or max(listed, default=0) + 1
                case ListNew(lo, hi):
                    for first, last in windows(lo, hi, server.exists):
                        listed = self._list(first, last)
                        assert not set(listed) & set(self.rows)  # no UID twice
                        self.rows.update({uid: self.server[uid] for uid in listed})
                        end = max(listed, default=0) if last == MAX_UID else last
                        self.cursor_uidnext = max(self.cursor_uidnext, end + 1)
                    if after_listing(len(self.rows), server):
                        self._compare()
                case Compare():
                    self._compare()
                case Changes() | Flags() | Round():
                    pass
        self.stored_ever |= set(self.rows.values())

    def _compare(self) -> None:
        for confirmed in (False, True):
            server = self._status()
            listed = {u for lo, hi in windows(1, end_of(server), server.exists) for u in self._list(lo, hi)}
            verdict = judge(set(self.rows), listed, server.exists, confirmed=confirmed, suspicious=self.suspicious)
            if isinstance(verdict, Believe):
                for uid in verdict.vanished:
                    assert uid not in self.server  # never forgets what is there
                    del self.rows[uid]
                self.rows.update({uid: self.server[uid] for uid in verdict.missing})
                self.cursor_uidnext = max(self.cursor_uidnext, max(verdict.missing, default=0) + 1)
                self.suspicious = False
                return
            if not verdict.again:
                self.suspicious = verdict.reason == "empty"
                return

    @rule(lose_after=st.one_of(st.none(), st.integers(0, 6)), lie=st.booleans())
    def stormy_pass(self, lose_after: int | None, lie: bool) -> None:
        self.lose_after, self.lie = lose_after, lie
        self.lied |= lie
        before, emptied = dict(self.rows), not self.server
        try:
            self._pass()
        except LostConnection:
            pass
        finally:
            self.lose_after, self.lie = None, False
        if lie and before and not emptied and self.seen_validity == self.validity:
            missing = {u for u in before if u in self.server and self.server[u] == before[u]} - set(self.rows)
            assert not missing  # a listing that does not add up removes nothing

    @rule()
    def calm_passes_settle_everything(self) -> None:
        for _ in range(4):
            self._pass()
        assert self.rows == self.server  # after lies too: the counts differ until everything is found
        self.lied = False
        again = (dict(self.rows), self.cursor_uidnext, self.seen_validity)
        self._pass()
        assert (dict(self.rows), self.cursor_uidnext, self.seen_validity) == again  # planning twice changes nothing

    @invariant()
    def every_uid_below_the_cursor_has_a_row(self) -> None:
        if self.seen_validity == self.validity and not self.lied:
            assert {u for u in self.server if u < self.cursor_uidnext} <= set(self.rows)


SyncMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestSync = SyncMachine.TestCase


def test_nothing_new_needs_nothing() -> None:
    cursor = Cursor(7, 100, 5, 42, False, NOW)
    assert steps(cursor, Server(7, 100, 42, 5), NOW) == ()


def test_flags_are_asked_by_modseq_where_the_server_counts_them() -> None:
    cursor = Cursor(7, 100, 5, 42, False, NOW)
    assert steps(cursor, Server(7, 100, 42, 9), NOW) == (Changes(5),)


def test_an_empty_listing_needs_a_second_connection_and_a_second_pass() -> None:
    """Rule 6: a folder that is suddenly empty means unknown."""
    known = set(range(1, 200))
    assert judge(known, set(), 0, confirmed=False, suspicious=False) == Doubt("mass", again=True)
    assert judge(known, set(), 0, confirmed=True, suspicious=False) == Doubt("empty", again=False)
    assert isinstance(judge(known, set(), 0, confirmed=True, suspicious=True), Believe)


def test_a_listing_that_disagrees_with_the_count_is_never_believed() -> None:
    """peers.md 3.1: a failed SEARCH looks like an empty folder; the server's own count tells."""
    known = set(range(1, 11))
    assert judge(known, set(range(1, 6)), 10, confirmed=False, suspicious=False) == Doubt("count", again=True)
    assert judge(known, set(), 10, confirmed=True, suspicious=True) == Doubt("count", again=False)


def test_windows_bound_every_listing() -> None:
    assert list(windows(1, 10**9, 200)) == [(1, 10**9)]
    sparse = list(windows(1, 2**32 - 1, 300_000))
    assert len(sparse) <= 14, "a large sparse folder takes no more listings than twice a dense one"
    assert sparse[0][0] == 1
    assert sparse[-1][1] == 2**32 - 1
    assert all(after[0] == before[1] + 1 for before, after in itertools.pairwise(sparse))
    assert list(windows(1, 120_000, 100_000)) == [(1, 50_000), (50_001, 100_000), (100_001, 120_000)]
    parts = list(windows(1, 120_000, 100_000))
    assert parts == [(1, 50_000), (50_001, 100_000), (100_001, 120_000)]
    assert list(windows(5, 4, 0)) == []
