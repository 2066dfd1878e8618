"""From an invitation to the words of its card: what it is, when in the reader's zone, how often, who.

Pure, as present.py. Answers nothing: invitations are only shown.
"""

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from mailcrm import routes
from mailcrm.services import i18n
from mailcrm.services.i18n import gettext

SHOWN_GUESTS = 8
EVERY = {
    "daily": (i18n.N_("Every day"), i18n.N_("Every {n} days")),
    "weekly": (i18n.N_("Every week"), i18n.N_("Every {n} weeks")),
    "monthly": (i18n.N_("Every month"), i18n.N_("Every {n} months")),
    "yearly": (i18n.N_("Every year"), i18n.N_("Every {n} years")),
}
STATUSES = {
    "ACCEPTED": (i18n.N_("accepted"), i18n.N_("{name} accepted")),
    "DECLINED": (i18n.N_("declined"), i18n.N_("{name} declined")),
    "TENTATIVE": (i18n.N_("maybe"), i18n.N_("{name} answered maybe")),
    "DELEGATED": (i18n.N_("delegated"), i18n.N_("{name} sends somebody else")),
}
SECURITY = {
    "smime_signed": i18n.N_("Signed with S/MIME. The signature was not checked."),
    "pgp_signed": i18n.N_("Signed with PGP. The signature was not checked."),
    "smime_encrypted": i18n.N_(
        "Encrypted with S/MIME. mailcrm can’t open it. Download the file to read it in a program that has your key."
    ),
    "pgp_encrypted": i18n.N_(
        "Encrypted with PGP. mailcrm can’t open it. Download the file to read it in a program that has your key."
    ),
}


@dataclass(frozen=True)
class EventRow:
    """An invitation; `kind` is "invitation", "cancelled" or "reply", "" for none."""

    kind: str = ""
    label: str = ""
    title: str = ""
    when: str = ""
    series: str = ""
    where: str = ""
    organizer: str = ""
    guests: str = ""
    href: str = ""


def event_row(view: Any, eyes: Any) -> EventRow:
    """Return the card of a message's invitation; an empty one where there is none."""
    event = view.event
    if event is None:
        return EventRow()
    kind, label = _kind(event, eyes)
    return EventRow(
        kind=kind,
        label=label,
        title=event.summary or gettext(eyes.language, "(no title)"),
        when=_when(event, eyes),
        series=_series(event.recurrence, eyes) if event.recurrence else "",
        where=event.location,
        organizer=_name(event.organizer) if event.organizer else "",
        guests=_guests(event, eyes),
        href=routes.attachment(view.id, view.event_n),
    )


def notice(view: Any, eyes: Any) -> str:
    """Return what is to be said about a signature or an encryption, "" for most mail."""
    return eyes.t(SECURITY[view.security]) if view.security in SECURITY else ""


def _kind(event: Any, eyes: Any) -> tuple[str, str]:
    if event.cancelled:
        return "cancelled", gettext(eyes.language, "Event cancelled")
    if event.method == "REPLY":
        guest = event.guests[0] if event.guests else None
        if guest is not None and guest.status in STATUSES:
            return "reply", eyes.t(STATUSES[guest.status][1], name=_name(guest.who))
        return "reply", gettext(eyes.language, "Answer to an invitation")
    if event.method == "COUNTER":
        return "invitation", gettext(eyes.language, "Another time proposed")
    if event.method == "REQUEST":
        return "invitation", gettext(eyes.language, "Invitation")
    return "invitation", gettext(eyes.language, "Event")


def _when(event: Any, eyes: Any) -> str:
    if event.start is None:
        return ""
    if event.all_day:
        today = eyes.now.astimezone(eyes.zone).date()
        first, last = event.start.date(), (event.end - timedelta(days=1)).date() if event.end else event.start.date()
        text = i18n.calendar_day(eyes.language, first, today)
        if last > first:
            text = f"{text} – {i18n.calendar_day(eyes.language, last, today)}"
        return gettext(eyes.language, "{day}, all day", day=text)
    zone = UTC if event.floating else eyes.zone  # a clock time without zone is the same everywhere
    text = i18n.long_day(eyes.language, event.start, eyes.now, zone)
    if event.end is None or event.end == event.start:
        return text
    same = event.start.astimezone(zone).date() == event.end.astimezone(zone).date()
    if same:
        return f"{text}–{i18n.clock(eyes.language, event.end, zone)}"
    return f"{text} – {i18n.long_day(eyes.language, event.end, eyes.now, zone)}"


def _series(rule: Any, eyes: Any) -> str:
    if rule.frequency not in EVERY:
        return gettext(eyes.language, "Repeats")
    one, many = EVERY[rule.frequency]
    text = eyes.t(one) if rule.interval == 1 else eyes.t(many, n=i18n.number(eyes.language, rule.interval))
    if rule.days:
        text = gettext(eyes.language, "{series}: {days}", series=text, days=i18n.weekdays(eyes.language, rule.days))
    if rule.until is not None:
        day = i18n.calendar_day(eyes.language, rule.until.date(), eyes.now.date())
        text = gettext(eyes.language, "{series}, until {day}", series=text, day=day)
    elif rule.count is not None:
        text = gettext(eyes.language, "{series}, {n} times", series=text, n=i18n.number(eyes.language, rule.count))
    return text


def _guests(event: Any, eyes: Any) -> str:
    named = [
        f"{_name(guest.who)} ({eyes.t(STATUSES[guest.status][0])})" if guest.status in STATUSES else _name(guest.who)
        for guest in event.guests[:SHOWN_GUESTS]
    ]
    left = len(event.guests) - len(named) + event.guests_left
    if left > 0:
        named.append(gettext(eyes.language, "and {n} more", n=i18n.number(eyes.language, left)))
    return ", ".join(named)


def _name(address: Any) -> str:
    return address.name or address.address
