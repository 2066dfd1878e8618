"""A storm of pushes becomes few syncs: the first push at once, those that follow together, ever farther apart.

Pure: `now` is given.
"""

from __future__ import annotations

from dataclasses import dataclass

FRESH_S = 0.4  # between two syncs for new mail: one that comes meanwhile waits no longer than this
LEAST_S, MOST_S = 1.0, 15.0  # between two syncs for anything else (somebody reads a thousand mails elsewhere)


@dataclass(slots=True)
class Debounce:
    """When the next sync for one mailbox may be asked for. `due` None: nothing is waiting."""

    due: float | None = None
    _asked: float = float("-inf")
    _gap: float = LEAST_S

    def push(self, now: float, *, fresh: bool) -> None:
        """Note a push."""
        when = max(now, self._asked + (FRESH_S if fresh else self._gap))
        self.due = when if self.due is None else min(self.due, when)

    def take(self, now: float) -> bool:
        """Tell whether a sync is to be asked for now; then it counts as asked for."""
        if self.due is None or now < self.due:
            return False
        quiet = now - self._asked > MOST_S
        self._gap = LEAST_S if quiet else min(self._gap * 2, MOST_S)
        self._asked, self.due = now, None
        return True
