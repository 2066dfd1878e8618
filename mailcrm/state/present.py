"""From views to what a screen shows: times, money and names in the reader's language and zone.

Pure: `Eyes` carries the language, the zone and the present. Rows are frozen dataclasses of texts and flags; no message
body is ever in one (decisions 10). Does not load anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from mailcrm import routes
from mailcrm.services import i18n
from mailcrm.services.access import Actor
from mailcrm.services.i18n import gettext, ngettext
from mailcrm.services.mail.parse.deception import host_of, is_lookalike, other_address, shown_name
from mailcrm.state.event_card import EventRow, event_row, notice
from mailcrm.state.files import FileRow, file_row

OPENED = (i18n.N_("Not opened yet"), i18n.N_("Opened once"), i18n.N_("Opened {n} times"))
CLICKED = (i18n.N_("Not clicked yet"), i18n.N_("Clicked once"), i18n.N_("Clicked {n} times"))
ADD, ONE_DEAL, WHICH = i18n.N_("Add {name}"), i18n.N_("Link to {deal}"), i18n.N_("Which deal?")
LABELS = 2  # shown in a row of the list
FRESH = timedelta(minutes=5)  # DESIGN §4: a pulse dot for what just happened


@dataclass(frozen=True)
class Eyes:
    """Who reads, where and when."""

    language: str
    zone: tzinfo
    now: datetime

    def t(self, msgid: str, **params: object) -> str:
        """Return a text whose msgid was marked where it is listed."""
        return gettext(self.language, msgid, **params)


def eyes_of(actor: Actor) -> Eyes:
    """Return the actor's language, zone and present."""
    return Eyes(actor.language, i18n.zone(actor.time_zone), datetime.now(UTC))


@dataclass(frozen=True)
class Mark:
    """The tracking marks of a message; `message_id` 0 when it is not tracked."""

    message_id: int = 0
    opens_on: bool = False
    clicks_on: bool = False
    opens: int = 0
    clicks: int = 0
    fresh: bool = False
    opens_label: str = ""
    clicks_label: str = ""
    label: str = ""  # both, for what opens the card


@dataclass(frozen=True)
class LabelMark:
    """A label on a conversation."""

    id: int
    name: str
    color: str


@dataclass(frozen=True)
class Row:
    """A conversation in a list."""

    id: int
    who: str
    count: int
    when: str
    subject: str
    snippet: str
    failed: bool
    initials: str
    hue: int
    day: str
    deal: str
    attachment: bool
    private: bool
    mark: Mark
    label: str
    suggestion: str = ""
    suggests: str = ""  # "deals" or "person"
    labels: tuple[LabelMark, ...] = ()
    more_labels: str = ""


@dataclass(frozen=True)
class Remark:
    """What a user wrote above a message when they forwarded it to the CRM."""

    name: str
    words: str


@dataclass(frozen=True)
class MessageRow:
    """A message in the reading pane or a timeline."""

    id: int
    thread_id: int
    who: str
    address: str
    mine: bool
    recipients: str
    when: str
    subject: str
    snippet: str
    initials: str
    hue: int
    body: str
    body_remote: str
    original: str
    printed: str
    files: tuple[FileRow, ...]
    mark: Mark
    private: bool
    gone: bool
    owner: str
    notice: str
    event: EventRow
    own: bool
    bounced: str = ""
    domain: str = ""
    warning: str = ""  # a name that pretends to be somebody else
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class Step:
    """A stage of a pipeline as a step."""

    id: int
    name: str
    state: str
    days: str
    done: bool


@dataclass(frozen=True)
class DealRow:
    """A deal on a card, in a list or in the panel."""

    id: int
    title: str
    value: str
    stage: str
    stage_id: int
    organization: str
    person: str
    owner: str
    owner_initials: str
    status: str
    close: str
    days: str
    href: str
    last_mail: str
    mark: Mark


