"""The card behind a tracking mark: when, how often, which link, how sure, and what can't be known (T05, T06, B03)."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import reflex as rx

from mailcrm.errors import NotFound
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import N_, gettext, ngettext
from mailcrm.services.tracking import report
from mailcrm.state.coerce import as_int
from mailcrm.state.present import CLICKED, OPENED, Eyes, eyes_of, times
from mailcrm.state.session import actor_of

SECOND = timedelta(seconds=1)
LAST = 5  # DESIGN §4: the last five times
#: What tracking can't tell: the services' codes and their sentences.
LIMITS = {
    "several_recipients": N_("Sent to several people, so we can’t tell who opened it."),
    "some_untracked": N_("Recipients who did not agree to tracking got it without."),
    "plain_text": N_("It is plain text: opens can’t be tracked."),
    "prefetch_not_counted": N_("Automatic opens by mail programs aren’t counted."),
    "images_blocked": N_("Opens with blocked images can’t be seen."),
    "inferred": N_("No open was seen, but a click means that it was opened."),
    "inferred_reply": N_("No open was seen, but an answer means that it was opened."),
    "instant": N_("Opened within seconds of sending: it may have been an automatic check."),
    "forwarded": N_("If it was forwarded, somebody else may have opened it."),
}
#: What made an event, as far as that can be told.
KINDS = {
    "person": N_("Likely a person"),
    "unknown": N_("Perhaps a person"),
    "proxy": N_("Mail program by itself"),
    "scanner": N_("Security check"),
    "own": N_("One of us"),
}
#: Why: the codes of tracking/classify.py.
REASONS = {
    "own_view": N_("It was opened from this mailcrm."),
    "own_address": N_("It came from the sender’s own network."),
    "head": N_("It only asked whether it is there."),
    "browser_prefetch": N_("A browser fetched it ahead of time."),
    "asked_not_to": N_("The reader’s program asks not to be tracked."),
    "hidden_link": N_("It followed a link that no reader sees."),
    "no_agent": N_("The program did not say what it is."),
    "agent": N_("The program calls itself a scanner, a preview or a tool."),
    "apple_prefetch": N_("Apple Mail fetches images of every email, read or not."),
    "gmail_prefetch": N_("Gmail fetched it at delivery."),
    "gmail_proxy": N_("Gmail fetches images when somebody opens the email."),
    "yahoo_proxy": N_("Yahoo Mail fetches images when somebody opens the email."),
    "mail_proxy": N_("The mail service fetches images when somebody opens the email."),
    "before_delivery": N_("It was fetched before the email was delivered."),
    "instant": N_("It was fetched within seconds of sending."),
    "burst": N_("Several links were followed within seconds."),
    "precheck": N_("The same link was followed from elsewhere a moment later."),
    "agent_of_person": N_("It looks like a mail program or browser in use."),
    "agent_unknown": N_("The program is not known."),
    "clicked_later": N_("A link was clicked after it."),
    "answered_later": N_("An answer came after it."),
}


@dataclass(frozen=True)
class EventRow:
    """One counted open or click; `agent` is the mail program, or the link."""

    when: str
    agent: str


@dataclass(frozen=True)
class RecipientRow:
    """One recipient's own copy."""

    name: str
    address: str
    opens: int
    clicks: int
    opens_label: str
    clicks_label: str
    last: str


@dataclass(frozen=True)
class RawRow:
    """One recorded event with what made it and why."""

    action: str
    when: str
    kind: str
    kind_label: str
    why: str
    source: str


