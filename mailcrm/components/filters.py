"""Filters of the list: the ones most used in a row, all of them in a menu with counts, those that are on as chips."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.edit_field import shown_field
from mailcrm.components.icons import icon
from mailcrm.components.views import save_view
from mailcrm.state.filtering import Choice, FilterState
from mailcrm.state.i18n import tr
from mailcrm.state.inbox import InboxState

QUICK = ("unread", "opened", "clicked", "deal", "tracked")


def _named() -> tuple[tuple[str, str, rx.Var[str]], ...]:
    return (
        ("unread", "mail", tr("Unread")),
        ("tracked", "radar", tr("Tracking on")),
        ("opened", "eye", tr("Opened")),
        ("waiting", "eye-off", tr("Not opened")),
        ("clicked", "mouse-pointer-click", tr("Clicked")),
        ("deal", "circle-dollar-sign", tr("Open deal")),
        ("unlinked", "unlink", tr("Not linked")),
        ("files", "paperclip", tr("With attachment")),
        ("shared", "users-round", tr("Shared")),
        ("private", "lock", tr("Private")),
        ("failed", "triangle-alert", tr("Not sent")),
        ("snoozed", "alarm-clock", tr("Snoozed")),
    )


def filter_bar() -> rx.Component:
    """Return the row of filters under the header, and the chips of the others that are on."""
    return rx.el.div(
        rx.el.div(
            rx.el.button(
                tr("All"),
                type="button",
                on_click=FilterState.clear,
                data_testid="filter-all",
                custom_attrs={"aria-pressed": InboxState.filters.length() == 0},
            ),
            _quick("unread", tr("Unread")),
            _quick("opened", tr("Opened"), "eye"),
            _quick("clicked", tr("Clicked"), "mouse-pointer-click"),
            _quick("deal", tr("Open deal"), "circle-dollar-sign"),
            # T07: it stands beside the others; a mark alone, because the row has no room for its words
            _quick("tracked", rx.fragment(), "radar", title=tr("Tracking on"), aria_label=tr("Tracking on")),
            class_name="seg",
            role="group",
            aria_label=tr("Filter"),
        ),
        rx.cond(
            (InboxState.filters.length() > 0) | (InboxState.query != ""),
            rx.el.div(
                *[
                    rx.cond(InboxState.filters.contains(word), _chip(word, icon(picture, size=13), label))
                    for word, picture, label in _named()
                    if word not in QUICK
                ],
                rx.foreach(FilterState.on, _choice_chip),
                rx.el.span(class_name="grow"),
                save_view(),
                class_name="filter-chips",
            ),
        ),
        class_name="list-filters",
    )


def _quick(word: str, label: rx.Var[str] | rx.Component, picture: str = "", **props: Any) -> rx.Component:
    return rx.el.button(
        icon(picture, size=14) if picture else rx.fragment(),
        label,
        type="button",
        on_click=FilterState.choose(word),
        data_testid=f"filter-{word}",
        custom_attrs={"aria-pressed": InboxState.filters.contains(word)},
        **props,
    )


def _chip(word: Any, picture: rx.Component, label: Any) -> rx.Component:
    return rx.el.button(
        picture,
        rx.el.span(label, class_name="cut", dir="auto"),
        icon("x", size=12),
        type="button",
        class_name="chip chip-lg chip-on",
        on_click=FilterState.choose(word),
        title=tr("Clear filter"),
        data_testid="filter-on",
    )


def _choice_chip(row: rx.Var[Choice]) -> rx.Component:
    return _chip(row.word, _picture(row), row.name)


def _picture(row: rx.Var[Choice]) -> rx.Component:
    return rx.cond(
        row.color != "",
        rx.el.span(class_name="label-dot", custom_attrs={"data-color": row.color}),
        rx.match(
            row.kind,
            ("person", icon("user-round", size=13)),
            ("day", icon("calendar-days", size=13)),
            icon("at-sign", size=13),
        ),
    )


def filter_menu() -> rx.Component:
    """Return the menu of all filters: it stays open while several are chosen; Shift F opens it."""
    return rx.popover.root(
        rx.popover.trigger(
            icon_button(
                "list-filter", tr("Filters"), data_testid="filter-menu", custom_attrs={"data-key": "shift f"},
            )
        ),
        rx.popover.content(
            rx.el.div(
                rx.el.div(tr("Show only"), class_name="menu-label"),
                *[_line(word, icon(picture, size=15), label) for word, picture, label in _named()],
                _person(),
                rx.el.div(tr("Date"), class_name="menu-label"),
                rx.el.div(
                    _day("since", tr("Since"), FilterState.since),
                    _day("until", tr("Until"), FilterState.until),
                    class_name="filter-days",
                ),
                rx.cond(
                    FilterState.labels.length() > 0,
                    rx.fragment(
                        rx.el.div(tr("Labels"), class_name="menu-label"),
                        rx.foreach(FilterState.labels, _choice_line),
                    ),
                ),
                rx.cond(
                    FilterState.boxes.length() > 0,
                    rx.fragment(
                        rx.el.div(tr("Mailboxes"), class_name="menu-label"),
                        rx.foreach(FilterState.boxes, _choice_line),
                    ),
                ),
                class_name="scroll filter-list",
                role="group",
                aria_label=tr("Filters"),
                custom_attrs={"data-arrows": "true"},  # keys.js
            ),
            rx.cond(
                InboxState.filters.length() > 0,
                button(tr("Clear all"), look="ghost", size="btn-sm", on_click=FilterState.clear),
            ),
            class_name="pop filter-pop",
            side="bottom",
            align="end",
        ),
        open=FilterState.open,
        on_open_change=FilterState.show,
    )  # fmt: skip


def _person() -> rx.Component:
    """Return the choice of a contact: what is typed finds them."""
    return rx.fragment(
        rx.el.div(tr("Person"), class_name="menu-label"),
        rx.el.div(
            rx.el.input(
                placeholder=tr("Search contacts"),
                aria_label=tr("Search contacts"),
                on_change=lambda text: FilterState.find_person(text).debounce(180),
                class_name="input",
                auto_complete="off",
                max_length=100,
                dir="auto",
                data_testid="filter-person",
            ),
            class_name="filter-field",
        ),
        rx.foreach(FilterState.people, _choice_line),
    )


def _day(which: str, label: rx.Var[str], value: rx.Var[str]) -> rx.Component:
    return rx.el.label(
        rx.el.span(label, class_name="t1 dim"),
        shown_field(
            rx.el.input(
                type="date",
                value=value,
                on_change=lambda day: FilterState.choose_day(which, day),
                class_name="input",
                data_testid=f"filter-{which}",
            )
        ),
        class_name="col gap4",
    )


def _line(word: Any, picture: rx.Component, label: Any) -> rx.Component:
    return rx.el.button(
        picture,
        rx.el.span(label, class_name="cut grow", dir="auto"),
        rx.el.span(FilterState.counts[word], class_name="dim num t1"),
        rx.cond(InboxState.filters.contains(word), icon("check", size=14), rx.el.span(class_name="tick-room")),
        type="button",
        class_name="menu-item",
        on_click=FilterState.choose(word),
        data_testid="menu-choice" if isinstance(word, rx.Var) else f"{'menu' if word in QUICK else 'filter'}-{word}",
        custom_attrs={"aria-pressed": InboxState.filters.contains(word)},
    )


def _choice_line(row: rx.Var[Choice]) -> rx.Component:
    return _line(row.word, _picture(row), row.name)
