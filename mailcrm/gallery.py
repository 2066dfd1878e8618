"""`/gallery`: every component with its states on one page, for whoever changes how mailcrm looks (docs/design-guide.md).

Only in a build made with MAILCRM_GALLERY=1 (`make gallery`); others have no such page. Its texts are samples and stand in
no catalogue. What it shows are the components themselves, never copies: a change of one is seen here.
"""

from collections.abc import Callable
from typing import Any

import reflex as rx

from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import button, icon_button, kbd
from mailcrm.components.deal_line import deal_line
from mailcrm.components.density import density_choice
from mailcrm.components.event_card import event_card
from mailcrm.components.forms import choice, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.message_card import message_card
from mailcrm.components.settings import option, radio_row, switch_row, tick
from mailcrm.components.states import bones, empty, wrong
from mailcrm.components.thread_list import thread_row
from mailcrm.components.tracking_mark import still_marks
from mailcrm.state.event_card import EventRow
from mailcrm.state.files import FileRow
from mailcrm.state.present import DealRow, Mark, MessageRow, Row

LOOKS = ("ink", "soft", "line", "ghost", "go", "won", "bad")
TOKENS = (
    "desk", "sheet", "inset", "line", "line-strong", "ink", "ink-2", "select", "hover", "press", "signal", "signal-bg",
    "won", "won-bg", "warn", "warn-bg", "bad", "bad-bg", "go", "link", "focus",
)  # fmt: skip
NONE, UNSEEN = (
    Mark(),
    Mark(1, True, True, opens_label="Not opened yet", clicks_label="Not clicked yet", label="Tracking: not opened yet"),
)
SEEN = Mark(
    1, True, True, 3, 1, opens_label="Opened 3 times", clicks_label="Clicked once", label="Tracking: opened 3 times"
)
FRESH = Mark(1, True, False, 1, 0, fresh=True, opens_label="Opened once", label="Tracking: opened once")


def gallery() -> rx.Component:
    """Return the page."""
    return rx.el.main(
        rx.el.header(
            rx.el.h1("Gallery", class_name="t5 grow"),
            button(icon("sun-moon"), "Light or dark", on_click=rx.toggle_color_mode, data_testid="gallery-theme"),
            density_choice("gallery-density"),
            class_name="row gap12",
        ),
        *[
            _section(name, make)
            for name, make in (
                ("Colours (tokens.css)", _colours),
                ("Type", _type),
                ("Buttons", _buttons),
                ("Fields", _fields),
                ("Settings", _settings),
                ("Avatars, chips, marks", _marks),
                ("Rows of the list", _rows),
                ("Emails", _emails),
                ("Cards", _cards),
                ("Empty, loading, wrong", _states),
            )
        ],
        class_name="gallery",
        id="page",
    )


def _section(name: str, make: Callable[[], rx.Component]) -> rx.Component:
    return rx.el.section(rx.el.h2(name, class_name="t3"), make(), class_name="gallery-part", data_testid="gallery-part")


def _colours() -> rx.Component:
    return rx.el.ul(
        *[
            rx.el.li(
                rx.el.span(class_name="gallery-swatch", style={"background": f"var(--mc-{name})"}),
                rx.el.code(f"--mc-{name}"),
            )
            for name in TOKENS
        ],
        class_name="gallery-grid",
    )


def _type() -> rx.Component:
    lines = [
        rx.el.p(f"Type {size}: 24 probes for the Büsum site, 見積書の件", class_name=f"t{size}") for size in range(1, 7)
    ]
    return rx.el.div(*lines, rx.el.p("Dimmed, ", rx.el.b("bold, ", class_name="b"), "1,234.50", class_name="dim num"))


def _buttons() -> rx.Component:
    each = [button(look.capitalize(), look=look) for look in LOOKS]
    off = [button(look.capitalize(), look=look, disabled=True) for look in LOOKS]
    return rx.el.div(
        _line(*each),
        _line(*off),
        _line(
            button("Small", size="btn-sm"),
            button(icon("archive"), "With an icon", look="line"),
            kbd("C"),
            kbd("Ctrl K"),
        ),
        _line(
            icon_button("archive", _said("Archive")),
            icon_button("trash-2", _said("Delete"), disabled=True),
            icon_button("reply", _said("Reply"), custom_attrs={"aria-pressed": "true"}),
        ),
    )


def _fields() -> rx.Component:
    return rx.el.div(
        field("Name", text_input("g_name", placeholder="Name of the deal"), name="g_name"),
        field("Address", text_input("g_wrong", default_value="sana@"), wrong("That is no address."), name="g_wrong"),
        field("Off", text_input("g_off", default_value="Can’t be changed", disabled=True), name="g_off"),
        field("Stage", choice("g_stage", [("1", "Proposal"), ("2", "Negotiation")]), name="g_stage"),
        field("Right to left", text_input("g_rtl", default_value="عرض سعر", dir="auto"), name="g_rtl"),
        class_name="gallery-fields",
    )


def _settings() -> rx.Component:
    none = rx.Var.create("")
    return option(
        "Option",
        "What it is about, in one sentence.",
        switch_row(
            "On", "Saved", name="on", checked=True, on_change=rx.noop(), saved=rx.Var.create("on"), testid="g_on"
        ),
        switch_row("Off", None, name="off", checked=False, on_change=rx.noop(), saved=none, testid="g_switch"),
        radio_row("g_radio", "a", "Chosen", "Why", mark="lock", checked=True, on_pick=rx.noop()),
        radio_row("g_radio", "b", "Not chosen", "Why not", mark="users-round", checked=False, on_pick=rx.noop()),
        tick(rx.Var.create(True)),
    )