class MarkState(rx.State):
    """The detail of the mark whose card was opened last."""

    message_id: int = 0
    opens: list[EventRow] = []
    clicks: list[EventRow] = []
    first: str = ""
    sure_opens: str = ""
    sure_clicks: str = ""
    replied: str = ""
    people: list[RecipientRow] = []
    raw: list[RawRow] = []
    all_label: str = ""
    not_listed: str = ""
    limits: list[str] = []
    _open: bool = False

    @rx.event(supersedes=True)
    async def show(self, on: bool, message_id: int):
        """Load the detail when the card opens."""
        wanted = as_int(message_id)
        self._open = on is True and wanted > 0
        if not self._open:
            return
        if wanted != self.message_id:
            self.reset()
            self._open = True
        await self._fill(await actor_of(self), wanted)

    @rx.event
    async def refresh(self):
        """Load it again while the card is open; a message that may not be read any more leaves it empty."""
        if not self._open or not self.message_id:
            return
        try:
            await self._fill(await actor_of(self), self.message_id)
        except NotFound:
            self.reset()

    async def _fill(self, actor: Actor, wanted: int) -> None:
        view = await asyncio.to_thread(report.marks, actor, wanted)
        eyes = eyes_of(actor)
        self.message_id = wanted
        self.opens = [_event(each, eyes) for each in view.opens if each.counted][:LAST]
        self.clicks = [_event(each, eyes) for each in view.clicks if each.counted][:LAST]
        self.first = _first(view, eyes)
        self.sure_opens = _sure(eyes, view.opens_counted, view.opens_person, view.opens_all)
        self.sure_clicks = _sure(eyes, view.clicks_counted, view.clicks_person, view.clicks_all)
        self.replied = ""
        if view.replied_at is not None:
            when = i18n.long_day(eyes.language, view.replied_at, eyes.now, eyes.zone)
            self.replied = gettext(eyes.language, "Answered {time}. An answer implies an open.", time=when)
        self.people = [_recipient(each, eyes) for each in view.by_recipient]
        listed = sorted((*view.opens, *view.clicks), key=lambda each: each.at, reverse=True)
        self.raw = [_raw(each, eyes) for each in listed]
        recorded = view.opens_all + view.clicks_all
        self.all_label = ngettext(eyes.language, "Show the one event", "Show all {n} events", recorded)
        self.not_listed = ""
        if recorded > len(listed):
            self.not_listed = gettext(
                eyes.language, "The newest {n} are listed.", n=i18n.number(eyes.language, len(listed))
            )
        self.limits = [eyes.t(sentence) for code, sentence in LIMITS.items() if code in _limits(view)]


def _limits(view: Any) -> set[str]:
    at_once = any("instant" in each.reasons and each.counted for each in (*view.opens, *view.clicks))
    return {*view.limits, "instant"} if at_once else set(view.limits)


def _sure(eyes: Eyes, counted: int, person: int, recorded: int) -> str:
    """How sure it is: "2 likely by a person", and what was recorded beside it."""
    if not recorded or not counted:
        return ""
    said = ngettext(eyes.language, "{n} likely by a person", "{n} likely by a person", min(person, counted))
    if recorded == counted:
        return said
    return f"{said} · " + ngettext(eyes.language, "{n} recorded", "{n} recorded", recorded)


def _first(view: Any, eyes: Eyes) -> str:
    if view.first_opened_at is None or view.sent_at is None:
        return ""
    after = view.first_opened_at - view.sent_at
    if after < SECOND:
        return gettext(eyes.language, "First within a second of sending")
    delay = i18n.span(eyes.language, after)
    return gettext(eyes.language, "First {time} after sending", time=delay)


def _event(view: Any, eyes: Eyes) -> EventRow:
    return EventRow(i18n.long_day(eyes.language, view.at, eyes.now, eyes.zone), _link(view) or view.agent)


def _link(view: Any) -> str:
    return view.text or view.url.removeprefix("https://").removeprefix("http://").removesuffix("/")


def _recipient(view: Any, eyes: Eyes) -> RecipientRow:
    latest = max(filter(None, (view.last_opened_at, view.last_clicked_at)), default=None)
    return RecipientRow(
        name=view.name,
        address=view.address,
        opens=view.opens,
        clicks=view.clicks,
        opens_label=times(eyes, view.opens, OPENED),
        clicks_label=times(eyes, view.clicks, CLICKED),
        last=i18n.short_day(eyes.language, latest, eyes.now, eyes.zone) if latest else "",
    )


def _raw(view: Any, eyes: Eyes) -> RawRow:
    why = " ".join(eyes.t(REASONS[code]) for code in view.reasons if code in REASONS)
    rules = gettext(eyes.language, "rules {n}", n=view.rules_version)
    parts = (_link(view) if view.action == "click" else "", view.recipient, view.agent, rules)
    return RawRow(
        action=view.action,
        when=i18n.long_day(eyes.language, view.at, eyes.now, eyes.zone),
        kind=view.kind,
        kind_label=eyes.t(KINDS.get(view.kind, KINDS["unknown"])),
        why=why,
        source=" · ".join(part for part in parts if part),
    )
