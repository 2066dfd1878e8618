"""What stands above a record's timeline: the composer tabs, and the strip of what is planned."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button, ink
from mailcrm.components.composer import in_place
from mailcrm.components.edit_field import shown_field
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.icons import icon, tracking_icon
from mailcrm.state.composer import ComposerState
from mailcrm.state.i18n import tr
from mailcrm.state.timeline import TimelineState
from mailcrm.state.timeline_items import Plan

STATE = TimelineState


def writer(address: Any, name: Any, deal_id: Any) -> rx.Component:
    """Return the composer tabs: email in place, note, activity."""
    compose = ComposerState.compose_here(address, deal_id)
    prompt = rx.cond(name != "", tr("Write to {name}", name=name), tr("Write an email"))
    write = rx.el.button(
        prompt, type="button", class_name="write-line", dir="auto", on_click=compose, data_testid="record-compose"
    )
    return rx.el.section(
        rx.el.div(
            _tab("email", "mail", tr("noun|Email")),
            _tab("note", "sticky-note", tr("Note")),
            _tab("activity", "calendar-plus", tr("Activity")),
            class_name="seg writer-tabs",
            role="group",
            aria_label=tr("What to write"),
        ),
        rx.match(
            STATE.tab,
            ("note", _note_form()),
            ("activity", _activity_form()),
            rx.cond(ComposerState.place == "record", in_place(), write),
        ),
        class_name="card writer",
        data_testid="record-writer",
    )


def _tab(name: str, mark: str, label: Any) -> rx.Component:
    return rx.el.button(
        icon(mark),
        label,
        type="button",
        on_click=STATE.choose_tab(name),
        custom_attrs={"aria-pressed": STATE.tab == name},
        data_testid=f"tab-{name}",
    )


def _note_form() -> rx.Component:
    return rx.el.form(
        rx.el.textarea(
            name="note_text",
            class_name="area note-area",
            rows="3",
            dir="auto",
            auto_focus=True,
            max_length=20_000,
            placeholder=tr("Write a note"),
            aria_label=tr("Note"),
            data_testid="note-text",
        ),
        error_line(STATE.wrong),
        rx.el.div(ink(tr("Save note"), type="submit", data_testid="note-save"), class_name="row"),
        on_submit=STATE.add_note,
        class_name="col gap12 writer-form",
        key=STATE.version,
    )


def _activity_form() -> rx.Component:
    kinds = (
        ("call", "phone", tr("Call")),
        ("meeting", "users-round", tr("Meeting")),
        ("task", "square-check", tr("Task")),
    )
    return rx.el.form(
        rx.el.div(
            *[
                rx.el.label(
                    rx.el.input(
                        type="radio",
                        name="activity_kind",
                        value=value,
                        default_checked=value == "call",
                        class_name="seg-radio",
                        data_testid=f"activity-{value}",
                    ),
                    rx.el.span(icon(mark, size=14), label, class_name="row gap4"),
                )
                for value, mark, label in kinds
            ],
            class_name="seg-radios seg-box",
            role="radiogroup",
            aria_label=tr("Kind"),
        ),
        text_input(
            "activity_subject",
            dir="auto",
            auto_focus=True,
            placeholder=tr("What is to be done"),
            aria_label=tr("What is to be done"),
            data_testid="activity-subject",
        ),
        rx.el.div(
            field(
                tr("Day"),
                shown_field(text_input("activity_day", type="date", data_testid="activity-day")),
                name="activity_day",
            ),
            field(
                tr("Time"), text_input("activity_hour", type="time", data_testid="activity-hour"), name="activity_hour"
            ),
            field(
                tr("Minutes"),
                text_input("activity_minutes", type="number", min="1", max="10080", data_testid="activity-minutes"),
                name="activity_minutes",
            ),
            class_name="writer-due",
        ),
        error_line(STATE.wrong),
        rx.el.div(ink(tr("Plan activity"), type="submit", data_testid="activity-save"), class_name="row"),
        on_submit=STATE.add_activity,
        class_name="col gap12 writer-form",
        key=STATE.version,
    )


def focus() -> rx.Component:
    """Return what is planned, each with its box to tick."""
    return rx.cond(
        STATE.focus.length() > 0,
        rx.el.ul(
            rx.foreach(STATE.focus, _plan), class_name="card focus", aria_label=tr("Planned"), data_testid="focus-strip"
        ),
    )


def _plan(row: rx.Var[Plan]) -> rx.Component:
    return rx.el.li(
        rx.el.span(entry_icon(row.icon), class_name="tl-ico"),
        rx.el.div(
            rx.el.p(row.title, class_name="b cut", dir="auto"),
            rx.cond(
                STATE.moving == row.id,
                _move_form(row),
                rx.el.p(
                    rx.match(
                        row.tone,
                        ("late", rx.el.span(tr("Late"), " · ", class_name="bad")),
                        ("today", rx.fragment()),
                        rx.fragment(),
                    ),
                    row.about,
                    class_name="t1 dim cut",
                    dir="auto",
                    custom_attrs={"data-tone": row.tone},
                ),
            ),
            class_name="col grow",
        ),
        rx.cond(
            STATE.moving == row.id,
            rx.fragment(),
            button(tr("Reschedule"), size="btn-sm", on_click=STATE.move_activity(row.id), data_testid="activity-move"),
        ),
        icon_button(
            "trash-2", tr("Delete activity"), on_click=STATE.delete_activity(row.id), data_testid="activity-delete"
        ),
        rx.el.input(
            type="checkbox",
            class_name="tick-box",
            aria_label=tr("Done: {subject}", subject=row.title),
            checked=False,
            on_change=STATE.tick(row.id),
            data_testid="activity-done",
        ),
        class_name="row gap12 focus-row",
        key=row.id,
        data_testid="focus-item",
    )


def _move_form(row: rx.Var[Plan]) -> rx.Component:
    return rx.el.form(
        shown_field(
            rx.el.input(
                type="date", name="move_day", default_value=row.day, class_name="input", aria_label=tr("Day"),
                auto_focus=True, data_testid="move-day",
            )
        ),
        rx.el.input(type="time", name="move_hour", default_value=row.hour, class_name="input", aria_label=tr("Time")),
        ink(tr("Save"), type="submit", size="btn-sm", data_testid="move-save"),
        button(tr("Cancel"), look="ghost", size="btn-sm", on_click=STATE.move_activity(0)),
        error_line(STATE.wrong),
        on_submit=STATE.reschedule,
        class_name="row gap6 move-form",
    )  # fmt: skip


def entry_icon(name: Any) -> rx.Component:
    """Return the icon of a line or a planned activity by its name."""
    return rx.match(
        name,
        ("phone", icon("phone")),
        ("users-round", icon("users-round")),
        ("square-check", icon("square-check")),
        ("sticky-note", icon("sticky-note")),
        ("user-round", icon("user-round")),
        ("merge", icon("merge")),
        ("split", icon("split")),
        ("circle-dollar-sign", icon("circle-dollar-sign")),
        ("archive", icon("archive")),
        ("shield-check", icon("shield-check")),
        tracking_icon(name),
    )
