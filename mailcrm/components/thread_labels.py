"""Labels on conversations: their chips, and the picker that puts them on, makes, renames, colours and deletes them."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.forms import error_line
from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr
from mailcrm.state.thread_labels import LabelRow, ThreadLabelState

COLORS = ("gray", "indigo", "jade", "amber", "red", "plum", "cyan")


def label_mark(name: Any, color: Any, **props: Any) -> rx.Component:
    """Return a label as rows and the reading pane show it: its colour never stands alone."""
    return rx.el.span(
        rx.el.span(name, class_name="cut", dir="auto"),
        class_name="chip chip-label thread-label",
        custom_attrs={"data-color": color},
        title=name,
        data_testid="thread-label",
        **props,
    )


def label_picker(place: str, **attrs: Any) -> rx.Component:
    """Return the button with the picker behind it; `place` is "thread" or "bulk"."""
    return rx.popover.root(
        rx.popover.trigger(
            icon_button(
                "tag", tr("Labels"), data_testid=f"labels-{place}", custom_attrs={"data-key": "shift l"}, **attrs
            )
        ),
        rx.popover.content(
            rx.cond(
                ThreadLabelState.rows.length() > 0,
                rx.el.div(
                    rx.foreach(ThreadLabelState.rows, _line),
                    class_name="col scroll pick-found",
                    custom_attrs={"data-arrows": "true"},
                ),
                rx.el.p(tr("No labels yet. Name the first one."), class_name="hint"),
            ),
            rx.cond(ThreadLabelState.editing == 0, _new(), rx.fragment()),
            class_name="pop pick-pop",
            side="bottom",
            align="end" if place == "bulk" else "start",
        ),
        open=ThreadLabelState.place == place,
        on_open_change=lambda is_open: ThreadLabelState.show(place, is_open),
    )


def _line(row: rx.Var[LabelRow]) -> rx.Component:
    return rx.cond(
        ThreadLabelState.editing == row.id,
        rx.el.form(
            _fields(row.name, row.color),
            rx.el.div(
                button(tr("Save"), look="ink", size="btn-sm", type="submit", data_testid="label-save"),
                button(tr("Cancel"), look="ghost", size="btn-sm", on_click=ThreadLabelState.edit(0)),
                rx.el.span(class_name="grow"),
                icon_button("trash-2", tr("Delete"), on_click=ThreadLabelState.delete(row.id), data_testid="label-delete"),
                class_name="row gap6",
            ),
            on_submit=ThreadLabelState.change,
            class_name="col gap6 label-form",
        ),
        rx.el.div(
            rx.el.button(
                rx.match(
                    row.worn,
                    ("all", icon("square-check", size=15)),
                    ("some", icon("square-minus", size=15)),
                    icon("square", size=15),
                ),
                label_mark(row.name, row.color),
                type="button",
                class_name="menu-item grow",
                on_click=ThreadLabelState.toggle(row.id),
                data_testid="label-option",
                custom_attrs={
                    "aria-pressed": rx.match(row.worn, ("all", "true"), ("some", "mixed"), "false"),
                },
            ),
            icon_button(
                "pencil", tr("Change the label"), cls="icon-sm", on_click=ThreadLabelState.edit(row.id),
                data_testid="label-edit",
            ),
            class_name="row",
            key=row.id,
        ),
    )  # fmt: skip


def _new() -> rx.Component:
    return rx.el.form(
        _fields("", "gray", auto_focus=True),
        button(icon("plus", size=14), tr("Create label"), size="btn-sm", type="submit", data_testid="label-create"),
        on_submit=ThreadLabelState.create,
        reset_on_submit=True,
        class_name="col gap6 label-form",
    )


def _fields(name: Any, color: Any, **props: Any) -> rx.Component:
    return rx.fragment(
        rx.el.input(
            name="label_name", default_value=name, placeholder=tr("New label"), aria_label=tr("Name of the label"),
            class_name="input", max_length=40, dir="auto", data_testid="label-name", **props,
        ),
        rx.el.div(
            *[
                rx.el.label(
                    rx.el.input(
                        type="radio", name="label_color", value=each, default_checked=color == each, class_name="sr",
                        aria_label=_color_name(each),
                    ),
                    rx.el.span(class_name="label-dot", custom_attrs={"data-color": each}),
                    class_name="swatch",
                    title=_color_name(each),
                )
                for each in COLORS
            ],
            class_name="row gap6",
            role="radiogroup",
            aria_label=tr("Color"),
        ),
        error_line(ThreadLabelState.wrong),
    )  # fmt: skip


def _color_name(color: str) -> rx.Var[str]:
    return {
        "gray": tr("Gray"), "indigo": tr("Blue"), "jade": tr("Green"), "amber": tr("Amber"), "red": tr("Red"),
        "plum": tr("Plum"), "cyan": tr("Cyan"),
    }[color]  # fmt: skip
