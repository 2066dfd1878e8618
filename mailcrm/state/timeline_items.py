"""What a timeline and its focus strip show, as frozen rows of texts and flags. Pure: loads nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mailcrm import routes
from mailcrm.services import i18n
from mailcrm.services.i18n import N_, gettext, ngettext
from mailcrm.state.present import Eyes, MessageRow, item

KINDS = {"call": N_("Call"), "meeting": N_("Meeting"), "task": N_("Task")}
ICONS = {"call": "phone", "meeting": "users-round", "task": "square-check"}
#: Audited changes by their code: icon and sentence; `{who}` did it.
CHANGES = {
    "reopened": ("undo-2", N_("{who} opened the deal again")),
    "owner": ("user-round", N_("{who} made {name} the owner")),
    "nobody": ("user-round", N_("{who} left it without an owner")),
    "merged": ("merge", N_("{who} merged {name} into this contact")),
    "unmerged": ("split", N_("{who} undid the merge with {name}")),
    "restored": ("undo-2", N_("{who} took this out of the trash")),
    "converted": ("circle-dollar-sign", N_("{who} made a deal of this lead")),
    "archived": ("archive", N_("{who} archived this lead")),
    "unarchived": ("undo-2", N_("{who} took this lead up again")),
}
CONSENTS = {
    "granted": N_("Agreed to tracking. Recorded by {who}."),
    "refused": N_("Declined tracking. Recorded by {who}."),
    "unknown": N_("Tracking consent set to not asked. Recorded by {who}."),
}


@dataclass(frozen=True)
class Entry:
    """A line of a timeline: a message, a note, an activity that is done, or a sentence about a change.

    `type` is "message", "note", "activity" or "line"; `row_id` the note's or the activity's.
    """

    key: str
    type: str
    kind: str
    icon: str
    lead: str
    text: str
    when: str
    by: str
    row_id: int
    pinned: bool
    about: str
    href: str
    message: MessageRow | None


@dataclass(frozen=True)
class Plan:
    """A planned activity; `tone` is "late", "today" or ""."""

    id: int
    kind: str
    icon: str
    title: str
    about: str
    tone: str
    text: str
    day: str
    hour: str


@dataclass(frozen=True)
class MailFacts:
    """What a deal's side says of its email: how many there are, and how many only the viewer reads."""

    linked: str = ""
    private: str = ""


def counts(counted: Any, eyes: Eyes) -> dict[str, str]:
    """Return the number beside each filter of a timeline; "" where there is nothing."""

    def said(number: int, *, more: bool = False) -> str:
        shown = i18n.number(eyes.language, number) if number else ""
        return f"{shown}+" if more else shown

    return {
        "emails": said(counted.emails, more=counted.many),
        "notes": said(counted.notes),
        "activities": said(counted.activities),
        "files": said(counted.files, more=counted.many and counted.files > 0),
    }


def mail_facts(counted: Any, eyes: Eyes) -> MailFacts:
    """Return what is said of a record's email."""
    if not counted.emails:
        return MailFacts(linked=gettext(eyes.language, "No email yet"))
    linked = ngettext(eyes.language, "{n} email", "{n} emails", counted.emails)
    if counted.many:
        linked = gettext(eyes.language, "More than {n} emails", n=i18n.number(eyes.language, counted.emails))
    private = ngettext(eyes.language, "{n} only you can read", "{n} only you can read", counted.private)
    return MailFacts(linked, private if counted.private else "")


def entries(items: Iterable[Any], eyes: Eyes, kind: str, row_id: int, at: int = 0) -> list[Entry]:
    """Return the lines of a page; `at` counts the lines before it."""
    return [_entry(view, eyes, kind, row_id, place) for place, view in enumerate(items, at)]