@dataclass(frozen=True)
class PersonRow:
    """A person in a list or in the panel."""

    id: int
    name: str
    job: str
    organization: str
    address: str
    phone: str
    initials: str
    hue: int
    href: str
    consent: str


@dataclass(frozen=True)
class Item:
    """A line of a timeline: a message, or a sentence about something that happened."""

    key: str
    kind: str
    icon: str
    text: str
    when: str
    short: str
    message: MessageRow | None
    has_message: bool


def initials(name: str) -> str:
    """Return one or two letters; the family name's characters for Japanese and Chinese names (DESIGN §9)."""
    words = [word.strip("\"'“”()[]<>.,;:") for word in name.replace("@", " ").split()]
    words = [word for word in words if word]
    if not words:
        return "?"
    first = words[0][0]
    if "\u3040" <= first <= "\u9fff" or "\uac00" <= first <= "\ud7af":
        return words[0][:2]
    last = words[-1][0] if len(words) > 1 and "@" not in name else ""
    return (first + last).upper()


def hue(text: str) -> int:
    """Return a stable colour number from 0 to 7 for a name: the same person has one colour on every screen."""
    return sum(ord(char) * (at + 7) for at, char in enumerate(text.lower())) % 8


def mark(tracking: Any, message_id: int | None, eyes: Eyes) -> Mark:
    """Return the marks of a TrackingView."""
    if tracking is None or not message_id:
        return Mark()
    latest = max(filter(None, (tracking.last_opened_at, tracking.last_clicked_at)), default=None)
    opened, clicked = times(eyes, tracking.opens, OPENED), times(eyes, tracking.clicks, CLICKED)
    said = [*([opened] if tracking.on_opens else []), *([clicked] if tracking.on_clicks else [])]
    return Mark(
        message_id=message_id,
        opens_on=tracking.on_opens,
        clicks_on=tracking.on_clicks,
        opens=tracking.opens,
        clicks=tracking.clicks,
        fresh=latest is not None and eyes.now - latest < FRESH,
        opens_label=opened,
        clicks_label=clicked,
        label=f"{gettext(eyes.language, 'Tracking')}: {', '.join(said)}",
    )


def times(eyes: Eyes, n: int, words: tuple[str, str, str]) -> str:
    """Return how often something happened: OPENED or CLICKED."""
    none, one, many = words
    return eyes.t(none) if not n else eyes.t(one) if n == 1 else eyes.t(many, n=i18n.number(eyes.language, n))


def rows(
    page_rows: Any, eyes: Eyes, after: str = "", *, sent: bool = False, suggestions: Mapping[int, Any] | None = None
) -> list[Row]:
    """Return the rows of a page, each first row of a day carrying its heading; `after` is the heading before them."""
    made: list[Row] = []
    for view in page_rows:
        heading = i18n.day_heading(eyes.language, view.last_at, eyes.now, eyes.zone)
        made.append(_row(view, eyes, heading if heading != after else "", (suggestions or {}).get(view.id), sent=sent))
        after = heading
    return made


def _suggestion(found: Any, eyes: Eyes) -> str:
    """What a row's outlined chip says, of a linking.suggest.Suggestion."""
    if found is None:
        return ""
    if found.kind == "person":
        return eyes.t(ADD, name=found.name)
    if len(found.deals) == 1:
        return eyes.t(ONE_DEAL, deal=found.deals[0][1])
    return eyes.t(WHICH)