def _marks() -> rx.Component:
    avatars = [avatar("LV", hue) for hue in range(8)]
    return rx.el.div(
        _line(
            *avatars, avatar("SO", mine=True), avatar("NA", 2, square=True), avatar("佐", 3, "lg"), avatar("J", 4, "sm")
        ),
        _line(
            rx.el.span(icon("circle-dollar-sign", size=13), "Büsum expansion", class_name="chip"),
            rx.el.span(icon("sparkles", size=13), "Add Jörg", class_name="chip chip-suggest"),
            rx.el.span(icon("lock", size=14), "Private", class_name="chip chip-lg chip-line"),
            rx.el.span(
                icon("circle-dollar-sign", size=14), rx.el.span("Deal", class_name="b"), class_name="chip chip-lg"
            ),
        ),
        _line(*[still_marks(_row_of(mark, Mark)) for mark in (UNSEEN, SEEN, FRESH)]),
    )


def _rows() -> rx.Component:
    rows = (
        ("read", _row(1), {}),
        (
            "unread",
            _row(2, who="佐藤 彩", initials="佐藤", subject="見積書の件(改訂版のお願い)", deal="三浦水産"),
            {"unread": True},
        ),
        ("open", _row(3, mark=SEEN, deal="Büsum expansion", attachment=True), {"active": True}),
        ("picked", _row(4, private=True, suggestion="Add Jörg", suggests="person"), {"picked": True}),
        ("failed", _row(5, failed=True, snippet="Not delivered. The address was rejected."), {}),
        (
            "rtl",
            _row(6, who="عمر حداد", initials="عح", subject="طلب عرض سعر لمحطة تحلية الجبيل", mark=UNSEEN),
            {"unread": True},
        ),
    )
    made = [
        thread_row(
            row=_row_of(row, Row),
            **{name: rx.Var.create(flags.get(name, False)) for name in ("active", "unread", "picked", "archived")},
            key=name,
        )
        for name, row, flags in rows
    ]
    return rx.el.ul(*made, class_name="gallery-list thread-list")


def _emails() -> rx.Component:
    def card(row: MessageRow, *, opened: bool) -> rx.Component:
        return message_card(
            _row_of(row, MessageRow),
            opened=rx.Var.create(opened),
            remote=rx.Var.create(False),
            on_fold=rx.noop(),
            on_remote=rx.noop(),
            on_reply=lambda _mode: rx.noop(),
        )

    return rx.el.div(
        card(_message(), opened=False),
        card(_message(mine=True, mark=SEEN), opened=True),
        card(_message(private=True, warning="The sender’s name says another address.", notice="Signed."), opened=True),
    )


def _cards() -> rx.Component:
    event = EventRow(
        "invitation", "Invitation", "Harbour survey", "Tue 24 Nov, 10:00", "Every 2 weeks", "Quay 4", "Jonas", "Ann"
    )
    over = EventRow("cancelled", "Cancelled", "Harbour survey", "Tue 24 Nov, 10:00")
    return rx.el.div(
        event_card(_row_of(event, EventRow)),
        event_card(_row_of(over, EventRow)),
        rx.el.ul(*[deal_line(_row_of(_deal(status), DealRow), "g-deal") for status in ("open", "won", "lost")]),
    )


def _states() -> rx.Component:
    return rx.el.div(
        empty("mail-open", "Nothing here yet", "What comes first is said here.", button("Do it", look="ink")),
        bones(2),
        wrong("One sentence about what is wrong, under the field."),
    )


def _line(*each: rx.Component) -> rx.Component:
    return rx.el.div(*each, class_name="row gap12 gallery-line")


def _said(text: str) -> Any:
    return rx.Var.create(text)


def _row_of(value: Any, kind: Any) -> Any:
    return rx.Var.create(value).to(kind)


def _row(number: int, **other: Any) -> Row:
    facts: dict[str, Any] = {
        "id": -number, "who": "Lena Vogt", "count": 3, "when": "10:42", "subject": "Proposal, 24 probes for the Büsum site",
        "snippet": "Good news: the board signed off on option B.", "failed": False, "initials": "LV", "hue": number, "day": "",
        "deal": "", "attachment": False, "private": False, "mark": NONE, "label": "Lena Vogt, Proposal",
    }  # fmt: skip
    return Row(**(facts | other))


def _message(**other: Any) -> MessageRow:
    facts: dict[str, Any] = {
        "id": -1, "thread_id": -1, "who": "Lena Vogt", "address": "lena@nordlicht.example", "mine": False,
        "recipients": "to you, cc Jörg", "when": "Today, 10:42", "subject": "Proposal", "snippet": "Good news: the board …",
        "initials": "LV", "hue": 1, "body": "about:blank", "body_remote": "about:blank", "original": "", "printed": "",
        "files": (_file("terms.pdf", ""), _file("quay.png", "image")), "mark": NONE, "private": False, "gone": False,
        "owner": "", "notice": "", "event": EventRow(), "own": True, "domain": "nordlicht.example",
    }  # fmt: skip
    return MessageRow(**(facts | other))


def _file(name: str, preview: str) -> FileRow:
    return FileRow(name, name[:-4], name[-4:], "418 KB", "#", name, 1, False, "", preview, "/favicon.svg")


def _deal(status: str) -> DealRow:
    return DealRow(
        1, "Büsum expansion", "€48,200", "Negotiation", 1, "Nordlicht", "Lena Vogt", "Sana", "S", status, "29 Nov", "6 days",
        "#", "10:42", SEEN,
    )  # fmt: skip
