"""The shapes of the report's chart: through every point, never over a neighbour, broken where nothing is known."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from mailcrm.state import chart

RATES = st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=20)


def numbers(path: str) -> list[float]:
    return [float(each) for each in re.findall(r"-?\d+\.?\d*", path)]


@given(RATES, st.sampled_from([0.2, 0.4, 1.0]))
def test_a_line_stays_within_its_neighbours_and_the_frame(values: list[float | None], top: float) -> None:
    path = chart.line(values, top)
    assert path.count("M") == sum(
        value is not None and (n == 0 or values[n - 1] is None) for n, value in enumerate(values)
    ), "one piece for each run of known values"
    for part in path.split("M")[1:]:
        ends = [numbers(each)[-2:] for each in part.split("C")] if "C" in part else []
        for before, piece in zip(ends, part.split("C")[1:], strict=False):
            x0, _y0, x1, y1, x2, y2 = (*before, *numbers(piece)[:2], *numbers(piece)[4:])
            low, high = min(before[1], y2) - 0.2, max(before[1], y2) + 0.2
            assert low <= y1 <= high
            assert low <= numbers(piece)[3] <= high
            assert 0 <= y2 <= chart.HEIGHT
            assert x0 <= x1 <= x2


def test_one_value_is_a_dot() -> None:
    assert chart.line([None, 0.5, None], 1.0) == "M500.0 100.0h0.01"
    assert chart.line([None], 1.0) == ""


def test_the_grid_holds_the_highest_value() -> None:
    assert chart.scale(0.64) == [0.0, 0.2, 0.4, 0.6000000000000001, 0.8]
    assert chart.scale(1.0)[-1] == 1.0
    assert chart.scale(0)[-1] == 0.2
    assert chart.scale(7, whole=True) == [0, 2, 4, 6, 8]
    assert chart.scale(0, whole=True) == [0, 1, 2, 3, 4]
