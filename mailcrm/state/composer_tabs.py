"""Where the composer is open, and the drafts that are minimised at the foot of the page. Part of ComposerState."""

from typing import TYPE_CHECKING

import reflex as rx

from mailcrm.state.coerce import as_int
from mailcrm.state.composer_late import tidy_later
from mailcrm.state.composer_parts import MINIMISED, Tab
from mailcrm.state.session import actor_of


class Tabs(rx.State, mixin=True):
    """One draft open, three at most as tabs."""

    place: str = ""  # "" closed, "dock" over the page, "record" in place
    title: str = ""
    wide: bool = False
    tabs: list[Tab] = []  # minimised drafts, three at most
    _untouched: bool = False
    _files: int = 0
    _aside: int = 0
    _opened_at: str = ""  # the page of the record it is open in place on

    @rx.event
    async def minimise(self):
        """Keep the draft as a tab at the foot of the page, and the page free."""
        if self.draft_id:
            await self._put_aside(0)
            tabs = self.tabs
            self._shut()
            self.tabs = tabs

    @rx.event
    async def arrive(self):
        """Leave an email that is open in place behind as a tab when its record's page is left."""
        if self.place == "record" and self._page() != self._opened_at:
            await self.minimise()

    @rx.event
    async def close_tab(self, draft_id: int):
        """Take a minimised draft off the page; it stays among the drafts."""
        self.tabs = [each for each in self.tabs if each.id != as_int(draft_id)]

    @rx.event
    async def widen(self):
        """Write in a larger window, or in the smaller again."""
        self.wide = not self.wide

    async def _put_aside(self, instead: int) -> None:
        """Make a tab of the open draft when another is opened; one that nobody wrote in is thrown away."""
        if not self.draft_id or not self.place or self.draft_id == instead:
            return
        if self._untouched:
            tidy_later(await actor_of(self), self.draft_id, self._files)
            self._aside = self.draft_id
            return
        rest = [each for each in self.tabs if each.id != self.draft_id]
        self.tabs = [*rest, Tab(self.draft_id, self.title)][-MINIMISED:]

    def _page(self) -> str:
        return self.router.url.path.rstrip("/")

    if TYPE_CHECKING:  # ComposerState has them
        draft_id: int

        def _shut(self) -> None: ...
