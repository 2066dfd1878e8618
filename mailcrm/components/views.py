"""Saved views: the entries of the navigation with what can be done with them, and the form that saves one."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.forms import error_line
from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr
from mailcrm.state.inbox import InboxState
from mailcrm.state.views import ViewRow, ViewsState


def nav_views() -> rx.Component:
    """Return the views in the navigation; nothing while there is none."""
    return rx.cond(
        ViewsState.rows.length() > 0,
        rx.el.div(
            rx.el.p(tr("Views"), class_name="nav-group"),
            rx.foreach(ViewsState.rows, _entry),
            class_name="nav-views",
        ),
    )


def _entry(row: rx.Var[ViewRow]) -> rx.Component:
    return rx.el.div(
        rx.el.a(
            rx.cond(row.shared, icon("users-round"), icon("bookmark")),
            rx.el.span(row.name, class_name="cut", dir="auto"),
            href=row.href,
            class_name="nav-item",
            title=row.name,
            data_testid="view",
            custom_attrs={"aria-current": rx.cond(InboxState.view == row.id, "page", rx.Var("undefined"))},
        ),
        rx.popover.root(
            rx.popover.trigger(
                icon_button("ellipsis", tr("Change the view"), cls="icon-sm view-more", data_testid="view-more")
            ),
            rx.popover.content(_change(row), class_name="pop view-pop", side="right", align="start"),
            open=ViewsState.editing == row.id,
            on_open_change=lambda is_open: ViewsState.edit(row.id, is_open),
        ),
        class_name="nav-view",
        key=row.id,
    )


def _change(row: rx.Var[ViewRow]) -> rx.Component:
    return rx.el.div(
        rx.cond(
            row.own,
            rx.el.form(
                _fields(row.name, row.shared),
                button(tr("Save"), look="ink", size="btn-sm", type="submit", data_testid="view-change"),
                on_submit=ViewsState.change,
                class_name="col gap6",
            ),
        ),
        rx.el.div(
            icon_button("arrow-up", tr("Move up"), on_click=ViewsState.move(row.id, -1), data_testid="view-up"),
            icon_button("arrow-down", tr("Move down"), on_click=ViewsState.move(row.id, 1), data_testid="view-down"),
            rx.el.span(class_name="grow"),
            rx.cond(
                row.own,
                icon_button("trash-2", tr("Delete"), on_click=ViewsState.delete(row.id), data_testid="view-delete"),
            ),
            class_name="row",
        ),
        class_name="col gap6",
    )


def save_view() -> rx.Component:
    """Return the button that keeps what the list shows under a name."""
    return rx.popover.root(
        rx.popover.trigger(
            button(icon("bookmark", size=14), tr("Save view"), look="ghost", size="btn-sm", data_testid="view-save")
        ),
        rx.popover.content(
            rx.el.form(
                _fields("", False, auto_focus=True),
                button(tr("Save"), look="ink", size="btn-sm", type="submit", data_testid="view-keep"),
                on_submit=ViewsState.save,
                class_name="col gap6",
            ),
            class_name="pop view-pop",
            side="bottom",
            align="end",
        ),
        open=ViewsState.saving,
        on_open_change=ViewsState.ask,
    )


def _fields(name: Any, shared: Any, **props: Any) -> rx.Component:
    return rx.fragment(
        rx.el.input(
            name="view_name", default_value=name, placeholder=tr("Name of the view"), aria_label=tr("Name of the view"),
            class_name="input", max_length=40, dir="auto", data_testid="view-name", **props,
        ),
        rx.el.label(
            rx.el.input(type="checkbox", name="view_shared", default_checked=shared, data_testid="view-shared"),
            tr("Shared with the team"),
            class_name="row gap6",
        ),
        error_line(ViewsState.wrong),
    )  # fmt: skip
