"""What the build changes in Reflex's state.js, and that it stops where Reflex has other lines now."""

from __future__ import annotations

import pytest

from mailcrm.components import frontend

SOURCE = "between\n".join(found for found, _ in frontend.CHANGES)


def test_each_change_is_made_once_however_often_it_builds() -> None:
    made = frontend._rewrite(SOURCE)
    assert made.count("window.location.host") == 1
    assert made.count('new Event("mailcrm:connected")') == 1
    assert made.count("timeout: 5000") == 1
    assert made.count('"online", nudge') == 1
    assert made.count('"mailcrm:doubt"') == 1
    assert frontend._rewrite(made) == made
    assert frontend._rewrite(made.replace(frontend.NUDGE, "  const nudge = () => older;\n")) == made


@pytest.mark.parametrize("gone", [found for found, _ in frontend.CHANGES])
def test_a_line_that_is_gone_stops_the_build(gone: str) -> None:
    with pytest.raises(RuntimeError, match="read components"):
        frontend._rewrite(SOURCE.replace(gone, ""))
