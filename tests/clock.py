"""A clock that tests set: what every module of mailcrm takes for now."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest

from mailcrm.models import base


class Clock:
    """`now` for all modules that are loaded; `jump` sets it forward or back; given a moment, it stands there."""

    def __init__(self, patch: pytest.MonkeyPatch, at: datetime | None = None) -> None:
        self._at, self._off = at, timedelta()
        real = base.utcnow
        for name, module in list(sys.modules.items()):
            if name.startswith("mailcrm.") and getattr(module, "utcnow", None) is real:
                patch.setattr(module, "utcnow", self.now)

    def now(self) -> datetime:
        return (self._at or datetime.now(UTC)) + self._off

    def jump(self, by: timedelta) -> None:
        self._off += by