def _row(view: Any, eyes: Eyes, day: str, found: Any = None, *, sent: bool) -> Row:
    when = i18n.short_day(eyes.language, view.last_at, eyes.now, eyes.zone)
    subject = view.subject or gettext(eyes.language, "(no subject)")
    failed = view.failed or ""
    first = view.names.split(",")[0].strip()
    mine = view.own and view.direction_last == "out"
    parts = [gettext(eyes.language, "Unread") if view.unread else "", view.names, subject, when, view.deal_title or ""]
    if view.has_attachments:
        parts.append(gettext(eyes.language, "attachment"))
    parts += [each.name for each in view.labels]
    return Row(
        id=view.id,
        who=gettext(eyes.language, "To: {names}", names=view.names) if mine or sent else view.names,
        count=view.message_count if view.message_count > 1 else 0,
        when=when,
        subject=subject,
        snippet=failed or (gettext(eyes.language, "You: {text}", text=view.snippet) if mine else view.snippet),
        failed=bool(failed),
        initials=initials(first),
        hue=hue(first),
        day=day,
        deal=view.deal_title or "",
        attachment=view.has_attachments,
        private=view.visibility == "private",
        mark=mark(view.tracking, view.last_outbound_message_id, eyes),
        label=", ".join(part for part in parts if part),
        suggestion=_suggestion(found, eyes),
        suggests=found.kind if found is not None else "",
        labels=tuple(label_mark(each) for each in view.labels[:LABELS]),
        more_labels=f"+{len(view.labels) - LABELS}" if len(view.labels) > LABELS else "",
    )


def label_mark(view: Any) -> LabelMark:
    """Return a label of a conversation."""
    return LabelMark(view.id, view.name, view.color)


def message(view: Any, eyes: Eyes) -> MessageRow:
    """Return a message card."""
    name = shown_name(view.sender.name, view.sender.address)
    return MessageRow(
        id=view.id,
        thread_id=view.thread_id,
        who=gettext(eyes.language, "You") if view.own and view.direction == "out" else name,
        address=view.sender.address,
        mine=view.direction == "out",
        recipients=_recipients(view, eyes),
        when=i18n.long_day(eyes.language, view.at, eyes.now, eyes.zone),
        subject=view.subject or gettext(eyes.language, "(no subject)"),
        snippet=view.snippet,
        initials=initials(name),
        hue=hue(name),
        body=routes.message_body(view.id),
        body_remote=routes.message_body(view.id, remote=True),
        original=routes.original(view.id),
        printed=routes.print_message(view.id),
        files=tuple(file_row(view.id, each, eyes) for each in view.attachments if not each.inline),
        mark=mark(view.tracking, view.id, eyes),
        private=view.visibility == "private",
        gone=view.gone,
        owner="" if view.own else view.owner_name,
        notice=notice(view, eyes),
        event=event_row(view, eyes),
        own=view.own,
        bounced=_bounced(view, eyes),
        remarks=tuple(Remark(name, words) for name, words in view.remarks),
        domain=host_of(view.sender.address) if "@" in view.sender.address else "",
        warning="" if view.direction == "out" else _warning(view.sender, eyes),
    )


def _warning(sender: Any, eyes: Eyes) -> str:
    """Say that the sender's name or domain pretends to be another (threat 4)."""
    other = other_address(sender.name, sender.address)
    if other:
        return gettext(
            eyes.language,
            "The sender’s name says {other}, but this came from {address}.",
            other=other,
            address=sender.address,
        )
    if is_lookalike(host_of(sender.address)):
        return gettext(
            eyes.language,
            "The domain of {address} is written with letters that look like others. Check who sent this.",
            address=sender.address,
        )
    return ""


def _bounced(view: Any, eyes: Eyes) -> str:
    """Say who was not reached, and why (B10)."""
    if not view.bounced:
        return ""
    names = ", ".join(address for address, _ in view.bounced)
    said = gettext(eyes.language, "Didn’t reach {names}.", names=names)
    reason = next((reason for _, reason in view.bounced if reason), "")
    return f"{said} “{reason}”" if reason else said


def _recipients(view: Any, eyes: Eyes) -> str:
    you = gettext(eyes.language, "you")
    to, cc, bcc = (
        ", ".join(you if each.mine else shown_name(each.name, each.address) for each in several)
        for several in (view.to, view.cc, view.bcc)
    )
    said = gettext(eyes.language, "to {names}", names=to) if to else ""
    said += gettext(eyes.language, ", cc {names}", names=cc) if cc else ""
    said += gettext(eyes.language, ", bcc {names}", names=bcc) if bcc else ""
    return said.lstrip(", ")


