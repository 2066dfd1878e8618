"""What fetches of one message tell of each other (B03, B05), and that the order they came in doesn't matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailcrm.services.tracking.classify import BURST_S, Facts
from mailcrm.services.tracking.together import Fetched, judge, prechecks

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Safari/537.36"
)
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def click(seconds: float, link: int = 1, network: str = "a", **facts: object) -> Fetched:
    return Fetched(Facts("click", CHROME, **facts), NOON + timedelta(seconds=seconds), link, network)  # type: ignore[arg-type]


def opened(seconds: float, agent: str = GMAIL) -> Fetched:
    return Fetched(Facts("open", agent), NOON + timedelta(seconds=seconds))


def kinds(*fetches: Fetched, answered_at: datetime | None = None) -> list[str]:
    return [verdict.kind for verdict in judge(fetches, answered_at)]


def test_a_sweep_takes_its_first_clicks_back_and_leaves_later_ones() -> None:
    assert kinds(click(0, 1), click(1, 2), click(2, 3), click(60, 2)) == ["scanner"] * 3 + ["person"]


def test_the_same_link_thrice_is_no_sweep() -> None:
    assert kinds(click(0), click(1), click(2)) == ["person"] * 3


def test_own_views_and_a_browsers_guesses_make_no_sweep() -> None:
    assert kinds(click(0, 1), click(1, 2, own="view"), click(2, 3, prefetch=True)) == ["person", "own", "scanner"]


def test_a_check_from_another_network_leaves_exactly_one_click() -> None:
    fetches = [click(0, network="gateway"), click(0.3, network="office")]
    assert kinds(*fetches) == ["scanner", "person"]
    assert prechecks(fetches) == {0}
    assert kinds(click(0, network=""), click(0.3, network="office")) == ["person", "person"]  # forgotten networks


def test_an_open_before_an_act_was_a_persons() -> None:
    """B05."""
    assert kinds(opened(0), click(60), opened(120)) == ["person", "person", "unknown"]
    assert kinds(opened(0), opened(120), answered_at=NOON + timedelta(seconds=60)) == ["person", "unknown"]
    assert kinds(opened(0), click(1, 1), click(2, 2), click(3, 3)) == ["unknown", *["scanner"] * 3]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 4)), max_size=40))
def test_counts_sweeps_like_the_definition_says(found: list[tuple[int, int]]) -> None:
    """The one pass over events agrees with comparing each with each."""
    fetches = [click(at, link) for at, link in sorted(found)]
    for each, verdict in zip(fetches, judge(fetches), strict=True):
        near = {other.link_id for other in fetches if abs((other.at - each.at).total_seconds()) <= BURST_S}
        assert (verdict.kind == "scanner") == (len(near) >= 3)
