"""The form for a new deal: on the board, and on a person's page with that person chosen."""

import reflex as rx

from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import icon_button
from mailcrm.components.dialogs import dialog_actions, form_dialog
from mailcrm.components.forms import error_line, field, text_input
from mailcrm.components.icons import icon
from mailcrm.state.board import BoardState, Choice
from mailcrm.state.i18n import tr
from mailcrm.state.present import PersonRow

PAUSE_MS = 180


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
            rx.cond(BoardState.person_id > 0, _chosen(), _picker()),
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


def _picker() -> rx.Component:
    return rx.el.div(
        field(
            tr("Person"),
            text_input(
                "deal_person",
                placeholder=tr("A contact, or somebody new"),
                auto_complete="off",
                dir="auto",
                on_change=lambda text: BoardState.find_person(text).debounce(PAUSE_MS),
                data_testid="deal-person",
            ),
            name="deal_person",
        ),
        rx.cond(
            BoardState.matches.length() > 0,
            rx.el.ul(
                rx.foreach(BoardState.matches, _match), class_name="matches card", aria_label=tr("Matching contacts")
            ),
        ),
        class_name="col gap4",
    )


def _match(row: rx.Var[PersonRow]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            avatar(row.initials, row.hue, size="sm"),
            rx.el.span(row.name, class_name="cut", dir="auto"),
            rx.el.span(
                rx.cond(row.organization != "", row.organization, row.address), class_name="t1 dim cut", dir="auto"
            ),
            type="button",
            class_name="menu-item",
            on_click=BoardState.choose_person(row.id),
            data_testid="deal-person-option",
        ),
        key=row.id,
    )


def _chosen() -> rx.Component:
    return rx.el.div(
        rx.el.span(tr("Person"), class_name="label"),
        rx.el.span(
            icon("user-round", size=14),
            rx.el.span(BoardState.person_name, class_name="cut grow", dir="auto"),
            icon_button("x", tr("Choose somebody else"), on_click=BoardState.choose_person(0)),
            class_name="chosen",
            data_testid="deal-person-chosen",
        ),
        class_name="field",
    )
