"""What tables with changes of many share: the boxes that choose rows, selects that do something with those chosen."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button
from mailcrm.components.icons import icon
from mailcrm.components.record_side import label_chip
from mailcrm.state.choices import Choice
from mailcrm.state.i18n import tr, trn


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


def bulk_bar(state: Any, name: str) -> rx.Component:
    """Return what is done with all rows chosen of a page of contacts: `name` begins its parts' test ids."""
    return rx.el.div(
        rx.el.span(trn("{n} chosen", "{n} chosen", state.picked.length()), class_name="b num", role="status"),
        do_with(
            tr("Give to"),
            state.give,
            f"{name}-bulk-owner",
            options(state.owners),
            rx.el.option(tr("No owner"), value="0"),
        ),
        rx.cond(
            state.labels.length() > 0,
            do_with(tr("Add label"), state.put_label, f"{name}-bulk-label", options(state.labels)),
        ),
        button(
            icon("trash-2", size=14),
            tr("Delete"),
            look="bad",
            size="btn-sm",
            on_click=state.delete,
            data_testid=f"{name}-bulk-delete",
        ),
        rx.el.span(class_name="grow"),
        button(tr("Choose all"), look="ghost", size="btn-sm", on_click=state.pick_all),
        class_name="table-bar",
        data_testid=f"{name}-bulk",
    )


def labels_cell(marks: Any) -> rx.Component:
    """Return what a row's labels look like."""
    return rx.el.span(rx.foreach(marks, lambda mark: label_chip(mark[0], mark[1])), class_name="row gap4 cell-labels")
