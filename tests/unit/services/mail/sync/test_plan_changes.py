"""The planner's flags and vanished UIDs against a simulated server: with mod-sequences, without, going backwards, lying.

Whatever was cut in between, passes in peace bring every flag over; nothing that is there is ever forgotten (rule 6).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from mailcrm.services.mail.sync import plan
from mailcrm.services.mail.sync.cursor import Cursor, Server
from mailcrm.services.mail.sync.plan import Changes, Flags, ListNew, Round, among, checkpoints, judge_vanished, steps


class Cut(Exception):
    pass


class FlagsMachine(RuleBasedStateMachine):
    """A folder whose messages are all stored; `flags` are numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2024, 1, 1, tzinfo=UTC)
        self.flags: dict[int, int] = {}
        self.changed: dict[int, int] = {}  # uid -> mod-sequence
        self.expunged: list[tuple[int, int]] = []
        self.uidnext, self.modseq, self.counts = 1, 1, True
        self.ours: dict[int, int] = {}
        self.cursor = Cursor(7, 1, 1, 0, False, self.now, None, self.now)
        self.cut_after: int | None = None
        self.invented: set[int] = set()

    @rule(count=st.integers(1, 30))
    def deliver(self, count: int) -> None:
        for _ in range(count):
            self.modseq += 1
            self.flags[self.uidnext], self.changed[self.uidnext] = 0, self.modseq
            self.uidnext += 1

    @rule(data=st.data(), value=st.integers(1, 9), at_once=st.booleans())
    @precondition(lambda self: self.flags)
    def flag(self, data: st.DataObject, value: int, at_once: bool) -> None:
        for uid in data.draw(st.sets(st.sampled_from(sorted(self.flags)), min_size=1, max_size=40)):
            self.modseq += not at_once
            self.flags[uid], self.changed[uid] = value, self.modseq + at_once
        self.modseq += at_once

    @rule(data=st.data())
    @precondition(lambda self: self.flags)
    def expunge(self, data: st.DataObject) -> None:
        for uid in data.draw(st.sets(st.sampled_from(sorted(self.flags)), max_size=20)):
            self.modseq += 1
            del self.flags[uid], self.changed[uid]
            self.expunged.append((self.modseq, uid))

    @rule(uids=st.sets(st.integers(1, 60), min_size=1, max_size=5))
    def lie_about_vanished(self, uids: set[int]) -> None:
        self.invented = uids
        self.modseq += 1

    @rule(value=st.integers(1, 9))
    @precondition(lambda self: self.flags and self.counts and self.modseq > 3)
    def restore_a_backup(self, value: int) -> None:
        """Mod-sequences fall below what we know, and flags are what they were once."""
        self._peace()
        self.modseq = 2
        for uid in self.flags:
            self.flags[uid], self.changed[uid] = value, 2
        self._pass()

    @rule(counts=st.booleans())
    def count_changes(self, counts: bool) -> None:
        self.counts = counts

    # A pass

    def _known(self, **fields: object) -> Cursor:
        values: dict[str, Any] = (
            {name: getattr(self.cursor, name) for name in Cursor.__slots__} | {"known": len(self.ours)} | fields
        )
        return Cursor(**values)

    def _commit(self, **fields: object) -> None:
        if self.cut_after is not None:
            self.cut_after -= 1
            if self.cut_after < 0:
                raise Cut
        self.cursor = self._known(**fields)

    def _pass(self) -> None:
        server = Server(7, self.uidnext, len(self.flags), self.modseq if self.counts else None)
        for step in steps(self._known(), server, self.now):
            match step:
                case ListNew(lo, hi):
                    self._commit(uidnext=hi + 1)
                    self.ours |= {uid: flags for uid, flags in self.flags.items() if lo <= uid <= hi}
                case Changes(since):
                    self._changes(since, server)
                case Flags(newest):
                    uids = sorted(self.ours, reverse=True)[:newest]
                    self._commit(flags_checked_at=self.now, highestmodseq=None)
                    self._take(uids)
                case Round(below):
                    first = self.cursor.uidnext if below is None else below
                    uids = [uid for uid in sorted(self.ours, reverse=True) if uid < first][: plan.ROUND_FLAGS]
                    over = len(uids) < plan.ROUND_FLAGS
                    start = {"highestmodseq": server.highestmodseq} if below is None else {}
                    ended = {"flags_round_at": self.now} if over else {}
                    self._commit(flags_below=None if over else min(uids), **start, **ended)
                    self._take(uids)
                case _:
                    pass
        if len(self.ours) != len(self.flags):
            self._compare()

    def _take(self, uids: list[int]) -> None:
        self.ours |= {uid: self.flags[uid] for uid in uids if uid in self.flags}

    def _changes(self, since: int, server: Server) -> None:
        assert server.highestmodseq is not None
        told = {uid for modseq, uid in self.expunged if modseq > since} | self.invented
        self.invented = set()
        gone = among(self.ours, [(uid, uid) for uid in told])
        if gone:
            if judge_vanished(len(self.ours), len(gone), server.exists):
                assert not set(gone) & set(self.flags)  # never forgets what is there
                self._commit()
                for uid in gone:
                    del self.ours[uid]
            else:
                self._compare()
        states = {uid: modseq for uid, modseq in self.changed.items() if modseq > since}
        for uids, reached in checkpoints(states, since, server.highestmodseq):
            self._commit(highestmodseq=reached, flags_checked_at=self.now)
            self._take([uid for uid in uids if uid in self.ours])
        if not states:
            self._commit(highestmodseq=server.highestmodseq)

    def _compare(self) -> None:
        self._commit()
        self.ours = {uid: self.ours.get(uid, self.flags[uid]) for uid in self.flags}

    @rule(cut_after=st.integers(0, 4))
    def stormy_pass(self, cut_after: int) -> None:
        self.cut_after = cut_after
        try:
            self._pass()
        except Cut:
            pass
        finally:
            self.cut_after = None

    def _peace(self) -> None:
        for _ in range(6):
            self.now += timedelta(hours=7)
            self._pass()

    @rule()
    def passes_in_peace_bring_everything_over(self) -> None:
        self._peace()
        assert self.ours == self.flags


FlagsMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestFlags = FlagsMachine.TestCase


@given(
    st.dictionaries(st.integers(1, 10_000), st.one_of(st.none(), st.integers(5, 40)), max_size=60),
    st.integers(1, 5),
)
def test_a_checkpoint_never_stands_before_what_is_not_stored(modseqs: dict[int, int | None], size: int) -> None:
    """RFC 7162: asking for what changed after a checkpoint brings everything that was not written with it."""
    before, plan.CHECKPOINT = plan.CHECKPOINT, size
    try:
        stored: set[int] = set()
        last = 4
        for uids, reached in checkpoints(modseqs, 4, 40):
            assert reached >= last
            last = reached
            stored |= set(uids)
            assert all(uid in stored for uid, m in modseqs.items() if m is not None and m <= reached)
        assert stored == set(modseqs)
        assert last == (40 if modseqs else 4)
    finally:
        plan.CHECKPOINT = before


def test_a_round_is_bounded_and_goes_on_where_it_was() -> None:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    late = now + plan.ROUND_EVERY
    cursor = Cursor(7, 100_000, None, 90_000, False, late, None, now)
    server = Server(7, 100_000, 90_000, None)
    assert steps(cursor, server, now) == ()
    assert steps(cursor, server, late) == (Round(None),)
    going = Cursor(7, 100_000, None, 90_000, False, late, 60_000, now)
    assert steps(going, server, late) == (Round(60_000),)


def test_a_mod_sequence_that_begins_or_falls_starts_a_round() -> None:
    """What changed before it is not told by CHANGEDSINCE."""
    now = datetime(2024, 1, 1, tzinfo=UTC)
    for known, told in ((None, 9), (12, 9)):
        cursor = Cursor(7, 10, known, 5, False, now, None, now)
        assert steps(cursor, Server(7, 10, 5, told), now) == (Round(None),)


def test_the_server_is_asked_for_changes_when_opening_a_folder_only_where_it_is_bounded() -> None:
    """QRESYNC answers with everything at once: larger folders are asked in windows."""
    now = datetime(2024, 1, 1, tzinfo=UTC)
    server = Server(7, 500_000, 40_000, 20)
    assert plan.resync(Cursor(7, 100, 12, 40, False, now), server) == (7, 12, 99)
    assert plan.resync(Cursor(7, 400_000, 12, plan.WINDOW + 1, False, now), server) is None
    assert plan.resync(Cursor(6, 100, 12, 40, False, now), server) is None
    assert plan.resync(Cursor(7, 100, 20, 40, False, now), server) is None
    assert plan.resync(Cursor(7, 100, None, 40, False, now), server) is None


def test_vanished_uids_must_fit_the_count_and_be_few() -> None:
    assert judge_vanished(100, 3, 97)
    assert not judge_vanished(100, 3, 98)
    assert not judge_vanished(100, 60, 40)
    assert among([1, 5, 9, 12], [(2, 9), (4, 4), (12, 12)]) == [5, 9, 12]
