"""Who may go on: a new message never waits for a first sync or for a server that hangs (issue 3 item 7)."""

from __future__ import annotations

import threading

import pytest

from mailcrm.services.jobs import turns
from mailcrm.services.jobs.turns import FREE_S, PER_HOST, SILENT_S, SLICE_S, SLOTS, Turn, Turns


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def enter(some: Turns, host: str = "a.test", *, suspect: bool = False) -> Turn:
    turn = some.enter(host, suspect=suspect)
    assert turn is not None
    return turn


def test_a_short_pass_needs_no_slot(clock: Clock) -> None:
    some = Turns(32, clock)
    long = [enter(some, f"{n}.test") for n in range(SLOTS)]
    clock.now = FREE_S + 1
    assert not any(each.is_over() for each in long)
    short = enter(some)
    assert not short.is_over()
    assert short.held_since is None


def test_long_passes_hold_a_slot_and_give_it_up_when_others_wait(clock: Clock) -> None:
    some = Turns(32, clock)
    long = [enter(some, f"{n}.test") for n in range(SLOTS)]
    another = enter(some)
    clock.now = FREE_S + 1
    assert not any(each.is_over() for each in long)
    got: list[bool] = []
    waiting = threading.Thread(target=lambda: got.append(another.is_over()))
    waiting.start()
    while not some._queue:
        pass
    clock.now += SLICE_S
    for each in long[1:]:
        each.seen = clock.now  # they are busy
    assert long[0].is_over()  # its slice is over and somebody waits
    waiting.join(10)
    assert got == [False]
    long[0].leave()


def test_alone_it_goes_on_for_ever(clock: Clock) -> None:
    turn = enter(Turns(32, clock))
    for _ in range(100):
        clock.now += SLICE_S
        assert not turn.is_over()


def test_a_server_that_hangs_in_mid_sync_holds_its_thread_and_no_slot(clock: Clock) -> None:
    some = Turns(32, clock)
    hanging = [enter(some, f"{n}.test") for n in range(SLOTS)]
    clock.now = FREE_S + 1
    assert not any(each.is_over() for each in hanging)
    clock.now += SILENT_S + 1
    another = enter(some)
    clock.now += FREE_S
    assert not another.is_over()
    assert another.held_since is not None


def test_one_hosts_silent_passes_are_few_and_suspects_get_half(clock: Clock) -> None:
    some = Turns(32, clock)
    for _ in range(PER_HOST):
        enter(some, "dead.test")
    assert some.enter("dead.test", suspect=False) is not None  # nobody knows yet that it hangs
    clock.now += SILENT_S + 1
    assert some.enter("dead.test", suspect=False) is None
    slow = Turns(32, clock)
    for turn in [enter(slow, "slow.test") for _ in range(PER_HOST)]:
        turn.is_over()
    clock.now += 60
    assert slow.enter("slow.test", suspect=False) is not None  # large batches over a slow line are no silence
    other = Turns(8, clock)
    suspects = [enter(other, f"{n}.test", suspect=True) for n in range(4)]
    assert other.enter("x.test", suspect=True) is None
    assert other.enter("x.test", suspect=False) is not None
    suspects[0].is_over()  # its server answered after all
    assert other.enter("x.test", suspect=True) is not None


def test_who_waits_too_long_comes_again_later(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAIT_MOST_S", 0.0)
    some = Turns(32, clock)
    long = [enter(some, f"{n}.test") for n in range(SLOTS)]
    another = enter(some)
    clock.now = FREE_S + 1
    assert not any(each.is_over() for each in long)
    assert another.is_over()
    assert not some._queue


def test_a_process_that_stops_ends_every_turn(clock: Clock) -> None:
    some = Turns(32, clock)
    turn = enter(some)
    assert not turn.is_over()
    some.close()
    assert turn.is_over()
