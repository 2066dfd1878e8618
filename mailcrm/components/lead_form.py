"""The form for a new lead, and for changing one."""

import reflex as rx

from mailcrm.components.dialogs import dialog_actions, form_dialog
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.person_picker import person_picker
from mailcrm.state.i18n import tr
from mailcrm.state.leads import LeadsState

KEPT = rx.cond(LeadsState.editing, LeadsState.lead.title, "")


def lead_form() -> rx.Component:
    """Return the dialog."""
    return form_dialog(
        rx.el.form(
            field(
                tr("Title"),
                text_input(
                    "lead_title",
                    default_value=KEPT,
                    auto_focus=True,
                    auto_complete="off",
                    dir="auto",
                    data_testid="lead-name",
                ),
                name="lead_title",
            ),
            rx.el.div(
                field(
                    tr("Value"),
                    text_input(
                        "lead_value",
                        default_value=rx.cond(LeadsState.editing, LeadsState.lead.typed, ""),
                        inputmode="decimal",
                        auto_complete="off",
                        data_testid="lead-value",
                    ),
                    name="lead_value",
                ),
                field(
                    tr("Currency"),
                    rx.el.select(
                        rx.foreach(LeadsState.currencies, lambda code: rx.el.option(code, value=code, key=code)),
                        id="lead_currency",
                        name="lead_currency",
                        class_name="pick",
                    ),
                    name="lead_currency",
                ),
                class_name="grid2",
            ),
            person_picker(LeadsState, "lead"),
            error_line(LeadsState.wrong),
            dialog_actions(rx.cond(LeadsState.editing, tr("Save"), tr("Create lead")), "lead-save"),
            on_submit=LeadsState.save,
            class_name="col gap12",
        ),
        open_when=LeadsState.creating | LeadsState.editing,
        on_open_change=LeadsState.close_form,
        title=rx.cond(LeadsState.editing, tr("Edit lead"), tr("New lead")),
        text=None,
        wide=True,
    )
