"""The field of a form that takes a person: a contact that is found while one types, or somebody new by name."""

from typing import Any

import reflex as rx

from mailcrm.components.avatar import avatar
from mailcrm.components.buttons import icon_button
from mailcrm.components.forms import field, text_input
from mailcrm.components.icons import icon
from mailcrm.state.i18n import tr
from mailcrm.state.present import PersonRow

PAUSE_MS = 180


def person_picker(state: Any, name: str) -> rx.Component:
    """Return the field of a form; `name` is "deal" or "lead".

    The state has `matches`, `person_id`, `person_name` and the events `find_person` and `choose_person`.
    """
    return rx.cond(state.person_id > 0, _chosen(state, name), _search(state, name))


def _search(state: Any, name: str) -> rx.Component:
    return rx.el.div(
        field(
            tr("Person"),
            text_input(
                f"{name}_person",
                placeholder=tr("A contact, or somebody new"),
                auto_complete="off",
                dir="auto",
                on_change=lambda text: state.find_person(text).debounce(PAUSE_MS),
                data_testid=f"{name}-person",
            ),
            name=f"{name}_person",
        ),
        rx.cond(
            state.matches.length() > 0,
            rx.el.ul(
                rx.foreach(state.matches, lambda row: _match(row, state, name)),
                class_name="matches card",
                aria_label=tr("Matching contacts"),
            ),
        ),
        class_name="col gap4",
    )


def _match(row: rx.Var[PersonRow], state: Any, name: str) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            avatar(row.initials, row.hue, size="sm"),
            rx.el.span(row.name, class_name="cut", dir="auto"),
            rx.el.span(
                rx.cond(row.organization != "", row.organization, row.address), class_name="t1 dim cut", dir="auto"
            ),
            type="button",
            class_name="menu-item",
            on_click=state.choose_person(row.id),
            data_testid=f"{name}-person-option",
        ),
        key=row.id,
    )


def _chosen(state: Any, name: str) -> rx.Component:
    return rx.el.div(
        rx.el.span(tr("Person"), class_name="label"),
        rx.el.span(
            icon("user-round", size=14),
            rx.el.span(state.person_name, class_name="cut grow", dir="auto"),
            icon_button("x", tr("Choose somebody else"), on_click=state.choose_person(0)),
            class_name="chosen",
            data_testid=f"{name}-person-chosen",
        ),
        class_name="field",
    )
