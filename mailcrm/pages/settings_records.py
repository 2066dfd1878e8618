"""Settings › Labels and fields: what rows can wear, and what the workspace asks of them besides."""

from typing import Any

import reflex as rx

from mailcrm.components.buttons import button, icon_button
from mailcrm.components.dialogs import dialog_actions, form_dialog
from mailcrm.components.forms import choice, error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.components.record_side import color_pick, label_chip
from mailcrm.components.settings import settings_page
from mailcrm.components.states import bones, empty
from mailcrm.state.i18n import tr
from mailcrm.state.settings_records import FieldRow, LabelRow, RecordsSettingsState

STATE = RecordsSettingsState
TYPES = ("text", "number", "money", "date", "choice")


def settings_records() -> rx.Component:
    """Return the page."""
    return settings_page(
        _kinds(),
        rx.cond(STATE.creating == "", error_line(STATE.wrong)),
        rx.cond(STATE.loaded, rx.fragment(_labels(), rx.cond(STATE.kind != "lead", _fields())), bones(5)),
        _new_label(),
        _new_field(),
        here="records",
        title=tr("Labels and fields"),
    )


def _kinds() -> rx.Component:
    named = (
        ("person", tr("People")),
        ("organization", tr("Organizations")),
        ("deal", tr("Deals")),
        ("lead", tr("Leads")),
    )
    return rx.el.div(
        *[
            rx.el.button(
                label,
                type="button",
                on_click=STATE.choose(name),
                custom_attrs={"aria-pressed": STATE.kind == name},
                data_testid=f"kind-{name}",
            )
            for name, label in named
        ],
        class_name="seg",
        role="group",
        aria_label=tr("Kind"),
    )


def _head(title: Any, action: rx.Component) -> rx.Component:
    return rx.el.div(rx.el.h3(title, class_name="b grow"), action, class_name="row side-head")


def _labels() -> rx.Component:
    add = button(icon("plus", size=14), tr("Label"), on_click=STATE.set_creating("label"), data_testid="label-create")
    return rx.el.section(
        _head(tr("Labels"), add),
        rx.cond(
            STATE.labels.length() > 0,
            rx.el.ul(rx.foreach(STATE.labels, _label), class_name="record-rows"),
            empty("tag", tr("No labels yet"), tr("Add one to sort rows by what they have in common.")),
        ),
        class_name="col gap12 pipeline",
    )


def _label(row: rx.Var[LabelRow]) -> rx.Component:
    return rx.el.li(
        rx.el.span(label_chip(row.name, row.color), class_name="label-sample"),
        rx.el.input(
            default_value=row.name,
            key=row.name,
            class_name="input quiet-input grow",
            dir="auto",
            max_length=40,
            aria_label=tr("Name of the label"),
            on_blur=lambda name: STATE.rename_label(row.id, name),
            data_testid="label-rename",
        ),
        color_pick(
            "color", row.color, value=row.color, on_change=lambda color: STATE.color(row.id, color),
            data_testid="label-color",
        ),
        rx.el.span(row.used, class_name="n dim num used", title=tr("Rows that wear it")),
        icon_button(
            "arrow-up", tr("Move {name} up", name=row.name), on_click=STATE.raise_label(row.id), disabled=row.first
        ),
        icon_button(
            "trash-2", tr("Delete {name}", name=row.name), on_click=STATE.delete_label(row.id),
            data_testid="label-delete",
        ),
        class_name="row record-row",
        key=row.id,
        data_testid="label-row",
    )  # fmt: skip


def _fields() -> rx.Component:
    add = rx.cond(
        STATE.admin,
        button(icon("plus", size=14), tr("Field"), on_click=STATE.set_creating("field"), data_testid="field-create"),
    )
    return rx.el.section(
        _head(tr("Fields"), add),
        rx.cond(
            STATE.admin,
            rx.fragment(),
            rx.el.p(tr("Administrators add and change fields."), class_name="hint"),
        ),
        rx.cond(
            STATE.fields.length() > 0,
            rx.el.ul(rx.foreach(STATE.fields, _field), class_name="record-rows"),
            empty("list-plus", tr("No fields yet"), tr("Add one for what you want to know of every row.")),
        ),
        class_name="col gap12 pipeline",
    )


def _type(type_: Any) -> rx.Component:
    return rx.match(
        type_,
        ("number", tr("Number")),
        ("money", tr("Money")),
        ("date", tr("Date")),
        ("choice", tr("Choice")),
        tr("Text"),
    )


def _field(row: rx.Var[FieldRow]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.input(
                default_value=row.name,
                key=row.name,
                class_name="input quiet-input grow",
                dir="auto",
                max_length=60,
                disabled=~STATE.admin,
                aria_label=tr("Name of the field"),
                on_blur=lambda name: STATE.rename_field(row.id, name),
                data_testid="field-rename",
            ),
            rx.el.span(_type(row.type), class_name="dim field-type"),
            rx.cond(
                STATE.admin,
                rx.fragment(
                    icon_button(
                        "arrow-up",
                        tr("Move {name} up", name=row.name),
                        on_click=STATE.raise_field(row.id),
                        disabled=row.first,
                    ),
                    icon_button(
                        "trash-2",
                        tr("Delete {name}", name=row.name),
                        on_click=STATE.delete_field(row.id),
                        data_testid="field-delete",
                    ),
                ),
            ),
            class_name="row",
        ),
        rx.cond(
            row.type == "choice",
            rx.el.textarea(
                default_value=row.options,
                key=row.options,
                rows="3",
                class_name="area",
                dir="auto",
                disabled=~STATE.admin,
                aria_label=tr("Options, one per line"),
                on_blur=lambda text: STATE.save_options(row.id, text),
                data_testid="field-options",
            ),
        ),
        class_name="col gap6 record-row",
        key=row.id,
        data_testid="field-row",
    )


def _new_label() -> rx.Component:
    return form_dialog(
        rx.el.form(
            field(
                tr("Name"),
                text_input("new_name", dir="auto", auto_focus=True, max_length=40, data_testid="new-label-name"),
                name="new_name",
            ),
            field(tr("Color"), color_pick("new_color", "gray", id="new_color"), name="new_color"),
            error_line(STATE.wrong),
            dialog_actions(tr("Add label"), "new-label-save"),
            on_submit=STATE.create_label,
            class_name="col gap12",
        ),
        open_when=STATE.creating == "label",
        on_open_change=STATE.close,
        title=tr("New label"),
        text=None,
    )


def _new_field() -> rx.Component:
    types = [(each, _type(each)) for each in TYPES]
    return form_dialog(
        rx.el.form(
            field(
                tr("Name"),
                text_input("new_name", dir="auto", auto_focus=True, max_length=60, data_testid="new-field-name"),
                name="new_name",
            ),
            field(
                tr("Type"),
                choice("new_type", types, value=STATE.type, on_change=STATE.set_type, data_testid="new-field-type"),
                name="new_type",
            ),
            rx.cond(
                STATE.type == "choice",
                field(
                    tr("Options, one per line"),
                    rx.el.textarea(
                        id="new_options",
                        name="new_options",
                        rows="4",
                        class_name="area",
                        dir="auto",
                        data_testid="new-field-options",
                    ),
                    name="new_options",
                ),
            ),
            error_line(STATE.wrong),
            dialog_actions(tr("Add field"), "new-field-save"),
            on_submit=STATE.create_field,
            class_name="col gap12",
        ),
        open_when=STATE.creating == "field",
        on_open_change=STATE.close,
        title=tr("New field"),
        text=tr("A field’s type can’t be changed later."),
    )
