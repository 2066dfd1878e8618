"""What the pages of templates and signatures share: a text that saves itself as it is typed, and says so.

One is open at a time. What is still under way belongs to the one it was typed in: late text is saved there, and what
the page says (saved, wrong) is only ever about the one that is open.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import reflex as rx

from mailcrm.errors import MailcrmError
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext
from mailcrm.state.present import eyes_of


class Autosave(rx.State, mixin=True):
    """The open text's version, and how its saving went."""

    version: int = 0  # another one gives the fields and the editor fresh texts
    saved: str = ""
    saved_body: int = 0  # the editor's number of the last text that is in the database
    wrong: str = ""
    preview_url: str = ""
    _looks: int = 0

    async def _try(self, act: Callable[[], Any], language: str, *, is_open: bool = True) -> Any:
        """Do it in a thread; None and a sentence on the page when it cannot be done."""
        try:
            found = await asyncio.to_thread(act)
        except MailcrmError as error:
            if is_open:
                self.wrong = i18n.sentence(error, language)
            return None
        if is_open:
            self.wrong = ""
        return found

    def _has(self, current: Any, values: dict[str, Any]) -> bool:
        """Whether the open one has all of it already, so that leaving a field saves nothing twice."""
        same = all(getattr(current, name) == said for name, said in values.items())
        if same:
            self.wrong = ""
        return same

    def _was_saved(self, actor: Actor) -> None:
        eyes = eyes_of(actor)
        self.saved = gettext(eyes.language, "Saved {time}", time=i18n.clock(eyes.language, eyes.now, eyes.zone))

    def _another(self) -> None:
        """Give the fields fresh texts, and nothing to say yet."""
        self.version += 1
        self.wrong, self.saved, self.saved_body = "", "", 0

    def _opened(self, is_another: bool) -> None:
        """Give the fields fresh texts, but where the same is open: somebody may be typing in it already."""
        if is_another:
            self._another()
        else:
            self.saved_body = 0  # the page may be a new one, whose editor counts from the beginning

    def _look_again(self, url: str) -> None:
        """Show the preview anew: the frame reads an address once."""
        self._looks += 1
        self.preview_url = f"{url}{'&' if '?' in url else '?'}v={self._looks}"
