"""Every code of the classifier and of the card has its sentence (B03, T06)."""

from __future__ import annotations

import re
from pathlib import Path

from mailcrm.models.tracking import CLASSES
from mailcrm.services.tracking import classify, report
from mailcrm.state import marks


def test_every_reason_and_class_is_said() -> None:
    assert set(marks.REASONS) >= classify.REASONS
    assert set(marks.KINDS) == set(CLASSES)


def test_every_limit_is_said_or_seen() -> None:
    """A switch that is off shows by its missing mark."""
    source = Path(report.__file__).read_text()
    codes = set(re.findall(r'^        "([a-z_]+)":', source, re.MULTILINE))
    assert len(codes) > 8
    assert codes - set(marks.LIMITS) == {"opens_off", "clicks_off"}
