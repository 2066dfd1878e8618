"""The newest messages of a large folder come before its listing, and nothing is lost or doubled by that."""

from __future__ import annotations

import pytest

from mailcrm.services.mail.imap import client
from mailcrm.services.mail.imap.wire import Wire
from mailcrm.services.mail.sync import apply, plan
from mailcrm.services.mail.sync.outcome import SyncReport
from tests.integration.sync.conftest import Box, raw


def test_the_newest_are_stored_before_all_are_listed(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 3: the newest 50 are readable at once, whatever the size of the mailbox."""
    for n in range(1, 181):
        box.deliver(raw(n))
    events: list[str] = []
    listing = apply.save_listing

    def listed(*args: object) -> None:
        events.append("listed")
        listing(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(apply, "save_listing", listed)
    seen: list[set[int]] = []

    def progress(report: SyncReport) -> None:
        events.append(f"stored {report.stored}")
        seen.append(set(box.locations()))
        box.ledger()  # adds up

    report = box.sync(progress=progress)
    assert events[:2] == [f"stored {plan.FIRST}", "listed"]
    assert seen[0] == set(range(131, 181))
    assert report.complete
    assert len(box.locations()) == len(box.messages()) == 180
    assert box.sync().stored == 0


def test_a_pass_that_dies_after_the_head_start_is_gone_on_with(box: Box) -> None:
    for n in range(1, 101):
        box.deliver(raw(n))

    class Died(Exception):
        pass

    def die(report: SyncReport) -> None:
        raise Died

    with pytest.raises(Exception, match="failed on our side"):
        box.sync(progress=die)
    assert len(box.locations()) == plan.FIRST
    box.sync()
    line = box.ledger()["INBOX"]
    assert (line.server, line.stored, line.pending) == (100, 100, 0)


def test_the_next_bodies_are_asked_for_before_the_last_are_read(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3501 §5.5: no round trip between two batches; what is not wanted after all is dropped."""
    for n in range(1, 31):
        box.deliver(raw(n))
    asked: list[str] = []
    ask = Wire._ask_bodies

    def noted(wire: Wire, sequence: str) -> str:
        asked.append(sequence)
        return ask(wire, sequence)

    monkeypatch.setattr(Wire, "_ask_bodies", noted)
    with client.connect(box.dovecot.spec(box.user), "secret") as connection:
        connection.examine("INBOX")
        meta = connection.fetch_meta(range(1, 31))
        plain = {m.uid: m.raw for m in connection.fetch_raw(range(1, 31), meta=meta)}  # type: ignore[union-attr]
        asked.clear()
        one = [m.uid for m in connection.fetch_raw([29, 30], meta=meta, following=[[27, 28], [25, 26], [23, 24]])]  # type: ignore[union-attr]
        assert asked == ["29:30", "27:28", "25:26", "23:24"]
        two = list(connection.fetch_raw([27, 28], meta=meta, following=[[25, 26], [23, 24]]))
        assert asked == ["29:30", "27:28", "25:26", "23:24"]
        assert (one, [m.uid for m in two]) == ([30, 29], [28, 27])
        assert [m.raw for m in two] == [plain[28], plain[27]]  # type: ignore[union-attr]
        assert connection.list_uids(1, 5) == [1, 2, 3, 4, 5]  # drops 25:26 and 23:24 first
        assert [m.uid for m in connection.fetch_raw([3], meta=meta, following=[[1, 2]])] == [3]
        assert [m.uid for m in connection.fetch_raw([9, 10], meta=meta, following=[[7, 8], [5]])] == [
            10,
            9,
        ]  # not those
        three = list(connection.fetch_raw([5], meta=meta, following=[[7, 8]]))  # in another order than it was asked for
        assert [m.raw for m in three] == [plain[5]]  # type: ignore[union-attr]
        assert [m.uid for m in connection.fetch_raw([7, 8], meta=meta)] == [8, 7]
        assert connection.alive


def test_bodies_of_the_next_batch_that_come_early_are_kept(box: Box) -> None:
    """Dovecot works at two FETCHes at once when its output is full: the second's bodies came before the first's end,
    were dropped, and a fifth of a first sync was fetched twice."""
    for n in range(1, 61):
        box.deliver(raw(n) + b"x" * 74 + b"\n" + (b"y" * 75 + b"\n") * 4000)
    with client.connect(box.dovecot.spec(box.user), "secret") as connection:
        connection.examine("INBOX")
        meta = connection.fetch_meta(range(1, 61))
        late, early = list(range(31, 61)), list(range(1, 31))
        first = [m.uid for m in connection.fetch_raw(late, meta=meta, following=[early])]
        assert sorted(first) == late
        assert sorted(m.uid for m in connection.fetch_raw(early, meta=meta)) == early