def _entry(view: Any, eyes: Eyes, kind: str, row_id: int, at: int) -> Entry:
    when = i18n.day_and_time(eyes.language, view.at, eyes.now, eyes.zone)
    if view.note is not None:
        about, href = _elsewhere(view.note.about, kind, row_id)
        edited = gettext(eyes.language, "edited") if view.note.edited_at else ""
        return _made(
            view, at, "note", "note", "sticky-note", text=view.note.text, when=when, row_id=view.note.id,
            by=" · ".join(part for part in (view.note.author, edited) if part), pinned=view.note.pinned,
            about=about, href=href,
        )  # fmt: skip
    if view.activity is not None:
        done = view.activity
        about, href = _elsewhere(done.about, kind, row_id)
        length = _length(eyes, done.minutes)
        lead = eyes.t(KINDS[done.kind]) + (f", {length}" if length else "")
        text = done.subject + (f"\n{done.text}" if done.text else "")
        return _made(
            view, at, "activity", "activity", ICONS[done.kind], lead=lead, text=text, when=when, row_id=done.id,
            by=done.owner, about=about, href=href,
        )  # fmt: skip
    if view.kind == "change":
        params = {"who": view.params.get("who") or gettext(eyes.language, "Somebody"), "name": view.params.get("name")}
        code = "nobody" if view.text_code == "owner" and not params["name"] else view.text_code
        icon, sentence = CHANGES.get(code, ("circle-dot", ""))
        if view.text_code == "consent":
            icon, sentence = "shield-check", CONSENTS.get(str(view.params.get("consent")), "")
        return _made(view, at, "line", "change", icon, text=eyes.t(sentence, **params) if sentence else "", when=when)
    shown = item(view, eyes, at, of_person=kind in ("person", "organization"))
    if shown.message is not None:
        return _made(view, at, "message", shown.kind, shown.icon, when=shown.when, message=shown.message)
    return _made(view, at, "line", shown.kind, shown.icon, text=_created(view, eyes, kind) or shown.text, when=when)


def _created(view: Any, eyes: Eyes, kind: str) -> str:
    if view.kind != "created" or kind not in ("organization", "lead"):
        return ""
    if kind == "lead":
        return gettext(eyes.language, "Lead added")
    return gettext(eyes.language, "Organization added")


def _made(view: Any, at: int, type_: str, kind: str, icon: str, **given: Any) -> Entry:
    message = given.pop("message", None)
    fields: dict[str, Any] = {"lead": "", "text": "", "by": "", "row_id": 0, "pinned": False, "about": "", "href": ""}
    key = f"{view.kind}-{view.ref}-{int(view.at.timestamp())}"
    if type_ == "line":
        key += f"-{at}"
    return Entry(key=key, type=type_, kind=kind, icon=icon, message=message, **(fields | given))


def _elsewhere(about: Any, kind: str, row_id: int) -> tuple[str, str]:
    """The other row that a note or an activity is about, where it stands in a timeline of a wider row."""
    if any(subject.kind == kind and subject.id == row_id for subject in about):
        return "", ""
    for subject in about:
        href = {"deal": routes.deal, "person": routes.person}.get(subject.kind)
        return subject.name, href(subject.id) if href else ""
    return "", ""


def plan(view: Any, eyes: Eyes) -> Plan:
    """Return a planned activity."""
    today = eyes.now.astimezone(eyes.zone).date()
    tone = "" if view.due_on is None or view.due_on > today else "today" if view.due_on == today else "late"
    local = view.due_at.astimezone(eyes.zone) if view.due_at is not None else None
    if view.due_at is not None and view.due_at < eyes.now:
        tone = "late"
    parts = [_due(view.due_on, eyes, today) + (f" {local:%H:%M}" if local else "")]
    parts = [", ".join(part for part in (parts[0].strip(), _length(eyes, view.minutes)) if part), view.owner]
    return Plan(
        id=view.id,
        kind=view.kind,
        icon=ICONS[view.kind],
        title=f"{eyes.t(KINDS[view.kind])}: {view.subject}",
        about=" · ".join(part for part in parts if part),
        tone=tone,
        text=view.text,
        day=view.due_on.isoformat() if view.due_on else "",
        hour=f"{local:%H:%M}" if local else "",
    )


def _due(day: Any, eyes: Eyes, today: Any) -> str:
    if day is None:
        return gettext(eyes.language, "No date")
    if day == today:
        return gettext(eyes.language, "Today")
    if day == today + timedelta(days=1):
        return gettext(eyes.language, "Tomorrow")
    if day == today - timedelta(days=1):
        return gettext(eyes.language, "Yesterday")
    return i18n.calendar_day(eyes.language, day, today)


def _length(eyes: Eyes, minutes: int | None) -> str:
    return ngettext(eyes.language, "{n} min", "{n} min", minutes) if minutes else ""
