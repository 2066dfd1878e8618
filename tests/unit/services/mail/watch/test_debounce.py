"""A storm of pushes is few syncs, and the first of them comes at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.mail.watch.debounce import FRESH_S, LEAST_S, MOST_S, Debounce


def test_the_first_push_is_taken_at_once_and_once() -> None:
    one = Debounce()
    assert not one.take(0)
    one.push(5, fresh=False)
    assert one.take(5)
    assert not one.take(5)


def test_new_mail_in_a_storm_of_flags_waits_no_longer_than_new_mail_does() -> None:
    one = Debounce()
    for now in range(100):
        one.push(now, fresh=False)
        one.take(now)
    asked = max(now for now in range(100) if now)
    one.push(asked, fresh=False)
    one.push(asked, fresh=True)
    assert one.due is not None
    assert one.due - asked <= FRESH_S


@given(st.lists(st.floats(0, 2), min_size=1, max_size=200))
def test_no_push_is_forgotten_and_a_storm_is_few_syncs(gaps: list[float]) -> None:
    one, now, taken = Debounce(), 0.0, 0
    for gap in gaps:
        now += gap
        one.push(now, fresh=False)
        taken += one.take(now)
        assert one.due is None or one.due <= now + MOST_S
    assert taken <= 2 + now / LEAST_S
    assert one.due is None or one.take(one.due)


def test_after_a_quiet_time_it_is_patient_no_more() -> None:
    one = Debounce()
    for now in range(60):
        one.push(now, fresh=False)
        one.take(now)
    one.take(60 + MOST_S)
    one.push(200, fresh=False)
    assert one.take(200)
    one.push(200, fresh=False)
    assert one.due == 200 + LEAST_S
