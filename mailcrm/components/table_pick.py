"""What tables with changes of many share: the boxes that choose rows, selects that do something with those chosen."""

from typing import Any

import reflex as rx

from mailcrm.components.record_side import label_chip
from mailcrm.state.board import Choice
from mailcrm.state.i18n import tr


def options(rows: Any) -> rx.Component:
    """Return the options of a select."""
    return rx.foreach(rows, _option)


def _option(one: rx.Var[Choice]) -> rx.Component:
    return rx.el.option(one.label, value=one.value, key=one.value)


def pick_all(all_chosen: Any, on_change: Any, testid: str) -> rx.Component:
    """Return the head's cell that chooses every row that is listed."""
    return rx.el.th(
        rx.el.input(
            type="checkbox",
            class_name="tick-box",
            checked=all_chosen,
            on_change=on_change,
            aria_label=tr("Choose all"),
            data_testid=testid,
        ),
        class_name="pick-cell",
    )


def pick_one(chosen: Any, on_change: Any, title: Any, testid: str) -> rx.Component:
    """Return a row's cell that chooses it."""
    return rx.el.td(
        rx.el.input(
            type="checkbox",
            class_name="tick-box",
            checked=chosen,
            on_change=on_change,
            aria_label=tr("Choose {title}", title=title),
            data_testid=testid,
        ),
        class_name="pick-cell",
    )


def narrow_by(value: Any, on_change: Any, label: Any, testid: str, *choices: rx.Component) -> rx.Component:
    """Return a select above a table that narrows it."""
    return rx.el.select(
        *choices,
        value=value,
        on_change=on_change,
        class_name="pick bar-pick",
        aria_label=label,
        data_testid=testid,
    )


def do_with(label: Any, on_change: Any, testid: str, *choices: rx.Component) -> rx.Component:
    """Return a select that does something with the rows chosen, and reads its own name again afterwards."""
    return narrow_by("", on_change, label, testid, rx.el.option(label, value=""), *choices)


def labels_cell(marks: Any) -> rx.Component:
    """Return what a row's labels look like."""
    return rx.el.span(rx.foreach(marks, lambda mark: label_chip(mark[0], mark[1])), class_name="row gap4 cell-labels")
