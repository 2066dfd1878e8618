"""When a conversation comes back: the menu of the toolbar (key H), what a row offers, and the mark that one stands."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import icon_button
from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr
from mailcrm.state.inbox import InboxState
from mailcrm.state.remind import DAYS, RemindState
from mailcrm.state.thread import ThreadState


def remind_menu() -> rx.Component:
    """Return the menu: snooze until, and remind unless somebody answers."""
    return rx.dropdown_menu.root(
        rx.dropdown_menu.trigger(
            icon_button("alarm-clock", tr("Remind me"), custom_attrs={"data-key": "h"}, data_testid="remind")
        ),
        rx.dropdown_menu.content(
            rx.el.div(tr("Snooze until"), class_name="menu-label"),
            *[
                rx.dropdown_menu.item(label, on_select=RemindState.snooze(name), data_testid=f"snooze-{name}")
                for name, label in _choices()
            ],
            rx.cond(
                ThreadState.has_sent,
                rx.fragment(
                    rx.dropdown_menu.separator(),
                    rx.el.div(tr("Remind me when nobody answers"), class_name="menu-label"),
                    *[
                        rx.dropdown_menu.item(
                            tr("In {n} days", n=days),
                            on_select=RemindState.remind(days),
                            data_testid=f"remind-{days}",
                        )
                        for days in DAYS
                    ],
                ),
            ),
            align="start",
        ),
    )


def row_acts(thread_id: rx.Var[int], *, archived: rx.Var[bool]) -> rx.Component:
    """Return what a row of the list offers under the pointer: done (archive), and snooze.

    A plain choice, not a menu: hundreds of rows stand in a list. The keyboard has E and H.
    """
    return rx.el.div(
        icon_button(
            "archive",
            rx.cond(archived, tr("Move to the inbox"), tr("Mark as done (archive)")),
            on_click=InboxState.archive_row(thread_id),
            tab_index=-1,
            data_testid="row-done",
        ),
        snooze_select(lambda choice: RemindState.snooze_row(thread_id, choice), testid="row-snooze", tab_index=-1),
        class_name="tr-acts",
    )


def snooze_select(on_change: Any, *, testid: str, **props: Any) -> rx.Component:
    """Return the choice of until when, drawn as an icon button."""
    return rx.el.span(
        icon("alarm-clock"),
        rx.el.select(
            rx.el.option(tr("Snooze until"), value=""),
            *[rx.el.option(label, value=name) for name, label in _choices()],
            value="",
            on_change=on_change,
            aria_label=tr("Snooze until"),
            data_testid=testid,
            **props,
        ),
        class_name="icon-btn pick-over",
        title=tr("Snooze until"),
    )


def _choices() -> tuple[tuple[str, rx.Var[str]], ...]:
    return (
        ("later", tr("Later today")),
        ("tomorrow", tr("Tomorrow, 8:00")),
        ("monday", tr("Monday, 8:00")),
        ("week", tr("In a week, 8:00")),
    )


def reminder_marks() -> rx.Component:
    """Return what stands for the open conversation; a click takes it back."""
    return rx.fragment(
        _mark("snooze", "alarm-clock", ThreadState.snoozed, tr("Bring back now")),
        _mark("no_reply", "bell-ring", ThreadState.awaited, tr("Remove reminder")),
    )


def _mark(kind: str, picture: str, said: rx.Var[str], label: rx.Var[str]) -> rx.Component:
    return rx.cond(
        said != "",
        rx.el.button(
            icon(picture, size=14),
            rx.el.span(said, class_name="cut"),
            icon("x", size=12),
            type="button",
            title=label,
            class_name="chip chip-lg chip-line",
            on_click=RemindState.take_back(kind),
            data_testid=f"reminder-{kind}",
        ),
    )
