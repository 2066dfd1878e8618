"""A form that was opened while its page was loading stays open (state/early.py)."""

from __future__ import annotations

import time

import pytest

from mailcrm.state import early


def test_what_was_opened_a_moment_ago_stays_and_what_was_left_open_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = early.now()
    assert early.is_early(opened)
    assert not early.is_early(0.0)  # nothing was opened
    at = time.time() + early.LOADING_S + 1
    monkeypatch.setattr(time, "time", lambda: at)
    assert not early.is_early(opened)