def deal(view: Any, eyes: Eyes) -> DealRow:
    """Return a deal's card."""
    close = i18n.short_day(eyes.language, view.expected_close, eyes.now, eyes.zone) if view.expected_close else ""
    days = "" if view.days_in_stage is None else ngettext(eyes.language, "{n} day", "{n} days", view.days_in_stage)
    last = i18n.short_day(eyes.language, view.last_email_at, eyes.now, eyes.zone) if view.last_email_at else ""
    return DealRow(
        id=view.id,
        title=view.title,
        value=i18n.format_money(view.value_minor, view.currency, eyes.language),
        stage=view.stage,
        stage_id=view.stage_id or 0,
        organization=view.organization or "",
        person=view.person or "",
        owner=view.owner or "",
        owner_initials=initials(view.owner or "?")[:1],
        status=view.status,
        close=close,
        days=days,
        href=routes.deal(view.id),
        last_mail=last,
        mark=mark(view.tracking, -1 if view.tracking else 0, eyes),
    )


def person(view: Any) -> PersonRow:
    """Return a person's card."""
    return PersonRow(
        id=view.id,
        name=view.name,
        job=view.job_title or "",
        organization=view.organization or "",
        address=view.address or "",
        phone=view.phone or "",
        initials=initials(view.name),
        hue=hue(view.name),
        href=routes.person(view.id),
        consent=view.consent,
    )


def steps(stages: Any, eyes: Eyes) -> list[Step]:
    """Return a pipeline's stages as steps."""
    made = []
    for each in stages:
        state = {"current": "here"}.get(each.state, each.state)
        days = (
            ""
            if not each.days and state != "here"
            else gettext(eyes.language, "{n} d", n=i18n.number(eyes.language, each.days))
        )
        made.append(Step(each.id, each.name, state, days, state in ("done", "here")))  # pyright: ignore[reportArgumentType]
    return made


#: What a timeline says: the services' text codes and their sentences.
SAID = {
    "opened": ("eye", i18n.N_("A recipient opened “{subject}”")),
    "clicked": ("mouse-pointer-click", i18n.N_("A recipient clicked a link in “{subject}”")),
    "moved": ("arrow-right-left", i18n.N_("Moved to {stage}")),
    "created": ("plus", i18n.N_("Deal created")),
    "added": ("plus", i18n.N_("Contact added")),
    "won": ("trophy", i18n.N_("Won")),
    "lost": ("thumbs-down", i18n.N_("Lost. {reason}")),
}


class _Gaps(dict[str, Any]):
    """Parameters of a sentence; one that is missing reads as nothing."""

    def __missing__(self, key: str) -> str:
        return ""


def item(view: Any, eyes: Eyes, at: int, *, of_person: bool = False) -> Item:
    """Return a line of a timeline; `of_person` when it is a person's, whose beginning reads otherwise than a deal's."""
    shown = message(view.message, eyes) if view.message is not None else None
    code = view.text_code or view.kind
    icon, sentence = SAID.get("added" if code == "created" and of_person else code, ("circle-dot", ""))
    if shown is not None:
        icon = "send" if shown.mine else "reply"
    kind = ("out" if shown.mine else "in") if shown is not None else view.kind
    said = eyes.t(sentence).format_map(_Gaps(view.params or {})) if sentence else ""
    return Item(
        key=f"{view.kind}-{shown.id if shown else at}-{int(view.at.timestamp())}",
        kind=kind,
        icon=icon,
        text=said,
        when=i18n.day_and_time(eyes.language, view.at, eyes.now, eyes.zone),
        short=i18n.short_day(eyes.language, view.at, eyes.now, eyes.zone),
        message=shown,
        has_message=shown is not None,
    )
