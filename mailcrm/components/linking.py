"""Links on the screen: why something is linked, the suggestion in a row, and the bar of picked conversations."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.icons import icon
from mailcrm.components.remind import snooze_select
from mailcrm.components.thread_labels import label_picker
from mailcrm.state.bulk import BulkState
from mailcrm.state.i18n import tr
from mailcrm.state.inbox import InboxState
from mailcrm.state.linking import PickState, TargetRow, WhyRow, WhyState
from mailcrm.state.present import Row


def why_button(place: Any, thread_id: Any) -> rx.Component:
    """Return the button that says why a conversation is linked (B06); `place` is unlike any other on the page."""
    return rx.popover.root(
        rx.popover.trigger(
            icon_button("info", tr("Why is this linked?"), cls="icon-sm", data_testid="why-linked"),
        ),
        rx.popover.content(
            rx.el.h3(tr("Why is this linked?"), class_name="t1 dim"),
            rx.cond(
                WhyState.rows.length() > 0,
                rx.el.ul(rx.foreach(WhyState.rows, _reason), class_name="col"),
                rx.el.p(tr("Not linked to anything."), class_name="dim"),
            ),
            class_name="pop why-pop",
            side="bottom",
            align="start",
        ),
        open=WhyState.place == place,
        on_open_change=lambda is_open: WhyState.show(place, thread_id, is_open),
    )


def _reason(row: rx.Var[WhyRow]) -> rx.Component:
    return rx.el.li(
        rx.match(
            row.icon,
            ("user-round", icon("user-round", size=14)),
            ("sprout", icon("sprout", size=14)),
            icon("circle-dollar-sign", size=14),
        ),
        rx.el.div(
            rx.el.span(row.title, class_name="b cut", dir="auto"),
            rx.el.span(row.text, class_name="t1 dim", data_testid="why-text"),
            class_name="col grow",
        ),
        rx.cond(
            row.can_unlink,
            button(
                tr("Unlink"), look="ghost", size="btn-sm", on_click=WhyState.unlink(row.id), data_testid="why-unlink"
            ),
        ),
        class_name="why-line",
        key=row.id,
    )


def suggestion(row: rx.Var[Row]) -> rx.Component:
    """Return what a row proposes where no deal is linked: for the mouse; keys find it beside the conversation."""
    return rx.cond(
        row.suggestion != "",
        rx.el.span(
            icon("sparkles", size=13),
            rx.el.span(row.suggestion, class_name="cut", dir="ltr"),  # a sentence of ours, whatever name is in it
            class_name="chip chip-suggest",
            on_click=InboxState.take_suggestion(row.id).stop_propagation,
            data_testid="suggestion",
        ),
    )


def pick_box(thread_id: rx.Var[int], label: rx.Var[str], *, picked: rx.Var[bool]) -> rx.Component:
    """Return a row's checkbox: over the avatar, when hovered, focused, or while anything is picked (X)."""
    return rx.el.input(
        type="checkbox",
        checked=picked,
        on_change=PickState.toggle(thread_id, rx.Var("window.mailcrmShift === true").to(bool)),  # keys.js
        class_name="tr-pick",
        tab_index=-1,
        aria_label=tr("Select {name}", name=label),
        data_testid="pick",
    )


def pick_bar() -> rx.Component:
    """Return what stands in the list's header while conversations are picked."""
    return rx.el.header(
        icon_button("x", tr("Clear selection"), on_click=PickState.clear, data_testid="pick-clear",
                    custom_attrs={"data-key": "escape"}),
        rx.el.span(PickState.count, class_name="b num", role="status", data_testid="pick-count"),
        rx.cond(
            (PickState.ids.length() >= InboxState.rows.length()) & (InboxState.cursor != ""),
            icon_button(
                "copy-check", tr("Select all of this list"), on_click=PickState.everything, data_testid="pick-all"
            ),
            icon_button("list-checks", tr("Select all shown"), on_click=PickState.page, data_testid="pick-page"),
        ),
        rx.el.span(class_name="grow"),
        _act("archive", rx.cond(InboxState.folder == "archive", tr("Move to the inbox"), tr("verb|Archive")), "e"),
        _act("trash-2", tr("Delete"), "#", "delete"),
        _act("mail-open", tr("Mark read"), "shift u", "read"),
        _act("mail", tr("Mark unread"), "u", "unread"),
        snooze_select(BulkState.snooze, testid="pick-snooze", custom_attrs={"data-key": "h"}),
        _link_picker(),
        label_picker("bulk"),
        _sharing(),
        class_name="bar list-bar pick-bar",
    )  # fmt: skip


def _act(picture: str, label: rx.Var[str] | rx.Component, key: str, what: str = "archive") -> rx.Component:
    return icon_button(
        picture, label, on_click=BulkState.act(what), custom_attrs={"data-key": key}, data_testid=f"pick-{what}"
    )


def _sharing() -> rx.Component:
    return rx.el.span(
        icon("users-round"),
        rx.el.select(
            rx.el.option(tr("Who can see them"), value=""),
            rx.el.option(tr("Share with the team"), value="shared"),
            rx.el.option(tr("Make private"), value="private"),
            value="",
            on_change=BulkState.share,
            aria_label=tr("Who can see them"),
            data_testid="pick-share",
            custom_attrs={"data-key": "v"},
        ),
        class_name="icon-btn pick-over",
        title=tr("Who can see them"),
    )


def _link_picker() -> rx.Component:
    return rx.popover.root(
        rx.popover.trigger(
            icon_button("link", tr("verb|Link"), data_testid="pick-link", custom_attrs={"data-key": "l"})
        ),
        rx.popover.content(
            rx.el.input(
                placeholder=tr("Search deals, people and leads"),
                aria_label=tr("Search deals, people and leads"),
                on_change=lambda text: PickState.find(text).debounce(200),
                class_name="input",
                auto_focus=True,
                data_testid="pick-search",
            ),
            rx.el.div(
                rx.foreach(PickState.found, _target),
                rx.cond(PickState.found.length() == 0, rx.el.p(tr("Nothing matches"), class_name="hint")),
                class_name="col scroll pick-found",
            ),
            class_name="pop pick-pop",
            side="bottom",
            align="end",
        ),
        open=PickState.searching,
        on_open_change=PickState.search,
    )


def _target(row: rx.Var[TargetRow]) -> rx.Component:
    return rx.el.button(
        rx.match(
            row.kind,
            ("person", icon("user-round")),
            ("lead", icon("sprout")),
            icon("circle-dollar-sign"),
        ),
        rx.el.span(
            rx.el.span(row.title, class_name="cut", dir="auto"),
            rx.el.span(row.about, class_name="t1 dim cut", dir="auto"),
            class_name="col grow",
        ),
        type="button",
        class_name="menu-item",
        on_click=PickState.link(row.kind, row.id),
        data_testid="pick-option",
        key=f"{row.kind}-{row.id}",
    )
