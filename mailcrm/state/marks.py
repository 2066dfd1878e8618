"""The card behind a tracking mark: when, how often, which link, and what can't be known (T05, T06)."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import reflex as rx

from mailcrm.services import i18n
from mailcrm.services.i18n import gettext
from mailcrm.services.tracking import report
from mailcrm.state.coerce import as_int
from mailcrm.state.present import Eyes, eyes_of
from mailcrm.state.session import actor_of

SECOND = timedelta(seconds=1)
LAST = 5  # DESIGN §4: the last five times
#: What tracking can't tell: the services' codes and their sentences.
LIMITS = {
    "several_recipients": i18n.N_("Sent to several people, so we can’t tell who opened it."),
    "prefetch_not_counted": i18n.N_("Automatic opens by mail programs aren’t counted."),
    "images_blocked": i18n.N_("Opens with blocked images can’t be seen."),
    "inferred": i18n.N_("No open was seen, but a click means that it was opened."),
    "instant": i18n.N_("Opened within seconds of sending: it may have been an automatic check."),
    "forwarded": i18n.N_("If it was forwarded, somebody else may have opened it."),
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
    first: str = ""
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
        self.opens = [_event(each, eyes) for each in view.opens if each.counted][:LAST]
        self.clicks = [_event(each, eyes) for each in view.clicks if each.counted][:LAST]
        self.first = _first(view, eyes)
        self.limits = [eyes.t(sentence) for code, sentence in LIMITS.items() if code in _limits(view)]


def _limits(view: Any) -> set[str]:
    at_once = any("instant" in each.reasons for each in (*view.opens, *view.clicks))
    return {*view.limits, "instant"} if at_once else set(view.limits)


def _first(view: Any, eyes: Eyes) -> str:
    if view.first_opened_at is None or view.sent_at is None:
        return ""
    after = view.first_opened_at - view.sent_at
    if after < SECOND:
        return gettext(eyes.language, "First within a second of sending")
    delay = i18n.span(eyes.language, after)
    return gettext(eyes.language, "First {time} after sending", time=delay)


def _event(view: Any, eyes: Eyes) -> EventRow:
    link = view.url.removeprefix("https://").removeprefix("http://").removesuffix("/")
    return EventRow(i18n.long_day(eyes.language, view.at, eyes.now, eyes.zone), link or view.agent)
