"""The shapes of a line chart, as texts for an SVG of 1000 by 200. Pure.

Lines go through every point and never over a neighbour's height (Fritsch and Carlson's monotone cubic), so a curve
claims nothing that no point says. A missing value breaks the line.
"""

from collections.abc import Sequence
from itertools import groupby

WIDTH, HEIGHT = 1000.0, 200.0
Point = tuple[float, float]


def line(values: Sequence[float | None], top: float) -> str:
    """Return the path of these values, evenly spread from left to right; `top` is the height's value."""
    step = WIDTH / max(len(values) - 1, 1)
    points = [None if value is None else (n * step, height(value, top)) for n, value in enumerate(values)]
    parts = [
        [each for each in group if each is not None]
        for there, group in groupby(points, lambda p: p is not None)
        if there
    ]
    return " ".join(_path(part) for part in parts)


def height(value: float, top: float) -> float:
    """Return how far down from the top a value lies."""
    return HEIGHT - HEIGHT * min(max(value / top, 0.0), 1.0)


def scale(most: float, *, whole: bool = False) -> list[float]:
    """Return the values of the grid's lines, from 0 up: four steps that hold `most`; `whole` for counts."""
    steps = (
        (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 50_000, 100_000)
        if whole
        else (0.05, 0.1, 0.15, 0.2, 0.25)
    )
    step = next((each for each in steps if each * 4 >= most), steps[-1])
    return [step * n for n in range(5)]


def _path(points: list[Point]) -> str:
    if len(points) == 1:  # a stroke without length is a dot where caps are round
        return f"M{points[0][0]:.1f} {points[0][1]:.1f}h0.01"
    slopes = _slopes(points)
    made = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for n in range(len(points) - 1):
        (x0, y0), (x1, y1) = points[n], points[n + 1]
        third = (x1 - x0) / 3
        made.append(
            f"C{x0 + third:.1f} {y0 + slopes[n] * third:.1f} {x1 - third:.1f} {y1 - slopes[n + 1] * third:.1f} {x1:.1f} {y1:.1f}"
        )
    return "".join(made)


def _slopes(points: list[Point]) -> list[float]:
    rises = [(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False)]
    slopes = [
        rises[0],
        *[0.0 if a * b <= 0 else (a + b) / 2 for a, b in zip(rises, rises[1:], strict=False)],
        rises[-1],
    ]
    for n, rise in enumerate(rises):
        for at in (n, n + 1):  # three times the rise is the steepest that stays within
            limit = 3 * abs(rise)
            slopes[at] = max(-limit, min(limit, slopes[at]))
    return slopes
