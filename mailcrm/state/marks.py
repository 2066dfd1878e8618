"""The card behind a tracking mark: when, how often, which link, and what can't be known (T05, T06)."""

import asyncio
from dataclasses import dataclass
from typing import Any

import reflex as rx

from mailcrm.services import i18n
from mailcrm.services.i18n import gettext, ngettext
from mailcrm.services.tracking import report
from mailcrm.state.coerce import as_int
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of

LAST = 5  # DESIGN §4: the last five times
#: What tracking can't tell: the services' codes and their sentences.
LIMITS = {
    "several_recipients": i18n.N_("It went to several people, so we can’t tell who opened it."),
    "prefetch": i18n.N_("Opens that a mail program made by itself aren’t counted."),
    "plain_text": i18n.N_("The email is plain text, so opens can’t be tracked."),
    "images_blocked": i18n.N_("Opens with blocked images can’t be seen."),
    "forwarded": i18n.N_("If it was forwarded, somebody else may have opened it."),
    "proxy": i18n.N_("Some mail services load images on the reader’s behalf."),
}


@dataclass(frozen=True)
class EventRow:
    """One recorded open or click."""

    when: str
    agent: str


class MarkState(rx.State):
    """The detail of the mark that was hovered last."""

    message_id: int = 0
    opens: list[EventRow] = []
    clicks: list[EventRow] = []
    opens_title: str = ""
    clicks_title: str = ""
    limits: list[str] = []

    @rx.event(supersedes=True)
    async def show(self, on: bool, message_id: int):
        """Load the detail when the card opens."""
        wanted = as_int(message_id)
        if on is not True or not wanted:
            return
        if wanted != self.message_id:
            self.reset()
        actor = await actor_of(self)
        view = await asyncio.to_thread(report.marks, actor, wanted)
        eyes = eyes_of(actor)
        self.message_id = wanted
        self.opens = [_event(each, eyes) for each in view.opens[:LAST]]
        self.clicks = [_event(each, eyes) for each in view.clicks[:LAST]]
        self.opens_title = _title(eyes, len(view.opens), "open")
        self.clicks_title = _title(eyes, len(view.clicks), "click")
        self.limits = [eyes.t(LIMITS[code]) for code in view.limits if code in LIMITS]


def _title(eyes: Eyes, n: int, kind: str) -> str:
    if kind == "open":
        if not n:
            return gettext(eyes.language, "Not opened yet")
        return ngettext(eyes.language, "Opened once", "Opened {n} times", n)
    if not n:
        return gettext(eyes.language, "Not clicked yet")
    return ngettext(eyes.language, "Clicked once", "Clicked {n} times", n)


def _event(view: Any, eyes: Eyes) -> EventRow:
    link = getattr(view, "link", "") or getattr(view, "url", "") or ""
    return EventRow(i18n.long_day(eyes.language, view.at, eyes.now, eyes.zone), link or getattr(view, "agent", "") or "")
