"""The form for a new deal: on the board, and on a person's page with that person chosen."""

import reflex as rx

from mailcrm.components.dialogs import dialog_actions, form_dialog
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.person_picker import person_picker
from mailcrm.state.board import BoardState
from mailcrm.state.choices import Choice
from mailcrm.state.i18n import tr


def deal_form() -> rx.Component:
    """Return the dialog."""
    return form_dialog(
        rx.el.form(
            field(
                tr("Title"),
                text_input("deal_title", auto_focus=True, auto_complete="off", dir="auto", data_testid="deal-title"),
                name="deal_title",
            ),
            rx.el.div(
                field(
                    tr("Value"),
                    text_input(
                        "deal_value",
                        inputmode="decimal",
                        auto_complete="off",
                        placeholder="0",
                        data_testid="deal-value",
                    ),
                    name="deal_value",
                ),
                field(
                    tr("Currency"),
                    rx.el.select(
                        rx.foreach(BoardState.currencies, lambda code: rx.el.option(code, value=code, key=code)),
                        id="deal_currency",
                        name="deal_currency",
                        class_name="pick",
                        data_testid="deal-currency",
                    ),
                    name="deal_currency",
                ),
                field(
                    tr("Stage"),
                    rx.el.select(
                        rx.foreach(BoardState.stages, _stage),
                        id="deal_stage",
                        name="deal_stage",
                        class_name="pick",
                        default_value=BoardState.stage_id.to_string(),
                        data_testid="deal-stage",
                    ),
                    name="deal_stage",
                ),
                class_name="grid-deal",
            ),
            person_picker(BoardState, "deal"),
            error_line(BoardState.wrong),
            dialog_actions(tr("Create deal"), "deal-save"),
            on_submit=BoardState.create,
            class_name="col gap12",
        ),
        open_when=BoardState.creating,
        on_open_change=BoardState.set_creating,
        title=tr("New deal"),
        text=None,
        wide=True,
    )


def _stage(row: rx.Var[Choice]) -> rx.Component:
    return rx.el.option(row.label, value=row.value, key=row.value)
