"""Labels and fields of the workspace's own, for the left side of a record's page.

How a page embeds it: its line in the page table loads `RecordState.open_page` (a place whose address doesn't name the
record calls `RecordState.show(kind, id)`), and its left column holds `record_side()` behind its facts.
"""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import icon_button, ink
from mailcrm.components.edit_field import edit_field
from mailcrm.components.forms import error_line
from mailcrm.components.states import wrong
from mailcrm.state.i18n import tr
from mailcrm.state.record import FieldRow, LabelChoice, OptionRow, RecordState

COLORS = ("gray", "indigo", "jade", "amber", "red", "plum", "cyan")


def label_chip(name: Any, color: Any, **props: Any) -> rx.Component:
    """Return a label as it stands on rows and pages."""
    return rx.el.span(
        rx.el.span(name, class_name="cut", dir="auto"),
        class_name="chip chip-label",
        custom_attrs={"data-color": color},
        **props,
    )


def record_side() -> rx.Component:
    """Return the labels and the fields, each edited where it stands."""
    return rx.el.section(
        rx.el.dl(
            rx.el.dt(tr("Labels")),
            rx.el.dd(
                rx.foreach(RecordState.worn, lambda row: label_chip(row.name, row.color, key=row.id)),
                _picker(),
                class_name="label-row",
                data_testid="record-labels",
            ),
            rx.foreach(RecordState.fields, _field),
            class_name="facts facts-left",
        ),
        class_name="sect sect-more",
        data_testid="record-side",
    )


def _picker() -> rx.Component:
    return rx.popover.root(
        rx.popover.trigger(icon_button("plus", tr("Labels"), cls="icon-sm", data_testid="labels-open")),
        rx.popover.content(
            rx.el.ul(rx.foreach(RecordState.labels, _choice), class_name="col label-list"),
            rx.el.form(
                rx.el.input(
                    name="label_name",
                    class_name="input",
                    placeholder=tr("New label"),
                    aria_label=tr("New label"),
                    max_length=40,
                    dir="auto",
                    auto_complete="off",
                    data_testid="label-name",
                ),
                color_pick("label_color", "gray"),
                ink(tr("Add"), type="submit", size="btn-sm", data_testid="label-add"),
                on_submit=RecordState.add_label,
                class_name="row gap6",
                key=RecordState.version,
            ),
            rx.cond(RecordState.wrong_id == 0, error_line(RecordState.wrong)),
            class_name="col gap12 label-pop",
            align="start",
        ),
    )


def _choice(row: rx.Var[LabelChoice]) -> rx.Component:
    return rx.el.li(
        rx.el.label(
            rx.el.input(
                type="checkbox",
                checked=row.on,
                on_change=RecordState.toggle_label(row.id),
                class_name="tick-box",
                data_testid="label-choice",
            ),
            label_chip(row.name, row.color),
            class_name="row gap6",
        ),
        key=row.id,
    )


def color_pick(name: str, chosen: Any, **props: Any) -> rx.Component:
    """Return a select of the labels' colours."""
    names = {
        "gray": tr("Gray"),
        "indigo": tr("Blue"),
        "jade": tr("Green"),
        "amber": tr("Amber"),
        "red": tr("Red"),
        "plum": tr("Plum"),
        "cyan": tr("Cyan"),
    }
    value = {} if "value" in props else {"default_value": chosen}
    return rx.el.select(
        *[rx.el.option(names[each], value=each) for each in COLORS],
        name=name,
        class_name="pick color-pick",
        aria_label=tr("Color"),
        **value,
        **props,
    )


def _field(row: rx.Var[FieldRow]) -> rx.Component:
    save: Any = lambda text: RecordState.save(row.id, text)  # noqa: E731  an event takes a function
    return rx.fragment(
        rx.el.dt(row.name, dir="auto", class_name="cut"),
        rx.el.dd(
            rx.match(
                row.type,
                ("date", edit_field(row.typed, row.name, save, "field-value", kind="date")),
                (
                    "choice",
                    rx.el.select(
                        rx.el.option("–", value=""),
                        rx.foreach(row.options, _option),
                        value=row.typed,
                        on_change=save,
                        class_name="pick quiet-input field-pick",
                        aria_label=row.name,
                        data_testid="field-value",
                    ),
                ),
                (
                    "money",
                    rx.el.span(
                        edit_field(row.typed, row.name, save, "field-value", inputmode="decimal"),
                        rx.el.select(
                            rx.foreach(RecordState.currencies, lambda each: rx.el.option(each, value=each)),
                            value=row.currency,
                            on_change=lambda code: RecordState.set_currency(row.id, code),
                            class_name="pick quiet-input field-pick",
                            aria_label=tr("Currency"),
                        ),
                        class_name="row gap4",
                    ),
                ),
                ("number", edit_field(row.typed, row.name, save, "field-value", inputmode="decimal")),
                edit_field(row.typed, row.name, save, "field-value", placeholder="–", dir="auto"),
            ),
            rx.cond(RecordState.wrong_id == row.id, wrong(RecordState.wrong, data_testid="field-wrong")),
        ),
        key=row.id,
    )


def _option(row: rx.Var[OptionRow]) -> rx.Component:
    return rx.el.option(row.name, value=row.value, key=row.value)
