"""Choosing rows of a table for a change of many. Changes nothing itself."""

from typing import Any

import reflex as rx

from mailcrm.state.coerce import as_int


class Picks(rx.State, mixin=True):
    """What a table's page adds to its state: which of its `rows` (each with an `id`) are chosen."""

    picked: list[int] = []

    @rx.event
    async def pick(self, row_id: int):
        """Choose a listed row, or not."""
        one = as_int(row_id)
        if one in self.picked:
            self.picked = [each for each in self.picked if each != one]
        elif one in self._listed():
            self.picked = [*self.picked, one]

    @rx.event
    async def pick_all(self):
        """Choose everything that is listed, or nothing."""
        listed = self._listed()
        self.picked = [] if len(self.picked) == len(listed) else listed

    def _keep_listed(self) -> None:
        """Forget what is not listed any more: nothing changes that nobody sees."""
        listed = set(self._listed())
        self.picked = [each for each in self.picked if each in listed]

    def _listed(self) -> list[int]:
        rows: list[Any] = getattr(self, "rows")  # noqa: B009  the page's own
        return [row.id for row in rows]
